//! The record of a conversation: every byte that crossed, with time, direction and channel.

mod format;
mod read;
mod record;
mod redact;
mod write;

pub use format::{TRANSCRIPT_FORMAT, TRANSCRIPT_VERSION};
pub use read::{ReadError, Transcript, TranscriptReader};
pub use record::{About, Budget, Live, Record, Recorder};
pub use redact::{Redactor, names_a_secret};
pub use write::{Loss, TranscriptWriter};
