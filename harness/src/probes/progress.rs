//! Progress tokens under test (basic/utilities/progress; in 2026-07-28 basic/patterns/progress).

use super::lists::declares;
use super::probe::probes;
use super::{Call, Stage, breach};
use crate::client::{Outgoing, Reply, Ticket};
use crate::protocol::{Era, Message, Revision};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a task may take.
const TASK: Duration = Duration::from_secs(4);
/// What took longer is not called again.
const BRIEF: Duration = Duration::from_millis(600);
/// The pause between two looks at a task.
const LOOK: Duration = Duration::from_millis(50);

probes! {
    /// Sends a harmless request with the progress tokens `"t"`, 0 and 1: it is served like one without. Servers that
    /// take 0 for nothing, or tokens for strings only, fail here. Where a quick tool reported progress it is called with
    /// the token 0, too: that it reports none for 0 alone is a matter of quality.
    tokens_are_accepted (Clean, Both, Any) decides ["progress.token.accepted"];
    /// Sends progress for a token that the server never gave: it is passed over without a word.
    foreign_progress_is_passed_over (Breaking, Legacy, Any) decides ["progress.from-client-tolerated"];
    /// Calls one tool as a task (2025-11-25), with a progress token, and follows the task to its end. The monitors judge
    /// the progress that comes.
    task_progress_is_followed (Clean, Legacy, Any) decides
        ["progress.task.token-kept", "progress.task.same-token", "progress.task.stops-at-terminal"];
}

async fn tokens_are_accepted(stage: &mut Stage<'_>) {
    const ID: &str = "progress.token.accepted";
    let method = stage.harmless();
    for token in [json!("t"), json!(0), json!(1)] {
        let (ticket, reply) = stage.request(method, json!({"_meta": {"progressToken": token}})).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            Reply::Error(_) => {
                let plain = stage.request(method, json!({})).await.1;
                if plain.result().is_some() {
                    let text = format!("`{method}` is served, but not with the progress token {token}");
                    let class = if token.is_string() { "string" } else { "integer" };
                    let seen = breach(class, text, &ticket, &reply).expected(&["a result"]);
                    stage.judge.broke(ID, seen.pointer("/error"));
                }
            }
            _ => {
                stage.judge.undecided(
                    ID,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
    zero_is_a_token(stage).await;
}

/// A call that reported progress, soon enough to be made again.
fn reporter(stage: &mut Stage<'_>) -> Option<Call> {
    let reported: Vec<Value> =
        stage.talk.heard_since(0).iter().filter_map(|heard| token(&heard.message)).collect();
    let mut quick = stage.offer.calls.iter().filter(|call| {
        call.succeeded() && !call.asked_for_input && call.demanded.is_none() && call.took < BRIEF
    });
    quick.find(|call| reported.contains(&call.token)).cloned()
}

/// The token of a report of progress.
fn token(message: &Message) -> Option<Value> {
    let params = message.params().filter(|_| message.method() == Some("notifications/progress"))?;
    params.get("progressToken").cloned()
}

/// Whether a call with this token succeeded, and whether it reported progress for it.
async fn reports(stage: &mut Stage<'_>, call: &Call, wanted: &Value) -> Option<(Ticket, Reply, bool)> {
    let since = stage.talk.now();
    let params = json!({"name": call.tool, "arguments": call.arguments, "_meta": {"progressToken": wanted}});
    let outgoing = stage.compose_call(params);
    let (ticket, reply) = stage.valid(outgoing).await;
    reply.result().filter(|result| result["isError"] != true)?;
    // Over HTTP it may come on another stream.
    stage.talk.idle(LOOK).await;
    // That a token came back as another type is told elsewhere.
    let text = |token: &Value| token.as_str().map_or_else(|| token.to_string(), str::to_owned);
    let heard = stage.talk.heard_since(since);
    let told = heard.iter().filter_map(|heard| token(&heard.message)).any(|told| text(&told) == text(wanted));
    Some((ticket, reply, told))
}

/// Whether a tool that reports progress does so for the token 0, too.
async fn zero_is_a_token(stage: &mut Stage<'_>) {
    const ID: &str = "progress.token.accepted";
    let Some(call) = reporter(stage) else { return };
    let zero = json!(0);
    let Some((.., told)) = reports(stage, &call, &zero).await else { return };
    if told {
        return stage.judge.held(ID);
    }
    let Some((.., with_another)) = reports(stage, &call, &json!("mcprove-not-zero")).await else { return };
    let Some((ticket, reply, again)) = reports(stage, &call, &zero).await else { return };
    if with_another && !again {
        let text = format!("`{}` reports progress, but none for the token 0", call.tool);
        let seen = breach("zero", text, &ticket, &reply).quality();
        stage.judge.broke(ID, seen.expected(&["progress for the token 0, as for any other"]).actual("none"));
    }
}

async fn foreign_progress_is_passed_over(stage: &mut Stage<'_>) {
    const ID: &str = "progress.from-client-tolerated";
    let params = json!({"progressToken": "mcprove-no-such-token", "progress": 1, "total": 2});
    let provoked = stage.provoke(Outgoing::notification("notifications/progress", Some(params))).await;
    let seen = |class: &str, text: &str| {
        breach(class, text, &provoked.ticket, &provoked.reply).quality().expected(&["no answer, and no harm"])
    };
    let refused = provoked.reply.status().is_some_and(|status| (400..500).contains(&status));
    if !provoked.survived() {
        let text = "after progress with an unknown token, a valid request was not answered";
        stage.judge.broke(ID, seen("harm", text).reply(&provoked.barrier));
    } else if provoked.reply.answer().is_some() && !refused {
        stage.judge.broke(ID, seen("answer", "progress with an unknown token was answered"));
    } else {
        stage.judge.held(ID);
    }
}

/// A tool that can be called as a task, with arguments that it took before or needs none.
fn task_tool(stage: &Stage<'_>) -> Option<(String, Value)> {
    let support =
        |tool: &Value| tool.pointer("/execution/taskSupport").and_then(Value::as_str).map(str::to_owned);
    let mut able = stage.offer.tools.iter().filter(|tool| {
        matches!(support(tool).as_deref(), Some("optional" | "required"))
            && stage.settings.safety.may_call(tool).is_ok()
    });
    able.find_map(|tool| {
        let name = tool.get("name")?.as_str()?.to_owned();
        if let Some(call) = stage.offer.calls.iter().find(|call| call.tool == name && call.succeeded()) {
            return Some((name, call.arguments.clone()));
        }
        let schema = tool.get("inputSchema")?;
        let mut seeded = crate::generate::Seeded::new(stage.settings.seed);
        Some((name, crate::generate::valid_value(schema, &mut seeded).ok()?))
    })
}

async fn task_progress_is_followed(stage: &mut Stage<'_>) {
    const ROWS: [&str; 3] =
        ["progress.task.token-kept", "progress.task.same-token", "progress.task.stops-at-terminal"];
    if stage.revision != Revision::V2025_11_25 || stage.era() != Era::Legacy {
        return;
    }
    let undecided = |stage: &mut Stage<'_>, code: &str, text: &str| {
        for id in ROWS {
            stage.judge.undecided(id, code, text);
        }
    };
    if !declares(stage.talk, "tasks/requests/tools/call") {
        for id in ROWS {
            let text = "the server does not declare tasks for tool calls";
            stage.judge.not_applicable(id, "not-declared", text);
        }
        return;
    }
    let Some((name, arguments)) = task_tool(stage) else {
        return undecided(stage, "no-tool", "no tool that may be called can be called as a task");
    };
    let params = json!({"name": name, "arguments": arguments, "task": {"ttl": 60_000},
        "_meta": {"progressToken": "mcprove-task"}});
    let (_, reply) = stage.request("tools/call", params).await;
    let task = reply.result().and_then(|result| result.pointer("/task/taskId")?.as_str().map(str::to_owned));
    let Some(task) = task else {
        return undecided(stage, "no-task", "the call did not become a task");
    };
    let deadline = Instant::now() + TASK;
    loop {
        let (_, reply) = stage.request("tasks/get", json!({"taskId": task})).await;
        let status = reply.result().and_then(|result| result.get("status")?.as_str());
        match status {
            Some("completed" | "failed" | "cancelled") => break,
            Some(_) if Instant::now() < deadline => stage.talk.idle(LOOK).await,
            Some(_) => {
                stage.request("tasks/cancel", json!({"taskId": task})).await;
                break;
            }
            None => return undecided(stage, "no-status", "the task could not be followed"),
        }
    }
    undecided(stage, "no-progress", "the task made no progress that was told");
}
