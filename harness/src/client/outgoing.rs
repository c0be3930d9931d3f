//! What a conversation can be asked to send.

use crate::protocol::{Id, Kind, Message};
use crate::wire::{Deliberate, Taint};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// A message (or bytes) to send, and what should be different about it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The bytes of the message, without a line end.
    pub body: Bytes,
    /// The id that an answer would carry.
    pub id: Option<Id>,
    /// The method, for the header that mirrors it.
    pub method: Option<String>,
    /// The name, URI or task id, for the header that mirrors it.
    pub name: Option<String>,
    /// Arguments to mirror in headers, as `(suffix of Mcp-Param-, value)`.
    pub mirrored: Vec<(String, String)>,
    /// The version named in the body's `_meta`, for the header that mirrors it.
    pub version: Option<String>,
    /// Pieces to send the body in, each followed by a pause; the whole at once when empty. The line end counts as
    /// part of the last piece on stdio.
    pub pieces: Vec<(Bytes, Duration)>,
    /// What to change in the HTTP request.
    pub http: HttpEdits,
    /// Why a client that obeys the protocol would not send it.
    pub deliberate: Option<Deliberate>,
}

/// Changes to the HTTP request that carries a message; nothing on stdio.
#[derive(Debug, Clone, Default)]
pub struct HttpEdits {
    /// Another method than POST.
    pub method: Option<String>,
    /// Headers to leave out, without regard to case.
    pub remove: Vec<String>,
    /// Headers to add, after the removal.
    pub add: Vec<(String, String)>,
    /// Use a connection of its own.
    pub fresh_connection: bool,
    /// Send the body in the chunked transfer coding, each of its pieces as a chunk.
    pub chunked: bool,
}

impl HttpEdits {
    /// Sets a header, in place of what would be sent.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.remove.push(name.to_owned());
        self.add.push((name.to_owned(), value.into()));
        self
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.remove.push(name.to_owned());
        self
    }
}

impl Outgoing {
    /// Any bytes.
    pub fn bytes(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            id: None,
            method: None,
            name: None,
            mirrored: Vec::new(),
            version: None,
            pieces: Vec::new(),
            http: HttpEdits::default(),
            deliberate: None,
        }
    }

    /// A message from its parts, with what its headers mirror taken from them.
    pub fn message(value: &Value) -> Self {
        let params = value.get("params");
        let method = value.get("method").and_then(Value::as_str).map(str::to_owned);
        let member = |name: &str| params?.get(name)?.as_str().map(str::to_owned);
        let name = match method.as_deref() {
            Some("tools/call" | "prompts/get") => member("name"),
            Some("resources/read") => member("uri"),
            Some("tasks/get" | "tasks/update" | "tasks/cancel") => member("taskId"),
            _ => None,
        };
        let version = params
            .and_then(|params| params.pointer("/_meta/io.modelcontextprotocol~1protocolVersion"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let id = value.get("id").map(|id| Id::from_json(&id.to_string(), id));
        Self { id, method, name, version, ..Self::bytes(value.to_string()) }
    }

    /// A request.
    pub fn request(id: &Id, method: &str, params: Option<Value>) -> Self {
        let id_value: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
        let mut value = json!({"jsonrpc": "2.0", "id": id_value, "method": method});
        if let Some(params) = params {
            value["params"] = params;
        }
        Self { id: Some(id.clone()), ..Self::message(&value) }
    }

    /// A notification.
    pub fn notification(method: &str, params: Option<Value>) -> Self {
        let mut value = json!({"jsonrpc": "2.0", "method": method});
        if let Some(params) = params {
            value["params"] = params;
        }
        Self::message(&value)
    }

    /// The method of what is a request by JSON-RPC, whole and as it would be sent, whatever its parameters hold, and which
    /// a server answers before anything else has to happen.
    pub fn sound_method(&self) -> Option<&str> {
        let http = &self.http;
        let as_usual = self.pieces.is_empty()
            && http.method.is_none()
            && http.remove.is_empty()
            && http.add.is_empty()
            && !http.chunked;
        let message = Message::parse(&self.body).ok()?;
        let sound = *message.kind() == Kind::Request
            && message.value()["jsonrpc"] == "2.0"
            && message.id().is_some_and(|id| !id.is_null())
            && message.value().get("params").is_none_or(Value::is_object);
        let method = self.method.as_deref()?;
        let at_once = !matches!(method, "subscriptions/listen" | "tasks/result");
        (as_usual && sound && at_once).then_some(method)
    }

    /// Marks it as sent on purpose by a probe.
    #[must_use]
    pub fn deliberate(mut self, by: &str, taints: Taint) -> Self {
        self.deliberate = Some(Deliberate { by: by.to_owned(), taints });
        self
    }

    /// Changes the HTTP request that carries it.
    #[must_use]
    pub fn http(mut self, edits: HttpEdits) -> Self {
        self.http = edits;
        self
    }
}
