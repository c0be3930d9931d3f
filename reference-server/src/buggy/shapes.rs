//! Arguments of a shape that was not expected.

use serde_json::{Value, json};

use super::bug::{Bug, Buggy, Shows, crash, internal, schema};
use crate::features::{Tool, ToolFuture, ToolResult};
use crate::message::Object;

pub(super) const TOOLS: &[Buggy] = &[
    Buggy {
        tool: Tool::now("depth", "Depth", "How deep a tree is", |_, arguments| {
            let mut depth = 0;
            let mut tree = arguments.get("tree");
            while let Some(node) = tree {
                depth += 1;
                tree = node.get("child");
            }
            if depth > 16 {
                crash();
            }
            ToolResult::text(depth.to_string())
        })
        .input(|| {
            let node = json!({"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "additionalProperties": false});
            let mut schema = schema(json!({"tree": {"$ref": "#/$defs/node"}}));
            schema["$defs"] = json!({"node": node});
            schema
        }),
        bug: Bug {
            tool: "depth",
            about: "The process ends at a tree that is deeper than its stack.",
            shows: Shows::Crash,
            minimum: || {
                let tree = (1..17).fold(json!({}), |tree, _| json!({"child": tree}));
                vec![json!({"tree": tree})]
            },
        },
    },
    Buggy {
        tool: Tool::later("average", "Average", "The average of some numbers", |_, arguments| {
            fails_where(arguments, |arguments| arguments["numbers"].as_array().is_none_or(Vec::is_empty))
        })
        .input(|| {
            schema(json!({"numbers": {"type": "array", "maxItems": 50, "items": {"type": "number"}}}))
        }),
        bug: Bug {
            tool: "average",
            about: "It divides by the number of numbers, of which there are none.",
            shows: Shows::Error,
            minimum: || vec![json!({"numbers": []})],
        },
    },
    Buggy {
        tool: Tool::later("paint", "Paint", "Paints a wall", |_, arguments| {
            fails_where(arguments, |arguments| arguments["colour"] == "transparent")
        })
        .input(|| schema(json!({"colour": {"enum": ["red", "green", "blue", "white", "transparent"]}}))),
        bug: Bug {
            tool: "paint",
            about: "One of the colours was forgotten.",
            shows: Shows::Error,
            minimum: || vec![json!({"colour": "transparent"})],
        },
    },
    Buggy {
        tool: Tool::later("remark", "Remark", "Keeps a remark, if there is one", |_, arguments| {
            fails_where(arguments, |arguments| arguments["text"].is_null())
        })
        .input(|| schema(json!({"text": {"type": ["string", "null"], "maxLength": 200}}))),
        bug: Bug {
            tool: "remark",
            about: "Null is allowed and not expected.",
            shows: Shows::Error,
            minimum: || vec![json!({"text": null})],
        },
    },
    Buggy {
        tool: Tool::later("birthday", "Birthday", "Keeps a day", |_, arguments| {
            fails_where(arguments, |arguments| {
                arguments["day"].as_str().is_some_and(|day| day.ends_with("-02-29"))
            })
        })
        .input(|| schema(json!({"day": {"type": "string", "format": "date"}}))),
        bug: Bug {
            tool: "birthday",
            about: "The 29th of February is not known.",
            shows: Shows::Error,
            minimum: || vec![json!({"day": "0000-02-29"})],
        },
    },
    Buggy {
        tool: Tool::later("find", "Find", "Finds something by its name or by its number", |_, arguments| {
            fails_where(arguments, |arguments| arguments.get("number").is_some())
        })
        .input(|| {
            let by = |name: &str, value: Value| schema(json!({ name: value }));
            json!({"type": "object", "oneOf": [
                by("name", json!({"type": "string", "maxLength": 50})),
                by("number", json!({"type": "integer", "minimum": 0, "maximum": 1000})),
            ]})
        }),
        bug: Bug {
            tool: "find",
            about: "Only one of the two ways to say it was made.",
            shows: Shows::Error,
            minimum: || vec![json!({"number": 0})],
        },
    },
    Buggy {
        tool: Tool::now("few", "Few", "Takes at most ten things", |_, _| ToolResult::text("taken"))
            .input(|| schema(json!({"count": {"type": "integer", "minimum": 0, "maximum": 10}})))
            .unchecked(),
        bug: Bug {
            tool: "few",
            about: "Arguments are not held against the schema.",
            shows: Shows::Accepted,
            minimum: || vec![json!({"count": 11})],
        },
    },
    Buggy {
        tool: Tool::now("upper", "Upper case", "Writes a word in capitals", |_, arguments| {
            match arguments.get("word") {
                Some(Value::String(word)) => ToolResult::text(word.to_uppercase()),
                _ => crash(),
            }
        })
        .input(|| schema(json!({"word": {"type": "string", "maxLength": 50}})))
        .unchecked(),
        bug: Bug {
            tool: "upper",
            about: "The process ends at a word that is none.",
            shows: Shows::Crash,
            minimum: || vec![json!({})],
        },
    },
];

fn fails_where(arguments: &Object, wrong: fn(&Object) -> bool) -> ToolFuture<'_> {
    Box::pin(async move { if wrong(arguments) { Err(internal()) } else { Ok(ToolResult::text("done")) } })
}
