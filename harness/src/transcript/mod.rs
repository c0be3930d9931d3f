//! The record of a conversation: every byte that crossed, with time, direction and channel.

mod causal;
mod diff;
mod format;
mod import;
mod mermaid;
mod read;
mod record;
mod redact;
mod rule;
mod secrets;
mod tokens;
mod write;

pub use causal::{Causality, Origin, Placed, Sender};
pub use diff::{Comparison, Difference, Step, TooDifferent};
pub use format::{TRANSCRIPT_FORMAT, TRANSCRIPT_VERSION};
pub use import::{ImportError, Imported, Source, import, source};
pub use mermaid::Mermaid;
pub use read::{Gaps, ReadError, Transcript, TranscriptReader};
pub use record::{About, Budget, Live, Record, Recorder};
pub use redact::{Redactor, is_placeholder, names_a_secret};
pub(crate) use rule::whole;
pub use rule::{Rule, RuleError, RuleKind, RulePart};
pub use secrets::{Suspect, suspects};
pub use write::{Loss, TranscriptWriter};
