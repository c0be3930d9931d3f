//! The stateless revision 2026-07-28.

mod discover;
mod dispatch;
mod headers;
mod meta;
mod mrtr;
mod subscriptions;

pub(crate) use dispatch::{ModernAnswer, admit, admit_notification, answer, may_stream, refused};
pub(crate) use headers::MirrorHeaders;
pub(crate) use meta::{RequestMeta, is_stateless};
pub(crate) use mrtr::Round;
#[cfg(feature = "enterprise")]
pub(crate) use mrtr::{EXPIRED, StateTicket, seconds_since_1970};
pub(crate) use subscriptions::Closing;
