//! All faults, and how one is found by its id.

use std::fmt;

use crate::faults::fault::Fault;
#[cfg(feature = "enterprise")]
use crate::faults::{access, auth, auth_server, enterprise};
use crate::faults::{
    base, caching, cancellation, capabilities, compat, completion, content, discover, elicitation,
    extension_apps, extension_tasks, http, http_headers, http_legacy_sse, http_session, identity,
    json_schema, lifecycle, logging, meta, mrtr, pagination, ping, progress, prompts, property, resources,
    robustness, roots, sampling, schema, security, stdio, subscriptions, tasks, tasks_kept, tasks_told,
    tools, versioning,
};

/// The tables, each with the name of its area of requirements.
const AREAS: &[(&str, &[Fault])] = &[
    #[cfg(feature = "enterprise")]
    ("auth", auth::FAULTS),
    #[cfg(feature = "enterprise")]
    ("auth", auth_server::FAULTS),
    ("base", base::FAULTS),
    ("caching", caching::FAULTS),
    #[cfg(feature = "enterprise")]
    ("caching", access::CACHING),
    #[cfg(feature = "enterprise")]
    ("caching", enterprise::CACHING),
    ("cancellation", cancellation::FAULTS),
    ("capabilities", capabilities::FAULTS),
    ("compat", compat::FAULTS),
    ("completion", completion::FAULTS),
    #[cfg(feature = "enterprise")]
    ("completion", enterprise::COMPLETION),
    #[cfg(feature = "enterprise")]
    ("completion", access::COMPLETION),
    ("content", content::FAULTS),
    ("discover", discover::FAULTS),
    ("elicitation", elicitation::FAULTS),
    ("extension-apps", extension_apps::FAULTS),
    ("extension-tasks", extension_tasks::FAULTS),
    ("http", http::FAULTS),
    ("http-headers", http_headers::FAULTS),
    ("http-legacy-sse", http_legacy_sse::FAULTS),
    ("http-session", http_session::FAULTS),
    ("identity", identity::FAULTS),
    ("json-schema", json_schema::FAULTS),
    ("lifecycle", lifecycle::FAULTS),
    ("logging", logging::FAULTS),
    #[cfg(feature = "enterprise")]
    ("logging", enterprise::LOGGING),
    ("meta", meta::FAULTS),
    ("mrtr", mrtr::FAULTS),
    ("pagination", pagination::FAULTS),
    ("ping", ping::FAULTS),
    ("progress", progress::FAULTS),
    ("prompts", prompts::FAULTS),
    ("property", property::FAULTS),
    ("resources", resources::FAULTS),
    #[cfg(feature = "enterprise")]
    ("resources", enterprise::RESOURCES),
    #[cfg(feature = "enterprise")]
    ("resources", access::RESOURCES),
    ("robustness", robustness::FAULTS),
    #[cfg(feature = "enterprise")]
    ("robustness", access::ROBUSTNESS),
    ("roots", roots::FAULTS),
    ("sampling", sampling::FAULTS),
    ("schema", schema::FAULTS),
    ("security", security::FAULTS),
    ("stdio", stdio::FAULTS),
    ("subscriptions", subscriptions::FAULTS),
    ("tasks", tasks::FAULTS),
    #[cfg(feature = "enterprise")]
    ("tasks", access::TASKS),
    ("tasks", tasks_kept::FAULTS),
    ("tasks", tasks_told::FAULTS),
    ("tools", tools::FAULTS),
    #[cfg(feature = "enterprise")]
    ("tools", access::TOOLS),
    #[cfg(feature = "enterprise")]
    ("tools", enterprise::TOOLS),
    ("versioning", versioning::FAULTS),
];

/// The faults that a check can find, area by area.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    areas().flat_map(|(_, faults)| faults)
}

/// The areas of requirements, each with its faults.
pub fn areas() -> impl Iterator<Item = (&'static str, &'static [Fault])> {
    AREAS.iter().copied()
}

/// The faults of the enterprise profile that no check can find, because no client sees them or no requirement is about them:
/// each is judged by a test of this crate ([`Fault::judge`]).
pub fn faults_within() -> impl Iterator<Item = &'static Fault> {
    #[cfg(feature = "enterprise")]
    return enterprise::WITHIN.iter();
    #[cfg(not(feature = "enterprise"))]
    return std::iter::empty();
}

/// There is no fault with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault {
    /// What was asked for.
    pub id: String,
    /// The id that is most like it.
    pub nearest: &'static str,
}

impl fmt::Display for UnknownFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "there is no fault `{}`; did you mean `{}`?", self.id, self.nearest)
    }
}

impl std::error::Error for UnknownFault {}

pub(super) fn find(id: &str) -> Result<&'static Fault, UnknownFault> {
    let all = || faults().chain(faults_within());
    if let Some(fault) = all().find(|fault| fault.id() == id) {
        return Ok(fault);
    }
    let nearest = all().min_by_key(|fault| distance(id, fault.id())).map_or("", Fault::id);
    Err(UnknownFault { id: id.to_owned(), nearest })
}

/// How many characters have to be added, removed or replaced; texts longer than any id are cut.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().take(200).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, faults, faults_within};
    use crate::faults::FaultId;
    use crate::faults::hook::Hook;
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_has_an_id_of_its_own_that_is_read_back() {
        let mut seen = BTreeSet::new();
        for fault in faults().chain(faults_within()) {
            assert!(seen.insert(fault.id()), "{} stands twice", fault.id());
            assert_eq!(fault.id().parse::<FaultId>().unwrap().fault().id(), fault.id());
            assert!(fault.about().ends_with('.'), "{}: what it does is a sentence", fault.id());
            assert!(
                !fault.revisions().is_empty() && !fault.transports().is_empty() && !fault.hooks.is_empty()
            );
        }
    }

    #[test]
    fn each_fault_has_one_kind_of_judge() {
        assert!(faults().all(|fault| fault.judge().is_none() && fault.breaks().next().is_some()));
        for fault in faults_within() {
            assert!(fault.judge().is_some() && fault.breaks().next().is_none(), "{}", fault.id());
            assert!(fault.id().starts_with("enterprise."), "{}", fault.id());
        }
    }

    #[test]
    fn every_kind_of_hook_is_used() {
        let kind = |hook: &Hook| match hook {
            Hook::Neglect(_) => 0,
            Hook::Input(_) => 1,
            Hook::Notified(_) => 2,
            Hook::Forgive(_) => 3,
            Hook::Request(_) => 4,
            Hook::Intercept(_) => 5,
            Hook::Answer(_) => 6,
            Hook::Result(..) => 7,
            Hook::Refusal(..) => 8,
            Hook::Definition(..) => 9,
            Hook::Response(_) => 10,
            Hook::Notify(_) => 11,
            Hook::HttpRequest(_) => 12,
            Hook::HttpReply(_) => 13,
            Hook::Event(_) => 14,
            Hook::Line(_) => 15,
            Hook::Question(..) => 16,
            Hook::Last(_) => 17,
            Hook::Unasked { .. } => 18,
        };
        let used: BTreeSet<usize> = faults().flat_map(|fault| fault.hooks).map(kind).collect();
        assert_eq!(used.into_iter().collect::<Vec<_>>(), (0..19).collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_id_is_told_with_the_nearest() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let error = "tools.call.unknown-tool-eror/succeeds".parse::<FaultId>().unwrap_err();
        assert_eq!(error.nearest, "tools.call.unknown-tool-error/succeeds");
    }
}
