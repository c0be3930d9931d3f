//! Reads the events of a recording into what the client did and what the server said.

use super::owners::Owners;
use super::script::{Expected, Send, Sending, Session};
use crate::protocol::Kind;
use crate::transcript::{Causality, Origin, Placed, Record, RulePart, Sender};
use crate::wire::{Channel, End, Event, Headers, Payload};
use std::collections::HashMap;

/// A session that is being read.
#[derive(Default)]
struct Reading {
    session: Session,
    causality: Causality,
    owners: Owners,
    heads: HashMap<Channel, (String, Headers)>,
    posted: HashMap<Channel, usize>,
    /// The requests of the server, by their event.
    asked: HashMap<u64, usize>,
    listened: bool,
    closed: bool,
    strays: u64,
}

/// Reads the events of one session.
pub(super) fn read(name: Option<String>, records: &[Record]) -> Session {
    let mut reading = Reading::default();
    reading.session.name = name;
    records.iter().for_each(|record| reading.take(record));
    reading.session.bind();
    reading.session
}

/// What came and is no message, other than blanks; with whether it was cut for its length or depth.
pub(super) fn noise(event: &Event) -> Option<(&[u8], bool)> {
    match event {
        Event::Received { payload: Payload::Raw { bytes, truncated, .. }, .. } => {
            (*truncated || !bytes.trim_ascii().is_empty()).then_some((bytes, *truncated))
        }
        _ => None,
    }
}

impl Reading {
    fn take(&mut self, record: &Record) {
        let placed = self.causality.place(record);
        match &record.event {
            Event::RequestHead { method, url, headers, .. } => {
                self.heads.insert(record.channel, (url.clone(), headers.clone()));
                let resumed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
                match method.as_str() {
                    // What was taken up again, or opened again, the conversation does by itself.
                    "GET" if !resumed && !self.listened => {
                        self.listened = true;
                        self.send(record, Sending::Listen);
                    }
                    "DELETE" => self.send(record, Sending::Delete),
                    _ => {}
                }
            }
            Event::ResponseHead { status, .. } => {
                if let Some(number) = self.posted.get(&record.channel) {
                    self.session.sends[*number].status.get_or_insert(*status);
                }
            }
            Event::ResponseEnded(End::ClosedByUs) => {
                if let Some(number) = self.posted.get(&record.channel).copied()
                    && self.session.sends[number].is_request()
                {
                    self.send(record, Sending::Abort(number));
                }
            }
            Event::StdinClosed => self.closed = true,
            Event::Sent { payload, .. } => {
                self.send(record, Sending::Payload(payload.clone()));
                let number = self.session.sends.len() - 1;
                for Placed { message, answers, .. } in placed {
                    self.owners.sent(number, &message, record.channel);
                    if let Some(Origin { seq, .. }) = answers {
                        self.session.sends[number].answers = self.asked.get(&seq).copied();
                    }
                }
            }
            Event::Received { .. } => {
                self.session.noise += usize::from(noise(&record.event).is_some());
                placed.into_iter().for_each(|placed| self.hear(placed));
            }
            Event::ProcessExited { code, signal, .. } if !self.closed => {
                self.session.ended = Some((*code, *signal));
            }
            _ => {}
        }
    }

    fn send(&mut self, record: &Record, what: Sending) {
        let (url, headers) = self.heads.get(&record.channel).cloned().unwrap_or_default();
        self.posted.insert(record.channel, self.session.sends.len());
        self.owners.carries(self.session.sends.len(), record.channel);
        self.session.sends.push(Send {
            seq: record.seq,
            at: record.at,
            channel: record.channel,
            what,
            after: self.session.expected.len(),
            answers: None,
            status: None,
            url,
            headers,
        });
    }

    fn hear(&mut self, placed: Placed) {
        let Placed { sender, message, seq, at, channel, answers, nth, .. } = placed;
        if sender != Sender::Server || matches!(message.kind(), Kind::Batch | Kind::NotAMessage(_)) {
            return;
        }
        let place = self.session.expected.len();
        let mut ends_subscription = false;
        let (part, method, nth, owner) = match message.kind() {
            Kind::Result | Kind::Error => {
                let number = self.owners.answered(&message, channel);
                ends_subscription = number.is_some_and(|number| self.owners.listens(number));
                match answers {
                    Some(Origin { method, nth, .. }) => (RulePart::Answer, method, nth, number),
                    None => {
                        self.strays += 1;
                        (RulePart::Answer, String::new(), self.strays - 1, number)
                    }
                }
            }
            kind => {
                let part = if *kind == Kind::Request { RulePart::Request } else { RulePart::Notification };
                let method = message.method().unwrap_or_default().to_owned();
                let owner = self.owners.owner(&message, channel);
                (part, method, nth, owner)
            }
        };
        if part == RulePart::Request {
            self.asked.insert(seq, place);
        }
        self.session.expected.push(Expected {
            seq,
            at,
            channel,
            message,
            part,
            method,
            nth,
            owner,
            after_close: self.closed,
            ends_subscription,
            compared: true,
        });
    }
}
