//! Elicitation: asking the user, through the client, by a form or by a page to visit.

use serde_json::{Value, json};

use crate::features::{Capability, InputRequest};
use crate::message::{Object, RpcError, URL_ELICITATION_REQUIRED};
use crate::revision::Revision;
use crate::schema;

/// What the user did, and what was filled in.
pub(crate) struct Elicited {
    pub action: String,
    pub content: Option<Value>,
}

impl Elicited {
    /// Reads an answer that was checked.
    pub(crate) fn read(answer: &Value) -> Self {
        let action = answer["action"].as_str().unwrap_or_default().to_owned();
        Self { action, content: answer.get("content").cloned() }
    }

    pub(crate) fn accepted(&self) -> bool {
        self.action == "accept"
    }

    /// A text field of an accepted form.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.content.as_ref().filter(|_| self.accepted())?.get(name)?.as_str()
    }
}

/// A form. `properties` are flat: strings, numbers, booleans, and choices.
pub(crate) fn form(revision: Revision, message: &str, properties: Value, required: &[&str]) -> InputRequest {
    let mut params = Object::new();
    if revision >= Revision::V2025_11_25 {
        params.insert("mode".into(), "form".into());
    }
    params.insert("message".into(), message.into());
    params.insert(
        "requestedSchema".into(),
        json!({"type": "object", "properties": properties, "required": required}),
    );
    InputRequest { method: "elicitation/create", params, needs: Capability::ElicitationForm, check }
}

/// A page that the user visits; what happens there stays between the user and the page.
pub(crate) fn url(message: &str, url: &str, elicitation_id: &str, revision: Revision) -> InputRequest {
    let mut params = Object::new();
    params.insert("mode".into(), "url".into());
    params.insert("message".into(), message.into());
    params.insert("url".into(), url.into());
    if !revision.is_modern() {
        params.insert("elicitationId".into(), elicitation_id.into());
    }
    InputRequest { method: "elicitation/create", params, needs: Capability::ElicitationUrl, check }
}

/// The error of a request that can be made again when the user has been on a page.
pub(crate) fn required(message: &str, page: &str, elicitation_id: &str, revision: Revision) -> RpcError {
    let elicitation = url(message, page, elicitation_id, revision).params;
    RpcError::new(URL_ELICITATION_REQUIRED, message).with_data(json!({"elicitations": [elicitation]}))
}

fn check(params: &Object, answer: &Value) -> Result<(), String> {
    let action = answer.get("action").and_then(Value::as_str);
    match action {
        Some("decline" | "cancel") => Ok(()),
        Some("accept") => match (params.get("requestedSchema"), answer.get("content")) {
            (None, _) => Ok(()),
            (Some(schema), Some(content @ Value::Object(_))) => schema::check_once(schema, content)
                .map_err(|reason| format!("the answer does not fit the form: {reason}")),
            (Some(_), _) => Err("an accepted form has content, an object".to_owned()),
        },
        _ => Err("the answer to an elicitation has an action: accept, decline or cancel".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::form;
    use crate::revision::Revision;
    use serde_json::json;

    #[test]
    fn answers_are_held_against_the_form() {
        let form = form(Revision::V2025_11_25, "?", json!({"n": {"type": "integer", "minimum": 1}}), &["n"]);
        for good in [
            json!({"action": "accept", "content": {"n": 1}}),
            json!({"action": "decline"}),
            json!({"action": "cancel", "content": 7}),
        ] {
            assert_eq!(form.check(&good), Ok(()), "{good}");
        }
        for bad in [
            json!(12345),
            json!({}),
            json!({"action": "ok"}),
            json!({"action": "accept"}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept", "content": {"n": 0}}),
            json!({"action": "accept", "content": {"n": "1"}}),
        ] {
            assert!(form.check(&bad).is_err(), "{bad}");
        }
    }
}
