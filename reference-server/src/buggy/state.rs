//! What several calls do together. All clients share it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::bug::{Bug, Buggy, Shows, internal, schema};
use super::numbers::whole;
use crate::context::RequestContext;
use crate::features::{Tool, ToolResult};
use crate::message::string;

/// What has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Happened(Mutex<Past>);

#[derive(Debug, Default)]
struct Past {
    door: Vec<String>,
    taken: u64,
    counted: u64,
    printing: bool,
    noted: String,
    kept: Vec<Vec<u8>>,
}

/// As much as one call leaves behind where it leaks.
const LEAK: usize = 4 << 20;
/// Beyond this much even a leak ends, so that it ends no machine.
const MOST: usize = 2 << 30;

fn past(context: &RequestContext) -> MutexGuard<'_, Past> {
    context.server.happened().0.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) const TOOLS: &[Buggy] = &[
    Buggy {
        tool: Tool::later("door", "Door", "Opens, locks or closes a door", |context, arguments| {
            Box::pin(async move {
                let mut past = past(context);
                past.door.push(string(arguments, "action")?.to_owned());
                let from = past.door.len().saturating_sub(3);
                let stuck = past.door[from..] == ["open", "lock", "close"];
                past.door.drain(..from);
                if stuck { Err(internal()) } else { Ok(ToolResult::text("done")) }
            })
        })
        .input(|| schema(json!({"action": {"enum": ["open", "lock", "close"]}})))
        .changing(),
        bug: Bug {
            tool: "door",
            about: "A door that is locked while it is open cannot be closed.",
            shows: Shows::Error,
            minimum: || ["open", "lock", "close"].map(|action| json!({"action": action})).into(),
        },
    },
    Buggy {
        tool: Tool::now("count", "Count", "How many things there are", |context, _| {
            let mut past = past(context);
            past.counted += 1;
            ToolResult::text(past.counted.to_string())
        }),
        bug: Bug {
            tool: "count",
            about: "What says that it only reads gives another answer each time.",
            shows: Shows::OtherAnswer,
            minimum: || vec![json!({}), json!({})],
        },
    },
    Buggy {
        tool: Tool::later("take", "Take", "Takes some of 20 things from a shelf", |context, arguments| {
            Box::pin(async move {
                let mut past = past(context);
                past.taken += whole(arguments, "number");
                if past.taken > 20 {
                    past.taken = 0;
                    return Err(internal());
                }
                Ok(ToolResult::text((20 - past.taken).to_string()))
            })
        })
        .input(|| schema(json!({"number": {"type": "integer", "minimum": 1, "maximum": 10}})))
        .changing(),
        bug: Bug {
            tool: "take",
            about: "More can be asked for than is left.",
            shows: Shows::Error,
            minimum: || [1, 10, 10].map(|number| json!({"number": number})).into(),
        },
    },
    Buggy {
        tool: Tool::later("print", "Print", "Prints a page, which takes a moment", |context, _| {
            Box::pin(async move {
                if std::mem::replace(&mut past(context).printing, true) {
                    return Err(internal());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                past(context).printing = false;
                Ok(ToolResult::text("printed"))
            })
        })
        .changing(),
        bug: Bug {
            tool: "print",
            about: "Two at once are one too many.",
            shows: Shows::Error,
            minimum: || vec![json!({}), json!({})],
        },
    },
    Buggy {
        tool: Tool::now("note", "Note", "Keeps a note", |context, arguments| {
            let text = arguments.get("text").and_then(Value::as_str).unwrap_or_default();
            let before = std::mem::replace(&mut past(context).noted, text.to_owned());
            ToolResult::text(format!("kept in the place of: {before}"))
        })
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}})))
        .changing(),
        bug: Bug {
            tool: "note",
            about: "What one client has sent is shown to the next.",
            shows: Shows::Echo,
            minimum: || vec![json!({"text": "a"}), json!({"text": ""})],
        },
    },
    Buggy {
        tool: Tool::now("remember", "Remember", "Remembers that it was called", |context, _| {
            let mut past = past(context);
            if past.kept.len() < MOST / LEAK {
                past.kept.push(vec![1; LEAK]);
            }
            ToolResult::text("remembered")
        })
        .changing(),
        bug: Bug {
            tool: "remember",
            about: "Every call takes four MiB of memory that never come back.",
            shows: Shows::Leak,
            minimum: || vec![json!({})],
        },
    },
];
