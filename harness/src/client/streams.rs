//! Event streams: the one that a legacy session listens on, the one of HTTP+SSE, and the resumption of streams.

use super::conversation::{Conversation, Ticket};
use super::link::{Link, OpenError};
use super::outgoing::Outgoing;
use crate::protocol::{Era, Transport};
use crate::transcript::Recorder;
use crate::wire::{Channel, End, Event, ResponseLimits, is_loopback};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The wait before a stream is taken up again, where the server asks for none.
const RETRY: Duration = Duration::from_millis(100);
/// The longest wait that a server may ask for.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// How often the stream of a session is opened again after the server has closed it.
const REOPENINGS: u32 = 10;

/// The stream that a legacy session over HTTP listens on.
pub(super) struct Listening {
    channel: Channel,
    opened: u32,
    /// When it is opened again.
    due: Option<Instant>,
    let_go: bool,
}

impl Listening {
    /// When it is to be opened again, if the server has closed it.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The session is at its end: what happens to the stream from now on is of no interest.
    pub(super) fn let_go(&mut self) {
        self.let_go = true;
        self.due = None;
    }
}

impl Conversation {
    pub(super) async fn open_sse(&mut self, url: &Url) -> Result<(), OpenError> {
        let limits = self.stream_limits();
        let Link::Http(link) = &mut self.link else { return Ok(()) };
        let headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        let channel = link.bare("GET", url.clone(), headers, &Outgoing::bytes(""), limits);
        link.stream = Some(channel);
        let deadline = Instant::now() + self.timeouts.startup.min(Duration::from_secs(10));
        let recorder = Arc::clone(&self.recorder);
        let failed = |why: String| OpenError::NoEndpoint {
            url: url.to_string(),
            why,
            recorder: Arc::clone(&recorder),
        };
        loop {
            self.inbox.absorb(&self.recorder);
            if let Some(endpoint) = endpoint(&self.recorder, channel) {
                let resolved = url.join(endpoint.trim());
                let target = resolved.map_err(|error| failed(format!("`{endpoint}` is no URL: {error}")))?;
                if !same_place(url, &target) {
                    return Err(failed(format!("it names another origin: {target}")));
                }
                if let Link::Http(link) = &mut self.link {
                    link.url = target;
                }
                return Ok(());
            }
            let exchange = self.inbox.exchange(channel);
            if let Some(gone) = exchange.and_then(|exchange| exchange.failed.clone()) {
                return Err(failed(gone.to_string()));
            }
            if let Some(head) = exchange.and_then(|exchange| exchange.head.as_ref())
                && (head.status != 200 || head.media_type().as_deref() != Some("text/event-stream"))
            {
                let media = head.media_type().unwrap_or_else(|| "no media type".to_owned());
                return Err(failed(format!("HTTP {} with {media}", head.status)));
            }
            if exchange.is_some_and(|exchange| exchange.end.is_some()) {
                return Err(failed("the stream ended".to_owned()));
            }
            if !self.wait(deadline).await {
                return Err(failed("no `endpoint` event came in time".to_owned()));
            }
        }
    }

    /// Whether a channel is the stream on which the server speaks by itself, not about a request.
    pub fn listens_on(&self, channel: Channel) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.channel == channel)
    }

    /// Opens an event stream at another URL than the endpoint's, by GET without a session.
    pub fn stream_at(&mut self, url: &Url, edits: &Outgoing) -> Ticket {
        let since = self.now();
        let limits = self.stream_limits();
        let Link::Http(link) = &mut self.link else {
            return Ticket { id: None, channel: Channel::PROCESS, since };
        };
        let headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        let channel = link.bare("GET", url.clone(), headers, edits, limits);
        Ticket { id: None, channel, since }
    }

    /// Opens the event stream of the session by GET; its head is waited for with [`Self::head`].
    pub fn get_stream(&mut self, last_event_id: Option<&str>, edits: &Outgoing) -> Ticket {
        let since = self.now();
        let limits = self.stream_limits();
        let Link::Http(link) = &mut self.link else {
            return Ticket { id: None, channel: Channel::PROCESS, since };
        };
        let mut headers = link.session_headers("text/event-stream");
        if let Some(id) = last_event_id {
            headers.push(("Last-Event-ID".to_owned(), id.to_owned()));
        }
        let channel = link.bare("GET", link.url.clone(), headers, edits, limits);
        Ticket { id: None, channel, since }
    }

    /// Opens the stream on which a legacy server may speak by itself (2025-03-26 and later,
    /// basic/transports#listening-for-messages-from-the-server). A server that has none says so with 405. Nothing is
    /// waited for: what the server asks on it is answered as it comes.
    pub fn listen(&mut self) {
        if self.era != Some(Era::Legacy) || self.transport != Transport::Http {
            return;
        }
        let channel = self.get_stream(None, &Outgoing::bytes("")).channel;
        self.listening = Some(Listening { channel, opened: 1, due: None, let_go: false });
    }

    /// The stream that was opened by [`Self::listen`], as a ticket.
    pub fn listening(&self) -> Option<Ticket> {
        let listening = self.listening.as_ref()?;
        Some(Ticket { id: None, channel: listening.channel, since: 0 })
    }

    /// Closes the stream that was opened by [`Self::listen`].
    pub async fn stop_listening(&mut self) {
        if let Some(listening) = self.listening.take()
            && let Link::Http(link) = &mut self.link
        {
            link.abort(listening.channel).await;
        }
    }

    /// Opens the stream of the session again where the server has closed it, after the wait that it asked for.
    pub(super) fn keep_listening(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        let channel = listening.channel;
        let Some(exchange) = self.inbox.exchange(channel) else { return };
        let was_stream = exchange.head.as_ref().is_some_and(super::HttpHead::is_event_stream);
        let closed = matches!(exchange.end, Some(End::Complete | End::Broken(_)));
        if listening.let_go || !was_stream || !closed || listening.opened > REOPENINGS {
            return;
        }
        let now = Instant::now();
        let wait = exchange.retry.map_or(RETRY, Duration::from_millis).min(LONGEST_RETRY);
        let due = *listening.due.get_or_insert(now + wait);
        if due > now {
            return;
        }
        let last = exchange.last_event_id.clone();
        let opened = listening.opened + 1;
        let again = self.get_stream(last.as_deref(), &Outgoing::bytes("")).channel;
        self.listening = Some(Listening { channel: again, opened, due: None, let_go: false });
    }

    /// Takes up an event stream again that ended before its response (legacy era, basic/transports#resumability).
    /// Whether that worked.
    pub(super) async fn resume(&mut self, ticket: &Ticket, deadline: Instant) -> bool {
        if self.era != Some(Era::Legacy) || self.transport != Transport::Http || ticket.id.is_none() {
            return false;
        }
        let channel = self.inbox.continuation(ticket.channel);
        let exchange = self.inbox.exchange_mut(channel);
        if exchange.over {
            return false;
        }
        let Some(last) = exchange.last_event_id.clone() else { return false };
        let asked_for = exchange.retry;
        let pause = asked_for.map_or(RETRY, Duration::from_millis).min(LONGEST_RETRY);
        if Instant::now() + pause > deadline {
            return false;
        }
        self.idle(pause).await;
        let again = self.get_stream(Some(&last), &Outgoing::bytes(""));
        self.recorder.note(format!("exchange {channel} is taken up again as {}", again.channel));
        match self.head_before(&again, deadline).await {
            Ok(head) if head.is_event_stream() => {
                self.inbox.exchange_mut(channel).continued = Some(again.channel);
                // Closed again before its first event, it goes on from where it was.
                let next = self.inbox.exchange_mut(again.channel);
                next.last_event_id.get_or_insert(last);
                next.retry = next.retry.or(asked_for);
                true
            }
            // The server does not take it up again: the answer is lost with the stream that ended.
            _ => {
                self.inbox.exchange_mut(channel).over = true;
                false
            }
        }
    }

    fn stream_limits(&self) -> ResponseLimits {
        let hour = Duration::from_hours(1);
        ResponseLimits { head: self.timeouts.startup, idle: hour, total: hour }
    }
}

/// The data of the `endpoint` event, if it has come.
fn endpoint(recorder: &Recorder, channel: Channel) -> Option<String> {
    recorder.snapshot().iter().find_map(|record| match &record.event {
        Event::Received { payload, sse: Some(sse) }
            if record.channel == channel && sse.event.as_deref() == Some("endpoint") =>
        {
            Some(String::from_utf8_lossy(payload.bytes()).into_owned())
        }
        _ => None,
    })
}

/// Whether messages for `url` may be sent to `target`: the same origin, or another name of this machine.
fn same_place(url: &Url, target: &Url) -> bool {
    let same_port = url.port_or_known_default() == target.port_or_known_default();
    url.origin() == target.origin()
        || (url.scheme() == target.scheme() && same_port && is_loopback(url) && is_loopback(target))
}
