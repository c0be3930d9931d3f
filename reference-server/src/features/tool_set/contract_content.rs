//! The fixture contract of the official conformance suite: tools that return content.

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::tool::{Tool, ToolResult};
use crate::features::{Content, find_resource};
use crate::revision::Revision;

pub(super) const TOOLS: &[Tool] = &[
    Tool::now("test_simple_text", "Simple text", "Returns a text", |_, _| {
        ToolResult::text("This is a simple text response for testing.")
    }),
    Tool::now("test_image_content", "Image content", "Returns an image", |_, _| {
        ToolResult::content(vec![Content::Image])
    }),
    Tool::now("test_audio_content", "Audio content", "Returns a short tone", |_, _| {
        ToolResult::content(vec![Content::Audio])
    })
    .since(Revision::V2025_03_26),
    Tool::now(
        "test_embedded_resource",
        "Embedded resource",
        "Returns a resource in the result",
        |context, _| ToolResult::content(vec![embedded(context, "test://embedded-resource")]),
    ),
    Tool::now(
        "test_multiple_content_types",
        "Several kinds of content",
        "Returns a text, an image and a resource",
        |context, _| {
            ToolResult::content(vec![
                Content::Text("Multiple content types test:".to_owned()),
                Content::Image,
                embedded(context, "test://mixed-content-resource"),
            ])
        },
    ),
    Tool::now("test_error_handling", "Error handling", "Fails inside the tool", |_, _| {
        ToolResult::error("This tool intentionally returns an error for testing")
    }),
    Tool::now(
        "json_schema_2020_12_tool",
        "JSON Schema 2020-12",
        "Takes arguments whose schema uses references, composition and conditions",
        |_, _| ToolResult::text("ok"),
    )
    .input(contact),
];

/// A resource of this server, whole.
fn embedded(context: &RequestContext, uri: &str) -> Content {
    let contents = find_resource(context.revision, &context.server, uri);
    Content::Embedded(contents.unwrap_or_else(|| json!({"uri": uri, "text": ""})))
}

fn contact() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
