//! Values made from JSON Schemas, every choice drawn from a source that can be seeded, recorded and replayed.

mod choice;
mod compose;
mod dialect;
mod flatten;
mod format;
mod guard;
mod make;
mod number;
mod pattern;
mod schema;
mod string;

pub use choice::{Bytes, Choices, Recorder, Replay, Seeded};
pub use dialect::Dialect;
pub use schema::{GenerateError, Mode, ValueGenerator, valid_value};
