//! Monitors about what servers ask their client for: each holds for a good server, and finds what is wrong with another.

use super::testing::{Script, Verdicts, modern};
use crate::client::{MODEL_TEXT, mrtr};
use crate::protocol::Revision;
use crate::protocol::Revision::{V2025_06_18, V2025_11_25, V2026_07_28};
use serde_json::{Value, json};

/// A legacy server that asks this, by these methods and params.
fn asks(revision: Revision, questions: &[(&str, Value)]) -> Script {
    let mut script = Script::stdio(revision).handshake();
    for (at, (method, params)) in questions.iter().enumerate() {
        script = script
            .received(json!({"jsonrpc": "2.0", "id": format!("q{at}"), "method": method, "params": params}));
    }
    script
}

/// The result of a modern server that says its name.
fn named(mut result: Value) -> Value {
    result["_meta"] = json!({"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}});
    result
}

/// A modern server that demands this for a call.
fn demands(requests: Value) -> Script {
    let result = json!({"resultType": "input_required", "inputRequests": requests, "requestState": "s"});
    Script::stdio(V2026_07_28)
        .handshake()
        .sent(modern(7, "tools/call", json!({"name": "t", "arguments": {}})))
        .received(json!({"jsonrpc": "2.0", "id": 7, "result": named(result)}))
}

/// The same question in both eras.
fn in_both(method: &str, params: Value) -> [Verdicts; 2] {
    let legacy = asks(V2025_11_25, &[(method, params.clone())]).verdicts();
    [legacy, demands(json!({"q": {"method": method, "params": params}})).verdicts()]
}

fn form(properties: Value) -> Value {
    json!({"message": "?", "requestedSchema": {"type": "object", "properties": properties}})
}

fn page(id: &str, url: &str) -> Value {
    json!({"mode": "url", "message": "?", "url": url, "elicitationId": id})
}

#[test]
fn a_good_form_holds_in_both_eras() {
    let fields = json!({"name": {"type": "string", "format": "email", "default": "a@b.example"},
        "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}], "default": "s"}});
    let mut params = form(fields);
    params["requestedSchema"]["required"] = json!(["name"]);
    for verdicts in in_both("elicitation/create", params) {
        for id in [
            "elicitation.form.string-format",
            "elicitation.form.enum-form",
            "elicitation.form.enum-names-avoided",
            "elicitation.form.default-type",
            "elicitation.form.required-known",
            "elicitation.form.no-clickable-urls",
            "elicitation.sensitive.not-by-form",
            "elicitation.request.message",
            "elicitation.form.schema-present",
            "elicitation.form.flat-primitives",
        ] {
            verdicts.assert_held(id);
        }
        verdicts.assert_broken(&[]);
    }
}

#[test]
fn a_field_that_cannot_be_shown_is_found() {
    for (fields, id) in [
        (json!({"a": {"type": "string", "format": "password-ish"}}), "elicitation.form.string-format"),
        (json!({"a": {"type": "number", "default": "one"}}), "elicitation.form.default-type"),
        (json!({"a": {"type": "integer", "maximum": 5, "default": 9}}), "elicitation.form.default-type"),
        (json!({"a": {"type": "string", "oneOf": [{"const": "s"}]}}), "elicitation.form.enum-form"),
        (
            json!({"a": {"type": "string", "enum": ["s"], "enumNames": ["S"]}}),
            "elicitation.form.enum-names-avoided",
        ),
        (json!({"a": {"type": "object", "properties": {}}}), "elicitation.form.flat-primitives"),
    ] {
        for verdicts in in_both("elicitation/create", form(fields.clone())) {
            assert!(verdicts.broken().contains(&id), "{id} {fields}: {:?}", verdicts.broken());
        }
    }
    let mut params = form(json!({"a": {"type": "boolean"}}));
    params["requestedSchema"]["required"] = json!(["b"]);
    for verdicts in in_both("elicitation/create", params) {
        verdicts.assert_broken(&["elicitation.form.required-known"]);
    }
}

#[test]
fn the_first_forms_knew_less() {
    let fields = json!({"a": {"type": "string", "enum": ["s"], "enumNames": ["S"], "default": 5},
        "b": {"type": "boolean", "default": true}});
    let verdicts = asks(V2025_06_18, &[("elicitation/create", form(fields))]).verdicts();
    verdicts.assert_held("elicitation.form.enum-form");
    verdicts.assert_held("elicitation.form.default-type");
    verdicts.assert_open("elicitation.form.enum-names-avoided");
    let newer = json!({"a": {"type": "string", "oneOf": [{"const": "s", "title": "S"}]}});
    let verdicts = asks(V2025_06_18, &[("elicitation/create", form(newer))]).verdicts();
    verdicts.assert_broken(&["elicitation.form.enum-form"]);
}

#[test]
fn older_titles_are_borne_beside_newer_ones() {
    let fields = json!({"a": {"type": "string", "enum": ["s"], "enumNames": ["S"]},
        "b": {"type": "string", "oneOf": [{"const": "s", "title": "S"}]}});
    for verdicts in in_both("elicitation/create", form(fields)) {
        verdicts.assert_held("elicitation.form.enum-names-avoided");
    }
}

#[test]
fn secrets_and_links_in_forms_are_found() {
    for (name, field) in
        [("apiKey", json!({"type": "string"})), ("x", json!({"type": "string", "title": "Your password"}))]
    {
        for verdicts in in_both("elicitation/create", form(json!({name: field}))) {
            verdicts.assert_broken(&["elicitation.sensitive.by-url", "elicitation.sensitive.not-by-form"]);
        }
    }
    for name in ["maxTokens", "secretary", "tokenCount", "email"] {
        for verdicts in in_both("elicitation/create", form(json!({name: {"type": "string"}}))) {
            verdicts.assert_held("elicitation.sensitive.not-by-form");
        }
    }
    let linked = form(json!({"a": {"type": "string", "description": "see https://mcprove.test/x"}}));
    for verdicts in in_both("elicitation/create", linked) {
        verdicts.assert_broken(&["elicitation.form.no-clickable-urls"]);
    }
}

#[test]
fn pages_are_judged_by_their_urls() {
    let good =
        asks(V2025_11_25, &[("elicitation/create", page("1", "https://mcprove.example/x"))]).verdicts();
    for id in [
        "elicitation.url.valid",
        "elicitation.url.https",
        "elicitation.url.no-user-data",
        "elicitation.url.fields",
    ] {
        good.assert_held(id);
    }
    good.assert_held("elicitation.sensitive.by-url");
    for (url, id) in [
        ("mcprove.example/x", "elicitation.url.valid"),
        ("http://mcprove.example/x", "elicitation.url.https"),
        ("https://ada@mcprove.example/x", "elicitation.url.no-user-data"),
        ("https://mcprove.example/?user=ada%40mcprove.example", "elicitation.url.no-user-data"),
    ] {
        asks(V2025_11_25, &[("elicitation/create", page("1", url))]).verdicts().assert_broken(&[id]);
    }
    let local = asks(V2025_11_25, &[("elicitation/create", page("1", "http://127.0.0.1:8080/x"))]).verdicts();
    local.assert_held("elicitation.url.https");
}

#[test]
fn ids_of_pages_are_retired_in_the_newer_era() {
    let with = page("1", "https://mcprove.example/");
    let mut without = with.clone();
    without.as_object_mut().unwrap().remove("elicitationId");
    let question = |params: &Value| demands(json!({"q": {"method": "elicitation/create", "params": params}}));
    question(&without).verdicts().assert_held("elicitation.url.id-retired");
    question(&with).verdicts().assert_broken(&["elicitation.url.id-retired"]);
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete",
        "params": {"elicitationId": "1"}});
    let broken = question(&without).received(notice).verdicts();
    assert!(broken.broken().contains(&"elicitation.url.id-retired"));
}

fn complete(id: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": id}})
}

#[test]
fn notices_of_completion_fit_their_pages() {
    let url = "https://mcprove.example/x";
    let two = [("elicitation/create", page("1", url)), ("elicitation/create", page("2", url))];
    let good = asks(V2025_11_25, &two).received(complete("1")).verdicts();
    good.assert_held("elicitation.url.id-unique");
    good.assert_held("elicitation.complete.id");
    good.assert_held("elicitation.complete.initiator-only");
    // Over HTTP a notice can overtake its request.
    let early = Script::stdio(V2025_11_25).handshake().received(complete("1")).received(
        json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": page("1", url)}),
    );
    early.verdicts().assert_held("elicitation.complete.id");
    asks(V2025_11_25, &two).received(complete("3")).verdicts().assert_broken(&["elicitation.complete.id"]);
    let again = asks(V2025_11_25, &two[..1]).received(complete("1")).received(
        json!({"jsonrpc": "2.0", "id": "again", "method": "elicitation/create", "params": page("1", url)}),
    );
    again.verdicts().assert_broken(&["elicitation.url.id-unique"]);
    let one = asks(V2025_11_25, &two[..1]).verdicts();
    one.assert_open("elicitation.url.id-unique");
    one.assert_open("elicitation.complete.id");
}

fn refused(code: i64, data: &Value) -> Verdicts {
    Script::stdio(V2025_11_25)
        .handshake_with(json!({"tools": {}}))
        .sent(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "t"}}))
        .received(json!({"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": "no", "data": data}}))
        .verdicts()
}

#[test]
fn the_error_for_pages_lists_them() {
    let list = json!({"elicitations": [page("1", "https://mcprove.example/")]});
    let good = refused(-32042, &list);
    for id in ["code", "only-then", "list", "items", "client-mode"] {
        let id: &'static str = Box::leak(format!("elicitation.required-error.{id}").into_boxed_str());
        good.assert_held(id);
    }
    refused(-32000, &list).assert_broken(&["elicitation.required-error.code"]);
    refused(-32042, &json!({}))
        .assert_broken(&["elicitation.required-error.list", "elicitation.required-error.only-then"]);
    let form = json!({"elicitations": [{"mode": "form", "message": "?", "elicitationId": "1"}]});
    assert!(refused(-32042, &form).broken().contains(&"elicitation.required-error.items"));
    refused(-32602, &Value::Null).assert_held("elicitation.required-error.only-then");
}

#[test]
fn only_what_was_declared_is_asked_for() {
    let call = |capabilities: Value, params: Value| {
        let mut call = modern(7, "tools/call", json!({"name": "t", "arguments": {}}));
        call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        let result = json!({"resultType": "input_required", "inputRequests": {"q": params}});
        let script = Script::stdio(V2026_07_28).handshake().sent(call);
        script.received(json!({"jsonrpc": "2.0", "id": 7, "result": named(result)})).verdicts()
    };
    let elicit = json!({"method": "elicitation/create", "params": form(json!({"a": {"type": "boolean"}}))});
    let mut visit = json!({"method": "elicitation/create", "params": page("1", "https://mcprove.example/")});
    visit["params"].as_object_mut().unwrap().remove("elicitationId");
    let sample = json!({"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}});
    let mut tools = sample.clone();
    tools["params"]["tools"] = json!([]);
    let roots = json!({"method": "roots/list"});
    let all = json!({"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}});
    for question in [&elicit, &visit, &sample, &tools, &roots] {
        call(all.clone(), question.clone()).assert_broken(&[]);
    }
    const CARRIER: &str = "capabilities.client.only-declared-used";
    const SHARED: &str = "mrtr.result.respects-capabilities";
    call(json!({}), elicit.clone()).assert_broken(&[CARRIER, "elicitation.capability.required", SHARED]);
    call(json!({}), roots).assert_broken(&[CARRIER, SHARED, "roots.capability.required"]);
    call(json!({}), sample).assert_broken(&[CARRIER, SHARED, "sampling.capability.required"]);
    call(json!({"elicitation": {}}), visit).assert_broken(&["elicitation.mode.declared-only"]);
    call(json!({"elicitation": {"url": {}}}), elicit).assert_broken(&["elicitation.mode.declared-only"]);
    call(json!({"sampling": {}}), tools).assert_broken(&["sampling.tools.capability"]);
}

fn sampled(messages: Value) -> [Verdicts; 2] {
    let tool = json!({"name": "w", "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]}});
    in_both("sampling/createMessage", json!({"messages": messages, "maxTokens": 9, "tools": [tool]}))
}

fn used(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "w", "input": {}})
}

fn result(id: &str, structured: Value) -> Value {
    json!({"type": "tool_result", "toolUseId": id, "content": [], "structuredContent": structured})
}

#[test]
fn uses_of_tools_and_their_results_balance() {
    let said = |role: &str, content: Value| json!({"role": role, "content": content});
    let question = said("user", json!({"type": "text", "text": "?"}));
    let uses = said("assistant", json!([used("1"), used("2")]));
    let good = json!([
        question,
        uses,
        said("user", json!([result("2", json!({"t": 1})), result("1", json!({"t": 2}))]))
    ]);
    for verdicts in sampled(good) {
        for id in ["alone", "balance", "ids", "roles", "structured"] {
            let id: &'static str = Box::leak(format!("sampling.tool-result.{id}").into_boxed_str());
            verdicts.assert_held(id);
        }
        verdicts.assert_broken(&[]);
    }
    let one = said("assistant", json!([used("1")]));
    let fine = json!({"t": 1});
    for (messages, id) in [
        (json!([uses, said("user", json!([result("1", fine.clone())]))]), "sampling.tool-result.balance"),
        (json!([one, question]), "sampling.tool-result.balance"),
        (json!([one]), "sampling.tool-result.balance"),
        (
            json!([one, said("user", json!([result("1", fine.clone()), {"type": "text", "text": "!"}]))]),
            "sampling.tool-result.alone",
        ),
        (json!([one, said("assistant", json!([result("1", fine.clone())]))]), "sampling.tool-result.roles"),
        (
            json!([one, said("user", json!([result("1", json!({"t": "x"}))]))]),
            "sampling.tool-result.structured",
        ),
    ] {
        for verdicts in sampled(messages.clone()) {
            verdicts.assert_broken(&[id]);
        }
    }
    for verdicts in sampled(json!([said("user", json!([result("9", fine.clone())]))])) {
        verdicts.assert_broken(&["sampling.tool-result.ids"]);
    }
}

#[test]
fn media_and_context_of_sampling_are_judged() {
    let ask = |data: &str, context: &str| {
        let image = json!({"type": "image", "data": data, "mimeType": "image/png"});
        let messages = json!([{"role": "user", "content": image}]);
        in_both(
            "sampling/createMessage",
            json!({"messages": messages, "maxTokens": 9, "includeContext": context}),
        )
    };
    for verdicts in ask("AAAA", "none") {
        verdicts.assert_held("sampling.message.base64");
        verdicts.assert_held("sampling.include-context.avoided");
        verdicts.assert_held("sampling.include-context.value");
        verdicts.assert_broken(&[]);
    }
    for verdicts in ask("not base64", "thisServer") {
        verdicts.assert_broken(&[
            "sampling.include-context.avoided",
            "sampling.include-context.capability",
            "sampling.message.base64",
        ]);
    }
    for verdicts in ask("AAAA", "everything") {
        assert!(verdicts.broken().contains(&"sampling.include-context.value"), "{:?}", verdicts.broken());
    }
}

#[test]
fn a_demand_has_the_rows_of_its_questions() {
    let verdicts = demands(json!({"q": {"method": "elicitation/create", "params": {"message": 7,
        "requestedSchema": {"type": "object", "properties": {}}}}}))
    .verdicts();
    verdicts.assert_broken(&["elicitation.request.message", "mrtr.result.request-shape"]);
}

/// A retry of a call with good answers, answered by this.
fn retried(answer: &Value) -> Verdicts {
    let questions = json!({"who": {"method": "elicitation/create", "params": form(json!({"a": {"type": "boolean"}}))},
        "page": {"method": "elicitation/create",
            "params": {"mode": "url", "message": "?", "url": "https://mcprove.example/"}},
        "say": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}});
    let result = json!({"inputRequests": questions, "requestState": "s"});
    let params = mrtr::retry(&json!({"name": "t", "arguments": {}}), &result);
    let mut response = json!({"jsonrpc": "2.0", "id": 8});
    response.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
    if let Some(result) = response.get_mut("result") {
        *result = named(result.take());
    }
    demands(questions).sent(modern(8, "tools/call", params)).received(response).verdicts()
}

#[test]
fn retries_are_served() {
    let good = retried(&json!({"result": {"resultType": "complete", "content": []}}));
    for id in [
        "mrtr.retry.completes",
        "mrtr.retry.final-result-complete",
        "compat.deprecated-features-functional",
        "elicitation.url.accept-is-not-completion",
        "elicitation.oauth.no-transit",
        "mrtr.result.not-an-error",
        "mrtr.result.ends-request",
        "mrtr.result.requests-or-state",
        "mrtr.result.keys-unique",
        "mrtr.only-way-to-ask",
    ] {
        good.assert_held(id);
    }
    let refused = retried(&json!({"error": {"code": -32602, "message": "no"}}));
    refused.assert_broken(&[
        "compat.deprecated-features-functional",
        "elicitation.url.accept-is-not-completion",
        "mrtr.retry.completes",
    ]);
    let untyped = retried(&json!({"result": {"content": []}}));
    assert!(untyped.broken().contains(&"mrtr.retry.final-result-complete"));
    let token = format!("ghp_{}", "a1".repeat(18));
    let leaking = json!({"resultType": "complete", "content": [{"type": "text", "text": token}]});
    retried(&json!({"result": leaking})).assert_broken(&["elicitation.oauth.no-transit"]);
}

#[test]
fn who_declines_may_be_refused() {
    let mut call = modern(8, "tools/call", json!({"name": "t", "arguments": {}}));
    call["params"]["inputResponses"] = json!({"q": {"action": "decline"}});
    let refusal = json!({"jsonrpc": "2.0", "id": 8, "error": {"code": -32602, "message": "no"}});
    let roots = demands(json!({"q": {"method": "roots/list"}}));
    roots.sent(call).received(refusal).verdicts().assert_open("mrtr.retry.completes");
}

#[test]
fn demands_are_whole_and_where_they_may_be() {
    let answered = |method: &str, params: Value, response: &str| {
        let script = Script::stdio(V2026_07_28).handshake().sent(modern(7, method, params));
        script.received_bytes(response.as_bytes()).verdicts()
    };
    let call = || json!({"name": "t", "arguments": {}});
    let result = |body: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"resultType":"input_required"{body}}}}}"#)
    };
    let neither = answered("tools/call", call(), &result(""));
    assert!(neither.broken().contains(&"mrtr.result.requests-or-state"));
    let empty = answered("tools/call", call(), &result(r#","inputRequests":{}"#));
    assert_eq!(empty.classes("mrtr.result.requests-or-state"), ["empty"]);
    let twice = r#","inputRequests":{"a":{"method":"roots/list"},"a":{"method":"roots/list"}}"#;
    assert!(answered("tools/call", call(), &result(twice)).broken().contains(&"mrtr.result.keys-unique"));
    let elsewhere = answered("tools/list", json!({}), &result(r#","requestState":"s""#));
    assert!(elsewhere.broken().contains(&"mrtr.supported-methods-only"));
    let error =
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"?","data":{"inputRequests":{}}}}"#;
    assert!(answered("tools/call", call(), error).broken().contains(&"mrtr.result.not-an-error"));
    let more = demands(json!({"q": {"method": "roots/list"}}))
        .received(json!({"jsonrpc": "2.0", "id": 7, "result": {"resultType": "complete", "content": []}}));
    assert!(more.verdicts().broken().contains(&"mrtr.result.ends-request"));
    let own = Script::stdio(V2026_07_28)
        .handshake()
        .received(json!({"jsonrpc": "2.0", "id": 1, "method": "roots/list"}));
    assert!(own.verdicts().broken().contains(&"mrtr.only-way-to-ask"));
}

#[test]
fn what_the_model_said_is_not_kept() {
    let spoke = |later: &str| {
        let call = |id: i64| modern(id, "tools/call", json!({"name": "t", "arguments": {}}));
        let question = |text: &str| {
            let content = json!({"type": "text", "text": text});
            json!({"say": {"method": "sampling/createMessage",
                "params": {"messages": [{"role": "user", "content": content}], "maxTokens": 1}}})
        };
        let demand = |id: i64, text: &str| {
            json!({"jsonrpc": "2.0", "id": id,
                "result": named(json!({"resultType": "input_required", "inputRequests": question(text)}))})
        };
        let mut retry = call(8);
        retry["params"] = mrtr::retry(&call(7)["params"], &json!({"inputRequests": question("?")}));
        Script::stdio(V2026_07_28)
            .handshake()
            .sent(call(7))
            .received(demand(7, "?"))
            .sent(retry)
            .received(json!({"jsonrpc": "2.0", "id": 8,
                "result": named(json!({"resultType": "complete", "content": []}))}))
            .sent(call(9))
            .received(demand(9, later))
            .verdicts()
    };
    spoke("Another question").assert_held("sampling.not-retained");
    spoke(&format!("You said: {MODEL_TEXT}")).assert_broken(&["sampling.not-retained"]);
}

#[test]
fn a_schema_that_refers_elsewhere_is_found() {
    let listed = |schema: Value| {
        Script::stdio(V2026_07_28)
            .handshake_with(json!({"tools": {}}))
            .sent(modern(7, "tools/list", json!({})))
            .received(json!({"jsonrpc": "2.0", "id": 7, "result": {"resultType": "complete", "ttlMs": 1,
                "cacheScope": "public", "tools": [{"name": "t", "inputSchema": schema}]}}))
            .verdicts()
    };
    const ID: &str = "json-schema.ref.unresolved-refused";
    let with = |target: &str| json!({"type": "object", "$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": target}}});
    listed(with("#/$defs/a")).assert_held(ID);
    assert!(listed(with("#/$defs/b")).broken().contains(&ID));
    listed(json!({"type": "object"})).assert_open(ID);
}
