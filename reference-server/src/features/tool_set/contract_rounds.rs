//! The fixture contract of the official conformance suite: tools of the stateless revision that need several rounds.

use serde_json::json;

use crate::context::RequestContext;
use crate::features::elicitation::{Elicited, form};
use crate::features::roots::list_roots;
use crate::features::sampling::{sample, text_of};
use crate::features::tool::{Tool, ToolFuture, ToolResult};
use crate::features::{Capability, InputRequest};
use crate::message::Object;
use crate::revision::Revision;

const MODERN: Revision = Revision::V2026_07_28;

pub(super) const TOOLS: &[Tool] = &[
    Tool::later(
        "test_input_required_result_elicitation",
        "A round with a form",
        "Asks the user for a name",
        |context, _| {
            Box::pin(async move {
                let question = field(context, "What is your name?", "name");
                let answer = Elicited::read(&context.ask("user_name", question).await?);
                Ok(ToolResult::text(format!("Hello, {}!", answer.text("name").unwrap_or("stranger"))))
            })
        },
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_sampling",
        "A round with the model",
        "Asks the client's model for a capital",
        |context, _| {
            Box::pin(async move {
                let question = sample(context.revision, "What is the capital of France?", 100);
                Ok(ToolResult::text(text_of(&context.ask("capital_question", question).await?)))
            })
        },
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_list_roots",
        "A round with roots",
        "Asks the client for its roots",
        |context, _| {
            Box::pin(async move {
                let answer = context.ask("client_roots", list_roots()).await?;
                let count = answer["roots"].as_array().map_or(0, Vec::len);
                Ok(ToolResult::text(format!("Found {count} root(s)")))
            })
        },
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_request_state",
        "A round with a state",
        "Asks the user to confirm; the state that it hands out has to come back",
        |context, _| confirm(context, "state-ok"),
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_multiple_inputs",
        "A round with three questions",
        "Asks the user, the model and the client at once",
        |context, _| {
            Box::pin(async move {
                let answers = context
                    .ask_all(&[
                        ("user_name", field(context, "What is your name?", "name")),
                        ("greeting", sample(context.revision, "Generate a greeting", 50)),
                        ("client_roots", list_roots()),
                    ])
                    .await?;
                Ok(ToolResult::text(format!("All {} answers came.", answers.len())))
            })
        },
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_multi_round",
        "Two rounds",
        "Asks the user twice",
        |context, _| {
            Box::pin(async move {
                let question = field(context, "Step 1: What is your name?", "name");
                let name = Elicited::read(&context.ask("step1", question).await?);
                let question = field(context, "Step 2: What is your favorite color?", "color");
                let color = Elicited::read(&context.ask("step2", question).await?);
                let (name, color) = (name.text("name"), color.text("color"));
                Ok(ToolResult::text(format!(
                    "{} likes {}.",
                    name.unwrap_or("Somebody"),
                    color.unwrap_or("no color")
                )))
            })
        },
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_tampered_state",
        "A state that was tampered with",
        "Asks the user to confirm; refuses a state that it did not make",
        |context, _| confirm(context, "integrity-ok"),
    )
    .since(MODERN),
    Tool::later(
        "test_input_required_result_capabilities",
        "Questions within reach",
        "Asks only what the client of this request can answer",
        ask_what_is_declared,
    )
    .since(MODERN),
];

/// A form with one text field.
fn field(context: &RequestContext, message: &str, name: &str) -> InputRequest {
    form(context.revision, message, json!({name: {"type": "string"}}), &[name])
}

fn confirm<'a>(context: &'a RequestContext, done: &'static str) -> ToolFuture<'a> {
    Box::pin(async move {
        let fields = json!({"ok": {"type": "boolean"}});
        let question = form(context.revision, "Please confirm", fields, &["ok"]);
        context.ask("confirm", question).await?;
        Ok(ToolResult::text(done))
    })
}

fn ask_what_is_declared<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let questions = [
            ("elicit_input", field(context, "What is your name?", "name")),
            ("sample_input", sample(context.revision, "Say hello.", 50)),
        ];
        let within_reach: Vec<_> =
            questions.into_iter().filter(|(_, question)| context.client_has(question.needs)).collect();
        if within_reach.is_empty() {
            // Either would do; the error names one.
            context.require(Capability::ElicitationForm)?;
        }
        context.ask_all(&within_reach).await?;
        Ok(ToolResult::text("capabilities-ok"))
    })
}
