//! MCP Apps under test: the pages that tools name (SEP-1865).

use super::probe::{Stage, breach, probes};
use crate::monitors::ui_resource_uri;
use serde_json::json;

/// How many pages are read.
const PAGES: usize = 5;

probes! {
    /// Reads the resources that tools name as their user interface. A host that cannot read the page shows nothing.
    user_interfaces_can_be_read (Clean, Modern, Any) decides ["extension-apps.resource-readable"];
}

async fn user_interfaces_can_be_read(stage: &mut Stage<'_>) {
    const ID: &str = "extension-apps.resource-readable";
    let mut uris: Vec<String> = stage
        .offer
        .tools
        .iter()
        .filter_map(|tool| ui_resource_uri(tool)?.as_str().map(str::to_owned))
        .collect();
    uris.dedup();
    if uris.is_empty() {
        let text = "no tool names a user interface";
        return stage.judge.not_applicable(ID, "no-app", text);
    }
    for uri in uris.into_iter().take(PAGES) {
        let (ticket, reply) = stage.request("resources/read", json!({"uri": uri})).await;
        let read = reply.result().and_then(|result| result.get("contents")?.as_array());
        if reply.result().is_none() && !reply.is_error() {
            stage.judge.undecided(ID, "no-answer", reply.describe());
            continue;
        }
        stage.judge.decide(ID, read.is_some_and(|contents| !contents.is_empty()), || {
            breach(
                "unreadable",
                format!("the user interface `{uri}` of a tool cannot be read"),
                &ticket,
                &reply,
            )
            .expected(&["its contents"])
        });
    }
}
