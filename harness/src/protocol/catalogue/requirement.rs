//! A row of the catalogue and the words that its fields are made of.

use crate::protocol::{Era, Revision};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word used in the catalogue and in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// The force of a requirement in one revision (RFC 2119), or `INVARIANT` for a rule of this project.
    Level {
        /// An absolute duty.
        Must = "MUST",
        /// An absolute prohibition.
        MustNot = "MUST NOT",
        /// A duty with room for good reasons.
        Should = "SHOULD",
        /// A prohibition with room for good reasons.
        ShouldNot = "SHOULD NOT",
        /// What any server must stand, whatever the revision says; no text of the specification states it.
        Invariant = "INVARIANT",
    }
}

impl Level {
    /// Whether it is `SHOULD` or `SHOULD NOT`.
    pub const fn is_should(self) -> bool {
        matches!(self, Self::Should | Self::ShouldNot)
    }
}

words! {
    /// Where the force of a requirement comes from.
    Basis {
        /// An upper-case key word in the text.
        Keyword = "keyword",
        /// A flow, a table, an example or a lower-case "should".
        Implied = "implied",
        /// A type or a comment of the schema.
        Schema = "schema",
        /// JSON-RPC 2.0.
        JsonRpc = "jsonrpc",
        /// An RFC or OAuth 2.1.
        Rfc = "rfc",
        /// A rule of this project.
        Invariant = "invariant",
    }
}

words! {
    /// What an implied force rests on.
    ImpliedBy {
        /// A plain sentence without a key word; "must" and "should" in lower case among them.
        Prose = "prose",
        /// A table.
        Table = "table",
        /// The steps or the diagram of an exchange, or an example.
        Flow = "flow",
        /// What is asked of the client, or said elsewhere: it would not work without.
        Consequence = "consequence",
    }
}

words! {
    /// Who has the duty. Duties of clients alone are no rows of the catalogue.
    Party {
        /// The server.
        Server = "server",
        /// Server and client alike; the server is judged.
        Both = "both",
    }
}

words! {
    /// The transports that a requirement speaks of.
    AppliesTo {
        /// All.
        Any = "any",
        /// STDIO alone.
        Stdio = "stdio",
        /// HTTP alone.
        Http = "http",
    }
}

words! {
    /// What breaks for a user when the requirement is violated.
    Severity {
        /// Client and server do not work together.
        Interop = "interop",
        /// Somebody can be harmed.
        Security = "security",
        /// It works, but badly.
        Quality = "quality",
    }
}

words! {
    /// Whether a black box can be tested for it.
    Testable {
        /// With any server.
        Always = "always",
        /// Where the condition in `needs` is met.
        Conditional = "conditional",
        /// Not at all; `needs` or the stimulus says why. The row documents the denominator of coverage.
        Never = "never",
    }
}

words! {
    /// The worst outcome that a violation may have, over the general policy.
    VerdictMax {
        /// A violation warns at most.
        Warn = "warn",
        /// A violation may fail although the basis is only implied.
        Fail = "fail",
    }
}

/// The level in each revision that has the duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels(pub(super) [Option<Level>; Revision::ALL.len()]);

impl Levels {
    /// The level in a revision; `None` where the revision does not have the duty.
    pub fn get(&self, revision: Revision) -> Option<Level> {
        self.0[revision as usize]
    }

    /// The revisions that have the duty, oldest first, with its level there.
    pub fn iter(&self) -> impl Iterator<Item = (Revision, Level)> + '_ {
        Revision::ALL.into_iter().filter_map(|revision| Some((revision, self.get(revision)?)))
    }
}

/// Where a requirement stands. Anchors are as in the catalogue (`policy/POLICY.md`, section 1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// The page and heading of the legacy era, and the revision in which it was read.
    pub legacy: Option<(String, Revision)>,
    /// Further places of the legacy era, in the same revision.
    pub legacy_also: Vec<String>,
    /// The page and heading in 2026-07-28.
    pub modern: Option<String>,
    /// Further places in 2026-07-28.
    pub modern_also: Vec<String>,
    /// Places outside the specification: JSON-RPC 2.0, RFCs, OAuth 2.1, this project's policy.
    pub external: Vec<String>,
}

/// A duty of servers, the same in all revisions that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The id, stable for ever: `AREA.TOPIC.NAME`.
    pub id: String,
    /// The area: the first part of the id and the name of the file.
    pub area: &'static str,
    /// What a good server does, as a headline.
    pub title: String,
    /// The duty in one sentence.
    pub statement: String,
    /// Who has it.
    pub party: Party,
    /// On which transports.
    pub transport: AppliesTo,
    /// What breaks when it is violated.
    pub severity: Severity,
    /// Where its force comes from in the newest era that has it; see [`Requirement::basis_for`].
    pub basis: Basis,
    /// Where its force comes from in the legacy era, if that differs.
    pub basis_legacy: Option<Basis>,
    /// What an implied force rests on; `None` where the text has not been read for it again.
    pub implied_by: Option<ImpliedBy>,
    /// Whether it can be tested from outside.
    pub testable: Testable,
    /// What a test needs of the server or the operator.
    pub needs: Option<String>,
    /// What is sent and which observation decides, in the legacy era.
    pub stimulus_legacy: Option<String>,
    /// What is sent and which observation decides, in 2026-07-28.
    pub stimulus_modern: Option<String>,
    /// Revisions whose level was inferred and not yet read in that revision's own text.
    pub carried: Vec<Revision>,
    /// The row that carries the finding, where both rest on one observation; see [`Requirement::restates_in`].
    pub restates: Option<String>,
    /// A cap on the outcome, over the general policy.
    pub verdict_max: Option<VerdictMax>,
    /// The force in each revision.
    pub levels: Levels,
    /// Where it stands.
    pub spec: Spec,
}

impl Requirement {
    /// The level in a revision; `None` where the revision does not have the duty.
    pub fn level(&self, revision: Revision) -> Option<Level> {
        self.levels.get(revision)
    }

    /// Where the force comes from in a revision.
    pub fn basis_for(&self, revision: Revision) -> Basis {
        match revision.era() {
            Era::Legacy => self.basis_legacy.unwrap_or(self.basis),
            Era::Modern => self.basis,
        }
    }

    /// What is sent in a revision and which observation decides; `None` where the revision does not have the duty.
    pub fn stimulus(&self, revision: Revision) -> Option<&str> {
        self.level(revision)?;
        match revision.era() {
            Era::Legacy => self.stimulus_legacy.as_deref(),
            Era::Modern => self.stimulus_modern.as_deref(),
        }
    }

    /// Whether the level in a revision was inferred rather than read in that revision's own text.
    pub fn is_carried(&self, revision: Revision) -> bool {
        self.carried.contains(&revision)
    }
}
