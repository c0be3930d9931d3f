//! Tasks and who may see them: those of one client are none of another's (basic/utilities/tasks#security-considerations; in
//! the tasks extension of 2026-07-28 security-considerations).

use super::door::{Shown, bearing, other_tokens, show};
use super::extension_tasks::{declared, producer};
use super::http_origin::first_request;
use super::probe::probes;
use super::task::{TTL, task_of};
use super::{Solo, breach};
use crate::client::{Conversation, HttpEdits, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Era, Revision, Transport};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

probes! {
    /// Where the user gave credentials (`Authorization`): begins a task with them, and asks for it, its result and the list
    /// of tasks without, and cancels it so; and where there is a token of another principal, again with that, in a session
    /// of its own. All of that is refused: who has no part in the context of a task has none in the task. In 2026-07-28 the
    /// other principal listens to a task, too, which is cancelled then: of its new status nothing comes to them.
    tasks_belong_to_who_began_them (Alone, Both, Any) decides [
        "tasks.isolation.bound", "tasks.isolation.foreign-refused", "tasks.isolation.list-own",
        "extension-tasks.task.authorized-per-request",
    ];
}

const BOUND: &str = "tasks.isolation.bound";
const FOREIGN: &str = "tasks.isolation.foreign-refused";
const LIST: &str = "tasks.isolation.list-own";
const EXTENSION: &str = "extension-tasks.task.authorized-per-request";

/// How long an acknowledgement is waited for, and what a task says when it is cancelled.
const PATIENCE: Duration = Duration::from_secs(1);
const BESIDE: Duration = Duration::from_millis(80);
/// How many pages of somebody else's list are looked through.
const MOST_PAGES: usize = 10;

async fn tasks_belong_to_who_began_them(solo: &mut Solo<'_>) {
    let rows: &[&'static str] = match solo.revision {
        Revision::V2025_11_25 => &[BOUND, FOREIGN, LIST],
        Revision::V2026_07_28 => &[EXTENSION],
        _ => return,
    };
    if solo.opener.binding().transport() == Transport::Stdio {
        let why = "over STDIO there is one caller, who started the process";
        return leave_open(solo, rows, "one-caller", why);
    }
    if !bearing(solo).known {
        let why =
            "it takes credentials, so that there is a caller with and one without: --bearer-env or --header";
        return leave_open(solo, rows, "one-caller", why);
    }
    let Some(mut opened) = solo.begin(solo.revision, rows).await else { return };
    match begin(solo, &mut opened.talk).await {
        Some(id) => {
            intrude(solo, &mut opened.talk, &id, &Stranger::default()).await;
            if let Some(stranger) = another(solo, &mut opened.talk).await {
                intrude(solo, &mut opened.talk, &id, &stranger).await;
                if solo.revision.era() == Era::Modern {
                    overhear(solo, &mut opened.talk, &stranger).await;
                }
            }
        }
        None => leave_open(solo, rows, "no-task", "no tool that may be called became a task"),
    }
    solo.close(opened).await;
}

fn leave_open(solo: &mut Solo<'_>, rows: &[&'static str], code: &str, text: &str) {
    for id in rows {
        solo.judge.undecided(id, code, text);
    }
}

/// A task of the client with credentials.
async fn begin(solo: &mut Solo<'_>, talk: &mut Conversation) -> Option<String> {
    let known = solo.known().await;
    if solo.revision.era() == Era::Modern {
        return producer(talk, &known.offer, solo.settings).await.map(|(_, id)| id);
    }
    let tools = known.offer.tools.iter().filter(|tool| {
        let support = tool.pointer("/execution/taskSupport").and_then(Value::as_str);
        matches!(support, Some("optional" | "required")) && solo.settings.safety.may_call(tool).is_ok()
    });
    for tool in tools.take(3) {
        let Some(call) = known.offer.calls.iter().find(|call| tool["name"] == call.tool.as_str()) else {
            continue;
        };
        let params = json!({"name": call.tool, "arguments": call.arguments, "task": {"ttl": TTL}});
        let reply = talk.request("tools/call", params).await;
        if let Some(id) = task_of(&reply) {
            return Some(id);
        }
    }
    None
}

/// Somebody whose task it is not: nobody in particular, or another principal.
#[derive(Default)]
pub(super) struct Stranger {
    /// Their token.
    token: Option<String>,
    /// A session of their own, or none.
    session: HttpEdits,
}

impl Stranger {
    /// What a finding calls them.
    fn described(&self) -> &'static str {
        if self.token.is_some() { "for another principal" } else { "without credentials" }
    }

    pub(super) async fn sends(
        &self,
        solo: &Solo<'_>,
        talk: &mut Conversation,
        outgoing: Outgoing,
    ) -> (Ticket, Reply) {
        let shown = self.token.as_deref().map_or(Shown::Nothing, Shown::Token);
        show(talk, solo.name, outgoing.http(self.session.clone()), &shown).await
    }

    /// Sends a request whose answer stays open, and waits for nothing.
    pub(super) async fn opens(&self, solo: &Solo<'_>, talk: &mut Conversation, outgoing: Outgoing) -> Ticket {
        let edits = self.edits(talk);
        talk.send(outgoing.http(edits).deliberate(solo.name, Taint::Message)).await
    }

    /// Opens the event stream of their session by GET, and waits for nothing.
    pub(super) fn opens_stream(&self, solo: &Solo<'_>, talk: &mut Conversation) -> Ticket {
        let edits = self.edits(talk);
        talk.get_stream(None, &Outgoing::bytes("").http(edits).deliberate(solo.name, Taint::Message))
    }

    fn edits(&self, talk: &Conversation) -> HttpEdits {
        let shown = self.token.as_deref().map_or(Shown::Nothing, Shown::Token);
        shown.edits(&talk.bearing(), HttpEdits { fresh_connection: true, ..self.session.clone() })
    }
}

/// Another principal whom the server lets in.
pub(super) async fn another(solo: &Solo<'_>, talk: &mut Conversation) -> Option<Stranger> {
    for token in other_tokens(solo).await {
        if let Some(stranger) = let_in(solo, talk, token).await {
            return Some(stranger);
        }
    }
    None
}

/// All other principals whom the server lets in.
pub(super) async fn others(solo: &Solo<'_>, talk: &mut Conversation) -> Vec<Stranger> {
    let mut strangers = Vec::new();
    for token in other_tokens(solo).await {
        strangers.extend(let_in(solo, talk, token).await);
    }
    strangers
}

/// A principal, if the server lets them in; in the legacy era with a session, which ends with that of the caller.
async fn let_in(solo: &Solo<'_>, talk: &mut Conversation, token: String) -> Option<Stranger> {
    let mut stranger = Stranger { token: Some(token), session: HttpEdits::default() };
    if solo.revision.era() == Era::Legacy {
        let first = first_request(talk, solo.revision);
        let outside = Stranger {
            session: HttpEdits::default().without("Mcp-Session-Id"),
            token: stranger.token.clone(),
        };
        let (_, reply) = outside.sends(solo, talk, first).await;
        reply.result()?;
        let session = reply.http().and_then(|head| {
            let (_, id) =
                head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id"))?;
            Some(id.clone())
        });
        stranger.session = match session {
            Some(id) => HttpEdits::default().set("Mcp-Session-Id", id),
            None => outside.session,
        };
        let ready = Outgoing::notification("notifications/initialized", None);
        stranger.sends(solo, talk, ready).await;
    }
    let listing = talk.compose("tools/list", json!({}));
    let (_, listed) = stranger.sends(solo, talk, listing).await;
    listed.result().map(|_| stranger)
}

/// Lets another principal listen to a task that its owner cancels (2026-07-28).
async fn overhear(solo: &mut Solo<'_>, talk: &mut Conversation, stranger: &Stranger) {
    let Some(id) = begin(solo, talk).await else { return };
    let outgoing =
        talk.compose("subscriptions/listen", declared(json!({"notifications": {"taskIds": [id]}})));
    let stream = stranger.opens(solo, talk, outgoing).await;
    let heard = |talk: &mut Conversation| {
        let mut heard = talk.heard_since(stream.since);
        heard.retain(|heard| heard.record.channel == stream.channel);
        heard
    };
    let deadline = Instant::now() + PATIENCE;
    while heard(talk).is_empty() && talk.ended(&stream).is_none() && Instant::now() < deadline {
        talk.idle(BESIDE / 4).await;
    }
    talk.request("tasks/cancel", declared(json!({"taskId": id}))).await;
    talk.idle(BESIDE).await;
    let told = heard(talk).into_iter().find(|heard| {
        let of = heard.message.params().and_then(|params| params.get("taskId"));
        heard.message.method() == Some("notifications/tasks") && of.is_some_and(|of| *of == id.as_str())
    });
    if let Some(told) = told {
        let text = "the status of a task was told to another principal, who listened to it";
        // Whether to listen is a request about the task, the sentence does not say.
        let seen = Breach::new("listened", text).quality().expected(&["a refusal, or no notifications"]);
        let seen = seen.actual("`notifications/tasks` with the id of the task").at(&told.record);
        solo.judge
            .broke(EXTENSION, seen.pointer("/params/taskId").sent(stream.since).sent_on(stream.channel));
    }
    talk.abort(&stream).await;
}

async fn intrude(solo: &mut Solo<'_>, talk: &mut Conversation, id: &str, stranger: &Stranger) {
    let modern = solo.revision.era() == Era::Modern;
    let row = if modern { EXTENSION } else { FOREIGN };
    let last = if modern { "tasks/update" } else { "tasks/result" };
    for method in ["tasks/get", last, "tasks/cancel"] {
        let compose = |talk: &mut Conversation, id: &str| {
            let params = match method {
                "tasks/update" => json!({"taskId": id, "inputResponses": {}}),
                _ => json!({"taskId": id}),
            };
            talk.compose(method, if modern { declared(params) } else { params })
        };
        let outgoing = compose(talk, id);
        let (ticket, reply) = stranger.sends(solo, talk, outgoing).await;
        if reply.is_refusal() {
            solo.judge.held(row);
            if !modern {
                solo.judge.held(BOUND);
            }
        } else if reply.result().is_some() {
            // Where tasks that are not there are served alike, this tells nothing.
            let outgoing = compose(talk, "mcprove-no-such-task");
            if stranger.sends(solo, talk, outgoing).await.1.result().is_some() {
                continue;
            }
            let text = format!("`{method}` is served {} for a task of somebody else", stranger.described());
            let seen = breach("foreign", text, &ticket, &reply).expected(&["a refusal"]);
            if !modern {
                solo.judge.broke(BOUND, seen.clone().see(FOREIGN));
            }
            solo.judge.broke(row, seen);
        }
    }
    let lists = !modern && talk.handshake().is_some_and(|handshake| handshake.declares("tasks/list"));
    if !lists {
        return solo.judge.not_applicable(LIST, "not-declared", "the server does not declare `tasks.list`");
    }
    let mut params = json!({});
    for _ in 0..MOST_PAGES {
        let outgoing = talk.compose("tasks/list", params);
        let (ticket, reply) = stranger.sends(solo, talk, outgoing).await;
        let tasks = reply.result().and_then(|result| result.get("tasks")?.as_array());
        if tasks.is_some_and(|tasks| tasks.iter().any(|task| task["taskId"] == id)) {
            let text = format!("a task of somebody else is listed {}", stranger.described());
            let seen = breach("foreign", text, &ticket, &reply)
                .expected(&["a refusal, or other tasks"])
                .pointer("/result/tasks");
            solo.judge.broke(BOUND, seen.clone().see(LIST));
            return solo.judge.broke(LIST, seen);
        }
        match reply.result().map(|result| result.get("nextCursor").and_then(Value::as_str)) {
            Some(Some(cursor)) => params = json!({"cursor": cursor}),
            Some(None) => return solo.judge.held(LIST),
            None if reply.is_refusal() => return solo.judge.held(LIST),
            None => return,
        }
    }
}
