//! Which export there is for which transport.

use super::{program, shell};
use crate::protocol::Transport;
use crate::replay::Script;

/// The language of an export that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `curl` in `/bin/sh`.
    Curl,
    /// `/bin/sh`.
    Shell,
    /// Python 3 without packages.
    Python,
    /// TypeScript for Node 22 or later without packages.
    TypeScript,
    /// Rust with `serde_json`.
    Rust,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The conversation is of another transport: which, and the languages that there are for it.
    #[error("the conversation is over {0}; export it as {1}")]
    Transport(&'static str, &'static str),
}

/// Writes a program that does what the client of a recording did. Python, TypeScript and Rust wait for what the client
/// had waited for, put in what the server says now in the place of what it said then, and answer what it asks; for
/// `curl` and `sh` see [`Language::lacks`].
///
/// # Errors
/// When the language does not fit the transport.
pub fn export(script: &Script, language: Language) -> Result<String, ExportError> {
    if script.about.transport == Transport::HttpSse && matches!(language, Language::Curl | Language::Shell) {
        // The answers come on a stream that would have to be read beside the requests.
        return Err(ExportError::Transport("HTTP+SSE", "python or typescript"));
    }
    match (language, script.about.transport.is_http()) {
        (Language::Curl | Language::Shell, true) => Ok(shell::curl(script)),
        (Language::Curl, false) => Err(ExportError::Transport("STDIO", "shell, python, typescript or rust")),
        (Language::Shell, false) => Ok(shell::shell(script)),
        (Language::Python, http) => Ok(program::python(script, http)),
        (Language::TypeScript, http) => Ok(program::typescript(script, http)),
        (Language::Rust, true) => Err(ExportError::Transport("HTTP", "curl, python or typescript")),
        (Language::Rust, false) => Ok(program::rust(script)),
    }
}

impl Language {
    /// What of a recording a program in this language does not do, in sentences.
    pub fn lacks(self, script: &Script) -> Vec<String> {
        match self {
            Self::Curl | Self::Shell => script.beyond_bytes(),
            Self::Python | Self::TypeScript | Self::Rust => Vec::new(),
        }
    }
}
