//! Twists of what the server asks its client for, of retries, and of how the eras get along.

use super::features::{answer, edit, error};
use super::twist::{Incoming, Outgoing, Seen, Take, Twist, line, twist};
use serde_json::{Value, json};

const META: &str = "_meta";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

pub(super) static TWISTS: &[Twist] = &[
    twist("hangs-on-decline", "answers of users who decline or cancel are lost").incoming(|_, incoming| {
        match at(incoming, "/result/action").and_then(Value::as_str) {
            Some("decline" | "cancel") => Take::Drop,
            _ => Take::Pass,
        }
    }),
    twist("takes-any-form", "forms filled in with nonsense are taken").incoming(|_, incoming| {
        match at(incoming, "/result/content") {
            Some(content) if is_nonsense(content) => {
                changed(incoming, |value| value["result"] = json!({"action": "decline"}))
            }
            _ => Take::Pass,
        }
    }),
    twist("hangs-on-refusal", "errors of the client are lost")
        .incoming(|_, incoming| if at(incoming, "/error/code").is_some() { Take::Drop } else { Take::Pass }),
    twist("wants-end-turn", "messages of a model that stopped for an unknown reason are refused").incoming(
        |_, incoming| match at(incoming, "/result/stopReason").and_then(Value::as_str) {
            Some("mcproveWasTired") => changed(incoming, |value| value["result"] = json!({})),
            _ => Take::Pass,
        },
    ),
    twist("hangs-on-no-message", "what is no message of a model is lost").incoming(|_, incoming| {
        let lacks_role = at(incoming, "/result/content").is_some_and(|content| content.get("type").is_some())
            && at(incoming, "/result/role").is_none();
        if lacks_role { Take::Drop } else { Take::Pass }
    }),
    twist("endless-tools", "a model that uses tools is asked on for ever").outgoing(|seen, out| {
        let result = out.value.get("result").filter(|_| out.method == Some("tools/call"));
        let Some(result) = result else { return line(out.value) };
        if result.pointer("/inputRequests/results-0").is_some() {
            seen.kept = Some(result.clone());
        }
        let says = result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_default();
        match &seen.kept {
            Some(kept) if says.starts_with("The model says:") => {
                let kept = kept.clone();
                edit(out, "tools/call", |result| *result = kept)
            }
            _ => line(out.value),
        }
    }),
    twist("asks-undeclared", "whatever the client declares, everything is asked for").incoming(
        |_, incoming| {
            let all = json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}});
            match incoming.method() {
                Some("initialize") => changed(incoming, |value| value["params"]["capabilities"] = all),
                Some("tools/call")
                    if at(incoming, "/params/_meta").is_some_and(|meta| meta.get(CAPABILITIES).is_some()) =>
                {
                    changed(incoming, |value| value["params"][META][CAPABILITIES] = all)
                }
                _ => Take::Pass,
            }
        },
    ),
    twist("ignores-changed-roots", "once the roots have changed they are not asked for")
        .incoming(|seen, incoming| {
            seen.count += u32::from(incoming.method() == Some("notifications/roots/list_changed"));
            Take::Pass
        })
        .outgoing(|seen, out| {
            if seen.count > 0 && out.value["method"] == "roots/list" { Vec::new() } else { line(out.value) }
        }),
    twist("reads-anywhere", "a tool reads any file, whatever the roots are")
        .incoming(|_, incoming| {
            if at(incoming, "/params/name").is_none_or(|name| name != "read_anything") {
                return Take::Pass;
            }
            let path = at(incoming, "/params/arguments/path").and_then(Value::as_str).unwrap_or_default();
            let text = std::fs::read_to_string(path).unwrap_or_default();
            answer(incoming, json!({"content": [{"type": "text", "text": text}]}))
        })
        .outgoing(|_, out| {
            edit(out, "tools/list", |result| {
                let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
                if let Some(tools) = result["tools"].as_array_mut() {
                    tools.push(json!({"name": "read_anything", "inputSchema": schema}));
                }
            })
        }),
    twist("takes-any-state", "a state that was tampered with is as good as the last one of the same call")
        .incoming(last_state_again)
        .outgoing(keep_states),
    twist("takes-any-state-beside-slow-tools", "the same, and three other tools never answer")
        .incoming(|seen, incoming| match at(incoming, "/params/name").and_then(Value::as_str) {
            Some("add" | "fail" | "plan_trip") => Take::Drop,
            _ => last_state_again(seen, incoming),
        })
        .outgoing(keep_states),
    twist("loses-empty-states", "a retry with an empty state gets no answer").incoming(
        |_, incoming| match at(incoming, "/params/requestState") {
            Some(state) if state == "" => Take::Drop,
            _ => Take::Pass,
        },
    ),
    twist("no-extra-responses", "an answer too many is refused").incoming(|_, incoming| {
        match at(incoming, "/params/inputResponses/mcproveUnknown") {
            Some(_) => error(incoming, -32602),
            None => Take::Pass,
        }
    }),
    twist("no-missing-responses", "a retry without the answers is refused").incoming(|_, incoming| match at(
        incoming,
        "/params/inputResponses",
    )
    .and_then(Value::as_object)
    {
        Some(responses) if responses.is_empty() => error(incoming, -32602),
        _ => Take::Pass,
    }),
    twist("takes-any-retry", "whatever a retry says, the call succeeds").incoming(|_, incoming| {
        let responses = at(incoming, "/params/inputResponses");
        let odd = responses.is_some_and(|responses| {
            let of_none = |one: &Value| one.is_string() || one["action"] == "mcprove";
            responses.is_array() || responses.as_object().is_some_and(|all| all.values().any(of_none))
        });
        if odd || at(incoming, "/params/requestState").is_some_and(Value::is_number) {
            return answer(incoming, json!({"resultType": "complete", "content": []}));
        }
        Take::Pass
    }),
    twist("takes-any-contact", "the schema of one tool is not looked at").incoming(|_, incoming| {
        match at(incoming, "/params/name").and_then(Value::as_str) {
            Some("json_schema_2020_12_tool") => answer(incoming, json!({"content": []})),
            _ => Take::Pass,
        }
    }),
    twist("slow-contact", "deep arguments of one tool take very long").incoming(|_, incoming| {
        let arguments = at(incoming, "/params/arguments").map(Value::to_string).unwrap_or_default();
        if arguments.contains("{\"mcprove\":[{\"mcprove\":[") {
            std::thread::sleep(std::time::Duration::from_secs(4));
        }
        Take::Pass
    }),
    twist("silent-to-initialize", "`initialize` gets no answer").incoming(|_, incoming| {
        if incoming.method() == Some("initialize") { Take::Drop } else { Take::Pass }
    }),
    twist("unnamed-versions", "`initialize` is refused without a word about versions").incoming(
        |_, incoming| match incoming.method() {
            Some("initialize") => error(incoming, -32601),
            _ => Take::Pass,
        },
    ),
];

/// Whether a form is filled in as the harness does where nothing is to fit.
fn is_nonsense(content: &Value) -> bool {
    let odd =
        |value: &Value| *value == false || value.as_str().is_some_and(|text| text.starts_with("mcprove: no"));
    content.as_object().is_some_and(|fields| !fields.is_empty() && fields.values().all(odd))
}

fn at<'a>(incoming: &Incoming<'a>, pointer: &str) -> Option<&'a Value> {
    incoming.value?.pointer(pointer)
}

/// The message with a change.
fn changed(incoming: &Incoming<'_>, change: impl FnOnce(&mut Value)) -> Take {
    let Some(mut value) = incoming.value.cloned() else { return Take::Pass };
    change(&mut value);
    Take::Instead(value.to_string())
}

/// A call with a state that was never given gets the last one that was.
fn last_state_again(seen: &mut Seen, incoming: &Incoming<'_>) -> Take {
    let params = at(incoming, "/params");
    let member = |name: &str| params.and_then(|params| params.get(name)).cloned().unwrap_or_default();
    let call = json!([member("name"), member("arguments")]).to_string();
    let kept = seen.kept.get_or_insert_with(|| json!({"calls": {}, "states": {}, "issued": []}));
    if let (Some("tools/call"), Some(id)) = (incoming.method(), incoming.id()) {
        kept["calls"][id.to_string()] = json!(call);
    }
    let state = member("requestState");
    let is_ours = kept["issued"].as_array().is_some_and(|issued| issued.contains(&state));
    match kept["states"].get(&call).cloned() {
        Some(last) if state.is_string() && !is_ours => {
            changed(incoming, |value| value["params"]["requestState"] = last)
        }
        _ => Take::Pass,
    }
}

/// Keeps the states that are given, by the call that they are for.
fn keep_states(seen: &mut Seen, out: &Outgoing<'_>) -> Vec<u8> {
    if let (Some(state), Some(kept)) = (out.value.pointer("/result/requestState"), &mut seen.kept) {
        let call = kept["calls"][out.value["id"].to_string()].as_str().unwrap_or_default().to_owned();
        kept["states"][call] = state.clone();
        if let Some(issued) = kept["issued"].as_array_mut() {
            issued.push(state.clone());
        }
    }
    line(out.value)
}
