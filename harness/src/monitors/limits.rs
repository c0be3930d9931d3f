//! What a server may run into while it serves a sound request: limits on how often it is asked, and failures inside.

use super::rule::monitors;
use super::{Breach, Judge, Moment, State};
use crate::wire::Event;

monitors! {
    /// Whether the server limits how often tools are called and completion is asked for. No limit is specified, so that
    /// only a limit that was run into tells: HTTP 429, or an error that speaks of the rate.
    rates_are_limited (AnyTraffic) decides ["tools.call.rate-limited", "completion.rate-limited"] at_end no_limit_was_met;
    /// A read or a completion that is asked for rightly and fails inside the server is answered with -32603. Codes of
    /// the server's own are free; those that blame the request are not the right ones.
    failures_inside_have_their_code (WhileWeObey) decides
        ["resources.read.internal-error-code", "completion.error.internal-code"];
}

fn limited(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" => Some("tools.call.rate-limited"),
        "completion/complete" => Some("completion.rate-limited"),
        _ => None,
    }
}

fn rates_are_limited(moment: &Moment<'_>, judge: &mut Judge) {
    if let Event::ResponseHead { status: 429, .. } = &moment.record.event {
        let exchange = moment.state.exchanges.get(&moment.record.channel);
        if let Some(id) = exchange.and_then(|exchange| exchange.rpc_method()).and_then(limited) {
            judge.held(id);
        }
    }
    let Some(heard) = moment.message else { return };
    let Some(id) = heard.answers.and_then(|asked| limited(&asked.method)) else { return };
    let text = heard.message.error().and_then(|error| error.get("message")?.as_str()).unwrap_or_default();
    let text = text.to_ascii_lowercase();
    if text.contains("rate limit") || text.contains("too many requests") {
        judge.held(id);
    }
}

fn no_limit_was_met(state: &State, judge: &mut Judge) {
    for method in ["tools/call", "completion/complete"] {
        let count =
            state.asked.values().filter(|asked| asked.method == method && asked.responses > 0).count();
        if let Some(id) = limited(method).filter(|_| count > 0) {
            let text =
                "no limit was run into; none is specified, and the harness does not press a server for one";
            judge.undecided(id, "no-limit-met", text);
        }
    }
}

fn failures_inside_have_their_code(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message else { return };
    let Some(asked) = heard.answers.filter(|asked| asked.responses == 0) else { return };
    let id = match asked.method.as_str() {
        "resources/read" => "resources.read.internal-error-code",
        "completion/complete" => "completion.error.internal-code",
        _ => return,
    };
    match heard.message.error_code() {
        Some(-32603) => judge.held(id),
        // The request was sound: it can be neither unreadable nor no request.
        Some(code @ (-32700 | -32600)) => judge.broke(
            id,
            Breach::new("other-code", "a sound request failed with a code that says that it is not sound")
                .quality()
                .expected(&["error -32603 (internal error) where the server failed"])
                .actual(format!("error {code}"))
                .at(moment.record)
                .pointer("/error/code")
                .sent(asked.seq),
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts};
    use crate::protocol::Revision::V2025_11_25;
    use serde_json::json;

    fn failed(method: &str, code: i64, message: &str) -> Verdicts {
        Script::stdio(V2025_11_25)
            .handshake()
            .sent(json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": {"uri": "a://b"}}))
            .received(json!({"jsonrpc": "2.0", "id": 2, "error": {"code": code, "message": message}}))
            .verdicts()
    }

    #[test]
    fn failures_inside() {
        for (method, id) in [
            ("resources/read", "resources.read.internal-error-code"),
            ("completion/complete", "completion.error.internal-code"),
        ] {
            failed(method, -32603, "it broke").assert_held(id);
            assert_eq!(failed(method, -32600, "it broke").classes(id), ["other-code"]);
            for code in [-32602, -32002, 5] {
                failed(method, code, "it broke").assert_open(id);
            }
        }
    }

    #[test]
    fn limits() {
        failed("tools/call", 1, "Rate limit exceeded").assert_held("tools.call.rate-limited");
        let none = failed("tools/call", 1, "no");
        none.assert_open("tools.call.rate-limited");
        assert!(none.judge().get("tools.call.rate-limited").unwrap().undecided.is_some());
        let refused = Script::http(V2025_11_25).handshake().exchange(
            json!({"jsonrpc": "2.0", "id": 2, "method": "completion/complete"}),
            429,
            "text/plain",
            &[],
            None,
        );
        refused.verdicts().assert_held("completion.rate-limited");
    }
}
