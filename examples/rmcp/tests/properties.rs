//! What must hold whatever the tools are called with, as tests: one a property and tool, and one of whole conversations.

// rmcp 3.9 goes away when the second message of a client of 2026-07-28 is a notification:
// {"id": 1, "method": "server/discover", …}, {"method": "notifications/cancelled", "params": {"requestId": 1}}
mcprove::properties!(env!("CARGO_BIN_EXE_rmcp-example"), known: ["base.response.always-sent"]);
