//! Strategies for the crate `proptest` (feature `proptest`): arguments of a tool, messages of a revision, whole
//! conversations, messages with something wrong about them, programs of steps. All are drawn from proptest's own random
//! numbers, so that its regression files and its settings work, and all shrink by the delta debugging of
//! [`shrink`](crate::shrink): what is left is still valid (or wrong in the same way), and nothing in it can be left out.
//! [`properties!`](crate::properties!) runs what `check --properties` runs as tests of your own.
//!
//! ```
//! use mcprove::strategies::arguments;
//! use proptest::prelude::*;
//!
//! let schema = serde_json::json!({
//!     "type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}, "required": ["n"]
//! });
//! proptest!(|(arguments in arguments(&schema).unwrap())| {
//!     prop_assert!(arguments["n"].as_f64().unwrap() >= 0.0);
//! });
//! ```

mod arguments;
mod cases;
mod conversations;
mod messages;
mod mutated;
mod programs;
mod shrinking;

pub use arguments::{Arguments, arguments};
pub(crate) use cases::cases;
pub use conversations::{Conversations, conversations};
pub use messages::{Messages, messages};
pub use mutated::{MutatedMessages, mutated};
pub use programs::{Programs, programs};
pub use shrinking::Shrinking;
