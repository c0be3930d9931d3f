//! What looks like a secret, in any text that crossed.

use super::record::Record;
use super::redact::names_a_secret;
use crate::wire::{Event, Headers, Payload};
use aho_corasick::AhoCorasick;
use memchr::memmem;
use serde_json::Value;
use std::sync::OnceLock;

/// How tokens of well-known issuers begin, what they are, and how many characters follow at least.
const TOKENS: [(&str, &str, usize); 14] = [
    ("sk-", "an API key", 20),
    ("ghp_", "a GitHub token", 30),
    ("gho_", "a GitHub token", 30),
    ("ghs_", "a GitHub token", 30),
    ("ghu_", "a GitHub token", 30),
    ("github_pat_", "a GitHub token", 30),
    ("glpat-", "a GitLab token", 16),
    ("xoxb-", "a Slack token", 16),
    ("xoxp-", "a Slack token", 16),
    ("AKIA", "an AWS key id", 16),
    ("AIza", "a Google key", 30),
    ("npm_", "an npm token", 30),
    ("hf_", "a Hugging Face token", 30),
    ("eyJ", "a JSON web token", 30),
];
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
        let starts = TOKENS.iter().map(|(start, ..)| start.as_bytes());
        AhoCorasick::new(starts.chain(NAMES.iter().copied().chain([KEY])))
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
            Payload::Raw { bytes, .. } => tokens(&String::from_utf8_lossy(bytes), "the text", &mut found),
        },
        Event::Stderr(bytes) => tokens(&String::from_utf8_lossy(bytes), "standard error", &mut found),
        Event::RequestHead { headers, url, .. } => {
            of_headers(headers, &mut found);
            tokens(url, "the URL", &mut found);
        }
        Event::ResponseHead { headers, .. } => of_headers(headers, &mut found),
        Event::ProcessStarted { command, .. } => {
            command.iter().for_each(|word| tokens(word, "the command", &mut found));
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
        Value::String(text) => tokens(text, place, found),
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

fn below(place: &mut String, step: &str, look: impl FnOnce(&mut String)) {
    let length = place.len();
    place.push('/');
    place.push_str(step);
    look(place);
    place.truncate(length);
}

/// Whether a value can be one: long enough, in one word, and no placeholder.
fn plausible(value: &str) -> bool {
    value.len() >= 8 && !value.contains('«') && !value.trim().contains(['\n', '\t'])
}

/// Tokens of well-known issuers, and private keys, in a text.
fn tokens(text: &str, place: &str, found: &mut Vec<Suspect>) {
    for (start, what, least) in TOKENS {
        for at in memmem::find_iter(text.as_bytes(), start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &text[at..];
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
            let value = &rest[..end];
            let dots = value.matches('.').count();
            let mixed = value.bytes().any(|byte| byte.is_ascii_digit());
            if value.len() >= start.len() + least && mixed && (start != "eyJ" || dots == 2) {
                let what = what.to_owned();
                found.push(Suspect { what, value: value.to_owned(), place: place.to_owned() });
            }
        }
    }
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
