//! What a baseline says of a run: which defects were known before, and which of its entries have to be looked at.

use super::result::Outcome;
use crate::protocol::{Revision, Transport};
use serde::{Deserialize, Serialize};

/// A run held against a baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The baseline's file, as the user named it.
    pub file: String,
    /// The defects that it covers and that were seen, in the order of the file.
    pub defects: Vec<KnownDefect>,
    /// The results that do not count, because all that was found in them is covered; sorted.
    pub results: Vec<KnownResult>,
    /// What has to be mended in the baseline itself, in the order of the file.
    pub problems: Vec<BaselineProblem>,
}

impl Known {
    /// How many results of an outcome do not count.
    pub fn count(&self, outcome: Outcome) -> u32 {
        let of_it = self.results.iter().filter(|result| result.outcome == outcome).count();
        u32::try_from(of_it).unwrap_or(u32::MAX)
    }
}

/// A defect that an entry of the baseline covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDefect {
    /// The requirement.
    pub requirement: String,
    /// The signature as the entry writes it: a pattern.
    pub signature: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is, `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// The ids of the findings that it covers.
    pub findings: Vec<String>,
}

/// A result that does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownResult {
    /// The requirement.
    pub requirement: String,
    /// The revision spoken.
    pub revision: Revision,
    /// The transport used.
    pub transport: Transport,
    /// `fail` or `warn`.
    pub outcome: Outcome,
}

/// Why an entry has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineFault {
    /// What it covers was decided and does not happen any more.
    Gone,
    /// It covers more than one requirement, or any defect at all of one; it covers nothing until it is narrowed.
    TooWide,
    /// Its day has passed; it covers nothing any more.
    Expired,
    /// Nobody has written why it is accepted.
    NoReason,
}

impl BaselineFault {
    /// The word used in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::TooWide => "too-wide",
            Self::Expired => "expired",
            Self::NoReason => "no-reason",
        }
    }
}

/// An entry of the baseline that has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineProblem {
    /// What is the matter.
    pub code: BaselineFault,
    /// The line of the file where the entry begins, from 1.
    pub line: u32,
    /// The requirement as the entry writes it.
    pub requirement: String,
    /// The signature as the entry writes it.
    pub signature: String,
    /// What is the matter and what to do, in one sentence.
    pub text: String,
}
