//! Sampling requests: media, context, and the balance of tool uses and results (client/sampling).

use super::question::{Question, questions};
use super::resources::base64_breach;
use super::rule::monitors;
use super::text::is_base64;
use super::tool::Tool;
use super::{Asked, Judge, Moment};
use crate::client::{MODEL_TEXT, Wish};
use crate::protocol::{Era, Revision};
use serde_json::Value;
use std::collections::HashSet;

/// How many messages of one request are looked at.
const MOST_MESSAGES: usize = 2000;

monitors! {
    /// Images and sounds in sampling messages are base64 of the standard alphabet.
    sampled_media_is_base64 (WhileWeObey) decides ["sampling.message.base64"];
    /// `includeContext` is left out or `none`: the other values are deprecated from 2025-11-25 on, and only for clients
    /// that declare `sampling.context`.
    context_is_not_included (WhileWeObey) decides
        ["sampling.include-context.avoided", "sampling.include-context.capability"];
    /// Uses of tools stand in messages of the assistant, their results in a message of the user that has nothing else
    /// and follows at once; each use has its result, and each result names a use before it. Providers of models refuse
    /// whatever is out of balance.
    tool_uses_have_their_results (WhileWeObey) decides [
        "sampling.tool-result.alone", "sampling.tool-result.balance", "sampling.tool-result.ids",
        "sampling.tool-result.roles", "sampling.tool-result.structured",
    ];
    /// In 2026-07-28 what the model said for one request is not in the messages of another: a list of messages is not
    /// kept.
    messages_are_not_kept (WhileWeObey) decides ["sampling.not-retained"];
}

fn sampling<'a>(moment: &'a Moment<'_>) -> impl Iterator<Item = Question<'a>> {
    let is_sampling = |question: &Question<'_>| matches!(question.wish, Wish::Sampling | Wish::SamplingTools);
    questions(moment).into_iter().filter(is_sampling)
}

/// The messages of a request, each with its content blocks and their place.
fn messages<'a>(question: &Question<'a>) -> Vec<(&'a Value, Vec<&'a Value>)> {
    let messages = question.params.get("messages").and_then(Value::as_array);
    let blocks = |message: &'a Value| match message.get("content") {
        Some(Value::Array(blocks)) => blocks.iter().collect(),
        Some(block) => vec![block],
        None => Vec::new(),
    };
    messages.into_iter().flatten().take(MOST_MESSAGES).map(|message| (message, blocks(message))).collect()
}

fn sampled_media_is_base64(moment: &Moment<'_>, judge: &mut Judge) {
    for question in sampling(moment) {
        for (at, (_, blocks)) in messages(&question).into_iter().enumerate() {
            for block in blocks {
                let media = matches!(block["type"].as_str(), Some("image" | "audio"));
                let Some(data) = block.get("data").and_then(Value::as_str).filter(|_| media) else {
                    continue;
                };
                let named = block.get("mimeType").is_some_and(Value::is_string);
                judge.decide("sampling.message.base64", is_base64(data) && named, || {
                    let mut seen = if named {
                        base64_breach()
                    } else {
                        question
                            .breach(moment, "no-type", "", "media in a sampling message has no media type")
                            .expected(&["a string `mimeType`"])
                            .actual("none")
                            .see("sampling.message.shape")
                    };
                    seen = seen.at(moment.record);
                    seen.pointer(format!("{}/params/messages/{at}/content", question.at))
                });
            }
        }
    }
}

fn context_is_not_included(moment: &Moment<'_>, judge: &mut Judge) {
    for question in sampling(moment).filter(|question| question.revision >= Revision::V2025_11_25) {
        let value = question.params.get("includeContext").and_then(Value::as_str);
        let used = matches!(value, Some("thisServer" | "allServers"));
        let seen = |class: &str, message: &str| {
            question
                .breach(moment, class, "/includeContext", message)
                .expected(&["no `includeContext`, or `none`"])
                .actual(format!("`{}`", value.unwrap_or_default()))
        };
        judge.decide("sampling.include-context.avoided", !used, || {
            seen("deprecated", "a sampling request uses a deprecated value of `includeContext`")
        });
        let declared =
            question.declared.is_some_and(|declared| declared.pointer("/sampling/context").is_some());
        if !declared {
            judge.decide("sampling.include-context.capability", !used, || {
                let message =
                    "`includeContext` is used with a client that did not declare `sampling.context`";
                seen("undeclared", message).see("sampling.include-context.avoided")
            });
        }
    }
}

const ALONE: &str = "sampling.tool-result.alone";
const BALANCE: &str = "sampling.tool-result.balance";
const IDS: &str = "sampling.tool-result.ids";
const ROLES: &str = "sampling.tool-result.roles";

fn tool_uses_have_their_results(moment: &Moment<'_>, judge: &mut Judge) {
    for question in sampling(moment).filter(|question| question.revision >= Revision::V2025_11_25) {
        let messages = messages(&question);
        let id = |block: &Value, member: &str| block.get(member).and_then(Value::as_str).map(str::to_owned);
        let mut known: HashSet<String> = HashSet::new();
        let mut open: HashSet<String> = HashSet::new();
        for (at, (message, blocks)) in messages.iter().enumerate() {
            let place = format!("/messages/{at}");
            let seen = |class: &str, message: &str, expected: &str, actual: String| {
                question.breach(moment, class, &place, message).expected(&[expected]).actual(actual)
            };
            let of = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).count();
            let (uses, results) = (of("tool_use"), of("tool_result"));
            let role = message["role"].as_str().unwrap_or_default();
            if results > 0 {
                judge.decide(ALONE, results == blocks.len(), || {
                    let others = format!("{} other blocks", blocks.len() - results);
                    seen("mixed", "a message has results of tools and other things", "results only", others)
                });
            }
            if uses + results > 0 {
                let good = (uses == 0 || role == "assistant") && (results == 0 || role == "user");
                judge.decide(ROLES, good, || {
                    let expected = "uses of tools from the assistant, results from the user";
                    let actual = format!("role `{}`", role.chars().take(40).collect::<String>());
                    seen(
                        "role",
                        "a use or a result of a tool stands in a message of the other role",
                        expected,
                        actual,
                    )
                });
            }
            for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
                let named = id(block, "toolUseId");
                judge.decide(IDS, named.as_ref().is_some_and(|id| known.contains(id)), || {
                    let actual = named.as_ref().map_or("no id".to_owned(), |id| short(id));
                    seen("unknown-id", "a result names no use of a tool before it", "the id of a use", actual)
                });
                if let Some(named) = named {
                    open.remove(&named);
                }
                judge_structured(moment, &question, &messages, block, &place, judge);
            }
            if !open.is_empty() {
                let left = format!("{} without a result", open.len());
                let expected = "a result for each use in the message that follows";
                judge.broke(BALANCE, seen("unresolved", "a use of a tool has no result", expected, left));
                open.clear();
            } else if results > 0 {
                judge.held(BALANCE);
            }
            for block in blocks.iter().filter(|block| block["type"] == "tool_use") {
                if let Some(id) = id(block, "id") {
                    known.insert(id.clone());
                    open.insert(id);
                }
            }
        }
        if !open.is_empty() {
            let seen = question.breach(moment, "unresolved", "/messages", "a use of a tool has no result");
            judge.broke(
                BALANCE,
                seen.expected(&["a result for each use in the message that follows"])
                    .actual("the messages end with the use"),
            );
        }
    }
}

/// Holds a result's structured content against the output schema of the tool that was offered.
fn judge_structured(
    moment: &Moment<'_>,
    question: &Question<'_>,
    messages: &[(&Value, Vec<&Value>)],
    result: &Value,
    place: &str,
    judge: &mut Judge,
) {
    const ID: &str = "sampling.tool-result.structured";
    let Some(content) = result.get("structuredContent") else { return };
    let uses = messages.iter().flat_map(|(_, blocks)| blocks);
    let used =
        uses.into_iter().find(|block| block["type"] == "tool_use" && block["id"] == result["toolUseId"]);
    let Some(name) = used.and_then(|used| used.get("name")) else { return };
    let tools = question.params.get("tools").and_then(Value::as_array);
    let Some(tool) = tools.into_iter().flatten().find(|tool| tool["name"] == *name) else { return };
    match Tool::new(tool.clone()).output_conforms(content, question.revision) {
        Some(Ok(())) => judge.held(ID),
        Some(Err((_, why))) => judge.broke(
            ID,
            question
                .breach(moment, "mismatch", place, "a result does not conform to its tool's `outputSchema`")
                .expected(&["a value that `outputSchema` allows"])
                .actual(why),
        ),
        None => {}
    }
}

fn messages_are_not_kept(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "sampling.not-retained";
    let Some(asked) = moment.message.as_ref().and_then(|heard| heard.answers) else { return };
    let params = |asked: &Asked, member: &str| {
        asked.message.params().and_then(|params| params.get(member)).map(ToString::to_string)
    };
    let is_first = params(asked, "inputResponses").is_none() && params(asked, "requestState").is_none();
    let mut sampled =
        sampling(moment).filter(|question| question.revision.era() == Era::Modern && is_first).peekable();
    if sampled.peek().is_none() {
        return;
    }
    // The model has spoken before, and does not in what is asked with this request.
    let spoke = |earlier: &Asked| {
        earlier.seq < asked.seq
            && params(earlier, "inputResponses").is_some_and(|responses| responses.contains(MODEL_TEXT))
    };
    let quoted = asked.message.text().contains(MODEL_TEXT);
    if quoted || !moment.state.asked.values().any(spoke) {
        return;
    }
    for question in sampled {
        let kept = question.params.get("messages").is_some_and(|list| list.to_string().contains(MODEL_TEXT));
        judge.decide(ID, !kept, || {
            question
                .breach(
                    moment,
                    "kept",
                    "/messages",
                    "what the model said for another request is asked with again",
                )
                .expected(&["the messages of this request only"])
                .actual(format!("`{MODEL_TEXT}`"))
        });
    }
}

fn short(text: &str) -> String {
    format!("`{}`", text.chars().take(60).collect::<String>())
}
