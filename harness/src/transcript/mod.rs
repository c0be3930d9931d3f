//! The record of a conversation: every byte that crossed, with time, direction and channel.

mod format;
mod record;
mod redact;

pub use format::{ReadError, TRANSCRIPT_FORMAT, TRANSCRIPT_VERSION, Transcript, TranscriptWriter};
pub use record::{About, Budget, Live, Record, Recorder};
pub use redact::{Redactor, names_a_secret};
