//! JSON texts in UTF-8 (RFC 8259, basic/transports).

use super::link::{fault, meant_as_message};
use super::rule::monitors;
use super::{Breach, Judge, Moment};
use crate::protocol::Era;
use crate::protocol::json::{Error, ErrorKind};
use crate::wire::{Channel, Event, Payload, SseFields, header};

monitors! {
    /// What the server sends as a message is a JSON text by RFC 8259: no comments, no trailing commas, no NaN; in UTF-8.
    /// Strict parsers refuse anything else. A member that stands twice is legal JSON, but parsers differ in which one
    /// they take: a warning. Lines of standard output that do not begin like a message are judged as garbage, by
    /// `stdio.stdout-only-messages`.
    every_message_is_json_in_utf8 (AnyTraffic) decides ["base.encoding.valid-json", "base.encoding.utf8"];
}

fn every_message_is_json_in_utf8(moment: &Moment<'_>, judge: &mut Judge) {
    let Event::Received { payload, sse } = &moment.record.event else { return };
    let exchange = moment.state.exchanges.get(&moment.record.channel);
    if exchange.and_then(|exchange| exchange.status).is_some_and(|status| status >= 400) {
        return;
    }
    match payload {
        Payload::Message(message) => {
            judge.held("base.encoding.utf8");
            match message.notes().duplicate_members.first() {
                None => judge.held("base.encoding.valid-json"),
                Some(pointer) => judge.broke(
                    "base.encoding.valid-json",
                    Breach::new("duplicate-member", "a member stands twice in the same object")
                        .quality()
                        .expected(&["each member once"])
                        .actual(format!("`{}` more than once", super::base::shorten(pointer)))
                        .at(moment.record)
                        .pointer(pointer.clone()),
                ),
            }
        }
        Payload::Raw { bytes, truncated: false, .. } if moment.record.channel == Channel::PROCESS => {
            // Garbage is told as that. Pieces of a message on several lines are looked at together, when all have come.
            let fault = fault(bytes).filter(|_| meant_as_message(bytes));
            if let Some(error) = fault.filter(|error| error.kind == ErrorKind::Encoding) {
                encoding(moment, judge, &error);
            }
        }
        Payload::Raw { bytes, truncated: false, .. } => {
            let named = |sse: &SseFields| sse.event.as_deref().is_some_and(|event| event != "message");
            let meant_as_json = sse.as_ref().is_some_and(|sse| !named(sse))
                || exchange.and_then(super::HttpExchange::media_type).as_deref() == Some("application/json");
            let coded =
                exchange.is_some_and(|exchange| header(&exchange.headers, "content-encoding").is_some());
            if !meant_as_json || coded || bytes.trim_ascii().is_empty() {
                return;
            }
            match fault(bytes) {
                Some(error) if error.kind == ErrorKind::Encoding => encoding(moment, judge, &error),
                Some(error) if !matches!(error.kind, ErrorKind::TooDeep | ErrorKind::TooLarge) => {
                    judge.broke("base.encoding.valid-json", syntax(&error).at(moment.record));
                }
                _ => {}
            }
        }
        Payload::Raw { .. } => {}
    }
}

/// A breach of the grammar.
pub(super) fn syntax(error: &Error) -> Breach {
    Breach::new("syntax", "what the server sent as a message is no valid JSON")
        .expected(&["a JSON text by RFC 8259"])
        .actual(error.to_string())
        .range(error.offset..error.offset + 1)
}

fn encoding(moment: &Moment<'_>, judge: &mut Judge, error: &Error) {
    let modern = moment.state.era() == Some(Era::Modern);
    let mark = error.reason == "byte order mark";
    let breach = || {
        let class = if mark { "byte-order-mark" } else { "not-utf8" };
        let breach = Breach::new(class, "what the server sent is not UTF-8 without a byte order mark")
            .expected(&["UTF-8 without a byte order mark"])
            .actual(error.to_string())
            .range(error.offset..error.offset + 1)
            .at(moment.record);
        if mark && modern { breach.quality() } else { breach }
    };
    // 2024-11-05 says nothing of UTF-8 itself; JSON does.
    if moment.state.rules() == Some(crate::protocol::Revision::V2024_11_05) {
        judge.broke("base.encoding.valid-json", breach());
    } else {
        judge.broke("base.encoding.utf8", breach());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Script;
    use crate::protocol::Revision::{V2024_11_05, V2025_11_25, V2026_07_28};
    use crate::wire::{Event, Payload};
    use serde_json::json;

    #[test]
    fn encodings() {
        let latin1 = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":\"\xE4\"}}";
        Script::stdio(V2025_11_25)
            .handshake()
            .received_bytes(latin1)
            .verdicts()
            .assert_broken(&["base.encoding.utf8"]);
        Script::stdio(V2024_11_05)
            .handshake()
            .received_bytes(latin1)
            .verdicts()
            .assert_broken(&["base.encoding.valid-json"]);
        let mark = "\u{FEFF}{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}".as_bytes();
        let marked = Script::stdio(V2026_07_28).handshake().received_bytes(mark).verdicts();
        marked.assert_broken(&["base.encoding.utf8"]);
        assert!(marked.judge().get("base.encoding.utf8").unwrap().breaches[0].quality);
    }

    #[test]
    fn duplicate_members_are_a_matter_of_quality() {
        let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        let verdicts = Script::stdio(V2025_11_25)
            .handshake()
            .sent(ping)
            .received_bytes(br#"{"jsonrpc":"2.0","id":7,"result":{},"result":{}}"#)
            .verdicts();
        verdicts.assert_broken(&["base.encoding.valid-json"]);
        assert!(verdicts.judge().get("base.encoding.valid-json").unwrap().breaches[0].quality);
    }

    #[test]
    fn bodies_over_http() {
        let ping = br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
        for (status, media, broken) in [
            (200, "application/json", &["base.encoding.valid-json"][..]),
            (200, "text/html", &["http.post.response-content-type"]),
            (404, "application/json", &[]),
        ] {
            let (script, channel) = Script::http(V2025_11_25).handshake().posted(ping, None);
            let headers = vec![("Content-Type".to_owned(), media.to_owned())];
            let verdicts = script
                .on(channel, Event::ResponseHead { status, headers })
                .on(channel, Event::Received { payload: Payload::read(&b"{\"a\":NaN}"[..]), sse: None })
                .verdicts();
            verdicts.assert_broken(broken);
        }
    }
}
