//! Numbers at their bounds.

use serde_json::{Value, json};

use super::bug::{Bug, Buggy, Shows, crash, internal, schema};
use crate::features::{Tool, ToolResult};
use crate::message::Object;

pub(super) const TOOLS: &[Buggy] = &[
    Buggy {
        tool: Tool::now("square", "Square", "Squares a number; up to 1000 from a table", |_, arguments| {
            let n = whole(arguments, "n");
            if n > 1000 {
                crash();
            }
            ToolResult::text((n * n).to_string())
        })
        .input(|| schema(json!({"n": {"type": "integer", "minimum": 0, "maximum": 100_000}}))),
        bug: Bug {
            tool: "square",
            about: "The process ends where the table does.",
            shows: Shows::Crash,
            minimum: || vec![json!({"n": 1001})],
        },
    },
    Buggy {
        tool: Tool::later("sum", "Sum", "Adds two numbers of 32 bits", |_, arguments| {
            Box::pin(async move {
                let number = |name| i32::try_from(whole(arguments, name)).unwrap_or_default();
                let sum = number("a").checked_add(number("b")).ok_or_else(internal)?;
                Ok(ToolResult::text(sum.to_string()))
            })
        })
        .input(|| {
            let number = json!({"type": "integer", "minimum": 0, "maximum": i32::MAX});
            schema(json!({"a": number, "b": number}))
        }),
        bug: Bug {
            tool: "sum",
            about: "The sum overflows.",
            shows: Shows::Error,
            minimum: || vec![json!({"a": 1, "b": i32::MAX})],
        },
    },
    Buggy {
        tool: Tool::later("share", "Share", "Shares an amount among a number of people", |_, arguments| {
            Box::pin(async move {
                let share = whole(arguments, "amount")
                    .checked_div(whole(arguments, "people"))
                    .ok_or_else(internal)?;
                Ok(ToolResult::text(share.to_string()))
            })
        })
        .input(|| {
            let count = json!({"type": "integer", "minimum": 0, "maximum": 1_000_000});
            schema(json!({"amount": count, "people": count}))
        }),
        bug: Bug {
            tool: "share",
            about: "It divides by zero.",
            shows: Shows::Error,
            minimum: || vec![json!({"amount": 0, "people": 0})],
        },
    },
    Buggy {
        tool: Tool::now("percent", "Percent", "Rounds a part of a hundred", |_, arguments| {
            let part = arguments.get("part").and_then(Value::as_f64).unwrap_or_default();
            let percent = if part >= 100.0 { json!("all") } else { json!(part.round()) };
            ToolResult::structured(json!({"percent": percent}))
        })
        .input(|| schema(json!({"part": {"type": "number", "minimum": 0, "maximum": 100}})))
        .output(|| schema(json!({"percent": {"type": "number"}}))),
        bug: Bug {
            tool: "percent",
            about: "At the upper bound the result is of another type.",
            shows: Shows::WrongOutput,
            minimum: || vec![json!({"part": 100})],
        },
    },
    Buggy {
        tool: Tool::now("repeat", "Repeat", "Repeats a line up to 20 times", |_, arguments| {
            let times = whole(arguments, "times");
            let lines = if times == 20 { 21 } else { times };
            ToolResult::structured(json!({"lines": (0..lines).map(|_| "line").collect::<Vec<_>>()}))
        })
        .input(|| schema(json!({"times": {"type": "integer", "minimum": 0, "maximum": 20}})))
        .output(|| schema(json!({"lines": {"type": "array", "maxItems": 20}}))),
        bug: Bug {
            tool: "repeat",
            about: "At the upper bound there is one too many.",
            shows: Shows::WrongOutput,
            minimum: || vec![json!({"times": 20})],
        },
    },
    Buggy {
        tool: Tool::later("rest", "Rest", "Waits for some milliseconds", |_, arguments| {
            Box::pin(async move {
                let milliseconds = whole(arguments, "milliseconds");
                if milliseconds == 0 {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
                Ok(ToolResult::text("rested"))
            })
        })
        .input(|| schema(json!({"milliseconds": {"type": "integer", "minimum": 0, "maximum": 50}}))),
        bug: Bug {
            tool: "rest",
            about: "Nothing is waited for without end.",
            shows: Shows::Hang,
            minimum: || vec![json!({"milliseconds": 0})],
        },
    },
];

/// An integer argument from 0 up, which JSON may also write as `3.0`.
pub(super) fn whole(arguments: &Object, name: &str) -> u64 {
    let value = arguments.get(name);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the schema bounds it")]
    let float = || value.and_then(Value::as_f64).map(|number| number as u64);
    value.and_then(Value::as_u64).or_else(float).unwrap_or_default()
}
