//! What makes a message of the client the same as a recorded one.

use crate::protocol::{Kind, Message};
use serde_json::Value;
use std::collections::HashMap;

/// Members of `_meta` that differ from one sending to the next and change no answer.
const VARYING: [&str; 4] = ["progressToken", "traceparent", "tracestate", "baggage"];

/// How closely a message has to be like a recorded one, closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Likeness {
    /// The same parameters, save for what varies in `_meta`.
    Same,
    /// The same parameters but for `_meta`.
    Alike,
    /// The same tool, prompt, resource, task, or argument to complete.
    Named,
    /// The same method, where it names nothing.
    Method,
}

/// A message of the client, as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The method; empty for what is no message.
    pub(super) method: String,
    /// Whether it is a request. A notification is never one, even of the same method.
    pub(super) request: bool,
    same: String,
    alike: String,
    /// What it names, if its parameters name anything.
    pub(super) name: Option<String>,
}

impl Key {
    /// The key of a message.
    pub(super) fn of(message: &Message) -> Self {
        let Some(method) = message.method().filter(|_| !matches!(message.kind(), Kind::NotAMessage(_)))
        else {
            return Self::of_bytes(message.text().as_bytes());
        };
        let mut params = message.params().cloned().unwrap_or(Value::Null);
        let name = name(&params);
        if let Some(Value::Object(meta)) = params.get_mut("_meta") {
            VARYING.iter().for_each(|member| drop(meta.remove(*member)));
        }
        let same = canonical(&params);
        if let Some(members) = params.as_object_mut() {
            members.remove("_meta");
        }
        let alike = canonical(&params);
        let request = *message.kind() == Kind::Request;
        Self { method: method.to_owned(), request, same, alike, name }
    }

    /// The key of what is no message: the bytes themselves.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self { method: String::new(), request: true, same: text.clone(), alike: text, name: None }
    }

    fn at(&self, likeness: Likeness) -> Option<Entry> {
        let text = match likeness {
            Likeness::Same => self.same.clone(),
            Likeness::Alike => self.alike.clone(),
            Likeness::Named => self.name.clone()?,
            Likeness::Method if self.name.is_none() && !self.method.is_empty() => String::new(),
            Likeness::Method => return None,
        };
        Some(Entry { likeness, request: self.request, method: self.method.clone(), text })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Entry {
    likeness: Likeness,
    request: bool,
    method: String,
    text: String,
}

/// Finds recorded messages by their keys.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Entry, Vec<usize>>);

impl Index {
    /// Adds a recorded message. What was never answered is only found by its own parameters.
    pub(super) fn add(&mut self, key: &Key, place: usize, answered: bool) {
        for likeness in [Likeness::Same, Likeness::Alike, Likeness::Named, Likeness::Method] {
            let close = matches!(likeness, Likeness::Same | Likeness::Alike);
            if let Some(entry) = key.at(likeness).filter(|_| close || answered || !key.request) {
                self.0.entry(entry).or_default().push(place);
            }
        }
    }

    /// The recorded messages that a message is like, by the closest likeness that any has; in the order of the recording.
    pub(super) fn like(&self, key: &Key) -> Option<&[usize]> {
        [Likeness::Same, Likeness::Alike, Likeness::Named, Likeness::Method]
            .into_iter()
            .find_map(|likeness| self.0.get(&key.at(likeness)?).map(Vec::as_slice))
    }

    /// Whether a request of this method was recorded.
    pub(super) fn knows(&self, method: &str) -> bool {
        self.0.keys().any(|entry| entry.request && entry.method == method)
    }
}

/// What parameters name: a tool, a prompt, a resource, a task, or the argument to be completed.
fn name(params: &Value) -> Option<String> {
    let text = |name: &str| params.get(name)?.as_str().map(str::to_owned);
    text("name").or_else(|| text("uri")).or_else(|| text("taskId")).or_else(|| {
        let argument = params.pointer("/argument/name").unwrap_or(&Value::Null);
        Some(format!("{} {}", canonical(params.get("ref")?), canonical(argument)))
    })
}

/// A JSON text that is the same for equal values, in whatever order their members stand.
fn canonical(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(method: &str, params: Value) -> Key {
        Key::of(&Message::from_value(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})))
    }

    #[test]
    fn the_closest_likeness_counts() {
        let mut index = Index::default();
        let call = |text: &str, token: Value| {
            key(
                "tools/call",
                json!({"name": "echo", "arguments": {"text": text}, "_meta": {"progressToken": token}}),
            )
        };
        index.add(&call("a", json!(1)), 0, true);
        index.add(&call("b", json!(2)), 1, true);
        index.add(&key("tools/list", json!({})), 2, true);
        index.add(&key("tools/call", json!({"name": "slow"})), 3, false);
        assert_eq!(index.like(&call("b", json!("x"))), Some(&[1][..]), "whatever the token");
        let reordered = json!({"arguments": {"text": "a"}, "name": "echo"});
        assert_eq!(
            index.like(&key("tools/call", reordered)),
            Some(&[0][..]),
            "in any order, without `_meta`"
        );
        assert_eq!(index.like(&call("c", json!(1))), Some(&[0, 1][..]), "by the tool");
        assert_eq!(index.like(&key("tools/call", json!({"name": "other"}))), None, "no other tool's answer");
        assert_eq!(index.like(&key("tools/list", json!({"cursor": "x"}))), Some(&[2][..]), "by the method");
        assert_eq!(index.like(&key("tools/call", json!({"name": "slow"}))), Some(&[3][..]));
        assert_eq!(index.like(&key("tools/call", json!({"name": "slow", "arguments": {}}))), None);
        assert!(index.knows("tools/call") && !index.knows("ping"));
    }

    #[test]
    fn what_is_completed_is_a_name() {
        let params = |argument: &str, value: &str| json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": argument, "value": value}});
        let of = |argument, value| key("completion/complete", params(argument, value)).name;
        assert_eq!(of("a", "x"), of("a", "y"));
        assert_ne!(of("a", "x"), of("b", "x"));
    }

    #[test]
    fn a_notification_is_no_request() {
        let mut index = Index::default();
        index.add(&key("ping", Value::Null), 0, true);
        let notification = Key::of(&Message::from_value(json!({"jsonrpc": "2.0", "method": "ping"})));
        assert_eq!(index.like(&notification), None);
        assert_eq!(index.like(&Key::of_bytes(b"{")), None);
    }
}
