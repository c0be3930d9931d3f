//! What is known of tasks (2025-11-25, basic/utilities/tasks; 2026-07-28, the tasks extension): which there are, what made
//! them, and what became of each.

use super::{Asked, Breach};
use crate::protocol::{Id, Kind, Message};
use crate::transcript::Record;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How many tasks, and how many questions of one task, are kept.
const KEPT: usize = 2000;
const KEYS_KEPT: usize = 200;

/// The extension of 2026-07-28.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// The key of `_meta` that names the task that a message belongs to (2025-11-25).
pub const RELATED: &str = "io.modelcontextprotocol/related-task";
/// The statuses from which a task never changes.
pub(super) const TERMINAL: [&str; 3] = ["completed", "failed", "cancelled"];
/// All statuses.
pub(super) const STATUSES: [&str; 5] = ["working", "input_required", "completed", "failed", "cancelled"];

/// Where a message shows a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the answer to the call that became the task.
    Created,
    /// In the answer to `tasks/get`.
    Got,
    /// In the answer to `tasks/cancel` (2025-11-25).
    Cancelled,
    /// On a page of `tasks/list` (2025-11-25).
    Listed,
    /// In a notification of its status.
    Told,
}

/// A task as a message shows it.
pub(super) struct Shown<'a> {
    /// Where.
    pub(super) place: Place,
    /// Its members; with a result's own ones where it is flat.
    pub(super) task: &'a Map<String, Value>,
    /// The JSON pointer of it in the message.
    pub(super) at: String,
    /// The request that is answered, if one is.
    pub(super) asked: Option<&'a Asked>,
}

impl Shown<'_> {
    /// A member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.task.get(name)?.as_str()
    }

    /// Its id.
    pub(super) fn id(&self) -> Option<&str> {
        self.text("taskId")
    }

    /// Its status.
    pub(super) fn status(&self) -> Option<&str> {
        self.text("status")
    }

    /// Whether its status is final.
    pub(super) fn is_over(&self) -> bool {
        self.status().is_some_and(is_terminal)
    }

    /// A breach about one of its members.
    pub(super) fn breach(
        &self,
        record: &Record,
        class: &str,
        member: &str,
        message: impl Into<String>,
    ) -> Breach {
        let pointer = if member.is_empty() { self.at.clone() } else { format!("{}/{member}", self.at) };
        let breach = Breach::new(class, message).at(record).pointer(pointer);
        match self.asked {
            Some(asked) => breach.sent(asked.seq),
            None => breach,
        }
    }
}

/// Whether a status is final.
pub fn is_terminal(status: &str) -> bool {
    TERMINAL.contains(&status)
}

/// The tasks that a message shows, with the request that it answers.
pub(super) fn shown<'a>(message: &'a Message, asked: Option<&'a Asked>) -> Vec<Shown<'a>> {
    let one = |place, task: Option<&'a Value>, at: &str| {
        let task = task.and_then(Value::as_object);
        task.map(|task| Shown { place, task, at: at.to_owned(), asked }).into_iter().collect()
    };
    if *message.kind() == Kind::Notification {
        return match message.method() {
            Some("notifications/tasks/status" | "notifications/tasks") => {
                one(Place::Told, message.params(), "/params")
            }
            _ => Vec::new(),
        };
    }
    let (Some(asked), Some(result)) = (asked.filter(|asked| asked.responses == 0), message.result()) else {
        return Vec::new();
    };
    let modern = asked.meta_version().is_some();
    match asked.method.as_str() {
        "tasks/get" => one(Place::Got, Some(result), "/result"),
        "tasks/cancel" if !modern => one(Place::Cancelled, Some(result), "/result"),
        "tasks/list" if !modern => {
            let tasks = result.get("tasks").and_then(Value::as_array);
            let of = |(at, task): (usize, &'a Value)| {
                let task = task.as_object()?;
                Some(Shown {
                    place: Place::Listed,
                    task,
                    at: format!("/result/tasks/{at}"),
                    asked: Some(asked),
                })
            };
            tasks.into_iter().flatten().enumerate().filter_map(of).collect()
        }
        "tools/call" if modern => {
            let is_task = result["resultType"] == "task"
                || (result.get("taskId").is_some() && result.get("status").is_some());
            if is_task { one(Place::Created, Some(result), "/result") } else { Vec::new() }
        }
        "tools/call" if asked.augmented() => one(Place::Created, result.get("task"), "/result/task"),
        _ => Vec::new(),
    }
}

impl Asked {
    /// Whether the request asks to become a task (2025-11-25).
    pub(super) fn augmented(&self) -> bool {
        self.meta_version().is_none()
            && self.message.params().is_some_and(|params| params.get("task").is_some_and(Value::is_object))
    }

    /// Whether the request declares the tasks extension (2026-07-28).
    pub(super) fn declares_tasks(&self) -> bool {
        self.client_capabilities()
            .and_then(|capabilities| capabilities.get("extensions")?.get(EXTENSION))
            .is_some_and(Value::is_object)
    }

    /// The capabilities that the request declares (2026-07-28).
    pub(super) fn client_capabilities(&self) -> Option<&Value> {
        self.message.params()?.get("_meta")?.get("io.modelcontextprotocol/clientCapabilities")
    }

    /// A string among its parameters.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.message.params()?.get(name)?.as_str()
    }
}

/// The task that a message says to belong to (2025-11-25): the value in its `_meta`.
pub(super) fn related(meta_holder: Option<&Value>) -> Option<&Value> {
    meta_holder?.get("_meta")?.get(RELATED)
}

/// When a text of ISO 8601 is; `None` where it is none. Whether it lacks the offset that RFC 3339 demands comes with it.
pub fn timestamp(text: &str) -> Option<(Timestamp, bool)> {
    let has_time = text.len() >= 19 && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    if !has_time {
        return None;
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, false));
    }
    let naive = text.parse::<jiff::civil::DateTime>().ok()?;
    naive.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| (zoned.timestamp(), true))
}

/// The end of a task, as it was first seen.
#[derive(Debug, Clone)]
pub struct Over {
    /// The terminal status.
    pub status: String,
    /// The event that showed it.
    pub seq: u64,
    /// When.
    pub at: Duration,
}

/// What `tasks/result` was answered with (2025-11-25).
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Whether it was a result with `isError`; `None` for a JSON-RPC error.
    pub is_error: Option<bool>,
    /// Code and message of the JSON-RPC error.
    pub error: Option<(Option<i64>, String)>,
    /// The event.
    pub seq: u64,
    /// The event that asked for it.
    pub asked: u64,
}

/// A question of a task (2026-07-28).
#[derive(Debug, Clone)]
pub struct Question {
    /// The request as it was first seen.
    pub request: Value,
    /// Whether a response to it was delivered.
    pub answered: bool,
}

/// What is known of a task.
#[derive(Debug, Default)]
pub struct Known {
    /// The request that became it.
    pub created_by: Option<Id>,
    /// When it was first seen.
    pub seen_at: Duration,
    /// How often it was seen.
    pub sightings: u32,
    /// Its last status, and the event that showed it.
    pub status: Option<(String, u64)>,
    /// Its end.
    pub over: Option<Over>,
    /// Its `createdAt`, as first seen.
    pub created: Option<String>,
    /// Its `lastUpdatedAt`, as last seen, and the event.
    pub updated: Option<(String, u64)>,
    /// Its `statusMessage`, as last seen.
    pub message: Option<String>,
    /// Its time to live in milliseconds, as last seen.
    pub ttl: Option<f64>,
    /// What `tasks/result` was last answered with.
    pub outcome: Option<Outcome>,
    /// The result that came with its completion (2026-07-28).
    pub result: Option<Value>,
    /// Its questions so far, by their keys (2026-07-28).
    pub questions: HashMap<String, Question>,
    /// When `tasks/cancel` was accepted.
    pub cancelled: Option<Duration>,
}

impl Known {
    /// Whether its time is over, or nearly, so that it may be gone.
    pub fn may_be_gone(&self, now: Duration) -> bool {
        self.ttl.is_some_and(|ttl| now.saturating_sub(self.seen_at).as_secs_f64() * 1000.0 + 50.0 >= ttl)
    }
}

/// A question that the server asked for a task in a request of its own (2025-11-25).
#[derive(Debug)]
pub struct Asking {
    /// The task that it names.
    pub task: String,
    /// The event.
    pub seq: u64,
    /// Whether it is open no longer: we answered, or the server withdrew it.
    pub settled: bool,
}

/// The tasks of a conversation.
#[derive(Debug, Default)]
pub struct TaskLog {
    tasks: HashMap<String, Known>,
    /// The tools whose calls became tasks.
    pub producers: HashSet<String>,
    /// Ids that notifications of a status named before any answer did, with the event.
    pub told: HashMap<String, u64>,
    /// Questions for tasks, by the id of their request.
    pub asking: HashMap<Id, Asking>,
}

impl TaskLog {
    /// A task that was seen.
    pub fn get(&self, id: &str) -> Option<&Known> {
        self.tasks.get(id)
    }

    /// All tasks that were seen, with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Known)> {
        self.tasks.iter().map(|(id, known)| (id.as_str(), known))
    }

    /// Whether a task that was created here is not known to be over.
    pub fn any_running(&self) -> bool {
        self.tasks.values().any(|known| known.over.is_none())
    }

    /// The task that a request became.
    pub fn made_by(&self, id: &Id) -> Option<(&str, &Known)> {
        self.iter().find(|(_, known)| known.created_by.as_ref() == Some(id))
    }

    /// Takes in an answer of ours.
    pub(super) fn note_answer(&mut self, id: &Id) {
        if let Some(asking) = self.asking.get_mut(id) {
            asking.settled = true;
        }
    }

    fn note_asking(&mut self, record: &Record, message: &Message) {
        let task = related(message.params()).and_then(|related| related.get("taskId")?.as_str());
        if let (Some(task), Some(id)) = (task, message.id())
            && self.asking.len() < KEPT
        {
            let asking = Asking { task: task.to_owned(), seq: record.seq, settled: false };
            self.asking.insert(id.clone(), asking);
        }
    }

    /// Takes in a message of the server.
    pub(super) fn note(&mut self, record: &Record, message: &Message, asked: Option<&Asked>) {
        for shown in shown(message, asked) {
            self.note_shown(record, &shown);
        }
        match (message.kind(), message.method()) {
            (Kind::Request, _) => self.note_asking(record, message),
            (Kind::Notification, Some("notifications/cancelled")) => {
                if let Some(id) = message.params().and_then(|params| params.get("requestId")) {
                    self.note_answer(&Id::from_json(&id.to_string(), id));
                }
            }
            _ => {}
        }
        let Some(asked) = asked.filter(|asked| asked.responses == 0) else { return };
        let Some(known) = asked.param("taskId").and_then(|id| self.tasks.get_mut(id)) else { return };
        match asked.method.as_str() {
            "tasks/result" => {
                let error = message.error().map(|error| {
                    let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
                    (message.error_code(), text.chars().take(500).collect())
                });
                let is_error = message.result().map(|result| result["isError"] == true);
                known.outcome = Some(Outcome { is_error, error, seq: record.seq, asked: asked.seq });
            }
            "tasks/cancel" if message.result().is_some() => {
                known.cancelled.get_or_insert(record.at);
            }
            "tasks/update" if message.result().is_some() => {
                let responses =
                    asked.message.params().and_then(|params| params.get("inputResponses")?.as_object());
                for key in responses.into_iter().flat_map(Map::keys) {
                    if let Some(question) = known.questions.get_mut(key) {
                        question.answered = true;
                    }
                }
            }
            _ => {}
        }
    }

    fn note_shown(&mut self, record: &Record, shown: &Shown<'_>) {
        let Some(id) = shown.id() else { return };
        if shown.place == Place::Told && !self.tasks.contains_key(id) {
            // Whose it is shows when a call is answered with it: the notification may have come first.
            if self.told.len() < KEPT {
                self.told.entry(id.to_owned()).or_insert(record.seq);
            }
            return;
        }
        if !self.tasks.contains_key(id) && self.tasks.len() >= KEPT {
            return;
        }
        let known = self.tasks.entry(id.to_owned()).or_default();
        if known.sightings == 0 {
            known.seen_at = shown.asked.map_or(record.at, |asked| asked.at);
        }
        known.sightings += 1;
        if let Some(asked) = shown.asked.filter(|_| shown.place == Place::Created) {
            known.created_by.get_or_insert_with(|| asked.id.clone());
            if let Some(name) = asked.param("name").filter(|_| self.producers.len() < KEPT) {
                self.producers.insert(name.to_owned());
            }
        }
        if known.created.is_none() {
            known.created = shown.text("createdAt").map(str::to_owned);
        }
        known.updated =
            shown.text("lastUpdatedAt").map(|text| (text.to_owned(), record.seq)).or(known.updated.take());
        known.message = shown.text("statusMessage").map(str::to_owned);
        let ttl = shown.task.get("ttl").or(shown.task.get("ttlMs"));
        known.ttl = ttl.map_or(known.ttl, Value::as_f64);
        if let Some(status) = shown.status() {
            known.status = Some((status.to_owned(), record.seq));
            if is_terminal(status) && known.over.is_none() {
                known.over = Some(Over { status: status.to_owned(), seq: record.seq, at: record.at });
            }
        }
        if let Some(result) = shown.task.get("result").filter(|_| known.result.is_none()) {
            known.result = Some(result.clone());
        }
        let requests = shown.task.get("inputRequests").and_then(Value::as_object);
        for (key, request) in requests.into_iter().flatten() {
            if known.questions.len() < KEYS_KEPT {
                let question = || Question { request: request.clone(), answered: false };
                known.questions.entry(key.clone()).or_insert_with(question);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_iso_8601() {
        for good in ["2025-11-25T10:30:00Z", "2025-11-25T10:30:00.123456+02:00", "2025-11-25t10:30:00z"] {
            assert_eq!(timestamp(good).map(|(_, naive)| naive), Some(false), "{good}");
        }
        assert!(timestamp("2025-11-25T10:30:00").is_some_and(|(_, naive)| naive));
        for bad in
            ["", "today", "2025-11-25", "1732530600000", "25/11/2025 10:30:00 a.m.", "2025-13-25T10:30:00Z"]
        {
            assert!(timestamp(bad).is_none(), "{bad}");
        }
    }
}
