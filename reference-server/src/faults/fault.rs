//! What a fault is: its name, what it does, what it breaks, and where it can show.

use std::fmt;
use std::str::FromStr;

use crate::faults::hook::Hook;
use crate::faults::registry::{UnknownFault, find};
use crate::revision::Revision;

/// How client and server are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    HttpSse,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 3] = [Self::Stdio, Self::Http, Self::HttpSse];

    /// `stdio`, `http` or `http+sse`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::HttpSse => "http+sse",
        }
    }
}

/// A named way in which the server breaks one requirement on purpose.
#[derive(Debug)]
pub struct Fault {
    id: &'static str,
    about: &'static str,
    besides: &'static [&'static str],
    also: &'static [&'static str],
    revisions: &'static [Revision],
    transports: &'static [Transport],
    warns: &'static [Revision],
    serving: &'static [&'static str],
    anonymous: bool,
    judge: Option<&'static str>,
    pub(crate) hooks: &'static [Hook],
}

impl Fault {
    /// Its name: the id of the requirement, a slash, and a word for the way it is broken.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// What the server does, as a sentence; for the bug of a real server, with the address where it is told.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// The requirement in its name; the rule of the profile where a test is its judge.
    pub fn requirement(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(requirement, _)| requirement)
    }

    /// The requirements that it breaks: that of its name, then others for which the same holds. None where a test of this
    /// crate is its judge, because no requirement is about it.
    pub fn breaks(&self) -> impl Iterator<Item = &'static str> + use<> {
        let own = self.judge.is_none().then(|| self.requirement());
        own.into_iter().chain(self.besides.iter().copied())
    }

    /// The test of `tests/enterprise` that fails under it, where no client could see it or no requirement is about it.
    pub const fn judge(&self) -> Option<&'static str> {
        self.judge
    }

    /// Further requirements that a fair reading may see broken, too.
    pub const fn also(&self) -> &'static [&'static str] {
        self.also
    }

    /// The revisions in which it is worth a warning at most, whatever the level of the requirement: the reaction is of
    /// the right kind and only its details are wrong, such as an error with another code.
    pub const fn warns(&self) -> &'static [Revision] {
        self.warns
    }

    /// The revisions in which it can show.
    pub const fn revisions(&self) -> &'static [Revision] {
        self.revisions
    }

    /// The arguments of `mcprove serve` with which it can show, besides `--fault`: the profile that it is a fault of.
    pub const fn serving(&self) -> &'static [&'static str] {
        self.serving
    }

    /// Whether it shows only where there is no authorization, which over HTTP is not how the server is usually checked.
    pub const fn anonymous(&self) -> bool {
        self.anonymous
    }

    /// The transports over which it can show.
    pub const fn transports(&self) -> &'static [Transport] {
        self.transports
    }
}

/// A fault as the tables write it: in every revision, over every transport, breaking the requirement of its name alone.
pub(super) const fn fault(id: &'static str, about: &'static str, hooks: &'static [Hook]) -> Fault {
    let (revisions, transports) = (&Revision::ALL, &Transport::ALL);
    Fault {
        id,
        about,
        besides: &[],
        also: &[],
        revisions,
        transports,
        warns: &[],
        anonymous: false,
        judge: None,
        serving: &[],
        hooks,
    }
}

impl Fault {
    /// It breaks these requirements as well.
    pub(super) const fn breaking(mut self, besides: &'static [&'static str]) -> Self {
        self.besides = besides;
        self
    }

    /// These requirements may be seen broken, too.
    pub(super) const fn also_seen(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }

    /// It is worth a warning at most in these revisions: the reaction is of the right kind, or the check is lenient.
    pub(super) const fn warning_in(mut self, revisions: &'static [Revision]) -> Self {
        self.warns = revisions;
        self
    }

    /// It shows without authorization only.
    pub(super) const fn where_anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// It shows in these revisions only.
    pub(super) const fn within(mut self, revisions: &'static [Revision]) -> Self {
        self.revisions = revisions;
        self
    }

    /// It shows only where this is served.
    #[cfg(feature = "enterprise")]
    pub(super) const fn where_served(mut self, serving: &'static [&'static str]) -> Self {
        self.serving = serving;
        self
    }

    /// No check judges it, but this test of `tests/enterprise`.
    #[cfg(feature = "enterprise")]
    pub(super) const fn judged_by(mut self, test: &'static str) -> Self {
        self.judge = Some(test);
        self
    }

    /// It shows over these transports only.
    pub(super) const fn over(mut self, transports: &'static [Transport]) -> Self {
        self.transports = transports;
        self
    }
}

/// Every revision.
pub(super) const ANY: &[Revision] = &Revision::ALL;
/// The revisions with a handshake.
pub(super) const LEGACY: &[Revision] =
    &[Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
/// The stateless revision.
pub(super) const MODERN: &[Revision] = &[Revision::V2026_07_28];
/// The revisions with a handshake that know Streamable HTTP.
pub(super) const SESSIONS: &[Revision] =
    &[Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
/// 2024-11-05 alone.
pub(super) const V2024_11: &[Revision] = &[Revision::V2024_11_05];
/// 2025-03-26 alone.
pub(super) const V2025_03: &[Revision] = &[Revision::V2025_03_26];
/// 2025-06-18 alone.
pub(super) const V2025_06: &[Revision] = &[Revision::V2025_06_18];
/// 2025-11-25 alone.
pub(super) const V2025_11: &[Revision] = &[Revision::V2025_11_25];
/// 2025-03-26 and later.
pub(super) const SINCE_2025_03: &[Revision] =
    &[Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];
/// 2025-06-18 and 2025-11-25.
pub(super) const FORMS: &[Revision] = &[Revision::V2025_06_18, Revision::V2025_11_25];
/// 2025-06-18 and later.
pub(super) const SINCE_2025_06: &[Revision] =
    &[Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];
/// 2025-11-25 and later.
pub(super) const SINCE_2025_11: &[Revision] = &[Revision::V2025_11_25, Revision::V2026_07_28];
/// Standard input and output alone.
pub(super) const STDIO: &[Transport] = &[Transport::Stdio];
/// HTTP+SSE alone.
pub(super) const SSE: &[Transport] = &[Transport::HttpSse];
/// Streamable HTTP alone.
pub(super) const HTTP: &[Transport] = &[Transport::Http];

/// A fault of the registry, as [`crate::Config::faults`] names it; read from its id.
#[derive(Clone, Copy)]
pub struct FaultId(pub(super) &'static Fault);

impl FaultId {
    /// What it is.
    pub const fn fault(self) -> &'static Fault {
        self.0
    }
}

impl FromStr for FaultId {
    type Err = UnknownFault;

    fn from_str(id: &str) -> Result<Self, UnknownFault> {
        find(id).map(Self)
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.id)
    }
}

impl fmt::Debug for FaultId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
