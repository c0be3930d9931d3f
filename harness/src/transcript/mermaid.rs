//! Sequence diagrams in the language of Mermaid.

use super::causal::{Causality, Sender};
use super::record::Record;
use crate::protocol::Kind;
use crate::wire::Event;
use std::fmt::Write as _;

/// How many characters of a label are drawn.
const LABEL: usize = 80;

/// Draws a diagram, event by event.
#[derive(Default)]
pub struct Mermaid {
    causality: Causality,
}

impl Mermaid {
    /// The lines that come first.
    pub const HEAD: &str = "sequenceDiagram\n    participant C as Client\n    participant S as Server\n";

    /// The lines of an event.
    pub fn draw(&mut self, record: &Record) -> String {
        let mut text = String::new();
        for placed in self.causality.place(record) {
            let (from, to) = if placed.sender == Sender::Client { ("C", "S") } else { ("S", "C") };
            let message = &placed.message;
            let id = message.id().map(|id| format!(" {}", id.as_json())).unwrap_or_default();
            let method = message.method().or(placed.answers.as_ref().map(|origin| origin.method.as_str()));
            let method = method.unwrap_or("?");
            let (arrow, label) = match message.kind() {
                Kind::Request => ("->>", format!("{method}{id}{}", subject(message.params()))),
                Kind::Notification => ("-)", method.to_owned()),
                Kind::Result => ("-->>", format!("result of {method}{id}")),
                Kind::Error => {
                    let code = message.error_code().map_or_else(String::new, |code| format!(" {code}"));
                    ("--x", format!("error{code} of {method}{id}"))
                }
                Kind::Batch | Kind::NotAMessage(_) => ("-)", "no message".to_owned()),
            };
            let _ = writeln!(text, "    {from}{arrow}{to}: {}", escape(&label));
        }
        let note = match &record.event {
            Event::ProcessExited { code: Some(code), .. } => format!("exits with code {code}"),
            Event::ProcessExited { signal: Some(signal), .. } => format!("ended by signal {signal}"),
            Event::Lost { events, .. } => format!("{events} events are missing"),
            _ => return text,
        };
        let _ = writeln!(text, "    Note over S: {}", escape(&note));
        text
    }
}

/// What a request is about.
fn subject(params: Option<&serde_json::Value>) -> String {
    let name = params.and_then(|params| params.get("name").or_else(|| params.get("uri"))?.as_str());
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

/// A label: no character in it means anything to Mermaid.
fn escape(label: &str) -> String {
    let mut text = String::new();
    for c in label.chars().take(LABEL) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '/' | '_' | '-' | '.' | '(' | ')' | ',' => text.push(c),
            '\u{0}'..='\u{1f}' => text.push(' '),
            c => {
                let _ = write!(text, "#{};", u32::from(c));
            }
        }
    }
    text
}
