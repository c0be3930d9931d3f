//! Faults of MCP Apps.

use serde_json::json;

use crate::faults::fault::{Fault, MODERN, fault};
use crate::faults::hook::Hook::{Definition, Intercept, Result};
use crate::faults::hook::Instead;
use crate::features::GREETING_CARD;
use crate::message::Object;

/// `_meta.ui` of a tool that has a page.
fn ui(definition: &mut Object) -> Option<&mut Object> {
    definition.get_mut("_meta")?.get_mut("ui")?.as_object_mut()
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "extension-apps.resource-uri/https",
        "The page of a tool is a URL of the web.",
        &[Definition("tools", |_, tool| {
            if let Some(ui) = ui(tool) {
                ui.insert("resourceUri".into(), "https://mcprove.example/greeting-card".into());
            }
        })],
    )
    .breaking(&["extension-apps.resource-readable"])
    .within(MODERN),
    fault(
        "extension-apps.resource-readable/gone",
        "The page that a tool names cannot be read.",
        &[Intercept(|asked| {
            (asked.is("resources/read") && asked.text("uri") == GREETING_CARD)
                .then(|| Instead::error(-32602, "Resource not found"))
        })],
    )
    .also_seen(&["resources.list.readable"])
    .within(MODERN),
    fault(
        "extension-apps.resource-mime-type/html",
        "The page of a tool is plain HTML.",
        &[Result("resources/read", |asked, result| {
            if asked.text("uri") == GREETING_CARD {
                result["contents"][0]["mimeType"] = "text/html".into();
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-apps.ui-meta-shape/list",
        "The permissions of a page are a list.",
        &[Definition("tools", |_, tool| {
            if let Some(ui) = ui(tool) {
                ui.insert("permissions".into(), json!(["camera"]));
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-apps.text-fallback/empty",
        "A tool with a page returns nothing else.",
        &[Result("tools/call", |asked, result| {
            if asked.text("name") == "greeting_card" {
                result.insert("content".into(), json!([]));
            }
        })],
    )
    .within(MODERN),
];
