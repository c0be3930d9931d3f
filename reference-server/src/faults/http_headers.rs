//! Faults of the headers of stateless requests.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::faults::Duty;
use crate::faults::edit::{is, put};
use crate::faults::fault::{Fault, HTTP, MODERN, SINCE_2025_06, fault};
use crate::faults::hook::Hook::{Answer, Definition, Forgive, HttpRequest, Neglect};
use crate::message::{HEADER_MISMATCH, Object};
use crate::revision::Revision;
use crate::transport::http_reply::empty;

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
    .breaking(&["security.mirrored-headers-untrusted"])
    .also_seen(&["http-headers.value.case-sensitive", "http-headers.value.base64-malformed-refused", "http-headers.value.base64-sentinel-exact", "http-headers.name.source-field"])
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
    .also_seen(&["http-headers.param.invalid-characters-refused"])
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
];

/// Asks for a header for an argument of one tool, which nobody uses.
fn annotate(tool: &mut Object, kind: &str, header: &str) {
    if is(tool, "name", "touch_resource") {
        put(tool, &["inputSchema", "properties", "note"], json!({"type": kind, "x-mcp-header": header}));
    }
}
