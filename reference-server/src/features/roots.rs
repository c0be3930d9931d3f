//! Roots: asking the client in which folders the user works.

use serde_json::Value;

use crate::features::{Capability, InputRequest};
use crate::message::Object;

/// `roots/list`.
pub(crate) fn list_roots() -> InputRequest {
    InputRequest { method: "roots/list", params: Object::new(), needs: Capability::Roots, check }
}

fn check(_: &Object, answer: &Value) -> Result<(), String> {
    let roots = answer.get("roots").and_then(Value::as_array);
    let is_root = |root: &Value| {
        let is_named = root.get("name").is_none_or(Value::is_string);
        root["uri"].as_str().is_some_and(|uri| uri.starts_with("file://")) && is_named
    };
    if roots.is_some_and(|roots| roots.iter().all(is_root)) {
        return Ok(());
    }
    Err("the answer to roots/list has roots, each with a file:// URI and perhaps a name".to_owned())
}
