//! Reproductions of what a client did, that need no mcprove: programs in other languages that do what a replay does, scripts
//! that send the same messages in the same order, and a page for people.

mod language;
mod page;
mod plan;
mod program;
mod quote;
mod shell;
#[cfg(test)]
mod tests;

pub use language::{ExportError, Language, export};
pub use page::Page;
