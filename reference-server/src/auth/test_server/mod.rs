//! An authorization server for tests: it gives a token to whoever asks, and bad ones too. Never for anything real.

mod forms;
mod issued;
mod keys;
mod routes;
mod serve;

pub use routes::TestAuthorizationServer;
pub(crate) use serve::refuse_others;
pub use serve::serve_test_authorization_server;
