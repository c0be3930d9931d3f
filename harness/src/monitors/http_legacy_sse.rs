//! HTTP+SSE, the HTTP transport of 2024-11-05 (basic/transports#http-with-sse).

use super::rule::monitors;
use super::{Breach, Heard, HttpExchange, Judge, Moment, State};
use crate::protocol::{Kind, Transport};
use crate::wire::{Event, Payload, SseFields, is_loopback};
use url::Url;

monitors! {
    /// The server has two endpoints: the stream, which is opened by GET, and the one that its `endpoint` event names,
    /// to which messages are posted.
    stream_and_post_endpoint_exist (AnyTraffic) decides ["http-legacy-sse.two-endpoints"] at_end both_endpoints_were_there;
    /// The first event on the stream is `endpoint` and names the URI for messages. Until it comes a client can say
    /// nothing.
    stream_begins_with_endpoint_event (AnyTraffic) decides ["http-legacy-sse.endpoint-event"] at_end endpoint_event_came;
    /// The data of the `endpoint` event is a URI, relative to the stream's, that takes POSTs. It stays on the origin
    /// of the stream: clients refuse another one, because messages could be sent anywhere.
    endpoint_uri_takes_messages (WhileWeObey) decides ["http-legacy-sse.endpoint-uri-usable"];
    /// Every event but `endpoint` is of type `message`, and its data is one JSON-RPC message.
    other_events_are_messages (AnyTraffic) decides ["http-legacy-sse.message-events"];
    /// A posted request is answered on the stream, not in the body of its POST.
    posted_requests_are_answered_on_the_stream (WhileWeObey) decides ["http-legacy-sse.post-answered-on-stream"];
}

/// The exchange of a moment over HTTP+SSE.
fn exchange<'a>(moment: &Moment<'a>) -> Option<&'a HttpExchange> {
    let exchange = moment.state.exchanges.get(&moment.record.channel)?;
    (moment.state.transport() == Transport::HttpSse).then_some(exchange)
}

fn is_endpoint(fields: &SseFields) -> bool {
    fields.event.as_deref() == Some("endpoint")
}

/// An event with data on a stream.
fn event<'a>(moment: &Moment<'a>) -> Option<(&'a HttpExchange, &'a SseFields, &'a Payload)> {
    let Event::Received { payload, sse: Some(fields) } = &moment.record.event else { return None };
    exchange(moment).filter(|exchange| exchange.method == "GET").map(|exchange| (exchange, fields, payload))
}

use super::http_streams::nothing_at_once as stream_and_post_endpoint_exist;

fn streams(state: &State) -> impl Iterator<Item = &HttpExchange> {
    let sse = state.transport() == Transport::HttpSse;
    state.clean_exchanges().map(|(_, exchange)| exchange).filter(move |exchange| {
        sse && exchange.method == "GET" && exchange.status == Some(200) && exchange.is_event_stream()
    })
}

fn names_endpoint(stream: &HttpExchange) -> bool {
    stream.stream.first.as_ref().is_some_and(|(fields, ..)| is_endpoint(fields))
}

fn both_endpoints_were_there(state: &State, judge: &mut Judge) {
    const ID: &str = "http-legacy-sse.two-endpoints";
    for stream in streams(state) {
        if !names_endpoint(stream) {
            let mut breach = Breach::new("no-endpoint", "the server names no endpoint for messages")
                .expected(&["a stream that names the endpoint for POST"])
                .actual("a stream without an `endpoint` event")
                .sent(stream.seq);
            breach.event = Some(stream.head_seq);
            judge.broke(ID, breach);
        } else if state.exchanges.values().any(|other| {
            other.method == "POST" && other.status.is_some_and(|status| (200..300).contains(&status))
        }) {
            judge.held(ID);
        }
    }
}

fn stream_begins_with_endpoint_event(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-legacy-sse.endpoint-event";
    let Some((exchange, fields, _)) = event(moment) else { return };
    let is_first = exchange.stream.first.as_ref().is_some_and(|(_, _, seq)| *seq == moment.record.seq);
    if !is_first || moment.message.is_some_and(|heard| heard.in_batch) {
        return;
    }
    judge.decide(ID, is_endpoint(fields), || {
        Breach::new("other-first", "the stream does not begin with the `endpoint` event")
            .expected(&["an event of type `endpoint`"])
            .actual(format!("an event of type `{}`", fields.event.as_deref().unwrap_or("message")))
            .at(moment.record)
            .sent(exchange.seq)
    });
}

fn endpoint_event_came(state: &State, judge: &mut Judge) {
    for stream in streams(state).filter(|stream| stream.stream.first.is_none()) {
        let mut breach = Breach::new("none", "no `endpoint` event came on the stream")
            .expected(&["an event of type `endpoint`"])
            .actual("no event")
            .sent(stream.seq);
        breach.event = Some(stream.head_seq);
        judge.broke("http-legacy-sse.endpoint-event", breach);
    }
}

fn endpoint_uri_takes_messages(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-legacy-sse.endpoint-uri-usable";
    let breach = |class: &str, text: &str, actual: String, sent: u64| {
        Breach::new(class, text)
            .expected(&["a URI on the stream's origin that takes POSTs"])
            .actual(actual)
            .at(moment.record)
            .sent(sent)
    };
    if let Some((exchange, fields, payload)) = event(moment)
        && is_endpoint(fields)
    {
        let data = String::from_utf8_lossy(payload.bytes()).into_owned();
        let Ok(base) = Url::parse(&exchange.url) else { return };
        match base.join(data.trim()) {
            Err(error) => {
                let text = "the data of the `endpoint` event is no URI";
                judge.broke(ID, breach("no-uri", text, error.to_string(), exchange.seq));
            }
            Ok(target) if target.origin() != base.origin() => {
                let text = "the `endpoint` event names another origin than the stream's";
                let actual = target.origin().ascii_serialization();
                let mut breach = breach("other-origin", text, actual, exchange.seq);
                if is_loopback(&base) && is_loopback(&target) {
                    breach = breach.quality();
                }
                judge.broke(ID, breach);
            }
            Ok(_) => {}
        }
    }
    if let Event::ResponseHead { status, .. } = moment.record.event
        && let Some(exchange) = exchange(moment)
        && exchange.method == "POST"
    {
        match status {
            200..=299 => judge.held(ID),
            300..=399 | 404 | 405 | 410 if exchange.rpc_method() == Some("initialize") => {
                let text = "the URI of the `endpoint` event does not take messages";
                judge.broke(ID, breach("refused", text, format!("HTTP {status}"), exchange.seq));
            }
            _ => {}
        }
    }
}

fn other_events_are_messages(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-legacy-sse.message-events";
    let Some((_, fields, payload)) = event(moment) else { return };
    if is_endpoint(fields) || moment.message.is_some_and(|heard| heard.in_batch) {
        return;
    }
    let breach = |class: &str, text: &str, actual: String| {
        Breach::new(class, text)
            .expected(&["an event of type `message` with one JSON-RPC message"])
            .actual(actual)
            .at(moment.record)
    };
    let kind = fields.event.as_deref().unwrap_or("message");
    match payload {
        Payload::Raw { truncated: true, .. } => {}
        _ if !matches!(kind, "message" | "") => {
            let text = "an event on the stream is neither `endpoint` nor `message`";
            judge.broke(ID, breach("other-type", text, format!("an event of type `{kind}`")));
        }
        Payload::Raw { error, .. } => {
            let error = error.clone().unwrap_or_else(|| "no JSON text".to_owned());
            judge.broke(ID, breach("not-json", "the data of an event is no JSON-RPC message", error));
        }
        Payload::Message(message) => match message.kind() {
            // Judged by `base.jsonrpc.message-kinds`.
            Kind::NotAMessage(_) => {}
            _ => judge.held(ID),
        },
    }
}

fn posted_requests_are_answered_on_the_stream(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-legacy-sse.post-answered-on-stream";
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    let Some(exchange) = exchange(moment).filter(|_| message.is_response()) else { return };
    match exchange.method.as_str() {
        "GET" => judge.held(ID),
        "POST" if exchange.status.is_some_and(|status| status < 300) => judge.broke(
            ID,
            Breach::new("in-post", format!("the answer to `{}` came in the body of its POST", asked.method))
                .expected(&["the answer on the stream"])
                .actual("the answer in the body of the POST")
                .at(moment.record)
                .sent(asked.seq),
        ),
        _ => {}
    }
}
