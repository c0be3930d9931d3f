//! What a fuzzer does to messages and to the order of messages. Everything is drawn from
//! [`Choices`](crate::generate::Choices), so that a seed, proptest and the bytes of libFuzzer can drive it, and everything
//! drawn is data: it has a name, a sentence for people, and can be written to a file and done again.
//!
//! * [`Mutated`]: a message and what is changed about it: [`JsonMutation`]s of its text, [`ByteMutation`]s of its bytes,
//!   [`HttpMutation`]s of the request that carries it.
//! * [`Program`]: a conversation as steps that refer to each other, drawn from what a server [offers](Offered).
//! * [`Dictionary`]: words in AFL's syntax that mutations and drawn values use.
//!
//! Nothing drawn names a host of the network that was not named before
//! (see [`names_no_real_host`](crate::generate::names_no_real_host)).

mod bytes;
mod dictionary;
mod dictionary_write;
mod draw_json;
mod harmless;
mod http;
mod json;
mod json_type;
mod mutated;
mod mutation;
mod offered;
mod places;
mod program;
mod program_draw;
mod program_rules;
mod program_shrink;
mod text;
mod words;

#[cfg(test)]
mod bytes_tests;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod mutated_tests;
#[cfg(test)]
mod program_tests;

pub use bytes::ByteMutation;
pub use dictionary::{Dictionary, DictionaryError, Entry, Fault, Scope};
pub use harmless::adds_no_real_host;
pub use http::HttpMutation;
pub use json::{JsonChange, JsonMutation, Large, Put};
pub use json_type::JsonType;
pub use mutated::{Ground, Mutated};
pub use mutation::{Bounds, DEEPEST, LARGEST, Mutation};
pub use offered::{Listing, Offered};
pub use program::{Act, Action, Filter, Program, Step};
pub use program_draw::program;
pub use program_rules::Refusal;
pub use words::value_with;
