//! Faults of elicitation.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, is, is_method, put};
use crate::faults::fault::{
    FORMS, Fault, HTTP, MODERN, SINCE_2025_06, SINCE_2025_11, STDIO, V2025_11, fault,
};
use crate::faults::hook::Hook::{Answer, Input, Intercept, Neglect, Notify, Question, Result};
use crate::faults::hook::Input::{Drop, Pass};
use crate::faults::hook::{Asked, Instead};
use crate::features::Capability;
use crate::message::{INVALID_PARAMS, Object, RpcError, URL_ELICITATION_REQUIRED};

/// The method of every question to the user.
const ASK: &str = "elicitation/create";
/// The tool that asks the user to visit a page.
const PAGE_TOOL: &str = "visit_page";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "elicitation.capability.required/undeclared",
        "Forms are asked of clients that do not declare elicitation.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::ElicitationForm))],
    )
    .also_seen(&["elicitation.mode.declared-only", "mrtr.result.respects-capabilities"])
    .within(SINCE_2025_06)
    .over(STDIO),
    fault(
        "elicitation.mode.declared-only/pages",
        "Pages are asked of clients that know only forms.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::ElicitationUrl))],
    )
    .also_seen(&["elicitation.capability.required", "mrtr.result.respects-capabilities"])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "elicitation.sensitive.not-by-form/password",
        "Forms have a field for a password.",
        &[Question(ASK, |_, params| field(params, "password", json!({"type": "string"})))],
    )
    .breaking(&["elicitation.sensitive.by-url"])
    .within(SINCE_2025_06)
    .warning_in(SINCE_2025_06),
    fault(
        "elicitation.request.message/left-out",
        "The user is asked without a message.",
        &[Question(ASK, |_, params| drop(params.remove("message")))],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.request.mode/dialog",
        "Forms are of a mode that there is not.",
        &[Question(ASK, |_, params| put_if(params, "form", "mode", "dialog"))],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.form.schema-present/left-out",
        "Forms have no requestedSchema.",
        &[Question(ASK, |_, params| drop(params.remove("requestedSchema")))],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.form.flat-primitives/nested",
        "Forms have a field that is an object.",
        &[Question(ASK, |_, params| {
            field(params, "address", json!({"type": "object", "properties": {"city": {"type": "string"}}}));
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.form.string-format/phone",
        "Forms have a text of the format `phone`.",
        &[Question(ASK, |_, params| field(params, "phone", json!({"type": "string", "format": "phone"})))],
    )
    // By the schema it is a field of no kind.
    .also_seen(&["elicitation.form.flat-primitives"])
    .within(SINCE_2025_06),
    fault(
        "elicitation.form.enum-form/objects",
        "Forms have a choice among values without titles.",
        &[Question(ASK, |_, params| {
            field(params, "size", json!({"type": "string", "oneOf": [{"const": "s"}, {"const": "m"}]}));
        })],
    )
    .within(SINCE_2025_11)
    .warning_in(SINCE_2025_11),
    fault(
        "elicitation.form.enum-names-avoided/used",
        "Forms name the values of a choice in enumNames.",
        &[Question(ASK, |_, params| {
            field(params, "size", json!({"type": "string", "enum": ["s"], "enumNames": ["Small"]}));
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.form.default-type/text",
        "Forms have a boolean field whose default is a text.",
        &[Question(ASK, |_, params| field(params, "agreed", json!({"type": "boolean", "default": "yes"})))],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.form.required-known/unknown",
        "Forms require a field that they do not have.",
        &[Question(ASK, |_, params| put(params, &["requestedSchema", "required"], json!(["nowhere"])))],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.form.no-clickable-urls/message",
        "The message of a form has a link to click.",
        &[Question(ASK, |_, params| {
            put_if(params, "form", "message", "Sign in at https://login.mcprove-fault.dev/start first.");
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.form.response-validated/ignored",
        "What comes in a form is not compared with the requestedSchema.",
        &[Neglect(Duty::AnswersChecked)],
    )
    .within(SINCE_2025_06),
    fault(
        "elicitation.url.fields/no-url",
        "Pages have no URL.",
        &[Question(ASK, |_, params| drop(params.remove("url")))],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.url.valid/path",
        "The URL of a page is a path.",
        &[Question(ASK, |_, params| put_if(params, "url", "url", "/confirm"))],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.url.https/plain",
        "Pages are reached without TLS.",
        &[Question(ASK, |_, params| put_if(params, "url", "url", "http://reference.example/confirm"))],
    )
    .within(SINCE_2025_11),
    fault(
        "elicitation.url.no-user-data/mail",
        "The URL of a page has the mail address of the user.",
        &[Question(ASK, |_, params| {
            put_if(params, "url", "url", "https://reference.example/confirm?user=ada@analytical.co.uk");
        })],
    )
    .within(SINCE_2025_11)
    .warning_in(SINCE_2025_11),
    fault(
        "elicitation.url.id-unique/same",
        "All pages have one id.",
        &[
            Question(ASK, |_, params| put_if(params, "url", "elicitationId", "page")),
            Notify(|_, message| completed(message, "page")),
        ],
    )
    .within(V2025_11),
    fault(
        "elicitation.url.id-retired/kept",
        "Pages have an id, which is no more.",
        &[Question(ASK, |_, params| put_if(params, "url", "elicitationId", "page"))],
    )
    .within(MODERN),
    fault(
        "elicitation.url.accept-is-not-completion/content-wanted",
        "Who agrees to a page without content is refused.",
        &[Intercept(|asked| {
            let agreed = responses(asked).any(|answer| {
                answer["action"] == "accept" && answer.get("content").is_none()
            });
            agreed.then(|| Instead::error(INVALID_PARAMS, "Invalid params: content is missing"))
        })],
    )
    .within(MODERN),
    fault(
        "elicitation.complete.id/made-up",
        "That a page was visited is told with an id that nobody knows.",
        &[Notify(|_, message| completed(message, "made-up"))],
    )
    .within(V2025_11),
    fault(
        "elicitation.required-error.code/other",
        "Pages to visit first are listed by an error with another code.",
        &[Answer(|asked, answer| {
            if is_page_call(asked) {
                *answer = Err(pages_first(-32000, &page(), "Please confirm first"));
            }
        })],
    )
    .within(V2025_11),
    fault(
        "elicitation.required-error.only-then/failure",
        "A tool that fails gives the error for pages to visit first.",
        &[Answer(|asked, answer| {
            if asked.is("tools/call") && asked.text("name") == "fail" {
                *answer = Err(RpcError::new(URL_ELICITATION_REQUIRED, "It failed"));
            }
        })],
    )
    .breaking(&["elicitation.required-error.list"])
    .within(V2025_11),
    fault(
        "elicitation.required-error.items/form",
        "A page to visit first is listed as a form.",
        &[Answer(|asked, answer| {
            if is_page_call(asked) {
                let form = json!({"mode": "form", "message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}});
                *answer = Err(pages_first(URL_ELICITATION_REQUIRED, &json!([form, page()[0]]), "Please confirm first"));
            }
        })],
    )
    .also_seen(&["elicitation.required-error.client-mode"])
    .within(V2025_11),
    fault(
        "elicitation.required-error.client-mode/undeclared",
        "Clients that know no pages are told to visit one first.",
        &[Answer(|asked, answer| {
            if is_page_call(asked) {
                *answer = Err(pages_first(URL_ELICITATION_REQUIRED, &page(), "Please confirm first"));
            }
        })],
    )
    .within(V2025_11),
    fault(
        "elicitation.actions.handled/declined",
        "A call whose user declines never ends.",
        &[
            Input(|_, bytes| if is_refusal(bytes) { Drop } else { Pass }),
            Intercept(|asked| responses(asked).any(|answer| answer["action"] == "decline").then_some(Instead::Never)),
        ],
    )
    .within(SINCE_2025_06)
    .over(STDIO),
    fault(
        "elicitation.error.handled/ignored",
        "A call waits on when the client refuses to ask its user.",
        &[Input(|_, bytes| {
            let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if message.get("method").is_none() && message["error"]["code"] == INVALID_PARAMS { Drop } else { Pass }
        })],
    )
    .within(FORMS)
    .over(STDIO),
    fault(
        "elicitation.identity.bound/any-session",
        "A question of one session is answered by whatever session comes first.",
        &[Neglect(Duty::PeersApart)],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "elicitation.oauth.no-transit/token",
        "When the user has been on the page, the result tells what was given there.",
        &[Result("tools/call", |asked, result| {
            if asked.text("name") == PAGE_TOOL {
                let token = "ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789";
                put(result, &["content"], json!([{"type": "text", "text": format!("Confirmed with {token}.")}]));
            }
        })],
    )
    .within(SINCE_2025_11)
    .warning_in(SINCE_2025_11),
];

/// Adds a field to a form.
fn field(params: &mut Object, name: &str, schema: Value) {
    put(params, &["requestedSchema", "properties", name], schema);
}

/// Sets a member where the question is of this mode.
fn put_if(params: &mut Object, mode: &str, member: &str, value: &str) {
    if is(params, "mode", mode) {
        put(params, &[member], value);
    }
}

/// A message, with another id where it says that a page was visited.
fn completed(mut message: Value, id: &str) -> Vec<Value> {
    if is_method(&message, "notifications/elicitation/complete") {
        message["params"]["elicitationId"] = id.into();
    }
    vec![message]
}

/// The answers that a stateless request brings.
fn responses<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = &'a Value> {
    asked.params.get("inputResponses").and_then(Value::as_object).into_iter().flat_map(Object::values)
}

/// Whether an answer of the client says that its user declined.
fn is_refusal(bytes: &[u8]) -> bool {
    let mut message: Object = serde_json::from_slice(bytes).unwrap_or_default();
    at(&mut message, &["result"]).is_some_and(|result| is(result, "action", "decline"))
}

fn is_page_call(asked: &Asked) -> bool {
    asked.is("tools/call") && asked.text("name") == PAGE_TOOL
}

fn page() -> Value {
    let url = "https://reference.example/confirm/first";
    json!([{"mode": "url", "message": "Please confirm", "url": url, "elicitationId": "first"}])
}

fn pages_first(code: i64, pages: &Value, message: &str) -> RpcError {
    RpcError::new(code, message).with_data(json!({"elicitations": pages}))
}
