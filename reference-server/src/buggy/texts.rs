//! Texts that are empty, long, or of other characters than expected.

use serde_json::json;

use super::bug::{Bug, Buggy, Shows, crash, internal, schema};
use crate::features::{Tool, ToolFuture, ToolResult};
use crate::message::{Object, string};

pub(super) const TOOLS: &[Buggy] = &[
    Buggy {
        tool: Tool::later("label", "Label", "Prints a label of at most 64 characters", |_, arguments| {
            Box::pin(async move {
                if text(arguments).chars().count() == 64 {
                    std::future::pending::<()>().await;
                }
                Ok(ToolResult::text("printed"))
            })
        })
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 64}}))),
        bug: Bug {
            tool: "label",
            about: "A label of the greatest length is never printed.",
            shows: Shows::Hang,
            minimum: || vec![json!({"text": "a".repeat(64)})],
        },
    },
    Buggy {
        tool: Tool::now("initial", "Initial", "The first letter of a name", |_, arguments| {
            match text(arguments).chars().next() {
                Some(first) => ToolResult::text(first.to_string()),
                None => crash(),
            }
        })
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}}))),
        bug: Bug {
            tool: "initial",
            about: "The process ends where there is no first letter.",
            shows: Shows::Crash,
            minimum: || vec![json!({"text": ""})],
        },
    },
    Buggy {
        tool: Tool::later(
            "reverse",
            "Reverse",
            "Writes a text from its end to its beginning",
            |_, arguments| {
                fails_where(arguments, |text| text.chars().any(|character| character > '\u{FFFF}'))
            },
        )
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}}))),
        bug: Bug {
            tool: "reverse",
            about: "A character beyond the basic plane is taken apart.",
            shows: Shows::Error,
            minimum: || vec![json!({"text": "\u{10000}"})],
        },
    },
    Buggy {
        tool: Tool::later(
            "slug",
            "Slug",
            "Makes a name for a URL of a title such as `Crème brûlée`",
            |_, arguments| {
                fails_where(arguments, |text| text.chars().any(|one| ('\u{300}'..='\u{36F}').contains(&one)))
            },
        )
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}}))),
        bug: Bug {
            tool: "slug",
            about: "An accent that is a character of its own is not expected.",
            shows: Shows::Error,
            minimum: || vec![json!({"text": "\u{300}"})],
        },
    },
    Buggy {
        tool: Tool::later("quote", "Quote", "Puts a text between quotation marks", |_, arguments| {
            fails_where(arguments, |text| text.contains('"'))
        })
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}}))),
        bug: Bug {
            tool: "quote",
            about: "A quotation mark ends the text too early.",
            shows: Shows::Error,
            minimum: || vec![json!({"text": "\""})],
        },
    },
    Buggy {
        tool: Tool::later("lines", "Lines", "Counts the lines of a text", |_, arguments| {
            fails_where(arguments, |text| text.contains('\0'))
        })
        .input(|| schema(json!({"text": {"type": "string", "maxLength": 200}}))),
        bug: Bug {
            tool: "lines",
            about: "A NUL is taken for the end.",
            shows: Shows::Error,
            minimum: || vec![json!({"text": "\0"})],
        },
    },
];

fn text(arguments: &Object) -> &str {
    string(arguments, "text").unwrap_or_default()
}

fn fails_where(arguments: &Object, wrong: fn(&str) -> bool) -> ToolFuture<'_> {
    Box::pin(
        async move { if wrong(text(arguments)) { Err(internal()) } else { Ok(ToolResult::text("done")) } },
    )
}
