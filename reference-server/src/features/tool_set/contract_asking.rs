//! The fixture contract of the official conformance suite: tools that ask the client, in both eras.

use std::time::Duration;

use serde_json::{Value, json};

use super::schemas::{object, text};
use crate::context::RequestContext;
use crate::features::elicitation::{Elicited, form};
use crate::features::sampling::{sample, text_of};
use crate::features::tool::{Tool, ToolFuture, ToolOutcome, ToolResult};
use crate::features::{Capability, Level};
use crate::message::Object;
use crate::revision::Revision;

/// The time between two log messages.
const PAUSE: Duration = Duration::from_millis(20);
/// The time between the end of the stream and the answer of `test_reconnection`.
const ABSENCE: Duration = Duration::from_millis(100);

pub(super) const TOOLS: &[Tool] = &[
    Tool::later("test_tool_with_logging", "Log messages", "Sends three log messages, then answers", log),
    Tool::later("test_sampling", "Sampling", "Asks the client's model", |context, arguments| {
        Box::pin(async move {
            let answer =
                context.ask("answer", sample(context.revision, text(arguments, "prompt"), 100)).await?;
            Ok(ToolResult::text(format!("LLM response: {}", text_of(&answer))))
        })
    })
    .input(|| object(json!({"prompt": {"type": "string", "maxLength": 1000}}), &["prompt"])),
    Tool::later(
        "test_elicitation",
        "Elicitation",
        "Asks the user for a name and an address",
        |context, arguments| {
            let fields = json!({
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            });
            Box::pin(elicit(
                context,
                text(arguments, "message"),
                fields,
                &["username", "email"],
                "User response",
            ))
        },
    )
    .input(|| object(json!({"message": {"type": "string", "maxLength": 1000}}), &["message"]))
    .since(Revision::V2025_06_18),
    Tool::later(
        "test_elicitation_sep1034_defaults",
        "Elicitation with defaults",
        "Asks the user to fill a form in which every field has a default",
        |context, _| {
            Box::pin(elicit(context, "Please check these values.", defaults(), &[], "Elicitation completed"))
        },
    )
    .since(Revision::V2025_11_25),
    Tool::later(
        "test_elicitation_sep1330_enums",
        "Elicitation of choices",
        "Asks the user to fill a form with every kind of choice",
        |context, _| Box::pin(elicit(context, "Please choose.", choices(), &[], "Elicitation completed")),
    )
    .since(Revision::V2025_11_25),
    Tool::later(
        "test_reconnection",
        "Reconnection",
        "Ends the stream of its request before it answers, so that the client has to resume it",
        |context, _| {
            Box::pin(async move {
                context.sink.interrupt();
                tokio::time::sleep(ABSENCE).await;
                Ok(ToolResult::text("The stream was resumed."))
            })
        },
    )
    .since(Revision::V2025_11_25)
    .legacy_only(),
    Tool::later(
        "test_missing_capability",
        "Missing capability",
        "Needs a client that can sample",
        |context, _| {
            Box::pin(async move {
                context.require(Capability::Sampling)?;
                Ok(ToolResult::text("Success"))
            })
        },
    )
    .since(Revision::V2026_07_28),
    Tool::later(
        "test_streaming_elicitation",
        "Elicitation on a stream",
        "Reports what it does, then asks the user",
        |context, _| {
            Box::pin(async move {
                context.progress(1, 2, "A question follows").await;
                context.log(Level::Info, "A question follows").await;
                let name = json!({"name": {"type": "string"}});
                elicit(context, "What is your name?", name, &["name"], "User response").await
            })
        },
    )
    .since(Revision::V2026_07_28),
];

fn log<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let messages = ["Tool execution started", "Tool processing data", "Tool execution completed"];
        for (step, message) in messages.into_iter().enumerate() {
            if step > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            context.log(Level::Info, message).await;
        }
        Ok(ToolResult::text("Tool with logging executed successfully"))
    })
}

/// Asks for a form and repeats what came.
async fn elicit(
    context: &RequestContext,
    message: &str,
    fields: Value,
    required: &[&str],
    answer_to: &str,
) -> ToolOutcome {
    let question = form(context.revision, message, fields, required);
    let Elicited { action, content } = Elicited::read(&context.ask("form", question).await?);
    let content = content.unwrap_or_else(|| json!({}));
    Ok(ToolResult::text(format!("{answer_to}: action={action}, content={content}")))
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

fn choices() -> Value {
    let options = |kind: &str| {
        json!([
            {"const": "value1", "title": format!("First {kind}")},
            {"const": "value2", "title": format!("Second {kind}")},
            {"const": "value3", "title": format!("Third {kind}")},
        ])
    };
    json!({
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": options("Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {
            "type": "array", "minItems": 1, "maxItems": 3,
            "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
        },
        "titledMulti": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"anyOf": options("Choice")}},
    })
}
