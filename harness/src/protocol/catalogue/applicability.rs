//! Which requirements hold for a revision over a transport.

use super::requirement::{AppliesTo, Level, Requirement};
use crate::protocol::{Revision, Transport};

/// The area of the HTTP+SSE transport of 2024-11-05.
const HTTP_SSE_AREA: &str = "http-legacy-sse";

/// Why a requirement does not hold for a revision over a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotApplicable {
    /// The revision does not have the rule.
    #[error("{0} does not have this rule")]
    Revision(Revision),
    /// The rule is about another transport.
    #[error("the rule is not about {0}")]
    Transport(Transport),
    /// The revision does not define the HTTP transport in use, so its rules for HTTP do not reach it.
    #[error("{revision} does not define {transport}, so its rules for HTTP do not reach it")]
    Undefined {
        /// The revision spoken.
        revision: Revision,
        /// The transport in use.
        transport: Transport,
    },
}

impl NotApplicable {
    /// A stable word for reports.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Revision(_) => "no-such-rule",
            Self::Transport(_) => "other-transport",
            Self::Undefined { .. } => "transport-undefined",
        }
    }
}

impl Requirement {
    /// Whether it holds where `revision` is spoken over `transport`, by the catalogue alone: a feature that the
    /// server does not declare is for the check to say.
    ///
    /// 2024-11-05 defines HTTP+SSE and the later revisions Streamable HTTP. Where a server speaks a revision over the
    /// HTTP transport that the revision does not define, only rows for every transport hold, and this project's own
    /// invariants. The rows of 2024-11-05 about HTTP as such (`Origin`, binding to the local host) hold on HTTP+SSE.
    ///
    /// # Errors
    /// Why it does not.
    pub fn applies(&self, revision: Revision, transport: Transport) -> Result<(), NotApplicable> {
        let level = self.level(revision).ok_or(NotApplicable::Revision(revision))?;
        match (self.transport, transport) {
            (AppliesTo::Any, _) | (AppliesTo::Stdio, Transport::Stdio) => Ok(()),
            (AppliesTo::Stdio, _) | (AppliesTo::Http, Transport::Stdio) => {
                Err(NotApplicable::Transport(transport))
            }
            (AppliesTo::Http, Transport::Http) if self.area == HTTP_SSE_AREA => {
                Err(NotApplicable::Transport(transport))
            }
            (AppliesTo::Http, _) if level == Level::Invariant || revision.defines(transport) => Ok(()),
            (AppliesTo::Http, _) => Err(NotApplicable::Undefined { revision, transport }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;
    use Revision::{V2024_11_05, V2025_03_26, V2025_11_25, V2026_07_28};
    use Transport::{Http, HttpSse, Stdio};

    fn applies(id: &str, revision: Revision, transport: Transport) -> Result<(), NotApplicable> {
        Catalogue::get().requirement(id).unwrap_or_else(|| panic!("{id}")).applies(revision, transport)
    }

    #[test]
    fn revision_and_transport_decide() {
        let undefined = |revision, transport| Err(NotApplicable::Undefined { revision, transport });
        let table = [
            ("ping.answered", V2025_11_25, Stdio, Ok(())),
            ("ping.answered", V2025_11_25, Http, Ok(())),
            ("ping.answered", V2024_11_05, HttpSse, Ok(())),
            ("ping.answered", V2024_11_05, Http, Ok(())),
            ("ping.answered", V2026_07_28, Http, Err(NotApplicable::Revision(V2026_07_28))),
            ("stdio.newline-delimited", V2025_11_25, Stdio, Ok(())),
            ("stdio.newline-delimited", V2025_11_25, Http, Err(NotApplicable::Transport(Http))),
            ("http.post.notification-empty-body", V2025_11_25, Http, Ok(())),
            ("http.post.notification-empty-body", V2025_11_25, Stdio, Err(NotApplicable::Transport(Stdio))),
            (
                "http.post.notification-empty-body",
                V2024_11_05,
                HttpSse,
                Err(NotApplicable::Revision(V2024_11_05)),
            ),
            ("http.post.notification-empty-body", V2025_03_26, HttpSse, undefined(V2025_03_26, HttpSse)),
            ("http.origin.validated", V2024_11_05, HttpSse, Ok(())),
            ("http.origin.validated", V2024_11_05, Http, undefined(V2024_11_05, Http)),
            ("http.origin.validated", V2025_11_25, Http, Ok(())),
            ("http-legacy-sse.endpoint-event", V2024_11_05, HttpSse, Ok(())),
            ("http-legacy-sse.endpoint-event", V2024_11_05, Http, Err(NotApplicable::Transport(Http))),
            ("robustness.http.valid", V2024_11_05, Http, Ok(())),
            ("robustness.http.valid", V2025_11_25, HttpSse, Ok(())),
            ("robustness.http.valid", V2025_11_25, Stdio, Err(NotApplicable::Transport(Stdio))),
        ];
        for (id, revision, transport, expected) in table {
            assert_eq!(applies(id, revision, transport), expected, "{id} {revision} {transport}");
        }
    }

    #[test]
    fn only_rows_about_http_as_such_hold_on_http_sse() {
        let rows: Vec<&str> = Catalogue::get()
            .iter()
            .filter(|row| row.transport == AppliesTo::Http && row.area != HTTP_SSE_AREA)
            .filter(|row| row.area != "robustness" && row.applies(V2024_11_05, HttpSse).is_ok())
            .map(|row| row.id.as_str())
            .collect();
        let expected = [
            "http.clients.multiple",
            "http.origin.validated",
            "http.origin.all-methods",
            "http.origin.absent-accepted",
            "http.bind-localhost",
            "http.authentication",
            "lifecycle.shutdown.http-close-harmless",
        ];
        assert_eq!(rows, expected);
    }
}
