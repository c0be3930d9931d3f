//! Where a requirement stands, as a sentence and as a link.

use super::requirement::{Basis, ImpliedBy, Level, Requirement};
use crate::protocol::{Era, Revision};

/// Where the site of the specification keeps its pages.
const SITE: &str = "https://modelcontextprotocol.io";
/// Where the schemas and proposals are kept.
const SOURCE: &str = "https://github.com/modelcontextprotocol/modelcontextprotocol/blob/main";
/// Where the tasks extension is kept.
const TASKS: &str = "https://github.com/modelcontextprotocol/ext-tasks/blob/main";

/// Headings of the legacy era that stand elsewhere, or nowhere, in a revision: the revision, the place as the
/// catalogue names it, the place there.
const ELSEWHERE: &[(Revision, &str, &str)] = &[
    (Revision::V2024_11_05, "basic/index#error-responses", "basic/messages#responses"),
    (Revision::V2024_11_05, "basic/index#messages", "basic/messages"),
    (Revision::V2024_11_05, "basic/index#notifications", "basic/messages#notifications"),
    (Revision::V2024_11_05, "basic/index#requests", "basic/messages#requests"),
    (Revision::V2024_11_05, "basic/index#responses", "basic/messages#responses"),
    (Revision::V2024_11_05, "basic/lifecycle#timeouts", "basic/lifecycle#error-handling"),
    (Revision::V2024_11_05, "basic/transports#streamable-http", "basic/transports#http-with-sse"),
    (Revision::V2024_11_05, "server/tools#tool-names", "server/tools"),
    (Revision::V2025_03_26, "basic/authorization#communication-security", "basic/authorization"),
    (Revision::V2025_03_26, "basic/index#error-responses", "basic/index#responses"),
    (Revision::V2025_03_26, "server/tools#tool-names", "server/tools"),
    (
        Revision::V2025_06_18,
        "basic/authorization#authorization-server-discovery-sequence-diagram",
        "basic/authorization#sequence-diagram",
    ),
    (
        Revision::V2025_06_18,
        "basic/authorization#protected-resource-metadata-discovery-requirements",
        "basic/authorization#authorization-server-location",
    ),
    (Revision::V2025_06_18, "basic/index#error-responses", "basic/index#responses"),
    (
        Revision::V2025_06_18,
        "client/elicitation#elicitation-requests",
        "client/elicitation#creating-elicitation-requests",
    ),
    (Revision::V2025_06_18, "client/elicitation#error-handling", "client/elicitation"),
    (
        Revision::V2025_06_18,
        "client/elicitation#form-mode-elicitation-requests",
        "client/elicitation#creating-elicitation-requests",
    ),
    (
        Revision::V2025_06_18,
        "client/elicitation#form-mode-security",
        "client/elicitation#security-considerations",
    ),
    (Revision::V2025_06_18, "client/elicitation#requested-schema", "client/elicitation#request-schema"),
    (Revision::V2025_06_18, "server/tools#tool-names", "server/tools"),
];

impl Requirement {
    /// The force and the place in one line, such as `the spec says MUST: basic/transports#stdio (2025-11-25)`.
    /// Only a key word of the text is "said"; otherwise the line tells where the force comes from. `None` where the
    /// revision does not have the duty.
    pub fn spec_reference(&self, revision: Revision) -> Option<String> {
        let level = self.level(revision)?;
        let force = match self.basis_for(revision) {
            _ if level == Level::Invariant => "must hold for any server".to_owned(),
            Basis::Keyword => format!("the spec says {level}"),
            Basis::Implied => match self.implied_by {
                Some(ImpliedBy::Prose) => format!("{level}, implied by a plain sentence"),
                Some(ImpliedBy::Table) => format!("{level}, implied by a table"),
                Some(ImpliedBy::Flow) => format!("{level}, implied by the flow"),
                Some(ImpliedBy::Consequence) => format!("{level}, a consequence"),
                None => format!("{level}, implied"),
            },
            Basis::Schema => format!("{level} by schema"),
            Basis::JsonRpc => format!("{level} by JSON-RPC 2.0"),
            Basis::Rfc => format!("{level} by RFC"),
            Basis::Invariant => format!("{level} by this project"),
        };
        let place = match self.outside(revision) {
            Some(external) => external.to_owned(),
            None => format!("{} ({revision})", self.place(revision)?),
        };
        Some(format!("{force}: {place}"))
    }

    /// A link to the place, where it has one.
    pub fn spec_url(&self, revision: Revision) -> Option<String> {
        self.level(revision)?;
        match self.outside(revision) {
            Some(external) => external_url(external),
            None => self.place(revision).map(|place| page_url(place, revision)),
        }
    }

    /// The place in the specification itself, as it is named in the revision.
    fn place(&self, revision: Revision) -> Option<&str> {
        match revision.era() {
            Era::Modern => self.spec.modern.as_deref(),
            Era::Legacy => {
                let (anchor, _) = self.spec.legacy.as_ref()?;
                let moved = ELSEWHERE.iter().find(|(r, from, _)| *r == revision && from == anchor);
                Some(moved.map_or(anchor.as_str(), |(_, _, to)| to))
            }
        }
    }

    /// The place outside the specification, where the force comes from there or there is no other.
    fn outside(&self, revision: Revision) -> Option<&str> {
        let external = self.spec.external.first()?;
        let foreign = matches!(self.basis_for(revision), Basis::JsonRpc | Basis::Rfc | Basis::Invariant);
        (foreign || self.place(revision).is_none()).then_some(external)
    }
}

fn page_url(place: &str, revision: Revision) -> String {
    let (page, heading) = match place.split_once('#') {
        Some((page, heading)) => (page, Some(heading)),
        None => (place, None),
    };
    let fragment = heading.map(|heading| format!("#{heading}")).unwrap_or_default();
    // The two oldest revisions have no schema page on the site.
    let schema_page = revision >= Revision::V2025_06_18;
    match page {
        "schema.ts" | "schema" if schema_page => {
            format!("{SITE}/specification/{revision}/schema{}", fragment.to_ascii_lowercase())
        }
        "schema.ts" => format!("{SOURCE}/schema/{revision}/schema.ts"),
        "schema.json" => format!("{SOURCE}/schema/{revision}/schema.json"),
        _ => {
            if let Some(path) = page.strip_prefix("ext-tasks/") {
                format!("{TASKS}/{path}{fragment}")
            } else if let Some(name) = page.strip_prefix("seps/") {
                format!("{SOURCE}/seps/{name}.md{fragment}")
            } else if page.starts_with("docs/") {
                format!("{SITE}/{page}{fragment}")
            } else {
                let page = page.strip_suffix("/index").unwrap_or(page);
                let page = if page == "index" { "" } else { page };
                format!("{SITE}/specification/{revision}/{page}{fragment}")
            }
        }
    }
}

fn external_url(place: &str) -> Option<String> {
    if let Some(rest) = place.strip_prefix("jsonrpc.org/") {
        return Some(format!("https://www.jsonrpc.org/{rest}"));
    }
    let (number, section) = place.strip_prefix("RFC")?.split_once('-')?;
    Some(format!("https://www.rfc-editor.org/rfc/rfc{number}#section-{section}"))
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::*;
    use Revision::{V2024_11_05, V2025_03_26, V2025_11_25, V2026_07_28};

    fn row(id: &str) -> &'static Requirement {
        Catalogue::get().requirement(id).unwrap_or_else(|| panic!("{id}"))
    }

    #[test]
    fn the_spec_says_only_what_it_says() {
        let table = [
            (
                "stdio.no-embedded-newline",
                V2025_11_25,
                "the spec says MUST NOT: basic/transports#stdio (2025-11-25)",
            ),
            (
                "stdio.newline-delimited",
                V2026_07_28,
                "MUST, implied by a plain sentence: basic/transports/stdio (2026-07-28)",
            ),
            (
                "base.error.method-not-found-code",
                V2025_11_25,
                "MUST by JSON-RPC 2.0: jsonrpc.org/specification#error_object",
            ),
            ("robustness.numbers", V2026_07_28, "must hold for any server: mcprove policy"),
        ];
        for (id, revision, expected) in table {
            assert_eq!(row(id).spec_reference(revision).as_deref(), Some(expected));
        }
        assert_eq!(row("ping.answered").spec_reference(V2026_07_28), None);
        for row in Catalogue::get().iter() {
            for (revision, level) in row.levels.iter() {
                let text = row.spec_reference(revision).unwrap_or_else(|| panic!("{}", row.id));
                let said = text.starts_with("the spec says");
                assert_eq!(said, row.basis_for(revision) == Basis::Keyword, "{}", row.id);
                assert!(level == Level::Invariant || text.contains(level.as_str()), "{text}");
            }
        }
    }

    #[test]
    fn links() {
        let url = |id, revision| row(id).spec_url(revision);
        assert_eq!(
            url("stdio.newline-delimited", V2025_11_25).as_deref(),
            Some("https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio")
        );
        assert_eq!(
            url("base.error.method-not-found-code", V2025_11_25).as_deref(),
            Some("https://www.jsonrpc.org/specification#error_object")
        );
        assert_eq!(url("robustness.numbers", V2025_11_25), None);
        assert_eq!(
            page_url("schema.ts#Tool", V2025_11_25),
            "https://modelcontextprotocol.io/specification/2025-11-25/schema#tool"
        );
        assert_eq!(
            page_url("schema.ts#Tool", V2025_03_26),
            "https://github.com/modelcontextprotocol/modelcontextprotocol/blob/main/schema/2025-03-26/schema.ts"
        );
        assert_eq!(
            page_url("basic/index#messages", V2025_11_25),
            "https://modelcontextprotocol.io/specification/2025-11-25/basic#messages"
        );
        assert_eq!(
            external_url("RFC9110-15.5.6").as_deref(),
            Some("https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6")
        );
        assert_eq!(external_url("OAuth2.1-5.3"), None);
    }

    #[test]
    fn moved_headings_are_used_and_named_right() {
        for (revision, from, _) in ELSEWHERE {
            let used = Catalogue::get().iter().any(|row| {
                row.level(*revision).is_some()
                    && row
                        .spec
                        .legacy
                        .as_ref()
                        .is_some_and(|(anchor, read)| anchor == from && read != revision)
            });
            assert!(used, "{revision} {from}");
        }
        let row = Catalogue::get()
            .iter()
            .find(|row| {
                row.spec.legacy.as_ref().is_some_and(|(anchor, _)| anchor == "basic/index#requests")
                    && row.level(V2024_11_05).is_some()
            })
            .unwrap();
        assert_eq!(row.place(V2024_11_05), Some("basic/messages#requests"));
    }
}
