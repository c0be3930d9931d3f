//! The tools that this server offers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::asking_tools::{
    ask_model, ask_weather, book_table, fill_form, list_client_roots, visit_page,
};
use crate::features::task_tools::task;
use crate::features::tasks::TaskSupport;
use crate::features::tools::{Hints, Listed, Run, Tool, ToolFuture, ToolResult};
use crate::features::{Content, Level, read_resource, resource_exists};
use crate::message::Object;
use crate::revision::Revision;
use crate::server::Change;

pub(crate) const READ_ONLY: Hints = Hints { read_only: true, idempotent: true };
const CHANGING: Hints = Hints { read_only: false, idempotent: false };
pub(crate) const ALWAYS: Listed = Listed::Since(Revision::V2024_11_05);

pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "echo",
        title: "Echo",
        description: "Returns the text it is given",
        input: || object(json!({"text": {"type": "string", "description": "What to return"}}), &["text"]),
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, arguments| ToolResult::text(text(arguments, "text"))),
    },
    Tool {
        name: "add",
        title: "Add",
        description: "Adds two numbers",
        input: || object(json!({"a": {"type": "number"}, "b": {"type": "number"}}), &["a", "b"]),
        output: Some(|| object(json!({"sum": {"type": "number"}}), &["sum"])),
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(add),
    },
    Tool {
        name: "countdown",
        title: "Count down",
        description: "Counts down to zero, reporting progress and log messages on the way",
        input: || {
            object(
                json!({
                    "from": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 3},
                    "interval_ms": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20, "description": "Milliseconds between two steps"},
                }),
                &[],
            )
        },
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: task(TaskSupport::Optional, countdown),
    },
    Tool {
        name: "fail",
        title: "Fail",
        description: "Always fails inside the tool",
        input: || object(json!({"message": {"type": "string"}}), &[]),
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, arguments| {
            let message = arguments.get("message").and_then(Value::as_str);
            ToolResult::error(message.unwrap_or("This tool always fails."))
        }),
    },
    Tool {
        name: "plan_trip",
        title: "Plan a trip",
        description: "Takes arguments of many shapes and returns what it understood",
        input: trip_schema,
        output: Some(|| {
            object(
                json!({
                    "destination": {"type": "string"},
                    "travellers": {"type": "integer", "minimum": 1},
                    "class": {"type": "string", "enum": ["economy", "business", "first"]},
                }),
                &["destination", "travellers", "class"],
            )
        }),
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(plan_trip),
    },
    Tool {
        name: "poem",
        title: "Poem",
        description: "Returns several lines in several writing systems",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, _| {
            ToolResult::content(vec![
                Content::Text("古池や\n蛙飛びこむ\n水の音\n".to_owned()),
                Content::NoteToUser("Ein Frosch springt: „plumps“ 🐸\r\n\t\\ \u{2028}".to_owned(), 0.8),
            ])
        }),
    },
    Tool {
        name: "picture",
        title: "Picture",
        description: "Returns an image",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, _| ToolResult::content(vec![Content::Image])),
    },
    Tool {
        name: "sound",
        title: "Sound",
        description: "Returns a short tone",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_03_26),
        run: Run::Now(|_, _| ToolResult::content(vec![Content::Audio])),
    },
    Tool {
        name: "embed_note",
        title: "Embed a note",
        description: "Returns a resource of this server inside the result",
        input: || {
            object(json!({"uri": {"type": "string", "format": "uri", "default": "note://welcome"}}), &[])
        },
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(embed_note),
    },
    Tool {
        name: "link_note",
        title: "Link to a note",
        description: "Returns a link to a resource of this server",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_06_18),
        run: Run::Now(|_, _| {
            ToolResult::content(vec![Content::Link {
                uri: "note://settings".to_owned(),
                name: "settings",
                title: "Settings",
                mime_type: "application/json",
            }])
        }),
    },
    Tool {
        name: "search_region",
        title: "Search a region",
        description: "Takes arguments that HTTP clients repeat in headers",
        input: region_schema,
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, arguments| ToolResult::text(Value::Object(arguments.clone()).to_string())),
    },
    Tool {
        name: "log_levels",
        title: "Log at all levels",
        description: "Sends one log message at each of the eight levels",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Later(log_levels),
    },
    Tool {
        name: "ask_model",
        title: "Ask the model",
        description: "Asks the client's model a question",
        input: || object(json!({"prompt": {"type": "string", "maxLength": 1000}}), &["prompt"]),
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Later(ask_model),
    },
    Tool {
        name: "ask_weather",
        title: "Ask about the weather",
        description: "Asks the client's model, which may use a tool of this server on the way",
        input: || object(json!({"city": {"type": "string", "minLength": 1, "maxLength": 80}}), &["city"]),
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_11_25),
        run: Run::Later(ask_weather),
    },
    Tool {
        name: "list_client_roots",
        title: "List the client's roots",
        description: "Asks the client in which folders the user works",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Later(list_client_roots),
    },
    Tool {
        name: "fill_form",
        title: "Fill a form",
        description: "Asks the user to fill a form with every kind of field",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_06_18),
        run: Run::Later(fill_form),
    },
    Tool {
        name: "book_table",
        title: "Book a table",
        description: "Asks the user twice, the second time depending on the first answer",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_06_18),
        run: Run::Later(book_table),
    },
    Tool {
        name: "visit_page",
        title: "Visit a page",
        description: "Asks the user to confirm on a page",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::Since(Revision::V2025_11_25),
        run: Run::Later(visit_page),
    },
    Tool {
        name: "touch_resource",
        title: "Touch a resource",
        description: "Tells subscribers that a resource has changed; note://touches really changes",
        input: || {
            object(json!({"uri": {"type": "string", "format": "uri", "default": "note://touches"}}), &[])
        },
        output: None,
        hints: CHANGING,
        listed: ALWAYS,
        run: Run::Now(touch_resource),
    },
    Tool {
        name: "announce_change",
        title: "Announce a changed list",
        description: "Tells listeners to fetch a list again",
        input: || {
            object(json!({"list": {"type": "string", "enum": ["tools", "prompts", "resources"]}}), &["list"])
        },
        output: None,
        hints: CHANGING,
        listed: ALWAYS,
        run: Run::Now(|context, arguments| {
            let list = text(arguments, "list");
            context.server.announce(match list {
                "tools" => Change::Tools,
                "prompts" => Change::Prompts,
                _ => Change::Resources,
            });
            ToolResult::text(format!("Announced a change of the {list} list."))
        }),
    },
    Tool {
        name: "toggle_tool",
        title: "Toggle a tool",
        description: "Adds the tool named extra to the list, or removes it",
        input: none,
        output: None,
        hints: CHANGING,
        listed: Listed::Legacy,
        run: Run::Now(|context, _| {
            let listed = context.server.toggle_extra_tool();
            context.server.announce(Change::Tools);
            ToolResult::text(if listed { "extra is listed now." } else { "extra is no longer listed." })
        }),
    },
    Tool {
        name: "extra",
        title: "Extra",
        description: "A tool that comes and goes",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: Listed::WhenToggled,
        run: Run::Now(|_, _| ToolResult::text("Here for now.")),
    },
];

/// A closed object schema.
pub(crate) fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The schema of a tool without arguments.
pub(crate) fn none() -> Value {
    json!({"type": "object", "additionalProperties": false})
}

fn trip_schema() -> Value {
    object(
        json!({
            "destination": {"type": "string", "minLength": 1, "maxLength": 80},
            "class": {"type": "string", "enum": ["economy", "business", "first"], "default": "economy"},
            "travellers": {
                "type": "array", "minItems": 1, "maxItems": 9,
                "items": object(
                    json!({
                        "name": {"type": "string", "minLength": 1, "maxLength": 60},
                        "age": {"type": "integer", "minimum": 0, "maximum": 130},
                    }),
                    &["name"],
                ),
            },
            "departure": {"type": "string", "format": "date"},
            "booking": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
            "budget": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
            "bags": {"type": "integer", "minimum": 0, "maximum": 20, "multipleOf": 2},
            "flexible": {"type": "boolean", "default": false},
            "tags": {"type": "array", "uniqueItems": true, "maxItems": 5, "items": {"type": "string", "maxLength": 20}},
        }),
        &["destination", "travellers"],
    )
}

fn region_schema() -> Value {
    object(
        json!({
            "region": {"type": "string", "maxLength": 200, "x-mcp-header": "Region"},
            "limit": {"type": "integer", "minimum": 0, "maximum": 1000, "x-mcp-header": "Limit"},
            "exact": {"type": "boolean", "x-mcp-header": "Exact"},
            "options": object(json!({"tenant": {"type": "string", "x-mcp-header": "Tenant"}}), &[]),
        }),
        &["region"],
    )
}

/// A string argument that the schema has already asked for.
pub(crate) fn text<'a>(arguments: &'a Object, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An integer from 0 up, which JSON may also write as `3.0`.
fn whole(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| {
            value.as_f64().map(|number| Duration::try_from_secs_f64(number).map_or(0, |d| d.as_secs()))
        })
        .unwrap_or_default()
}

fn add(_: &RequestContext, arguments: &Object) -> ToolResult {
    let number = |name: &str| arguments.get(name).and_then(Value::as_f64).unwrap_or_default();
    let integer = |name: &str| arguments.get(name).and_then(Value::as_i64);
    let exact = integer("a").zip(integer("b")).and_then(|(a, b)| a.checked_add(b));
    let sum = match exact {
        Some(sum) => Value::from(sum),
        None => Value::from(number("a") + number("b")),
    };
    if sum.is_null() {
        return ToolResult::error("The sum is too large.");
    }
    ToolResult::structured(json!({"sum": sum}))
}

fn countdown<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    let number = |name: &str, default: u64| arguments.get(name).map_or(default, whole);
    let from = number("from", 3);
    let interval = Duration::from_millis(number("interval_ms", 20));
    Box::pin(async move {
        context.log(Level::Info, "Countdown started").await;
        for done in 1..=from {
            tokio::time::sleep(interval).await;
            context.progress(done, from, &format!("{} to go", from - done)).await;
            context.log(Level::Debug, &format!("{} to go", from - done)).await;
        }
        context.log(Level::Info, "Countdown finished").await;
        Ok(ToolResult::text(format!("Counted down from {from}.")))
    })
}

fn log_levels<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        for level in Level::ALL {
            context.log(level, &format!("A message of level {}", level.as_str())).await;
        }
        Ok(ToolResult::text("Logged at every level."))
    })
}

fn plan_trip(_: &RequestContext, arguments: &Object) -> ToolResult {
    let class = arguments.get("class").and_then(Value::as_str).unwrap_or("economy");
    let travellers = arguments.get("travellers").and_then(Value::as_array).map_or(0, Vec::len);
    ToolResult::structured(json!({
        "destination": text(arguments, "destination"),
        "travellers": travellers,
        "class": class,
    }))
}

fn embed_note(context: &RequestContext, arguments: &Object) -> ToolResult {
    let mut params = arguments.clone();
    params.entry("uri").or_insert_with(|| "note://welcome".into());
    match read_resource(&context.server, context.revision, &params) {
        Ok(resource) => ToolResult::content(vec![Content::Embedded(resource["contents"][0].clone())]),
        Err(error) => ToolResult::error(error.message),
    }
}

fn touch_resource(context: &RequestContext, arguments: &Object) -> ToolResult {
    let uri = arguments.get("uri").and_then(Value::as_str).unwrap_or("note://touches");
    if !resource_exists(&context.server, uri) {
        return ToolResult::error("Resource not found");
    }
    if uri == "note://touches" {
        context.server.touch();
    }
    context.server.announce(Change::Resource(uri.into()));
    ToolResult::text(format!("Touched {uri}."))
}
