//! What was recorded in one revision, said in another. What has no counterpart there is not replayed, and told, message by
//! message.

use super::script::{Expected, Send, Sending, Session};
use crate::client::{capabilities, client_info, with_meta};
use crate::protocol::{Era, Id, Kind, Message, Revision};
use crate::transcript::RulePart;
use crate::wire::{Channel, Headers, Payload};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Members of results that only one era has.
pub(super) const ERA_MEMBERS: [&str; 5] = ["_meta", "resultType", "cacheScope", "ttlMs", "execution"];
/// Members of a request's `_meta` that only the modern era has.
const META: &str = "io.modelcontextprotocol/";

/// A message of the client that was not replayed, or is another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untranslated {
    /// The session, counted from 0.
    pub session: usize,
    /// The event in the recording.
    pub event: u64,
    /// The method, or what it was.
    pub method: String,
    /// Why.
    pub why: String,
}

/// What becomes of a message.
enum Fate {
    /// It is sent like this, and its answer is compared or not.
    Sent(Value, bool),
    /// It is not sent.
    Dropped(&'static str),
}

/// A session as it would be held in a revision.
pub(super) fn translate(number: usize, session: &Session, to: Revision) -> (Session, Vec<Untranslated>) {
    let from = session.era().unwrap_or(to.era());
    let mut translation = Translation { to, crosses: from != to.era(), level: None, opened: false };
    let mut told = Vec::new();
    let mut dropped = vec![false; session.sends.len()];
    let mut silent = vec![false; session.sends.len()];
    let mut sends: Vec<Send> = session.sends.clone();
    for (place, send) in sends.iter_mut().enumerate() {
        let (event, method) = (send.seq, send.name());
        let mut tell = |why: &str| {
            told.push(Untranslated { session: number, event, method: method.clone(), why: why.to_owned() });
        };
        let why = match &send.what {
            _ if send.answers.is_some() && translation.crosses => {
                Some("in the modern era a server asks inside its result, not by a request of its own")
            }
            Sending::Payload(Payload::Message(message)) => match translation.fate(message) {
                Fate::Sent(value, compared) => {
                    silent[place] = !compared;
                    if translation.crosses && !compared {
                        tell(match to.era() {
                            Era::Modern => "it is sent as `server/discover`; its answer is not compared",
                            Era::Legacy => "it is sent as `initialize`; its answer is not compared",
                        });
                    }
                    send.what = Sending::Payload(Payload::Message(Message::from_value(value)));
                    None
                }
                Fate::Dropped(why) => Some(why),
            },
            Sending::Listen | Sending::Delete if to.era() == Era::Modern && translation.crosses => {
                Some("in the modern era there is no session")
            }
            _ => None,
        };
        if let Some(why) = why {
            tell(why);
            dropped[place] = true;
        }
        if translation.crosses {
            send.headers = Headers::new();
        }
    }
    let mut translated = Session { sends, ..session.clone() };
    if !translation.crosses {
        return (translated, told);
    }
    for expected in &mut translated.expected {
        let owner = expected.owner.is_some_and(|owner| dropped[owner] || silent[owner]);
        // What one era says by a message of its own the other says elsewhere.
        let asked = expected.part == RulePart::Request;
        expected.compared &= !owner && !asked;
        if expected.owner.is_some_and(|owner| dropped[owner]) || asked {
            expected.owner = None;
        }
    }
    let mut session = translated.without(&dropped);
    if to.era() == Era::Legacy {
        open_legacy(&mut session, to, translation.opened);
    }
    session.bind();
    (session, told)
}

/// A legacy conversation begins with `initialize`, whatever the recording began with.
fn open_legacy(session: &mut Session, to: Revision, opened: bool) {
    let first = session.sends.first().map_or((0, Duration::ZERO), |send| (send.seq, send.at));
    let send = |value: Value, after: usize| Send {
        seq: first.0,
        at: first.1,
        channel: Channel::PROCESS,
        what: Sending::Payload(Payload::Message(Message::from_value(value))),
        after,
        answers: None,
        status: None,
        url: String::new(),
        headers: Headers::new(),
    };
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    if opened {
        // `server/discover` became `initialize`; what follows its answer is the end of the handshake.
        let after = session.expected.iter().position(|one| one.owner == Some(0)).map_or(0, |at| at + 1);
        session.insert(1, send(initialized, after));
    } else {
        session.insert(0, send(json!({"jsonrpc": "2.0", "id": "mcprove-initialize", "method": "initialize", "params": initialize(to)}), 0));
        let answer = Expected {
            seq: first.0,
            at: first.1,
            channel: Channel::PROCESS,
            message: Message::from_value(json!({"jsonrpc": "2.0", "id": "mcprove-initialize", "result": {}})),
            part: RulePart::Answer,
            method: "initialize".to_owned(),
            nth: 0,
            owner: Some(0),
            after_close: false,
            ends_subscription: false,
            compared: false,
        };
        session.expected.insert(0, answer);
        for send in &mut session.sends[1..] {
            send.after += 1;
            send.answers = send.answers.map(|ask| ask + 1);
        }
        session.insert(1, send(initialized, 1));
    }
}

fn initialize(to: Revision) -> Value {
    json!({"protocolVersion": to.as_str(), "capabilities": capabilities(to), "clientInfo": client_info()})
}

struct Translation {
    to: Revision,
    /// Whether the eras differ.
    crosses: bool,
    /// The level of the log that the client had set.
    level: Option<Value>,
    /// Whether an opening was among the messages.
    opened: bool,
}

impl Translation {
    fn fate(&mut self, message: &Message) -> Fate {
        let mut value = message.value().clone();
        if !self.crosses {
            self.name_revision(&mut value);
            return Fate::Sent(value, true);
        }
        if *message.kind() == Kind::Batch {
            return Fate::Dropped("a batch has no counterpart outside 2025-03-26");
        }
        let Some(method) = message.method() else {
            return Fate::Dropped("an answer to a request that the other era does not have");
        };
        match self.to.era() {
            Era::Modern => self.in_modern(method, message, value),
            Era::Legacy => self.in_legacy(method, message, &mut value),
        }
    }

    /// The same era: only the version is another.
    fn name_revision(&self, value: &mut Value) {
        for pointer in ["/params/protocolVersion", "/params/_meta/io.modelcontextprotocol~1protocolVersion"] {
            if let Some(version) = value.pointer_mut(pointer) {
                *version = self.to.as_str().into();
            }
        }
    }

    fn in_modern(&mut self, method: &str, message: &Message, mut value: Value) -> Fate {
        match method {
            "initialize" => {
                let id = message.id().map_or(Value::Null, id_value);
                let params = with_meta(json!({}), self.to.as_str());
                return Fate::Sent(
                    json!({"jsonrpc": "2.0", "id": id, "method": "server/discover", "params": params}),
                    false,
                );
            }
            "notifications/initialized" => return Fate::Dropped("the modern era has no handshake to end"),
            "ping" => return Fate::Dropped("the modern era has no `ping`"),
            "logging/setLevel" => {
                self.level = message.params().and_then(|params| params.get("level").cloned());
                return Fate::Dropped(
                    "in the modern era each request names its level in `_meta`; so do those that follow",
                );
            }
            "resources/subscribe" | "resources/unsubscribe" => {
                return Fate::Dropped("in the modern era `subscriptions/listen` takes its place");
            }
            "notifications/roots/list_changed" => {
                return Fate::Dropped("the modern era asks for roots inside a result, when it needs them");
            }
            method if method.starts_with("tasks/") => {
                return Fate::Dropped("tasks are an extension in the modern era, with other messages");
            }
            _ => {}
        }
        if *message.kind() == Kind::Request {
            let params = value.get("params").cloned().unwrap_or_else(|| json!({}));
            let mut params = with_meta(params, self.to.as_str());
            if let Some(level) = &self.level {
                params["_meta"]["io.modelcontextprotocol/logLevel"] = level.clone();
            }
            value["params"] = params;
        }
        Fate::Sent(value, true)
    }

    fn in_legacy(&mut self, method: &str, message: &Message, value: &mut Value) -> Fate {
        match method {
            "server/discover" if !self.opened => {
                self.opened = true;
                let id = message.id().map_or(Value::Null, id_value);
                let params = initialize(self.to);
                return Fate::Sent(
                    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}),
                    false,
                );
            }
            "server/discover" => {
                return Fate::Dropped("a legacy server says what it is in its handshake only");
            }
            "subscriptions/listen" => {
                return Fate::Dropped(
                    "a legacy server sends changes by itself, and to `resources/subscribe`",
                );
            }
            method if method.starts_with("tasks/") => {
                return Fate::Dropped("the tasks of 2025-11-25 have other messages");
            }
            _ => {}
        }
        let answers_input =
            |params: &Value| params.get("inputResponses").is_some() || params.get("requestState").is_some();
        if message.params().is_some_and(answers_input) {
            return Fate::Dropped(
                "a legacy server asks by requests of its own, and is not answered by a second call",
            );
        }
        if let Some(params) = value.get_mut("params").and_then(Value::as_object_mut) {
            let empty = params.get_mut("_meta").and_then(Value::as_object_mut).is_some_and(|meta| {
                meta.retain(|name, _| !name.starts_with(META));
                meta.is_empty()
            });
            if empty {
                params.remove("_meta");
            }
        }
        Fate::Sent(value.clone(), true)
    }
}

fn id_value(id: &Id) -> Value {
    serde_json::from_str(id.as_json()).unwrap_or(Value::Null)
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
