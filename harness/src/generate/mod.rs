//! Values made from JSON Schemas, every choice drawn from a source that can be seeded, recorded and replayed.

mod choice;
mod compose;
mod dialect;
mod edges;
mod flatten;
mod format;
mod guard;
mod make;
mod meets;
mod negate;
mod number;
mod pace;
mod pattern;
mod places;
mod resolve;
mod schema;
mod string;
mod targets;
mod verdict;

pub use choice::{Bytes, Choices, Recorder, Replay, Seeded};
pub use dialect::Dialect;
pub use format::names_no_real_host;
pub use pace::{larger, unhurried};
pub use schema::{GenerateError, Mode, ValueGenerator, valid_value};
pub use targets::{Target, Targets};
