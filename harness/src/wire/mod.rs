//! Bytes: processes, standard streams, HTTP, SSE. What happens is told as a closed set of observable events;
//! nothing here knows what a message means.

#[cfg(not(unix))]
compile_error!(
    "mcprove runs on Unix systems only: it relies on process groups and signals (on Windows, use WSL)"
);

mod challenge;
mod client_config;
mod event;
pub mod framing;
mod guardian;
mod http;
mod http_body;
mod http_connect;
mod http_exchange;
mod http_reader;
mod http_request;
mod process;
mod process_error;
mod process_io;
pub mod sse;
mod stand_in;
mod sweep;
mod target;

pub use challenge::Challenge;
pub use client_config::{ClientConfig, ConfigError};
pub use event::{
    Channel, Deliberate, End, Event, Flow, Headers, Limits, Observer, Payload, ShutdownStep, SseFields,
    Taint, header,
};
pub use guardian::RUN_VARIABLE;
pub use http::{HttpClient, HttpConfig, HttpError};
pub use http_connect::{Connector, Stream, is_loopback};
pub use http_reader::{BodyEnd, BodyReader};
pub use http_request::{Request, RequestBody, ResponseLimits};
pub use process::{CommandLine, Exit, Process};
pub use process_error::{StartError, WriteError};
pub use stand_in::{Ended, Glimpse, Signals, StandIn, Streams, Way, die_by};
pub use target::{HttpTarget, TargetError, TargetSpec};
