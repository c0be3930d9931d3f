//! The fixture contract of the official conformance suite: tools that may run as tasks, in both eras.

use std::time::Duration;

use serde_json::{Value, json};

use super::schemas::{object, text};
use crate::context::RequestContext;
use crate::features::elicitation::{Elicited, form};
use crate::features::tasks::TaskSupport;
use crate::features::tool::{ArgumentsFuture, Tool, ToolFuture, ToolResult};
use crate::features::{InputRequest, Stop};
use crate::message::{INTERNAL_ERROR, Object, RpcError};
use crate::revision::Revision;

/// How long a job of no size takes.
const SHORT: Duration = Duration::from_millis(20);

pub(super) const TOOLS: &[Tool] = &[
    Tool::now("greet", "Greet", "Greets at once, never as a task", |_, arguments| {
        ToolResult::text(format!("Hello, {}!", text(arguments, "name")))
    })
    .input(|| object(json!({"name": {"type": "string", "maxLength": 80}}), &["name"])),
    Tool::later(
        "slow_compute",
        "Compute slowly",
        "Takes as long as it is told, reporting progress on the way",
        slow_compute,
    )
    .input(|| {
        object(
            json!({
                "seconds": {"type": "number", "minimum": 0, "maximum": 600, "default": 0.02},
                "label": {"type": "string", "maxLength": 80},
            }),
            &[],
        )
    })
    .task(TaskSupport::Optional),
    Tool::later(
        "failing_job",
        "Failing job",
        "Fails inside the tool after a while; runs as a task only",
        |_, _| {
            Box::pin(async move {
                tokio::time::sleep(SHORT).await;
                Ok(ToolResult::error("The job has failed, as it always does."))
            })
        },
    )
    .since(Revision::V2025_11_25)
    .task(TaskSupport::Required),
    Tool::later(
        "protocol_error_job",
        "Job with a protocol error",
        "Ends with a protocol error after a while; runs as a task only",
        |_, _| {
            Box::pin(async move {
                tokio::time::sleep(SHORT).await;
                let error = RpcError::new(INTERNAL_ERROR, "Internal error: the job ends so on purpose");
                Err(Stop::Error(error))
            })
        },
    )
    .since(Revision::V2025_11_25)
    .task(TaskSupport::Required),
    Tool::later(
        "confirm_delete",
        "Confirm a deletion",
        "Asks the user whether a file may be deleted, which it never is",
        confirm_delete,
    )
    .input(|| object(json!({"filename": {"type": "string", "maxLength": 200}}), &["filename"]))
    .since(Revision::V2025_06_18)
    .task(TaskSupport::Optional),
    Tool::later("multi_input", "Several inputs", "Asks the user two things at the same time", multi_input)
        .since(Revision::V2025_06_18)
        .task(TaskSupport::Optional),
    Tool::later(
        "test_tool_with_task",
        "Ask first, then work",
        "Asks for a name before it works; runs as a task only",
        |_, arguments| {
            Box::pin(async move {
                tokio::time::sleep(SHORT).await;
                Ok(ToolResult::text(format!("The task of {} is done.", text(arguments, "name"))))
            })
        },
    )
    .input(|| object(json!({"name": {"type": "string", "maxLength": 80}}), &[]))
    .before(ask_name)
    .since(Revision::V2025_11_25)
    .task(TaskSupport::Required),
];

/// A form with one field that may be left out.
fn field(context: &RequestContext, message: &str, name: &str, schema: Value) -> InputRequest {
    form(context.revision, message, json!({name: schema}), &[])
}

/// A field for a few words.
fn words() -> Value {
    json!({"type": "string", "maxLength": 80})
}

fn ask_name<'a>(context: &'a RequestContext, arguments: &'a Object) -> ArgumentsFuture<'a> {
    Box::pin(async move {
        let question = field(context, "What is your name?", "name", words());
        let answer = Elicited::read(&context.ask("user_name", question).await?);
        let mut arguments = arguments.clone();
        arguments.insert("name".into(), answer.text("name").unwrap_or("stranger").into());
        Ok(arguments)
    })
}

fn slow_compute<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    /// Steps between which progress is reported.
    const STEPS: u32 = 10;
    let seconds = arguments.get("seconds").and_then(Value::as_f64);
    // The schema has seen to it that there is such a duration.
    let time = seconds.map_or(SHORT, |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(SHORT));
    let label = arguments.get("label").and_then(Value::as_str).unwrap_or("The computation");
    Box::pin(async move {
        for step in 1..=STEPS {
            tokio::time::sleep(time / STEPS).await;
            let message = format!("{step} of {STEPS} steps");
            context.progress(u64::from(step), u64::from(STEPS), &message).await;
        }
        Ok(ToolResult::text(format!("{label} is done after {} ms.", time.as_millis())))
    })
}

fn confirm_delete<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    let filename = text(arguments, "filename");
    Box::pin(async move {
        let question = field(context, &format!("Delete {filename}?"), "confirm", json!({"type": "boolean"}));
        let answer = Elicited::read(&context.ask("confirmation", question).await?);
        let refused = answer.content.as_ref().is_some_and(|content| content["confirm"] == false);
        Ok(ToolResult::text(if answer.accepted() && !refused {
            format!("{filename} would be deleted now.")
        } else {
            format!("{filename} is kept.")
        }))
    })
}

fn multi_input<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let questions = [
            ("name", field(context, "What is your name?", "name", words())),
            ("colour", field(context, "Which colour do you like?", "colour", words())),
        ];
        let answers = context.ask_all(&questions).await?;
        let given = |index: usize, name: &str| {
            let answer: Option<&Value> = answers.get(index);
            answer.and_then(|answer| Elicited::read(answer).text(name).map(str::to_owned))
        };
        let name = given(0, "name").unwrap_or_else(|| "Somebody".to_owned());
        let colour = given(1, "colour").unwrap_or_else(|| "no colour".to_owned());
        Ok(ToolResult::text(format!("{name} likes {colour}.")))
    })
}
