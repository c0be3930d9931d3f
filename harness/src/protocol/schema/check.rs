//! Checks of messages by method and result type, never by the wide unions of the schema.

use serde_json::Value;

use super::emit::schema_of;
use super::explain::{MAX_VIOLATIONS, explain};
use super::messages::{Party, methods};
use super::resolve::{RevisionModel, revision_model};
use crate::protocol::Revision;

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Where, as a JSON pointer into the value that was checked. Of an absent member: the object that lacks it.
    pub pointer: String,
    /// What should be there, in words.
    pub expected: String,
    /// What is there, in few words.
    pub actual: String,
    /// The type that says so, for example `Tool`.
    pub definition: String,
}

/// The verdict on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The message has the type that its method demands.
    Valid,
    /// It has not; at most 20 violations, at least one.
    Invalid(Vec<Violation>),
    /// The revision has no such method for this sender.
    UnknownMethod,
}

impl From<Vec<Violation>> for Checked {
    fn from(violations: Vec<Violation>) -> Self {
        if violations.is_empty() { Self::Valid } else { Self::Invalid(violations) }
    }
}

/// What is wrong with a value of the type `definition`; empty if nothing. `None`: the revision has no such definition.
pub fn check_definition(revision: Revision, definition: &str, value: &Value) -> Option<Vec<Violation>> {
    let model = revision_model(revision);
    model.position(definition).map(|at| violations(model, at, value))
}

/// Checks a whole request that `sender` sent, by its method.
///
/// Up to 2025-06-18 the type of a request does not include its envelope; it is checked all the same.
pub fn check_request(revision: Revision, sender: Party, message: &Value) -> Checked {
    let method = message.get("method").and_then(Value::as_str);
    let known =
        method.and_then(|method| methods(revision, sender).request(method)).map(|known| known.definition);
    check_message(revision, "JSONRPCRequest", known, message)
}

/// Checks a whole notification that `sender` sent, by its method.
pub fn check_notification(revision: Revision, sender: Party, message: &Value) -> Checked {
    let method = message.get("method").and_then(Value::as_str);
    let known = method.and_then(|method| methods(revision, sender).notification(method));
    check_message(revision, "JSONRPCNotification", known.map(|known| known.definition), message)
}

fn check_message(revision: Revision, envelope: &str, known: Option<&str>, message: &Value) -> Checked {
    let mut found = check_definition(revision, envelope, message).unwrap_or_default();
    let Some(definition) = known else {
        return if found.is_empty() { Checked::UnknownMethod } else { Checked::Invalid(found) };
    };
    for violation in check_definition(revision, definition, message).unwrap_or_default() {
        let seen = |old: &Violation| old.pointer == violation.pointer && old.expected == violation.expected;
        if found.len() < MAX_VIOLATIONS && !found.iter().any(seen) {
            found.push(violation);
        }
    }
    found.into()
}

/// Checks the `result` of a response to a request with `method`, whoever sent it.
///
/// A result that says what it is is taken at its word: in 2026-07-28 by `resultType` (`input_required` where the
/// method allows it; a type that core does not define, such as an extension's, is checked as a bare `Result`), in
/// 2025-11-25 a `task` in place of the members of the usual result. The result of `tasks/result` has the type of the
/// request that made the task: check it by that request's method.
pub fn check_result(revision: Revision, method: &str, result: &Value) -> Checked {
    let both = [Party::Client, Party::Server];
    match both.iter().find_map(|sender| methods(revision, *sender).request(method)) {
        Some(request) => {
            let definition = result_definition(revision, request.result, &request.other_results, result);
            check_definition(revision, definition, result).unwrap_or_default().into()
        }
        None => Checked::UnknownMethod,
    }
}

fn result_definition(
    revision: Revision,
    usual: &'static str,
    others: &[&'static str],
    result: &Value,
) -> &'static str {
    if revision >= Revision::V2026_07_28 {
        return match result.get("resultType").and_then(Value::as_str) {
            Some("input_required") if others.contains(&"InputRequiredResult") => "InputRequiredResult",
            None | Some("complete" | "input_required") => usual,
            Some(_) => "Result",
        };
    }
    let is_task = result.get("task").is_some_and(Value::is_object)
        && ["content", "action", "model", "role"].iter().all(|name| result.get(*name).is_none());
    if is_task && others.contains(&"CreateTaskResult") { "CreateTaskResult" } else { usual }
}

/// Checks a whole error response, and its `data` where the revision gives the code a type of its own.
///
/// An `id` that is null or absent is accepted: the sender may not have been able to read it.
pub fn check_error(revision: Revision, message: &Value) -> Checked {
    let model = revision_model(revision);
    let code = message.pointer("/error/code").and_then(Value::as_i64);
    let special =
        code.and_then(|code| model.errors.iter().find(|(known, _)| *known == code)).map(|(_, at)| *at);
    let general = || ["JSONRPCErrorResponse", "JSONRPCError"].iter().find_map(|name| model.position(name));
    special.or_else(general).map_or(Checked::UnknownMethod, |at| violations(model, at, message).into())
}

/// The verdict comes from the compiled JSON Schema, the explanation from the types.
fn violations(model: &RevisionModel, definition: usize, value: &Value) -> Vec<Violation> {
    let compiled = model.definitions[definition].validator.get_or_init(|| compile(model, definition));
    if compiled.is_valid(value) {
        return Vec::new();
    }
    let found = explain(model, definition, value);
    if !found.is_empty() {
        return found;
    }
    // Not reached as long as the two agree, which the tests hold; a verdict without explanation would be lost.
    let name = model.definitions[definition].name;
    let plain = |error: jsonschema::ValidationError<'_>| Violation {
        pointer: error.instance_path().as_str().to_owned(),
        expected: format!("what `{}` demands", error.kind().keyword()),
        actual: "another value".to_owned(),
        definition: name.to_owned(),
    };
    compiled.iter_errors(value).take(MAX_VIOLATIONS).map(plain).collect()
}

fn compile(model: &RevisionModel, definition: usize) -> jsonschema::Validator {
    jsonschema::options()
        .offline()
        .should_validate_formats(false)
        .build(&schema_of(model, definition))
        .expect("the emitted schemas compile: a test compiles every definition of every revision")
}
