//! What of a request the audit log says in clear text: who asks, and words that the server itself has. Everything else that
//! came from a client is a stand-in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::auth::Principal;
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::TokenKey;
use crate::enterprise::profile::Enterprise;
use crate::enterprise::prompts::PROMPTS;
use crate::enterprise::resources::FAMILIES;
use crate::enterprise::roles::THEMES;
use crate::message::{Object, Request};

/// The most parameters that a record repeats.
const PARAMETERS: usize = 16;
/// The longest key of a principal that is logged as a whole, in characters.
const LONGEST: usize = 128;

/// The schemas of the arguments of every tool, by its name. Whose role has the tool does not matter here.
static ARGUMENTS: LazyLock<BTreeMap<&str, Value>> = LazyLock::new(|| {
    let tools = THEMES.iter().flat_map(|(_, tools)| tools.iter());
    tools.map(|tool| (tool.name, (tool.input)()["properties"].take())).collect()
});

/// Whether a request has a line in the log.
pub(super) fn is_audited(method: &str) -> bool {
    matches!(method, "tools/call" | "resources/read" | "prompts/get")
}

/// Who asks for what.
pub(super) fn description(profile: &Enterprise, principal: &Principal, request: &Request) -> Object {
    let key = &profile.key;
    let (name, params) = described(key, &request.method, &request.params);
    let mut content = Object::new();
    for (member, value) in [
        ("principal", json!(named(&principal.key()))),
        ("role", json!(profile.role(principal).name.as_str())),
        ("request", json!(key.token("audit", request.id.raw().get()))),
        ("method", json!(request.method)),
        ("name", json!(name)),
        ("params", params.into()),
    ] {
        content.insert(member.to_owned(), value);
    }
    content
}

/// The key of a principal, so that no two are logged alike: with escapes for all but printable ASCII, and where it is too
/// long, its beginning and a digest of the whole.
pub(super) fn named(key: &str) -> String {
    let escaped = key.escape_default().to_string();
    // Escaped, it is ASCII, so that every byte is a character.
    match escaped.get(..LONGEST) {
        Some(beginning) if escaped.len() > LONGEST => {
            let digest = Sha256::digest(key);
            digest
                .iter()
                .take(16)
                .fold(format!("{beginning}...sha256:"), |text, byte| text + &format!("{byte:02x}"))
        }
        _ => escaped,
    }
}

/// What is called, read or used, and with what parameters, as the log may know it.
fn described(key: &TokenKey, method: &str, params: &Object) -> (String, Object) {
    let member = if method == "resources/read" { "uri" } else { "name" };
    let name = params.get(member).and_then(Value::as_str).unwrap_or_default();
    let offered = match method {
        "resources/read" => FAMILIES.iter().any(|family| family.id_in(name).is_some()),
        "tools/call" => ARGUMENTS.contains_key(name),
        _ => PROMPTS.iter().any(|prompt| prompt.name == name),
    };
    let arguments = params.get("arguments").and_then(Value::as_object).into_iter().flatten().take(PARAMETERS);
    let masked = arguments.map(|(argument, value)| {
        let schema = declared(method, name, argument);
        (word_or_token(key, argument, schema.is_some()), parameter(key, schema, value))
    });
    (word_or_token(key, name, offered), masked.collect())
}

/// What the server declares about an argument; nothing but that there is one, where that of a prompt is meant.
fn declared(method: &str, name: &str, argument: &str) -> Option<&'static Value> {
    if method == "tools/call" {
        return ARGUMENTS.get(name)?.get(argument);
    }
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == name && method == "prompts/get")?;
    // Its value is an id, which is known by its form.
    prompt.arguments.iter().any(|own| own.name == argument).then_some(&Value::Null)
}

/// A text if the server has it too, else its stand-in. Both take the same time, so that nobody learns what there is.
fn word_or_token(key: &TokenKey, text: &str, is_known: bool) -> String {
    let token = key.token("audit", text);
    if is_known { text.to_owned() } else { token }
}

/// A parameter as the log shows it: where an id is meant, ids, and words of its schema and whole numbers within the bounds of
/// its schema as they are. Of what is not declared nothing is shown.
fn parameter(key: &TokenKey, schema: Option<&Value>, value: &Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let token = key.token("audit", &text);
    let is_known = match (schema, value) {
        (Some(schema), Value::String(text)) => {
            let is_word = schema["enum"].as_array().is_some_and(|words| words.contains(value));
            let means = |kind: &Kind| schema.is_null() || schema["pattern"] == kind.id_pattern();
            is_word || Kind::ALL.iter().any(|kind| means(kind) && kind.is_id(text))
        }
        (Some(schema), Value::Number(number)) => {
            let bounds = (schema["minimum"].as_u64(), schema["maximum"].as_u64());
            matches!((bounds, number.as_u64()), ((Some(least), Some(most)), Some(number)) if (least..=most).contains(&number))
        }
        _ => false,
    };
    if is_known { value.clone() } else { token.into() }
}

#[cfg(test)]
mod tests {
    use super::{described, named};
    use crate::enterprise::masking::TokenKey;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn log(method: &str, params: &Value) -> (String, Value) {
        let key = TokenKey(Arc::new([1; 32]));
        let (name, masked) = described(&key, method, params.as_object().unwrap());
        (name, masked.into())
    }

    #[test]
    fn parameters_are_masked_but_for_words_of_the_schema() {
        let (name, masked) = log(
            "tools/call",
            &json!({"name": "refund_order", "arguments": {
                "order": "o-5001", "reason": "card 4111111111111111", "limit": 5, "4111111111111111": true,
                "pin": 123_456, "nested": {"email": "ada@mail.example"}, "AKIAIOSFODNN7EXAMPLE": null,
            }}),
        );
        assert_eq!((name.as_str(), &masked["order"]), ("refund_order", &json!("o-5001")));
        assert!(masked["reason"].as_str().unwrap().starts_with("tok_"));
        let text = masked.to_string();
        for secret in ["4111", "mail", "pin", "123456", "AKIA", "limit", "nested"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        // An id is shown where one is meant.
        let (_, masked) = log(
            "tools/call",
            &json!({"name": "search_customers", "arguments": {"query": "c-1234", "no-such": "c-1234"}}),
        );
        assert!(!masked.to_string().contains("c-1234"), "{masked:?}");
        let (_, masked) = log(
            "tools/call",
            &json!({"name": "list_orders", "arguments": {"status": "paid", "limit": 5, "after": "pin 123456"}}),
        );
        assert_eq!((&masked["status"], &masked["limit"]), (&json!("paid"), &json!(5)));
        assert!(!masked.to_string().contains("123456"));
        for limit in [json!(51), json!(123_456), json!(5.5), json!("123456"), json!(-1)] {
            let (_, masked) =
                log("tools/call", &json!({"name": "list_orders", "arguments": {"limit": limit}}));
            assert!(masked["limit"].as_str().unwrap().starts_with("tok_"), "{limit}");
        }
    }

    #[test]
    fn only_names_that_the_server_has_are_logged_as_they_are() {
        for (method, member, known) in [
            ("tools/call", "name", "delete_customer"),
            ("prompts/get", "name", "prepare_call"),
            ("resources/read", "uri", "customer://c-1001"),
            ("resources/read", "uri", "customer://c-1001/orders"),
            ("resources/read", "uri", "policy://returns"),
        ] {
            assert_eq!(log(method, &json!({member: known})).0, known);
        }
        for (method, member, foreign) in [
            ("tools/call", "name", "AKIAIOSFODNN7EXAMPLE"),
            ("tools/call", "name", "prepare_call"),
            ("prompts/get", "name", "secret-word"),
            ("resources/read", "uri", "file:///etc/passwd"),
            ("resources/read", "uri", "customer://user:secret@host"),
            ("resources/read", "uri", "customer://4111111111111"),
        ] {
            let (name, _) = log(method, &json!({member: foreign}));
            assert!(name.starts_with("tok_") && name.len() == 20, "{foreign}: {name}");
        }
        let (_, masked) = log(
            "prompts/get",
            &json!({"name": "prepare_call", "arguments": {"customer": "c-1", "pin": "1"}}),
        );
        assert_eq!(masked["customer"], "c-1");
        assert!(masked.get("pin").is_none());
    }

    #[test]
    fn no_two_principals_are_logged_alike() {
        let long = "x".repeat(200);
        let keys = [
            "support/sue".to_owned(),
            "support/su\u{7}e".to_owned(),
            "support/su\u{202e}e".to_owned(),
            "support/su\\u{202e}e".to_owned(),
            "support/s\u{fc}e".to_owned(),
            format!("support/{long}a"),
            format!("support/{long}b"),
            format!("support/{}", "x".repeat(120)),
        ];
        let mut logged: Vec<String> = keys.iter().map(|key| named(key)).collect();
        assert_eq!(logged[0], "support/sue");
        assert!(logged.iter().all(|text| text.is_ascii() && text.len() < 200), "{logged:?}");
        // What was cut cannot be imitated by somebody who is called like that.
        logged.push(named(&named(&keys[5])));
        logged.sort();
        logged.dedup();
        assert_eq!(logged.len(), keys.len() + 1, "{logged:?}");
    }
}
