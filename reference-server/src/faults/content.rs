//! Faults of content blocks.

use serde_json::{Value, json};

use crate::faults::edit::{at, blocks, put};
use crate::faults::fault::{Fault, SINCE_2025_03, SINCE_2025_06, SINCE_2025_11, fault};
use crate::faults::hook::Hook::{Definition, Result};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "content.known-type/blob",
        "An image is of the type `blob`, which there is not (servers#4029 in https://www.mcp-assert.com/scorecard/).",
        &[Result("tools/call", |_, result| {
            blocks(result, "image").for_each(|block| put(block, &["type"], "blob"));
        })],
    ),
    fault(
        "content.text/number",
        "The text of a block is a number.",
        &[Result("tools/call", |_, result| {
            blocks(result, "text").for_each(|block| put(block, &["text"], 1));
        })],
    )
    .also_seen(&["tasks.result.same-as-direct", "tools.structured.text-copy"]),
    fault(
        "content.image/not-base64",
        "The data of an image is not base64.",
        &[Result("tools/call", |_, result| {
            blocks(result, "image").for_each(|block| put(block, &["data"], "?!"));
        })],
    ),
    fault(
        "content.image/no-mime-type",
        "An image has no media type.",
        &[Result("tools/call", |_, result| {
            blocks(result, "image").for_each(|block| {
                block.remove("mimeType");
            });
        })],
    ),
    fault(
        "content.audio/not-base64",
        "The data of a sound is not base64.",
        &[Result("tools/call", |_, result| {
            blocks(result, "audio").for_each(|block| put(block, &["data"], "?!"));
        })],
    )
    .within(SINCE_2025_03),
    fault(
        "content.resource-link/no-name",
        "A link has no name.",
        &[Result("tools/call", |_, result| {
            blocks(result, "resource_link").for_each(|block| {
                block.remove("name");
            });
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "content.embedded-resource/no-uri",
        "An embedded resource has no URI.",
        &[Result("tools/call", |_, result| {
            blocks(result, "resource").filter_map(|block| at(block, &["resource"])).for_each(|resource| {
                resource.remove("uri");
            });
        })],
    ),
    fault(
        "content.annotations.audience/text",
        "The audience of a block is a text.",
        &[Result("tools/call", |_, result| {
            blocks(result, "text").for_each(|block| put(block, &["annotations", "audience"], "user"));
        })],
    ),
    fault(
        "content.annotations.priority/too-high",
        "The priority of a block is 5.",
        &[Result("tools/call", |_, result| {
            blocks(result, "text").for_each(|block| put(block, &["annotations", "priority"], 5));
        })],
    ),
    fault(
        "content.annotations.last-modified/words",
        "The time of the last change is `yesterday`.",
        &[Result("tools/call", |_, result| {
            blocks(result, "text")
                .for_each(|block| put(block, &["annotations", "lastModified"], "yesterday"));
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "content.icon.source-required/left-out",
        "The icons of tools have no source.",
        &[Definition("tools", |_, tool| put(tool, &["icons"], json!([{"mimeType": "image/png"}])))],
    )
    .within(SINCE_2025_11),
    fault(
        "content.icon.source-scheme/script",
        "The icons of tools are scripts.",
        &[Definition("tools", |_, tool| put(tool, &["icons"], json!([{"src": "javascript:alert(1)"}])))],
    )
    .within(SINCE_2025_11),
    fault(
        "content.icon.source-scheme/link",
        "The icons of links in results are files.",
        &[Result("tools/call", |_, result| {
            for block in result.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                if block["type"] == "resource_link" {
                    block["icons"] = json!([{"src": "file:///icon.png"}]);
                }
            }
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "content.icon.theme-value/blue",
        "The icons of tools are for a blue theme.",
        &[Definition("tools", |_, tool| {
            put(tool, &["icons"], json!([{"src": "https://icons.example/a.png", "theme": "blue"}]));
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "content.icon.sizes-format/words",
        "The icons of tools are `large`.",
        &[Definition("tools", |_, tool| {
            put(tool, &["icons"], json!([{"src": "https://icons.example/a.png", "sizes": ["large"]}]));
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "content.icon.mime-type/number",
        "The media type of the icons of tools is a number.",
        &[Definition("tools", |_, tool| {
            put(tool, &["icons"], json!([{"src": "https://icons.example/a.png", "mimeType": 7}]));
        })],
    )
    .within(SINCE_2025_11),
];
