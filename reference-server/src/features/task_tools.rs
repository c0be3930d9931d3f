//! The tools that may run as tasks.

use std::time::Duration;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::elicitation::{Elicited, form};
use crate::features::tasks::{TaskSupport, TaskTool};
use crate::features::tool_set::{ALWAYS, READ_ONLY, none, object, text};
use crate::features::tools::{Listed, Run, Tool, ToolFuture, ToolResult};
use crate::features::{InputRequest, Stop};
use crate::message::{INTERNAL_ERROR, Object, RpcError};
use crate::revision::Revision;

/// How long a job of no size takes.
const SHORT: Duration = Duration::from_millis(20);
/// Tools that run as a task only are of no use before.
const SINCE_TASKS: Listed = Listed::Since(Revision::V2025_11_25);
/// Tools with a form are of no use before.
const SINCE_FORMS: Listed = Listed::Since(Revision::V2025_06_18);

pub(crate) const TASK_TOOLS: &[Tool] = &[
    Tool {
        name: "greet",
        title: "Greet",
        description: "Greets at once, never as a task",
        input: || object(json!({"name": {"type": "string", "maxLength": 80}}), &["name"]),
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: Run::Now(|_, arguments| ToolResult::text(format!("Hello, {}!", text(arguments, "name")))),
    },
    Tool {
        name: "slow_compute",
        title: "Compute slowly",
        description: "Takes as long as it is told, reporting progress on the way",
        input: || {
            object(
                json!({
                    "seconds": {"type": "number", "minimum": 0, "maximum": 600, "default": 0.02},
                    "label": {"type": "string", "maxLength": 80},
                }),
                &[],
            )
        },
        output: None,
        hints: READ_ONLY,
        listed: ALWAYS,
        run: task(TaskSupport::Optional, slow_compute),
    },
    Tool {
        name: "failing_job",
        title: "Failing job",
        description: "Fails inside the tool after a while; runs as a task only",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: SINCE_TASKS,
        run: task(TaskSupport::Required, |_, _| {
            Box::pin(async move {
                tokio::time::sleep(SHORT).await;
                Ok(ToolResult::error("The job has failed, as it always does."))
            })
        }),
    },
    Tool {
        name: "protocol_error_job",
        title: "Job with a protocol error",
        description: "Ends with a protocol error after a while; runs as a task only",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: SINCE_TASKS,
        run: task(TaskSupport::Required, |_, _| {
            Box::pin(async move {
                tokio::time::sleep(SHORT).await;
                let error = RpcError::new(INTERNAL_ERROR, "Internal error: the job ends so on purpose");
                Err(Stop::Error(error))
            })
        }),
    },
    Tool {
        name: "confirm_delete",
        title: "Confirm a deletion",
        description: "Asks the user whether a file may be deleted, which it never is",
        input: || object(json!({"filename": {"type": "string", "maxLength": 200}}), &["filename"]),
        output: None,
        hints: READ_ONLY,
        listed: SINCE_FORMS,
        run: task(TaskSupport::Optional, confirm_delete),
    },
    Tool {
        name: "multi_input",
        title: "Several inputs",
        description: "Asks the user two things at the same time",
        input: none,
        output: None,
        hints: READ_ONLY,
        listed: SINCE_FORMS,
        run: task(TaskSupport::Optional, multi_input),
    },
    Tool {
        name: "test_tool_with_task",
        title: "Ask first, then work",
        description: "Asks for a name before its task begins; runs as a task only",
        input: || object(json!({"name": {"type": "string", "maxLength": 80}}), &[]),
        output: None,
        hints: READ_ONLY,
        listed: SINCE_TASKS,
        run: Run::Task(TaskTool {
            support: TaskSupport::Required,
            before: Some(|context, arguments| {
                Box::pin(async move {
                    let question = field(context, "What is your name?", "name", "string");
                    let answer = Elicited::read(&context.ask("user_name", question).await?);
                    let name = answer.text("name").unwrap_or("stranger");
                    let mut arguments = arguments.clone();
                    arguments.insert("name".into(), name.into());
                    Ok(arguments)
                })
            }),
            run: |_, arguments| {
                Box::pin(async move {
                    tokio::time::sleep(SHORT).await;
                    Ok(ToolResult::text(format!("The task of {} is done.", text(arguments, "name"))))
                })
            },
        }),
    },
];

/// A tool that asks nothing before its task begins.
pub(crate) const fn task(
    support: TaskSupport,
    run: for<'a> fn(&'a RequestContext, &'a Object) -> ToolFuture<'a>,
) -> Run {
    Run::Task(TaskTool { support, before: None, run })
}

/// A form with one field that may be left out.
fn field(context: &RequestContext, message: &str, name: &str, kind: &str) -> InputRequest {
    form(context.revision, message, json!({name: {"type": kind}}), &[])
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
        let question = field(context, &format!("Delete {filename}?"), "confirm", "boolean");
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
            ("name", field(context, "What is your name?", "name", "string")),
            ("colour", field(context, "Which colour do you like?", "colour", "string")),
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
