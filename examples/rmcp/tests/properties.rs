//! What must hold whatever the tools are called with, as tests: one a property and tool.

mcprove::properties!(env!("CARGO_BIN_EXE_rmcp-example"));
