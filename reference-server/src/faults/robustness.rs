//! Faults of a server that does not stand everything.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::json;

use crate::faults::fault::{Fault, LEGACY, STDIO, fault};
use crate::faults::hook::Hook::Input;
use crate::faults::hook::Input::{Drop, Exit, Hang, Instead, Pass};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "robustness.process.survives/dies-of-garbage",
        "A line that is no JSON ends the process (https://github.com/modelcontextprotocol/servers/issues/3359).",
        &[Input(|_, bytes| if is_json(bytes) { Pass } else { Exit(1) })],
    )
    .also_seen(&["stdio.malformed-line-survived"])
    .over(STDIO),
    fault(
        "robustness.liveness.after-malformed/deaf",
        "After a line that is no JSON nothing is read any more (https://github.com/jonnyzzz/mcp-steroid/issues/461).",
        &[Input(|_, bytes| if is_json(bytes) { Pass } else { Hang })],
    )
    .also_seen(&["stdio.malformed-line-survived"])
    .over(STDIO),
    fault(
        "robustness.liveness.after-malformed/all-dropped",
        "After a line that is no JSON everything is thrown away.",
        &[Input(|memory, bytes| match memory.kept() {
            Some(_) => Drop,
            None if is_json(bytes) => Pass,
            None => {
                memory.keep(json!(true));
                Drop
            }
        })],
    )
    .also_seen(&["stdio.malformed-line-survived"])
    .over(STDIO),
    fault(
        "robustness.equal-json-equal-verdict/escapes-refused",
        "Names of members with an escape in them are not understood.",
        &[Input(|_, bytes| match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) if text.contains("\"\\u00") => Instead(text.replace("\"\\u00", "\"no").into_bytes()),
            _ => Pass,
        })],
    )
    .within(LEGACY)
    .over(STDIO),
];

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}
