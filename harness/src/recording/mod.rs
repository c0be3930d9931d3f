//! Recording: standing between a client and a server, changing nothing, and keeping what crosses.

mod assemble;
#[cfg(feature = "cli")]
mod http;
mod listen_in;
mod queue;
mod stdio;
mod tape;

#[cfg(feature = "cli")]
pub use http::{Proxy, ProxyError};
pub use listen_in::ListenIn;
pub use stdio::{RecordError, Recorded, record_stdio};
