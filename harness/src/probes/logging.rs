//! Log levels under test (server/utilities/logging).

use super::lists::declares;
use super::probe::probes;
use super::{Stage, breach};
use crate::client::Reply;
use crate::protocol::Era;
use serde_json::{Value, json};

/// The levels, the most severe first.
const LEVELS: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

probes! {
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
