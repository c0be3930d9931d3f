//! JSON-RPC messages that keep what was really received.

use super::id::Id;
use super::json::{self, Notes};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// A JSON text that crossed the wire, classified as JSON-RPC 2.0 does. The text stays as it was; unknown
/// members, duplicate members and the writing of numbers are not lost.
#[derive(Debug, Clone)]
pub struct Message(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: Box<str>,
    value: Value,
    kind: Kind,
    id: Option<Id>,
    notes: Notes,
    places: Places,
}

/// Where in the message its members stand: every rule asks for them, and looking them up by name takes long.
#[derive(Debug, Clone, Copy)]
struct Places {
    id: u8,
    method: u8,
    params: u8,
    result: u8,
    error: u8,
    /// Whether the result is null beside an error.
    null_result: bool,
}

impl Places {
    /// There is no such member.
    const ABSENT: u8 = u8::MAX;
    /// It is not among the first.
    const FAR: u8 = u8::MAX - 1;
    /// How many members are the first.
    const NEAR: u8 = 8;

    fn of(value: &Value) -> Self {
        let none = Self::ABSENT;
        let mut places =
            Self { id: none, method: none, params: none, result: none, error: none, null_result: false };
        let Value::Object(members) = value else { return places };
        for (place, name) in (0..Self::FAR).zip(members.keys()) {
            let place = if place < Self::NEAR { place } else { Self::FAR };
            match name.as_str() {
                "id" => places.id = place,
                "method" => places.method = place,
                "params" => places.params = place,
                "result" => places.result = place,
                "error" => places.error = place,
                _ => {}
            }
        }
        if members.len() >= usize::from(Self::FAR) {
            let far = |name: &str| if members.contains_key(name) { Self::FAR } else { none };
            places = Self {
                id: far("id"),
                method: far("method"),
                params: far("params"),
                result: far("result"),
                error: far("error"),
                null_result: false,
            };
        }
        places.null_result = places.result != none && places.error != none && null_beside_error(value);
        places
    }
}

/// What a JSON text is to JSON-RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Has `method` and `id`.
    Request,
    /// Has `method` and no `id`.
    Notification,
    /// Has `result`.
    Result,
    /// Has `error`.
    Error,
    /// An array: a batch in 2025-03-26, no message anywhere else.
    Batch,
    /// Valid JSON that is no JSON-RPC message, and why.
    NotAMessage(&'static str),
}

impl Message {
    /// Reads one JSON text.
    ///
    /// # Errors
    /// When the bytes are no JSON text by RFC 8259 in UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, json::Error> {
        let parsed = json::parse(bytes)?;
        let text: Box<str> = std::str::from_utf8(bytes)
            .map_err(|error| json::Error::utf8(error.valid_up_to()))?
            .trim_matches([' ', '\t', '\r', '\n'])
            .into();
        Ok(Self::assemble(text, parsed.value, parsed.notes))
    }

    /// A message of our own from a value; its text is the compact serialization.
    pub fn from_value(value: Value) -> Self {
        Self::assemble(value.to_string().into(), value, Notes::default())
    }

    fn assemble(text: Box<str>, value: Value, notes: Notes) -> Self {
        let places = Places::of(&value);
        let kind = classify(&value, places);
        let id = member(&value, places.id, "id").map(|id| match id {
            // There is one way to write these; looking for the place takes a whole pass.
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Id::from_json(&number.to_string(), id)
            }
            Value::String(string) if !text.contains('\\') => Id::from_json(&format!("\"{string}\""), id),
            _ => {
                let raw = json::locate(&text, "/id").and_then(|range| text.get(range));
                Id::from_json(raw.unwrap_or("null"), id)
            }
        });
        Self(Arc::new(Parsed { text, value, kind, id, notes, places }))
    }

    /// The JSON text, without surrounding white space.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The parsed value. Where a member stands twice the last one counts, as most parsers do.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// What it is to JSON-RPC.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// What a plain parse would have lost.
    pub fn notes(&self) -> &Notes {
        &self.0.notes
    }

    /// The `id` member, of whatever type; `None` when there is no such member.
    pub fn id(&self) -> Option<&Id> {
        self.0.id.as_ref()
    }

    /// The `method` member, when it is a string.
    pub fn method(&self) -> Option<&str> {
        self.member(self.0.places.method, "method").and_then(Value::as_str)
    }

    /// The `params` member.
    pub fn params(&self) -> Option<&Value> {
        self.member(self.0.places.params, "params")
    }

    /// A member of `_meta` in the parameters.
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.params()?.get("_meta")?.get(name)
    }

    /// The `result` member. Null beside an error is none: old libraries write both members always.
    pub fn result(&self) -> Option<&Value> {
        self.member(self.0.places.result, "result").filter(|_| !self.0.places.null_result)
    }

    /// Whether both `result` and `error` are there, whatever they are.
    pub fn has_both(&self) -> bool {
        self.member(self.0.places.result, "result").is_some() && self.error().is_some()
    }

    /// The `error` member.
    pub fn error(&self) -> Option<&Value> {
        self.member(self.0.places.error, "error")
    }

    fn member(&self, place: u8, name: &str) -> Option<&Value> {
        member(&self.0.value, place, name)
    }

    /// The code of the error, when it is an integer.
    pub fn error_code(&self) -> Option<i64> {
        self.error()?.get("code")?.as_i64()
    }

    /// The messages in it: itself, or the elements of a batch.
    pub fn parts(&self) -> Vec<Message> {
        if self.0.kind != Kind::Batch {
            return vec![self.clone()];
        }
        let Some(ranges) = json::elements(&self.0.text) else { return vec![self.clone()] };
        ranges.into_iter().filter_map(|range| Self::parse(self.0.text.get(range)?.as_bytes()).ok()).collect()
    }

    /// Where in the text the value at a JSON pointer stands.
    pub fn locate(&self, pointer: &str) -> Option<Range<usize>> {
        json::locate(&self.0.text, pointer)
    }

    /// About how many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        size_of::<Self>() + size_of::<Parsed>() + self.0.text.len() + footprint(&self.0.value)
    }

    /// Whether it answers a request: a result or an error.
    pub fn is_response(&self) -> bool {
        matches!(self.0.kind, Kind::Result | Kind::Error)
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

/// A member of a message, by its place or by its name.
fn member<'a>(value: &'a Value, place: u8, name: &str) -> Option<&'a Value> {
    match place {
        Places::ABSENT => None,
        Places::FAR => value.get(name),
        near => value.as_object()?.values().nth(usize::from(near)),
    }
}

/// What a value holds on the heap, about.
fn footprint(value: &Value) -> usize {
    const ALLOCATION: usize = 16;
    // A string, a value, a hash and a place in the table.
    const MEMBER: usize = size_of::<String>() + size_of::<Value>() + 32;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => ALLOCATION + text.len(),
        Value::Array(elements) => {
            ALLOCATION
                + elements.capacity() * size_of::<Value>()
                + elements.iter().map(footprint).sum::<usize>()
        }
        Value::Object(members) => {
            let each = |(name, value): (&String, &Value)| MEMBER + ALLOCATION + name.len() + footprint(value);
            // The table and the list of members grow by doubling, from four.
            3 * ALLOCATION
                + MEMBER * 4_usize.saturating_sub(members.len())
                + members.iter().map(each).sum::<usize>()
        }
    }
}

/// Whether a result of null stands beside an error.
fn null_beside_error(value: &Value) -> bool {
    value.get("result").is_some_and(Value::is_null) && value.get("error").is_some_and(Value::is_object)
}

fn classify(value: &Value, places: Places) -> Kind {
    match value {
        Value::Object(_) => {}
        Value::Array(_) => return Kind::Batch,
        _ => return Kind::NotAMessage("it is no JSON object"),
    }
    let there = |place| place != Places::ABSENT;
    match (there(places.method), there(places.id), there(places.result), there(places.error)) {
        (true, true, false, false) => Kind::Request,
        (true, false, false, false) => Kind::Notification,
        (true, _, _, _) => Kind::NotAMessage("it has `method` beside `result` or `error`"),
        (false, _, true, true) if places.null_result => Kind::Error,
        (false, _, true, _) => Kind::Result,
        (false, _, false, true) => Kind::Error,
        (false, _, false, false) => Kind::NotAMessage("it has neither `method` nor `result` nor `error`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        Message::parse(text.as_bytes()).unwrap().kind().clone()
    }

    #[test]
    fn kinds() {
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), Kind::Request);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"x"}"#), Kind::Notification);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Kind::Result);
        assert_eq!(kind(r#"{"id":1,"error":{}}"#), Kind::Error);
        assert_eq!(kind(r#"{"id":1,"result":null,"error":{}}"#), Kind::Error);
        assert_eq!(kind(r#"{"id":1,"result":{},"error":null}"#), Kind::Result);
        assert_eq!(kind("[]"), Kind::Batch);
        assert!(matches!(kind("3"), Kind::NotAMessage(_)));
        assert!(matches!(kind(r#"{"id":1}"#), Kind::NotAMessage(_)));
    }

    #[test]
    fn the_writing_of_an_id_is_kept() {
        let message = Message::parse(br#"{"id": 9007199254740993 ,"result":{}}"#).unwrap();
        assert_eq!(message.id().unwrap().as_json(), "9007199254740993");
        let message = Message::parse(br#"{"id":1.0,"result":{}}"#).unwrap();
        assert_eq!(message.id().unwrap().as_json(), "1.0");
        assert!(!message.id().unwrap().is_well_formed());
    }

    #[test]
    fn members_are_found_wherever_they_stand() {
        for more in [0, 3, 8, 300] {
            let fill: String = (0..more).fold(String::new(), |fill, n| fill + &format!("\"x{n}\":{n},"));
            let text = format!("{{{fill}\"params\":[1],\"method\":\"m\"}}");
            let message = Message::parse(text.as_bytes()).unwrap();
            assert_eq!((message.method(), message.params()), (Some("m"), message.value().get("params")));
            assert!(message.params().is_some() && message.result().is_none() && message.error().is_none());
        }
    }

    #[test]
    fn a_batch_has_parts() {
        let batch = Message::parse(br#"[{"id":1,"result":{}}, 7]"#).unwrap();
        let parts = batch.parts();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].id(), Some(&Id::number(1)));
        assert!(matches!(parts[1].kind(), Kind::NotAMessage(_)));
    }
}
