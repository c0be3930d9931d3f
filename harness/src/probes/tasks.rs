//! Tasks of 2025-11-25 as a good client makes and follows them (basic/utilities/tasks).

use super::probe::probes;
use super::task::{Able, LOOK, TTL, able, status_of, task_of};
use super::{Stage, breach};
use crate::client::{Reply, Ticket};
use crate::monitors::is_terminal;
use crate::protocol::{Era, Revision};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// How many tools are called as tasks.
const MOST_TOOLS: usize = 12;
/// How long tasks are followed before it is asked what holds them up.
const COURSE: Duration = Duration::from_millis(600);
/// How long the result of a task is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the first progress of a slow task is waited for.
const FIRST_STEP: Duration = Duration::from_millis(450);
/// Work that takes this long can be cancelled in the middle.
const A_WHILE: Duration = Duration::from_millis(200);
/// Work that takes this long cannot be over by the time that its task is told, if it is told at once.
const LONG: Duration = Duration::from_millis(500);
/// How many tasks there are at least when they are listed.
const ENOUGH_TO_LIST: usize = 12;
/// How many pages of the list are fetched.
const MOST_PAGES: usize = 100;

probes! {
    /// Calls the tools that may be called and say so as tasks, all at once, and follows each to its end by `tasks/get` and
    /// `tasks/result`, answering what they ask for. The results are what the direct calls gave. The monitors judge all of
    /// it: ids, timestamps, the changes of status, and what names its task.
    tasks_run_to_their_end (Clean, Legacy, Any) decides [
        "tasks.tool.optional-both", "tasks.result.same-as-direct", "tasks.input-required.left", "tasks.create.prompt",
        "tasks.result.error-passthrough",
    ];
    /// Begins a task that takes a while, asks for its result, and cancels it; then cancels it again, and one that had
    /// completed: what is over cannot be cancelled, error -32602.
    tasks_can_be_cancelled (Clean, Legacy, Any) decides [
        "tasks.cancel.terminal-error", "tasks.cancel.to-cancelled", "tasks.cancel.sticky", "tasks.result.blocks",
        "tasks.create.prompt", "tasks.cancel.stops-work",
    ];
    /// Begins tasks until there are twelve and walks `tasks/list` by its cursors: what `tasks/get` finds is listed.
    tasks_are_listed (Clean, Legacy, Any) decides
        ["tasks.list.complete", "tasks.list.next-cursor", "tasks.list.shape", "tasks.capability.list-flag"];
}

/// A task that is followed.
struct Running {
    tool: usize,
    id: String,
    status: String,
}

/// Whether the server makes tasks of tool calls in this conversation.
pub(super) fn makes_tasks(stage: &Stage<'_>) -> bool {
    stage.era() == Era::Legacy
        && stage.revision == Revision::V2025_11_25
        && stage.declares("tasks/requests/tools/call")
}

async fn tasks_run_to_their_end(stage: &mut Stage<'_>) {
    if stage.revision != Revision::V2025_11_25 {
        return;
    }
    if !stage.declares("tasks") {
        for id in ["tasks.capability.declared", "tasks.capability.shape"] {
            stage.judge.not_applicable(
                id,
                "not-declared",
                "the server neither declares `tasks` nor makes any",
            );
        }
        let but =
            ["tasks.undeclared.ignored", "tasks.capability.exhaustive", "tasks.requestor.only-declared"];
        return stage.area_does_not_apply("tasks", &but, "the server does not declare `tasks`");
    }
    stage.judge.not_applicable(
        "tasks.undeclared.ignored",
        "declared",
        "the server declares `tasks` for tool calls",
    );
    let mut tools = able(stage);
    tools.truncate(MOST_TOOLS);
    if !makes_tasks(stage) || tools.is_empty() {
        return;
    }
    begin_brief(stage, &tools).await;
    let mut running = begin_all(stage, &tools).await;
    follow(stage, &mut running).await;
    let quick = running.iter().find(|task| task.status == "completed").map(|task| &tools[task.tool]);
    stage.offer.quick_task = quick.map(|tool| (tool.name.clone(), tool.arguments.clone()));
    for task in running.iter_mut().filter(|task| !is_terminal(&task.status)) {
        meet(stage, task).await;
    }
    compare(stage, &tools, &running).await;
}

/// Begins a task with the shortest life; whether it is removed in time is looked at later.
async fn begin_brief(stage: &mut Stage<'_>, tools: &[Able]) {
    let Some(tool) = tools.first() else { return };
    let ticket = stage.send_task(&tool.name, &tool.arguments, json!({"ttl": 1}), None).await;
    let reply = stage.talk.reply(&ticket).await;
    let ttl = reply.result().and_then(|result| result.pointer("/task/ttl")?.as_f64());
    if let (Some(id), Some(ttl)) = (task_of(&reply), ttl.filter(|ttl| (0.0..=3000.0).contains(ttl))) {
        let at = Instant::now() + Duration::from_secs_f64(ttl / 1000.0);
        stage.offer.brief_task = Some((id, at));
    }
}

async fn begin_all(stage: &mut Stage<'_>, tools: &[Able]) -> Vec<Running> {
    const BOTH: &str = "tasks.tool.optional-both";
    let mut tickets = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        let token = format!("mcprove-task-{at}");
        tickets.push(stage.send_task(&tool.name, &tool.arguments, json!({"ttl": TTL}), Some(&token)).await);
    }
    let mut running = Vec::new();
    for (at, (tool, ticket)) in tools.iter().zip(&tickets).enumerate() {
        let reply = stage.talk.reply(ticket).await;
        let Some(id) = task_of(&reply) else {
            refused(stage, tool, ticket, &reply);
            continue;
        };
        stage.offer.tasks.push(id.clone());
        let (_, got) = stage.of_task("tasks/get", &id).await;
        let status = status_of(&got).unwrap_or_default().to_owned();
        judge_prompt(stage, &tool.name, ticket, &reply, tool.direct_took.unwrap_or_default(), &status);
        if tool.optional && tool.direct.is_some() {
            stage.judge.held(BOTH);
        }
        running.push(Running { tool: at, id, status });
    }
    for tool in tools.iter().filter(|tool| tool.optional) {
        if tool.direct.is_none() {
            direct_refusal(stage, tool).await;
        }
    }
    running
}

/// A tool that says that it can be a task was not made one.
fn refused(stage: &mut Stage<'_>, tool: &Able, ticket: &Ticket, reply: &Reply) {
    const BOTH: &str = "tasks.tool.optional-both";
    // Any other error may be about the arguments, or a limit.
    if tool.optional && matches!(reply.error_code(), Some(-32601 | -32600)) {
        let text = format!("`{}` may be called as a task and is refused as one", tool.name);
        let seen = breach("as-task", text, ticket, reply).expected(&["a task"]).pointer("/error");
        stage.judge.broke(BOTH, seen);
    }
}

/// A tool that may be called either way is refused without `task`.
async fn direct_refusal(stage: &mut Stage<'_>, tool: &Able) {
    let params = json!({"name": tool.name, "arguments": tool.arguments});
    let (ticket, reply) = stage.call_once(params, None).await;
    if matches!(reply.error_code(), Some(-32601 | -32600)) {
        let text = format!("`{}` may be called without a task and is refused so", tool.name);
        let seen =
            breach("direct", text, &ticket, &reply).expected(&["the result of the call"]).pointer("/error");
        stage.judge.broke("tasks.tool.optional-both", seen);
    }
}

/// Judges whether a call was answered with its task at once, by how long its work is known to take at least.
fn judge_prompt(
    stage: &mut Stage<'_>,
    tool: &str,
    ticket: &Ticket,
    reply: &Reply,
    work: Duration,
    status: &str,
) {
    const ID: &str = "tasks.create.prompt";
    if matches!(status, "working" | "input_required") {
        return stage.judge.held(ID);
    }
    let Some(took) = stage.answered_after(ticket, reply) else { return };
    if is_terminal(status) && work >= LONG && took * 10 >= work * 9 {
        let text = format!("a call of `{tool}` was answered with its task when the work was done");
        let seen = breach("late", text, ticket, reply)
            .quality()
            .expected(&["the task as soon as the call is accepted"])
            .actual(format!("the task after {} ms, over by then", took.as_millis()));
        stage.judge.broke(ID, seen);
    }
}

/// Asks for the status of all tasks until each is over or waits, or for as long as that is worth it.
async fn follow(stage: &mut Stage<'_>, running: &mut [Running]) {
    let deadline = Instant::now() + COURSE;
    loop {
        let mut tickets = Vec::new();
        for (at, task) in running.iter().enumerate().filter(|(_, task)| task.status == "working") {
            let outgoing = stage.talk.compose("tasks/get", json!({"taskId": task.id}));
            tickets.push((at, stage.talk.send(outgoing).await));
        }
        if tickets.is_empty() || Instant::now() >= deadline {
            return;
        }
        for (at, ticket) in tickets {
            let reply = stage.talk.reply(&ticket).await;
            // A task that cannot be found any more is not followed.
            status_of(&reply).unwrap_or("completed").clone_into(&mut running[at].status);
        }
        stage.talk.idle(LOOK).await;
    }
}

/// Asks for the result of a task that waits or works on: holds back the answer to what it asks for until its status was
/// seen, then gives it and waits for the end.
async fn meet(stage: &mut Stage<'_>, task: &mut Running) {
    const LEFT: &str = "tasks.input-required.left";
    let waited = task.status == "input_required";
    stage.talk.hold_answers(true);
    let outgoing = stage.talk.compose("tasks/result", json!({"taskId": task.id}));
    let ticket = stage.talk.send(outgoing).await;
    let deadline = Instant::now() + if waited { PATIENCE } else { COURSE };
    while stage.talk.held_answers() == 0 && Instant::now() < deadline {
        if !matches!(stage.talk.reply_within(&ticket, LOOK).await, Reply::Silence(_)) {
            break;
        }
    }
    let asked = stage.talk.held_answers() > 0;
    if asked {
        stage.of_task("tasks/get", &task.id).await;
    }
    stage.talk.release_answers();
    let reply = stage.talk.reply_within(&ticket, PATIENCE).await;
    let (got_ticket, got) = stage.of_task("tasks/get", &task.id).await;
    if let Some(status) = status_of(&got) {
        status.clone_into(&mut task.status);
    }
    if !asked {
        return;
    }
    match status_of(&got) {
        Some("input_required") if matches!(reply, Reply::Silence(_)) && stage.talk.held_answers() == 0 => {
            let text = "a task waits for input although all that it asked for was given";
            let seen = breach("still-waits", text, &got_ticket, &got)
                .quality()
                .expected(&["`working`, or its end"])
                .actual("`input_required`")
                .pointer("/result/status");
            stage.judge.broke(LEFT, seen);
        }
        Some(status) if status != "input_required" => stage.judge.held(LEFT),
        _ => stage.judge.undecided(LEFT, "no-status", "the task could not be followed after it was answered"),
    }
}

/// A result without what belongs to the message alone.
fn bare(result: &Value) -> Value {
    let mut bare = result.clone();
    if let Some(members) = bare.as_object_mut() {
        members.remove("_meta");
    }
    bare
}

/// Fetches the results of the tasks and compares them with those of the direct calls.
async fn compare(stage: &mut Stage<'_>, tools: &[Able], running: &[Running]) {
    const SAME: &str = "tasks.result.same-as-direct";
    let mut tickets = Vec::new();
    for task in running.iter().filter(|task| matches!(task.status.as_str(), "completed" | "failed")) {
        let outgoing = stage.talk.compose("tasks/result", json!({"taskId": task.id}));
        tickets.push((task, stage.talk.send(outgoing).await));
    }
    for (task, ticket) in tickets {
        let reply = stage.talk.reply(&ticket).await;
        let tool = &tools[task.tool];
        let (Some(result), Some(direct)) = (reply.result().map(bare), tool.direct.as_ref().map(bare)) else {
            continue;
        };
        if result == direct {
            stage.judge.held(SAME);
            continue;
        }
        let mut again = Vec::new();
        for _ in 0..2 {
            let params = json!({"name": tool.name, "arguments": tool.arguments});
            again.extend(stage.call_once(params, None).await.1.result().map(bare));
        }
        if again.len() == 2 && again.iter().all(|one| *one == direct) {
            let text = format!("the result of `{}` as a task is not that of the direct call", tool.name);
            let seen = breach("other-result", text, &ticket, &reply)
                .expected(&[&direct.to_string().chars().take(300).collect::<String>()])
                .actual(result.to_string().chars().take(300).collect::<String>())
                .pointer("/result");
            stage.judge.broke(SAME, seen);
        } else {
            let text = "the tools that can be called both ways give another result each time";
            stage.judge.undecided(SAME, "not-deterministic", text);
        }
    }
}

/// A task that takes a while: a tool that is told to, one that waits for its client, or the slowest; and how long its
/// first step may be waited for.
async fn begin_slow(stage: &mut Stage<'_>, tools: &[Able]) -> Option<(String, Duration)> {
    let slow = tools.iter().find_map(|tool| Some((&tool.name, tool.slow.as_ref()?)));
    if let Some((name, arguments)) = slow {
        let ticket = stage.send_task(name, arguments, json!({"ttl": TTL}), Some("mcprove-slow")).await;
        // A server that answers when the work is done takes its time.
        let wait = stage.talk.timeouts().request + PATIENCE;
        let reply = stage.talk.reply_within(&ticket, wait).await;
        let id = task_of(&reply)?;
        let (_, got) = stage.of_task("tasks/get", &id).await;
        judge_prompt(stage, name, &ticket, &reply, LONG, status_of(&got).unwrap_or_default());
        return Some((id, FIRST_STEP));
    }
    let asks = |tool: &&Able| {
        let calls = &stage.offer.calls;
        calls.iter().any(|call| call.tool == tool.name && !call.wishes.is_empty())
    };
    let asking = tools.iter().find(asks);
    let slowest =
        tools.iter().filter(|tool| tool.direct_took >= Some(A_WHILE)).max_by_key(|tool| tool.direct_took);
    let unknown = tools.iter().find(|tool| tool.direct.is_none());
    let tool = asking.or(slowest).or(unknown).or(tools.first())?;
    let (name, arguments, took) = (tool.name.clone(), tool.arguments.clone(), tool.direct_took);
    let at_work = asking.is_none() && slowest.is_some();
    let id = stage.begin_task(&name, &arguments, Some("mcprove-slow")).await?;
    // What works for a while is cancelled at work, and what asks when it has asked.
    if let (true, Some(took)) = (at_work, took) {
        return Some((id, FIRST_STEP.min(took / 3)));
    }
    stage.await_status(&id, &["input_required", "completed", "failed"], COURSE).await;
    Some((id, FIRST_STEP))
}

async fn tasks_can_be_cancelled(stage: &mut Stage<'_>) {
    const ROWS: [&str; 5] = [
        "tasks.cancel.to-cancelled",
        "tasks.cancel.sticky",
        "tasks.cancel.terminal-error",
        "tasks.cancel.stops-work",
        "tasks.result.blocks",
    ];
    if !makes_tasks(stage) {
        return;
    }
    if !stage.declares("tasks/cancel") {
        for id in &ROWS[..4] {
            stage.judge.not_applicable(id, "not-declared", "the server does not declare `tasks.cancel`");
        }
        return;
    }
    let tools = able(stage);
    let Some((id, first_step)) = begin_slow(stage, &tools).await else {
        return stage.leave_open(&ROWS, "no-task", "no tool that may be called became a task");
    };
    let since = stage.talk.now();
    stage.talk.hold_answers(true);
    let outgoing = stage.talk.compose("tasks/result", json!({"taskId": id}));
    let waiting = stage.talk.send(outgoing).await;
    let deadline = Instant::now() + first_step;
    while Instant::now() < deadline {
        let answered = !matches!(stage.talk.reply_within(&waiting, LOOK).await, Reply::Silence(_));
        let heard = stage.talk.heard_since(since);
        if answered || heard.iter().any(|heard| heard.message.method() == Some("notifications/progress")) {
            break;
        }
    }
    stage.of_task("tasks/get", &id).await;
    let (_, cancelled) = stage.of_task("tasks/cancel", &id).await;
    stage.talk.release_answers();
    if let Reply::Silence(_) = stage.talk.reply_within(&waiting, PATIENCE).await {
        stage.talk.note_timed_out(&waiting);
    }
    let (_, got) = stage.of_task("tasks/get", &id).await;
    if cancelled.result().is_none() {
        let text = "the task could not be cancelled while it ran";
        stage.leave_open(&ROWS[..2], "not-cancelled", text);
    } else if status_of(&got).is_none() {
        stage.judge.undecided("tasks.cancel.sticky", "gone", "a cancelled task is removed at once");
    }
    let completed = stage.offer.tasks.first().cloned();
    for over in [Some(id), completed].into_iter().flatten() {
        let over_by = stage.of_task("tasks/get", &over).await.1;
        if status_of(&over_by).is_some_and(is_terminal) {
            cancel_again(stage, &over).await;
        }
    }
}

/// Cancels a task that is over.
async fn cancel_again(stage: &mut Stage<'_>, id: &str) {
    const ID: &str = "tasks.cancel.terminal-error";
    let (ticket, reply) = stage.of_task("tasks/cancel", id).await;
    match &reply {
        Reply::Error(_) if reply.error_code() == Some(-32602) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach(
                "other-code",
                "cancelling a task that is over is refused with another code",
                &ticket,
                &reply,
            )
            .expected(&["error -32602"])
            .pointer("/error/code"),
        ),
        Reply::Result(_) => stage.judge.broke(
            ID,
            breach("accepted", "a task that is over can be cancelled", &ticket, &reply)
                .expected(&["error -32602"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn tasks_are_listed(stage: &mut Stage<'_>) {
    const FLAG: &str = "tasks.capability.list-flag";
    const COMPLETE: &str = "tasks.list.complete";
    const NEXT: &str = "tasks.list.next-cursor";
    if stage.revision != Revision::V2025_11_25 || !stage.declares("tasks") {
        return;
    }
    if !stage.declares("tasks/list") {
        for id in [COMPLETE, NEXT, "tasks.list.shape", "tasks.list.paginated", "tasks.list.invalid-cursor"] {
            stage.judge.not_applicable(id, "not-declared", "the server does not declare `tasks.list`");
        }
        return;
    }
    more_tasks(stage).await;
    let (mut listed, mut pages, mut params) = (HashSet::new(), 0, json!({}));
    let last = loop {
        let (ticket, reply) = stage.request("tasks/list", params).await;
        let Some(result) = reply.result() else {
            if reply.is_error() && pages == 0 {
                let seen =
                    breach("refused", "`tasks.list` is declared and `tasks/list` refused", &ticket, &reply)
                        .expected(&["a result"]);
                stage.judge.broke(FLAG, seen);
            }
            return stage.leave_open(
                &[COMPLETE, NEXT],
                "no-list",
                "the list could not be fetched to its end",
            );
        };
        stage.judge.held(FLAG);
        pages += 1;
        let tasks = result.get("tasks").and_then(Value::as_array);
        let ids = tasks.into_iter().flatten().filter_map(|task| task.get("taskId")?.as_str());
        listed.extend(ids.map(str::to_owned));
        match result.get("nextCursor").and_then(Value::as_str) {
            Some(cursor) if pages < MOST_PAGES => params = json!({"cursor": cursor}),
            Some(_) => return stage.leave_open(&[COMPLETE, NEXT], "endless", "the list has very many pages"),
            None => break (ticket, reply),
        }
    };
    let missing: Vec<String> = stage.offer.tasks.iter().filter(|id| !listed.contains(*id)).cloned().collect();
    let mut hidden = None;
    for id in missing {
        // What is gone need not be listed.
        if stage.of_task("tasks/get", &id).await.1.result().is_some() {
            hidden = Some(id);
            break;
        }
    }
    if stage.offer.tasks.is_empty() {
        return stage.leave_open(&[COMPLETE, NEXT], "no-task", "no tool that may be called became a task");
    }
    let (ticket, reply) = last;
    match hidden {
        None => {
            stage.judge.held(COMPLETE);
            if pages > 1 {
                stage.judge.held(NEXT);
            } else {
                stage.judge.undecided(NEXT, "one-page", "all tasks had room on one page");
            }
        }
        Some(_) => {
            let text = "a task that `tasks/get` finds is on no page of `tasks/list`";
            let seen = breach("hidden", text, &ticket, &reply)
                .expected(&["every task of this client, or a `nextCursor` where there are more"])
                .actual(format!("{} tasks on {pages} pages", listed.len()))
                .pointer("/result");
            stage.judge.broke(COMPLETE, seen.clone());
            stage.judge.broke(NEXT, seen.see(COMPLETE));
        }
    }
}

/// Begins tasks until there are enough for more than one page of a usual size.
async fn more_tasks(stage: &mut Stage<'_>) {
    let Some((name, arguments)) = stage.offer.quick_task.clone() else { return };
    let mut tickets = Vec::new();
    for _ in stage.offer.tasks.len()..ENOUGH_TO_LIST {
        tickets.push(stage.send_task(&name, &arguments, json!({"ttl": TTL}), None).await);
    }
    for ticket in tickets {
        let reply = stage.talk.reply(&ticket).await;
        stage.offer.tasks.extend(task_of(&reply));
    }
}
