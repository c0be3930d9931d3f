//! Streamable HTTP: what a POST and other methods are answered with (basic/transports). Event streams have a file of
//! their own, [`super::http_streams`].

use super::rule::monitors;
use super::{Breach, Heard, HttpExchange, Judge, Moment, State};
use crate::protocol::{Era, Id, Kind, Revision, Transport};
use crate::wire::{End, Event, Payload, header};

monitors! {
    /// One path serves POST and, up to 2025-11-25, GET. A GET that is answered with 404 or sent to another path breaks
    /// it, and so does a POST of a basic request that gets 404 or 405 without a JSON-RPC body. 405 on GET is the way
    /// to say that there is no stream. Clients know one URL only.
    endpoint_serves_all_messages (WhileWeObey) decides ["http.endpoint.single"] at_end get_is_served_where_post_is;
    /// Clients that are no browser send no `Origin`. Requests without it are served; 403 for one that lacks nothing
    /// else keeps every such client out.
    requests_without_origin_are_served (WhileWeObey) decides ["http.origin.absent-accepted"];
    /// Notes whether requests without credentials are served. Whether they are meant to be, only the operator knows.
    anonymous_requests_are_noted (AnyTraffic) decides ["http.authentication"] at_end anonymous_requests_were_served;
    /// The successful answer to a request has `Content-Type: application/json` or `text/event-stream`. By it a client
    /// chooses how to read the body.
    request_is_answered_as_json_or_event_stream (WhileWeObey) decides ["http.post.response-content-type"];
    /// An `application/json` answer to a request is one response: no array (except for a batch in 2025-03-26), no
    /// notification, not empty.
    json_answer_is_one_response (WhileWeObey) decides ["http.post.json-single-object"];
    /// A notification that is accepted is answered with 202 and no body. Any other 2xx, or a body, makes clients wait
    /// for a message that is none, or take it for one.
    notification_is_accepted_with_empty_202 (WhileWeObey) decides
        ["http.post.notification-accepted-status", "http.post.notification-empty-body"];
    /// Our response to a request of the server, once accepted, is answered with 202 and no body.
    response_is_accepted_with_202 (WhileWeObey) decides ["http.post.response-accepted-status"];
    /// In 2026-07-28 error -32601 for a method that the server does not implement comes with HTTP 404, and such a 404
    /// has the JSON-RPC error in it: without it a client takes the URL to be wrong.
    unknown_method_has_status_404 (WhileWeObey) decides ["http.error.unknown-method-status"];
    /// A 405 response names the methods that are allowed in `Allow` (RFC 9110, section 15.5.6).
    method_not_allowed_lists_allowed_methods (AnyTraffic) decides ["http.method.allow-listed"];
}

/// The exchange and the status, where the moment is the head of a response over Streamable HTTP.
pub(super) fn head<'a>(moment: &Moment<'a>) -> Option<(&'a HttpExchange, u16)> {
    let Event::ResponseHead { status, .. } = &moment.record.event else { return None };
    exchange(moment).map(|exchange| (exchange, *status))
}

/// The exchange, where the moment is the orderly end of a response over Streamable HTTP.
fn end<'a>(moment: &Moment<'a>) -> Option<&'a HttpExchange> {
    let Event::ResponseEnded(End::Complete) = &moment.record.event else { return None };
    exchange(moment)
}

/// The exchange of a moment over Streamable HTTP.
pub(super) fn exchange<'a>(moment: &Moment<'a>) -> Option<&'a HttpExchange> {
    let exchange = moment.state.exchanges.get(&moment.record.channel)?;
    (moment.state.transport() == Transport::Http).then_some(exchange)
}

fn endpoint_serves_all_messages(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.endpoint.single";
    if head(moment).is_some_and(|(exchange, status)| exchange.method == "POST" && status < 300) {
        judge.held(ID);
    }
    if let Some(exchange) = end(moment)
        && let Some(status @ (404 | 405)) = exchange.status
        && exchange.payloads == 0
        && matches!(exchange.rpc_method(), Some("initialize" | "server/discover" | "ping"))
        && header(&exchange.request_headers, "mcp-session-id").is_none()
    {
        let method = exchange.rpc_method().unwrap_or_default();
        judge.broke(
            ID,
            Breach::new("post-elsewhere", format!("a POST of `{method}` was not taken at the endpoint"))
                .expected(&["a JSON-RPC message"])
                .actual(format!("HTTP {status} without one"))
                .at(moment.record)
                .sent(exchange.seq),
        );
    }
}

/// A session that is over is answered with 404, too: only where a POST is served after a GET was not is it no matter of that.
fn get_is_served_where_post_is(state: &State, judge: &mut Judge) {
    if state.era() != Some(Era::Legacy) || state.transport() != Transport::Http {
        return;
    }
    let all = || state.clean_exchanges().map(|(_, exchange)| exchange);
    for get in all().filter(|exchange| exchange.method == "GET") {
        let Some(status) = get.status.filter(|status| *status == 404 || (300..400).contains(status)) else {
            continue;
        };
        let served_later = |post: &HttpExchange| {
            post.method == "POST"
                && post.seq > get.seq
                && post.session() == get.session()
                && post.status.is_some_and(|status| status < 300)
        };
        if all().any(served_later) {
            judge.broke(
                "http.endpoint.single",
                Breach::new("get-elsewhere", "GET is not served at the URL that serves POST")
                    .expected(&["an event stream", "HTTP 405"])
                    .actual(format!("HTTP {status}"))
                    .sent(get.seq),
            );
        }
    }
}

fn requests_without_origin_are_served(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.origin.absent-accepted";
    let Event::ResponseHead { status, headers } = &moment.record.event else { return };
    let Some(exchange) = moment.state.exchanges.get(&moment.record.channel) else { return };
    let sent = |name: &str| header(&exchange.request_headers, name).is_some();
    if sent("origin") {
        return;
    }
    let modern = moment.state.era() == Some(Era::Modern);
    if *status < 400 {
        judge.held(ID);
    } else if modern
        && *status == 403
        && !sent("authorization")
        && header(headers, "www-authenticate").is_none()
    {
        judge.broke(
            ID,
            Breach::new("forbidden", "a request that has no `Origin` was refused with 403")
                .expected(&["the request is served"])
                .actual("HTTP 403")
                .at(moment.record)
                .sent(exchange.seq),
        );
    }
}

fn anonymous_requests_are_noted(moment: &Moment<'_>, judge: &mut Judge) {
    let Event::ResponseHead { status: 401, .. } = &moment.record.event else { return };
    let Some(exchange) = moment.state.exchanges.get(&moment.record.channel) else { return };
    if header(&exchange.request_headers, "authorization").is_none() {
        judge.held("http.authentication");
    }
}

fn anonymous_requests_were_served(state: &State, judge: &mut Judge) {
    let served = state.exchanges.values().any(|exchange| {
        exchange.status.is_some_and(|status| status < 300)
            && header(&exchange.request_headers, "authorization").is_none()
    });
    if served {
        let text =
            "requests without credentials are served; whether that is meant, only its operator can say";
        judge.undecided("http.authentication", "open-server", text);
    }
}

fn request_is_answered_as_json_or_event_stream(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.post.response-content-type";
    let Some((exchange, 200..=299)) = head(moment) else { return };
    // What was cancelled is owed no answer of any kind.
    let cancelled = |id: &Id| moment.state.asked.get(id).is_some_and(|asked| asked.cancelled);
    if !exchange.carries_request() || exchange.requests().iter().any(cancelled) {
        return;
    }
    let media = exchange.media_type();
    let good = matches!(media.as_deref(), Some("application/json" | "text/event-stream"));
    judge.decide(ID, good, || {
        Breach::new("media-type", "the answer to a request is neither JSON nor an event stream")
            .expected(&["Content-Type: application/json", "Content-Type: text/event-stream"])
            .actual(media.map_or("no Content-Type".to_owned(), |media| format!("Content-Type: {media}")))
            .at(moment.record)
            .sent(exchange.seq)
    });
}

fn json_answer_is_one_response(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.post.json-single-object";
    let Some(exchange) = exchange(moment) else { return };
    if exchange.status.is_none_or(|status| status >= 300)
        || exchange.media_type().as_deref() != Some("application/json")
        || !exchange.carries_request()
    {
        return;
    }
    let breach = |class: &str, actual: String| {
        Breach::new(class, "the JSON answer to a request is not one JSON-RPC response")
            .expected(&["one JSON-RPC response"])
            .actual(actual)
            .at(moment.record)
            .sent(exchange.seq)
    };
    let broke = |judge: &mut Judge, class: &str, actual: String| judge.broke(ID, breach(class, actual));
    match (&moment.record.event, moment.message) {
        (Event::Received { payload: Payload::Message(message), .. }, None) => {
            if moment.state.rules() == Some(Revision::V2025_03_26) && exchange.carries(&Kind::Batch) {
                judge.held(ID);
            } else if *message.kind() == Kind::Batch {
                broke(judge, "array", "an array".to_owned());
            }
        }
        (_, Some(Heard { message, in_batch: false, .. })) => match message.kind() {
            Kind::Result | Kind::Error => judge.held(ID),
            Kind::Request | Kind::Notification => {
                broke(judge, "no-response", format!("`{}`", message.method().unwrap_or_default()));
            }
            // What is no message at all is judged as that, and what is no JSON by `base.encoding.valid-json`.
            Kind::Batch | Kind::NotAMessage(_) => {}
        },
        (Event::ResponseEnded(End::Complete), _) if exchange.received == 0 => {
            broke(judge, "empty", "an empty body".to_owned());
        }
        _ => {}
    }
}

fn notification_is_accepted_with_empty_202(moment: &Moment<'_>, judge: &mut Judge) {
    const STATUS: &str = "http.post.notification-accepted-status";
    const BODY: &str = "http.post.notification-empty-body";
    let Some(exchange) = exchange(moment) else { return };
    if !exchange.carries(&Kind::Notification) {
        return;
    }
    let method = exchange.rpc_method().unwrap_or_default();
    if let Some((_, status)) = head(moment) {
        match status {
            202 => judge.held(STATUS),
            200..=299 => judge.broke(
                STATUS,
                Breach::new("other-2xx", format!("`{method}` was accepted with another status than 202"))
                    .expected(&["HTTP 202", "a refusal with HTTP 4xx"])
                    .actual(format!("HTTP {status}"))
                    .at(moment.record)
                    .sent(exchange.seq),
            ),
            _ => {
                for id in [STATUS, BODY] {
                    judge.undecided(
                        id,
                        "not-accepted",
                        format!("`{method}` was answered with HTTP {status}"),
                    );
                }
            }
        }
    }
    if exchange.status != Some(202) {
        return;
    }
    if let Event::Received { payload, .. } = &moment.record.event
        && !payload.bytes().trim_ascii().is_empty()
    {
        judge.broke(
            BODY,
            Breach::new("body", format!("the 202 answer to `{method}` has a body"))
                .expected(&["no body"])
                .actual(format!("{} bytes", payload.bytes().len()))
                .at(moment.record)
                .sent(exchange.seq),
        );
    }
    if end(moment).is_some() && exchange.received == 0 {
        judge.held(BODY);
    }
}

fn response_is_accepted_with_202(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.post.response-accepted-status";
    let Some(exchange) = exchange(moment) else { return };
    if !exchange.posted().is_some_and(crate::protocol::Message::is_response) {
        return;
    }
    let broke = |judge: &mut Judge, class: &str, actual: String| {
        judge.broke(
            ID,
            Breach::new(class, "a response of ours was not accepted with an empty 202")
                .expected(&["HTTP 202 without a body"])
                .actual(actual)
                .at(moment.record)
                .sent(exchange.seq),
        );
    };
    match (&moment.record.event, exchange.status) {
        (Event::ResponseHead { .. }, Some(202)) => judge.held(ID),
        (Event::ResponseHead { .. }, Some(status @ 200..=299)) => {
            broke(judge, "other-2xx", format!("HTTP {status}"));
        }
        (Event::ResponseHead { .. }, Some(status)) => {
            judge.undecided(ID, "not-accepted", format!("the response was answered with HTTP {status}"));
        }
        (Event::Received { payload, .. }, Some(202)) if !payload.bytes().trim_ascii().is_empty() => {
            broke(judge, "body", "HTTP 202 with a body".to_owned());
        }
        _ => {}
    }
}

fn unknown_method_has_status_404(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http.error.unknown-method-status";
    if moment.state.era() != Some(Era::Modern) {
        return;
    }
    if let Some(Heard { message, answers: Some(asked), exchange: Some(exchange), .. }) = moment.message
        && message.error_code() == Some(-32601)
        && exchange.method == "POST"
        && exchange.payloads == 0
        // Of these the code may speak of the name, not of the method.
        && !matches!(asked.method.as_str(), "tools/call" | "prompts/get" | "resources/read" | "completion/complete")
    {
        let status = exchange.status.unwrap_or_default();
        judge.decide(ID, status == 404, || {
            let text = format!("error -32601 for `{}` came with another status than 404", asked.method);
            Breach::new("other-status", text)
                .expected(&["HTTP 404 with error -32601"])
                .actual(format!("HTTP {status} with error -32601"))
                .at(moment.record)
                .pointer("/error/code")
                .sent(asked.seq)
        });
    }
    if let Some(exchange) = end(moment)
        && exchange.status == Some(404)
        && exchange.payloads == 0
        && exchange.carries(&Kind::Request)
    {
        let method = exchange.rpc_method().unwrap_or_default();
        judge.broke(
            ID,
            Breach::new("bare-404", format!("the 404 for `{method}` has no JSON-RPC error in it"))
                .expected(&["HTTP 404 with error -32601"])
                .actual("HTTP 404 without a JSON-RPC message")
                .at(moment.record)
                .sent(exchange.seq),
        );
    }
}

fn method_not_allowed_lists_allowed_methods(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, 405)) = head(moment) else { return };
    judge.decide("http.method.allow-listed", header(&exchange.headers, "allow").is_some(), || {
        let text = format!("the 405 response to {} does not say which methods are allowed", exchange.method);
        Breach::new("no-allow", text)
            .quality()
            .expected(&["an Allow header"])
            .actual("no Allow header")
            .at(moment.record)
            .sent(exchange.seq)
    });
}
