//! Faults of the headers of stateless requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{is, put};
use crate::faults::fault::{Fault, HTTP, MODERN, SINCE_2025_06, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Definition, Forgive, HttpRequest, Intercept, Neglect};
use crate::faults::hook::Instead;
use crate::message::{HEADER_MISMATCH, Object};
use crate::revision::Revision;
use crate::transport::HttpReply;
use crate::transport::http_reply::{empty, short_json};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http-headers.version.mismatch-refused/served",
        "A version in the header that differs from the body is ignored.",
        &[Forgive(|_, error| error.message.ends_with("MCP-Protocol-Version differs from _meta"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.version.unsupported-refused/ignored",
        "The version header of a session may say anything.",
        &[Neglect(Duty::VersionHeaderChecked)],
    )
    .within(&[Revision::V2025_06_18, Revision::V2025_11_25])
    .over(HTTP),
    fault(
        "http-headers.version.absent-fallback/wanted",
        "A request of a session without the version header is refused (https://github.com/zcaceres/fetch-mcp/issues/50).",
        &[HttpRequest(|_, request| {
            let headers = request.headers();
            let bare = headers.contains_key("mcp-session-id") && !headers.contains_key("mcp-protocol-version");
            (bare && request.method() == Method::POST).then(|| empty(StatusCode::BAD_REQUEST))
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "http-headers.method.required/optional",
        "Mcp-Method may be left out.",
        &[Forgive(|_, error| error.message.ends_with("Mcp-Method is missing"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.method.mismatch-refused/served",
        "Mcp-Method may differ from the body.",
        &[Forgive(|_, error| error.message.ends_with("Mcp-Method differs from method"))],
    )
    .also_seen(&["http-headers.value.case-sensitive"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.method.mismatch-refused/part",
        "A part of the method will do in Mcp-Method.",
        &[HttpRequest(|_, request| {
            change(request, "mcp-method", |value| (value == "server").then(|| "server/discover".to_owned()))
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.required/optional",
        "Mcp-Name may be left out.",
        &[Forgive(|_, error| error.message.ends_with("Mcp-Name is missing"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.mismatch-refused/served",
        "Mcp-Name may differ from the body.",
        &[Forgive(|_, error| error.message.contains("Mcp-Name differs"))],
    )
    .breaking(&["http-headers.value.base64-malformed-refused", "http-headers.value.base64-sentinel-exact", "security.mirrored-headers-untrusted"])
    .also_seen(&["extension-tasks.name-header-validated", "http-headers.value.case-sensitive"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.mismatch-refused/as-in-urls",
        "Mcp-Name may be written as in a URL.",
        &[HttpRequest(|_, request| {
            change(request, "mcp-name", |value| {
                let code = u8::from_str_radix(value.strip_prefix('%')?.get(..2)?, 16).ok()?;
                Some(format!("{}{}", char::from(code), &value[3..]))
            })
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.duplicates-refused/last-counts",
        "Of two values of a header the last one counts.",
        &[HttpRequest(|_, request| {
            for name in ["mcp-method", "mcp-name"] {
                if let Some(last) = request.headers().get_all(name).iter().next_back().cloned() {
                    request.headers_mut().insert(name, last);
                }
            }
            None
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.duplicates-refused/served",
        "A header may come twice with different values.",
        &[Forgive(|_, error| error.message.ends_with("has two values"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.value.invalid-characters-refused/served",
        "A header may have characters that no header may have.",
        &[Forgive(|_, error| error.message.ends_with("has characters that no header may have"))],
    )
    .breaking(&["http-headers.param.invalid-characters-refused"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.invalid-characters-refused/text",
        "An argument may be repeated in a header as it is, whatever its letters.",
        &[HttpRequest(|_, request| change_arguments(request, |text| (!text.is_ascii()).then(|| text.to_owned())))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.value.base64-malformed-refused/arguments",
        "What is no base64 is passed over in headers that repeat arguments.",
        &[HttpRequest(|_, request| {
            change_arguments(request, |text| {
                let inner = text.strip_prefix("=?base64?")?.strip_suffix("?=")?;
                String::from_utf8(BASE64.decode(inner.replace('!', "")).ok()?).ok()
            })
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.mismatch-error-shape/ok",
        "Headers that differ from the body are told with the status 200.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == HEADER_MISMATCH
            {
                error.http_status = 200;
            }
        })],
    )
    .also_seen(&["http-headers.version.mismatch-refused"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.mismatch-refused/served",
        "Headers that repeat arguments may differ from them.",
        &[Forgive(|_, error| error.message.contains("differs from its argument"))],
    )
    .also_seen(&["http-headers.param.boolean-lowercase"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.mismatch-refused/blanks",
        "Blanks around an argument do not count in its header.",
        &[HttpRequest(|_, request| {
            change_arguments(request, |text| {
                let inner = text.strip_prefix("=?base64?")?.strip_suffix("?=")?;
                Some(String::from_utf8(BASE64.decode(inner).ok()?).ok()?.trim().to_owned())
            })
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.missing-refused/served",
        "Headers that repeat arguments may be left out.",
        &[Forgive(|_, error| error.message.contains("mcp-param-") && error.message.ends_with("is missing"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.header-without-argument-refused/served",
        "A header may repeat an argument that is not there.",
        &[Forgive(|_, error| error.message.ends_with("repeats no argument"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.not-empty/empty",
        "An argument is to be repeated in a header without a name.",
        &[Definition("tools", |_, tool| annotate(tool, "string", ""))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.token/space",
        "An argument is to be repeated in a header whose name has a space.",
        &[Definition("tools", |_, tool| annotate(tool, "string", "two words"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.no-control-characters/line-end",
        "An argument is to be repeated in a header whose name has a line end.",
        &[Definition("tools", |_, tool| annotate(tool, "string", "a\r\nEvil: 1"))],
    )
    .also_seen(&["http-headers.annotation.token"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.primitive-only/number",
        "A number that need not be an integer is to be repeated in a header.",
        &[Definition("tools", |_, tool| annotate(tool, "number", "Text"))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.version.negotiated-accepted/refused-on-get",
        "GET is refused for the version that was agreed on.",
        &[HttpRequest(|_, request| {
            let named = request.headers().contains_key("mcp-protocol-version") && request.method() == Method::GET;
            named.then(|| short_json(400, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Unsupported MCP-Protocol-Version"}}"#.to_owned()))
        })],
    )
    .also_seen(&["http.get.sse-or-refused", "http.sse.response-delivered"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http-headers.version.missing-refused/served",
        "A server of the newer era serves requests without a version header.",
        &[
            Neglect(Duty::LegacyServed),
            Forgive(|_, error| error.message.ends_with("MCP-Protocol-Version is missing")),
        ],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.source-field/name-of-resources",
        "Mcp-Name of resources/read is compared with another member than `uri`.",
        &[Intercept(|asked| {
            asked.is("resources/read").then(|| Instead::error(HEADER_MISMATCH, "Header mismatch: Mcp-Name differs from params.name"))
        })],
    )
    .also_seen(&[
        "base.error.defined-codes-by-meaning",
        "extension-apps.resource-readable",
        "resources.read.not-found-error",
        "resources.templates.expandable",
        "tools.content.link-fetchable",
    ])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.not-needed-elsewhere/wanted",
        "Lists of prompts need Mcp-Name.",
        &[Intercept(|asked| {
            asked.is("prompts/list").then(|| Instead::error(HEADER_MISMATCH, "Header mismatch: Mcp-Name is missing"))
        })],
    )
    .also_seen(&["base.error.defined-codes-by-meaning", "prompts.list.answered"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.name.base64-decoded/refused",
        "Mcp-Name in base64 form is refused.",
        &[HttpRequest(|_, request| {
            value(request, "mcp-name").is_some_and(|name| name.starts_with("=?base64?")).then(|| {
                short_json(400, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"Header mismatch: Mcp-Name"}}"#.to_owned())
            })
        })],
    )
    .also_seen(&["base.error.same-id"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.value.case-sensitive/lower-case",
        "Mcp-Method is compared in lower case.",
        &[HttpRequest(|_, request| {
            let single = request.headers().get_all("mcp-method").iter().count() == 1;
            let lower = value(request, "mcp-method").map(|method| HeaderValue::from_str(&method.to_ascii_lowercase()));
            if let Some(Ok(lower)) = lower.filter(|_| single) {
                request.headers_mut().insert("mcp-method", lower);
            }
            None
        })],
    )
    .also_seen(&["versioning.removed-methods-unknown"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.unique/twice",
        "Two arguments are to be repeated in one header.",
        &[Definition("tools", |_, tool| {
            annotate(tool, "string", "Note");
            if is(tool, "name", "touch_resource") {
                put(tool, &["inputSchema", "properties", "remark"], json!({"type": "string", "x-mcp-header": "NOTE"}));
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.safe-integers/wide",
        "An integer beyond the exact range is to be repeated in a header (https://github.com/modelcontextprotocol/conformance/issues/445).",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "touch_resource") {
                let wide = json!({"type": "integer", "maximum": 9_223_372_036_854_775_807_i64, "x-mcp-header": "Note"});
                put(tool, &["inputSchema", "properties", "note"], wide);
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.statically-reachable/in-items",
        "An entry of a list is to be repeated in a header.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "touch_resource") {
                let list = json!({"type": "array", "items": {"type": "string", "x-mcp-header": "Note"}});
                put(tool, &["inputSchema", "properties", "note"], list);
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.annotation.not-sensitive/password",
        "A password is to be repeated in a header.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "touch_resource") {
                put(tool, &["inputSchema", "properties", "password"], json!({"type": "string", "x-mcp-header": "Note"}));
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.match-accepted/refused",
        "Headers that repeat arguments are refused for being there.",
        &[Intercept(|asked| {
            let repeated = asked.is("tools/call") && !asked.params.get("arguments")?.get("region")?.is_null();
            repeated.then(|| Instead::error(HEADER_MISMATCH, "Header mismatch: mcp-param-region is not known"))
        })],
    )
    .also_seen(&["base.error.defined-codes-by-meaning"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.null-needs-no-header/wanted",
        "A header is wanted for an argument that is null.",
        &[Intercept(|asked| {
            let arguments = asked.params.get("arguments").filter(|_| asked.is("tools/call"))?;
            let null = ["region", "limit", "exact"].iter().any(|name| arguments.get(name).is_some_and(Value::is_null));
            null.then(|| Instead::error(HEADER_MISMATCH, "Header mismatch: mcp-param is missing"))
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.absent-needs-no-header/wanted",
        "A header is wanted for an argument that is absent.",
        &[Intercept(|asked| {
            let arguments = asked.params.get("arguments").filter(|_| asked.is("tools/call"))?;
            let absent = arguments.get("exact").is_some() && arguments.get("limit").is_none();
            absent.then(|| Instead::error(HEADER_MISMATCH, "Header mismatch: mcp-param-limit is missing"))
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.integer-numeric-compare/as-text",
        "Integers in headers are compared as texts.",
        &[HttpRequest(|_, request| {
            let number = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains('.') && text.parse::<f64>().is_ok());
            let written = request.headers().iter().any(|(name, value)| name.as_str().starts_with("mcp-param-") && number(value));
            written.then(|| empty(StatusCode::BAD_REQUEST))
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.boolean-lowercase/any-case",
        "Booleans in headers may be written in capitals.",
        &[HttpRequest(|_, request| {
            if value(request, "mcp-param-exact").is_some_and(|flag| flag == "True") {
                request.headers_mut().insert("mcp-param-exact", HeaderValue::from_static("true"));
            }
            None
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-headers.param.unknown-ignored/refused",
        "Headers that repeat arguments of no tool are refused.",
        &[HttpRequest(|_, request| {
            let known = ["mcp-param-region", "mcp-param-limit", "mcp-param-exact", "mcp-param-tenant"];
            let mut names = request.headers().keys().map(hyper::header::HeaderName::as_str);
            names.any(|name| name.starts_with("mcp-param-") && !known.contains(&name)).then(|| empty(StatusCode::BAD_REQUEST))
        })],
    )
    .within(MODERN)
    .over(HTTP),
];

/// Asks for a header for an argument of one tool, which nobody uses.
fn annotate(tool: &mut Object, kind: &str, header: &str) {
    if is(tool, "name", "touch_resource") {
        put(tool, &["inputSchema", "properties", "note"], json!({"type": kind, "x-mcp-header": header}));
    }
}

/// Writes the value of a header otherwise, before anything looks at it.
fn change(
    request: &mut hyper::Request<Incoming>,
    name: &str,
    how: impl FnOnce(&str) -> Option<String>,
) -> Option<HttpReply> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let text = std::str::from_utf8(request.headers().get(&name)?.as_bytes()).ok().and_then(how)?;
    request.headers_mut().insert(name, HeaderValue::from_str(&text).ok()?);
    None
}

/// Writes what headers that repeat arguments stand for otherwise, as base64.
fn change_arguments(
    request: &mut hyper::Request<Incoming>,
    how: fn(&str) -> Option<String>,
) -> Option<HttpReply> {
    for name in ["mcp-param-region", "mcp-param-tenant"] {
        change(request, name, |text| Some(format!("=?base64?{}?=", BASE64.encode(how(text)?))));
    }
    None
}

fn value<'a>(request: &'a hyper::Request<Incoming>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
