//! Credentials that come back: what a client shows to be let in is nobody's to repeat (POLICY section 10).

use super::rule::monitors;
use super::{Breach, HttpExchange, Judge, Moment};
use crate::transcript::names_a_secret;
use crate::wire::{Event, Payload};

monitors! {
    /// A token or key that a request shows in its headers does not come back: not in a challenge, an error or a result, nor
    /// in a log message on the same stream. Answers end in chats, in files and in the logs of clients. What a request
    /// repeats in its own body may be repeated in the answer. A warning; in log messages credentials must not be.
    credentials_do_not_come_back (AnyTraffic) decides
        ["robustness.output.no-internals", "security.errors-leak-nothing", "logging.no-credentials"];
}

const ANYWHERE: &str = "robustness.output.no-internals";
const ERRORS: &str = "security.errors-leak-nothing";
const LOGS: &str = "logging.no-credentials";
/// The least characters of a credential that cannot stand somewhere by chance.
const LEAST: usize = 10;

/// The headers that a server sets to let a client in again.
const GIVEN: [&str; 2] = ["set-cookie", "mcp-session-id"];

/// What the request of an exchange shows to be let in, each value with the name of its header.
fn shown(exchange: &HttpExchange) -> impl Iterator<Item = (&str, &str)> {
    let secret = exchange.request_headers.iter().filter(|(name, _)| {
        !name.eq_ignore_ascii_case("mcp-session-id")
            && !name.eq_ignore_ascii_case("cookie")
            && names_a_secret(name)
    });
    secret.filter_map(|(name, value)| {
        let usual = name.eq_ignore_ascii_case("authorization");
        let value = if usual { value.split_once(' ')?.1 } else { value.as_str() }.trim();
        // What has spaces or is short may be a word of any sentence.
        let is_telling = value.chars().count() >= LEAST && !value.contains(char::is_whitespace);
        (is_telling && !is_sent(exchange, value)).then_some((name.as_str(), value))
    })
}

/// Whether the request itself says it, outside of its headers.
fn is_sent(exchange: &HttpExchange, value: &str) -> bool {
    exchange.url.contains(value) || exchange.body.as_ref().is_some_and(|body| says(body, value))
}

fn says(payload: &Payload, value: &str) -> bool {
    match payload {
        Payload::Message(message) => message.text().contains(value),
        Payload::Raw { bytes, .. } => String::from_utf8_lossy(bytes).contains(value),
    }
}

fn credentials_do_not_come_back(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(exchange) = moment.state.exchanges.get(&moment.record.channel) else { return };
    let (place, back) = match &moment.record.event {
        Event::ResponseHead { headers, .. } => {
            let told = |value: &str| {
                headers.iter().any(|(name, header)| {
                    !GIVEN.contains(&name.to_ascii_lowercase().as_str()) && header.contains(value)
                })
            };
            ("a header", shown(exchange).find(|(_, value)| told(value)))
        }
        Event::Received { payload, .. } => {
            ("the answer", shown(exchange).find(|(_, value)| says(payload, value)))
        }
        _ => return,
    };
    let Some((name, value)) = back else { return };
    let is_log = moment.message.is_some_and(|heard| heard.message.method() == Some("notifications/message"));
    let place = if is_log { "a log message" } else { place };
    let is_error = exchange.status.is_some_and(|status| status >= 400)
        || moment.message.is_some_and(|heard| heard.message.error().is_some());
    let seen = Breach::new("credential", format!("{place} repeats what the request showed in `{name}`"))
        .expected(&["nothing of what lets a client in"])
        .actual(format!("the value itself, {} characters long", value.chars().count()))
        .at(moment.record)
        .sent(exchange.seq);
    if is_log {
        judge.broke(ERRORS, seen.clone().quality().see(LOGS));
        judge.broke(ANYWHERE, seen.clone().quality().see(LOGS));
        return judge.broke(LOGS, seen);
    }
    if is_error {
        judge.broke(ERRORS, seen.clone().quality().see(ANYWHERE));
    }
    judge.broke(ANYWHERE, seen.quality());
}

#[cfg(test)]
mod tests {
    use crate::monitors::testing::{Script, Verdicts};
    use crate::protocol::Revision;
    use crate::wire::{Channel, End, Event, Payload};
    use serde_json::{Value, json};

    const TOKEN: &str = "tok-0123456789abcdef";

    /// A request with a header, and what comes for it.
    fn answered(
        header: (&str, &str),
        arguments: &Value,
        status: u16,
        challenge: &str,
        body: &Value,
    ) -> Verdicts {
        let params = json!({"name": "t", "arguments": arguments});
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        let head = Event::RequestHead {
            method: "POST".to_owned(),
            url: "http://localhost/mcp".to_owned(),
            headers: vec![(header.0.to_owned(), header.1.to_owned())],
            deliberate: None,
        };
        let sent = Event::Sent { payload: Payload::read(asked.into_bytes()), deliberate: None };
        let headers = vec![("WWW-Authenticate".to_owned(), challenge.to_owned())];
        let received = Event::Received { payload: Payload::read(body.to_string().into_bytes()), sse: None };
        Script::http(Revision::V2026_07_28)
            .on(Channel(1), head)
            .on(Channel(1), sent)
            .on(Channel(1), Event::ResponseHead { status, headers })
            .on(Channel(1), received)
            .on(Channel(1), Event::ResponseEnded(End::Complete))
            .verdicts()
    }

    fn broken(verdicts: &Verdicts) -> Vec<String> {
        let all = verdicts.broken().into_iter().map(str::to_owned);
        all.filter(|id| [super::ANYWHERE, super::ERRORS, super::LOGS].contains(&id.as_str())).collect()
    }

    #[test]
    fn a_token_that_comes_back_is_found() {
        let bearer = ("Authorization", &*format!("Bearer {TOKEN}"));
        let none = json!({});
        let challenge = format!("Bearer error_description=\"bad token {TOKEN}\"");
        let refusal = json!({"error": "denied"});
        let found = answered(bearer, &none, 401, &challenge, &refusal);
        assert_eq!(broken(&found), [super::ANYWHERE, super::ERRORS]);
        let text = json!({"content": [{"type": "text", "text": format!("by {TOKEN}")}]});
        let result = json!({"jsonrpc": "2.0", "id": 1, "result": text});
        let found = answered(("X-API-Key", TOKEN), &none, 200, "", &result);
        assert_eq!(broken(&found), [super::ANYWHERE]);
        let found = answered(bearer, &none, 401, "", &json!({"error": format!("no user for {TOKEN}")}));
        assert_eq!(broken(&found), [super::ANYWHERE, super::ERRORS]);
        let data = json!({"level": "info", "data": {"who": TOKEN}});
        let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": data});
        let found = answered(bearer, &none, 200, "", &log);
        assert!(broken(&found).contains(&super::LOGS.to_owned()), "{:?}", broken(&found));
    }

    #[test]
    fn what_may_come_back_is_not_found() {
        let bearer = ("Authorization", &*format!("Bearer {TOKEN}"));
        let result =
            json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": TOKEN}]}});
        // The request says it in its arguments, or it is a word of any sentence, or no credential.
        assert_eq!(
            broken(&answered(bearer, &json!({"text": TOKEN}), 200, "", &result)),
            Vec::<String>::new()
        );
        let words = ("Authorization", "Bearer mcprove one");
        let refusal = json!({"error": "mcprove one is no token"});
        assert_eq!(broken(&answered(words, &json!({}), 400, "", &refusal)), Vec::<String>::new());
        assert_eq!(
            broken(&answered(("X-Request-Id", TOKEN), &json!({}), 200, "", &result)),
            Vec::<String>::new()
        );
    }
}
