//! Faults of pagination.

use crate::faults::fault::{Fault, fault};
use crate::faults::hook::Hook::Request;

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
    .breaking(&["pagination.page.no-repeats"])
    .also_seen(&["pagination.cursor.invalid-error"]),
];
