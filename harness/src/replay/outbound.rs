//! What the client sends now in place of what it sent in the recording.

use super::bind::Names;
use super::script::Send;
use crate::client::{HttpEdits, Outgoing, headers};
use crate::protocol::{Kind, Message};
use crate::wire::{Payload, header};
use serde_json::Value;
use std::collections::HashMap;

/// Headers that are sent as they were recorded, or not sent where they were not.
const KEPT: [&str; 3] = ["accept", "content-type", "mcp-protocol-version"];
/// How many tools are known by their input schema.
const TOOLS: usize = 10_000;

/// Makes messages.
pub(super) struct Outbound<'a> {
    /// Whether recording and replay are both over HTTP.
    pub(super) same_transport: bool,
    over_http: bool,
    secrets: &'a [(String, String)],
    /// Input schemas by tool, for the headers that mirror arguments.
    schemas: HashMap<String, Value>,
}

impl<'a> Outbound<'a> {
    pub(super) fn new(same_transport: bool, over_http: bool, secrets: &'a [(String, String)]) -> Self {
        Self { same_transport, over_http, secrets, schemas: HashMap::new() }
    }

    /// Takes note of what a message says about tools.
    pub(super) fn hear(&mut self, message: &Message) {
        let tools = message.result().and_then(|result| result.get("tools")?.as_array());
        for tool in tools.into_iter().flatten().filter(|_| self.over_http) {
            if let (Some(name), Some(schema)) = (tool["name"].as_str(), tool.get("inputSchema"))
                && self.schemas.len() < TOOLS
            {
                self.schemas.insert(name.to_owned(), schema.clone());
            }
        }
    }

    /// What is sent in place of what was; `ask` is the server's request that it answers.
    pub(super) fn outgoing(
        &self,
        send: &Send,
        payload: &Payload,
        names: &Names,
        ask: Option<&Message>,
    ) -> Outgoing {
        let message = match payload {
            Payload::Message(message) => message,
            Payload::Raw { bytes, .. } => {
                // A line that is no message was kept with its end, and gets one when it is sent.
                let line = bytes.strip_suffix(b"\n").filter(|_| !self.over_http).unwrap_or(bytes);
                return self.edited(Outgoing::bytes(line.to_vec()), send);
            }
        };
        let mut value = message.value().clone();
        let parts = match &mut value {
            Value::Array(elements) => elements.iter_mut().collect(),
            one => vec![one],
        };
        for part in parts {
            for top in ["params", "result", "error"] {
                if let Some(content) = part.get_mut(top) {
                    names.put_value(content);
                    self.reveal(content);
                }
            }
        }
        if let Some(id) = ask.and_then(|ask| ask.value().get("id")) {
            value["id"] = id.clone();
        }
        // As it was written, where nothing is another.
        let text = if value == *message.value() { message.text().to_owned() } else { value.to_string() };
        let text = if self.over_http { text } else { text.replace(['\n', '\r'], " ") };
        let mut outgoing = Outgoing { body: text.into(), ..Outgoing::message(&value) };
        if *message.kind() != Kind::Request {
            outgoing.id = None;
        }
        if message.method() == Some("tools/call") && !self.same_transport {
            let params = value.get("params");
            let schema = params.and_then(|params| self.schemas.get(params.get("name")?.as_str()?));
            if let (Some(schema), Some(arguments)) =
                (schema, params.and_then(|params| params.get("arguments")))
            {
                outgoing.mirrored = headers::mirrored_arguments(schema, arguments);
            }
        }
        self.edited(outgoing, send)
    }

    /// Puts secrets in the place of what stands for them.
    fn reveal(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains('«') => {
                for (name, secret) in self.secrets {
                    *text = text.replace(&format!("«{name}»"), secret);
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.reveal(element)),
            Value::Object(members) => members.values_mut().for_each(|member| self.reveal(member)),
            _ => {}
        }
    }

    /// With the headers that the recorded client sent.
    fn edited(&self, outgoing: Outgoing, send: &Send) -> Outgoing {
        if !self.same_transport || send.headers.is_empty() {
            return outgoing;
        }
        let mut edits = HttpEdits::default();
        for name in KEPT {
            edits = match header(&send.headers, name) {
                Some(value) => edits.set(name, value),
                None => edits.without(name),
            };
        }
        for (name, value) in &send.headers {
            if name.to_ascii_lowercase().starts_with("mcp-param-") {
                edits = edits.set(name, value.clone());
            } else if let Some(value) = self.revealed(name, value) {
                edits = edits.set(name, value);
            }
        }
        outgoing.http(edits)
    }

    /// The value of a header with the secrets that are known in it, if it has any.
    fn revealed(&self, name: &str, value: &str) -> Option<String> {
        let hidden = value.contains('«') && !name.eq_ignore_ascii_case("mcp-session-id");
        let known = self.secrets.iter().filter(|(name, _)| value.contains(&format!("«{name}»")));
        let told =
            known.fold(value.to_owned(), |text, (name, secret)| text.replace(&format!("«{name}»"), secret));
        (hidden && told != value).then_some(told)
    }
}
