//! Faults of roots.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{Fault, LEGACY, STDIO, fault};
use crate::faults::hook::Hook::{Input, Intercept, Neglect, Notified, Question};
use crate::faults::hook::Input::{Drop, Pass};
use crate::faults::hook::Instead;
use crate::features::Capability;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "roots.capability.required/undeclared",
        "Roots are asked of clients that do not declare them.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::Roots))],
    )
    .also_seen(&["capabilities.client.only-declared-used", "mrtr.result.respects-capabilities"])
    .over(STDIO),
    fault(
        "roots.request.shape/text",
        "The request for roots has a text as its _meta.",
        &[Question("roots/list", |_, params| drop(params.insert("_meta".into(), "none".into())))],
    ),
    fault(
        "roots.error.handled/ignored",
        "A call waits on when the client has no roots to tell.",
        &[Input(|_, bytes| {
            let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if message["error"]["code"] == -32601 { Drop } else { Pass }
        })],
    )
    .also_seen(&["cancellation.sent.in-progress"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "roots.list-changed.handled/ignored",
        "Roots are asked for once, and not again when they have changed.",
        &[
            Notified(|memory, notification| {
                if notification.method == "notifications/roots/list_changed" {
                    memory.keep(json!(true));
                }
                None
            }),
            Intercept(|asked| {
                let known = asked.memory.kept().is_some() && asked.text("name") == "list_client_roots";
                known.then(|| {
                    Instead::result(&json!({"content": [{"type": "text", "text": "1 roots: file:///a"}]}))
                })
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
];
