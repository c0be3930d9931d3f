//! Tools that show every kind of content.

use serde_json::json;

use super::schemas::object;
use crate::context::RequestContext;
use crate::features::tool::{Tool, ToolResult};
use crate::features::{Content, Icon, read_resource};
use crate::message::Object;
use crate::revision::Revision;

pub(super) const TOOLS: &[Tool] = &[
    Tool::now("poem", "Poem", "Returns several lines in several writing systems", |_, _| {
        ToolResult::content(vec![
            Content::Text("古池や\n蛙飛びこむ\n水の音\n".to_owned()),
            Content::NoteToUser("Ein Frosch springt: „plumps“ 🐸\r\n\t\\ \u{2028}".to_owned(), 0.8),
        ])
    }),
    Tool::now("picture", "Picture", "Returns an image", |_, _| ToolResult::content(vec![Content::Image]))
        .icon(Icon::IMAGE),
    Tool::now("sound", "Sound", "Returns a short tone", |_, _| ToolResult::content(vec![Content::Audio]))
        .since(Revision::V2025_03_26)
        .icon(Icon::SOUND),
    Tool::now(
        "embed_note",
        "Embed a note",
        "Returns a resource of this server inside the result",
        embed_note,
    )
    .input(|| object(json!({"uri": {"type": "string", "format": "uri", "default": "note://welcome"}}), &[]))
    .icon(Icon::NOTE),
    Tool::now("link_note", "Link to a note", "Returns a link to a resource of this server", |_, _| {
        ToolResult::content(vec![Content::Link {
            uri: "note://settings".to_owned(),
            name: "settings",
            title: "Settings",
            mime_type: "application/json",
        }])
    })
    .since(Revision::V2025_06_18),
];

fn embed_note(context: &RequestContext, arguments: &Object) -> ToolResult {
    let mut params = arguments.clone();
    params.entry("uri").or_insert_with(|| "note://welcome".into());
    match read_resource(&context.server, context.revision, &params) {
        Ok(resource) => ToolResult::content(vec![Content::Embedded(resource["contents"][0].clone())]),
        Err(error) => ToolResult::error(error.message),
    }
}
