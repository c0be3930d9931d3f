//! The checks and obligations of the server, as far as a fault may leave them undone.

/// What [`crate::Server::keeps`] is asked for at the place where the duty stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// A foreign `Origin` is refused.
    OriginChecked,
    /// `MCP-Protocol-Version` of a session has to name a revision that is served.
    VersionHeaderChecked,
    /// A second `initialize` is refused.
    InitializeOnce,
    /// The stream of a session begins with an event that has an id and no message (2025-11-25).
    PrimingEvent,
    /// A cancelled request is not answered.
    CancelledWorkStops,
    /// Progress grows.
    ProgressGrows,
    /// Log messages below the level that was set are not sent.
    LogThreshold,
    /// Arguments of tools are checked against their schema.
    ArgumentsChecked,
    /// A task is its principal's.
    TaskBound,
    /// Nobody can guess the id of a session.
    SessionIdRandom,
    /// A session is its principal's.
    SessionBound,
    /// A token has to have the scopes that a request takes.
    #[cfg(feature = "enterprise")]
    ScopeChecked,
    /// A token has to be of the trusted issuer.
    #[cfg(feature = "enterprise")]
    TokenIssuerChecked,
    /// A token has to be for this server.
    #[cfg(feature = "enterprise")]
    TokenAudienceChecked,
    /// A token may not have expired.
    #[cfg(feature = "enterprise")]
    TokenExpiryChecked,
    /// The signature of a token has to be right.
    #[cfg(feature = "enterprise")]
    TokenSignatureChecked,
    /// The STDIO server ends at the end of its input.
    ExitAtEndOfInput,
}
