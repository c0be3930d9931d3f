//! Faults that show where the server knows its callers, in several areas: what one of them gets that is another's, and what
//! is given without a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;

use crate::faults::Duty;
use crate::faults::auth::{challenge, document};
use crate::faults::edit::put;
use crate::faults::fault::{ANY, Fault, HTTP, MODERN, SINCE_2025_03, V2025_11, fault};
use crate::faults::hook::Hook::{HttpReply, HttpRequest, Neglect, Result};
use crate::faults::hook::Memory;

/// Faults of tools.
pub(super) const TOOLS: &[Fault] = &[fault(
    "tools.call.access-control/open",
    "The list of tools takes a token, and calls take none.",
    &[HttpRequest(|memory, request| {
        let_in(memory, request, "tools/call");
        None
    })],
)
.also_seen(&["auth.token.before-processing"])
.warning_in(MODERN)
.within(MODERN)
.over(HTTP)];

/// Faults of resources.
pub(super) const RESOURCES: &[Fault] = &[fault(
    "resources.read.access-control/open",
    "The list of resources takes a token, and what they hold is read without.",
    &[HttpRequest(|memory, request| {
        let_in(memory, request, "resources/read");
        None
    })],
)
.breaking(&["resources.read.permissions-checked", "caching.access-control-independent"])
.also_seen(&["auth.token.before-processing"])
.warning_in(MODERN)
.within(MODERN)
.over(HTTP)];

/// Faults of completion.
pub(super) const COMPLETION: &[Fault] = &[fault(
    "completion.access-controlled/open",
    "The list of prompts takes a token, and the values of their arguments are suggested without.",
    &[HttpRequest(|memory, request| {
        let_in(memory, request, "completion/complete");
        None
    })],
)
.warning_in(MODERN)
.within(MODERN)
.over(HTTP)];

/// Faults of caching.
pub(super) const CACHING: &[Fault] = &[
    fault(
        "caching.public.no-user-data/named",
        "Everybody may keep the list of tools, and it names the user.",
        &[HttpReply(|asked, reply| {
            if !is_method(&asked.headers, "tools/list") {
                return;
            }
            let user = subject(&asked.headers).unwrap_or_default();
            document(reply, |response| {
                if let Some(result) = response.get_mut("result") {
                    result["cacheScope"] = "public".into();
                    result["tools"][0]["description"] = format!("A tool of {user}.").into();
                }
            });
        })],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(HTTP),
    fault(
        "caching.public.shared-aware/public",
        "Everybody may keep what it takes a token to read.",
        &[Result("resources/read", |_, result| put(result, &["cacheScope"], "public"))],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(HTTP),
];

/// Faults of what is told to those who are not let in.
pub(super) const ROBUSTNESS: &[Fault] = &[fault(
    "robustness.output.no-internals/token-echoed",
    "A challenge repeats the token that was not taken.",
    &[HttpReply(|asked, reply| {
        let token = asked.headers.get(AUTHORIZATION).and_then(|token| token.to_str().ok());
        if let Some((_, token)) = token.and_then(|token| token.split_once(' ')) {
            challenge(reply, 401, |line| {
                line.replace("error_description=\"", &format!("error_description=\"{token}: "))
            });
        }
    })],
)
.breaking(&["security.errors-leak-nothing"])
.within(SINCE_2025_03)
.warning_in(ANY)
.over(HTTP)];

/// Faults of tasks.
pub(super) const TASKS: &[Fault] = &[fault(
    "tasks.isolation.bound/anybody",
    "The tasks of one user are told to any other.",
    &[Neglect(Duty::TaskBound)],
)
.breaking(&["tasks.isolation.foreign-refused", "tasks.isolation.list-own"])
.within(V2025_11)
.over(HTTP)];

fn is_method(headers: &HeaderMap, method: &str) -> bool {
    headers.get("mcp-method").is_some_and(|named| named.as_bytes() == method.as_bytes())
}

/// Takes the token that was shown first for that of whoever sends this method without one.
fn let_in(memory: &Memory, request: &mut hyper::Request<Incoming>, method: &str) {
    match request.headers().get(AUTHORIZATION).and_then(|token| token.to_str().ok()) {
        Some(token) if memory.kept().is_none() => {
            memory.keep(token.into());
        }
        Some(_) => {}
        None if is_method(request.headers(), method) => {
            let token = memory.kept().and_then(|token| HeaderValue::from_str(token.as_str()?).ok());
            token.map(|token| request.headers_mut().insert(AUTHORIZATION, token));
        }
        None => {}
    }
}

/// Whose token it is.
fn subject(headers: &HeaderMap) -> Option<String> {
    let token = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}
