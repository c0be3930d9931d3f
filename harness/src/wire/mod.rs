//! Bytes: processes, standard streams, HTTP, SSE. What happens is told as a closed set of observable events;
//! nothing here knows what a message means.

mod event;
pub mod framing;
mod process;
pub mod sse;

pub use event::{
    Channel, Deliberate, End, Event, Flow, Headers, Limits, Observer, Payload, ShutdownStep, SseFields,
    Taint, header,
};
pub use process::CommandLine;
