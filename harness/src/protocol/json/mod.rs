//! A strict JSON reader that keeps what others lose: duplicate members, lone surrogates, the place of every value.

mod build;
mod error;
mod indent;
mod locate;
mod scan;
mod text;

#[cfg(test)]
mod tests;

pub use build::{MAX_DEPTH, MAX_DUPLICATES, MAX_VALUES, Notes, Parsed, parse};
pub use error::{Error, ErrorKind};
pub use indent::indented;
pub use locate::{elements, locate};
