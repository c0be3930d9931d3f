//! What looks like a secret, in any text that crossed.

use super::record::Record;
use super::redact::names_a_secret;
use super::tokens::{token_starts, tokens};
use crate::wire::{Event, Headers, Payload};
use aho_corasick::AhoCorasick;
use memchr::memmem;
use serde_json::Value;
use std::sync::OnceLock;

/// What a text contains, in any case, if a member in it is named like a secret.
const NAMES: [&[u8]; 7] = [b"oken", b"ecret", b"assw", b"assphrase", b"redential", b"uthorization", b"ey\""];

/// How a private key in PEM begins, at its end.
const KEY: &[u8] = b"PRIVATE KEY-----";

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What it looks like.
    pub what: String,
    /// The value.
    pub value: String,
    /// Where it stands: a header, or a JSON pointer.
    pub place: String,
}

/// Finds in one pass what a text without secrets does not have.
fn signs() -> &'static AhoCorasick {
    static SIGNS: OnceLock<AhoCorasick> = OnceLock::new();
    SIGNS.get_or_init(|| {
        AhoCorasick::new(token_starts().chain(NAMES.iter().copied().chain([KEY])))
            .expect("a few short patterns are within all limits")
    })
}

/// What looks like a secret in an event.
pub fn suspects(record: &Record) -> Vec<Suspect> {
    let mut found = Vec::new();
    match &record.event {
        Event::Sent { payload, .. } | Event::Received { payload, .. } => match payload {
            Payload::Message(message) => {
                if signs().is_match(message.text()) {
                    walk(message.value(), &mut String::new(), &mut found);
                }
            }
            Payload::Raw { bytes, .. } => look(&String::from_utf8_lossy(bytes), "the text", &mut found),
        },
        Event::Stderr(bytes) => look(&String::from_utf8_lossy(bytes), "standard error", &mut found),
        Event::RequestHead { headers, url, .. } => {
            of_headers(headers, &mut found);
            look(url, "the URL", &mut found);
        }
        Event::ResponseHead { headers, .. } => of_headers(headers, &mut found),
        Event::ProcessStarted { command, .. } => {
            command.iter().for_each(|word| look(word, "the command", &mut found));
        }
        _ => {}
    }
    found
}

fn of_headers(headers: &Headers, found: &mut Vec<Suspect>) {
    for (name, value) in headers {
        if names_a_secret(name) && plausible(value) {
            let value = value.split_once(' ').map_or(value.as_str(), |(_, value)| value).to_owned();
            found.push(Suspect { what: format!("the header {name}"), value, place: name.clone() });
        }
    }
}

/// Looks at every string, and at what its member is called.
fn walk(value: &Value, place: &mut String, found: &mut Vec<Suspect>) {
    match value {
        Value::String(text) => look(text, place, found),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                below(place, &index.to_string(), |place| walk(element, place, found));
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                below(place, &step, |place| match member {
                    Value::String(text) if is_secret_member(name) && plausible(text) => {
                        let what = format!("the member {name}");
                        found.push(Suspect { what, value: text.clone(), place: place.clone() });
                    }
                    member => walk(member, place, found),
                });
            }
        }
        _ => {}
    }
}

/// The protocol's own tokens let nobody in.
fn is_secret_member(name: &str) -> bool {
    !matches!(name, "progressToken" | "key" | "maxTokens" | "nextCursor") && names_a_secret(name)
}

fn below(place: &mut String, step: &str, visit: impl FnOnce(&mut String)) {
    let length = place.len();
    place.push('/');
    place.push_str(step);
    visit(place);
    place.truncate(length);
}

/// Whether a value can be one: long enough, in one word, and no placeholder.
fn plausible(value: &str) -> bool {
    value.len() >= 8 && !value.contains('«') && !value.trim().contains(['\n', '\t'])
}

/// Tokens of well-known issuers, and private keys, in a text.
fn look(text: &str, place: &str, found: &mut Vec<Suspect>) {
    found.extend(tokens(text).map(|(what, value)| Suspect {
        what: what.to_owned(),
        value: value.to_owned(),
        place: place.to_owned(),
    }));
    if memmem::find(text.as_bytes(), KEY).is_some() {
        let value = text.trim().to_owned();
        found.push(Suspect { what: "a private key".to_owned(), value, place: place.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Channel;
    use std::time::Duration;

    fn found(text: &str) -> Vec<(String, String)> {
        let event = Event::Received { payload: Payload::read(text.to_owned()), sse: None };
        let record = Record { seq: 0, at: Duration::ZERO, channel: Channel::PROCESS, event };
        suspects(&record).into_iter().map(|suspect| (suspect.place, suspect.value)).collect()
    }

    #[test]
    fn secrets_are_seen_and_nothing_else() {
        let token = format!("ghp_{}", "a1".repeat(18));
        assert_eq!(found(&format!(r#"{{"a":["use {token}."]}}"#)).len(), 1);
        assert_eq!(found(&format!(r#"{{"a":"use {token}, please"}}"#)), [("/a".to_owned(), token)]);
        let named = found(r#"{"params":{"api_key":"hunter2hunter2"}}"#);
        assert_eq!(named, [("/params/api_key".to_owned(), "hunter2hunter2".to_owned())]);
        for harmless in [
            r#"{"params":{"_meta":{"progressToken":"abcdefghijkl"}}}"#,
            r#"{"maxTokens":100,"text":"a risk-free task-based disk-AKIA thing"}"#,
            r#"{"password":"short"}"#,
            r#"{"token":"«token-1»"}"#,
        ] {
            assert_eq!(found(harmless), [], "{harmless}");
        }
    }
}
