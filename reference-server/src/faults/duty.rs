//! The checks and obligations of the server, as far as a fault may leave them undone.

#[cfg(feature = "enterprise")]
use crate::enterprise::Place;
use crate::features::Capability;

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
    /// A stateless request that names no log level gets no log messages.
    LogsWhereAsked,
    /// A client is asked for what it declared, and for nothing else.
    AsksWhatIsDeclared(Capability),
    /// What a client answers is held against the question.
    AnswersChecked,
    /// A question to one client is answered by that client only (legacy).
    PeersApart,
    /// The model may use tools so often and not more.
    ToolLoopEnds,
    /// A request state counts for its own request only.
    StateBound,
    /// A request state counts for its own principal only.
    StateBoundToPrincipal,
    /// A change of a resource is told to those who subscribed to it (legacy).
    UpdatesAsSubscribed,
    /// A change is told to the subscriptions that asked for it.
    ChangesAsSubscribed,
    /// A subscription lasts until somebody ends it.
    SubscriptionLasts,
    /// Arguments of tools are checked against their schema.
    ArgumentsChecked,
    /// A task is its principal's.
    TaskBound,
    /// A task is told to whom it belongs.
    TasksToldToOwners,
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
    /// What a role does not list, it does not get either.
    #[cfg(feature = "enterprise")]
    RoleChecked,
    /// Log messages name a record and do not hold it.
    #[cfg(feature = "enterprise")]
    RecordsStayOutOfLogs,
    /// What differs with who asks is kept by nobody else.
    #[cfg(feature = "enterprise")]
    ResultsPrivate,
    /// A place shows the fields of a record as the role sees them.
    #[cfg(feature = "enterprise")]
    FieldsMasked(Place),
    /// What a role is to see as a stand-in, it sees so.
    #[cfg(feature = "enterprise")]
    StandInsShown,
    /// What people have written is marked as untrusted.
    #[cfg(feature = "enterprise")]
    WrittenMarked,
    /// Who brings no role that is known has the least one.
    #[cfg(feature = "enterprise")]
    StrangersHaveTheLeast,
    /// What a role has not is answered like what does not exist.
    #[cfg(feature = "enterprise")]
    HiddenLooksMissing,
    /// A cursor is good for the principal who got it.
    #[cfg(feature = "enterprise")]
    CursorBound,
    /// A change is told to those who can see it.
    #[cfg(feature = "enterprise")]
    ChangesOfOwnView,
    /// Only to what may be read can anybody subscribe.
    #[cfg(feature = "enterprise")]
    SubscriptionsOfOwnView,
    /// A URI leads to what it names, and nowhere else.
    #[cfg(feature = "enterprise")]
    UrisDoNotClimb,
    /// What is looked for is a parameter of the statement.
    #[cfg(feature = "enterprise")]
    QueryParameterised,
    /// Something consequential is asked first.
    #[cfg(feature = "enterprise")]
    ApprovalAsked,
    /// Only a yes is a yes.
    #[cfg(feature = "enterprise")]
    OnlyYesApproves,
    /// An approval is good for one time.
    #[cfg(feature = "enterprise")]
    ApprovalOnce,
    /// After a yes it is looked again whether the matter is the one that was asked about.
    #[cfg(feature = "enterprise")]
    MatterUnchanged,
    /// A request state is worth nothing after its end.
    StateExpires,
    /// A refused call has a line in the audit log.
    #[cfg(feature = "enterprise")]
    RefusalsAudited,
    /// The line is written before the answer leaves.
    #[cfg(feature = "enterprise")]
    AuditedFirst,
    /// The line is with the operating system when it has been written.
    #[cfg(feature = "enterprise")]
    AuditFlushed,
    /// Parameters are masked in the audit log.
    #[cfg(feature = "enterprise")]
    AuditMasked,
    /// The audit log says who it was.
    #[cfg(feature = "enterprise")]
    AuditNamesPrincipal,
    /// Each line of the audit log ends with its checksum.
    #[cfg(feature = "enterprise")]
    AuditChecksummed,
    /// What changes a record is announced in the audit log first.
    #[cfg(feature = "enterprise")]
    ChangesAnnounced,
    /// The STDIO server ends at the end of its input.
    ExitAtEndOfInput,
    /// The STDIO server ends when it gets SIGTERM.
    EndOnSigterm,
    /// A call that is cancelled leaves other calls alone (2026-07-28).
    CallsCancelledAlone,
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
    /// A line of STDIO input goes on where the last read ended.
    LinesJoined,
    /// The older era is spoken. Without it the server is a right one of the newer era, and other faults can show.
    LegacyServed,
    /// Responses go out where they were asked for, and not on the GET stream.
    ResponsesOnOwnStream,
    /// What a server says by itself goes out on one GET stream.
    ChangesOnOneStream,
    /// Progress goes out on the stream of its request, and not on the GET stream.
    ProgressOnOwnStream,
    /// Pings are answered on the stream of their client (HTTP+SSE).
    PingsOnOwnStream,
    /// Progress is told to the client that asked for it, and to no other (HTTP+SSE).
    ProgressToOwnClient,
    /// A request goes on when its connection is lost (legacy, Streamable HTTP).
    DisconnectIsNoCancellation,
}
