//! Sampling: asking the client's model for a message.

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

fn check(_: &Object, answer: &Value) -> Result<(), String> {
    let is_role = matches!(answer["role"].as_str(), Some("user" | "assistant"));
    let is_block = |block: &Value| block["type"].is_string();
    let is_content = match &answer["content"] {
        Value::Array(blocks) => !blocks.is_empty() && blocks.iter().all(is_block),
        block => is_block(block),
    };
    if is_role && is_content && answer["model"].is_string() {
        return Ok(());
    }
    Err("the answer to a sampling request has role, content and model".to_owned())
}
