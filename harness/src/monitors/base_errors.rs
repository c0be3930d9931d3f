//! Errors: their members and the meaning of their codes (basic/index#error-responses).

use super::base::{kind_of, shorten};
use super::rule::monitors;
use super::{Asked, Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Kind, Transport};
use serde_json::{Map, Value, json};

monitors! {
    /// An error has an integer `code` and a string `message`. Clients show the one and decide by the other.
    errors_have_a_code_and_a_message (AnyTraffic) decides ["base.error.shape", "base.error.code-integer"];
    /// The message of an error is one short sentence; details belong into `data`. Legacy era only: longer than 300
    /// characters, or several lines, is a warning.
    error_messages_are_short (AnyTraffic) decides ["base.error.message-concise"];
    /// Of the codes that JSON-RPC keeps for itself only the five defined ones are used, and those of the server's own
    /// range; -32603 says that the server itself failed.
    codes_are_used_as_json_rpc_defines (AnyTraffic) decides
        ["base.error.custom-codes-outside-reserved", "base.error.internal-error-code"];
    /// In 2026-07-28 the codes -32020 to -32099 belong to the protocol: -32020, -32021 and -32022 are defined, the rest
    /// is not used, and neither are the retired codes -32002 and -32042. New codes stay out of -32000 to -32019.
    codes_are_used_as_mcp_defines (AnyTraffic) decides [
        "base.error.undefined-mcp-codes-unused",
        "base.error.legacy-code-range-avoided",
        "base.error.retired-not-found-code-unused",
        "base.error.retired-url-elicitation-code-unused",
    ] at_end what_the_server_lacks;
    /// A request that keeps to the protocol gets none of the codes for a header that disagrees, a capability that is
    /// missing, or a version that is not supported: clients react to these by negotiating again. On stdio there are no
    /// headers, so -32020 makes no sense there at all.
    defined_codes_keep_their_meaning (WhileWeObey) decides
        ["base.error.defined-codes-by-meaning", "stdio.metadata-in-body"];
    /// On stdio no request, however wrong it is, is refused for a header: -32020 has no meaning there.
    stdio_knows_no_headers (AnyTraffic) decides
        ["base.error.defined-codes-by-meaning", "stdio.metadata-in-body"];
}

/// An error that claims to be JSON-RPC.
fn error<'a>(moment: &'a Moment<'_>) -> Option<(Heard<'a>, &'a Value)> {
    let heard = moment.message?;
    let error = heard.message.error()?;
    (*heard.message.kind() == Kind::Error && heard.is_rpc()).then_some((heard, error))
}

fn errors_have_a_code_and_a_message(moment: &Moment<'_>, judge: &mut Judge) {
    const SHAPE: &str = "base.error.shape";
    const INTEGER: &str = "base.error.code-integer";
    let Some((_, error)) = error(moment) else { return };
    let (code, text) = (error.get("code"), error.get("message"));
    let wrong = if !error.is_object() {
        Some(("no-object", "/error", kind_of(Some(error))))
    } else if code.is_none() {
        Some(("no-code", "/error", "no `code`"))
    } else if text.is_none() {
        Some(("no-message", "/error", "no `message`"))
    } else if !text.is_some_and(Value::is_string) {
        Some(("message-type", "/error/message", kind_of(text)))
    } else {
        None
    };
    match wrong {
        None => judge.held(SHAPE),
        Some((class, pointer, actual)) => judge.broke(
            SHAPE,
            Breach::new(class, "an error lacks `code` or a string `message`")
                .expected(&["an object with `code` and a string `message`"])
                .actual(actual)
                .at(moment.record)
                .pointer(pointer),
        ),
    }
    let Some(code) = code else { return };
    let whole = code.is_i64() || code.is_u64() || code.as_f64().is_some_and(|code| code.fract() == 0.0);
    judge.decide(INTEGER, whole, || {
        Breach::new("not-an-integer", "the code of an error is no integer")
            .expected(&["an integer"])
            .actual(shorten(&code.to_string()))
            .at(moment.record)
            .pointer("/error/code")
    });
}

fn error_messages_are_short(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "base.error.message-concise";
    let Some((heard, error)) = error(moment) else { return };
    let Some(text) = error.get("message").and_then(Value::as_str) else { return };
    let text = heard.answers.map_or_else(|| text.to_owned(), |asked| without_echo(text, asked));
    let (length, lines) = (text.chars().count(), text.trim_end().lines().count());
    // Only a note in 2026-07-28.
    let good = moment.state.era() == Some(Era::Modern) || (length <= 300 && lines <= 1);
    judge.decide(ID, good, || {
        Breach::new("long", "the message of an error is more than a short sentence")
            .quality()
            .expected(&["one sentence of at most 300 characters; details in `data`"])
            .actual(format!("{length} characters on {lines} lines"))
            .at(moment.record)
            .pointer("/error/message")
    });
}

/// A text without what it repeats of a request with names longer than any real one: how long it gets is our doing.
fn without_echo(text: &str, asked: &Asked) -> String {
    const LONG: usize = 200;
    let named =
        ["name", "uri", "cursor"].iter().filter_map(|name| asked.message.params()?.get(*name)?.as_str());
    named
        .chain([asked.method.as_str()])
        .filter(|echoed| echoed.len() > LONG)
        .fold(text.to_owned(), |text, echoed| text.replace(echoed, "…"))
}

fn codes_are_used_as_json_rpc_defines(moment: &Moment<'_>, judge: &mut Judge) {
    const RESERVED: &str = "base.error.custom-codes-outside-reserved";
    const INTERNAL: &str = "base.error.internal-error-code";
    const STANDARD: [i64; 5] = [-32700, -32600, -32601, -32602, -32603];
    let Some((heard, error)) = error(moment) else { return };
    let Some(code) = heard.message.error_code() else { return };
    let stolen = (-32768..-32099).contains(&code) && !STANDARD.contains(&code);
    judge.decide(RESERVED, !stolen, || {
        Breach::new("reserved", "an error has a code that JSON-RPC reserves and does not define")
            .quality()
            .expected(&["a code of JSON-RPC or MCP", "a code outside -32768 to -32100"])
            .actual(code.to_string())
            .at(moment.record)
            .pointer("/error/code")
    });
    let text = error.get("message").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let internal = ["panic", "exception", "traceback", "internal error", "segmentation fault"];
    if internal.iter().any(|word| text.contains(word)) {
        judge.decide(INTERNAL, code == -32603, || {
            Breach::new("other-code", "an internal failure is not reported as -32603")
                .quality()
                .expected(&["-32603 (internal error)"])
                .actual(code.to_string())
                .at(moment.record)
                .pointer("/error/code")
        });
    }
}

/// Whether an error belongs to the modern era.
fn is_modern(state: &State, answers: Option<&Asked>) -> bool {
    answers.map_or(state.era() == Some(Era::Modern) && !state.initialize.0, |asked| {
        asked.meta_version().is_some() || (state.era() == Some(Era::Modern) && asked.method != "initialize")
    })
}

fn codes_are_used_as_mcp_defines(moment: &Moment<'_>, judge: &mut Judge) {
    const UNDEFINED: &str = "base.error.undefined-mcp-codes-unused";
    const LEGACY: &str = "base.error.legacy-code-range-avoided";
    const NOT_FOUND: &str = "base.error.retired-not-found-code-unused";
    const URL: &str = "base.error.retired-url-elicitation-code-unused";
    if let Some(Heard { message, answers: Some(asked), .. }) = moment.message
        && asked.meta_version().is_some()
        && message.result().and_then(|result| result.get("resultType")?.as_str()) == Some("input_required")
    {
        judge.held(URL);
    }
    let Some((heard, _)) = error(moment) else { return };
    let Some(code) = heard.message.error_code() else { return };
    // A 405 to a GET or DELETE is written by the transport of an SDK.
    let posted = heard.exchange.is_none_or(|exchange| exchange.method == "POST");
    if !posted || !is_modern(moment.state, heard.answers) {
        return;
    }
    let asked = heard.answers.map_or("", |asked| asked.method.as_str());
    let breach = |class: &str, text: &str| {
        let breach =
            Breach::new(class, text).actual(code.to_string()).at(moment.record).pointer("/error/code");
        match heard.answers {
            Some(asked) => breach.sent(asked.seq),
            None => breach,
        }
    };
    let undefined = (-32099..=-32020).contains(&code) && !(-32022..=-32020).contains(&code);
    judge.decide(UNDEFINED, !undefined, || {
        breach("undefined", "an error has a code that the protocol reserves and does not define")
            .expected(&["-32020, -32021 or -32022 in this range", "a code outside -32099 to -32020"])
    });
    if code == -32042 {
        judge.broke(
            URL,
            breach("retired", "an error has the retired code for URL elicitation")
                .expected(&["an `input_required` result", "error -32021"]),
        );
    }
    if code == -32002 {
        judge.broke(
            NOT_FOUND,
            breach("retired", "an error has the retired code for a resource that is not found")
                .expected(&["-32602 (invalid params)"]),
        );
    } else if asked == "resources/read" {
        judge.held(NOT_FOUND);
    }
    // What SDKs have always said of requests that are open when the input ends is no new code.
    if code == -32000 && moment.state.link.stdin_closed.is_some() {
        return;
    }
    judge.decide(LEGACY, !(-32019..=-32000).contains(&code) || code == -32002, || {
        breach("legacy-range", "an error has a code of the range that is closed to new codes")
            .expected(&["a code outside -32019 to -32000"])
    });
}

fn what_the_server_lacks(state: &State, judge: &mut Judge) {
    if state.era() == Some(Era::Modern) && state.capabilities.is_some() && !state.declares("resources") {
        judge.not_applicable(
            "base.error.retired-not-found-code-unused",
            "not-declared",
            "the server does not declare `resources`, so it has nothing that could be missing",
        );
    }
}

fn defined_codes_keep_their_meaning(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "base.error.defined-codes-by-meaning";
    const BODY: &str = "stdio.metadata-in-body";
    let Some(heard @ Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    if moment.state.era() != Some(Era::Modern)
        || asked.meta_version().is_none()
        || asked.method == "initialize"
    {
        return;
    }
    let stdio = moment.state.transport() == Transport::Stdio;
    let code = message.error_code().filter(|_| heard.is_rpc());
    let wrong = match code {
        // A header may have been written in an unusual way on purpose; who did so judges the answer.
        Some(-32020) if asked.deliberate.is_some() && !stdio => return,
        Some(-32020) => Some("no header disagrees with the request"),
        Some(-32021) if names_declared(asked, message.error()) => Some("the capability was declared"),
        Some(-32022) if asked.meta_version().is_some_and(|version| is_served(moment.state, version)) => {
            Some("the version is served")
        }
        _ => None,
    };
    let breach = |why: &str| {
        Breach::new(
            "out-of-place",
            format!("a valid request was refused with {}, though {why}", code.unwrap_or(0)),
        )
        .expected(&["a result", "an error with another code"])
        .actual(format!("error {}", code.unwrap_or(0)))
        .at(moment.record)
        .sent(asked.seq)
        .pointer("/error/code")
    };
    match wrong {
        None => judge.held(ID),
        Some(why) => judge.broke(ID, breach(why)),
    }
    if stdio && code == Some(-32020) {
        judge.broke(BODY, breach("there are no headers on stdio"));
    } else if stdio && message.result().is_some() {
        judge.held(BODY);
    }
}

fn stdio_knows_no_headers(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard @ Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    let wrong = moment.state.transport() == Transport::Stdio
        && moment.state.era() == Some(Era::Modern)
        && asked.is_tainted()
        && heard.is_rpc()
        && message.error_code() == Some(-32020);
    if wrong {
        let breach =
            Breach::new("header-error", "a request on stdio was refused with the error for a header")
                .expected(&["an error with another code"])
                .actual("error -32020")
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/error/code");
        judge.broke("stdio.metadata-in-body", breach.clone());
        judge.broke("base.error.defined-codes-by-meaning", breach);
    }
}

/// Whether the capabilities that an error demands were all declared by the request, as far as they go. `elicitation`
/// without a mode stands for forms, in the demand as in the declaration.
fn names_declared(asked: &Asked, error: Option<&Value>) -> bool {
    fn with_mode(capabilities: &Value) -> Value {
        let mut capabilities = capabilities.clone();
        if capabilities.get("elicitation").and_then(Value::as_object).is_some_and(Map::is_empty) {
            capabilities["elicitation"] = json!({"form": {}});
        }
        capabilities
    }
    fn within(wanted: &Value, declared: &Value) -> bool {
        match (wanted, declared) {
            (Value::Object(wanted), Value::Object(declared)) => wanted
                .iter()
                .all(|(name, wanted)| declared.get(name).is_some_and(|declared| within(wanted, declared))),
            _ => true,
        }
    }
    let wanted = error.and_then(|error| error.pointer("/data/requiredCapabilities"));
    let declared = asked
        .message
        .params()
        .and_then(|params| params.pointer("/_meta/io.modelcontextprotocol~1clientCapabilities"));
    match (wanted, declared) {
        (Some(wanted @ Value::Object(members)), Some(declared)) if !members.is_empty() => {
            within(&with_mode(wanted), &with_mode(declared))
        }
        _ => false,
    }
}

fn is_served(state: &State, version: &str) -> bool {
    state.revision.is_some_and(|revision| revision.as_str() == version)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use crate::protocol::Revision::{V2025_11_25, V2026_07_28};
    use serde_json::{Value, json};

    fn legacy(error: Value) -> Verdicts {
        Script::stdio(V2025_11_25)
            .handshake()
            .sent(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"}))
            .received(json!({"jsonrpc": "2.0", "id": 7, "error": error}))
            .verdicts()
    }

    fn modern_error(method: &str, error: Value) -> Verdicts {
        Script::stdio(V2026_07_28)
            .handshake_with(json!({"resources": {}}))
            .sent(modern(7, method, json!({})))
            .received(json!({"jsonrpc": "2.0", "id": 7, "error": error}))
            .verdicts()
    }

    #[test]
    fn shapes() {
        legacy(json!({"code": -32601, "message": "m"})).assert_broken(&[]);
        legacy(json!({"code": -32601})).assert_broken(&["base.error.shape"]);
        legacy(json!({"message": "m"})).assert_broken(&["base.error.shape"]);
        legacy(json!("m")).assert_broken(&["base.error.shape"]);
        legacy(json!({"code": "-32601", "message": "m"})).assert_broken(&["base.error.code-integer"]);
        legacy(json!({"code": 1.5, "message": "m"})).assert_broken(&["base.error.code-integer"]);
        let long = legacy(json!({"code": 1, "message": "m".repeat(301)}));
        long.assert_broken(&["base.error.message-concise"]);
        modern_error("x", json!({"code": 1, "message": "m".repeat(301)})).assert_broken(&[]);
    }

    #[test]
    fn a_long_name_that_is_repeated_makes_no_long_message() {
        let name = "n".repeat(70_000);
        let answer = |message: String| {
            Script::stdio(V2025_11_25)
                .handshake()
                .sent(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name}}))
                .received(json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": message}}))
                .verdicts()
        };
        answer(format!("unknown tool {name}")).assert_broken(&[]);
        answer(format!("unknown tool {name}{}", "m".repeat(301)))
            .assert_broken(&["base.error.message-concise"]);
    }

    #[test]
    fn codes() {
        let of = |code: i64| json!({"code": code, "message": "m"});
        legacy(of(-32500)).assert_broken(&["base.error.custom-codes-outside-reserved"]);
        legacy(of(-32099)).assert_broken(&[]);
        legacy(json!({"code": 3, "message": "unhandled exception"}))
            .assert_broken(&["base.error.internal-error-code"]);
        modern_error("x", of(-32050)).assert_broken(&["base.error.undefined-mcp-codes-unused"]);
        modern_error("x", of(-32001)).assert_broken(&["base.error.legacy-code-range-avoided"]);
        modern_error("resources/read", of(-32002))
            .assert_broken(&["base.error.retired-not-found-code-unused"]);
        let held = modern_error("resources/read", of(-32602));
        held.assert_broken(&[]);
        held.assert_held("base.error.retired-not-found-code-unused");
        modern_error("x", of(-32042)).assert_broken(&[
            "base.error.retired-url-elicitation-code-unused",
            "base.error.undefined-mcp-codes-unused",
        ]);
    }

    #[test]
    fn meanings() {
        let of = |code: i64, data: Value| json!({"code": code, "message": "m", "data": data});
        modern_error("x", of(-32020, json!(null)))
            .assert_broken(&["base.error.defined-codes-by-meaning", "stdio.metadata-in-body"]);
        modern_error("x", of(-32022, json!(null))).assert_broken(&["base.error.defined-codes-by-meaning"]);
        let demand = |capabilities: Value| of(-32021, json!({"requiredCapabilities": capabilities}));
        modern_error("x", demand(json!({"sampling": {}})))
            .assert_broken(&["base.error.defined-codes-by-meaning"]);
        modern_error("x", demand(json!({"sampling": {"context": {}}}))).assert_broken(&[]);
    }
}
