//! The fixture contract of the official conformance suite: tools that speak before they answer, or to others.

use std::time::Duration;

use serde_json::json;

use super::schemas::{object, text};
use crate::changes::Change;
use crate::context::RequestContext;
use crate::features::Level;
use crate::features::tool::{Tool, ToolFuture, ToolResult};
use crate::message::Object;
use crate::revision::Revision;

/// The time between two notifications of a tool.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) const TOOLS: &[Tool] = &[
    Tool::later("test_tool_with_progress", "Progress", "Reports progress, then returns the token", progress),
    Tool::later(
        "test_logging_tool",
        "Logging",
        "Sends a log message to a request that asks for it",
        |context, _| {
            Box::pin(async move {
                context.log(Level::Info, "Logging evaluated").await;
                Ok(ToolResult::text("Logging evaluated"))
            })
        },
    )
    .since(Revision::V2026_07_28),
    Tool::now(
        "test_trigger_tool_change",
        "Change of tools",
        "Tells listeners to fetch the tools again",
        |context, _| {
            context.server.announce(&Change::Tools);
            ToolResult::text("Mutation triggered")
        },
    )
    .changing()
    .since(Revision::V2026_07_28),
    Tool::now(
        "test_trigger_prompt_change",
        "Change of prompts",
        "Tells listeners to fetch the prompts again",
        |context, _| {
            context.server.announce(&Change::Prompts);
            ToolResult::text("Mutation triggered")
        },
    )
    .changing()
    .since(Revision::V2026_07_28),
    Tool::now(
        "test_x_mcp_header",
        "Mirrored argument",
        "Takes an argument that HTTP clients repeat in a header",
        |_, arguments| ToolResult::text(format!("Region: {}", text(arguments, "region"))),
    )
    .input(|| object(json!({"region": {"type": "string", "x-mcp-header": "Region"}}), &["region"]))
    .since(Revision::V2026_07_28),
];

fn progress<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        for (step, done) in [0, 50, 100].into_iter().enumerate() {
            if step > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            context.progress(done, 100, &format!("{done} of 100")).await;
        }
        Ok(ToolResult::text(
            context.progress_token().unwrap_or_else(|| "No progress was asked for.".to_owned()),
        ))
    })
}
