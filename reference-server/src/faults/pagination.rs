//! Faults of pagination.

use serde_json::{Value, json};

use crate::faults::edit::{is, put};
use crate::faults::fault::{Fault, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Intercept, Request};
use crate::faults::hook::{Instead, result};
use crate::message::INVALID_PARAMS;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "pagination.cursor.absent-at-end/first-page-for-ever",
        "Cursors are ignored, so that each page is the first one and names a next one (https://github.com/DeusData/codebase-memory-mcp/issues/1247).",
        &[Request(|_, request| {
            if request.method.ends_with("/list") {
                request.params.remove("cursor");
            }
        })],
    )
    .breaking(&["pagination.page.no-repeats", "pagination.terminates"])
    .also_seen(&["pagination.cursor.invalid-error"]),
    fault(
        "pagination.cursor.absent-at-end/empty",
        "The last page of every list has an empty cursor, which leads to the first page (https://github.com/ChesterRa/cccc/pull/50).",
        &[
            Request(|_, request| {
                if is(&request.params, "cursor", "") {
                    request.params.remove("cursor");
                }
            }),
            Answer(|asked, answer| {
                if let Some(result) = result(answer).filter(|_| asked.method.ends_with("/list"))
                    && !result.contains_key("nextCursor")
                {
                    put(result, &["nextCursor"], "");
                }
            }),
        ],
    )
    .also_seen(&[
        "pagination.cursor.invalid-error",
        "pagination.page.no-repeats",
        "robustness.output.bounded",
    ]),
    fault(
        "pagination.cursor.string/number",
        "Cursors are numbers.",
        &[Answer(|asked, answer| {
            if let Some(result) = result(answer).filter(|_| asked.method.ends_with("/list"))
                && result.contains_key("nextCursor")
            {
                put(result, &["nextCursor"], 5);
            }
        })],
    ),
    fault(
        "pagination.cursor.accepted/refused",
        "Every cursor is refused.",
        &[Intercept(|asked| {
            asked.params.contains_key("cursor").then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown cursor"))
        })],
    )
    .breaking(&["pagination.operations"])
    .also_seen(&[
        "base.stateless.interleaving",
        "base.stateless.no-connection-affinity",
        "pagination.cursor.any-connection",
        "pagination.cursor.stable",
        "pagination.terminates",
    ]),
    fault(
        "pagination.cursor.invalid-error/first-page",
        "A cursor that is not known leads to the first page.",
        &[Request(|_, request| {
            let known = request.params.get("cursor").and_then(Value::as_str).is_none_or(|cursor| {
                // As long as those of this server.
                cursor.len() == 28
            });
            if !known {
                request.params.remove("cursor");
            }
        })],
    )
    .also_seen(&["tasks.list.invalid-cursor"]),
    fault(
        "pagination.cursor.stable/once",
        "A cursor can be used once.",
        &[Intercept(|asked| {
            let cursor = json!([asked.method, asked.params.get("cursor")?]);
            let mut used = asked.memory.kept().and_then(|used| used.as_array().cloned()).unwrap_or_default();
            let again = used.contains(&cursor);
            used.push(cursor);
            asked.memory.keep(Value::Array(used));
            again.then(|| Instead::error(INVALID_PARAMS, "Invalid params: the cursor is used up"))
        })],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "pagination.cursor.invalid-graceful/silent",
        "A cursor that is not known gets no answer.",
        &[Intercept(|asked| {
            let cursor = asked.params.get("cursor")?.as_str()?;
            // As long as those of this server.
            (cursor.len() != 28).then_some(Instead::Never)
        })],
    )
    .also_seen(&["base.response.always-sent", "robustness.long-strings", "tasks.list.invalid-cursor"])
    .within(V2025_11)
    .over(STDIO),
];
