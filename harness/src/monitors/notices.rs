//! What can be known of notifications so far: progress by its token, requests that were cancelled, log levels,
//! subscriptions.

use super::Asked;
use crate::protocol::{Id, IdMap, IdSet, Kind, Message};
use crate::transcript::Record;
use crate::wire::Channel;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// How many things of one kind that the server names are kept.
const KEPT: usize = 10_000;
/// How many requests are kept for one progress token.
const REQUESTS: usize = 16;

/// The levels of log messages, least severe first (RFC 5424).
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Facts about notifications and what they belong to.
#[derive(Debug, Default)]
pub struct Notices {
    /// Progress, by the token that we gave; see [`token_key`].
    pub progress: HashMap<String, Progress>,
    /// Requests of ours that we cancelled while they had no response.
    pub cancelled: IdMap<Cancelled>,
    /// Requests of the server that name a progress token and have no answer from us, by the token.
    pub server_tokens: HashMap<String, Id>,
    /// Requests of the server that are to become tasks of ours (2025-11-25).
    pub task_requests: IdSet,
    /// When we answered requests of the server.
    pub answered: IdMap<Duration>,
    /// Requests of the server that it cancelled.
    pub withdrawn: IdMap<Duration>,
    /// The level that `logging/setLevel` was last answered for, and when the answer came.
    pub level: Option<(usize, u64)>,
    levels_asked: IdMap<usize>,
    /// Requests with a log level of their own (2026-07-28) that have no response, and the level.
    pub logging: IdMap<usize>,
    /// When a request with a log level of its own was last answered.
    pub logging_ended: Option<Duration>,
    /// Log messages that came.
    pub log_messages: Rate,
    /// Subscriptions (2026-07-28), by the id of their `subscriptions/listen`.
    pub subscriptions: IdMap<Subscription>,
    /// When a task was first seen to be over (2025-11-25), by its id.
    pub tasks_over: HashMap<String, Duration>,
    /// Lists that were fetched from the first page to the last, by the method that fetches them.
    pub lists: HashMap<String, Listed>,
    walks: HashMap<&'static str, Walk>,
    /// When a list was announced as changed, by the method that fetches it.
    pub announced: HashMap<&'static str, Vec<Duration>>,
    /// Resources that we subscribed to by `resources/subscribe`; when we unsubscribed again, if we did.
    pub resources: HashMap<String, Option<Duration>>,
}

/// What is known of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it named on all pages, sorted.
    pub keys: Vec<String>,
    /// When its first page was asked for.
    pub asked_at: Duration,
    /// The first change that was seen: when the list was asked for before it, and the event that showed the change.
    pub changed: Option<(Duration, u64)>,
}

/// A list that is being fetched.
#[derive(Debug)]
struct Walk {
    keys: Vec<String>,
    asked_at: Duration,
    /// The cursor of the next page.
    next: String,
}

/// The lists that can be announced as changed: the notification, the method, the member of the result, the key.
const LISTS: [(&str, &str, &str, &str); 3] = [
    ("notifications/tools/list_changed", "tools/list", "tools", "name"),
    ("notifications/prompts/list_changed", "prompts/list", "prompts", "name"),
    ("notifications/resources/list_changed", "resources/list", "resources", "uri"),
];

/// What is known of a progress token.
#[derive(Debug, Default)]
pub struct Progress {
    /// The requests that carried it, the newest last.
    pub requests: Vec<Id>,
    /// The last value, and where it came.
    pub last: Option<(f64, Channel)>,
    /// When and where the newest request was answered.
    pub answered: Option<(Duration, Channel)>,
    /// The task that the newest request became.
    pub task: Option<String>,
    /// How many notifications came, and how fast.
    pub rate: Rate,
}

/// How many of a kind came, and how many at most within a second.
#[derive(Debug, Default)]
pub struct Rate {
    /// In all.
    pub count: u32,
    /// At most within a second, seconds counted one after the other.
    pub most: u32,
    window: (Duration, u32),
}

impl Rate {
    fn note(&mut self, at: Duration) {
        self.count += 1;
        if at.saturating_sub(self.window.0) >= Duration::from_secs(1) || self.window.1 == 0 {
            self.window = (at, 0);
        }
        self.window.1 += 1;
        self.most = self.most.max(self.window.1);
    }
}

/// A cancellation of ours.
#[derive(Debug, Clone, Copy)]
pub struct Cancelled {
    /// When it was sent.
    pub at: Duration,
    /// The event that sent it.
    pub seq: u64,
    /// Where it was sent.
    pub channel: Channel,
}

/// A subscription.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// What was asked for.
    pub wanted: Value,
    /// What the server acknowledged, and when.
    pub acknowledged: Option<(Value, Duration)>,
    /// Whether anything but an error came for it.
    pub spoke: bool,
    /// When we ended it.
    pub ended_by_us: Option<Duration>,
    /// When its response came.
    pub answered: Option<Duration>,
    /// Whether it was opened with something broken on purpose.
    pub tainted: bool,
    /// The event that sent it.
    pub seq: u64,
    /// The HTTP exchange, or the process.
    pub channel: Channel,
}

impl Subscription {
    /// Whether it asked for what a notification tells; `None` for one that no filter has.
    pub fn wants(&self, method: &str, params: Option<&Value>) -> Option<bool> {
        let flag = |name: &str| Some(self.wanted.get(name) == Some(&Value::Bool(true)));
        match method {
            "notifications/tools/list_changed" => flag("toolsListChanged"),
            "notifications/prompts/list_changed" => flag("promptsListChanged"),
            "notifications/resources/list_changed" => flag("resourcesListChanged"),
            "notifications/resources/updated" => {
                let uri = params?.get("uri")?.as_str()?;
                let wanted = self.wanted.get("resourceSubscriptions").and_then(Value::as_array);
                let mut uris = wanted.into_iter().flatten().filter_map(Value::as_str);
                // What changed may be a part of what was asked for.
                Some(uris.any(|wanted| uri.starts_with(wanted)))
            }
            _ => None,
        }
    }

    /// Whether it is open as far as both sides have said.
    pub fn is_open(&self) -> bool {
        self.ended_by_us.is_none() && self.answered.is_none()
    }
}

/// A progress token as a key: `1` and `1.0` are one, `1` and `"1"` are two.
pub fn token_key(token: &Value) -> Option<String> {
    match token {
        Value::String(_) => Some(token.to_string()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 => {
                Some(format!("{float:.0}"))
            }
            _ => Some(number.to_string()),
        },
        _ => None,
    }
}

/// The level of a log message or of a request, as a place in [`LEVELS`].
pub(super) fn level(name: Option<&Value>) -> Option<usize> {
    let name = name?.as_str()?;
    LEVELS.iter().position(|level| *level == name)
}

/// The log level that a request asks for (2026-07-28).
pub(super) fn request_level(message: &Message) -> Option<&Value> {
    message.meta("io.modelcontextprotocol/logLevel")
}

/// The subscription that a notification names.
pub(super) fn subscription_tag(message: &Message) -> Option<&Value> {
    message.meta("io.modelcontextprotocol/subscriptionId")
}

impl Notices {
    /// Takes in a request of ours.
    pub(super) fn note_request(&mut self, asked: &Asked) {
        if let Some(key) = asked.progress_token().and_then(token_key) {
            let progress = self.progress.entry(key).or_default();
            if progress.requests.len() >= REQUESTS {
                progress.requests.remove(0);
            }
            progress.requests.push(asked.id.clone());
            (progress.last, progress.answered, progress.task) = (None, None, None);
        }
        match asked.method.as_str() {
            "logging/setLevel" => {
                if let Some(level) = level(asked.message.params().and_then(|params| params.get("level"))) {
                    self.levels_asked.insert(asked.id.clone(), level);
                }
            }
            "subscriptions/listen" => {
                let wanted = asked.message.params().and_then(|params| params.get("notifications"));
                let subscription = Subscription {
                    wanted: wanted.cloned().unwrap_or_default(),
                    acknowledged: None,
                    spoke: false,
                    ended_by_us: None,
                    answered: None,
                    tainted: asked.is_tainted(),
                    seq: asked.seq,
                    channel: asked.channel,
                };
                self.subscriptions.insert(asked.id.clone(), subscription);
            }
            _ => {}
        }
        if let Some(wanted) = request_level(&asked.message) {
            // One that is no level is no permission either, but no reason to be strict.
            self.logging.insert(asked.id.clone(), level(Some(wanted)).unwrap_or(0));
        }
    }

    /// Takes in that we cancelled a request.
    pub(super) fn note_cancelled(&mut self, asked: &Asked, record: &Record) {
        if let Some(subscription) = self.subscriptions.get_mut(&asked.id) {
            subscription.ended_by_us.get_or_insert(record.at);
        }
        if asked.responses == 0 && !asked.is_tainted() && asked.method != "initialize" {
            let cancelled = Cancelled { at: record.at, seq: record.seq, channel: record.channel };
            self.cancelled.entry(asked.id.clone()).or_insert(cancelled);
        }
    }

    /// Takes in that we closed the response of an HTTP exchange.
    pub(super) fn note_closed(&mut self, record: &Record) {
        for subscription in self.subscriptions.values_mut() {
            if subscription.channel == record.channel && record.channel != Channel::PROCESS {
                subscription.ended_by_us.get_or_insert(record.at);
            }
        }
    }

    /// Takes in an answer of ours to a request of the server.
    pub(super) fn note_answer(&mut self, message: &Message, record: &Record) {
        let Some(id) = message.id() else { return };
        self.server_tokens.retain(|_, open| open != id);
        if self.answered.len() < KEPT {
            self.answered.entry(id.clone()).or_insert(record.at);
        }
    }

    /// The subscription that an id names; failing that, the one whose id differs in its JSON type alone: that is told of
    /// the id, and not of everything that goes by it.
    pub(super) fn subscription(&self, id: &Id) -> Option<(&Id, &Subscription)> {
        let exact = self.subscriptions.get_key_value(id);
        exact.or_else(|| self.subscriptions.iter().find(|(known, _)| super::link::alike(known, id)))
    }

    /// Takes in a message of the server that is no response.
    pub(super) fn note_received(&mut self, record: &Record, message: &Message, listen: Option<&Id>) {
        if *message.kind() == Kind::Request {
            let token = message.meta("progressToken");
            if let (Some(key), Some(id)) = (token.and_then(token_key), message.id())
                && self.server_tokens.len() < KEPT
            {
                self.server_tokens.insert(key, id.clone());
            }
            if let (true, Some(id)) =
                (message.params().is_some_and(|params| params.get("task").is_some()), message.id())
                && self.task_requests.len() < KEPT
            {
                self.task_requests.insert(id.clone());
            }
            return;
        }
        let params = message.params();
        let id_of = |value: &Value| Id::from_json(&value.to_string(), value);
        let named = subscription_tag(message).map(id_of);
        let known = listen.or(named.as_ref()).and_then(|id| Some(self.subscription(id)?.0.clone()));
        if let Some(subscription) = known.and_then(|id| self.subscriptions.get_mut(&id)) {
            subscription.spoke = true;
            if message.method() == Some("notifications/subscriptions/acknowledged") {
                let filter = params.and_then(|params| params.get("notifications")).cloned();
                subscription.acknowledged.get_or_insert((filter.unwrap_or_default(), record.at));
            }
        }
        match message.method() {
            Some("notifications/progress") => {
                let token = params.and_then(|params| params.get("progressToken"));
                let value = params.and_then(|params| params.get("progress")?.as_f64());
                let known = token.and_then(token_key).and_then(|key| self.progress.get_mut(&key));
                if let (Some(progress), Some(value)) = (known, value) {
                    progress.last = Some((value, record.channel));
                    progress.rate.note(record.at);
                }
            }
            Some("notifications/message") => self.log_messages.note(record.at),
            Some("notifications/cancelled") => {
                if let Some(id) = params.and_then(|params| params.get("requestId")).map(id_of)
                    && self.withdrawn.len() < KEPT
                {
                    self.withdrawn.entry(id).or_insert(record.at);
                }
            }
            Some("notifications/tasks/status") => self.note_task(params, record.at),
            Some(method) => {
                if let Some((_, list, ..)) = LISTS.iter().find(|(notice, ..)| *notice == method) {
                    let times = self.announced.entry(list).or_default();
                    if times.len() < KEPT {
                        times.push(record.at);
                    }
                }
            }
            None => {}
        }
    }

    /// Takes in a response of the server to a request of ours.
    pub(super) fn note_response(&mut self, record: &Record, asked: &Asked, message: &Message) {
        if let Some(progress) =
            asked.progress_token().and_then(token_key).and_then(|key| self.progress.get_mut(&key))
            && progress.requests.last() == Some(&asked.id)
        {
            progress.answered = Some((record.at, record.channel));
            let task = message.result().and_then(|result| {
                result.pointer("/task/taskId").or_else(|| {
                    result
                        .get("taskId")
                        .filter(|_| result.get("resultType").is_some_and(|kind| kind == "task"))
                })
            });
            progress.task = task.and_then(Value::as_str).map(str::to_owned);
        }
        if self.logging.remove(&asked.id).is_some() {
            self.logging_ended = Some(record.at);
        }
        if let Some(level) = self.levels_asked.remove(&asked.id)
            && message.result().is_some()
        {
            self.level = Some((level, record.seq));
        }
        if let Some(subscription) = self.subscriptions.get_mut(&asked.id) {
            subscription.answered.get_or_insert(record.at);
            subscription.spoke |= message.result().is_some();
        }
        if matches!(asked.method.as_str(), "tasks/get" | "tasks/cancel") {
            self.note_task(message.result(), record.at);
        }
        let Some(result) = message.result() else { return };
        if asked.method == "initialize" {
            // What a list holds may depend on the revision: after a handshake it is another one.
            self.lists.clear();
            self.walks.clear();
        }
        self.note_list(record, asked, result);
        let uri = asked.message.params().and_then(|params| params.get("uri")?.as_str());
        match (asked.method.as_str(), uri) {
            ("resources/subscribe", Some(uri)) => drop(self.resources.insert(uri.to_owned(), None)),
            ("resources/unsubscribe", Some(uri)) => {
                self.resources.entry(uri.to_owned()).and_modify(|ended| *ended = Some(record.at));
            }
            _ => {}
        }
    }

    fn note_list(&mut self, record: &Record, asked: &Asked, result: &Value) {
        let Some((_, method, member, key)) = LISTS.iter().find(|(_, method, ..)| *method == asked.method)
        else {
            return;
        };
        let cursor = asked.message.params().and_then(|params| params.get("cursor")?.as_str());
        let Some(entries) = result.get(*member).and_then(Value::as_array) else { return };
        // Page by page: a page that does not go on from the one before belongs to no walk.
        let mut walk = match (cursor, self.walks.remove(*method)) {
            (None, _) => Walk { keys: Vec::new(), asked_at: asked.at, next: String::new() },
            (Some(cursor), Some(walk)) if walk.next == cursor => walk,
            _ => return,
        };
        let name = |entry: &Value| entry.get(*key).and_then(Value::as_str).map(str::to_owned);
        let room = KEPT.saturating_sub(walk.keys.len());
        walk.keys.extend(entries.iter().filter_map(name).take(room));
        if let Some(next) = result.get("nextCursor").and_then(Value::as_str) {
            next.clone_into(&mut walk.next);
            self.walks.insert(method, walk);
            return;
        }
        walk.keys.sort_unstable();
        let mut listed = Listed { keys: walk.keys, asked_at: walk.asked_at, changed: None };
        if let Some(before) = self.lists.get(*method) {
            let change = (before.keys != listed.keys).then_some((before.asked_at, record.seq));
            listed.changed = before.changed.or(change);
        }
        self.lists.insert((*method).to_owned(), listed);
    }

    fn note_task(&mut self, task: Option<&Value>, at: Duration) {
        let Some(task) = task else { return };
        let over =
            matches!(task.get("status").and_then(Value::as_str), Some("completed" | "failed" | "cancelled"));
        if let Some(id) = task.get("taskId").and_then(Value::as_str).filter(|_| over)
            && self.tasks_over.len() < KEPT
        {
            self.tasks_over.entry(id.to_owned()).or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_are_told_apart_by_type_and_value() {
        assert_eq!(token_key(&json!(1)), token_key(&json!(1.0)));
        assert_ne!(token_key(&json!(1)), token_key(&json!("1")));
        assert_ne!(token_key(&json!(1)), token_key(&json!(1.5)));
        assert_eq!(token_key(&json!(null)), None);
    }

    #[test]
    fn a_rate_is_the_most_within_a_second() {
        let mut rate = Rate::default();
        for at in [0, 100, 200, 1100, 1150, 1200, 1250] {
            rate.note(Duration::from_millis(at));
        }
        assert_eq!((rate.count, rate.most), (7, 4));
    }
}
