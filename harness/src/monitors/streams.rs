//! What is known of event streams: their first event, their ids, what may come only once.

use super::{HttpExchange, State};
use crate::protocol::{Era, Kind, Message};
use crate::transcript::Record;
use crate::wire::{Channel, End, SseFields, header};
use std::collections::HashMap;

/// How many event ids and unique messages of a conversation are kept; more are not compared.
pub(super) const KEPT: usize = 20_000;

/// An HTTP response as an event stream.
#[derive(Debug, Clone, Default)]
pub struct EventStream {
    /// The first event: its fields, whether it had data that is not empty, and its place in the record.
    pub first: Option<(SseFields, bool, u64)>,
    /// The last event id.
    pub last_id: Option<String>,
    /// Whether the server named a time to wait before the stream is taken up again.
    pub retry: bool,
    /// Messages that came after a response.
    pub after_response: u32,
}

impl EventStream {
    pub(super) fn note(&mut self, fields: &SseFields, has_content: bool, seq: u64) {
        self.retry |= fields.retry.is_some();
        if fields.id.is_some() {
            self.last_id.clone_from(&fields.id);
        }
        // A comment or a `retry` alone is no event.
        if fields.has_data || fields.id.is_some() || fields.event.is_some() {
            self.first.get_or_insert_with(|| (fields.clone(), has_content, seq));
        }
    }

    /// Whether its first event has an id and nothing else.
    pub fn is_primed(&self) -> bool {
        self.first.as_ref().is_some_and(|(fields, has_content, _)| fields.id.is_some() && !has_content)
    }
}

/// Whether what was to come on a stream that has ended can come no more. A legacy stream with event ids may go on: that
/// it does not shows where a client comes back with the last id, and is refused or gets a stream that ends with nothing
/// new on it, and no word of when to come back.
pub(super) fn is_lost(state: &State, exchange: &HttpExchange) -> bool {
    let Some(mut last) = exchange.stream.last_id.as_deref().filter(|_| state.era() == Some(Era::Legacy))
    else {
        return true;
    };
    let mut since = exchange.seq;
    let mut in_vain = false;
    loop {
        let takes_up = |other: &&HttpExchange| {
            other.seq > since
                && !other.is_tainted()
                && header(&other.request_headers, "last-event-id") == Some(last)
        };
        let Some(next) = state.exchanges.values().filter(takes_up).min_by_key(|other| other.seq) else {
            return in_vain;
        };
        since = next.seq;
        match next.status {
            Some(200) if next.is_event_stream() => {}
            Some(401 | 403 | 429 | 502..=504) | None => return false,
            Some(_) => return true,
        }
        if next.end != Some(End::Complete) {
            return false;
        }
        let goes_on = next.stream.retry || next.stream.last_id.as_deref().is_some_and(|id| id != last);
        in_vain = next.responses > 0 || !goes_on;
        last = next.stream.last_id.as_deref().unwrap_or(last);
    }
}

/// The ids of the events of a conversation, replayed ones left out, each session by itself: another principal that was let
/// in has one of their own.
#[derive(Debug, Default)]
pub struct EventIds(HashMap<(u64, String), SeenId>);

/// An event with an id.
#[derive(Debug, Clone, Copy)]
pub struct SeenId {
    /// The exchange.
    pub channel: Channel,
    /// Its place in the record.
    pub seq: u64,
    /// Whether it had data that is not empty.
    pub has_content: bool,
}

impl EventIds {
    pub(super) fn note(&mut self, session: u64, id: &str, record: &Record, has_content: bool) {
        let seen = SeenId { channel: record.channel, seq: record.seq, has_content };
        let key = (session, id.to_owned());
        if let Some(known) = self.0.get_mut(&key) {
            if has_content && !known.has_content {
                *known = seen;
            }
        } else if self.0.len() < KEPT {
            self.0.insert(key, seen);
        }
    }

    /// The first event with an id in a session ([`super::HttpExchange::session`]).
    pub fn get(&self, session: u64, id: &str) -> Option<&SeenId> {
        self.0.get(&(session, id.to_owned()))
    }

    /// Whether the server uses event ids.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A name for a message that a server sends once: a request, progress by its token and value.
pub(super) fn unique_key(message: &Message) -> Option<String> {
    match (message.kind(), message.method()?) {
        // The text, because a server may wrongly use an id again for something else.
        (Kind::Request, _) if message.text().len() < 4096 => Some(format!("request {}", message.text())),
        (Kind::Notification, "notifications/progress") => {
            let params = message.params()?;
            Some(format!("progress {} {}", params.get("progressToken")?, params.get("progress")?))
        }
        _ => None,
    }
}
