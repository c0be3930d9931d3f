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
    /// The STDIO server ends at the end of its input.
    ExitAtEndOfInput,
    /// A call that became a task is answered before its work is done.
    TasksAnsweredAtOnce,
    /// The ids of tasks are random.
    TaskIdsRandom,
    /// A task takes the answers to its questions (2025-11-25).
    TasksTakeAnswers,
    /// The work of a cancelled task stops.
    CancelledTasksStop,
    /// Tasks are listed for clients that are told apart, and for no others (2025-11-25).
    TasksListedForKnownClients,
}
