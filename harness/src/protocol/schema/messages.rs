//! Which requests and notifications each side may send in a revision, with the names of their types.

use super::resolve::revision_model;
use crate::protocol::Revision;

/// A side of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Party {
    /// The other side.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A request that a side may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestType {
    /// The method, as on the wire.
    pub method: &'static str,
    /// The definition of the whole request.
    pub definition: &'static str,
    /// The definition of `params`; `None` where the revision gives it no name (up to 2025-06-18).
    pub params: Option<&'static str>,
    /// Whether `params` must be there.
    pub params_required: bool,
    /// The definition of the usual result.
    pub result: &'static str,
    /// Other results that say by themselves what they are: a task (2025-11-25), a demand for input (2026-07-28).
    pub other_results: Vec<&'static str>,
}

/// A notification that a side may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationType {
    /// The method, as on the wire.
    pub method: &'static str,
    /// The definition of the whole notification.
    pub definition: &'static str,
    /// The definition of `params`; `None` where the revision gives it no name (up to 2025-06-18).
    pub params: Option<&'static str>,
    /// Whether `params` must be there.
    pub params_required: bool,
}

/// What one side may send in one revision, sorted by the name of the definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Methods {
    /// Requests. In 2026-07-28 a server sends none: what it asks travels inside a result.
    pub requests: Vec<RequestType>,
    /// Notifications.
    pub notifications: Vec<NotificationType>,
}

impl Methods {
    /// The request with this method.
    pub fn request(&self, method: &str) -> Option<&RequestType> {
        self.requests.iter().find(|request| request.method == method)
    }

    /// The notification with this method.
    pub fn notification(&self, method: &str) -> Option<&NotificationType> {
        self.notifications.iter().find(|notification| notification.method == method)
    }
}

/// The requests and notifications that `sender` may send in `revision`.
pub fn methods(revision: Revision, sender: Party) -> &'static Methods {
    let model = revision_model(revision);
    match sender {
        Party::Client => model.client.get_or_init(|| model.methods(sender)),
        Party::Server => model.server.get_or_init(|| model.methods(sender)),
    }
}
