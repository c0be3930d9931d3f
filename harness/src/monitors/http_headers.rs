//! The MCP headers of HTTP requests, and the annotations of tools that ask for more of them (2026-07-28,
//! basic/transports/streamable-http#schema-extension).

use super::http::exchange;
use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment};
use crate::client::headers::is_token;
use crate::protocol::{Era, Revision, Transport};
use crate::wire::{Event, header};
use serde_json::Value;
use std::collections::HashMap;

/// The deepest schema, and the most annotations of one tool, that are looked at.
const DEPTH: u32 = 64;
const ANNOTATIONS: usize = 1000;
/// The largest integer that every JSON reader keeps exact.
const SAFE: f64 = 9_007_199_254_740_991.0;

monitors! {
    /// After initialization every request names the agreed version in `MCP-Protocol-Version`; the server accepts it on
    /// POST, GET and DELETE. A 400 that complains of the version shuts out every client that obeys.
    negotiated_version_is_accepted (WhileWeObey) decides ["http-headers.version.negotiated-accepted"];
    /// Only `tools/call`, `resources/read` and `prompts/get` need `Mcp-Name`; other methods work without it.
    other_methods_need_no_name (WhileWeObey) decides ["http-headers.name.not-needed-elsewhere"];
    /// Each `x-mcp-header` in a tool's input schema is a non-empty token without control characters, unique in its
    /// schema whatever the case, on an integer, string or boolean property that is reached through `properties`
    /// alone, with integers that stay exact, and not on a secret. Clients have to drop a tool with any other.
    header_annotations_are_valid (AnyTraffic) decides [
        "http-headers.annotation.not-empty", "http-headers.annotation.token",
        "http-headers.annotation.no-control-characters", "http-headers.annotation.unique",
        "http-headers.annotation.primitive-only", "http-headers.annotation.safe-integers",
        "http-headers.annotation.statically-reachable", "http-headers.annotation.not-sensitive",
    ];
}

fn negotiated_version_is_accepted(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-headers.version.negotiated-accepted";
    let Some(exchange) = exchange(moment) else { return };
    let (Some(Era::Legacy), Some(revision)) = (moment.state.era(), moment.state.revision) else { return };
    if header(&exchange.request_headers, "mcp-protocol-version") != Some(revision.as_str()) {
        return;
    }
    let status = exchange.status.unwrap_or_default();
    match &moment.record.event {
        Event::ResponseHead { .. } if status < 300 => judge.held(ID),
        Event::Received { payload, .. } if status == 400 => {
            let text = String::from_utf8_lossy(payload.bytes()).to_ascii_lowercase();
            if text.contains("protocol-version") || text.contains("protocol version") {
                judge.broke(
                    ID,
                    Breach::new("refused", "the version that was agreed on was refused in the header")
                        .expected(&["the request is served"])
                        .actual(format!("HTTP {status} that complains of the version"))
                        .at(moment.record)
                        .sent(exchange.seq),
                );
            }
        }
        _ => {}
    }
}

fn other_methods_need_no_name(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "http-headers.name.not-needed-elsewhere";
    let Some(Heard { message, answers: Some(asked), exchange: Some(exchange), .. }) = moment.message else {
        return;
    };
    let method = asked.method.as_str();
    if moment.state.era() != Some(Era::Modern)
        || moment.state.transport() != Transport::Http
        || matches!(method, "tools/call" | "resources/read" | "prompts/get")
        || method.starts_with("tasks/")
        || header(&exchange.request_headers, "mcp-name").is_some()
    {
        return;
    }
    if message.result().is_some() {
        judge.held(ID);
    } else if message.error_code() == Some(-32020) && asked.deliberate.is_none() {
        judge.broke(
            ID,
            Breach::new(
                "refused",
                format!("`{method}` was refused for its headers, which lack only Mcp-Name"),
            )
            .expected(&["the request is served"])
            .actual("error -32020")
            .at(moment.record)
            .pointer("/error/code")
            .sent(asked.seq),
        );
    }
}

/// An `x-mcp-header` and where it stands.
struct Annotation<'a> {
    pointer: String,
    property: String,
    schema: &'a Value,
    value: &'a Value,
    reachable: bool,
}

fn header_annotations_are_valid(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    if asked.method != "tools/list" || moment.state.rules() != Some(Revision::V2026_07_28) {
        return;
    }
    let tools = message.result().and_then(|result| result.get("tools")).and_then(Value::as_array);
    let Some(tools) = tools else { return };
    let mut any = false;
    for (index, tool) in tools.iter().enumerate() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(schema) = tool.get("inputSchema") else { continue };
        let mut annotations = Vec::new();
        let place = (format!("/result/tools/{index}/inputSchema"), String::new());
        collect(schema, place, (true, false), DEPTH, &mut annotations);
        let mut names: HashMap<String, u32> = HashMap::new();
        for annotation in &annotations {
            any = true;
            if let Some(value) = annotation.value.as_str() {
                *names.entry(value.to_ascii_lowercase()).or_default() += 1;
            }
            judge_annotation(annotation, moment, judge, (asked.seq, name));
        }
        for (_, count) in names {
            judge.decide("http-headers.annotation.unique", count == 1, || {
                Breach::new("twice", format!("tool `{name}` mirrors two arguments in one header"))
                    .expected(&[
                        "an `x-mcp-header` that no other property of the schema has, whatever the case",
                    ])
                    .actual(format!("the same one on {count} properties"))
                    .at(moment.record)
                    .sent(asked.seq)
            });
        }
    }
    if !any {
        for id in ANNOTATION_ROWS {
            judge.not_applicable(id, "no-annotation", "no tool of the server has an `x-mcp-header`");
        }
    }
}

const ANNOTATION_ROWS: [&str; 8] = [
    "http-headers.annotation.not-empty",
    "http-headers.annotation.token",
    "http-headers.annotation.no-control-characters",
    "http-headers.annotation.unique",
    "http-headers.annotation.primitive-only",
    "http-headers.annotation.safe-integers",
    "http-headers.annotation.statically-reachable",
    "http-headers.annotation.not-sensitive",
];

fn judge_annotation(
    annotation: &Annotation<'_>,
    moment: &Moment<'_>,
    judge: &mut Judge,
    (sent, tool): (u64, &str),
) {
    let Annotation { pointer, property, schema, value, reachable } = annotation;
    let breach = |class: &str, what: &str, expected: &str, actual: String| {
        Breach::new(class, format!("`x-mcp-header` of tool `{tool}` {what}"))
            .expected(&[expected])
            .actual(actual)
            .at(moment.record)
            .pointer(format!("{pointer}/x-mcp-header"))
            .sent(sent)
    };
    let text = value.as_str();
    let empty = text == Some("");
    judge.decide("http-headers.annotation.not-empty", !empty, || {
        breach("empty", "is empty", "a header name", "an empty string".to_owned())
    });
    let control = text.is_some_and(|text| text.chars().any(char::is_control));
    judge.decide("http-headers.annotation.no-control-characters", !control, || {
        let lines = text.is_some_and(|text| text.contains(['\r', '\n']));
        let class = if lines { "line-break" } else { "control" };
        breach(class, "has control characters", "visible ASCII characters", value.to_string())
    });
    if !empty && !control {
        judge.decide("http-headers.annotation.token", text.is_some_and(is_token), || {
            breach("no-token", "is no token", "an RFC 9110 token", value.to_string())
        });
    }
    judge.decide("http-headers.annotation.statically-reachable", *reachable, || {
        let what = "stands on a schema that is not reached through `properties` alone";
        breach("unreachable", what, "a property reached from the root by `properties`", pointer.clone())
    });
    if !reachable {
        return;
    }
    let kind = schema.get("type");
    match kind.and_then(Value::as_str) {
        Some("integer" | "string" | "boolean") => judge.held("http-headers.annotation.primitive-only"),
        single => {
            let actual = kind.map_or("no type".to_owned(), |kind| format!("type {kind}"));
            let what = "stands on a property of another type";
            let mut breach = breach("type", what, "type integer, string or boolean", actual);
            if single.is_none() {
                "ambiguous-type".clone_into(&mut breach.class);
                breach = breach.quality();
            }
            judge.broke("http-headers.annotation.primitive-only", breach);
        }
    }
    if kind.and_then(Value::as_str) == Some("integer") {
        let unsafe_bound = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const", "default"]
            .into_iter()
            .filter_map(|keyword| schema.get(keyword))
            .chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten())
            .find(|bound| bound.as_f64().is_some_and(|bound| bound.abs() > SAFE));
        judge.decide("http-headers.annotation.safe-integers", unsafe_bound.is_none(), || {
            let actual = unsafe_bound.map(ToString::to_string).unwrap_or_default();
            let what = "stands on an integer beyond the exact range";
            breach("unsafe", what, "integers from -(2^53-1) to 2^53-1", actual)
        });
    } else {
        judge.held("http-headers.annotation.safe-integers");
    }
    judge.decide("http-headers.annotation.not-sensitive", !looks_secret(property, schema), || {
        let what = "stands on what looks like a secret";
        breach("secret", what, "no secret in a header", format!("property `{property}`"))
    });
}

fn looks_secret(property: &str, schema: &Value) -> bool {
    let plain: String =
        property.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let words = ["password", "passwd", "secret", "apikey", "accesstoken", "authtoken", "privatekey", "ssn"];
    words.iter().any(|word| if *word == "ssn" { plain == *word } else { plain.contains(word) })
        || plain == "token"
        || schema.get("format").and_then(Value::as_str) == Some("password")
}

/// Finds the annotations of a schema: `at` is the JSON pointer and the name of the property, `reachable` whether only
/// `properties` led here, and whether this is a property.
fn collect<'a>(
    schema: &'a Value,
    at: (String, String),
    (reachable, is_property): (bool, bool),
    depth: u32,
    found: &mut Vec<Annotation<'a>>,
) {
    let (pointer, property) = at;
    let Some(members) = schema.as_object() else { return };
    if found.len() >= ANNOTATIONS {
        return;
    }
    if let Some(value) = members.get("x-mcp-header") {
        found.push(Annotation {
            pointer: pointer.clone(),
            property: property.clone(),
            schema,
            value,
            reachable: reachable && is_property,
        });
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for (keyword, value) in members {
        let place = format!("{pointer}/{}", escape(keyword));
        match keyword.as_str() {
            "properties" => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    let at = (format!("{place}/{}", escape(name)), name.clone());
                    collect(property, at, (reachable, true), depth, found);
                }
            }
            "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    let at = (format!("{place}/{}", escape(name)), name.clone());
                    collect(inner, at, (false, true), depth, found);
                }
            }
            "items" | "prefixItems" | "allOf" | "anyOf" | "oneOf" => match value {
                Value::Array(list) => {
                    for (index, inner) in list.iter().enumerate() {
                        let at = (format!("{place}/{index}"), property.clone());
                        collect(inner, at, (false, true), depth, found);
                    }
                }
                inner => collect(inner, (place, property.clone()), (false, true), depth, found),
            },
            "additionalProperties"
            | "unevaluatedProperties"
            | "additionalItems"
            | "unevaluatedItems"
            | "contains"
            | "propertyNames"
            | "not"
            | "if"
            | "then"
            | "else" => {
                collect(value, (place, property.clone()), (false, true), depth, found);
            }
            _ => {}
        }
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
