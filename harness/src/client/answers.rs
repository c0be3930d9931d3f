//! Answers to what servers ask of their client: `ping`, roots, sampling, elicitation. As a rule each is valid and
//! harmless; probes choose others.

use super::wish::Wish;
use crate::protocol::{Era, Revision};
use serde_json::{Map, Value, json};

/// The words of the model that the harness plays; no server comes up with them by itself.
pub const MODEL_TEXT: &str = "The model of mcprove has spoken.";
/// The name of that model.
const MODEL: &str = "mcprove";

/// The capabilities that the harness declares, because it serves them.
pub fn capabilities(revision: Revision) -> Value {
    let mut capabilities = json!({"roots": {}, "sampling": {}});
    if revision.era() == Era::Legacy {
        capabilities["roots"] = json!({"listChanged": true});
    }
    if revision >= Revision::V2025_06_18 {
        capabilities["elicitation"] = json!({});
    }
    if revision >= Revision::V2025_11_25 {
        capabilities["elicitation"] = json!({"form": {}, "url": {}});
        capabilities["sampling"] = json!({"tools": {}});
    }
    capabilities
}

/// How the harness names itself.
pub fn client_info() -> Value {
    json!({"name": "mcprove", "version": env!("CARGO_PKG_VERSION")})
}

/// How the harness answers what a server asks it for. `ping` is answered in all ways but the last.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Answering {
    /// As a willing user and model would: forms are filled in, pages agreed to (and never opened), messages made. A
    /// model that may use tools uses one twice at once, and answers when it has the results.
    #[default]
    Willing,
    /// The user does not fill in or open anything: this `action`. The rest as [`Self::Willing`].
    Action(&'static str),
    /// With an error of this code and message, which a legacy client may send (in 2026-07-28 by no answer).
    Error(i64, &'static str),
    /// Forms are filled in with values that do not fit them. The rest as [`Self::Willing`].
    Misfit,
    /// With this result, whatever is asked.
    Result(Value),
    /// The model wants its tools used so many times more. The rest as [`Self::Willing`].
    Tools(u32),
    /// Not at all.
    Never,
    /// Not even pings: whoever holds the conversation answers.
    ByCaller,
}

impl Answering {
    /// Whether such an answer is one that a client obeying the protocol would not give.
    pub fn breaks_the_protocol(&self) -> bool {
        matches!(self, Self::Misfit | Self::Result(_))
    }

    /// The result for a request from the server, or the code and message of the error; `None` for no answer.
    pub(super) fn answer(
        &mut self,
        method: &str,
        params: Option<&Value>,
    ) -> Option<Result<Value, (i64, &'static str)>> {
        if *self == Self::ByCaller {
            return None;
        }
        let Some(wish) = Wish::of(method, params) else {
            return Some(if method == "ping" { Ok(json!({})) } else { Err((-32601, "method not found")) });
        };
        let schema = params.and_then(|params| params.get("requestedSchema"));
        Some(match (&mut *self, wish) {
            (Self::Never | Self::ByCaller, _) => return None,
            (Self::Error(code, message), _) => Err((*code, *message)),
            (Self::Result(result), _) => Ok(result.clone()),
            (Self::Action(action), Wish::Form | Wish::Url) => Ok(json!({"action": *action})),
            (Self::Misfit, Wish::Form) => Ok(json!({"action": "accept", "content": misfit(schema)})),
            (_, Wish::Form) => Ok(json!({"action": "accept", "content": form(schema)})),
            // The user agrees; the page is never opened, so the interaction never completes.
            (_, Wish::Url) => Ok(json!({"action": "accept"})),
            (_, Wish::Roots) => Ok(json!({"roots": [{"uri": "file:///mcprove/root", "name": "mcprove"}]})),
            (Self::Tools(left @ 1..), Wish::SamplingTools) => {
                *left -= 1;
                Ok(tool_uses(params).unwrap_or_else(message))
            }
            (Self::Tools(_), _) => Ok(message()),
            (_, Wish::SamplingTools) => Ok(params
                .filter(|params| !has_results(params))
                .and_then(|params| tool_uses(Some(params)))
                .unwrap_or_else(message)),
            (_, Wish::Sampling) => Ok(message()),
        })
    }
}

/// What the model says in the end.
fn message() -> Value {
    json!({
        "role": "assistant",
        "content": {"type": "text", "text": MODEL_TEXT},
        "model": MODEL,
        "stopReason": "endTurn",
    })
}

/// Whether results of tools stand in the messages of a sampling request.
fn has_results(params: &Value) -> bool {
    let messages = params.get("messages").and_then(Value::as_array);
    let is_result = |block: &Value| block["type"] == "tool_result";
    messages.into_iter().flatten().any(|message| match &message["content"] {
        Value::Array(blocks) => blocks.iter().any(is_result),
        block => is_result(block),
    })
}

/// Two uses at once of the first tool that is offered; `None` where none is to be used.
fn tool_uses(params: Option<&Value>) -> Option<Value> {
    let params = params?;
    let tool = params.get("tools")?.as_array()?.first()?;
    if params.pointer("/toolChoice/mode").and_then(Value::as_str) == Some("none") {
        return None;
    }
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": tool["name"], "input": form(tool.get("inputSchema"))});
    Some(json!({
        "role": "assistant",
        "content": [used("mcprove-use-1"), used("mcprove-use-2")],
        "model": MODEL,
        "stopReason": "toolUse",
    }))
}

/// Content for a form that fits none of its fields, and lacks what is required where there is more than one.
fn misfit(schema: Option<&Value>) -> Value {
    let mut content = Map::new();
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten().take(200) {
        let value = match property.get("type").and_then(Value::as_str) {
            Some("string") if property.get("enum").or(property.get("oneOf")).is_none() => json!(false),
            Some("array") => json!("mcprove: no list"),
            _ => json!("mcprove: no such value"),
        };
        content.insert(name.clone(), value);
    }
    Value::Object(content)
}

/// Content for a form: a valid value for every property. Forms are flat by specification.
fn form(schema: Option<&Value>) -> Value {
    let mut content = Map::new();
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten().take(200) {
        content.insert(name.clone(), field(property));
    }
    Value::Object(content)
}

fn field(property: &Value) -> Value {
    if let Some(default) = property.get("default") {
        return default.clone();
    }
    let first = |member: &str| property.get(member).and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = first("enum") {
        return value.clone();
    }
    for member in ["oneOf", "anyOf"] {
        if let Some(value) = first(member).and_then(|option| option.get("const")) {
            return value.clone();
        }
    }
    match property.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(true),
        Some("integer" | "number") => property.get("minimum").cloned().unwrap_or(json!(1)),
        Some("array") => match property.get("items") {
            Some(items) if property.get("minItems").and_then(Value::as_u64).unwrap_or(0) > 0 => {
                json!([field(items)])
            }
            _ => json!([]),
        },
        _ => text(property),
    }
}

fn text(property: &Value) -> Value {
    let text = match property.get("format").and_then(Value::as_str) {
        Some("email") => "mcprove@mcprove.example",
        Some("uri") => "https://mcprove.example/",
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        _ => "mcprove",
    };
    let minimum = property.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096);
    let mut text = text.to_owned();
    while (text.len() as u64) < minimum {
        text.push('x');
    }
    if let Some(maximum) = property.get("maxLength").and_then(Value::as_u64) {
        text.truncate(usize::try_from(maximum).unwrap_or(usize::MAX));
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in() {
        let params = json!({"message": "?", "requestedSchema": {"type": "object", "properties": {
            "name": {"type": "string", "minLength": 9},
            "mail": {"type": "string", "format": "email"},
            "age": {"type": "integer", "minimum": 18},
            "size": {"type": "string", "enum": ["s", "m"]},
        }}});
        let result = willing("elicitation/create", &params).unwrap();
        assert_eq!(
            result["content"],
            json!({"name": "mcprovexx", "mail": "mcprove@mcprove.example", "age": 18, "size": "s"})
        );
    }

    fn willing(method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        Answering::Willing.answer(method, Some(params)).unwrap()
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(willing("no/such", &json!({})).unwrap_err().0, -32601);
        assert_eq!(Answering::Never.answer("ping", None), Some(Ok(json!({}))));
        assert_eq!(Answering::Never.answer("roots/list", None), None);
    }

    #[test]
    fn a_page_is_agreed_to_without_content() {
        let page = json!({"mode": "url", "url": "https://mcprove.example/"});
        assert_eq!(willing("elicitation/create", &page), Ok(json!({"action": "accept"})));
        let mut declining = Answering::Action("decline");
        assert_eq!(
            declining.answer("elicitation/create", Some(&page)),
            Some(Ok(json!({"action": "decline"})))
        );
    }

    #[test]
    fn a_misfit_fits_no_field() {
        let form = json!({"requestedSchema": {"type": "object", "properties": {
            "name": {"type": "string"}, "age": {"type": "integer"}, "size": {"type": "string", "enum": ["s"]}}}});
        let answer = Answering::Misfit.answer("elicitation/create", Some(&form)).unwrap().unwrap();
        assert_eq!(answer["content"]["name"], false);
        assert!(answer["content"]["age"].is_string());
        assert_ne!(answer["content"]["size"], "s");
    }

    #[test]
    fn a_model_uses_tools_until_it_has_results() {
        let mut params = json!({"messages": [], "tools": [{"name": "t", "inputSchema": {"type": "object"}}]});
        let uses = willing("sampling/createMessage", &params).unwrap();
        assert_eq!(uses["stopReason"], "toolUse");
        assert_eq!(uses["content"][1]["id"], "mcprove-use-2");
        params["messages"] = json!([{"role": "user", "content": [{"type": "tool_result"}]}]);
        assert_eq!(willing("sampling/createMessage", &params).unwrap()["stopReason"], "endTurn");
        let mut greedy = Answering::Tools(1);
        let mut next = || greedy.answer("sampling/createMessage", Some(&params)).unwrap().unwrap();
        assert_eq!(next()["stopReason"], "toolUse");
        assert_eq!(next()["stopReason"], "endTurn");
    }
}
