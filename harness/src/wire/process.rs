//! Child processes that speak over their standard streams, each in a group of its own, always reaped.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program, looked up in PATH.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Added to (or replacing in) the harness's own environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; the harness's own by default.
    pub cwd: Option<PathBuf>,
}
