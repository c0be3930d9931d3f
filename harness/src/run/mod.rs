//! A run: its events, its results, the folder that holds them, and the document that programs read.

mod document;
mod event;
mod folder;
mod known;
mod read;
mod result;
mod state;

pub use document::{DOCUMENT_FORMAT, DOCUMENT_VERSION, Document, DocumentResult};
pub use event::{
    Footer, Header, Identity, RUN_FORMAT, RUN_VERSION, RunError, RunEvent, ServerInfo, TargetInfo,
};
pub use folder::{FINDINGS_DIR, FolderError, RUN_FILE, RunWriter, TRANSCRIPTS_DIR, write_file};
pub use known::{BaselineFault, BaselineProblem, Known, KnownDefect, KnownResult};
pub use read::{ReadError, RunReader, StoredRun};
pub use result::{Evidence, Finding, Outcome, Reason, ResultRow, Summary};
pub use state::{RunState, Unit};
