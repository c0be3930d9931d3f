//! Twists of progress, cancellation, logging, subscriptions and changes, and of what hostile arguments lead to.

use super::features::{answer, edit, error, fail};
use super::twist::{Incoming, Outgoing, Take, Twist, line, twist, write};
use serde_json::{Value, json};
use std::time::Duration;

const TAG: &str = "/params/_meta/io.modelcontextprotocol~1subscriptionId";
const LISTEN: &str = "subscriptions/listen";
/// Long enough to be cancelled, and to answer when that has long been read.
const SLOW: Duration = Duration::from_millis(850);

pub(super) static TWISTS: &[Twist] = &[
    twist("no-set-level", "`logging/setLevel` is unknown")
        .incoming(|_, incoming| fail(incoming, "logging/setLevel", -32601)),
    twist("some-levels", "the log level `alert` is refused").incoming(|_, incoming| {
        match (level(incoming), level_of_request(incoming)) {
            (Some("alert"), _) | (_, Some("alert")) => error(incoming, -32602),
            _ => Take::Pass,
        }
    }),
    twist("any-level", "log levels that there are not are taken for `info`").incoming(|_, incoming| {
        let known = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
        match level(incoming) {
            Some(level) if known.contains(&level) => Take::Pass,
            _ if incoming.method() == Some("logging/setLevel") => set_level(incoming, "info"),
            _ => Take::Pass,
        }
    }),
    twist("loud", "the log level `error` is taken for `debug`").incoming(|_, incoming| {
        if level(incoming) == Some("error") { set_level(incoming, "debug") } else { Take::Pass }
    }),
    twist("mute", "at the log level `error` nothing is logged")
        .incoming(|seen, incoming| {
            if let Some(level) = level(incoming) {
                seen.count = u32::from(level == "error");
            }
            Take::Pass
        })
        .outgoing(
            |seen, out| {
                if seen.count > 0 { unless(out, "notifications/message") } else { line(out.value) }
            },
        ),
    twist("chatty", "a log message goes before each list of tools").outgoing(|_, out| {
        let message = json!({"jsonrpc": "2.0", "method": "notifications/message",
            "params": {"level": "info", "data": "listed"}});
        if out.method == Some("tools/list") { both(&message, out.value) } else { line(out.value) }
    }),
    twist("talkative-tools", "a log message goes before the answer to each call of a tool").outgoing(
        |_, out| {
            let message = json!({"jsonrpc": "2.0", "method": "notifications/message",
            "params": {"level": "info", "data": "called"}});
            if out.method == Some("tools/call") { both(&message, out.value) } else { line(out.value) }
        },
    ),
    twist("careless-logs", "log messages hold a password").outgoing(|_, out| {
        let mut value = out.value.clone();
        if method(out) == Some("notifications/message") {
            value["params"]["data"] = json!({"password": "hunter2"});
        }
        line(&value)
    }),
    twist("late-progress", "progress comes after the response")
        .incoming(|seen, incoming| {
            let token = incoming.value.and_then(|value| value.pointer("/params/_meta/progressToken"));
            if let (Some(token), Some(id), Some("tools/call")) = (token, incoming.id(), incoming.method()) {
                seen.kept.get_or_insert(json!({}))[id.to_string()] = token.clone();
            }
            Take::Pass
        })
        .outgoing(|seen, out| {
            let id = out.value.get("id").map(Value::to_string).filter(|_| method(out).is_none());
            let token = id.and_then(|id| seen.kept.as_ref()?.get(id).cloned());
            let Some(token) = token else { return line(out.value) };
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": token, "progress": 1_000_000}});
            both(out.value, &progress)
        }),
    twist("stringly-tokens", "progress tokens come back as strings").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(token) = value.pointer_mut("/params/progressToken").filter(|token| token.is_number()) {
            *token = json!(token.to_string());
        }
        line(&value)
    }),
    twist("standing-progress", "progress does not move").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(progress) = value.pointer_mut("/params/progress") {
            *progress = json!(1);
        }
        line(&value)
    }),
    twist("no-token-zero", "requests with the progress token 0 are refused").incoming(|_, incoming| {
        let token = incoming.value.and_then(|value| value.pointer("/params/_meta/progressToken"));
        if token == Some(&json!(0)) { error(incoming, -32602) } else { Take::Pass }
    }),
    twist("answers-notices", "cancellations and progress of the client are answered").incoming(
        |_, incoming| match incoming.method() {
            Some("notifications/cancelled" | "notifications/progress") => {
                let refusal = json!({"code": -32600, "message": "no"});
                Take::PassAnd(line(&json!({"jsonrpc": "2.0", "id": null, "error": refusal})))
            }
            _ => Take::Pass,
        },
    ),
    twist("ignores-cancel", "cancellations have no effect").incoming(|_, incoming| match incoming.method() {
        Some("notifications/cancelled") => Take::Drop,
        _ => Take::Pass,
    }),
    twist("slow-and-heedless", "`echo` takes its time, and answers whether it was cancelled or not")
        .incoming(|seen, incoming| {
            let name = incoming.value.and_then(|value| value.pointer("/params/name")?.as_str());
            if let (Some("echo"), Some(id), Some("tools/call")) = (name, incoming.id(), incoming.method()) {
                seen.kept.get_or_insert(json!({}))[id.to_string()] = json!(true);
            }
            Take::Pass
        })
        .outgoing(|seen, out| {
            let id = out.value.get("id").map(Value::to_string).filter(|_| method(out).is_none());
            let slow = id.is_some_and(|id| seen.kept.as_ref().is_some_and(|kept| kept.get(id).is_some()));
            if !slow {
                return line(out.value);
            }
            let answer = line(out.value);
            std::thread::spawn(move || {
                std::thread::sleep(SLOW);
                write(&answer);
            });
            Vec::new()
        }),
    twist("dizzy", "after a cancellation the next two requests fail").incoming(|seen, incoming| {
        if incoming.method() == Some("notifications/cancelled") {
            seen.count = 2;
        } else if seen.count > 0 && incoming.id().is_some() && incoming.method().is_some() {
            seen.count -= 1;
            return error(incoming, -32603);
        }
        Take::Pass
    }),
    twist("fears-late-answers", "an answer to a request that was cancelled ends it")
        .incoming(|seen, incoming| {
            let known = seen.kept.as_ref().and_then(Value::as_array);
            let late = incoming.method().is_none()
                && incoming.id().is_some_and(|id| known.is_some_and(|known| known.contains(id)));
            if late { Take::Die(3) } else { Take::Pass }
        })
        .outgoing(|seen, out| {
            if method(out) == Some("notifications/cancelled") {
                let id = out.value.pointer("/params/requestId").cloned().unwrap_or_default();
                if let Some(ids) = seen.kept.get_or_insert(json!([])).as_array_mut() {
                    ids.push(id);
                }
            }
            line(out.value)
        }),
    twist("foreign-cancel", "a request of the client is cancelled").outgoing(|_, out| {
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": out.value["id"]}});
        if out.method == Some("tools/list") { both(&cancel, out.value) } else { line(out.value) }
    }),
    twist("fears-cancelled-initialize", "the cancellation of `initialize` ends it").incoming(
        |seen, incoming| {
            let id =
                incoming.value.and_then(|value| value.pointer("/params/requestId")).map(Value::to_string);
            let initialize =
                id.and_then(|id| seen.methods.get(&id)).is_some_and(|method| method == "initialize");
            if initialize { Take::Die(3) } else { Take::Pass }
        },
    ),
    twist("silent-changes", "what tools touch changes, and no update tells it")
        .incoming(|seen, incoming| {
            seen.count += u32::from(called(incoming) == Some("touch_resource"));
            Take::Pass
        })
        .outgoing(|seen, out| {
            let count = seen.count;
            if out.method == Some("resources/read") {
                return edit(out, "resources/read", |result| {
                    if let Some(item) =
                        result.pointer_mut("/contents/0").filter(|item| item.get("text").is_some())
                    {
                        item["text"] = json!(format!("touched {count} times"));
                    }
                });
            }
            unless(out, "notifications/resources/updated")
        }),
    twist("stubborn-updates", "`resources/unsubscribe` has no effect").incoming(|_, incoming| match incoming
        .method()
    {
        Some("resources/unsubscribe") => answer(incoming, json!({})),
        _ => Take::Pass,
    }),
    twist("silent-lists", "changed lists are not announced")
        .outgoing(|_, out| unless(out, "notifications/tools/list_changed")),
    twist("no-listen", "subscriptions are unknown").incoming(|_, incoming| fail(incoming, LISTEN, -32601)),
    twist("no-acknowledgement", "subscriptions are not acknowledged")
        .outgoing(|_, out| unless(out, "notifications/subscriptions/acknowledged")),
    twist("generous-acknowledgement", "all lists are acknowledged").outgoing(|_, out| {
        let mut value = out.value.clone();
        if method(out) == Some("notifications/subscriptions/acknowledged") {
            for flag in ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] {
                value["params"]["notifications"][flag] = json!(true);
            }
        }
        line(&value)
    }),
    twist("stringly-subscriptions", "subscriptions are named by strings").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(tag) = value.pointer_mut(TAG).filter(|tag| tag.is_number()) {
            *tag = json!(tag.to_string());
        }
        line(&value)
    }),
    twist("nameless-changes", "changes name no subscription").outgoing(|_, out| {
        let mut value = out.value.clone();
        if method(out).is_some_and(|method| method.ends_with("/list_changed")) {
            value["params"].as_object_mut().map(|params| params.remove("_meta"));
        }
        line(&value)
    }),
    twist("every-change", "every subscription is told every change").outgoing(|_, out| {
        let mut other = out.value.clone();
        if method(out).is_some_and(|method| method.ends_with("/updated")) {
            other.pointer_mut(TAG).into_iter().for_each(|tag| *tag = json!(""));
            return both(out.value, &other);
        }
        line(out.value)
    }),
    twist("endless-subscriptions", "subscriptions cannot be cancelled").incoming(|seen, incoming| {
        let id = incoming.value.and_then(|value| value.pointer("/params/requestId")).map(Value::to_string);
        let listen = id.and_then(|id| seen.methods.get(&id)).is_some_and(|method| method == LISTEN);
        if listen && incoming.method() == Some("notifications/cancelled") { Take::Drop } else { Take::Pass }
    }),
    twist("wants-a-filter", "empty and unknown filters are refused").incoming(|_, incoming| {
        let filter = incoming.value.and_then(|value| value.pointer("/params/notifications")?.as_object());
        let odd =
            filter.is_some_and(|filter| filter.is_empty() || filter.keys().any(|name| name.contains('/')));
        if odd { error(incoming, -32602) } else { Take::Pass }
    }),
    twist("wants-no-filter", "a subscription without a filter is one without changes").incoming(
        |_, incoming| match incoming.value {
            Some(value)
                if incoming.method() == Some(LISTEN) && value.pointer("/params/notifications").is_none() =>
            {
                let mut value = value.clone();
                value["params"]["notifications"] = json!({});
                Take::Instead(value.to_string())
            }
            _ => Take::Pass,
        },
    ),
    twist("nameless-end", "the result of a subscription does not name it").outgoing(|_, out| {
        edit(out, LISTEN, |result| {
            result.as_object_mut().map(|members| members.remove("_meta"));
        })
    }),
    twist("evaluates-prompts", "arguments of prompts are evaluated").outgoing(|_, out| {
        if out.method == Some("prompts/get") {
            return out
                .value
                .to_string()
                .replace("7*7", "49")
                .into_bytes()
                .into_iter()
                .chain(*b"\n")
                .collect();
        }
        line(out.value)
    }),
    twist("completes-files", "files of the machine are completed").incoming(|_, incoming| {
        let value = incoming.value.and_then(|value| value.pointer("/params/argument/value")?.as_str());
        match value {
            Some(value) if value.ends_with("etc/") => answer(
                incoming,
                json!({
                    "completion": {"values": ["/etc/passwd"]}, "resultType": "complete",
                }),
            ),
            _ => Take::Pass,
        }
    }),
    twist("raw-output", "NUL is written as it is").outgoing(|_, out| {
        let mut text = out.value.to_string().replace("\\u0000", "\0").into_bytes();
        text.push(b'\n');
        text
    }),
    twist("lax-paths", "files are read by whatever path leads to them")
        .incoming(|_, incoming| {
            let uri = incoming.value.and_then(|value| value.pointer("/params/uri")?.as_str());
            let (Some("resources/read"), Some(uri)) = (incoming.method(), uri) else { return Take::Pass };
            let Some(path) =
                uri.strip_prefix("file://").filter(|path| path.starts_with("/tmp/mcprove-root/"))
            else {
                return Take::Pass;
            };
            // As the system would see it, from the root on.
            let target = path.rsplit_once("../").map_or(path, |(_, target)| target);
            let text = std::fs::read_to_string(format!("/{target}")).unwrap_or_default();
            answer(
                incoming,
                json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "contents": [{"uri": uri, "text": text}]}),
            )
        })
        .outgoing(|_, out| {
            edit(out, "resources/list", |result| {
                if let Some(resources) = result["resources"].as_array_mut() {
                    resources.push(json!({"uri": "file:///tmp/mcprove-root/a.txt", "name": "a"}));
                }
            })
        }),
];

fn method<'a>(out: &'a Outgoing<'_>) -> Option<&'a str> {
    out.value.get("method")?.as_str()
}

fn level<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    let level = incoming.value?.pointer("/params/level")?.as_str();
    level.filter(|_| incoming.method() == Some("logging/setLevel"))
}

fn level_of_request<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    incoming.value?.pointer("/params/_meta/io.modelcontextprotocol~1logLevel")?.as_str()
}

fn set_level(incoming: &Incoming<'_>, level: &str) -> Take {
    let mut value = incoming.value.cloned().unwrap_or_default();
    value["params"]["level"] = json!(level);
    Take::Instead(value.to_string())
}

fn called<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    let name = incoming.value?.pointer("/params/name")?.as_str();
    name.filter(|_| incoming.method() == Some("tools/call"))
}

/// The line, unless it is a notification of this kind.
fn unless(out: &Outgoing<'_>, notification: &str) -> Vec<u8> {
    if method(out) == Some(notification) { Vec::new() } else { line(out.value) }
}

fn both(first: &Value, second: &Value) -> Vec<u8> {
    [line(first), line(second)].concat()
}
