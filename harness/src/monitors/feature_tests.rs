//! Tests of the monitors of features: each rule is shown what it must find, and what it must leave alone.

use super::testing::{Script, Verdicts, modern};
use crate::protocol::Revision;
use crate::wire::Taint;
use serde_json::{Value, json};

const OLDEST: Revision = Revision::V2024_11_05;
const LEGACY: Revision = Revision::V2025_11_25;
const MODERN: Revision = Revision::V2026_07_28;

/// A conversation with a server that declares everything, one request and its result.
fn result_in(revision: Revision, method: &str, params: Value, result: Value) -> Verdicts {
    with_list(revision, None, method, params, result)
}

/// The same, tools listed before it.
fn with_list(
    revision: Revision,
    tools: Option<Value>,
    method: &str,
    params: Value,
    mut result: Value,
) -> Verdicts {
    let all = json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}});
    let mut script = Script::stdio(revision).handshake_with(all);
    let ask = |id: i64, method: &str, params: Value| match revision {
        MODERN => modern(id, method, params),
        _ => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}),
    };
    if let Some(tools) = tools {
        let mut listed = json!({"tools": tools});
        if revision == MODERN {
            complete(&mut listed);
        }
        script = script
            .sent(ask(5, "tools/list", json!({})))
            .received(json!({"jsonrpc": "2.0", "id": 5, "result": listed}));
    }
    if revision == MODERN {
        complete(&mut result);
    }
    script
        .sent(ask(7, method, params))
        .received(json!({"jsonrpc": "2.0", "id": 7, "result": result}))
        .verdicts()
}

/// What every complete result of 2026-07-28 carries.
fn complete(result: &mut Value) {
    for (name, value) in [
        ("resultType", json!("complete")),
        ("ttlMs", json!(1)),
        ("cacheScope", json!("public")),
        ("_meta", json!({"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}})),
    ] {
        if result.get(name).is_none() {
            result[name] = value;
        }
    }
}

fn tool(more: &Value) -> Value {
    let mut tool = json!({"name": "t", "inputSchema": {"type": "object"}});
    for (name, value) in more.as_object().into_iter().flatten() {
        tool[name] = value.clone();
    }
    tool
}

fn tools_in(revision: Revision, tools: Value) -> Verdicts {
    result_in(revision, "tools/list", json!({}), json!({"tools": tools}))
}

/// Fails unless exactly these rules are broken.
#[track_caller]
fn assert_broken(verdicts: &Verdicts, expected: &[&str]) {
    verdicts.assert_broken(expected);
}

#[test]
fn good_lists_hold() {
    for revision in [OLDEST, LEGACY, MODERN] {
        let verdicts = tools_in(revision, json!([tool(&json!({"description": "d"}))]));
        assert_broken(&verdicts, &[]);
        for id in [
            "tools.list.result-shape",
            "tools.definition.name",
            "tools.definition.input-schema-root",
            "tools.definition.description",
            "schema.messages.conform",
            "schema.optional.not-null",
        ] {
            verdicts.assert_held(id);
        }
        // There is none, so nothing is known of it.
        verdicts.assert_open("tools.definition.output-schema-valid");
    }
}

#[test]
fn one_violation_is_told_by_the_closest_row() {
    let cases = [
        (json!([{"inputSchema": {"type": "object"}}]), vec!["tools.definition.name"]),
        (json!([tool(&json!({"name": 7}))]), vec!["tools.definition.name"]),
        (json!([tool(&json!({"description": 1}))]), vec!["tools.definition.description"]),
        (json!([tool(&json!({"title": []}))]), vec!["tools.definition.title"]),
        (json!([tool(&json!({"inputSchema": {}}))]), vec!["tools.definition.input-schema-root"]),
        (
            json!([tool(&json!({"inputSchema": {"type": "object", "required": "a"}}))]),
            vec![
                "json-schema.valid",
                "tools.definition.input-schema-members",
                "tools.definition.input-schema-valid",
            ],
        ),
        (
            json!([tool(&json!({"inputSchema": null}))]),
            vec!["tools.definition.input-schema-not-null", "tools.definition.input-schema-root"],
        ),
        (
            json!([tool(&json!({"annotations": {"readOnlyHint": "yes"}}))]),
            vec!["tools.definition.annotations-types"],
        ),
        (
            json!([tool(&json!({"execution": {"taskSupport": "maybe"}}))]),
            vec!["tools.definition.task-support"],
        ),
        (json!([tool(&json!({"icons": [{"sizes": ["any"]}]}))]), vec!["content.icon.source-required"]),
        (json!({"t": {}}), vec!["tools.list.result-shape"]),
        (json!([tool(&json!({"_meta": 1}))]), vec!["meta.value-object"]),
    ];
    for (tools, expected) in cases {
        let verdicts = tools_in(LEGACY, tools.clone());
        assert_eq!(verdicts.broken(), expected, "{tools}");
    }
}

#[test]
fn null_for_an_absent_member_is_a_violation_of_its_own() {
    let verdicts = tools_in(LEGACY, json!([tool(&json!({"description": null, "annotations": null}))]));
    assert_broken(&verdicts, &["schema.optional.not-null"]);
    assert_eq!(verdicts.classes("schema.optional.not-null").len(), 2);
    // A required member that is null is missing, and more.
    let verdicts = tools_in(LEGACY, json!([tool(&json!({"name": null}))]));
    assert_broken(&verdicts, &["tools.definition.name"]);
}

#[test]
fn what_no_row_is_about_breaks_the_row_for_everything() {
    let call = |revision, content: Value| {
        result_in(revision, "resources/read", json!({"uri": "a:b"}), json!({"contents": [content]}))
    };
    let bad = json!({"uri": "a:b", "text": "x", "mimeType": 7});
    assert_broken(&call(LEGACY, bad), &["resources.read.result-shape"]);
    let verdicts = Script::stdio(LEGACY)
        .handshake()
        .received(json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {}}))
        .verdicts();
    assert!(
        verdicts.broken().contains(&"versioning.negotiated-version-respected"),
        "{:?}",
        verdicts.broken()
    );
}

#[test]
fn tainted_answers_are_left_alone() {
    let verdicts = Script::stdio(LEGACY)
        .handshake()
        .sent_tainted(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": 3}), Taint::Message)
        .received(json!({"jsonrpc": "2.0", "id": 7, "result": {"tools": 1}}))
        .verdicts();
    verdicts.assert_open("tools.list.result-shape");
}

#[test]
fn contents_of_a_later_revision_are_found() {
    let audio = json!({"content": [{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}]});
    let verdicts = result_in(OLDEST, "tools/call", json!({"name": "t"}), audio.clone());
    assert_broken(&verdicts, &["content.known-type"]);
    let verdicts = result_in(LEGACY, "tools/call", json!({"name": "t"}), audio);
    assert_broken(&verdicts, &[]);
    verdicts.assert_held("content.audio");
    verdicts.assert_open("content.image");
}

#[test]
fn media_and_embedded_resources() {
    let call =
        |block: Value| result_in(LEGACY, "tools/call", json!({"name": "t"}), json!({"content": [block]}));
    for (block, expected) in [
        (
            json!({"type": "image", "data": "data:image/png;base64,aGk=", "mimeType": "image/png"}),
            vec!["content.image"],
        ),
        (json!({"type": "image", "data": "aGk=", "mimeType": "png"}), vec!["content.image"]),
        (json!({"type": "image", "data": "aGk="}), vec!["content.image"]),
        (json!({"type": "audio", "data": "a-_", "mimeType": "audio/wav"}), vec!["content.audio"]),
        (json!({"type": "text"}), vec!["content.text"]),
        (json!({"type": "resource_link", "uri": "a:b"}), vec!["content.resource-link"]),
        (json!({"type": "resource_link", "uri": "nowhere", "name": "n"}), vec!["content.resource-link"]),
        (json!({"type": "resource", "resource": {"uri": "a:b"}}), vec!["content.embedded-resource"]),
        (
            json!({"type": "resource", "resource": {"uri": "a:b", "blob": "?"}}),
            vec!["content.embedded-resource"],
        ),
        (
            json!({"type": "text", "text": "x", "annotations": {"priority": 2}}),
            vec!["content.annotations.priority"],
        ),
        (
            json!({"type": "text", "text": "x", "annotations": {"audience": "user"}}),
            vec!["content.annotations.audience"],
        ),
        (
            json!({"type": "text", "text": "x", "annotations": {"lastModified": "soon"}}),
            vec!["content.annotations.last-modified"],
        ),
    ] {
        assert_eq!(call(block.clone()).broken(), expected, "{block}");
    }
    let image = json!({"messages": [{"role": "user", "content": {"type": "image", "data": "?", "mimeType": "image/png"}}]});
    let verdicts = result_in(LEGACY, "prompts/get", json!({"name": "p"}), image);
    assert_broken(&verdicts, &["content.image", "prompts.content.image-valid"]);
}

#[test]
fn prompts_and_completions() {
    let get = |messages: Value| {
        result_in(LEGACY, "prompts/get", json!({"name": "p"}), json!({"messages": messages}))
    };
    let text = json!({"type": "text", "text": "x"});
    assert_broken(&get(json!([{"role": "system", "content": text}])), &["prompts.get.role"]);
    assert_broken(&get(json!([{"role": "user", "content": [text]}])), &["prompts.get.single-content"]);
    assert_broken(&get(json!({})), &["prompts.get.result-shape"]);
    let embedded = json!({"type": "resource", "resource": {"uri": "a b", "text": "x"}});
    let verdicts = get(json!([{"role": "user", "content": embedded}]));
    assert_broken(&verdicts, &["prompts.content.resource-mime-type", "prompts.content.resource-uri"]);
    let complete = |completion: Value| {
        let params =
            json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}});
        result_in(LEGACY, "completion/complete", params, json!({"completion": completion}))
    };
    assert_broken(&complete(json!({"values": ["a"], "total": 1, "hasMore": false})), &[]);
    assert_broken(&complete(json!({"values": [1]})), &["completion.result.shape"]);
    let many = json!({"values": vec!["a"; 101]});
    assert_broken(&complete(many.clone()), &["completion.result.max-values"]);
    let params = json!({"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": ""}});
    let modern = result_in(MODERN, "completion/complete", params, json!({"completion": many}));
    assert_broken(&modern, &["completion.result.max-values"]);
    assert_broken(&complete(json!({"values": [], "hasMore": "no"})), &["completion.result.optional-types"]);
    assert_broken(
        &complete(json!({"values": ["a", "b"], "total": 1})),
        &["completion.result.totals-consistent"],
    );
    assert_broken(
        &complete(json!({"values": ["a"], "total": 5, "hasMore": false})),
        &["completion.result.totals-consistent"],
    );
}

#[test]
fn tool_names_and_schemas() {
    let verdicts = tools_in(LEGACY, json!([tool(&json!({"name": "a b"}))]));
    assert_broken(&verdicts, &["tools.definition.name-charset", "tools.definition.name-no-special"]);
    assert_broken(&tools_in(LEGACY, json!([tool(&json!({"name": ""}))])), &["tools.definition.name-length"]);
    let tuple = json!({"type": "object", "properties": {"a": {"items": [{"type": "string"}]}}});
    // draft-07 allows it, 2020-12 does not: only from 2025-11-25 on is it known which counts.
    let old = tools_in(Revision::V2025_06_18, json!([tool(&json!({"inputSchema": tuple}))]));
    old.assert_held("tools.definition.input-schema-valid");
    let new = tools_in(LEGACY, json!([tool(&json!({"inputSchema": tuple}))]));
    assert_broken(&new, &["json-schema.valid", "tools.definition.input-schema-valid"]);
    let other = json!({"$schema": "urn:mine", "type": "object"});
    tools_in(LEGACY, json!([tool(&json!({"inputSchema": other}))]))
        .assert_open("tools.definition.input-schema-valid");
    let output = json!({"type": "object", "properties": {"a": {"type": "text"}}});
    assert_broken(
        &tools_in(LEGACY, json!([tool(&json!({"outputSchema": output}))])),
        &["tools.definition.output-schema-valid"],
    );
}

#[test]
fn structured_content() {
    let told = json!([{"type": "text", "text": "one"}]);
    let output = json!({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]});
    let call = |result: Value| {
        let tools = json!([tool(&json!({"outputSchema": output}))]);
        with_list(LEGACY, Some(tools), "tools/call", json!({"name": "t"}), result)
    };
    call(json!({"content": told, "structuredContent": {"n": 1}})).assert_held("tools.structured.conforms");
    assert_broken(
        &call(json!({"content": told, "structuredContent": {"n": "1"}})),
        &["tools.structured.conforms"],
    );
    assert_broken(
        &call(json!({"content": [], "structuredContent": {"n": 1}})),
        &["tools.structured.text-copy"],
    );
    let text =
        |text: &str| json!({"content": [{"type": "text", "text": text}], "structuredContent": {"n": 1}});
    assert_broken(&call(text("{\"n\": 2}")), &["tools.structured.text-copy"]);
    for same in ["{\"n\": 1.0}", "{\"result\": 2}", "n is 2"] {
        assert_broken(&call(text(same)), &[]);
    }
    assert_broken(&call(json!({"content": []})), &["tools.structured.present"]);
    let failed = call(json!({"content": [], "isError": true}));
    assert_broken(&failed, &[]);
    failed.assert_open("tools.structured.present");
    let listed = with_list(
        LEGACY,
        None,
        "tools/call",
        json!({"name": "t"}),
        json!({"content": told, "structuredContent": [1]}),
    );
    assert_broken(&listed, &["tools.structured.object"]);
    let modern = with_list(
        MODERN,
        None,
        "tools/call",
        json!({"name": "t"}),
        json!({"content": told, "structuredContent": [1]}),
    );
    assert_broken(&modern, &[]);
}

#[test]
fn resource_uris_templates_and_contents() {
    let listed = |uri: &str| {
        let result = json!({"resources": [{"uri": uri, "name": "n"}]});
        result_in(LEGACY, "resources/list", json!({}), result)
    };
    listed("note://a").assert_held("resources.definition.uri");
    assert_broken(&listed("a/b"), &["resources.definition.uri"]);
    assert_broken(
        &listed("my_notes://a"),
        &["resources.definition.custom-scheme-valid", "resources.definition.uri"],
    );
    assert_broken(&listed("file:///a b"), &["resources.definition.uri"]);
    let template = json!({"resourceTemplates": [{"uriTemplate": "a://{b", "name": "n"}]});
    let verdicts = result_in(LEGACY, "resources/templates/list", json!({}), template);
    assert_broken(&verdicts, &["resources.templates.valid-uri-template"]);
    let read = |item: Value| {
        result_in(LEGACY, "resources/read", json!({"uri": "a://b"}), json!({"contents": [item]}))
    };
    read(json!({"uri": "a://b/c", "text": "x"})).assert_held("resources.read.content-uri-relates");
    for (item, expected) in [
        (json!({"uri": "z://other", "text": "x"}), vec!["resources.read.content-uri-relates"]),
        (json!({"uri": "a://b", "blob": "a\nb"}), vec!["resources.read.blob-base64"]),
        (json!({"uri": "a://b", "text": "x\u{0}y"}), vec!["resources.read.text-is-text"]),
        (json!({"uri": "a://b", "text": "x", "blob": "aGk="}), vec!["resources.read.text-or-blob"]),
        (json!({"uri": "a://b"}), vec!["resources.read.text-or-blob"]),
        (json!({"text": "x"}), vec!["resources.read.content-uri"]),
    ] {
        assert_eq!(read(item.clone()).broken(), expected, "{item}");
    }
}

#[test]
fn caching_hints_and_identity_of_modern_results() {
    let list = |more: Value| {
        let mut result = json!({"tools": []});
        complete(&mut result);
        for (name, value) in more.as_object().into_iter().flatten() {
            result[name] = value.clone();
            if value == "absent" {
                result.as_object_mut().map(|members| members.remove(name));
            }
        }
        let raw = Script::stdio(MODERN)
            .handshake()
            .sent(modern(7, "tools/list", json!({})))
            .received(json!({"jsonrpc": "2.0", "id": 7, "result": result}));
        raw.verdicts()
    };
    for (more, expected) in [
        (json!({}), vec![]),
        (json!({"ttlMs": "absent"}), vec!["caching.hints.tools-list"]),
        (json!({"cacheScope": "absent"}), vec!["caching.hints.tools-list"]),
        (json!({"ttlMs": -1}), vec!["caching.ttl.non-negative"]),
        (json!({"ttlMs": 1.5}), vec!["caching.ttl.integer"]),
        (json!({"cacheScope": "Public"}), vec!["caching.scope.value"]),
        (json!({"nextCursor": 7}), vec!["pagination.cursor.string"]),
        (json!({"_meta": {}}), vec!["identity.server-info-on-results"]),
        (
            json!({"_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s"}}}),
            vec!["identity.server-info-shape"],
        ),
    ] {
        assert_broken(&list(more.clone()), &expected);
    }
}

#[test]
fn metadata_keys() {
    let with = |revision, key: &str| tools_in(revision, json!([tool(&json!({"_meta": {key: {}}}))]));
    with(LEGACY, "com.example/a").assert_held("meta.key-name-syntax");
    assert_broken(&with(LEGACY, "_internal"), &["meta.key-name-syntax"]);
    assert_broken(&with(LEGACY, "a..b/c"), &["meta.key-prefix-syntax"]);
    assert_broken(&with(LEGACY, "a/b/c"), &["meta.key-prefix-syntax"]);
    assert_broken(&with(LEGACY, "dev.mcp/own"), &["meta.reserved-prefix-unused"]);
    assert_broken(&with(Revision::V2025_06_18, "mcp.dev/own"), &["meta.reserved-prefix-unused"]);
    assert_broken(&with(LEGACY, "mcp.dev/own"), &[]);
    assert_broken(&with(MODERN, "traceparent"), &["meta.trace-context.format"]);
}

#[test]
fn icons_and_websites() {
    let with = |icon: Value| tools_in(LEGACY, json!([tool(&json!({"icons": [icon]}))]));
    with(json!({"src": "https://example.com/i.png", "sizes": ["48x48"]}))
        .assert_held("content.icon.source-scheme");
    assert_broken(&with(json!({"src": "javascript:alert(1)"})), &["content.icon.source-scheme"]);
    assert_broken(
        &with(json!({"src": "https://e.example/i", "sizes": "48x48"})),
        &["content.icon.sizes-format"],
    );
    assert_broken(
        &with(json!({"src": "https://e.example/i", "sizes": ["big"]})),
        &["content.icon.sizes-format"],
    );
    assert_broken(
        &with(json!({"src": "https://e.example/i", "theme": "blue"})),
        &["content.icon.theme-value"],
    );
}

#[test]
fn nothing_undeclared_is_announced() {
    let announce = |capabilities: Value, method: &str| {
        let params = if method.ends_with("updated") { json!({"uri": "a:b"}) } else { json!({}) };
        Script::stdio(LEGACY)
            .handshake_with(capabilities)
            .received(json!({"jsonrpc": "2.0", "method": method, "params": params}))
            .verdicts()
    };
    let method = "notifications/tools/list_changed";
    assert_broken(&announce(json!({"tools": {}}), method), &["tools.list-changed.not-undeclared"]);
    let good = announce(json!({"tools": {"listChanged": true}}), method);
    good.assert_held("tools.list-changed.not-undeclared");
    let updated = "notifications/resources/updated";
    assert_broken(
        &announce(json!({"resources": {"subscribe": true}}), updated),
        &["resources.subscribe.updated-only-subscribed"],
    );
    assert_broken(
        &announce(json!({"resources": {}}), updated),
        &["resources.subscribe.updated-needs-capability", "resources.subscribe.updated-only-subscribed"],
    );
    assert_broken(&announce(json!({}), "notifications/mine"), &["schema.server-notifications.known"]);
}

#[test]
fn only_declared_client_features_are_asked_for() {
    let roots = json!({"jsonrpc": "2.0", "id": 9, "method": "roots/list"});
    let answer = json!({"jsonrpc": "2.0", "id": 9, "result": {"roots": []}});
    let declared = Script::stdio(LEGACY).handshake().received(roots.clone()).sent(answer).verdicts();
    declared.assert_held("capabilities.client.only-declared-used");
    let nothing = Script::stdio(LEGACY)
        .sent(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}))
        .received(json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {},
            "serverInfo": {"name": "s", "version": "1"}}}))
        .sent(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .received(roots.clone())
        .verdicts();
    assert_broken(&nothing, &["capabilities.client.only-declared-used", "roots.capability.required"]);
    let early = Script::stdio(LEGACY)
        .sent(json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "t", "version": "1"}}}))
        .received(json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {},
            "serverInfo": {"name": "s", "version": "1"}}}))
        .received(roots)
        .verdicts();
    assert_broken(&early, &["lifecycle.pre-init.no-server-requests"]);
    let asks = json!({"resultType": "input_required", "inputRequests": {
        "a": {"method": "elicitation/create", "params": {"mode": "form", "message": "?",
            "requestedSchema": {"type": "object", "properties": {}}}}}, "ttlMs": 1});
    let mut params = json!({"name": "t"});
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": {}});
    let verdicts = result_in(MODERN, "tools/call", params, asks);
    assert_broken(
        &verdicts,
        &[
            "caching.hints.not-on-input-required",
            "capabilities.client.only-declared-used",
            "elicitation.capability.required",
            "mrtr.result.respects-capabilities",
        ],
    );
}

#[test]
fn handshakes() {
    let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let answered = |answer: Value| {
        let mut message = json!({"jsonrpc": "2.0", "id": 1});
        message.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        Script::stdio(LEGACY).sent(ask.clone()).received(message).verdicts()
    };
    let good = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
    let held = answered(json!({"result": good}));
    held.assert_held("versioning.initialize.supported-version-echoed");
    held.assert_held("lifecycle.initialize.answered");
    let with = |name: &str, value: Value| {
        let mut result = good.clone();
        result[name] = value;
        answered(json!({"result": result}))
    };
    assert_broken(&with("protocolVersion", json!(1)), &["lifecycle.initialize.result-protocol-version"]);
    assert_broken(&with("protocolVersion", json!("1.0")), &["versioning.initialize.counter-offer"]);
    assert_broken(&with("capabilities", json!([])), &["identity.capabilities-object"]);
    assert_broken(&with("capabilities", json!({"tools": true})), &["capabilities.server.flag-types"]);
    assert_broken(&with("serverInfo", json!({"name": "s"})), &["identity.server-info-shape"]);
    assert_broken(
        &with("serverInfo", json!({"name": "s", "version": "1", "title": 7})),
        &["identity.server-info-title"],
    );
    assert_broken(
        &with("serverInfo", json!({"name": "s", "version": "1", "websiteUrl": "here"})),
        &["identity.server-info-extras"],
    );
    assert_broken(&with("instructions", json!(7)), &["identity.instructions-string"]);
    let error = |data: Value| answered(json!({"error": {"code": -32602, "message": "no", "data": data}}));
    assert_broken(&error(json!({})), &["lifecycle.initialize.answered"]);
    assert_broken(&error(json!({"supported": ["2024-11-05"]})), &[]);
    let silent = Script::stdio(LEGACY)
        .sent(ask.clone())
        .wait(std::time::Duration::from_secs(10))
        .received(json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}}))
        .verdicts();
    assert!(silent.broken().contains(&"lifecycle.initialize.answered"), "{:?}", silent.broken());
}

#[test]
fn discover_names_the_version_it_was_asked_under() {
    let discover = |result: Value| {
        Script::stdio(MODERN)
            .handshake()
            .sent(modern(7, "server/discover", json!({})))
            .received(json!({"jsonrpc": "2.0", "id": 7, "result": result}))
            .verdicts()
    };
    let with = |name: &str, value: Value| {
        let mut result = json!({"supportedVersions": ["2026-07-28"], "capabilities": {}});
        complete(&mut result);
        result[name] = value;
        discover(result)
    };
    let good = with("ttlMs", json!(5));
    assert_broken(&good, &[]);
    good.assert_held("discover.implemented");
    good.assert_held("discover.era-probe-answered");
    assert_broken(&with("supportedVersions", json!(["2025-11-25"])), &["discover.supported-versions"]);
    assert_broken(&with("supportedVersions", json!("2026-07-28")), &["discover.supported-versions"]);
    assert_broken(
        &with("capabilities", json!({"extensions": {"plain": {}}})),
        &["capabilities.extension.identifier-format"],
    );
    assert_broken(
        &with("capabilities", json!({"extensions": {"a.b/c": true}})),
        &["capabilities.extension.settings-object"],
    );
    let refused = Script::stdio(MODERN)
        .handshake()
        .sent(modern(7, "server/discover", json!({})))
        .received(json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no"}}))
        .verdicts();
    assert!(refused.broken().contains(&"discover.implemented"), "{:?}", refused.broken());
}
