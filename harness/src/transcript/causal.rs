//! What answers what, and what waited for what: the order that a replay has to keep.

use super::record::Record;
use crate::protocol::{Id, Kind, Message};
use crate::wire::{Channel, Event, Payload};
use std::collections::HashMap;
use std::time::Duration;

/// How many requests without an answer are remembered.
const OPEN: usize = 100_000;

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// A request, as its answer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The event that brought it.
    pub seq: u64,
    /// When.
    pub at: Duration,
    /// Its method.
    pub method: String,
    /// How many requests of this method this sender had sent before it.
    pub nth: u64,
}

/// A message in its place: an element of a batch is one of its own.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Who sent it.
    pub sender: Sender,
    /// The message.
    pub message: Message,
    /// The event.
    pub seq: u64,
    /// When.
    pub at: Duration,
    /// Where.
    pub channel: Channel,
    /// The request that it answers.
    pub answers: Option<Origin>,
    /// The last message of the other side that had come before it: nothing later can have led to it.
    pub after: Option<u64>,
    /// How many messages of its method this sender had sent before it; 0 for answers.
    pub nth: u64,
}

/// Follows a conversation and places its messages.
#[derive(Debug, Default)]
pub struct Causality {
    open: HashMap<(Sender, Id), Origin>,
    count: HashMap<(Sender, String), u64>,
    last: [Option<u64>; 2],
}

impl Causality {
    /// The messages in an event.
    pub fn place(&mut self, record: &Record) -> Vec<Placed> {
        let (sender, payload) = match &record.event {
            Event::Sent { payload, .. } => (Sender::Client, payload),
            Event::Received { payload, .. } => (Sender::Server, payload),
            _ => return Vec::new(),
        };
        let Payload::Message(message) = payload else { return Vec::new() };
        let after = self.last[usize::from(sender == Sender::Client)];
        let placed = message.parts().into_iter().map(|part| self.part(sender, part, record, after)).collect();
        self.last[usize::from(sender == Sender::Server)] = Some(record.seq);
        placed
    }

    fn part(&mut self, sender: Sender, message: Message, record: &Record, after: Option<u64>) -> Placed {
        let other = if sender == Sender::Client { Sender::Server } else { Sender::Client };
        let (mut answers, mut nth) = (None, 0);
        if message.is_response() {
            answers = message.id().and_then(|id| self.open.remove(&(other, id.clone())));
        } else if let Some(method) = message.method() {
            let count = self.count.entry((sender, method.to_owned())).or_default();
            nth = *count;
            *count += 1;
            if let (Kind::Request, Some(id)) = (message.kind(), message.id())
                && self.open.len() < OPEN
            {
                let origin = Origin { seq: record.seq, at: record.at, method: method.to_owned(), nth };
                self.open.insert((sender, id.clone()), origin);
            }
        }
        Placed {
            sender,
            message,
            seq: record.seq,
            at: record.at,
            channel: record.channel,
            answers,
            after,
            nth,
        }
    }
}
