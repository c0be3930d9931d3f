//! A conversation as a page of Markdown.

use crate::protocol::json::indented;
use crate::protocol::{Kind, Message};
use crate::transcript::Record;
use crate::wire::{Event, Payload};

/// Writes a page event by event, so that a conversation may be of any length.
#[derive(Debug, Default)]
pub struct Page;

impl Page {
    /// What the page begins with.
    pub const HEAD: &str = "# A conversation\n\n";

    /// What an event adds to the page; empty where that is nothing.
    pub fn tell(record: &Record) -> String {
        match &record.event {
            Event::Sent { payload, .. } => part("The client sends", payload),
            Event::Received { payload, .. } => part("The server sends", payload),
            _ => String::new(),
        }
    }
}

fn part(who: &str, payload: &Payload) -> String {
    let (what, language, text) = match payload {
        Payload::Message(message) => (kind(message), "json", indented(message.text())),
        Payload::Raw { bytes, .. } => {
            ("what is no JSON".to_owned(), "", String::from_utf8_lossy(bytes).escape_debug().to_string())
        }
    };
    // A fence longer than any in the text.
    let fence = "`".repeat(3.max(longest_run(&text) + 1));
    format!("{who} {what}:\n\n{fence}{language}\n{text}\n{fence}\n\n")
}

fn kind(message: &Message) -> String {
    let named = |what: &str| {
        let method = message.method().unwrap_or_default().escape_debug().to_string();
        let fence = "`".repeat(longest_run(&method) + 1);
        format!("the {what} {fence}{method}{fence}")
    };
    match message.kind() {
        Kind::Request => named("request"),
        Kind::Notification => named("notification"),
        Kind::Result => "a result".to_owned(),
        Kind::Error => "an error".to_owned(),
        Kind::Batch => "a batch".to_owned(),
        Kind::NotAMessage(_) => "what is no message".to_owned(),
    }
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
