//! Faults of caching hints.

use crate::faults::edit::{is, put};
use crate::faults::fault::{Fault, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Result};
use crate::faults::hook::result;
use crate::message::Object;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "caching.hints.discover/left-out",
        "server/discover does not say how long it may be kept.",
        &[Result("server/discover", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.hints.tools-list/left-out",
        "Lists of tools do not say how long they may be kept.",
        &[Result("tools/list", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.hints.prompts-list/left-out",
        "Lists of prompts do not say how long they may be kept.",
        &[Result("prompts/list", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.hints.resources-list/left-out",
        "Lists of resources do not say how long they may be kept.",
        &[Result("resources/list", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.hints.resource-templates-list/left-out",
        "Lists of templates do not say how long they may be kept.",
        &[Result("resources/templates/list", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.hints.resources-read/left-out",
        "Resources do not say how long they may be kept.",
        &[Result("resources/read", |_, result| forget(result))],
    )
    .within(MODERN),
    fault(
        "caching.ttl.integer/text",
        "Lists of tools may be kept for a time that is a text.",
        &[Result("tools/list", |_, result| put(result, &["ttlMs"], "60 s"))],
    )
    .within(MODERN),
    fault(
        "caching.ttl.non-negative/minus-one",
        "Lists of tools may be kept for -1 ms.",
        &[Result("tools/list", |_, result| put(result, &["ttlMs"], -1))],
    )
    .within(MODERN),
    fault(
        "caching.scope.value/shared",
        "Lists of tools may be kept in a scope that is not known.",
        &[Result("tools/list", |_, result| put(result, &["cacheScope"], "shared"))],
    )
    .within(MODERN),
    fault(
        "caching.scope.same-on-all-pages/mixed",
        "The first page of tools is private where the others are public, and public where they are private.",
        &[Result("tools/list", |asked, result| {
            if !asked.params.contains_key("cursor") {
                let other = if is(result, "cacheScope", "public") { "private" } else { "public" };
                put(result, &["cacheScope"], other);
            }
        })],
    )
    .within(MODERN),
    fault(
        "caching.hints.not-on-input-required/hinted",
        "A result that asks for input says how long it may be kept.",
        &[Answer(|_, answer| {
            if let Some(result) = result(answer).filter(|result| is(result, "resultType", "input_required")) {
                put(result, &["ttlMs"], 1000);
                put(result, &["cacheScope"], "public");
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
];

fn forget(result: &mut Object) {
    result.remove("ttlMs");
    result.remove("cacheScope");
}
