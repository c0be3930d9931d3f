//! Chaos that is legal: all that the specification leaves open is done differently each time. Answers come late and out
//! of order, writes end in the middle of a character, events and JSON are written in unusual ways. A client that stumbles
//! over any of it is wrong.
//!
//! What happens to a message depends on the seed and on its text alone, so that it happens again however fast the
//! machine is.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::message::to_json;

/// The most bytes that are written in pieces; the rest follows in one.
const CUT_WITHIN: usize = 4096;

/// A source of legal disturbances.
#[derive(Clone, Copy)]
pub(crate) struct Chaos {
    seed: u64,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Random numbers for one purpose and one text.
    fn random(self, purpose: u8, text: &[u8]) -> ChaCha8Rng {
        let digest =
            Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update([purpose]).chain_update(text);
        ChaCha8Rng::from_seed(digest.finalize().into())
    }

    /// How long an answer is held back: mostly not at all, else up to 20 ms, so that others overtake it.
    pub(crate) fn delay(self, answer: &str) -> Duration {
        let mut random = self.random(1, answer.as_bytes());
        if random.random_bool(0.7) {
            Duration::ZERO
        } else {
            Duration::from_micros(random.random_range(0..=20_000))
        }
    }

    /// The same message for STDIO, where it must stay on one line.
    pub(crate) fn line(self, message: &str) -> String {
        rewritten(message, &mut self.random(2, message.as_bytes()), &[" ", "\t", "  "])
    }

    /// The same message for the body of a response.
    pub(crate) fn body(self, message: &str) -> String {
        rewritten(message, &mut self.random(3, message.as_bytes()), &[" ", "\t", "\n", "\r\n"])
    }

    /// The same event or comment.
    pub(crate) fn event(self, event: &str) -> String {
        let mut random = self.random(4, event.as_bytes());
        // Line ends may differ from event to event, and a lone carriage return is one too.
        let end = *pick(&mut random, &["\n", "\n", "\r\n", "\r\n", "\r"]);
        let mut others = Vec::new();
        let mut data = Vec::new();
        for line in event.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("data", json)) if json.starts_with(['{', '[']) => {
                    // A line feed in the data is a new data line.
                    let json = rewritten(json, &mut random, &[" ", "\t", "\n"]);
                    data.extend(json.split('\n').map(|line| ("data", line.to_owned())));
                }
                Some(("data", text)) => data.push(("data", text.to_owned())),
                // What has no type is a message.
                Some(("event", "message")) if random.random_bool(0.3) => {}
                Some((name, value)) => others.push((name, value.to_owned())),
                None => others.push(("", line.trim_start_matches([':', ' ']).to_owned())),
            }
        }
        if random.random_bool(0.2) {
            others.push(("", "still here".to_owned()));
        }
        others.shuffle(&mut random);
        let place = random.random_range(0..=others.len());
        others.splice(place..place, data);
        let mut text = String::with_capacity(event.len() + 64);
        for (name, value) in others {
            // One space after the colon does not belong to the value.
            let space = value.starts_with(' ') || value.is_empty() || random.random_bool(0.5);
            text.extend([name, if space { ": " } else { ":" }, &value, end]);
        }
        text + end
    }

    /// Cuts bytes at random places, in the middle of a character too.
    pub(crate) fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        let mut random = self.random(5, bytes);
        let mut pieces = Vec::new();
        let (mut rest, mut cut) = (bytes, 0);
        let longest = *pick(&mut random, &[1, 7, 40, 200, 1000, 4000]);
        while rest.len() > 1 && cut < CUT_WITHIN && pieces.len() < 64 {
            let length = random.random_range(1..=longest.min(rest.len()));
            let (piece, after) = rest.split_at(length);
            pieces.push(piece);
            (rest, cut) = (after, cut + length);
        }
        if !rest.is_empty() {
            pieces.push(rest);
        }
        pieces
    }

    /// Whether a body of known length comes without it.
    pub(crate) fn hides_length(self, body: &[u8]) -> bool {
        self.random(6, body).random_bool(0.5)
    }

    /// How long a writer rests between two pieces; mostly not at all.
    pub(crate) fn rest(self, piece: &[u8]) -> Duration {
        let mut random = self.random(7, piece);
        if random.random_bool(0.9) {
            Duration::ZERO
        } else {
            Duration::from_micros(random.random_range(0..500))
        }
    }
}

fn pick<'a, T>(random: &mut ChaCha8Rng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

/// The same JSON with other white space and another order of members; strings and numbers stay as they are written.
fn rewritten(json: &str, random: &mut ChaCha8Rng, spaces: &[&str]) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    // Some messages are crowded with white space, some have none.
    let frequency = *pick(random, &[0.0, 0.02, 0.2, 0.6]);
    Rewriting { text: &mut text, random, spaces, frequency }.value(json);
    text
}

struct Rewriting<'a> {
    text: &'a mut String,
    random: &'a mut ChaCha8Rng,
    spaces: &'a [&'a str],
    frequency: f64,
}

impl Rewriting<'_> {
    /// The structural token, with perhaps some white space on either side.
    fn token(&mut self, token: &str) {
        self.space();
        self.text.push_str(token);
        self.space();
    }

    fn space(&mut self) {
        while self.random.random_bool(self.frequency) {
            let space = *pick(self.random, self.spaces);
            self.text.push_str(space);
        }
    }

    /// Nesting is bounded by the reader of JSON, which takes 128 levels.
    fn value(&mut self, json: &str) {
        match json.trim_ascii_start().as_bytes().first() {
            Some(b'{') => {
                if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) {
                    let mut members: Vec<_> = members.into_iter().collect();
                    members.shuffle(self.random);
                    self.token("{");
                    for (place, (name, member)) in members.iter().enumerate() {
                        if place > 0 {
                            self.token(",");
                        }
                        self.text.push_str(&to_json(name));
                        self.token(":");
                        self.value(member.get());
                    }
                    return self.token("}");
                }
            }
            Some(b'[') => {
                if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) {
                    self.token("[");
                    for (place, item) in items.iter().enumerate() {
                        if place > 0 {
                            self.token(",");
                        }
                        self.value(item.get());
                    }
                    return self.token("]");
                }
            }
            _ => {}
        }
        self.text.push_str(json);
    }
}

#[cfg(test)]
mod tests {
    use super::Chaos;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The reading of an event stream, as the HTML standard has it.
    fn read(stream: &str) -> Vec<(String, String, String)> {
        let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut id) = (Vec::new(), String::new());
        let (mut name, mut data) = (String::new(), Vec::new());
        for line in stream.split('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    let name = if name.is_empty() { "message".to_owned() } else { name.clone() };
                    events.push((id.clone(), name, data.join("\n")));
                }
                (name, data) = (String::new(), Vec::new());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "id" => id = value,
                "event" => name = value,
                "data" => data.push(value),
                _ => assert_eq!(field, "", "{line}"),
            }
        }
        events
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn messages_say_the_same(seed: u64, value in value()) {
            let text = value.to_string();
            let chaos = Chaos::new(seed);
            let (line, body) = (chaos.line(&text), chaos.body(&text));
            prop_assert!(!line.contains(['\n', '\r']));
            // What is compared is the reading of the text: a number may lose digits when it is read.
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            prop_assert_eq!(read(&line), read(&text));
            prop_assert_eq!(read(&body), read(&text));
            prop_assert_eq!(chaos.line(&text), line);
        }

        #[test]
        fn events_say_the_same(seed: u64, members in prop::collection::btree_map("[a-z\u{2028} ]{0,6}", any::<i32>(), 0..6)) {
            let text = serde_json::to_string(&members).unwrap();
            let chaos = Chaos::new(seed);
            let stream: String = [
                "event: endpoint\ndata: /messages?sessionId=1\n\n".to_owned(),
                "id: 3-0\ndata: \n\n".to_owned(),
                ": keep-alive\n\n".to_owned(),
                format!("id: 3-1\nevent: message\ndata: {text}\n\n"),
                format!("event: message\ndata: {text}\n\n"),
            ].iter().map(|event| chaos.event(event)).collect();
            let events = read(&stream);
            prop_assert_eq!(events.len(), 4, "{}", stream);
            prop_assert_eq!(&events[0], &(String::new(), "endpoint".to_owned(), "/messages?sessionId=1".to_owned()));
            prop_assert_eq!(&events[1], &("3-0".to_owned(), "message".to_owned(), String::new()));
            for event in &events[2..] {
                prop_assert_eq!(&event.0, "3-1");
                prop_assert_eq!(&event.1, "message");
                let data: Value = serde_json::from_str(&event.2).unwrap();
                prop_assert_eq!(data, serde_json::to_value(&members).unwrap());
            }
        }

        #[test]
        fn pieces_are_the_whole(seed: u64, bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let pieces = Chaos::new(seed).pieces(&bytes);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), bytes);
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"id":12345678901234567890123,"b":1.50,"c":[1e3,-0.0,"\u00e9\/"]}"#;
        for seed in 0..50 {
            let line = Chaos::new(seed).line(text);
            for token in ["12345678901234567890123", "1.50", "1e3", "-0.0", r#""\u00e9\/""#] {
                assert!(line.contains(token), "{line}");
            }
        }
    }

    #[test]
    fn something_happens() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}"#;
        let (mut late, mut other) = (0, 0);
        for seed in 0..100 {
            late += usize::from(!Chaos::new(seed).delay(text).is_zero());
            other += usize::from(Chaos::new(seed).line(text) != text);
        }
        assert!((15..50).contains(&late), "{late}");
        assert!(other > 80, "{other}");
    }
}
