//! One thing that is changed about a message.

use super::bytes::ByteMutation;
use super::http::HttpMutation;
use super::json::JsonMutation;
use serde::{Deserialize, Serialize};
use std::fmt;

/// So many bytes a change adds at most, however it was made.
pub const LARGEST: usize = 1 << 20;
/// So deep a change nests at most.
pub const DEEPEST: usize = 20_000;
/// So many characters of something long are told.
const TOLD: usize = 60;

/// How much drawn changes may add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes; at most [`LARGEST`].
    pub bytes: usize,
    /// Levels of arrays or objects; at most [`DEEPEST`].
    pub depth: usize,
}

impl Default for Bounds {
    /// 64 KiB and 5000 levels: larger than what most readers set as a limit, and quick to send.
    fn default() -> Self {
        Self { bytes: 64 << 10, depth: 5000 }
    }
}

/// One change of a message, on one of three levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "kebab-case")]
pub enum Mutation {
    /// Of its JSON text.
    Json(JsonMutation),
    /// Of its bytes.
    Bytes(ByteMutation),
    /// Of the HTTP request that carries it; nothing over STDIO.
    Http(HttpMutation),
}

impl Mutation {
    /// The name of the kind of change; it never changes, and no two kinds share one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Json(mutation) => mutation.name(),
            Self::Bytes(mutation) => mutation.name(),
            Self::Http(mutation) => mutation.name(),
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(mutation) => mutation.fmt(f),
            Self::Bytes(mutation) => mutation.fmt(f),
            Self::Http(mutation) => mutation.fmt(f),
        }
    }
}

/// The beginning of something that may be long, without what would end a line.
pub(super) fn cut(text: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().collect() } else { c.to_string() };
    let mut short: String = text.chars().take(TOLD).map(plain).collect();
    if text.chars().nth(TOLD).is_some() {
        short.push('…');
    }
    short
}
