//! A key that nobody knows, in a header.

use super::Call;
use super::http::harmless;
use super::probe::{Stage, probes};
use crate::client::{HttpEdits, Outgoing};
use serde_json::{Value, json};

probes! {
    /// Sends a key that nobody knows in `X-API-Key`: with a request that does no harm, a method and a tool that do not
    /// exist, and a call of a tool that only reads and succeeded before. The monitors look whether an answer repeats it, as
    /// debugging output and dumps of requests do.
    keys_are_not_repeated (Breaking, Both, Http) decides ["robustness.output.no-internals"];
}

async fn keys_are_not_repeated(stage: &mut Stage<'_>) {
    let key = format!("mcprove-key-{:016x}", stage.settings.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut requests: Vec<Outgoing> = vec![harmless(stage)];
    requests.push(stage.talk.compose("mcprove/unknown", json!({})));
    if stage.offer.listed.contains(&"tools/list") {
        let nobody = json!({"name": "mcprove-unknown-tool", "arguments": {}});
        requests.push(stage.talk.compose("tools/call", nobody));
    }
    // One whose arguments are mirrored in headers has to be sent with them.
    let reads = |call: &&Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == *call.tool);
        tool.is_some_and(|tool| {
            tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true))
                && !tool["inputSchema"].to_string().contains("x-mcp-header")
        })
    };
    let mut succeeded = stage.offer.calls.iter().filter(|call| call.succeeded() && !call.asked_for_input);
    if let Some(Call { tool, arguments, .. }) = succeeded.find(reads).cloned() {
        requests.push(stage.talk.compose("tools/call", json!({"name": tool, "arguments": arguments})));
    }
    for request in requests {
        let edits = HttpEdits { add: vec![("X-API-Key".to_owned(), key.clone())], ..request.http.clone() };
        stage.breaking(request.http(edits)).await;
    }
}
