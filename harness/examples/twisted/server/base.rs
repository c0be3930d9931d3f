//! Twists of the JSON-RPC layer and of `ping`.

use super::twist::{Incoming, Outgoing, Take, Twist, line, twist};
use serde_json::{Value, json};

pub(super) static TWISTS: &[Twist] = &[
    twist("id-as-string", "answers to harmless requests carry the id as a string").outgoing(|_, out| {
        let number = out.value["id"].as_i64().filter(|id| *id > 1);
        match (harmless(out), number) {
            (true, Some(id)) => with(out, "id", json!(id.to_string())),
            _ => line(out.value),
        }
    }),
    twist("two-answers", "every answer comes twice").outgoing(|_, out| {
        let times = if out.method.is_some() { 2 } else { 1 };
        line(out.value).repeat(times)
    }),
    twist("unknown-method-dropped", "unknown methods are not answered").incoming(|_, line| {
        match line.method() {
            Some(method) if method.contains("no-such-method") => Take::Drop,
            _ => Take::Pass,
        }
    }),
    twist("unknown-method-code", "unknown methods get -32602").outgoing(|_, out| {
        if code(out) == Some(-32601) { with_code(out, json!(-32602)) } else { line(out.value) }
    }),
    twist("unknown-method-result", "unknown methods get a result").incoming(|_, line| {
        answer_if(line, |method| method.contains("no-such-method"), json!({"resultType": "complete"}))
    }),
    twist("unknown-id", "an unasked response comes with each list of tools").incoming(|_, incoming| {
        if incoming.method() == Some("tools/list") {
            return Take::PassAnd(line(&json!({"jsonrpc": "2.0", "id": 987_654, "result": {}})));
        }
        Take::Pass
    }),
    twist("error-without-message", "errors have no message").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(error) = value.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("message");
        }
        line(&value)
    }),
    twist("code-as-string", "codes of errors for unknown methods are strings").outgoing(|_, out| match code(
        out,
    ) {
        Some(-32601) => with_code(out, json!("-32601")),
        _ => line(out.value),
    }),
    twist("long-error", "messages of errors are long").outgoing(|_, out| {
        let mut value = out.value.clone();
        if code(out) == Some(-32601) {
            value["error"]["message"] = json!("no such method\n".repeat(30));
        }
        line(&value)
    }),
    twist("reserved-code", "unknown prompts get a code that JSON-RPC reserves").outgoing(|_, out| {
        if out.method == Some("resources/read") && code(out).is_some() {
            return with_code(out, json!(-32500));
        }
        line(out.value)
    }),
    twist("undefined-code", "missing resources get a code that MCP reserves").outgoing(|_, out| {
        if out.method == Some("resources/read") && code(out) == Some(-32602) {
            return with_code(out, json!(-32055));
        }
        line(out.value)
    }),
    twist("retired-code", "missing resources get -32002").outgoing(|_, out| {
        if out.method == Some("resources/read") && code(out) == Some(-32602) {
            return with_code(out, json!(-32002));
        }
        line(out.value)
    }),
    twist("header-mismatch", "missing resources get -32020").outgoing(|_, out| {
        if out.method == Some("resources/read") && code(out) == Some(-32602) {
            return with_code(out, json!(-32020));
        }
        line(out.value)
    }),
    twist("no-version", "answers to harmless requests have no `jsonrpc`").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let (true, Some(members)) = (harmless(out), value.as_object_mut()) {
            members.shift_remove("jsonrpc");
        }
        line(&value)
    }),
    twist("null-error", "results have an error that is null beside them").outgoing(|_, out| {
        if out.value.get("result").is_some() { with(out, "error", Value::Null) } else { line(out.value) }
    }),
    twist("arrays", "answers come in arrays of one").outgoing(|_, out| {
        if out.method == Some("tools/list") { line(&json!([out.value])) } else { line(out.value) }
    }),
    twist("no-message", "something that is no message comes with each list of tools").incoming(
        |_, incoming| match incoming.method() {
            Some("tools/list") => Take::PassAnd(line(&json!({"level": "info", "message": "listing"}))),
            _ => Take::Pass,
        },
    ),
    twist("null-id-served", "requests with the id null are served").incoming(|_, incoming| {
        if incoming.id() == Some(&Value::Null) && incoming.method().is_some_and(is_harmless) {
            return Take::Answer(line(&json!({"jsonrpc": "2.0", "id": null, "result": result(incoming)})));
        }
        Take::Pass
    }),
    twist("any-case", "names of methods are taken in any case").incoming(|_, incoming| {
        answer_if(incoming, |method| method == "PING" || method == "SERVER/DISCOVER", result(incoming))
    }),
    twist("any-member", "names of members are taken in any case").incoming(|_, incoming| {
        match incoming.value.and_then(|value| value.get("Method")) {
            Some(_) => {
                Take::Instead(String::from_utf8_lossy(incoming.bytes).replacen("\"Method\"", "\"method\"", 1))
            }
            None => Take::Pass,
        }
    }),
    twist("any-version", "requests of JSON-RPC 1.0 are served").incoming(|_, incoming| {
        let old = incoming.value.is_some_and(|value| value["jsonrpc"] == "1.0");
        answer_if(incoming, |_| old, result(incoming))
    }),
    twist("parse-error-dropped", "what cannot be read is dropped")
        .incoming(|_, incoming| if incoming.value.is_none() { Take::Drop } else { Take::Pass }),
    twist("parse-error-id", "errors for what cannot be read have an invented id").outgoing(|_, out| {
        if code(out) == Some(-32700) { with(out, "id", json!("server-error")) } else { line(out.value) }
    }),
    twist("parse-error-code", "what cannot be read gets -32603").outgoing(|_, out| match code(out) {
        Some(-32700) => with_code(out, json!(-32603)),
        _ => line(out.value),
    }),
    twist("parameters-code", "wrong parameters get -32603").outgoing(|_, out| match code(out) {
        Some(-32602) if out.method == Some("prompts/get") => with_code(out, json!(-32603)),
        _ => line(out.value),
    }),
    twist("parameters-ignored", "a prompt without a name is served").incoming(|_, incoming| {
        let nameless = incoming.value.is_some_and(|value| !value["params"]["name"].is_string());
        let done = json!({"resultType": "complete", "messages": []});
        answer_if(incoming, |method| nameless && method == "prompts/get", done)
    }),
    twist("notification-answered", "unknown notifications are answered").incoming(
        |_, incoming| match incoming.method() {
            Some("notifications/mcprove-unknown") => {
                let error = json!({"code": -32601, "message": "no such method"});
                Take::Answer(line(&json!({"jsonrpc": "2.0", "id": null, "error": error})))
            }
            _ => Take::Pass,
        },
    ),
    twist("methods-without-id-answered", "what has no id is answered, unless it is named a notification")
        .incoming(|_, incoming| match (incoming.method(), incoming.id()) {
            (Some(method), None) if method.contains("no-such-method") => {
                let error = json!({"code": -32601, "message": "no such method"});
                Take::Answer(line(&json!({"jsonrpc": "2.0", "id": null, "error": error})))
            }
            _ => Take::Pass,
        }),
    twist("served-without-id", "harmless requests without an id are served").incoming(|_, incoming| {
        match (incoming.method(), incoming.id()) {
            (Some(method), None) if is_harmless(method) => {
                Take::Answer(line(&json!({"jsonrpc": "2.0", "id": null, "result": result(incoming)})))
            }
            _ => Take::Pass,
        }
    }),
    twist("refused-without-id", "harmless requests without an id are refused").incoming(
        |_, incoming| match (incoming.method(), incoming.id()) {
            (Some(method), None) if is_harmless(method) => {
                let error = json!({"code": -32600, "message": "where is the id?"});
                Take::Answer(line(&json!({"jsonrpc": "2.0", "id": null, "error": error})))
            }
            _ => Take::Pass,
        },
    ),
    twist("fractions-served", "requests are served whose ids are fractions").incoming(|_, incoming| {
        let fraction = incoming.id().and_then(Value::as_f64).is_some_and(|id| id.fract() != 0.0);
        answer_if(incoming, |method| fraction && is_harmless(method), result(incoming))
    }),
    twist("new-tools-each-time", "every list of tools has another tool in it").outgoing(|seen, out| {
        let mut value = out.value.clone();
        if let (Some("tools/list"), Some(tools)) =
            (out.method, value.pointer_mut("/result/tools").and_then(Value::as_array_mut))
        {
            seen.count += 1;
            tools.push(json!({"name": format!("guest-{}", seen.count), "inputSchema": {"type": "object"}}));
        }
        line(&value)
    }),
    twist("subscription-id-as-string", "subscriptions are named by their id as a string").outgoing(
        |_, out| {
            let mut value = out.value.clone();
            let tag = "/params/_meta/io.modelcontextprotocol~1subscriptionId";
            if let Some(tag) = value.pointer_mut(tag).filter(|tag| tag.is_number()) {
                *tag = json!(tag.to_string());
            }
            line(&value)
        },
    ),
    twist("one-at-a-time", "of many requests sent at once only some are answered")
        .incoming(|seen, incoming| {
            if incoming.id().is_some() {
                seen.count += 1;
            }
            if seen.count > 5 && incoming.method() != Some("ping") { Take::Drop } else { Take::Pass }
        })
        .outgoing(|seen, out| {
            if out.method.is_some() {
                // While this waits, everything that was sent at once comes together.
                std::thread::sleep(std::time::Duration::from_millis(15));
                seen.count = 0;
            }
            line(out.value)
        }),
    twist("strict-params", "unknown members of params are refused").incoming(|_, incoming| {
        let unknown = incoming.value.is_some_and(|value| value["params"].get("x-mcprove").is_some());
        refuse_if(incoming, unknown, -32602)
    }),
    twist("numbers-only", "ids that are strings are refused").incoming(|_, incoming| {
        let string = incoming.id().is_some_and(Value::is_string);
        refuse_if(incoming, string && incoming.method().is_some_and(is_harmless), -32600)
    }),
    twist("no-result-type", "results of lists do not say their type").outgoing(|_, out| {
        let mut value = out.value.clone();
        if out.method == Some("tools/list")
            && let Some(result) = value.get_mut("result").and_then(Value::as_object_mut)
        {
            result.shift_remove("resultType");
        }
        line(&value)
    }),
    twist("other-result-type", "results of lists have a type of their own").outgoing(|_, out| {
        let mut value = out.value.clone();
        if out.method == Some("tools/list") && value.get("result").is_some() {
            value["result"]["resultType"] = json!("partial");
        }
        line(&value)
    }),
    twist("remembers", "requests without `_meta` are served").incoming(|_, incoming| {
        let bare = incoming.value.is_some_and(|value| value.get("params").is_none());
        let list = json!({"resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "public"});
        answer_if(incoming, |method| bare && method == "tools/list", list)
    }),
    twist("asks", "a request of the server comes with each list of tools").incoming(|seen, incoming| {
        if incoming.method() == Some("tools/list") {
            seen.count += 1;
            let request = json!({"jsonrpc": "2.0", "id": seen.count, "method": "roots/list"});
            return Take::PassAnd(line(&request));
        }
        Take::Pass
    }),
    twist("asks-badly", "requests of the server reuse their id and have params that are no object").incoming(
        |_, incoming| {
            if incoming.method() == Some("tools/list") {
                let request = json!({"jsonrpc": "2.0", "id": 5, "method": "rpc.roots", "params": []});
                return Take::PassAnd(line(&request).repeat(2));
            }
            Take::Pass
        },
    ),
    twist("tells-with-id", "notifications have the id null").incoming(|_, incoming| {
        match incoming.method() {
            Some("tools/list") => {
                let method = "notifications/message";
                Take::PassAnd(line(&json!({"jsonrpc": "2.0", "id": null, "method": method, "params": {}})))
            }
            _ => Take::Pass,
        }
    }),
    twist("cursor-lost", "the second page of a list depends on the list before it").incoming(
        |seen, incoming| {
            let cursor = incoming.value.and_then(|value| value["params"].get("cursor")).is_some();
            let method = incoming.method().unwrap_or_default().to_owned();
            if method.ends_with("/list") && !cursor {
                seen.kept = Some(json!(method));
            }
            let other = cursor && seen.kept != Some(json!(method)) && method.ends_with("/list");
            refuse_if(incoming, other, -32602)
        },
    ),
    twist("ping-refused", "ping is not there")
        .incoming(|_, incoming| refuse_if(incoming, incoming.method() == Some("ping"), -32601)),
    twist("ping-pong", "ping has a result with something in it").outgoing(|_, out| {
        if harmless(out) { with(out, "result", json!({"pong": true})) } else { line(out.value) }
    }),
    twist("ping-null", "ping has the result null")
        .outgoing(|_, out| if harmless(out) { with(out, "result", Value::Null) } else { line(out.value) }),
    twist("ping-often", "the server pings all the time").incoming(|seen, incoming| {
        if incoming.method().is_none() {
            return Take::Pass;
        }
        seen.count += 1;
        Take::PassAnd(line(&json!({"jsonrpc": "2.0", "id": format!("p{}", seen.count), "method": "ping"})))
    }),
];

fn harmless(out: &Outgoing<'_>) -> bool {
    out.method.is_some_and(is_harmless) && out.value.get("result").is_some()
}

fn is_harmless(method: &str) -> bool {
    matches!(method, "ping" | "server/discover")
}

fn code(out: &Outgoing<'_>) -> Option<i64> {
    out.value.get("error")?.get("code")?.as_i64()
}

fn with(out: &Outgoing<'_>, member: &str, value: Value) -> Vec<u8> {
    let mut message = out.value.clone();
    message[member] = value;
    line(&message)
}

fn with_code(out: &Outgoing<'_>, code: Value) -> Vec<u8> {
    let mut message = out.value.clone();
    message["error"]["code"] = code;
    line(&message)
}

/// The result of the harmless request of the era.
fn result(incoming: &Incoming<'_>) -> Value {
    let modern = incoming.value.is_some_and(|value| value["params"].get("_meta").is_some());
    if modern {
        json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {},
            "ttlMs": 0, "cacheScope": "public"})
    } else {
        json!({})
    }
}

fn answer_if(incoming: &Incoming<'_>, when: impl Fn(&str) -> bool, result: Value) -> Take {
    match (incoming.method(), incoming.id()) {
        (Some(method), Some(id)) if when(method) => {
            Take::Answer(line(&json!({"jsonrpc": "2.0", "id": id, "result": result})))
        }
        _ => Take::Pass,
    }
}

/// Refuses a request with an error.
pub(super) fn refuse_if(incoming: &Incoming<'_>, when: bool, code: i64) -> Take {
    match incoming.id() {
        Some(id) if when => {
            let error = json!({"code": code, "message": "refused"});
            Take::Answer(line(&json!({"jsonrpc": "2.0", "id": id, "error": error})))
        }
        _ => Take::Pass,
    }
}
