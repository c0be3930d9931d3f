//! What differs between a recording and what came instead.

use crate::transcript::RulePart;
use serde::Serialize;
use serde_json::Value;

/// A message, by what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The session, counted from 0.
    pub session: usize,
    /// The method, or that of the request that is answered; empty where no request was.
    pub method: String,
    /// What it is.
    pub of: RulePart,
    /// Which of its kind and method, counted from 1.
    pub nth: u64,
    /// The event in the recording; `None` for what the recording lacks.
    pub event: Option<u64>,
    /// Of what the recording lacks: the event that was recorded for what came last before it.
    #[serde(skip)]
    pub after: Option<u64>,
}

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Another value of the same type.
    Value,
    /// A value of another type.
    Type,
    /// A member or an element is missing.
    Missing,
    /// A member or an element is new.
    Extra,
    /// The elements of an array stand in another order.
    Order,
    /// Another error code.
    ErrorCode,
    /// An error in place of a result, or a result in place of an error.
    Outcome,
    /// The message does not fit the schema of the protocol.
    Schema,
    /// Another HTTP status.
    Status,
    /// A message did not come.
    MissingMessage,
    /// A message came that the recording lacks.
    ExtraMessage,
    /// A message came before or after another one of the same request, in another order than it was recorded.
    MessageOrder,
    /// A message came, but only after the wait for it was over.
    Late,
    /// The server was gone, or answered nothing any more: the rest was not sent.
    Gone,
}

impl Kind {
    /// What it is, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Value => "another value",
            Self::Type => "another type",
            Self::Missing => "missing",
            Self::Extra => "new",
            Self::Order => "another order",
            Self::ErrorCode => "another error code",
            Self::Outcome => "another outcome",
            Self::Schema => "not what the protocol says",
            Self::Status => "another HTTP status",
            Self::MissingMessage => "did not come",
            Self::ExtraMessage => "is new",
            Self::MessageOrder => "came in another order",
            Self::Late => "came late",
            Self::Gone => "ended before its time",
        }
    }

    /// Whether it is about a whole message.
    pub fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::MissingMessage
                | Self::ExtraMessage
                | Self::MessageOrder
                | Self::Late
                | Self::Gone
                | Self::Status
        )
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The message.
    pub message: Place,
    /// Where in it, as a JSON pointer into what was recorded; empty for the whole.
    pub path: String,
    /// What differs.
    pub kind: Kind,
    /// What was recorded there.
    pub recorded: Option<Value>,
    /// What is there now.
    pub live: Option<Value>,
    /// What there is to say beside the values.
    pub note: Option<String>,
}
