//! What has come in so far, sorted for those who wait: messages, heads and ends of HTTP exchanges, the life of the process.

use super::reply::{Answer, Gone, HttpHead};
use crate::protocol::{Id, Kind, Message};
use crate::transcript::{Record, Recorder};
use crate::wire::{Channel, End, Event, ShutdownStep};
use std::collections::HashMap;
use std::sync::Arc;

/// A message from the server.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The message, or an element of a batch.
    pub message: Message,
    /// The event that carried it.
    pub record: Arc<Record>,
}

/// State of one HTTP exchange.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) head: Option<HttpHead>,
    pub(super) end: Option<End>,
    pub(super) failed: Option<Gone>,
    /// The last SSE event id on it, and the wait that the server asks for.
    pub(super) last_event_id: Option<String>,
    pub(super) retry: Option<u64>,
    /// Where this stream goes on, once it was taken up again.
    pub(super) continued: Option<Channel>,
    /// Whether the server refused to take it up again.
    pub(super) over: bool,
}

/// Reads a conversation's record as it grows.
#[derive(Default)]
pub(super) struct Inbox {
    cursor: usize,
    /// All messages from the server, in order.
    pub(super) heard: Vec<Heard>,
    responses: HashMap<Id, Vec<usize>>,
    exchanges: HashMap<Channel, Exchange>,
    by_channel: HashMap<Channel, Vec<usize>>,
    /// Requests of the server that nobody has answered yet.
    pub(super) asked: Vec<usize>,
    pub(super) process_gone: Option<Gone>,
    pub(super) stdout_closed: bool,
}

impl Inbox {
    /// Takes in what is new in the record.
    pub(super) fn absorb(&mut self, recorder: &Recorder) {
        while let Some(record) = recorder.get(self.cursor) {
            self.cursor += 1;
            self.take(&record);
        }
    }

    fn take(&mut self, record: &Arc<Record>) {
        let channel = record.channel;
        match &record.event {
            Event::Received { payload, sse } => {
                if let Some(sse) = sse {
                    self.sse(channel, sse.id.as_ref(), sse.retry);
                }
                if let Some(message) = payload.message() {
                    match message.kind() {
                        Kind::Batch => message.parts().into_iter().for_each(|part| self.hear(part, record)),
                        _ => self.hear(message.clone(), record),
                    }
                }
            }
            Event::SseOther(sse) => self.sse(channel, sse.id.as_ref(), sse.retry),
            Event::ResponseHead { status, headers } => {
                self.exchange_mut(channel).head =
                    Some(HttpHead { status: *status, headers: headers.clone() });
            }
            Event::ResponseEnded(end) => self.exchange_mut(channel).end = Some(end.clone()),
            Event::ConnectFailed(error) => {
                self.exchange_mut(channel).failed = Some(Gone::ConnectFailed(error.clone()));
            }
            Event::WriteFailed(error) if channel == Channel::PROCESS => {
                self.process_gone.get_or_insert_with(|| Gone::WriteFailed(error.clone()));
            }
            Event::WriteFailed(error) => {
                self.exchange_mut(channel).failed = Some(Gone::WriteFailed(error.clone()));
            }
            Event::Flooded { .. } if channel == Channel::PROCESS => {
                self.process_gone.get_or_insert(Gone::Flooded);
            }
            Event::Flooded { .. } => self.exchange_mut(channel).failed = Some(Gone::Flooded),
            Event::ProcessExited { code, signal, after } => {
                // Its own end tells more than the failed write or the closed stdout that came before it.
                let flooded = matches!(self.process_gone, Some(Gone::Flooded));
                if *after == ShutdownStep::None && !flooded {
                    self.process_gone = Some(Gone::Exited { code: *code, signal: *signal });
                }
            }
            Event::StdoutClosed => self.stdout_closed = true,
            _ => {}
        }
    }

    fn sse(&mut self, channel: Channel, id: Option<&String>, retry: Option<u64>) {
        let exchange = self.exchange_mut(channel);
        if let Some(id) = id {
            exchange.last_event_id = Some(id.clone());
        }
        exchange.retry = retry.or(exchange.retry);
    }

    fn hear(&mut self, message: Message, record: &Arc<Record>) {
        let index = self.heard.len();
        if message.is_response() {
            if let Some(id) = message.id() {
                self.responses.entry(id.clone()).or_default().push(index);
            }
        } else if *message.kind() == Kind::Request {
            self.asked.push(index);
        }
        self.by_channel.entry(record.channel).or_default().push(index);
        self.heard.push(Heard { message, record: Arc::clone(record) });
    }

    /// What is known of an HTTP exchange.
    pub(super) fn exchange(&self, channel: Channel) -> Option<&Exchange> {
        self.exchanges.get(&channel)
    }

    pub(super) fn exchange_mut(&mut self, channel: Channel) -> &mut Exchange {
        self.exchanges.entry(channel).or_default()
    }

    /// The exchange on which the stream of an exchange goes on by now: itself, unless it was taken up again.
    pub(super) fn continuation(&self, channel: Channel) -> Channel {
        let mut current = channel;
        // Each is newer than the one before, so this ends.
        while let Some(next) = self.exchanges.get(&current).and_then(|exchange| exchange.continued) {
            current = next;
        }
        current
    }

    /// The first response with an id that came after the event at `since`.
    pub(super) fn response(&self, id: &Id, since: u64) -> Option<Answer> {
        let indices = self.responses.get(id)?;
        indices.iter().map(|index| &self.heard[*index]).find(|heard| heard.record.seq >= since).map(|heard| {
            let http = self.exchange(heard.record.channel).and_then(|exchange| exchange.head.clone());
            Answer { message: heard.message.clone(), record: Arc::clone(&heard.record), http }
        })
    }

    /// The first message on an HTTP exchange that is a response to anything.
    pub(super) fn response_on(&self, channel: Channel) -> Option<Answer> {
        let indices = self.by_channel.get(&channel)?;
        let heard =
            indices.iter().map(|index| &self.heard[*index]).find(|heard| heard.message.is_response())?;
        let http = self.exchange(channel).and_then(|exchange| exchange.head.clone());
        Some(Answer { message: heard.message.clone(), record: Arc::clone(&heard.record), http })
    }
}
