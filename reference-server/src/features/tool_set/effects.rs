//! Tools that wait, speak on the way, or change something that others can see.

use std::time::Duration;

use serde_json::{Value, json};

use super::schemas::{object, text, whole};
use crate::changes::Change;
use crate::context::RequestContext;
use crate::features::tasks::TaskSupport;
use crate::features::tool::{Tool, ToolFuture, ToolResult};
use crate::features::{Level, resource_exists};
use crate::message::Object;

pub(super) const TOOLS: &[Tool] = &[
    Tool::later(
        "countdown",
        "Count down",
        "Counts down to zero, reporting progress and log messages on the way",
        countdown,
    )
    .input(|| {
        object(
            json!({
                "from": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 3},
                "interval_ms": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20, "description": "Milliseconds between two steps"},
            }),
            &[],
        )
    })
    .task(TaskSupport::Optional),
    Tool::later(
        "log_levels",
        "Log at all levels",
        "Sends one log message at each of the eight levels",
        log_levels,
    ),
    Tool::now(
        "touch_resource",
        "Touch a resource",
        "Tells subscribers that a resource has changed; note://touches really changes",
        touch_resource,
    )
    .input(|| object(json!({"uri": {"type": "string", "format": "uri", "default": "note://touches"}}), &[]))
    .changing()
    .scopes("mcp mcp:write"),
    Tool::now(
        "announce_change",
        "Announce a changed list",
        "Tells listeners to fetch a list again",
        |context, arguments| {
            let list = text(arguments, "list");
            context.server.announce(&match list {
                "tools" => Change::Tools,
                "prompts" => Change::Prompts,
                _ => Change::Resources,
            });
            ToolResult::text(format!("Announced a change of the {list} list."))
        },
    )
    .input(|| {
        object(json!({"list": {"type": "string", "enum": ["tools", "prompts", "resources"]}}), &["list"])
    })
    .changing(),
    Tool::now(
        "toggle_tool",
        "Toggle a tool",
        "Adds the tool named extra to the list, or removes it",
        |context, _| {
            let listed = context.server.toggle_extra_tool();
            context.server.announce(&Change::Tools);
            ToolResult::text(if listed { "extra is listed now." } else { "extra is no longer listed." })
        },
    )
    .changing()
    .legacy_only(),
    Tool::now("extra", "Extra", "A tool that comes and goes", |_, _| ToolResult::text("Here for now."))
        .when_toggled(),
];

fn countdown<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    let number = |name: &str, default: u64| arguments.get(name).map_or(default, whole);
    let from = number("from", 3);
    let interval = Duration::from_millis(number("interval_ms", 20));
    Box::pin(async move {
        context.log(Level::Info, "Countdown started").await;
        for done in 1..=from {
            tokio::time::sleep(interval).await;
            context.progress(done, from, &format!("{} to go", from - done)).await;
            context.log(Level::Debug, format!("{} to go", from - done)).await;
        }
        context.log(Level::Info, "Countdown finished").await;
        Ok(ToolResult::text(format!("Counted down from {from}.")))
    })
}

fn log_levels<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        for level in Level::ALL {
            context.log(level, json!({"message": format!("A message of level {}", level.as_str())})).await;
        }
        Ok(ToolResult::text("Logged at every level."))
    })
}

fn touch_resource(context: &RequestContext, arguments: &Object) -> ToolResult {
    let uri = arguments.get("uri").and_then(Value::as_str).unwrap_or("note://touches");
    if !resource_exists(context.revision, &context.server, uri) {
        return ToolResult::error("Resource not found");
    }
    if uri == "note://touches" {
        context.server.touch();
    }
    context.server.announce(&Change::Resource(uri.into()));
    ToolResult::text(format!("Touched {uri}."))
}
