//! Twists of the JSON-RPC layer.

use super::twist::{Take, Twist, line, twist};
use serde_json::{Value, json};

pub(super) static TWISTS: &[Twist] = &[
    twist("id-as-string", "answers carry the id as a string").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(Value::Number(id)) = value.get("id").cloned()
            && out.method.is_some_and(|method| method == "ping" || method == "server/discover")
            && id.as_i64() != Some(1)
        {
            value["id"] = json!(id.to_string());
        }
        line(&value)
    }),
    twist("two-answers", "every answer comes twice").outgoing(|_, out| {
        let mut bytes = line(out.value);
        if out.method.is_some() {
            bytes.extend(line(out.value));
        }
        bytes
    }),
    twist("unknown-method-dropped", "unknown methods are not answered").incoming(|_, line| {
        if line.method().is_some_and(|method| method.contains("no-such-method")) {
            return Take::Drop;
        }
        Take::Pass
    }),
];
