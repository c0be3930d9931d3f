//! Authorization (basic/authorization): the server as an OAuth 2.1 resource server over HTTP.

mod grant;

#[cfg(feature = "enterprise")]
mod authorization;
#[cfg(feature = "enterprise")]
mod denial;
#[cfg(feature = "enterprise")]
mod gate;
#[cfg(feature = "enterprise")]
mod jwt;
#[cfg(feature = "enterprise")]
mod key_set;
#[cfg(feature = "enterprise")]
mod remote_keys;
#[cfg(feature = "enterprise")]
mod signature;
#[cfg(feature = "enterprise")]
mod test_server;

pub(crate) use grant::{Grant, Principal};

#[cfg(feature = "enterprise")]
pub use authorization::{Authorization, FixedToken, Tokens};
#[cfg(feature = "enterprise")]
pub use jwt::TrustedIssuer;
#[cfg(feature = "enterprise")]
pub use key_set::InvalidKeys;
#[cfg(feature = "enterprise")]
pub use test_server::{TestAuthorizationServer, serve_test_authorization_server};

#[cfg(feature = "enterprise")]
pub(crate) use gate::{admit, is_open, open, step_up};
#[cfg(feature = "enterprise")]
pub(crate) use test_server::refuse_others;
