//! Sampling: asking the client's model for a message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::features::{Capability, InputRequest};
use crate::message::Object;
use crate::revision::Revision;

/// One question to the model, in plain text.
pub(crate) fn sample(revision: Revision, prompt: &str, max_tokens: u32) -> InputRequest {
    let mut params = Object::new();
    params.insert("messages".into(), json!([{"role": "user", "content": {"type": "text", "text": prompt}}]));
    params.insert("maxTokens".into(), max_tokens.into());
    let check = if revision >= Revision::V2025_11_25 { check } else { check_single };
    InputRequest { method: "sampling/createMessage", params, needs: Capability::Sampling, check }
}

/// A conversation in which the model may use these tools of ours.
pub(crate) fn sample_with_tools(messages: &[Value], tools: Value, max_tokens: u32) -> InputRequest {
    let mut params = Object::new();
    params.insert("messages".into(), messages.into());
    params.insert("maxTokens".into(), max_tokens.into());
    params.insert("tools".into(), tools);
    InputRequest { method: "sampling/createMessage", params, needs: Capability::SamplingTools, check }
}

/// The blocks of an answer that was checked.
pub(crate) fn blocks_of(answer: &Value) -> &[Value] {
    let content = &answer["content"];
    content.as_array().map_or(std::slice::from_ref(content), Vec::as_slice)
}

/// The text of an answer that was checked: of its first block of text.
pub(crate) fn text_of(answer: &Value) -> &str {
    blocks_of(answer).iter().find_map(|block| block["text"].as_str()).unwrap_or_default()
}

/// Before 2025-11-25 an answer has a single block.
fn check_single(params: &Object, answer: &Value) -> Result<(), String> {
    if answer["content"].is_array() {
        return Err("the content of the answer is a single block in this revision".to_owned());
    }
    check(params, answer)
}

fn check(params: &Object, answer: &Value) -> Result<(), String> {
    let is_role = matches!(answer["role"].as_str(), Some("user" | "assistant"));
    let has_words = ["model", "stopReason"].iter().all(|name| answer.get(*name).is_none_or(Value::is_string));
    if !is_role || !has_words || answer.get("model").is_none() {
        return Err("the answer to a sampling request has role, content and model".to_owned());
    }
    match &answer["content"] {
        Value::Array(blocks) if blocks.is_empty() => Err("the content of the answer is empty".to_owned()),
        Value::Array(blocks) => blocks.iter().try_for_each(|block| check_block(params, block)),
        block => check_block(params, block),
    }
}

/// What a model may say: texts, pictures and sounds, and the use of tools that were offered.
fn check_block(params: &Object, block: &Value) -> Result<(), String> {
    let is_text = |name: &str| block[name].is_string();
    let is_right = match block["type"].as_str() {
        Some("text") => is_text("text"),
        Some("image" | "audio") => {
            is_text("mimeType") && block["data"].as_str().is_some_and(|data| STANDARD.decode(data).is_ok())
        }
        Some("tool_use") => {
            let is_offered = |tool: &Value| tool["name"].is_string() && tool["name"] == block["name"];
            let offered = params.get("tools").and_then(Value::as_array);
            offered.is_some_and(|tools| tools.iter().any(is_offered))
                && is_text("id")
                && block["input"].is_object()
        }
        _ => false,
    };
    is_right.then_some(()).ok_or_else(|| {
        "the content of the answer is text, an image, audio, or the use of a tool that was offered".to_owned()
    })
}
