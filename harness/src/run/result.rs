//! Outcomes, findings and their counts.

use crate::protocol::{Revision, Transport};
use serde::{Deserialize, Serialize};

/// What is known about one requirement for one target, revision and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A MUST is broken.
    Fail,
    /// A SHOULD is broken, or something that policy keeps below a failure.
    Warn,
    /// Seen, but not again when repeated.
    Flaky,
    /// Could not be decided; the reason says why.
    Inconclusive,
    /// The deciding observation was made, and it was good.
    Pass,
    /// The server does not have the feature, or the revision does not have the rule; the reason says which.
    NotApplicable,
}

impl Outcome {
    /// All outcomes, the worst first.
    pub const ALL: [Self; 6] =
        [Self::Fail, Self::Warn, Self::Flaky, Self::Inconclusive, Self::Pass, Self::NotApplicable];

    /// The word used in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Flaky => "flaky",
            Self::Inconclusive => "inconclusive",
            Self::Pass => "pass",
            Self::NotApplicable => "not-applicable",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The outcome of one requirement × revision × transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The requirement's id.
    pub requirement: String,
    /// Its title, for people; not part of the JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Address of the page of the specification that a reader can open (`https:` or `http:`); not part of the JSON
    /// document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its level in the revision (`MUST`, `MUST NOT`, `SHOULD`, `SHOULD NOT`, `INVARIANT`); `null` where the revision does not have the rule.
    pub level: Option<String>,
    /// What breaks for a user: `interop`, `security`, `quality`.
    pub severity: String,
    /// The revision spoken.
    pub revision: Revision,
    /// The transport used.
    pub transport: Transport,
    /// The outcome.
    pub outcome: Outcome,
    /// Why it is not decided or does not apply, or what to know beside the outcome.
    pub reason: Option<Reason>,
    /// What was found; not empty for `fail`, `warn` and `flaky`, unless the reason is `see-other`.
    pub findings: Vec<Finding>,
}

/// A reason that a program can tell apart and a person can read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word, such as `not-declared` or `no-probe`.
    pub code: String,
    /// A sentence.
    pub text: String,
}

impl Reason {
    /// A reason from its code and its sentence.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

/// Something that a server did wrong, with what is needed to believe it and to mend it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Unique within the run: `F1`, `F2`, ….
    pub id: String,
    /// The same for the same defect in every run: requirement, kind of stimulus and shape of the answer, hashed.
    pub signature: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What was on the wire.
    pub evidence: Evidence,
    /// What would have been acceptable, one entry an alternative.
    pub expected: Vec<String>,
    /// What came instead.
    pub actual: String,
    /// Where the specification says so, and with what force.
    pub spec: String,
    /// A command line that shows it again.
    pub reproduce: String,
    /// The transcript that shows it, relative to the run's folder.
    pub transcript: Option<String>,
    /// How it was confirmed: `process`, `session`, `connection`, or `null` when it was seen once.
    pub confirmed: Option<String>,
}

/// What was on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the harness had sent, as text, shortened at the end if very long; `null` where nothing was sent.
    pub sent: Option<String>,
    /// What came, as text, shortened at the end if very long; `null` where nothing came.
    pub received: Option<String>,
    /// Byte range in `received` of the offending part.
    pub mark: Option<[usize; 2]>,
    /// JSON pointer of the offending part in the message.
    pub pointer: Option<String>,
    /// Index of the deciding event in the transcript.
    pub event: Option<u64>,
}

/// Results by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Summary {
    /// A MUST is broken.
    pub fail: u32,
    /// A SHOULD is broken.
    pub warn: u32,
    /// Seen once.
    pub flaky: u32,
    /// Not decided.
    pub inconclusive: u32,
    /// Good.
    pub pass: u32,
    /// Not asked of this server.
    pub not_applicable: u32,
}

impl Summary {
    /// Counts one more result.
    pub fn add(&mut self, outcome: Outcome) {
        let slot = self.slot(outcome);
        *slot = slot.saturating_add(1);
    }

    /// The number of results.
    pub fn total(&self) -> u32 {
        Outcome::ALL.into_iter().fold(0, |sum: u32, outcome| sum.saturating_add(self.count(outcome)))
    }

    /// The count of an outcome.
    pub fn count(&self, outcome: Outcome) -> u32 {
        let mut copy = *self;
        *copy.slot(outcome)
    }

    fn slot(&mut self, outcome: Outcome) -> &mut u32 {
        match outcome {
            Outcome::Fail => &mut self.fail,
            Outcome::Warn => &mut self.warn,
            Outcome::Flaky => &mut self.flaky,
            Outcome::Inconclusive => &mut self.inconclusive,
            Outcome::Pass => &mut self.pass,
            Outcome::NotApplicable => &mut self.not_applicable,
        }
    }
}
