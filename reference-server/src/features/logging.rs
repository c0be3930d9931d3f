//! Logging: the eight levels and `logging/setLevel`.

use crate::legacy::Session;
use crate::message::{Object, RpcError, string};

/// Severity of a log message, least severe first (RFC 5424 names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    pub(crate) const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, RpcError> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == name)
            .ok_or_else(|| RpcError::invalid_params("Invalid params: unknown log level"))
    }
}

/// `logging/setLevel`: from now on the session gets messages of this level and above.
pub(crate) fn set_level(session: &Session, params: &Object) -> Result<Object, RpcError> {
    session.set_level(Level::parse(string(params, "level")?)?);
    Ok(Object::new())
}
