//! Faults of resources.

use serde_json::json;

use crate::faults::fault::{Fault, fault};
use crate::faults::hook::Hook::{Refusal, Result};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "resources.read.content-uri/left-out",
        "The contents of a resource do not say its URI.",
        &[Result("resources/read", |_, result| {
            if let Some(item) = result["contents"][0].as_object_mut() {
                item.remove("uri");
            }
        })],
    )
    .breaking(&["schema.messages.conform"]),
    fault(
        "resources.read.not-found-error/method-not-found",
        "A resource that is not there gets the error of a method that is not there (https://github.com/modelcontextprotocol/go-sdk/issues/27).",
        &[Refusal("resources/read", |asked, error| {
            if !asked.text("uri").is_empty() {
                error.code = -32601;
                error.data = Some(Box::new(json!({"uri": asked.text("uri")})));
            }
        })],
    )
    .of_quality(),
];
