//! MCP Apps (`io.modelcontextprotocol/ui`, SEP-1865): pages that a host shows beside what a tool returns.

use serde_json::{Value, json};

/// The identifier of the extension.
pub(crate) const APPS: &str = "io.modelcontextprotocol/ui";

/// The page of the tool `greeting_card`.
pub(crate) const GREETING_CARD: &str = "ui://mcprove/greeting-card";

/// HTML that a host shows in a frame of its own.
const MEDIA_TYPE: &str = "text/html;profile=mcp-app";

const PAGE: &str = "<!doctype html>\n<title>Greeting card</title>\n<p>Hello from the reference server.</p>\n";

/// What the page needs: no other origin, and no permission.
fn settings() -> Value {
    json!({"ui": {"csp": {}, "permissions": {}}})
}

/// The pages, as `resources/list` shows them.
pub(super) fn resource_definitions() -> Vec<Value> {
    vec![json!({
        "uri": GREETING_CARD,
        "name": "greeting-card",
        "title": "Greeting card",
        "description": "The page of the tool greeting_card",
        "mimeType": MEDIA_TYPE,
        "size": PAGE.len(),
        "_meta": settings(),
    })]
}

/// The page that a URI names: the object inside `contents`.
pub(super) fn page_contents(uri: &str) -> Option<Value> {
    (uri == GREETING_CARD)
        .then(|| json!({"uri": uri, "mimeType": MEDIA_TYPE, "text": PAGE, "_meta": settings()}))
}
