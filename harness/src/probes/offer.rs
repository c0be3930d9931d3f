//! What a server offers, as the clean part of a conversation found out.

use crate::client::headers::mirrored_arguments;
use crate::client::{Conversation, Outgoing, Wish};
use crate::protocol::Era;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a server offers.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The entries of `tools/list`, all pages.
    pub tools: Vec<Value>,
    /// The entries of `resources/list`.
    pub resources: Vec<Value>,
    /// The entries of `resources/templates/list`.
    pub templates: Vec<Value>,
    /// The entries of `prompts/list`.
    pub prompts: Vec<Value>,
    /// List methods that were answered with a result.
    pub listed: Vec<&'static str>,
    /// List methods that gave more than one page.
    pub paged: Vec<&'static str>,
    /// Tools that were not called, and why.
    pub not_called: Vec<(String, crate::run::Reason)>,
    /// Tools that were called.
    pub called: Vec<String>,
    /// The calls that were answered.
    pub calls: Vec<Call>,
    /// For what a client can be asked for, the name of a tool that was seen to ask for it when nothing else was open.
    pub asker: BTreeMap<Wish, String>,
    /// The names or URIs of each list, by method, as last seen.
    pub latest: BTreeMap<&'static str, Vec<String>>,
    /// The same, as first seen.
    pub first: BTreeMap<&'static str, Vec<String>>,
    /// Cursors that the server gave.
    pub cursors: Vec<Cursor>,
    /// The result of `server/discover` (2026-07-28).
    pub discovered: Option<Value>,
    /// Calls that were cancelled while they ran, until it is judged what came of them.
    pub cancelled: Vec<Cancelled>,
    /// Tasks that were begun (2025-11-25).
    pub tasks: Vec<String>,
    /// A call that becomes a task and completes soon without asking for anything (2025-11-25): tool and arguments.
    pub quick_task: Option<(String, Value)>,
    /// The tools whose calls became tasks (2026-07-28).
    pub task_tools: Vec<String>,
    /// A task that asked for a short life: its id, and when it may be removed (2025-11-25).
    pub brief_task: Option<(String, tokio::time::Instant)>,
}

impl Offer {
    /// What the headers of a tool call repeat of its arguments, in 2026-07-28.
    pub(super) fn mirrored(
        &self,
        talk: &Conversation,
        tool: &str,
        arguments: &Value,
    ) -> Vec<(String, String)> {
        let known =
            self.tools.iter().filter(|_| talk.era() == Some(Era::Modern)).find(|known| known["name"] == tool);
        let schema = known.and_then(|tool| tool.get("inputSchema"));
        schema.map(|schema| mirrored_arguments(schema, arguments)).unwrap_or_default()
    }

    /// A tool call with these parameters, and with the headers that belong to it.
    pub(super) fn compose_call(&self, talk: &mut Conversation, params: Value) -> Outgoing {
        let tool = params["name"].as_str().unwrap_or_default();
        let mirrored = self.mirrored(talk, tool, &params["arguments"]);
        Outgoing { mirrored, ..talk.compose("tools/call", params) }
    }
}

/// A call that was cancelled while it ran.
#[derive(Debug, Clone)]
pub struct Cancelled {
    /// The call.
    pub ticket: crate::client::Ticket,
    /// The tool.
    pub tool: String,
    /// The position in the record of whatever came after the cancellation.
    pub since: u64,
    /// Its progress token, where it had made progress before.
    pub progressed: Option<Value>,
    /// Whether it waited for an answer of ours.
    pub asked: bool,
    /// When more would have come of it by, had it gone on; `None` where that is not known.
    pub due: Option<tokio::time::Instant>,
}

/// A tool call that was answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub arguments: Value,
    /// The last result, if it was no error of the protocol.
    pub result: Option<Value>,
    /// Whether input was demanded on the way (2026-07-28).
    pub asked_for_input: bool,
    /// The `inputRequests` of the first demand on the way.
    pub demanded: Option<Value>,
    /// What the client was asked for on the way. In the legacy era: while the call was open, so that it may have been
    /// another call that asked.
    pub wishes: Vec<Wish>,
    /// Its progress token.
    pub token: Value,
    /// How long it took, demands for input included.
    pub took: std::time::Duration,
}

/// A cursor that the server gave.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// The list.
    pub method: &'static str,
    /// The cursor.
    pub cursor: String,
    /// The names or URIs on the page that it led to.
    pub page: Vec<String>,
}

impl Call {
    /// Whether the tool did what it was asked to.
    pub fn succeeded(&self) -> bool {
        self.result
            .as_ref()
            .is_some_and(|result| result["isError"] != true && result.get("content").is_some())
    }
}
