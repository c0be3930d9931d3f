//! Twists of the handshake, of versions, and of the server's features.

use super::twist::{Incoming, Outgoing, Take, Twist, line, twist};
use serde_json::{Value, json};

const META: &str = "_meta";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

pub(super) static TWISTS: &[Twist] = &[
    twist("echoes-version", "any version is agreed to").incoming(keep_version).outgoing(|seen, out| {
        let asked = seen.kept.clone();
        edit(out, "initialize", |result| result["protocolVersion"] = asked.unwrap_or_default())
    }),
    twist("refuses-version", "versions that it does not know get an error").incoming(|_, incoming| {
        match version(incoming).as_deref() {
            Some("1999-01-01" | "2099-12-31") => error(incoming, -32602),
            _ => Take::Pass,
        }
    }),
    twist("offers-what-it-does-not-speak", "offers 2024-11-05, and does not confirm it")
        .incoming(keep_version)
        .outgoing(|seen, out| {
            let other = match seen.kept.as_ref().and_then(Value::as_str) {
                Some("1999-01-01" | "2099-12-31") => "2024-11-05",
                Some("2024-11-05") => "2025-11-25",
                _ => return line(out.value),
            };
            edit(out, "initialize", |result| result["protocolVersion"] = json!(other))
        }),
    twist("dies-of-version", "exits when it is asked for a version that it does not know").incoming(
        |_, incoming| match version(incoming).as_deref() {
            Some("1999-01-01" | "2099-12-31") => Take::Die(3),
            _ => Take::Pass,
        },
    ),
    twist("refuses-initialize", "`initialize` gets an internal error").incoming(|_, incoming| match incoming
        .method()
    {
        Some("initialize") => error(incoming, -32603),
        _ => Take::Pass,
    }),
    twist("asks-early", "asks for roots before it is initialized")
        .incoming(|seen, incoming| {
            seen.kept = incoming.method().map(Value::from);
            Take::Pass
        })
        .outgoing(|_, out| {
            let mut lines = line(out.value);
            if out.method == Some("initialize") {
                lines.extend(line(&json!({"jsonrpc": "2.0", "id": "early", "method": "roots/list"})));
            }
            lines
        }),
    twist("ignores-early", "what comes before `initialize` is dropped").incoming(|seen, incoming| {
        seen.count += u32::from(incoming.method() == Some("initialize"));
        if seen.count == 0 { Take::Drop } else { Take::Pass }
    }),
    twist("refuses-unknown-info", "unknown members of `clientInfo` are refused").incoming(|_, incoming| {
        match incoming.value.and_then(|value| value.pointer("/params/clientInfo/mcproveUnknown")) {
            Some(_) => error(incoming, -32602),
            None => Take::Pass,
        }
    }),
    twist("refuses-unknown-capabilities", "unknown capabilities are refused").incoming(|_, incoming| {
        match incoming.value.and_then(|value| value.pointer("/params/capabilities/mcproveUnknown")) {
            Some(_) => error(incoming, -32602),
            None => Take::Pass,
        }
    }),
    twist("wants-bare-initialized", "`initialized` with params does not count").incoming(|seen, incoming| {
        match incoming.method() {
            Some("notifications/initialized") => {
                seen.count = 1 + u32::from(incoming.value.is_some_and(|value| value.get("params").is_some()));
                Take::Pass
            }
            Some("ping") if seen.count == 2 => error(incoming, -32600),
            _ => Take::Pass,
        }
    }),
    twist("refuses-second-initialize", "a second `initialize` is refused").incoming(|seen, incoming| {
        if incoming.method() != Some("initialize") {
            return Take::Pass;
        }
        seen.count += 1;
        if seen.count > 1 { error(incoming, -32600) } else { Take::Pass }
    }),
    twist("hides-features", "features are served and not declared").outgoing(|_, out| {
        let hide = |result: &mut Value| result["capabilities"] = json!({});
        if out.method == Some("initialize") {
            edit(out, "initialize", hide)
        } else {
            edit(out, "server/discover", hide)
        }
    }),
    twist("hides-completions", "completion is served and not declared").outgoing(|_, out| {
        let hide = |result: &mut Value| {
            result["capabilities"].as_object_mut().map(|capabilities| capabilities.remove("completions"));
        };
        if out.method == Some("initialize") {
            edit(out, "initialize", hide)
        } else {
            edit(out, "server/discover", hide)
        }
    }),
    twist("tools-fail", "`tools/list` fails").incoming(|_, incoming| fail(incoming, "tools/list", -32603)),
    twist("tools-unknown", "`tools/list` is unknown")
        .incoming(|_, incoming| fail(incoming, "tools/list", -32601)),
    twist("wants-params", "`tools/list` needs params").incoming(|_, incoming| match incoming.method() {
        Some("tools/list") if incoming.value.is_some_and(|value| value.get("params").is_none()) => {
            error(incoming, -32602)
        }
        _ => Take::Pass,
    }),
    twist("tool-twice", "the first tool is listed twice").outgoing(|_, out| {
        edit(out, "tools/list", |result| {
            if let Some(tools) = result["tools"].as_array_mut() {
                tools.extend(tools.first().cloned());
            }
        })
    }),
    twist("no-end", "`tools/list` gives the same page and the same cursor for ever")
        .incoming(|_, incoming| match incoming.value.and_then(|value| value.pointer("/params/cursor")) {
            Some(cursor) if cursor == "again" => without_cursor(incoming, "tools/list"),
            _ => Take::Pass,
        })
        .outgoing(|_, out| edit(out, "tools/list", |result| result["nextCursor"] = json!("again"))),
    twist("refuses-cursor", "every cursor is refused")
        .incoming(|_, incoming| if cursor(incoming) { error(incoming, -32602) } else { Take::Pass }),
    twist("takes-any-cursor", "cursors that it does not know lead to the first page").incoming(
        |_, incoming| {
            let given = incoming.value.and_then(|value| value.pointer("/params/cursor")?.as_str());
            match given {
                Some(text) if text.starts_with("mcprove") || text.starts_with("zzz") => {
                    without_cursor(incoming, incoming.method().unwrap_or_default())
                }
                _ => Take::Pass,
            }
        },
    ),
    twist("overlapping-pages", "each page begins with the first entry").outgoing(|seen, out| {
        if out.method == Some("tools/list") {
            let first = out.value.pointer("/result/tools/0").cloned();
            let before = seen.kept.get_or_insert_with(|| first.unwrap_or_default()).clone();
            return edit(out, "tools/list", |result| {
                if let Some(tools) =
                    result["tools"].as_array_mut().filter(|tools| tools.first() != Some(&before))
                {
                    tools.insert(0, before);
                }
            });
        }
        line(out.value)
    }),
    twist("any-tool", "calls of unknown tools succeed").incoming(|_, incoming| {
        match incoming.value.and_then(|value| value.pointer("/params/name")?.as_str()) {
            Some(name) if name.starts_with("mcprove") && incoming.method() == Some("tools/call") => {
                answer(incoming, json!({"content": [], "resultType": "complete"}))
            }
            _ => Take::Pass,
        }
    }),
    twist("unknown-tool-in-result", "calls of unknown tools have results with `isError`").outgoing(
        |_, out| {
            let unknown = out.value.pointer("/error/message").and_then(Value::as_str);
            if out.method == Some("tools/call") && unknown.is_some_and(|text| text.contains("unknown tool")) {
                return respond(out, json!({"content": [], "isError": true, "resultType": "complete"}));
            }
            line(out.value)
        },
    ),
    twist("any-arguments", "calls with bad arguments succeed").outgoing(|_, out| {
        edit(out, "tools/call", |result| {
            let text = result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_default();
            if text.starts_with("Invalid arguments") {
                result["isError"] = json!(false);
            }
        })
    }),
    twist("tool-in-any-case", "names of tools are taken in any case").incoming(|_, incoming| {
        let name = incoming.value.and_then(|value| value.pointer("/params/name")?.as_str());
        match (incoming.method(), name, incoming.value) {
            (Some("tools/call"), Some(name), Some(value)) if name.chars().any(char::is_uppercase) => {
                let mut value = value.clone();
                value["params"]["name"] = json!(name.to_lowercase());
                Take::Instead(value.to_string())
            }
            _ => Take::Pass,
        }
    }),
    twist("wants-arguments", "calls without `arguments` are refused").incoming(|_, incoming| {
        let lacks = incoming.value.is_some_and(|value| value.pointer("/params/arguments").is_none());
        if lacks { fail(incoming, "tools/call", -32602) } else { Take::Pass }
    }),
    twist("lone-sum", "structured content is missing").outgoing(|_, out| {
        edit(out, "tools/call", |result| {
            result.as_object_mut().map(|members| members.remove("structuredContent"));
        })
    }),
    twist("sum-as-text", "structured content does not conform").outgoing(|_, out| {
        edit(out, "tools/call", |result| {
            if let Some(sum) = result.pointer_mut("/structuredContent/sum") {
                *sum = json!("three");
            }
        })
    }),
    twist("shuffled-tools", "every second listing comes backwards").outgoing(|seen, out| {
        if out.method != Some("tools/list") || out.value.pointer("/result/nextCursor").is_some() {
            return line(out.value);
        }
        seen.count += 1;
        let odd = seen.count % 2 == 0;
        edit(out, "tools/list", |result| {
            if let Some(tools) = result["tools"].as_array_mut().filter(|_| odd) {
                tools.reverse();
            }
        })
    }),
    twist("tools-by-process", "each process has a tool of its own").outgoing(|_, out| {
        edit(out, "tools/list", |result| {
            result["tools"][0]["name"] = json!(format!("tool-{}", std::process::id()));
        })
    }),
    twist("tools-after-calls", "whoever calls a tool has one tool less").outgoing(|seen, out| {
        seen.count += u32::from(out.method == Some("tools/call"));
        let called = seen.count > 0;
        edit(out, "tools/list", |result| {
            if let Some(tools) = result["tools"].as_array_mut().filter(|_| called) {
                tools.pop();
            }
        })
    }),
    twist("suggests-what-is-not", "what completion suggests for a template leads nowhere").outgoing(
        |_, out| {
            edit(out, "completion/complete", |result| {
                result["completion"] = json!({"values": ["mcprove-nowhere"], "total": 1, "hasMore": false});
            })
        },
    ),
    twist("described-by-process", "each process describes itself otherwise").outgoing(|_, out| {
        edit(out, "server/discover", |result| result["instructions"] = json!(std::process::id().to_string()))
    }),
    twist("empty-for-missing", "missing resources have empty contents").outgoing(|_, out| {
        if out.method == Some("resources/read") && out.value.get("error").is_some() {
            let result =
                json!({"contents": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"});
            return respond(out, result);
        }
        line(out.value)
    }),
    twist("listed-is-missing", "no listed resource can be read")
        .incoming(|_, incoming| fail(incoming, "resources/read", -32602)),
    twist("refuses-subscription", "`resources/subscribe` fails")
        .incoming(|_, incoming| fail(incoming, "resources/subscribe", -32603)),
    twist("any-prompt", "whatever prompt is asked for, it is there").outgoing(|_, out| {
        if out.method == Some("prompts/get") && out.value.get("error").is_some() {
            return respond(out, json!({"messages": [], "resultType": "complete"}));
        }
        line(out.value)
    }),
    twist("no-completion", "arguments that are listed cannot be completed")
        .incoming(|_, incoming| fail(incoming, "completion/complete", -32603)),
    twist("any-completion", "whatever is to be completed gets no values").outgoing(|_, out| {
        if out.method == Some("completion/complete") && out.value.get("error").is_some() {
            return respond(out, json!({"completion": {"values": []}, "resultType": "complete"}));
        }
        line(out.value)
    }),
    twist("no-context", "completions with a context are refused").incoming(|_, incoming| {
        match incoming.value.and_then(|value| value.pointer("/params/context")) {
            Some(_) => error(incoming, -32602),
            None => Take::Pass,
        }
    }),
    twist("no-extra-meta", "unknown keys in `_meta` are refused").incoming(|_, incoming| {
        let strange = incoming.value.and_then(|value| value.pointer("/params/_meta/plain"));
        if strange.is_some() { error(incoming, -32602) } else { Take::Pass }
    }),
    twist("any-version-served", "requests of any version are served").incoming(|_, incoming| {
        let known = incoming.value.and_then(|value| value.get("params")?.get(META)?.get(VERSION)?.as_str());
        match (known, incoming.value) {
            (Some(_), Some(value)) => {
                let mut value = value.clone();
                value["params"][META][VERSION] = json!("2026-07-28");
                Take::Instead(value.to_string())
            }
            _ => Take::Pass,
        }
    }),
    twist("version-error-without-data", "errors about versions do not say which there are").outgoing(
        |_, out| {
            let mut value = out.value.clone();
            if value.pointer("/error/code") == Some(&json!(-32022)) {
                value["error"].as_object_mut().map(|error| error.remove("data"));
            }
            line(&value)
        },
    ),
    twist("stuck-after-version", "after an unknown version everything is refused").incoming(
        |seen, incoming| {
            let named =
                incoming.value.and_then(|value| value.get("params")?.get(META)?.get(VERSION)?.as_str());
            seen.count += u32::from(named.is_some_and(|named| named != "2026-07-28"));
            if seen.count >= 3 && named == Some("2026-07-28") { error(incoming, -32600) } else { Take::Pass }
        },
    ),
    twist("wants-discover", "nothing is served before `server/discover`").incoming(|seen, incoming| {
        seen.count += u32::from(matches!(incoming.method(), Some("server/discover" | "initialize")));
        if seen.count == 0 && incoming.id().is_some() { error(incoming, -32600) } else { Take::Pass }
    }),
    twist("takes-missing-capabilities", "requests without `clientCapabilities` are served").incoming(
        |_, incoming| match incoming.value {
            Some(value) if value.pointer("/params/_meta").is_some_and(Value::is_object) => {
                let mut value = value.clone();
                let meta = &mut value["params"][META];
                if meta.get(VERSION).is_some()
                    && meta.get("io.modelcontextprotocol/clientCapabilities").is_none()
                {
                    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
                }
                Take::Instead(value.to_string())
            }
            _ => Take::Pass,
        },
    ),
    twist("still-pings", "`ping` is still served").incoming(|_, incoming| match incoming.method() {
        Some("ping") => answer(incoming, json!({"resultType": "complete"})),
        _ => Take::Pass,
    }),
    twist("wants-client-info", "requests without `clientInfo` are refused").incoming(|_, incoming| {
        let meta = incoming.value.and_then(|value| value.pointer("/params/_meta"));
        let lacks = meta.is_some_and(|meta| meta.get("io.modelcontextprotocol/clientInfo").is_none());
        if lacks && incoming.id().is_some() { error(incoming, -32602) } else { Take::Pass }
    }),
    twist("names-a-version-it-refuses", "a version that it names is refused").outgoing(|_, out| {
        edit(out, "server/discover", |result| {
            result["supportedVersions"] = json!(["2026-07-28", "2027-01-01"]);
        })
    }),
];

/// Remembers the version that `initialize` asks for.
fn keep_version(seen: &mut super::twist::Seen, incoming: &Incoming<'_>) -> Take {
    if let Some(version) = version(incoming) {
        seen.kept = Some(json!(version));
    }
    Take::Pass
}

/// The version that `initialize` asks for.
fn version(incoming: &Incoming<'_>) -> Option<String> {
    let params = incoming.value?.get("params")?;
    (incoming.method() == Some("initialize"))
        .then(|| params.get("protocolVersion")?.as_str().map(str::to_owned))?
}

fn cursor(incoming: &Incoming<'_>) -> bool {
    incoming.value.is_some_and(|value| value.pointer("/params/cursor").is_some())
}

fn without_cursor(incoming: &Incoming<'_>, method: &str) -> Take {
    match incoming.value {
        Some(value) if incoming.method() == Some(method) && cursor(incoming) => {
            let mut value = value.clone();
            value["params"].as_object_mut().map(|params| params.remove("cursor"));
            Take::Instead(value.to_string())
        }
        _ => Take::Pass,
    }
}

pub(super) fn error(incoming: &Incoming<'_>, code: i64) -> Take {
    let id = incoming.id().cloned().unwrap_or_default();
    Take::Answer(line(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}})))
}

pub(super) fn answer(incoming: &Incoming<'_>, result: Value) -> Take {
    let id = incoming.id().cloned().unwrap_or_default();
    Take::Answer(line(&json!({"jsonrpc": "2.0", "id": id, "result": result})))
}

pub(super) fn fail(incoming: &Incoming<'_>, method: &str, code: i64) -> Take {
    if incoming.method() == Some(method) { error(incoming, code) } else { Take::Pass }
}

/// The response with another result.
fn respond(out: &Outgoing<'_>, result: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": out.value["id"], "result": result}))
}

/// The response with its result changed, where it answers this method.
pub(super) fn edit(out: &Outgoing<'_>, method: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = out.value.clone();
    if let (Some(result), true) = (value.get_mut("result"), out.method == Some(method)) {
        change(result);
    }
    line(&value)
}
