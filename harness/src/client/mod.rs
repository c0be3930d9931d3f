//! Speaking to a server: conversations in both eras, over every transport, by the client's own duties.

mod answers;
mod bearing;
mod conversation;
mod fetch;
mod handshake;
pub mod headers;
mod inbox;
mod link;
pub mod mrtr;
mod opener;
mod outgoing;
mod pace;
mod reply;
mod streams;
mod wish;

pub use answers::{Answering, MODEL_TEXT, capabilities, client_info};
pub use bearing::Bearing;
pub use conversation::{Closed, Conversation, Opening, TIMED_OUT, Ticket, with_meta};
pub use fetch::{Fetch, Fetched, fetch_alone};
pub use handshake::{Handshake, HandshakeFailure};
pub use inbox::Heard;
pub use link::{Binding, OpenError, Timeouts};
pub use opener::{Finished, Opened, Opener, RecorderSource};
pub use outgoing::{HttpEdits, Outgoing};
pub use pace::Pace;
pub use reply::{Answer, Gone, HttpHead, Reply};
pub use wish::Wish;
