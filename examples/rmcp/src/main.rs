//! A small server built on `rmcp`, over stdio. Its tests show what `mcprove` does for a server in Rust: `conformance.rs`
//! and `properties.rs` are three lines each, `planted.rs` shows what they say of a bug.

#![allow(clippy::unused_self, reason = "the macros of rmcp want methods")]

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, ServiceExt, schemars, tool, tool_handler, tool_router};
use std::error::Error;

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Share {
    /// So many of them.
    parts: i32,
    /// How many there are in all.
    of: i32,
}

#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Percent {
    percent: f64,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Text {
    /// What to count in.
    text: String,
}

#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Count {
    words: usize,
}

#[derive(Debug, Clone)]
struct Example {
    tool_router: ToolRouter<Self>,
    /// Whether the bug is there that `tests/planted.rs` is about.
    planted: bool,
}

#[tool_router]
impl Example {
    fn new(planted: bool) -> Self {
        Self { tool_router: Self::tool_router(), planted }
    }

    #[tool(description = "The share of some parts in percent", annotations(read_only_hint = true))]
    fn share(&self, Parameters(Share { parts, of }): Parameters<Share>) -> Result<Json<Percent>, String> {
        if of == 0 && !self.planted {
            return Err("there is no share of nothing".to_owned());
        }
        // Of nothing: not a number, which JSON cannot say.
        Ok(Json(Percent { percent: 100.0 * f64::from(parts) / f64::from(of) }))
    }

    #[tool(description = "Counts the words of a text", annotations(read_only_hint = true))]
    fn count(&self, Parameters(Text { text }): Parameters<Text>) -> Json<Count> {
        Json(Count { words: text.split_whitespace().count() })
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Example {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let planted = std::env::args().any(|argument| argument == "--planted");
    Example::new(planted).serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}
