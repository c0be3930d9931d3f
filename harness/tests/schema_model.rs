//! The model of the message types: against the published schemas where a copy is at hand, and by itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "schema_model/official.rs"]
mod official;
#[path = "schema_model/samples.rs"]
mod samples;

use std::collections::{BTreeMap, BTreeSet};

use mcprove::protocol::Revision;
use mcprove::protocol::schema::{
    Checked, Party, check_definition, check_error, check_notification, check_request, check_result,
    definitions, json_schema, methods,
};
use serde_json::{Value, json};

const LAST: Revision = Revision::V2026_07_28;

fn lines(checked: Checked) -> String {
    match checked {
        Checked::Valid => "valid".into(),
        Checked::UnknownMethod => "unknown method".into(),
        Checked::Invalid(violations) => violations
            .iter()
            .map(|v| format!("{}: {}: expected {}, found {}", v.definition, v.pointer, v.expected, v.actual))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[test]
fn every_schema_is_valid_and_compiles() {
    for revision in Revision::ALL {
        let schema = json_schema(revision);
        let (draft, keyword) = if revision <= Revision::V2025_06_18 {
            ("draft-07", "definitions")
        } else {
            ("2020-12", "$defs")
        };
        assert!(schema["$schema"].as_str().unwrap().contains(draft));
        jsonschema::meta::validate(&schema).unwrap();
        assert_eq!(schema[keyword].as_object().unwrap().len(), definitions(revision).count());
        for name in definitions(revision) {
            assert!(check_definition(revision, name, &json!(1)).is_some(), "{name}");
        }
        assert!(check_definition(revision, "NoSuchType", &json!(1)).is_none());
    }
}

#[test]
fn types_and_members_come_and_go_as_the_changelogs_say() {
    let has = |revision: Revision, name: &str| definitions(revision).any(|known| known == name);
    let lives = |name: &str| Revision::ALL.map(|revision| u8::from(has(revision, name)));
    for (name, expected) in [
        ("Tool", [1, 1, 1, 1, 1]),
        ("AudioContent", [0, 1, 1, 1, 1]),
        ("JSONRPCBatchRequest", [0, 1, 0, 0, 0]),
        ("ElicitRequest", [0, 0, 1, 1, 1]),
        ("Task", [0, 0, 0, 1, 0]),
        ("InitializeRequest", [1, 1, 1, 1, 0]),
        ("DiscoverRequest", [0, 0, 0, 0, 1]),
        ("CallToolRequestParams", [0, 0, 0, 1, 1]),
    ] {
        assert_eq!(lives(name), expected, "{name}");
    }
    // A definition that went away does not come back.
    let mut seen: BTreeMap<&str, Vec<Revision>> = BTreeMap::new();
    for revision in Revision::ALL {
        definitions(revision).for_each(|name| seen.entry(name).or_default().push(revision));
    }
    for (name, revisions) in seen {
        let steps = revisions.windows(2).filter(|pair| pair[1] as usize - pair[0] as usize != 1).count();
        assert_eq!(steps, 0, "{name} exists in {revisions:?}");
    }
    let members = |revision: Revision, name: &str| -> BTreeSet<String> {
        let schema = json_schema(revision);
        let keyword = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
        schema[keyword][name]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let tool = |revision| members(revision, "Tool");
    assert_eq!(tool(Revision::V2024_11_05), ["description", "inputSchema", "name"].map(String::from).into());
    for (member, expected) in [
        ("annotations", [0, 1, 1, 1, 1]),
        ("outputSchema", [0, 0, 1, 1, 1]),
        ("title", [0, 0, 1, 1, 1]),
        ("icons", [0, 0, 0, 1, 1]),
        ("execution", [0, 0, 0, 1, 0]),
    ] {
        assert_eq!(Revision::ALL.map(|r| u8::from(tool(r).contains(member))), expected, "{member}");
    }
}

#[test]
fn methods_belong_to_their_sender_and_revision() {
    let requests =
        |revision, side| methods(revision, side).requests.iter().map(|r| r.method).collect::<Vec<_>>();
    assert!(requests(LAST, Party::Server).is_empty());
    assert_eq!(
        requests(Revision::V2024_11_05, Party::Server),
        ["sampling/createMessage", "roots/list", "ping"]
    );
    let call = methods(LAST, Party::Client).request("tools/call").unwrap();
    assert_eq!(
        (call.definition, call.params, call.params_required),
        ("CallToolRequest", Some("CallToolRequestParams"), true)
    );
    assert_eq!(
        (call.result, call.other_results.as_slice()),
        ("CallToolResult", &["InputRequiredResult"][..])
    );
    let old = methods(Revision::V2025_06_18, Party::Client).request("tools/list").unwrap();
    assert_eq!((old.params, old.params_required, old.other_results.len()), (None, false, 0));
    for revision in Revision::ALL {
        for side in [Party::Client, Party::Server] {
            let methods = methods(revision, side);
            let known: BTreeSet<&str> = definitions(revision).collect();
            for request in &methods.requests {
                assert!(known.contains(request.definition) && known.contains(request.result), "{request:?}");
                assert!(request.other_results.iter().all(|name| known.contains(name)), "{request:?}");
            }
            let names: BTreeSet<&str> = methods.requests.iter().map(|r| r.method).collect();
            assert_eq!(names.len(), methods.requests.len());
            assert!(methods.notifications.iter().all(|n| known.contains(n.definition)));
        }
    }
    assert_eq!(check_request(LAST, Party::Server, &request("ping", json!({}))), Checked::UnknownMethod);
    assert_eq!(check_result(LAST, "initialize", &json!({})), Checked::UnknownMethod);
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

#[test]
fn a_result_is_checked_by_the_method_not_by_the_union() {
    let tasked = json!({"task": {"taskId": "a", "status": "working", "createdAt": "", "lastUpdatedAt": "", "ttl": null}});
    assert_eq!(check_result(Revision::V2025_11_25, "tools/call", &tasked), Checked::Valid);
    assert!(matches!(check_result(Revision::V2025_06_18, "tools/call", &tasked), Checked::Invalid(_)));
    assert!(matches!(check_result(Revision::V2025_11_25, "tools/list", &tasked), Checked::Invalid(_)));
    let asks = json!({"resultType": "input_required", "requestState": "s"});
    assert_eq!(check_result(LAST, "tools/call", &asks), Checked::Valid);
    assert!(matches!(check_result(LAST, "tools/list", &asks), Checked::Invalid(_)));
    let extension = json!({"resultType": "task", "taskId": "t"});
    assert_eq!(check_result(LAST, "tools/call", &extension), Checked::Valid);
    assert_eq!(check_result(Revision::V2025_03_26, "ping", &json!({"more": 1})), Checked::Valid);
}

#[test]
fn the_envelope_is_checked_in_every_revision() {
    for revision in Revision::ALL {
        let notice = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
        assert_eq!(check_notification(revision, Party::Server, &notice), Checked::Valid);
        let wrong = json!({"jsonrpc": "1.0", "method": "notifications/tools/list_changed"});
        assert!(
            matches!(check_notification(revision, Party::Server, &wrong), Checked::Invalid(_)),
            "{revision}"
        );
        let null_id = json!({"jsonrpc": "2.0", "id": null, "method": "tools/list"});
        assert!(
            matches!(check_request(revision, Party::Client, &null_id), Checked::Invalid(_)),
            "{revision}"
        );
        for id in [json!(1), json!("a"), Value::Null] {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32700, "message": "m"}});
            assert_eq!(check_error(revision, &error), Checked::Valid, "{revision}");
        }
        let fraction = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1.5, "message": "m"}});
        assert!(matches!(check_error(revision, &fraction), Checked::Invalid(_)), "{revision}");
    }
}

#[test]
fn violations_speak_of_the_branch_that_was_meant() {
    let content = json!({"resultType": "complete", "content": [
        {"type": "text", "text": 5},
        {"type": "resource", "resource": {"uri": "a:b", "blob": null}},
        {"type": "video", "data": ""},
        "text",
        {"type": "image", "data": "", "annotations": {"audience": ["nobody"], "priority": 2}},
    ], "isError": "no"});
    insta::assert_snapshot!("content", lines(check_result(LAST, "tools/call", &content)));

    let form = json!({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {"message": "m",
    "requestedSchema": {"type": "object", "properties": {
        "a": {"type": "string", "minLength": "1"},
        "b": {"type": "array", "items": {"type": "string"}},
        "c": {"type": "object"},
        "d": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }}}});
    insta::assert_snapshot!("form", lines(check_request(Revision::V2025_11_25, Party::Server, &form)));

    let asks = json!({"resultType": "input_required", "inputRequests": {
        "a": {"method": "elicitation/create", "params": {"mode": "url", "message": "m"}},
        "b": {"method": "tools/call"},
        "c": {"method": "sampling/createMessage", "params": {"messages": [{"role": "system", "content": []}]}},
    }});
    insta::assert_snapshot!("input_required", lines(check_result(LAST, "tools/call", &asks)));

    let old =
        json!({"jsonrpc": "2.0", "id": 1.5, "method": "tools/call", "params": {"arguments": [], "_meta": 1}});
    insta::assert_snapshot!("request", lines(check_request(Revision::V2024_11_05, Party::Client, &old)));

    let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32022, "message": "m", "data": {"supported": "x"}}});
    insta::assert_snapshot!("error", lines(check_error(LAST, &error)));
}

#[test]
fn hostile_values_give_short_answers() {
    let long = "k".repeat(100_000);
    let many =
        json!({"tools": vec![json!({long.clone(): 1, "name": long, "inputSchema": {"type": long}}); 1000]});
    let Checked::Invalid(violations) = check_result(Revision::V2025_06_18, "tools/list", &many) else {
        panic!()
    };
    assert_eq!(violations.len(), 20);
    assert!(violations.iter().all(|v| v.actual.len() + v.pointer.len() + v.expected.len() < 1000));
    // `json!` would copy the deep value by recursion.
    let mut deep = json!(1);
    for _ in 0..2000 {
        deep = Value::Object([("a".to_owned(), deep)].into_iter().collect());
    }
    let mut discovered = json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "public", "supportedVersions": [],
        "capabilities": {"experimental": {"x": {}}}});
    discovered["capabilities"]["experimental"]["x"] = deep;
    assert_eq!(check_result(LAST, "server/discover", &discovered), Checked::Valid);
    discovered["cacheScope"] = json!(1);
    assert!(matches!(check_result(LAST, "server/discover", &discovered), Checked::Invalid(_)));
}
