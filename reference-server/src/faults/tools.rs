//! Faults of tools.

use serde_json::json;

use crate::faults::fault::{Fault, fault};
use crate::faults::hook::Hook::{Answer, Definition};
use crate::message::Reply;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "tools.call.unknown-tool-error/succeeds",
        "Calls of tools that do not exist succeed with an empty result.",
        &[Answer(|asked, answer| {
            let unknown = answer.as_ref().is_err_and(|error| error.message.ends_with("unknown tool"));
            if asked.is("tools/call") && unknown {
                let mut result = json!({"content": []});
                if asked.revision.is_modern() {
                    result["resultType"] = "complete".into();
                }
                *answer = Ok(Reply::Text(result.to_string()));
            }
        })],
    )
    .also_seen(&["tools.definition.name-case-sensitive", "tools.call.malformed-request-error"]),
    fault(
        "tools.definition.input-schema-root/string",
        "The inputSchema of every tool says that arguments are a string.",
        &[Definition("tools", |_, tool| {
            tool["inputSchema"]["type"] = "string".into();
        })],
    ),
];
