//! `ping` under test (basic/utilities/ping, to 2025-11-25).

use super::Stage;
use super::probe::{breach, probes};
use crate::client::{Outgoing, Reply};
use serde_json::json;

probes! {
    /// Sends `ping` without `params`, with an empty object and with `_meta` alone. Each is answered: client libraries
    /// differ in which one they send.
    every_form_of_ping_is_answered (Clean, Legacy, Any) decides ["ping.params-tolerated", "ping.answered"];
}

async fn every_form_of_ping_is_answered(stage: &mut Stage<'_>) {
    const ID: &str = "ping.params-tolerated";
    let forms = [("no-params", None), ("empty", Some(json!({}))), ("meta", Some(json!({"_meta": {}})))];
    for (form, params) in forms {
        let id = stage.talk.fresh_id();
        let (ticket, reply) = stage.valid(Outgoing::request(&id, "ping", params)).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            Reply::Error(_) => stage.judge.broke(
                ID,
                breach(form, "a legal form of `ping` was refused", &ticket, &reply).expected(&["a result"]),
            ),
            Reply::Silence(_) => return stage.judge.undecided(ID, "no-answer", reply.describe()),
            _ => {}
        }
    }
}
