//! Faults of the messages themselves.

use serde_json::Value;

use crate::faults::fault::{Fault, LEGACY, STDIO, fault};
use crate::faults::hook::Hook::{Notified, Notify, Response};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "base.response.same-id/as-string",
        "Responses to harmless requests carry a number in the id as a string (https://github.com/modelcontextprotocol/python-sdk/issues/961).",
        &[Response(|asked, text| {
            let id = asked.id.raw().get();
            if asked.is_harmless() && !id.starts_with('"') {
                return text.replacen(&format!("\"id\":{id}"), &format!("\"id\":\"{id}\""), 1);
            }
            text
        })],
    ),
    fault(
        "base.response.at-most-once/twice",
        "Lists of tools are sent twice.",
        &[Response(|asked, text| if asked.is("tools/list") { format!("{text}\n{text}") } else { text })],
    )
    .over(STDIO),
    fault(
        "base.notification.no-reply/unknown-answered",
        "Notifications with an unknown method are answered with an error (https://github.com/HatriGt/hana-mcp-server/issues/22).",
        &[Notified(|_, notification| {
            let known = matches!(&*notification.method, "notifications/initialized" | "notifications/cancelled");
            (!known).then(|| {
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Method not found"}}"#.to_owned()
            })
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "base.notification.no-id/null",
        "Notifications about a request have the id null.",
        &[Notify(|_, mut notification| {
            notification["id"] = Value::Null;
            vec![notification]
        })],
    ),
];
