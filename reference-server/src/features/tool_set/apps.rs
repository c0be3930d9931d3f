//! A tool that comes with a page (MCP Apps).

use crate::features::GREETING_CARD;
use crate::features::tool::{Tool, ToolResult};
use crate::revision::Revision;

pub(super) const TOOLS: &[Tool] = &[Tool::now(
    "greeting_card",
    "Greeting card",
    "Greets, in words and with a page for hosts that show one",
    // Hosts without the extension show this, and the model reads it in any case.
    |_, _| ToolResult::text("Hello from the reference server."),
)
.page(GREETING_CARD)
.since(Revision::V2026_07_28)];
