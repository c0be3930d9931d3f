//! The duties of a client, judged by what it sends. What it gets wrong makes the server's answer unfit to be judged.

use super::judge::{Breach, Judge};
use crate::protocol::{Era, Id, IdMap, IdSet, Kind, Message, Revision, Transport};
use crate::transcript::Record;
use crate::wire::{Channel, Event, Headers, Payload, Taint, header};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

/// How many ids are remembered; of longer conversations the oldest are forgotten.
const IDS: usize = 100_000;

/// What a client has done so far.
#[derive(Default)]
pub struct Duties {
    /// What is said about it; the requirements are ids of duties.
    pub judge: Judge,
    transport: Option<Transport>,
    revision: Option<Revision>,
    used: IdSet,
    order: VecDeque<Id>,
    open: IdSet,
    /// Requests of the server: whether they were answered.
    asked: IdMap<(String, bool)>,
    initialize: Option<Id>,
    initialize_answered: bool,
    initialized: bool,
    modern: bool,
    capabilities: Value,
    /// Whether the server gave the session an id.
    session: bool,
    heads: HashMap<Channel, (String, Headers)>,
    /// Whether two requests with one id were open: which of them is answered cannot be told.
    pub(super) confused: bool,
}

impl Duties {
    /// Of a client that has done nothing yet.
    pub fn new(transport: Transport) -> Self {
        Self { transport: Some(transport), ..Self::default() }
    }

    /// Takes in what happened; says how far the client has broken the rules with it.
    pub fn see(&mut self, record: &Record) -> Option<Taint> {
        match &record.event {
            Event::Sent { payload, .. } => self.sent(record, payload),
            Event::Received { payload: Payload::Message(message), .. } => {
                for part in message.parts() {
                    self.received(&part);
                }
                None
            }
            Event::RequestHead { method, headers, .. } => {
                self.heads.insert(record.channel, (method.clone(), headers.clone()));
                if method == "GET" {
                    self.accepts(record, headers, "client.http.accept-get", &["text/event-stream"]);
                }
                None
            }
            Event::ResponseHead { status, headers } => {
                self.session |= *status < 300 && header(headers, "mcp-session-id").is_some();
                None
            }
            Event::ResponseEnded(_) | Event::ConnectFailed(_) => {
                self.heads.remove(&record.channel);
                None
            }
            _ => None,
        }
    }

    /// The conversation is over.
    pub fn finish(self) -> Judge {
        self.judge
    }

    fn decide(
        &mut self,
        id: &'static str,
        good: bool,
        record: &Record,
        why: impl FnOnce() -> (&'static str, String),
    ) -> bool {
        self.judge.decide(id, good, || {
            let (class, text) = why();
            Breach::new(class, text).at(record)
        });
        good
    }

    fn sent(&mut self, record: &Record, payload: &Payload) -> Option<Taint> {
        let message = match payload {
            Payload::Message(message) => message,
            Payload::Raw { truncated: true, .. } => return None,
            Payload::Raw { bytes, error, .. } => {
                if bytes.iter().all(u8::is_ascii_whitespace) {
                    return Some(Taint::Nothing);
                }
                let utf8 = std::str::from_utf8(bytes).is_ok();
                self.decide("client.base.utf8", utf8, record, || {
                    ("bytes", "what was sent is no UTF-8".into())
                });
                let why = error.clone().unwrap_or_else(|| "it is no JSON text".to_owned());
                self.decide("client.base.valid-messages", false, record, || ("no-json", why));
                return Some(Taint::Message);
            }
        };
        self.decide("client.base.utf8", true, record, || ("", String::new()));
        let head = self.heads.get(&record.channel).cloned();
        if let Some((method, headers)) = &head
            && method == "POST"
            && self.transport == Some(Transport::Http)
        {
            self.posted(record, headers, message);
        }
        let batch = *message.kind() == Kind::Batch;
        let allowed = self.revision == Some(Revision::V2025_03_26) || self.revision.is_none();
        let mut good = self.decide("client.base.batch-not-sent", !batch || allowed, record, || {
            ("array", "an array was sent".to_owned())
        });
        for part in message.parts() {
            good &= self.message(record, &part, batch);
        }
        (!good).then_some(Taint::Message)
    }

    fn posted(&mut self, record: &Record, headers: &Headers, message: &Message) {
        self.accepts(record, headers, "client.http.accept-post", &["application/json", "text/event-stream"]);
        let initialize = message.method() == Some("initialize");
        if self.session && !initialize {
            let there = header(headers, "mcp-session-id").is_some();
            self.decide("client.http.session-header", there, record, || {
                ("missing", "the request has no `Mcp-Session-Id`, and the server gave one".to_owned())
            });
        }
        let modern = message_version(message).is_some();
        if modern || (self.initialize_answered && !initialize && self.revision >= Some(Revision::V2025_06_18))
        {
            let there = header(headers, "mcp-protocol-version").is_some();
            self.decide("client.http.version-header", there, record, || {
                ("missing", "the request has no `MCP-Protocol-Version`".to_owned())
            });
        }
    }

    fn accepts(&mut self, record: &Record, headers: &Headers, duty: &'static str, wanted: &[&str]) {
        if self.transport != Some(Transport::Http) {
            return;
        }
        let accept = header(headers, "accept").unwrap_or_default().to_ascii_lowercase();
        let good = wanted.iter().all(|media| accept.contains(media))
            || (duty.ends_with("get") && accept.contains("*/*"));
        self.decide(duty, good, record, || ("accept", format!("`Accept` is `{accept}`")));
    }

    /// Whether a message breaks no duty that makes its answer doubtful.
    fn message(&mut self, record: &Record, message: &Message, batch: bool) -> bool {
        let rpc = message.value().get("jsonrpc").and_then(Value::as_str) == Some("2.0");
        let kind = message.kind().clone();
        let mut good = match kind {
            Kind::NotAMessage(why) => {
                self.decide("client.base.valid-messages", false, record, || ("shape", why.to_owned()))
            }
            _ => self.decide("client.base.valid-messages", rpc, record, || {
                ("jsonrpc", "`jsonrpc` is not \"2.0\"".to_owned())
            }),
        };
        match kind {
            Kind::Request => good &= self.request(record, message, batch),
            Kind::Notification => self.notification(record, message),
            Kind::Result | Kind::Error => self.answer(record, message),
            Kind::Batch | Kind::NotAMessage(_) => {}
        }
        good
    }

    fn request(&mut self, record: &Record, message: &Message, batch: bool) -> bool {
        let (Some(id), Some(method)) = (message.id(), message.method()) else {
            return self.decide("client.base.valid-messages", false, record, || {
                ("method", "`method` is no string".to_owned())
            });
        };
        let mut good = self.decide("client.base.request-id", id.is_well_formed(), record, || {
            ("type", format!("the id is `{id}`"))
        });
        let notification = method.starts_with("notifications/");
        if notification {
            good &= self.decide("client.base.notification-no-id", false, record, || {
                ("id", format!("`{method}` has the id {id}"))
            });
        }
        let version = message_version(message);
        let modern = version.is_some();
        self.modern |= modern;
        let reused = if modern { self.open.contains(id) } else { self.used.contains(id) };
        good &= self.decide("client.base.request-id-unique", !reused, record, || {
            ("reused", format!("the id {id} was used before"))
        });
        self.confused |= !self.open.insert(id.clone());
        if self.used.insert(id.clone()) {
            self.order.push_back(id.clone());
            if self.order.len() > IDS
                && let Some(old) = self.order.pop_front()
            {
                self.used.remove(&old);
                self.open.remove(&old);
            }
        }
        if method == "initialize" {
            self.begins(record, message, batch);
        } else if !modern && method != "server/discover" {
            good &= self.legacy_order(record, method);
        }
        if modern || self.revision.is_some_and(|revision| revision.era() == Era::Modern) {
            let meta = message.params().and_then(|params| params.get("_meta"));
            let has = |name: &str| meta.is_some_and(|meta| meta.get(name).is_some());
            let named = modern && has("io.modelcontextprotocol/clientCapabilities");
            good &= self.decide("client.meta.request-metadata", named, record, || {
                ("missing", "`_meta` lacks the protocol version or the client's capabilities".to_owned())
            });
            let info = has("io.modelcontextprotocol/clientInfo");
            self.decide("client.meta.client-info", info, record, || {
                ("missing", "`_meta` does not name the client".to_owned())
            });
        }
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            self.revision = Some(version);
        }
        if let Some(token) = message.meta("progressToken") {
            let fine = token.is_string() || token.is_i64() || token.is_u64();
            good &= self.decide("client.progress.token", fine, record, || {
                ("type", format!("the progress token is `{token}`"))
            });
        }
        good
    }

    fn begins(&mut self, record: &Record, message: &Message, batch: bool) {
        let has = |name: &str| message.params().is_some_and(|params| params.get(name).is_some());
        let whole = ["protocolVersion", "capabilities", "clientInfo"].into_iter().all(has);
        self.decide("client.lifecycle.initialize-first", whole, record, || {
            ("members", "`initialize` lacks protocolVersion, capabilities or clientInfo".to_owned())
        });
        self.decide("client.base.batch-without-initialize", !batch, record, || {
            ("batch", "`initialize` stands in an array".to_owned())
        });
        self.initialize = message.id().cloned();
        (self.initialize_answered, self.initialized) = (false, false);
        self.capabilities =
            message.params().and_then(|params| params.get("capabilities")).cloned().unwrap_or_default();
    }

    fn legacy_order(&mut self, record: &Record, method: &str) -> bool {
        if self.modern && self.initialize.is_none() {
            return true;
        }
        if self.initialize.is_none() {
            return self.decide("client.lifecycle.initialize-first", false, record, || {
                ("order", format!("`{method}` came before `initialize`"))
            });
        }
        if method == "ping" {
            return true;
        }
        let answered = self.initialize_answered;
        let good = self.decide("client.lifecycle.no-early-requests", answered, record, || {
            ("order", format!("`{method}` came before the result of `initialize`"))
        });
        let initialized = self.initialized;
        good && self.decide("client.lifecycle.initialized-sent", initialized, record, || {
            ("order", format!("`{method}` came before `notifications/initialized`"))
        })
    }

    fn notification(&mut self, record: &Record, message: &Message) {
        self.decide("client.base.notification-no-id", true, record, || ("", String::new()));
        match message.method() {
            Some("notifications/initialized") => self.initialized = true,
            Some("notifications/cancelled") => {
                let target = message.params().and_then(|params| params.get("requestId"));
                let target = target.map(|target| Id::from_json(&target.to_string(), target));
                let begins = target.is_some() && target == self.initialize && !self.initialize_answered;
                self.decide("client.cancellation.not-initialize", !begins, record, || {
                    ("cancelled", "`initialize` was cancelled".to_owned())
                });
            }
            _ => {}
        }
    }

    fn answer(&mut self, record: &Record, message: &Message) {
        if self.revision.is_some_and(|revision| revision.era() == Era::Modern) {
            self.decide("client.base.no-responses", false, record, || {
                ("response", "a response was sent".to_owned())
            });
            return;
        }
        let Some(id) = message.id().filter(|id| !id.is_null()) else { return };
        let Some((method, answered)) = self.asked.get_mut(id) else {
            self.decide("client.base.server-request-answered", false, record, || {
                ("unknown", format!("no request of the server has the id {id}"))
            });
            return;
        };
        let (method, before) = (method.clone(), std::mem::replace(answered, true));
        self.decide("client.base.server-request-answered", !before, record, || {
            ("twice", format!("the request {id} was answered before"))
        });
        let capability = match method.as_str() {
            "sampling/createMessage" => "sampling",
            "roots/list" => "roots",
            "elicitation/create" => "elicitation",
            _ => "",
        };
        if self.capabilities.get(capability).is_some() {
            let refused = message.error_code() == Some(-32601);
            self.decide("client.capabilities.honest", !refused, record, || {
                ("refused", format!("`{capability}` was declared, and `{method}` is refused as unknown"))
            });
        }
        if method == "ping" {
            let empty = message.result().and_then(Value::as_object).is_some();
            self.decide("client.ping.answered", empty, record, || {
                ("answer", "a ping was not answered with a result".to_owned())
            });
        }
    }

    fn received(&mut self, message: &Message) {
        let Some(id) = message.id() else { return };
        match message.kind() {
            Kind::Request if self.asked.len() < IDS => {
                let method = message.method().unwrap_or_default().to_owned();
                self.asked.insert(id.clone(), (method, false));
            }
            Kind::Result | Kind::Error => {
                self.open.remove(id);
                if self.initialize.as_ref() == Some(id) && !self.initialize_answered {
                    let version = message.result().and_then(|result| result.get("protocolVersion"));
                    self.initialize_answered = message.result().is_some();
                    self.revision = version.and_then(Value::as_str).and_then(|version| version.parse().ok());
                }
            }
            _ => {}
        }
    }
}

/// The revision that a request names in its `_meta`.
fn message_version(message: &Message) -> Option<&str> {
    message.meta("io.modelcontextprotocol/protocolVersion")?.as_str()
}
