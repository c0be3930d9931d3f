//! Log levels under test (server/utilities/logging).

use super::lists::declares;
use super::probe::probes;
use super::{Call, Stage, breach};
use crate::client::Reply;
use crate::monitors::Breach;
use crate::protocol::{Era, Id, Message};
use crate::wire::Event;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The levels, the most severe first.
const LEVELS: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const LOG_LEVEL_POINTER: &str = "/_meta/io.modelcontextprotocol~1logLevel";

/// How many tools are called without a log level.
const MOST_TOOLS: usize = 8;
/// A tool that took longer is called again only where no other one logs, and not if it took longer than `SLOW`.
const QUICK: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_secs(3);
/// How many slow tools are called without a log level.
const MOST_SLOW: usize = 2;

probes! {
    /// In 2026-07-28 over STDIO calls the quick tools during whose calls log messages came, at most eight (or, where there
    /// are none, two slow ones), without a log level and while nothing else is asked. No log message comes. One that does is no proof alone, because it may
    /// be late; so the tools are called once more.
    logs_stay_away_unless_asked_for (Clean, Modern, Stdio) decides ["logging.level.none-without"];
    /// Sets a log level that there is not, `verbose`, and a number; in 2026-07-28 names them in a request. Error -32602
    /// tells a client that it has misspelt something; silence tells it nothing.
    unknown_log_levels_are_refused (Breaking, Both, Any) decides ["logging.level.invalid-refused"];
}

pub(super) async fn log_levels_are_accepted(stage: &mut Stage<'_>) {
    const SERVED: &str = "logging.set-level.served";
    const ALL: &str = "logging.level.all-accepted";
    let modern = stage.era() == Era::Modern;
    if !modern && !declares(stage.talk, "logging") {
        for id in
            [SERVED, ALL, "logging.level.delivers", "logging.level.filters", "logging.level.invalid-refused"]
        {
            stage.judge.not_applicable(id, "not-declared", "the server does not declare `logging`");
        }
        return;
    }
    let (mut accepted, mut refused) = (0, Vec::new());
    for level in LEVELS {
        let (ticket, reply) = if modern {
            let method = stage.harmless();
            stage.request(method, json!({"_meta": {LOG_LEVEL: level}})).await
        } else {
            stage.request("logging/setLevel", json!({"level": level})).await
        };
        match &reply {
            Reply::Result(_) => accepted += 1,
            Reply::Error(_) => refused.push((level, ticket, reply)),
            _ => return stage.judge.undecided(ALL, "no-answer", reply.describe()),
        }
    }
    let expected = ["a result"];
    if accepted > 0 && !modern {
        stage.judge.held(SERVED);
    }
    let Some((level, ticket, reply)) = refused.first() else { return stage.judge.held(ALL) };
    if accepted > 0 {
        let text = format!("the log level `{level}` was refused, and others were not");
        let seen = breach(level, text, ticket, reply).expected(&expected).pointer("/error");
        return stage.judge.broke(ALL, seen);
    }
    if modern {
        // The request itself may be what is refused.
        let method = stage.harmless();
        if stage.request(method, json!({})).await.1.result().is_none() {
            return stage.judge.undecided(ALL, "no-answer", "the request is refused without a level too");
        }
        let text = "a request with any log level was refused, and served without one";
        return stage
            .judge
            .broke(ALL, breach("refused", text, ticket, reply).expected(&expected).pointer("/error"));
    }
    let text = "`logging` is declared, but `logging/setLevel` was refused";
    let seen = breach("refused", text, ticket, reply).expected(&expected).pointer("/error");
    stage.judge.broke(SERVED, seen.clone());
    stage.judge.broke(ALL, seen.see(SERVED));
}

async fn unknown_log_levels_are_refused(stage: &mut Stage<'_>) {
    const ID: &str = "logging.level.invalid-refused";
    let modern = stage.era() == Era::Modern;
    if !modern && !declares(stage.talk, "logging") {
        return;
    }
    let bad: [(&str, Value); 2] = [("word", json!("verbose")), ("number", json!(3))];
    for (class, level) in bad {
        let outgoing = if modern {
            let method = stage.harmless();
            stage.talk.compose(method, json!({"_meta": {LOG_LEVEL: level}}))
        } else {
            stage.talk.compose("logging/setLevel", json!({"level": level}))
        };
        let (ticket, reply) = stage.breaking(outgoing).await;
        let seen = |text: &str| {
            breach(class, format!("{text}: {level}"), &ticket, &reply)
                .quality()
                .expected(&["error -32602 (invalid params)"])
        };
        match &reply {
            Reply::Error(answer) if answer.message.error_code() == Some(-32601) => {
                stage.judge.undecided(ID, "unknown-method", "there is no method to set a level with");
            }
            Reply::Error(answer) => {
                stage.judge.decide(ID, answer.message.error_code() == Some(-32602), || {
                    seen("a log level that there is not was refused with another code").pointer("/error/code")
                });
            }
            Reply::Result(_) => {
                stage.judge.broke(ID, seen("a log level that there is not was accepted").pointer("/result"));
            }
            _ => {
                stage.judge.undecided(
                    ID,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}

/// The quick tools during whose calls log messages came, those whose calls had one most often first; slow ones where
/// there is no quick one.
fn talkative(stage: &Stage<'_>) -> Vec<Call> {
    let mut open: HashMap<Id, String> = HashMap::new();
    // For each tool how many calls there were, and how many in which something was logged.
    let mut logged: HashMap<Id, bool> = HashMap::new();
    let mut seen: HashMap<String, (u32, u32)> = HashMap::new();
    for record in stage.talk.recorder().snapshot() {
        match &record.event {
            Event::Sent { payload, .. } => {
                let Some(message) = payload.message() else { continue };
                let name = message.params().and_then(|params| params.get("name")?.as_str());
                if let (Some("tools/call"), Some(name), Some(id)) = (message.method(), name, message.id()) {
                    open.insert(id.clone(), name.to_owned());
                }
            }
            Event::Received { payload, .. } => {
                let Some(message) = payload.message() else { continue };
                if message.method() == Some("notifications/message") {
                    logged.extend(open.keys().map(|id| (id.clone(), true)));
                } else if message.is_response()
                    && let Some(id) = message.id()
                    && let Some(name) = open.remove(id)
                {
                    let counts = seen.entry(name).or_default();
                    counts.0 += 1;
                    counts.1 += u32::from(logged.remove(id).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    let often = |call: &Call| seen.get(&call.tool).map_or(0, |(calls, logs)| logs * 100 / calls.max(&1));
    let plain =
        |call: &&Call| call.result.is_some() && !call.asked_for_input && call.took < SLOW && often(call) > 0;
    let calls = stage.offer.calls.iter().filter(plain).cloned();
    let (mut calls, mut slow): (Vec<Call>, Vec<Call>) = calls.partition(|call| call.took < QUICK);
    if calls.is_empty() {
        slow.truncate(MOST_SLOW);
        return slow;
    }
    calls.sort_by_key(|call| std::cmp::Reverse(often(call)));
    calls.truncate(MOST_TOOLS);
    calls
}

/// Whether a request that asked for log messages has no response yet.
fn is_logging(stage: &Stage<'_>) -> bool {
    let mut open: HashSet<Id> = HashSet::new();
    for record in stage.talk.recorder().snapshot() {
        match &record.event {
            Event::Sent { payload, .. } => {
                let asks = |message: &&Message| {
                    message.params().is_some_and(|params| params.pointer(LOG_LEVEL_POINTER).is_some())
                };
                open.extend(payload.message().filter(asks).and_then(Message::id).cloned());
            }
            Event::Received { payload, .. } => {
                if let Some(id) =
                    payload.message().filter(|message| message.is_response()).and_then(Message::id)
                {
                    open.remove(id);
                }
            }
            _ => {}
        }
    }
    !open.is_empty()
}

async fn logs_stay_away_unless_asked_for(stage: &mut Stage<'_>) {
    const ID: &str = "logging.level.none-without";
    /// The second time is for what may have been late the first time.
    const TIMES: usize = 2;
    let calls = talkative(stage);
    if calls.is_empty() {
        return;
    }
    stage.talk.canary().await;
    if is_logging(stage) {
        let text = "a request that asked for log messages is still open";
        return stage.judge.undecided(ID, "open-request", text);
    }
    let mut last = None;
    for _ in 0..TIMES {
        let since = stage.talk.now();
        let mut tickets = Vec::new();
        for call in &calls {
            let params = json!({"name": call.tool, "arguments": call.arguments});
            let outgoing = stage.talk.compose("tools/call", params);
            tickets.push(stage.talk.send(outgoing).await);
        }
        for ticket in &tickets {
            if stage.talk.reply(ticket).await.answer().is_none() {
                let text = "a call without a log level was not answered";
                return stage.judge.undecided(ID, "no-answer", text);
            }
        }
        let mut heard = stage.talk.heard_since(since).into_iter();
        let Some(message) = heard.find(|heard| heard.message.method() == Some("notifications/message"))
        else {
            return stage.judge.held(ID);
        };
        last = Some((since, message));
    }
    let Some((since, heard)) = last else { return };
    stage.judge.broke(
        ID,
        Breach::new("unasked", "log messages come for calls that asked for none")
            .expected(&["no log message"])
            .actual("`notifications/message`, each time")
            .at(&heard.record)
            .pointer("/method")
            .sent(since),
    );
}
