//! Why a verb could not do its work, and the exit code that goes with it.

/// Why a verb could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The user can mend it: wrong usage or configuration.
    Usage(String),
    /// We have to mend it, or the machine is at its end.
    Bug(String),
}

impl Failure {
    pub(super) fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    pub(super) fn bug(error: impl ToString) -> Self {
        Self::Bug(error.to_string())
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Bug(_) => 70,
        }
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::Usage(text) | Self::Bug(text) => text,
        }
    }
}
