//! The tools that ask the client for something before they answer.

use serde_json::json;

use super::schemas::{object, text};
use crate::context::{Caller, RequestContext};
use crate::faults::Duty;
use crate::features::Capability;
use crate::features::elicitation::{Elicited, form, required, url};
use crate::features::roots::list_roots;
use crate::features::sampling::{blocks_of, sample, sample_with_tools, text_of};
use crate::features::tool::{Tool, ToolFuture, ToolResult};
use crate::message::{Object, notification};
use crate::revision::Revision;
use crate::seal::random_id;

pub(super) const TOOLS: &[Tool] = &[
    Tool::later("ask_model", "Ask the model", "Asks the client's model a question", ask_model)
        .input(|| object(json!({"prompt": {"type": "string", "maxLength": 1000}}), &["prompt"])),
    Tool::later(
        "ask_weather",
        "Ask about the weather",
        "Asks the client's model, which may use a tool of this server on the way",
        ask_weather,
    )
    .input(|| object(json!({"city": {"type": "string", "minLength": 1, "maxLength": 80}}), &["city"]))
    .since(Revision::V2025_11_25),
    Tool::later(
        "list_client_roots",
        "List the client's roots",
        "Asks the client in which folders the user works",
        list_client_roots,
    ),
    Tool::later(
        "fill_form",
        "Fill a form",
        "Asks the user to fill a form with every kind of field",
        fill_form,
    )
    .since(Revision::V2025_06_18),
    Tool::later(
        "book_table",
        "Book a table",
        "Asks the user twice, the second time depending on the first answer",
        book_table,
    )
    .since(Revision::V2025_06_18),
    Tool::later("visit_page", "Visit a page", "Asks the user to confirm on a page", visit_page)
        .since(Revision::V2025_11_25),
    Tool::later(
        "read_statement",
        "Read a statement",
        "Reads a statement; a first call is refused, and says on which page the user has to confirm before",
        read_statement,
    )
    .since(Revision::V2025_11_25)
    .legacy_only()
    .changing(),
];

/// One question to the model.
fn ask_model<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let answer = context.ask("answer", sample(context.revision, text(arguments, "prompt"), 100)).await?;
        Ok(ToolResult::text(format!("The model says: {}", text_of(&answer))))
    })
}

/// A question for which the model may look something up with a tool of ours, once.
fn ask_weather<'a>(context: &'a RequestContext, arguments: &'a Object) -> ToolFuture<'a> {
    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = json!([{"name": "weather", "description": "The weather in a city", "inputSchema": city}]);
    let question = format!("What is the weather in {}?", text(arguments, "city"));
    Box::pin(async move {
        let mut messages = vec![json!({"role": "user", "content": {"type": "text", "text": question}})];
        let mut answer = context.ask("question", sample_with_tools(&messages, tools.clone(), 200)).await?;
        let most = if context.server.keeps(Duty::ToolLoopEnds) { 1 } else { usize::MAX };
        for round in 0..most {
            let uses: Vec<_> =
                blocks_of(&answer).iter().filter(|block| block["type"] == "tool_use").collect();
            if uses.is_empty() {
                break;
            }
            let results: Vec<_> = uses
                .iter()
                .map(|block| {
                    let weather = json!([{"type": "text", "text": "Sunny, 21 degrees"}]);
                    json!({"type": "tool_result", "toolUseId": block["id"], "content": weather})
                })
                .collect();
            let mut said = json!({"role": "assistant"});
            said["content"] = answer["content"].take();
            messages.push(said);
            messages.push(json!({"role": "user", "content": results}));
            let question = sample_with_tools(&messages, tools.clone(), 200);
            answer = context.ask(&format!("results-{round}"), question).await?;
        }
        Ok(ToolResult::text(format!("The model says: {}", text_of(&answer))))
    })
}

/// One form with every kind of field.
fn fill_form<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    let fields = json!({
        "name": {"type": "string", "title": "Name", "minLength": 1, "maxLength": 60, "default": "Ada"},
        "email": {"type": "string", "format": "email"},
        "born": {"type": "string", "format": "date"},
        "guests": {"type": "integer", "minimum": 1, "maximum": 20, "default": 2},
        "budget": {"type": "number", "minimum": 0},
        "vegetarian": {"type": "boolean", "default": false},
        "table": {"type": "string", "enum": ["inside", "terrace"], "default": "inside"},
    });
    Box::pin(async move {
        let question = form(context.revision, "Who comes to dinner?", fields, &["name", "guests"]);
        let answer = Elicited::read(&context.ask("dinner", question).await?);
        Ok(ToolResult::text(match answer.content.filter(|_| answer.action == "accept") {
            Some(content) => format!("The form says: {content}"),
            None => format!("No form, the user chose to {}.", answer.action),
        }))
    })
}

/// Two forms, the second of which depends on the first: three rounds in the modern era.
fn book_table<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let name = json!({"name": {"type": "string", "minLength": 1, "maxLength": 60}});
        let question = form(context.revision, "In whose name?", name, &["name"]);
        let answer = Elicited::read(&context.ask("name", question).await?);
        let Some(name) = answer.text("name") else {
            return Ok(ToolResult::text("Nothing was booked."));
        };
        let sure = json!({"sure": {"type": "boolean"}});
        let question = form(context.revision, &format!("Book a table for {name}?"), sure, &["sure"]);
        let answer = Elicited::read(&context.ask("confirmation", question).await?);
        let sure = answer.content.filter(|_| answer.action == "accept").is_some_and(|c| c["sure"] == true);
        Ok(ToolResult::text(if sure {
            format!("A table is booked for {name}.")
        } else {
            "Nothing was booked.".to_owned()
        }))
    })
}

/// A page to visit, on a host that exists nowhere.
fn visit_page<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let id = random_id();
        let page = format!("https://reference.example/confirm/{id}");
        let question = url("Please confirm on this page.", &page, &id, context.revision);
        let answer = Elicited::read(&context.ask("visit", question).await?);
        if !answer.accepted() {
            return Ok(ToolResult::text("Not confirmed."));
        }
        if !context.revision.is_modern() {
            let done = json!({"elicitationId": id});
            context.send(notification("notifications/elicitation/complete", &done)).await;
        }
        Ok(ToolResult::text("Confirmed."))
    })
}

/// A statement for users who have been on a page: the first call names it in an error, and may be made again then
/// (2025-11-25, client/elicitation#url-elicitation-required-error). Nobody is behind that page to say that the user was
/// there, so to have been sent is enough.
fn read_statement<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        context.require(Capability::ElicitationUrl)?;
        if let Caller::Session(session) = &context.caller
            && session.sends_to_page()
        {
            let id = random_id();
            let page = format!("https://reference.example/statement/{id}");
            return Err(required("Please confirm on this page first.", &page, &id, context.revision).into());
        }
        Ok(ToolResult::text("Your balance is 42."))
    })
}

/// The folders in which the user works.
fn list_client_roots<'a>(context: &'a RequestContext, _: &'a Object) -> ToolFuture<'a> {
    Box::pin(async move {
        let answer = context.ask("roots", list_roots()).await?;
        let roots = answer["roots"].as_array().map_or(&[][..], Vec::as_slice);
        let uris: Vec<&str> = roots.iter().filter_map(|root| root["uri"].as_str()).collect();
        Ok(ToolResult::text(format!("{} roots: {}", uris.len(), uris.join(" "))))
    })
}
