//! Arguments of tool calls that are repeated in `Mcp-Param-*` headers, under test (2026-07-28,
//! basic/transports/streamable-http#server-behavior-for-custom-headers).

use super::call::{Call, tool_calls};
use super::http_headers::{Reaction, accepted, invalid, reaction, refused};
use super::probe::{Stage, breach, probes};
use crate::client::{HttpEdits, Outgoing, headers};
use crate::generate::ValueGenerator;
use crate::wire::Taint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

probes! {
    /// Calls a tool that has `x-mcp-header` annotations and may be called: with all headers right, plain and in base64
    /// form; with one that differs, if only in case or by blanks around it (in base64 form, where they count), is missing,
    /// is no base64 although it says so, has no argument to repeat, has invalid characters (a text beyond ASCII as it is,
    /// too), or writes an integer or a boolean otherwise; and with the argument null or absent. What differs is refused with 400 and
    /// -32020 before the tool runs: gateways decide by these headers.
    param_headers_are_compared (Breaking, Modern, Http) decides [
        "http-headers.param.match-accepted", "http-headers.param.mismatch-refused",
        "http-headers.param.missing-refused", "http-headers.param.null-needs-no-header",
        "http-headers.param.absent-needs-no-header", "http-headers.param.header-without-argument-refused",
        "http-headers.param.invalid-characters-refused", "http-headers.param.integer-numeric-compare",
        "http-headers.param.boolean-lowercase", "http-headers.value.base64-malformed-refused",
    ];
}

const ROWS: [&str; 9] = [
    "http-headers.param.match-accepted",
    "http-headers.param.mismatch-refused",
    "http-headers.param.missing-refused",
    "http-headers.param.null-needs-no-header",
    "http-headers.param.absent-needs-no-header",
    "http-headers.param.header-without-argument-refused",
    "http-headers.param.invalid-characters-refused",
    "http-headers.param.integer-numeric-compare",
    "http-headers.param.boolean-lowercase",
];

const MALFORMED: &str = "http-headers.value.base64-malformed-refused";
/// A text that clients have to repeat in base64 form.
const BEYOND_ASCII: &str = "mcprove \u{e9}\u{4e16}";

/// An argument with an annotation.
#[derive(Debug, Clone)]
struct Annotated {
    /// The names that lead to it.
    path: Vec<String>,
    /// The suffix of its header.
    header: String,
    /// A value that fits it.
    value: Value,
    /// Whether it may be left out.
    optional: bool,
}

/// The annotated arguments of a schema, with a plain value for each.
fn annotated(schema: &Value, path: &[String], optional: bool, found: &mut Vec<Annotated>) {
    let required = schema.get("required").and_then(Value::as_array);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let own = required.is_some_and(|list| list.iter().any(|other| other.as_str() == Some(name)));
        let optional = optional || !own;
        let path: Vec<String> = path.iter().chain([name]).cloned().collect();
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str)
            && let Some(value) = plain_value(property)
        {
            found.push(Annotated { path: path.clone(), header: header.to_owned(), value, optional });
        }
        if path.len() < 16 && found.len() < 64 {
            annotated(property, &path, optional, found);
        }
    }
}

fn plain_value(property: &Value) -> Option<Value> {
    let listed = property.get("enum").and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = property.get("const").or(listed).or(property.get("default")) {
        return (value.is_string() || value.is_i64() || value.is_boolean()).then(|| value.clone());
    }
    match property.get("type")?.as_str()? {
        "string" => Some(json!("mcprove")),
        "boolean" => Some(json!(true)),
        "integer" => {
            Some(property.get("minimum").filter(|value| value.is_i64()).cloned().unwrap_or(json!(42)))
        }
        _ => None,
    }
}

fn set_at(arguments: &mut Value, path: &[String], value: Value) {
    let mut place = arguments;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name.as_str()];
    }
    *place = value;
}

fn remove_at(arguments: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(arguments, |place, name| place.get_mut(name));
    if let Some(Value::Object(members)) = parent {
        members.remove(last);
    }
}

/// A call with all its annotated arguments.
struct Annotation {
    call: Call,
    arguments: Value,
    all: Vec<Annotated>,
}

impl Annotation {
    /// The call with other arguments; its headers repeat `mirrored`.
    fn compose(&self, stage: &mut Stage<'_>, arguments: &Value, mirrored: &Value) -> Outgoing {
        let mut outgoing =
            stage.talk.compose("tools/call", json!({"name": self.call.name, "arguments": arguments}));
        let schema = self.call.schema.as_ref().unwrap_or(&Value::Null);
        outgoing.mirrored = headers::mirrored_arguments(schema, mirrored);
        outgoing
    }

    /// The call with all arguments, and one header set otherwise.
    fn with_header(&self, stage: &mut Stage<'_>, annotated: &Annotated, value: &str) -> Outgoing {
        let edits = HttpEdits::default().set(&format!("Mcp-Param-{}", annotated.header), value);
        self.compose(stage, &self.arguments, &self.arguments).http(edits)
    }

    /// The first annotated argument with a value of a kind.
    fn first(&self, kind: fn(&Value) -> bool) -> Option<&Annotated> {
        self.all.iter().find(|annotated| kind(&annotated.value))
    }
}

/// The tool with the most annotated arguments, the first of several.
async fn annotation(stage: &mut Stage<'_>) -> Option<Annotation> {
    let mut best: Option<Annotation> = None;
    for call in tool_calls(stage.talk, stage.offer, stage.settings).await {
        let Some(schema) = call.schema.clone() else { continue };
        let mut all = Vec::new();
        annotated(&schema, &[], false, &mut all);
        let mut arguments = call.params["arguments"].clone();
        let checker = ValueGenerator::new(schema).ok();
        let fits = |arguments: &Value| checker.as_ref().is_none_or(|checker| checker.allows(arguments));
        all.retain(|annotated| {
            let mut tried = arguments.clone();
            set_at(&mut tried, &annotated.path, annotated.value.clone());
            let good = fits(&tried);
            if good {
                arguments = tried;
            }
            good
        });
        if all.len() > best.as_ref().map_or(0, |best| best.all.len()) {
            best = Some(Annotation { call, arguments, all });
        }
    }
    best
}

async fn param_headers_are_compared(stage: &mut Stage<'_>) {
    let Some(annotation) = annotation(stage).await else {
        for id in ROWS {
            let text = "no tool that may be called repeats an argument in a header";
            stage.judge.undecided(id, "no-annotated-tool", text);
        }
        return;
    };
    let right = annotation.compose(stage, &annotation.arguments, &annotation.arguments);
    let (ticket, reply) = stage.valid(right).await;
    match (reaction(&reply), reply.error_code()) {
        (Reaction::Served, _) => stage.judge.held(ROWS[0]),
        (_, Some(-32020)) => stage.judge.broke(
            ROWS[0],
            breach(
                "refused",
                "a call whose headers repeat its arguments was refused for them",
                &ticket,
                &reply,
            )
            .expected(&["its result"]),
        ),
        _ => {
            for id in ROWS {
                let text = format!("the call did not succeed in the first place: {}", reply.describe());
                stage.judge.undecided(id, "no-call", text);
            }
            return;
        }
    }
    if reaction(&reply).is_served() {
        wrong_headers(stage, &annotation).await;
        missing_arguments(stage, &annotation).await;
        other_writings(stage, &annotation).await;
    }
}

impl Reaction {
    fn is_served(&self) -> bool {
        matches!(self, Self::Served)
    }
}

async fn wrong_headers(stage: &mut Stage<'_>, annotation: &Annotation) {
    let mut are_compared = true;
    for annotated in &annotation.all {
        let header = annotated.header.as_str();
        let other = match &annotated.value {
            Value::Bool(flag) => (!flag).to_string(),
            Value::Number(number) => number.as_i64().unwrap_or_default().wrapping_add(1).to_string(),
            _ => "mcprove-another-value".to_owned(),
        };
        let outgoing = annotation.with_header(stage, annotated, &other);
        let what = "with another value in an `Mcp-Param` header";
        let reply = refused(stage, ROWS[1], ("other", what), outgoing).await;
        are_compared &= matches!(reaction(&reply), Reaction::Refused);
        let switched = annotated.value.as_str().map(str::to_ascii_uppercase);
        if let Some(capitals) = switched.filter(|capitals| annotated.value != capitals.as_str()) {
            let outgoing = annotation.with_header(stage, annotated, &capitals);
            let what = "with the value in capitals in an `Mcp-Param` header";
            refused(stage, ROWS[1], ("case", what), outgoing).await;
        }
        let edits = HttpEdits::default().without(&format!("Mcp-Param-{header}"));
        let outgoing = annotation.compose(stage, &annotation.arguments, &annotation.arguments).http(edits);
        refused(stage, ROWS[2], ("missing", "without the `Mcp-Param` header of an argument"), outgoing).await;
    }
    if let Some(text) = annotation.first(Value::is_string) {
        let plain = text.value.as_str().unwrap_or_default();
        let encoded = format!("=?base64?{}?=", BASE64.encode(plain));
        let outgoing = annotation.with_header(stage, text, &encoded);
        accepted(stage, ROWS[0], ("base64", "with an `Mcp-Param` header in base64 form"), outgoing).await;
        // Where any other value is served, it says nothing that these are.
        if are_compared {
            let padded = format!("=?base64?{}?=", BASE64.encode(format!(" {plain} ")));
            let outgoing = annotation.with_header(stage, text, &padded);
            let what = "with blanks around the value in an `Mcp-Param` header in base64 form";
            refused(stage, ROWS[1], ("blanks", what), outgoing).await;
            let outgoing = annotation.with_header(stage, text, &encoded.replacen("?=", "!?=", 1));
            let what = "with an `Mcp-Param` header that is no base64";
            refused(stage, MALFORMED, ("param", what), outgoing).await;
        }
    }
    if let Some(any) = annotation.all.first() {
        let plain = any.value.as_str().map_or_else(|| any.value.to_string(), str::to_owned);
        let outgoing = annotation.with_header(stage, any, &format!("{plain}\u{ff}"));
        invalid(stage, ROWS[6], "beyond-ascii", outgoing).await;
    }
    text_beyond_ascii_is_encoded(stage, annotation).await;
}

/// A text that no header may have as it is, repeated as it is. It tells something where the argument is taken, and its
/// header in base64 form.
async fn text_beyond_ascii_is_encoded(stage: &mut Stage<'_>, annotation: &Annotation) {
    let schema = annotation.call.schema.clone();
    let Some(checker) = schema.and_then(|schema| ValueGenerator::new(schema).ok()) else { return };
    for annotated in annotation.all.iter().filter(|annotated| annotated.value.is_string()) {
        let mut arguments = annotation.arguments.clone();
        set_at(&mut arguments, &annotated.path, json!(BEYOND_ASCII));
        if !checker.allows(&arguments) {
            continue;
        }
        let encoded = annotation.compose(stage, &arguments, &arguments);
        let (_, reply) = stage.valid(encoded).await;
        if !reaction(&reply).is_served() {
            continue;
        }
        let edits = HttpEdits::default().set(&format!("Mcp-Param-{}", annotated.header), BEYOND_ASCII);
        let outgoing = annotation.compose(stage, &arguments, &arguments).http(edits);
        return invalid(stage, ROWS[6], "text", outgoing).await;
    }
}

async fn missing_arguments(stage: &mut Stage<'_>, annotation: &Annotation) {
    let mut nulled = annotation.arguments.clone();
    let Some(any) = annotation.all.iter().find(|annotated| annotated.optional) else {
        for id in [ROWS[3], ROWS[4], ROWS[5]] {
            stage.judge.undecided(id, "all-required", "all annotated arguments of the tool are required");
        }
        return;
    };
    set_at(&mut nulled, &any.path, Value::Null);
    let outgoing = annotation.compose(stage, &nulled, &nulled);
    no_header_needed(stage, ROWS[3], "null", outgoing).await;
    let mut absent = annotation.arguments.clone();
    remove_at(&mut absent, &any.path);
    let outgoing = annotation.compose(stage, &absent, &absent);
    no_header_needed(stage, ROWS[4], "absent", outgoing).await;
    let outgoing = annotation.compose(stage, &absent, &annotation.arguments);
    let what = "with an `Mcp-Param` header that repeats no argument";
    refused(stage, ROWS[5], ("no-argument", what), outgoing).await;
}

/// Sends a call in which an argument is null or absent, and so is its header. That the tool or its schema refuses it
/// is no matter; that the header is missed is.
async fn no_header_needed(stage: &mut Stage<'_>, id: &'static str, what: &str, outgoing: Outgoing) {
    let (ticket, reply) = stage.breaking(outgoing).await;
    match (reaction(&reply), reply.error_code()) {
        (Reaction::Served, _) => stage.judge.held(id),
        (Reaction::Refused, Some(-32020)) => stage.judge.broke(
            id,
            breach(what, format!("a header was missed for an argument that is {what}"), &ticket, &reply)
                .expected(&["no error -32020"]),
        ),
        _ => {
            let text = format!("the call was refused for another reason: {}", reply.describe());
            stage.judge.undecided(id, "other-refusal", text);
        }
    }
}

async fn other_writings(stage: &mut Stage<'_>, annotation: &Annotation) {
    match annotation.first(Value::is_i64) {
        Some(integer) => {
            let outgoing = annotation
                .with_header(stage, integer, &format!("{}.0", integer.value))
                .deliberate(stage.name, Taint::Nothing);
            accepted(stage, ROWS[7], ("textual", "with an integer written as 42.0 in its header"), outgoing)
                .await;
        }
        None => stage.judge.undecided(ROWS[7], "no-integer", "no annotated argument is an integer"),
    }
    match annotation.first(Value::is_boolean) {
        Some(flag) => {
            let capital = if flag.value == json!(true) { "True" } else { "False" };
            let outgoing = annotation.with_header(stage, flag, capital);
            refused(stage, ROWS[8], ("capital", "with a boolean in capitals in its header"), outgoing).await;
        }
        None => stage.judge.undecided(ROWS[8], "no-boolean", "no annotated argument is a boolean"),
    }
}
