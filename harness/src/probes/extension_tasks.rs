//! The tasks extension of 2026-07-28 as a good client uses it: calls that declare it, and the tasks that come of them.

use super::asking::call_params;
use super::probe::probes;
use super::subscriptions::{Opened, end, listen, opened};
use super::task::{LOOK, slow_arguments, status_of, task_of};
use super::{Call, Offer, Settings, Stage, breach};
use crate::client::{Answering, Conversation, Reply, Ticket, capabilities, mrtr};
use crate::monitors::{TASKS_EXTENSION, is_terminal};
use crate::protocol::{Revision, Transport};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How many calls are tried for the tasks that they may become.
const MOST_CALLS: usize = 40;
/// How many tasks are followed.
const MOST_TASKS: usize = 12;
/// How long tasks are followed in all.
const COURSE: Duration = Duration::from_secs(3);
/// How long a call is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often one task is answered.
const MOST_ANSWERS: u32 = 5;
/// How long a notification may take that must not have cancelled anything.
const AFTER_NOTIFICATION: Duration = Duration::from_millis(120);
/// How long a notification of a status may take.
const NEWS: Duration = Duration::from_millis(300);

pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

probes! {
    /// Repeats the calls of the tour with the extension declared. Those that become tasks are asked for at once, followed
    /// to their end by `tasks/get`, and given by `tasks/update` what they ask for; keys that nothing was asked under are
    /// ignored. The first task that waits is followed by a subscription, too. The monitors judge what comes.
    declared_calls_become_tasks (Breaking, Modern, Any) decides [
        "extension-tasks.create.durable-before-return", "extension-tasks.update.stale-keys-ignored",
        "extension-tasks.create.result-type", "extension-tasks.create.result-type-only-there",
        "extension-tasks.create.input-before-task", "extension-tasks.task.shape", "extension-tasks.task.status-values",
        "extension-tasks.task.timestamps", "extension-tasks.task.terminal-final", "extension-tasks.task.transitions",
        "extension-tasks.task.failed-only-for-errors", "extension-tasks.task.failed-message",
        "extension-tasks.task.id-unguessable", "extension-tasks.get.result-complete",
        "extension-tasks.get.status-faithful", "extension-tasks.get.input-requests",
        "extension-tasks.get.completed-result", "extension-tasks.get.failed-error", "extension-tasks.input.keys-unique",
        "extension-tasks.input.keys-not-reused", "extension-tasks.update.ack-empty",
        "extension-tasks.update.result-complete", "extension-tasks.notify.full-task",
        "extension-tasks.notify.ack-task-ids", "extension-tasks.notify.no-progress-or-log", "extension-tasks.advertised",
        "robustness.request.no-hang",
    ];
    /// Cancels a task that runs or waits by `tasks/cancel`. Over STDIO it first cancels the request that began another one
    /// by `notifications/cancelled`: that request was answered, and the task goes on.
    extension_tasks_can_be_cancelled (Breaking, Modern, Any) decides [
        "extension-tasks.cancel.ack-empty", "extension-tasks.cancel.result-complete",
        "extension-tasks.cancel.not-by-notification",
    ];
    /// Repeats calls that became tasks and asked for something, as a client that declares the extension and nothing to ask
    /// for.
    tasks_of_bare_clients_ask_nothing (Breaking, Modern, Any) decides ["extension-tasks.input.declared-only"];
}

/// The capabilities of the harness, and the extension.
fn with_extension() -> Value {
    let mut own = capabilities(Revision::V2026_07_28);
    own["extensions"] = json!({TASKS_EXTENSION: {}});
    own
}

/// Parameters of a request that declares the extension.
pub(super) fn declared(params: Value) -> Value {
    declaring(params, with_extension())
}

/// Parameters of a request that declares these capabilities.
pub(super) fn declaring(mut params: Value, capabilities: Value) -> Value {
    params["_meta"][CLIENT_CAPABILITIES] = capabilities;
    params
}

/// Whether the server advertises the extension.
pub(super) fn advertised(stage: &Stage<'_>) -> bool {
    stage.declares(&format!("extensions/{}", TASKS_EXTENSION.replace('/', "~1")))
}

/// The first call that becomes a task for a client that declares the extension, and the id of the task.
pub(super) async fn producer(
    talk: &mut Conversation,
    offer: &Offer,
    settings: &Settings,
) -> Option<(Call, String)> {
    let may = |call: &&Call| {
        let tool = offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| settings.safety.may_call(tool).is_ok())
    };
    for call in offer.calls.iter().filter(may).take(MOST_CALLS) {
        let outgoing = offer.compose_call(talk, declared(call_params(call)));
        let ticket = talk.send(outgoing).await;
        let reply = talk.reply_within(&ticket, PATIENCE).await;
        if let Some(id) = task_of(&reply) {
            return Some((call.clone(), id));
        }
    }
    None
}

/// Finds out which calls become tasks, where the probe that follows them did not run.
pub(super) async fn know_task_tools(stage: &mut Stage<'_>) {
    if !stage.offer.task_tools.is_empty() {
        return;
    }
    let calls = calls(stage);
    let mut tickets = Vec::new();
    for call in &calls {
        let outgoing = stage.compose_call(declared(call_params(call)));
        tickets.push(stage.talk.send(outgoing).await);
    }
    for (call, ticket) in calls.iter().zip(tickets) {
        let reply = stage.talk.reply_within(&ticket, PATIENCE).await;
        if let Some(id) = task_of(&reply) {
            stage.offer.task_tools.push(call.tool.clone());
            stage.with_tasks("tasks/cancel", json!({"taskId": id})).await;
        }
    }
}

/// A task that is followed.
struct Running {
    id: String,
    status: String,
    answers: u32,
}

impl Stage<'_> {
    /// A request that declares the extension, and its answer.
    pub(super) async fn with_tasks(&mut self, method: &str, params: Value) -> (Ticket, Reply) {
        self.request(method, declared(params)).await
    }

    /// Calls a tool with the extension declared and waits for the answer; demands for input are met.
    async fn call_with_tasks(&mut self, params: Value) -> (Ticket, Reply) {
        let mut params = declared(params);
        let mut sent = self.call_once(params.clone(), None).await;
        for _ in 0..MOST_ANSWERS {
            let Some(result) = sent.1.result().filter(|result| mrtr::demands_input(result)).cloned() else {
                break;
            };
            params = mrtr::retry(&params, &result);
            sent = self.call_once(params.clone(), None).await;
        }
        sent
    }
}

/// The calls of the tour, those first that are known to become tasks.
fn calls(stage: &Stage<'_>) -> Vec<Call> {
    let mut calls = stage.offer.calls.clone();
    calls.sort_by_key(|call| !stage.offer.task_tools.contains(&call.tool));
    calls.truncate(MOST_CALLS);
    calls
}

async fn declared_calls_become_tasks(stage: &mut Stage<'_>) {
    if !advertised(stage) {
        return;
    }
    let calls = calls(stage);
    let mut tickets = Vec::new();
    for call in &calls {
        let outgoing = stage.compose_call(declared(call_params(call)));
        tickets.push(stage.talk.send(outgoing).await);
    }
    let mut running = Vec::new();
    for (call, ticket) in calls.iter().zip(tickets) {
        let mut reply = stage.talk.reply_within(&ticket, PATIENCE).await;
        if let Some(result) = reply.result().filter(|result| mrtr::demands_input(result)) {
            // What it asks for first may make a task of it in the end.
            let params = mrtr::retry(&declared(call_params(call)), result);
            reply = stage.call_with_tasks(params).await.1;
        }
        judge_silence(stage, call, &ticket, &reply);
        let Some(id) = task_of(&reply) else { continue };
        stage.offer.task_tools.push(call.tool.clone());
        if running.len() < MOST_TASKS {
            let status = at_once(stage, &id).await;
            running.push(Running { id, status, answers: 0 });
        }
    }
    if running.is_empty() {
        let text = "no call became a task, although the extension was declared";
        return stage.leave_open(PROBES[0].decides, "no-task", text);
    }
    // Others were waited for meanwhile: once more, and asked for at once.
    let again = calls.iter().find(|call| stage.offer.task_tools.contains(&call.tool)).map(call_params);
    if let Some(params) = again
        && let Some(id) = task_of(&stage.call_with_tasks(params).await.1)
    {
        let status = at_once(stage, &id).await;
        running.push(Running { id, status, answers: 0 });
    }
    follow(stage, &mut running).await;
    // What is over stays as it is.
    stage.talk.idle(NEWS / 2).await;
    for task in running.iter().filter(|task| is_terminal(&task.status)) {
        stage.with_tasks("tasks/get", json!({"taskId": task.id})).await;
    }
}

/// A call that is answered at once where the extension is not declared is answered where it is: with a task, for one.
fn judge_silence(stage: &mut Stage<'_>, call: &Call, ticket: &Ticket, reply: &Reply) {
    let quick = call.result.is_some() && call.took < PATIENCE / 10;
    if quick && matches!(reply, Reply::Silence(_)) {
        let text = format!("nothing came for a call of `{}` with the tasks extension declared", call.tool);
        let seen = breach("silent-call", text, ticket, reply).quality();
        stage.judge.broke("robustness.request.no-hang", seen.expected(&["a task, or the result"]));
    }
}

/// Asks for a task as soon as it is known; its status.
async fn at_once(stage: &mut Stage<'_>, id: &str) -> String {
    const ID: &str = "extension-tasks.create.durable-before-return";
    let (ticket, reply) = stage.with_tasks("tasks/get", json!({"taskId": id})).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach("not-there", "a task that was just returned cannot be found", &ticket, &reply)
                .expected(&["the task"])
                .pointer("/error"),
        ),
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
    status_of(&reply).unwrap_or("completed").to_owned()
}

/// Follows tasks to their end, and gives them what they ask for.
async fn follow(stage: &mut Stage<'_>, running: &mut [Running]) {
    let deadline = Instant::now() + COURSE;
    let mut listened = false;
    while Instant::now() < deadline && running.iter().any(|task| !is_terminal(&task.status)) {
        for task in running.iter_mut().filter(|task| !is_terminal(&task.status)) {
            let (_, reply) = stage.with_tasks("tasks/get", json!({"taskId": task.id})).await;
            status_of(&reply).unwrap_or("completed").clone_into(&mut task.status);
            let requests = reply.result().and_then(|result| result.get("inputRequests")).cloned();
            let Some(requests) = requests.filter(|_| task.status == "input_required") else { continue };
            if task.answers >= MOST_ANSWERS {
                continue;
            }
            task.answers += 1;
            // Until it is answered, the same is asked under the same key.
            stage.with_tasks("tasks/get", json!({"taskId": task.id})).await;
            let first = !std::mem::replace(&mut listened, true);
            let listening = if first { Some(hear_of(stage, &task.id).await) } else { None };
            answer(stage, &task.id, &requests, first).await;
            if let Some(listening) = listening {
                stage.talk.idle(NEWS / 3).await;
                end(stage, &listening).await;
            }
        }
        stage.talk.idle(LOOK).await;
    }
}

/// Subscribes to the status of a task.
async fn hear_of(stage: &mut Stage<'_>, id: &str) -> super::subscriptions::Listening {
    let params = declared(json!({"notifications": {"taskIds": [id]}}));
    let request = stage.talk.fresh_id();
    let listening = listen(stage, &request, params, false).await;
    if let Opened::Nothing | Opened::Answered(_) = opened(stage, &listening).await {
        let rows = ["extension-tasks.notify.full-task", "extension-tasks.notify.no-progress-or-log"];
        stage.leave_open(&rows, "no-subscription", "a subscription to a task was not acknowledged");
    }
    listening
}

/// Answers what a task asks for; `stale` adds keys under which nothing is asked, before and after.
async fn answer(stage: &mut Stage<'_>, id: &str, requests: &Value, stale: bool) {
    if stale {
        let unknown = json!({"mcprove-never-asked": {"action": "decline"}});
        update_stale(stage, id, "a key that nothing was asked under", unknown).await;
    }
    let demand = json!({"inputRequests": requests});
    let filled = mrtr::retry_answering(&json!({}), &demand, &mut Answering::Willing);
    let responses = filled.get("inputResponses").cloned().unwrap_or_else(|| json!({}));
    stage.with_tasks("tasks/update", json!({"taskId": id, "inputResponses": responses})).await;
    if stale {
        update_stale(stage, id, "a key that was answered before", responses).await;
    }
}

async fn update_stale(stage: &mut Stage<'_>, id: &str, what: &str, responses: Value) {
    const ID: &str = "extension-tasks.update.stale-keys-ignored";
    let params = json!({"taskId": id, "inputResponses": responses});
    let (ticket, reply) = stage.with_tasks("tasks/update", params).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach("refused", format!("an answer under {what} is refused"), &ticket, &reply)
                .quality()
                .expected(&["an acknowledgement, and nothing else"])
                .pointer("/error"),
        ),
        _ => {}
    }
}

/// Begins a task that takes a while, by its parameters or because it waits for an answer; its id, and the id of the call.
async fn begin_slow(stage: &mut Stage<'_>) -> Option<(String, Ticket)> {
    let calls = calls(stage);
    let makes_tasks = |call: &&Call| stage.offer.task_tools.contains(&call.tool);
    let slow = calls.iter().filter(makes_tasks).filter_map(|call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str())?;
        let (arguments, total) = slow_arguments(tool.get("inputSchema")?, &call.arguments)?;
        Some((total, json!({"name": call.tool, "arguments": arguments})))
    });
    let slow = slow.max_by_key(|(total, _)| *total).map(|(_, params)| params);
    let asking = calls.iter().filter(makes_tasks).find(|call| call.asked_for_input).map(call_params);
    let params = slow.or(asking).or_else(|| calls.iter().find(makes_tasks).map(call_params))?;
    let (ticket, reply) = stage.call_with_tasks(params).await;
    task_of(&reply).map(|id| (id, ticket))
}

async fn extension_tasks_can_be_cancelled(stage: &mut Stage<'_>) {
    const NOTIFIED: &str = "extension-tasks.cancel.not-by-notification";
    const ROWS: [&str; 3] =
        ["extension-tasks.cancel.ack-empty", "extension-tasks.cancel.result-complete", NOTIFIED];
    if !advertised(stage) {
        return;
    }
    know_task_tools(stage).await;
    let Some((id, call)) = begin_slow(stage).await else {
        return stage.leave_open(&ROWS, "no-task", "no call became a task");
    };
    if stage.transport() == Transport::Http {
        let text = "over HTTP a client that cancels a request closes its connection";
        stage.judge.not_applicable(NOTIFIED, "transport", text);
    } else {
        let request = call.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok());
        stage.talk.notify("notifications/cancelled", json!({"requestId": request})).await;
        stage.talk.idle(AFTER_NOTIFICATION).await;
        let (ticket, reply) = stage.with_tasks("tasks/get", json!({"taskId": id})).await;
        match status_of(&reply) {
            Some("cancelled") => stage.judge.broke(
                NOTIFIED,
                breach(
                    "cancelled",
                    "`notifications/cancelled` for an answered call cancels its task",
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["the task, going on"])
                .actual("status `cancelled`")
                .pointer("/result/status"),
            ),
            Some(_) => stage.judge.held(NOTIFIED),
            None => stage.judge.undecided(NOTIFIED, "no-status", "the task could not be followed"),
        }
    }
    stage.with_tasks("tasks/cancel", json!({"taskId": id})).await;
    stage.with_tasks("tasks/get", json!({"taskId": id})).await;
}

async fn tasks_of_bare_clients_ask_nothing(stage: &mut Stage<'_>) {
    const ID: &str = "extension-tasks.input.declared-only";
    if !advertised(stage) {
        return;
    }
    know_task_tools(stage).await;
    let bare = json!({"extensions": {TASKS_EXTENSION: {}}});
    let makes_tasks = |call: &&Call| stage.offer.task_tools.contains(&call.tool);
    let mut asking: Vec<Call> = stage.offer.calls.iter().filter(makes_tasks).cloned().collect();
    // Some ask before they become a task, others only when they are one.
    asking.sort_by_key(|call| !call.asked_for_input);
    asking.truncate(4);
    if !asking.iter().any(|call| call.asked_for_input) {
        stage.judge.undecided(ID, "no-question", "no call that became a task asked for anything");
    }
    for call in asking {
        let params = declaring(call_params(&call), bare.clone());
        let (_, reply) = stage.call_once(params, None).await;
        let Some(id) = task_of(&reply) else {
            // To refuse, or to do without, is right.
            if matches!(reply, Reply::Error(_)) {
                stage.judge.held(ID);
            }
            continue;
        };
        let deadline = Instant::now() + NEWS;
        loop {
            let get = declaring(json!({"taskId": id}), bare.clone());
            let (_, reply) = stage.request("tasks/get", get).await;
            let done = status_of(&reply).is_none_or(|status| status != "working");
            if done || Instant::now() >= deadline {
                break;
            }
            stage.talk.idle(LOOK).await;
        }
        stage.with_tasks("tasks/cancel", json!({"taskId": id})).await;
    }
}
