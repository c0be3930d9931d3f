//! Streamable HTTP: event streams, the GET stream, resumption (basic/transports).

use super::http::{exchange, head};
use super::rule::monitors;
use super::streams::is_lost;
use super::{Asked, Breach, Heard, HttpExchange, Judge, Moment, State};
use crate::protocol::{Era, Kind, Revision, Transport};
use crate::transcript::Record;
use crate::wire::{End, Event, Payload, header};
use serde_json::Value;
use std::time::Duration;

/// How long a stream may stay open after the response that it was opened for.
const LINGERING: Duration = Duration::from_secs(2);

monitors! {
    /// The data of every event on a stream is JSON. Clients parse the data of each event by itself; what message it is,
    /// and that it is no array, is judged by the rules about messages.
    event_carries_one_message (AnyTraffic) decides ["http.sse.event-payload"];
    /// In 2025-11-25 a new stream begins with an event that has an id and no data, so that a client can come back
    /// even if the connection breaks before the first message. Judged only where the server uses event ids at all.
    stream_begins_with_a_priming_event (AnyTraffic) decides ["http.sse.priming-event"] at_end streams_were_primed;
    /// The stream of a request carries its response before it ends, up to 2025-06-18 without exception; in 2025-11-25
    /// the server may close the connection after an event id, and says by `retry` when to come back.
    stream_delivers_its_response (AnyTraffic) decides [
        "http.sse.response-delivered", "http.sse.not-closed-early", "http.sse.retry-before-close",
        "http.sse.batch-responses-delivered",
    ] at_end streams_delivered_their_responses;
    /// What precedes the response on a stream belongs to that request: no progress of another request, and in
    /// 2026-07-28 no change notification, which only a subscription may carry.
    messages_before_the_response_relate_to_it (WhileWeObey) decides ["http.sse.related-messages-only"];
    /// The stream ends soon after the response. One that stays open costs both sides a connection for each request.
    stream_ends_after_the_response (AnyTraffic) decides ["http.sse.ends-after-response"] at_end streams_ended;
    /// A subscription's stream carries changes alone: progress and log messages belong on the stream of the request
    /// that they are about.
    listen_stream_carries_changes_only (WhileWeObey) decides ["http.sse.listen-stream-only-changes"]
        at_end listen_streams_carried_changes_only;
    /// In 2026-07-28 event streams carry `X-Accel-Buffering: no`: else a reverse proxy may hold events back.
    event_streams_disable_buffering (WhileWeObey) decides ["http.sse.buffering-disabled"];
    /// A message goes out on one stream only. A request of the server or a progress value that comes on two streams of
    /// a session would be handled twice.
    messages_are_not_broadcast (AnyTraffic) decides ["http.sse.no-broadcast"];
    /// The first GET of a session, with all headers in order, opens an event stream or is refused with 405.
    get_opens_a_stream_or_is_refused (WhileWeObey) decides ["http.get.sse-or-refused"];
    /// The GET stream is for what has no request: progress of a running request goes on that request's stream.
    get_stream_is_unrelated_to_requests (WhileWeObey) decides ["http.get.messages-unrelated"];
    /// No response comes on a GET stream, unless it takes up the stream of a request again.
    get_stream_carries_no_response (AnyTraffic) decides ["http.get.no-response"] at_end get_stream_was_open;
    /// A server that closes the GET stream but wants the client back says when, by `retry`.
    closed_get_stream_names_a_retry (AnyTraffic) decides ["http.get.retry-before-close"] at_end get_streams_closed;
    /// An event id stands for one event of the session. Two events with one id make a resumed stream lose or repeat
    /// messages.
    event_ids_are_unique (AnyTraffic) decides ["http.resume.event-id-unique"] at_end event_ids_were_used;
}

/// Of rules that can only be judged when the conversation is over.
pub(super) fn nothing_at_once(_: &Moment<'_>, _: &mut Judge) {}
use nothing_at_once as stream_begins_with_a_priming_event;
use nothing_at_once as stream_delivers_its_response;
use nothing_at_once as stream_ends_after_the_response;
use nothing_at_once as closed_get_stream_names_a_retry;

fn event_carries_one_message(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.sse.event-payload";
    let Event::Received { payload, sse: Some(_) } = &moment.record.event else { return };
    let Some(exchange) = exchange(moment) else { return };
    match payload {
        // Cut off by the end of the stream, or by our own limit.
        Payload::Raw { truncated: true, .. } => {}
        Payload::Raw { error, .. } => judge.broke(
            ID,
            Breach::new(
                "not-json",
                "an event of the stream carries something else than one JSON-RPC message",
            )
            .expected(&["one JSON-RPC message"])
            .actual(error.clone().unwrap_or_else(|| "no JSON text".to_owned()))
            .at(moment.record)
            .sent(exchange.seq),
        ),
        Payload::Message(message) => match message.kind() {
            // Judged by `base.batch.not-sent` and `base.jsonrpc.message-kinds`.
            Kind::Batch | Kind::NotAMessage(_) => {}
            _ => judge.held(ID),
        },
    }
}

/// Streams in answer to requests with which we obeyed the protocol; those of subscriptions left out.
fn request_streams(state: &State) -> impl Iterator<Item = &HttpExchange> {
    let http = state.transport() == Transport::Http;
    state.clean_exchanges().map(|(_, exchange)| exchange).filter(move |exchange| {
        http && exchange.is_post_stream()
            && exchange.carries_request()
            && exchange.rpc_method() != Some("subscriptions/listen")
    })
}

fn streams_were_primed(state: &State, judge: &mut Judge) {
    const ID: &str = "http.sse.priming-event";
    if state.rules() != Some(Revision::V2025_11_25) {
        return;
    }
    let gets = state.clean_exchanges().map(|(_, exchange)| exchange).filter(|get| get.is_own_get_stream());
    for exchange in request_streams(state).chain(gets) {
        let Some((_, _, seq)) = &exchange.stream.first else { continue };
        if exchange.stream.is_primed() {
            judge.held(ID);
        } else if state.event_ids.is_empty() {
            judge.not_applicable(
                ID,
                "no-event-ids",
                "the server gives no event ids, so nothing can be resumed",
            );
        } else if exchange.method == "POST" {
            let mut breach =
                Breach::new("not-primed", "the stream begins with another event than a priming one")
                    .expected(&["an event with an id and empty data"])
                    .actual("an event with data, or without an id")
                    .sent(exchange.seq);
            breach.event = Some(*seq);
            judge.broke(ID, breach);
        }
    }
}

fn streams_delivered_their_responses(state: &State, judge: &mut Judge) {
    const DELIVERED: &str = "http.sse.response-delivered";
    const ANSWERED: &str = "base.response.always-sent";
    const EARLY: &str = "http.sse.not-closed-early";
    const RETRY: &str = "http.sse.retry-before-close";
    const BATCH: &str = "http.sse.batch-responses-delivered";
    let batch_as_json = |exchange: &HttpExchange| {
        exchange.carries(&Kind::Batch) && exchange.media_type().as_deref() == Some("application/json")
    };
    if state.clean_exchanges().any(|(_, exchange)| batch_as_json(exchange)) {
        judge.not_applicable(BATCH, "no-stream", "the server answers a batch as JSON and not on a stream");
    }
    for exchange in request_streams(state) {
        let requests = exchange.requests();
        let asked: Vec<_> = requests.iter().filter_map(|id| state.asked.get(id)).collect();
        if asked.is_empty() || asked.iter().any(|asked| asked.cancelled) {
            continue;
        }
        let batch = exchange.carries(&Kind::Batch);
        let here = exchange.responses as usize >= requests.len();
        let answered = asked.iter().all(|asked| asked.responses > 0);
        if answered {
            judge.held(DELIVERED);
            if batch {
                judge.held(BATCH);
            }
        }
        if here {
            judge.held(EARLY);
            continue;
        }
        // What the harness closed, or what broke on the way, is no deed of the server.
        if exchange.end != Some(End::Complete) || session_was_over(state, exchange) {
            continue;
        }
        let breach = |class: &str, text: &str| {
            let mut breach = Breach::new(class, text)
                .expected(&["the response, and then the end of the stream"])
                .actual(format!("{} of {} responses", exchange.responses, requests.len()))
                .sent(exchange.seq);
            breach.event = Some(exchange.head_seq);
            breach
        };
        // From 2025-11-25 on a stream may be closed, to be taken up again.
        if state.rules() < Some(Revision::V2025_11_25) {
            judge.broke(EARLY, breach("closed-early", "the stream was closed before the response"));
        }
        if state.rules() >= Some(Revision::V2025_11_25) && exchange.stream.last_id.is_some() {
            judge.decide(RETRY, exchange.stream.retry, || {
                breach("no-retry", "the stream was closed before the response, and no `retry` was sent")
                    .expected(&["an SSE `retry` field before the connection is closed"])
                    .actual("none")
            });
        }
        if answered {
            continue;
        }
        if !is_lost(state, exchange) {
            let text = "a stream ended before its response, and nobody came back for the rest of it";
            judge.undecided(DELIVERED, "not-taken-up", text);
            continue;
        }
        let lost = breach("no-response", "the stream of a request ended without its response");
        if state.era() == Some(Era::Legacy) {
            // What the page of transports only recommends here follows from JSON-RPC.
            judge.broke(ANSWERED, lost.clone());
            judge.broke(DELIVERED, lost.see(ANSWERED));
        } else {
            judge.broke(DELIVERED, lost);
        }
        if batch {
            judge.broke(BATCH, breach("no-response", "the stream of a batch ended without all responses"));
        }
    }
}

/// Whether the session had been deleted by the time when an exchange ended.
fn session_was_over(state: &State, exchange: &HttpExchange) -> bool {
    let ended = exchange.times.ended.unwrap_or(state.now);
    state.deleted_at().is_some_and(|deleted| deleted <= ended)
}

fn progress_token(heard: &Heard<'_>) -> Option<Value> {
    let message = heard.message;
    if message.method() != Some("notifications/progress") {
        return None;
    }
    message.params()?.get("progressToken").cloned()
}

fn messages_before_the_response_relate_to_it(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.sse.related-messages-only";
    let Some(heard) = moment.message else { return };
    let Some(exchange) = exchange(moment).filter(|exchange| exchange.is_post_stream()) else { return };
    if *heard.message.kind() != Kind::Notification
        || exchange.rpc_method() == Some("subscriptions/listen")
        || !exchange.carries_request()
    {
        return;
    }
    let method = heard.message.method().unwrap_or_default();
    let breach = |class: &str, text: String| {
        Breach::new(class, text)
            .expected(&["messages that relate to the request"])
            .actual(format!("`{method}`"))
            .at(moment.record)
            .sent(exchange.seq)
    };
    let modern = moment.state.era() == Some(Era::Modern);
    let own = |token: &Value| {
        exchange
            .requests()
            .iter()
            .any(|id| moment.state.asked.get(id).is_some_and(|asked| asked.progress_token() == Some(token)))
    };
    let others =
        |token: &Value| moment.state.asked.values().any(|asked| asked.progress_token() == Some(token));
    // What is about a task may come on any stream (2025-11-25, basic/utilities/tasks#input-required-status).
    let of_a_task = |token: &Value| {
        let progress = super::token_key(token).and_then(|key| moment.state.notices.progress.get(&key));
        progress.is_some_and(|progress| progress.task.is_some())
    };
    match (method, progress_token(&heard)) {
        (_, Some(token)) if own(&token) => judge.held(ID),
        (_, Some(token)) if of_a_task(&token) => {}
        (_, Some(token)) if modern || others(&token) => {
            let text = "progress of another request came on the stream of this one".to_owned();
            judge.broke(ID, breach("foreign-progress", text));
        }
        (
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated"
            | "notifications/subscriptions/acknowledged",
            _,
        ) if modern => {
            let text = "a notification of a subscription came on the stream of another request".to_owned();
            judge.broke(ID, breach("subscription", text));
        }
        ("notifications/message", _) if modern => judge.held(ID),
        (other, None) if modern && !other.starts_with("notifications/") => {
            let text = "a notification that the specification does not have came on the stream".to_owned();
            judge.broke(ID, breach("unknown-notification", text).quality());
        }
        _ => {}
    }
}

fn streams_ended(state: &State, judge: &mut Judge) {
    const ID: &str = "http.sse.ends-after-response";
    for exchange in request_streams(state) {
        let Some(answered) = exchange.times.answered else { continue };
        if (exchange.responses as usize) < exchange.requests().len() {
            continue;
        }
        let breach = |class: &str, text: &str, actual: String| {
            let mut breach = Breach::new(class, text)
                .expected(&["the end of the stream after the response"])
                .actual(actual)
                .sent(exchange.seq);
            breach.event = Some(exchange.head_seq);
            breach
        };
        if exchange.stream.after_response > 0 && state.era() == Some(Era::Legacy) {
            let actual = format!("{} messages after the response", exchange.stream.after_response);
            judge.broke(ID, breach("more", "messages came on the stream after its response", actual));
        }
        let open = exchange.times.ended.unwrap_or(state.now).saturating_sub(answered);
        if open > LINGERING {
            let actual = format!("still open after {} s", open.as_secs());
            judge.broke(ID, breach("open", "the stream stayed open after its response", actual));
        } else if exchange.end == Some(End::Complete) {
            judge.held(ID);
        }
    }
}

fn listen_stream_carries_changes_only(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message else { return };
    let Some(exchange) = exchange(moment) else { return };
    if exchange.rpc_method() != Some("subscriptions/listen") {
        return;
    }
    let method = heard.message.method().unwrap_or_default();
    if matches!(method, "notifications/progress" | "notifications/message") {
        judge.broke(
            "http.sse.listen-stream-only-changes",
            Breach::new(method, "a notification of another request came on the stream of a subscription")
                .expected(&["notifications of the subscription"])
                .actual(format!("`{method}`"))
                .at(moment.record)
                .sent(exchange.seq),
        );
    }
}

fn listen_streams_carried_changes_only(state: &State, judge: &mut Judge) {
    if state.transport() != Transport::Http {
        return;
    }
    for (_, exchange) in state.clean_exchanges() {
        if exchange.rpc_method() != Some("subscriptions/listen") || exchange.payloads == 0 {
            continue;
        }
        let from = exchange.times.head.unwrap_or(exchange.times.sent);
        let until = exchange.times.ended.unwrap_or(state.now);
        // Something must have been there to say: a request that asked for progress or log messages.
        let talkative = state.asked.values().any(|asked| {
            let meta = asked.message.params().and_then(|params| params.get("_meta"));
            let wants = meta.is_some_and(|meta| {
                meta.get("progressToken").is_some() || meta.get("io.modelcontextprotocol/logLevel").is_some()
            });
            wants && asked.responses > 0 && asked.at >= from && asked.at <= until
        });
        if talkative {
            judge.held("http.sse.listen-stream-only-changes");
        }
    }
}

fn event_streams_disable_buffering(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, 200)) = head(moment) else { return };
    if moment.state.era() != Some(Era::Modern) || !exchange.is_event_stream() {
        return;
    }
    let value = header(&exchange.headers, "x-accel-buffering");
    let good = value.is_some_and(|value| value.trim().eq_ignore_ascii_case("no"));
    judge.decide("http.sse.buffering-disabled", good, || {
        Breach::new("buffered", "an event stream does not tell proxies not to buffer it")
            .expected(&["X-Accel-Buffering: no"])
            .actual(value.map_or("no such header".to_owned(), |value| format!("X-Accel-Buffering: {value}")))
            .at(moment.record)
            .sent(exchange.seq)
    });
}

fn messages_are_not_broadcast(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.sse.no-broadcast";
    let Some(heard) = moment.message else { return };
    let Some(here) = exchange(moment).filter(|here| here.is_event_stream()) else { return };
    let Some(key) = super::streams::unique_key(heard.message) else { return };
    let replayed = |exchange: &HttpExchange| exchange.is_resumption();
    let first = moment.state.unique.get(&key).filter(|channel| **channel != moment.record.channel);
    if let Some(first) = first {
        let theirs = moment.state.exchanges.get(first).filter(|theirs| theirs.session() == here.session());
        if !replayed(here) && theirs.is_some_and(|theirs| !replayed(theirs)) {
            judge.broke(
                ID,
                Breach::new("twice", "a message came on two streams of the session")
                    .expected(&["each message on one stream"])
                    .actual(key)
                    .at(moment.record)
                    .sent(here.seq),
            );
        }
        return;
    }
    let open = moment.state.exchanges.values().filter(|other| other.is_event_stream() && other.end.is_none());
    if open.count() > 1 {
        judge.held(ID);
    }
}

fn get_opens_a_stream_or_is_refused(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.get.sse-or-refused";
    let Some((exchange, status)) = head(moment) else { return };
    let state = moment.state;
    if exchange.method != "GET" || state.era() != Some(Era::Legacy) || exchange.is_resumption() {
        return;
    }
    let own = moment.record.channel;
    let another = state
        .exchanges
        .iter()
        .any(|(channel, other)| *channel != own && other.is_own_get_stream() && other.end.is_none());
    if another || state.deleted_at().is_some() {
        return;
    }
    let stream = status == 200 && exchange.is_event_stream();
    match status {
        200 | 405 if stream || status == 405 => judge.held(ID),
        401 | 403 | 429 | 502..=504 => {
            judge.undecided(ID, "refused", format!("GET was answered with HTTP {status}"));
        }
        _ => {
            let media = exchange.media_type().unwrap_or_else(|| "no media type".to_owned());
            judge.broke(
                ID,
                Breach::new(
                    "neither",
                    "GET on the endpoint neither opens an event stream nor is refused with 405",
                )
                .expected(&["HTTP 200 with Content-Type: text/event-stream", "HTTP 405"])
                .actual(format!("HTTP {status} with {media}"))
                .at(moment.record)
                .sent(exchange.seq),
            );
        }
    }
}

fn get_stream_is_unrelated_to_requests(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.get.messages-unrelated";
    let Some(heard) = moment.message else { return };
    let Some(exchange) = exchange(moment) else { return };
    let Some(token) = progress_token(&heard) else { return };
    let state = moment.state;
    // What is about a task may come on any stream (2025-11-25, basic/utilities/tasks#input-required-status).
    let a_task = |asked: &Asked| asked.message.params().is_some_and(|params| params.get("task").is_some());
    let running = state.asked.values().any(|asked| {
        asked.responses == 0 && !asked.cancelled && asked.progress_token() == Some(&token) && !a_task(asked)
    });
    if !running {
        return;
    }
    if exchange.is_own_get_stream() {
        judge.broke(
            ID,
            Breach::new("progress", "progress of a running request came on the GET stream")
                .expected(&["progress on the stream of its request"])
                .actual(format!("progress for token {token} on the GET stream"))
                .at(moment.record)
                .pointer("/params/progressToken"),
        );
    } else if state.exchanges.values().any(|other| other.is_own_get_stream() && other.end.is_none()) {
        judge.held(ID);
    }
}

fn get_stream_carries_no_response(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers, .. }) = moment.message else { return };
    let Some(exchange) = exchange(moment) else { return };
    if message.is_response() && exchange.is_own_get_stream() {
        let mut breach = Breach::new("response", "a response came on the GET stream")
            .expected(&["responses on the stream or in the body of the POST that asked"])
            .actual(format!(
                "the response with id {}",
                message.id().map_or("none".to_owned(), ToString::to_string)
            ))
            .at(moment.record);
        if let Some(asked) = answers {
            breach = breach.sent(asked.seq);
        }
        judge.broke("http.get.no-response", breach);
    }
}

fn get_stream_was_open(state: &State, judge: &mut Judge) {
    const ID: &str = "http.get.no-response";
    if state.transport() != Transport::Http {
        return;
    }
    for exchange in state.exchanges.values().filter(|exchange| exchange.method == "GET") {
        if exchange.is_own_get_stream() {
            let (from, until) = (exchange.times.head, exchange.times.ended.unwrap_or(state.now));
            let meanwhile =
                |asked: &super::Asked| asked.responses > 0 && Some(asked.at) >= from && asked.at <= until;
            if state.asked.values().any(meanwhile) {
                judge.held(ID);
            }
        } else if exchange.status == Some(405) {
            judge.not_applicable(ID, "no-get-stream", "the server has no GET stream: it answers with 405");
        }
    }
}

fn get_streams_closed(state: &State, judge: &mut Judge) {
    const ID: &str = "http.get.retry-before-close";
    for (_, exchange) in state.clean_exchanges() {
        if !exchange.is_own_get_stream()
            || exchange.end != Some(End::Complete)
            || exchange.stream.last_id.is_none()
            || session_was_over(state, exchange)
        {
            continue;
        }
        judge.decide(ID, exchange.stream.retry, || {
            let mut breach = Breach::new(
                "no-retry",
                "the server closed the GET stream, which had event ids, without `retry`",
            )
            .quality()
            .expected(&["an SSE `retry` field before the connection is closed"])
            .actual("none")
            .sent(exchange.seq);
            breach.event = Some(exchange.head_seq);
            breach
        });
    }
}

fn event_ids_were_used(state: &State, judge: &mut Judge) {
    if state.event_ids.is_empty() && request_streams(state).any(|stream| stream.received > 0) {
        let text = "the server gives no event ids";
        judge.not_applicable("http.resume.event-id-unique", "no-event-ids", text);
    }
}

fn event_ids_are_unique(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.resume.event-id-unique";
    let record: &Record = moment.record;
    let (fields, has_content) = match &record.event {
        Event::Received { sse: Some(fields), .. } => (fields, true),
        Event::SseOther(fields) => (fields, false),
        _ => return,
    };
    let Some(exchange) = exchange(moment).filter(|exchange| !exchange.is_resumption()) else { return };
    let Some(id) = &fields.id else { return };
    // Elements of a batch are one event.
    if moment.message.is_some_and(|heard| heard.in_batch) {
        return;
    }
    let Some(known) = moment.state.event_ids.get(exchange.session(), id) else { return judge.held(ID) };
    let same_stream = known.channel == record.channel;
    if same_stream && !(known.has_content && has_content) {
        return;
    }
    let mut breach = Breach::new("again", "two events have one id")
        .expected(&["an id that no other event of the session has"])
        .actual(format!("id `{id}` a second time"))
        .at(record)
        .sent(exchange.seq);
    if !(known.has_content && has_content) {
        "again-priming".clone_into(&mut breach.class);
        breach = breach.quality();
    }
    judge.broke(ID, breach);
}

#[cfg(test)]
mod tests {
    use super::super::testing::Script;
    use crate::protocol::Revision;
    use crate::wire::{End, Event, Payload, SseFields};
    use serde_json::json;

    /// Over HTTP a cancellation may overtake its request: a stream that ends without an answer is right either way.
    #[test]
    fn cancellations_that_came_first_count() {
        let cancellation =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
        let asked = |script: Script| {
            let (script, channel) = script.posted(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#, None);
            script.streaming(channel).on(channel, Event::ResponseEnded(End::Complete)).verdicts()
        };
        let script = || Script::http(Revision::V2025_03_26).handshake();
        assert!(asked(script()).broken().contains(&"http.sse.response-delivered"));
        let first = script().posted(cancellation.to_string().as_bytes(), None).0;
        assert!(!asked(first).broken().contains(&"http.sse.response-delivered"));
    }

    /// A server may ask the same of every session.
    #[test]
    fn messages_are_compared_within_a_session() {
        let asked = |sessions: [&str; 2]| {
            let mut script = Script::http(Revision::V2025_11_25).handshake();
            for (id, session) in (7..).zip(sessions) {
                let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}).to_string();
                let (next, channel) = script.posted(call.as_bytes(), None);
                let headers = [("content-type", "text/event-stream"), ("mcp-session-id", session)];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                let ping = json!({"jsonrpc": "2.0", "id": "ping-1", "method": "ping"}).to_string();
                let fields = SseFields { has_data: true, ..SseFields::default() };
                let event = Event::Received { payload: Payload::read(ping.into_bytes()), sse: Some(fields) };
                script = next.on(channel, Event::ResponseHead { status: 200, headers }).on(channel, event);
            }
            script.verdicts()
        };
        const ID: &str = "http.sse.no-broadcast";
        assert!(asked(["a", "a"]).broken().contains(&ID));
        assert!(!asked(["a", "b"]).broken().contains(&ID));
    }

    /// An id counts in its session: another principal that was let in has one of their own.
    #[test]
    fn event_ids_are_compared_within_a_session() {
        let streams = |sessions: [&str; 2]| {
            let mut script = Script::http(Revision::V2025_11_25).handshake();
            for (id, session) in (7..).zip(sessions) {
                let ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string();
                let (next, channel) = script.posted(ping.as_bytes(), None);
                let headers = [("content-type", "text/event-stream"), ("mcp-session-id", session)];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                let answer = json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string();
                let fields = SseFields { id: Some("1".to_owned()), has_data: true, ..SseFields::default() };
                let event =
                    Event::Received { payload: Payload::read(answer.into_bytes()), sse: Some(fields) };
                script = next
                    .on(channel, Event::ResponseHead { status: 200, headers })
                    .on(channel, event)
                    .on(channel, Event::ResponseEnded(End::Complete));
            }
            script.verdicts()
        };
        const ID: &str = "http.resume.event-id-unique";
        assert!(streams(["a", "a"]).broken().contains(&ID));
        assert!(!streams(["a", "b"]).broken().contains(&ID));
    }
}
