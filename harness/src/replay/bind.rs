//! Values that the server mints and the client sends back: session handles, cursors, request states, URIs, task ids. In a
//! recording they are found by where they came from: what the client sent and the server had said first. In a replay
//! they are what now stands at that place.

use super::script::{Expected, Send, Sending, Session};
use crate::protocol::Message;
use crate::transcript::is_placeholder;
use crate::wire::Payload;
use serde_json::Value;
use std::collections::HashMap;

/// Members of a client's message whose value is the server's by the protocol, however it looks.
const OPAQUE: [&str; 5] = ["cursor", "nextCursor", "requestState", "taskId", "elicitationId"];
/// Integers from here on may be handles; smaller ones are the same by chance too often.
const LARGE: u64 = 1000;
/// How many characters before a word tell its place in a text that has changed.
const CONTEXT: usize = 24;

/// Where the values come from that the client sends back.
#[derive(Debug, Clone, Default)]
pub(super) struct Bonds {
    by_send: HashMap<usize, Vec<Bond>>,
}

/// A value of a client's message that the server had said first.
#[derive(Debug, Clone, PartialEq)]
struct Bond {
    value: Handle,
    source: Source,
    /// Whether the value is opaque by the protocol.
    opaque: bool,
}

/// A value of a client's message with the place where the server said it first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// The value in the recording; a number as its text.
    pub(crate) was: &'a str,
    /// Which of the expected messages said it.
    pub(crate) expected: usize,
    /// Where in that message.
    pub(crate) pointer: &'a str,
    /// Of a word: which of how many in the text it was, and the text before it.
    pub(crate) word: Option<&'a (usize, usize, String)>,
}

/// What is bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Handle {
    /// A whole text.
    Text(String),
    /// A word in a text.
    Word(String),
    /// An integer.
    Number(String),
}

/// Where a value stood first.
#[derive(Debug, Clone, PartialEq)]
struct Source {
    expected: usize,
    pointer: String,
    /// Of a word: which of how many it was, and the text before it.
    word: Option<(usize, usize, String)>,
}

impl Bonds {
    /// The messages of the server from which a send has values.
    pub(super) fn sources(&self, send: usize) -> impl Iterator<Item = usize> + '_ {
        self.by_send.get(&send).into_iter().flatten().map(|bond| bond.source.expected)
    }
}

impl Bonds {
    /// The values of a send that come from the server.
    pub(super) fn of(&self, send: usize) -> impl Iterator<Item = Bound<'_>> {
        self.by_send.get(&send).into_iter().flatten().map(|Bond { value, source, .. }| Bound {
            was: value.as_str(),
            expected: source.expected,
            pointer: &source.pointer,
            word: source.word.as_ref(),
        })
    }

    /// The values that another server, or the same one at another time, gives other names.
    pub(super) fn minted(&self) -> impl Iterator<Item = &str> {
        let bonds = self.by_send.values().flatten();
        let minted = bonds.filter(|bond| bond.opaque || looks_minted(bond.value.as_str()));
        minted.map(|bond| bond.value.as_str())
    }
}

/// A place in a message of the server.
type Minted = (usize, String);

/// What recorded values are called in the conversation that goes on now.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// The recorded value, the live one, and where it was minted unless that place may differ in silence.
    known: Vec<(String, String, Option<Minted>)>,
}

impl Names {
    /// Takes in what a send needs; `live` are the messages that have come in the place of those that the session
    /// `expects`. Returns the values for which nothing was found.
    pub(super) fn learn(&mut self, session: &Session, send: usize, live: &[Option<Message>]) -> Vec<String> {
        let mut lost = Vec::new();
        for Bond { value, source, opaque } in session.bonds.by_send.get(&send).into_iter().flatten() {
            let recorded = value.as_str();
            if self.known.iter().any(|(known, ..)| known == recorded) {
                continue;
            }
            let Some(message) = live.get(source.expected).and_then(Option::as_ref) else {
                lost.push(recorded.to_owned());
                continue;
            };
            let now = source.now(message.value());
            // What has only moved keeps its name: at its place stands something that was known before, too, or a word
            // that nobody made up.
            let is_new = |now: &String| {
                let recorded = session.expected.get(source.expected).map(|expected| expected.message.value());
                (source.word.is_none() || looks_minted(now))
                    && !recorded.is_some_and(|recorded| value.with(now).is_in(recorded))
            };
            if now.as_deref() == Some(recorded)
                || value.is_in(message.value()) && !now.as_ref().is_some_and(is_new)
            {
                continue;
            }
            match now {
                Some(now) => {
                    let silent = *opaque || is_placeholder(recorded) || alike(recorded, &now);
                    let place = (!silent).then(|| (source.expected, source.pointer.clone()));
                    self.known.push((recorded.to_owned(), now, place));
                    self.known.sort_by_key(|(known, ..)| std::cmp::Reverse(known.len()));
                }
                None => lost.push(recorded.to_owned()),
            }
        }
        lost
    }

    /// A recorded text as it has to be now: every recorded value that stands in it as a word of its own is the one of now,
    /// the longest first, and what has been put in is not looked at again.
    pub(super) fn put(&self, text: &str) -> String {
        if let Some((_, now, _)) = self.known.iter().find(|(recorded, ..)| text == recorded) {
            return now.clone();
        }
        let mut put = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            match self.known.iter().find(|(recorded, ..)| stands_at(text, at, recorded)) {
                Some((recorded, now, _)) => {
                    put.push_str(now);
                    at += recorded.len();
                }
                None => {
                    put.push(next);
                    at += next.len_utf8();
                }
            }
        }
        put
    }

    /// A recorded value as it has to be now.
    pub(super) fn put_value(&self, value: &mut Value) {
        if self.known.is_empty() {
            return;
        }
        match value {
            Value::String(text) => *text = self.put(text),
            Value::Number(number) => {
                let text = number.to_string();
                let now = self.known.iter().find(|(recorded, ..)| *recorded == text);
                if let Some(now) = now.and_then(|(_, now, _)| now.parse::<i64>().ok()) {
                    *value = now.into();
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.put_value(element)),
            Value::Object(members) => members.values_mut().for_each(|member| self.put_value(member)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Whether a recorded value and a live one are the same but for what the server calls things now. Where a value
    /// that is no handle by its looks was minted, it is not.
    pub(super) fn same(&self, expected: usize, pointer: &str, recorded: &Value, live: &Value) -> bool {
        if self.known.is_empty() {
            return false;
        }
        let here = |place: &Option<Minted>| {
            place.as_ref().is_some_and(|(at, path)| *at == expected && path == pointer)
        };
        if self.known.iter().any(|(.., place)| here(place)) {
            return false;
        }
        let mut renamed = recorded.clone();
        self.put_value(&mut renamed);
        renamed == *live
    }

    /// How many values are called otherwise now.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl Handle {
    fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Word(text) | Self::Number(text) => text,
        }
    }

    /// Another value of this kind.
    fn with(&self, value: &str) -> Self {
        match self {
            Self::Text(_) => Self::Text(value.to_owned()),
            Self::Word(_) => Self::Word(value.to_owned()),
            Self::Number(_) => Self::Number(value.to_owned()),
        }
    }

    /// Whether a message has this value anywhere.
    fn is_in(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(own), Value::String(text)) => own == text,
            (Self::Word(own), Value::String(text)) => words(text).any(|(_, word)| own == word),
            (Self::Number(own), Value::Number(number)) => *own == number.to_string(),
            (_, Value::Array(elements)) => elements.iter().any(|element| self.is_in(element)),
            (_, Value::Object(members)) => members.values().any(|member| self.is_in(member)),
            _ => false,
        }
    }
}

impl Source {
    /// What stands there now.
    fn now(&self, live: &Value) -> Option<String> {
        let value = live.pointer(&self.pointer)?;
        let Some((index, count, before)) = &self.word else {
            return match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
        };
        let text = value.as_str()?;
        if words(text).count() == *count {
            return words(text).nth(*index).map(|(_, word)| word.to_owned());
        }
        let at = text.find(before.as_str()).filter(|_| !before.is_empty())? + before.len();
        words(&text[at..]).next().filter(|(start, _)| *start == 0).map(|(_, word)| word.to_owned())
    }
}

/// Whether a character is one of a word.
fn inside(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Whether a recorded value stands at a place in a text, as a word of its own.
pub(crate) fn stands_at(text: &str, at: usize, recorded: &str) -> bool {
    recorded.len() >= 4 && text[at..].starts_with(recorded) && stands_alone(text, at, at + recorded.len())
}

/// Whether a part of a text neither begins nor ends within a word.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let (part, before, after) = (&text[start..end], &text[..start], &text[end..]);
    let cut = |one: Option<char>, other: Option<char>| one.is_some_and(inside) && other.is_some_and(inside);
    !cut(before.chars().next_back(), part.chars().next())
        && !cut(part.chars().next_back(), after.chars().next())
}

/// The words of a text with their places: runs of letters, digits, `_` and `-`.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(inside)?;
        let end = text[start..].find(|c| !inside(c)).map_or(text.len(), |length| start + length);
        at = end;
        Some((start, &text[start..end]))
    })
}

/// Whether a word looks as if a machine had made it up.
fn looks_minted(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let mixed = word.bytes().any(|b| b.is_ascii_lowercase()) && word.bytes().any(|b| b.is_ascii_uppercase());
    (word.len() >= 6 && digits > 0 && letters > 0) || digits >= 6 || (word.len() >= 20 && mixed)
}

/// Whether two texts are the same but for words that both look made up, and as long.
fn alike(recorded: &str, now: &str) -> bool {
    let skeleton = |text: &str| {
        let mut plain = text.to_owned();
        for (start, word) in words(text).collect::<Vec<_>>().into_iter().rev() {
            if looks_minted(word) {
                plain.replace_range(start..start + word.len(), "\u{1}");
            }
        }
        plain
    };
    let lengths = recorded.len().abs_diff(now.len()) <= 4 + recorded.len() / 4;
    lengths && skeleton(recorded).contains('\u{1}') && skeleton(recorded) == skeleton(now)
}

/// Finds what of the client's messages the server had said first.
pub(super) fn bonds(sends: &[Send], expected: &[Expected]) -> Bonds {
    let mut wanted: Vec<(usize, Handle, bool)> = Vec::new();
    let mut first: HashMap<String, u64> = HashMap::new();
    for (number, send) in sends.iter().enumerate() {
        let Sending::Payload(Payload::Message(whole)) = &send.what else { continue };
        for message in whole.parts() {
            for top in ["params", "result"] {
                let Some(value) = message.value().get(top) else { continue };
                each_leaf(value, &mut format!("/{top}"), &mut |pointer, leaf| {
                    said(leaf, |text| {
                        first.entry(text).or_insert(send.seq);
                    });
                    if !is_the_clients_own(pointer, message.method().unwrap_or_default()) {
                        handles(pointer, leaf, |handle, opaque| wanted.push((number, handle, opaque)));
                    }
                });
            }
        }
    }
    let mut sources: HashMap<Handle, Option<Source>> =
        wanted.iter().map(|(_, handle, _)| (handle.clone(), None)).collect();
    for (place, said) in expected.iter().enumerate() {
        if sources.is_empty() {
            break;
        }
        each_leaf(said.message.value(), &mut String::new(), &mut |pointer, leaf| {
            if pointer == "/id" {
                return;
            }
            let mut find = |handle: Handle, word: Option<(usize, usize, String)>| {
                let earlier = first.get(handle.as_str()).is_none_or(|at| said.seq < *at);
                if let Some(source @ None) = sources.get_mut(&handle)
                    && earlier
                {
                    *source = Some(Source { expected: place, pointer: pointer.to_owned(), word });
                }
            };
            match leaf {
                Value::String(text) => {
                    find(Handle::Text(text.clone()), None);
                    let count = words(text).count();
                    for (index, (start, word)) in words(text).enumerate() {
                        let before = text.floor_char_boundary(start.saturating_sub(CONTEXT));
                        let place = (index, count, text[before..start].to_owned());
                        find(Handle::Word(word.to_owned()), Some(place.clone()));
                        // A whole text of the client may be a word of the server's, or of its message.
                        find(Handle::Text(word.to_owned()), Some(place));
                    }
                }
                Value::Number(number) => find(Handle::Number(number.to_string()), None),
                _ => {}
            }
        });
    }
    let mut bonds = Bonds::default();
    for (number, value, opaque) in wanted {
        let Some(Some(source)) = sources.get(&value) else { continue };
        if expected[source.expected].seq < sends[number].seq {
            let bond = Bond { value, source: source.clone(), opaque };
            let own = bonds.by_send.entry(number).or_default();
            if !own.contains(&bond) {
                own.push(bond);
            }
        }
    }
    bonds
}

/// What a client chooses by itself, or names in the server's stead: names are no handles.
fn is_the_clients_own(pointer: &str, method: &str) -> bool {
    let own = ["/params/clientInfo", "/params/capabilities", "/params/_meta/io.modelcontextprotocol~1client"];
    let named = [
        "/params/name",
        "/params/level",
        "/params/ref/name",
        "/params/argument/name",
        "/params/protocolVersion",
    ];
    let meta = ["/params/_meta/progressToken", "/params/_meta/io.modelcontextprotocol~1protocolVersion"];
    let cancelled = method == "notifications/cancelled" && pointer == "/params/requestId";
    cancelled
        || own.iter().any(|start| pointer.starts_with(start))
        || named.contains(&pointer)
        || meta.contains(&pointer)
}

/// What the client says with a value: the whole, and its words.
fn said(leaf: &Value, mut say: impl FnMut(String)) {
    match leaf {
        Value::String(text) => {
            say(text.clone());
            words(text).for_each(|(_, word)| say(word.to_owned()));
        }
        Value::Number(number) => say(number.to_string()),
        _ => {}
    }
}

/// What in a value of the client may be of the server, and whether it is by the protocol.
fn handles(pointer: &str, leaf: &Value, mut found: impl FnMut(Handle, bool)) {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    match leaf {
        Value::String(text) => {
            let opaque = OPAQUE.contains(&last);
            let minted = words(text).any(|(_, word)| looks_minted(word));
            if opaque || last == "uri" || minted || is_placeholder(text) {
                found(Handle::Text(text.clone()), opaque);
            }
            for (_, word) in words(text).filter(|(_, word)| looks_minted(word) && *word != text) {
                found(Handle::Word(word.to_owned()), false);
            }
        }
        Value::Number(number) if number.as_i64().is_some_and(|n| n.unsigned_abs() >= LARGE) => {
            found(Handle::Number(number.to_string()), false);
        }
        _ => {}
    }
}

/// Calls for every value that has none below it, with its JSON pointer.
pub(super) fn each_leaf(value: &Value, pointer: &mut String, take: &mut dyn FnMut(&str, &Value)) {
    let length = pointer.len();
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                each_leaf(element, pointer, take);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                step(pointer, name);
                each_leaf(member, pointer, take);
                pointer.truncate(length);
            }
        }
        leaf => take(pointer, leaf),
    }
}

/// Adds the name of a member to a JSON pointer.
pub(super) fn step(pointer: &mut String, name: &str) {
    pointer.push('/');
    if name.contains(['~', '/']) {
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    } else {
        pointer.push_str(name);
    }
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
