//! What a monitor is, and the list of all of them.

use super::judge::Judge;
use super::state::{Moment, State};

/// A passive rule.
pub struct Monitor {
    /// A sentence: what holds where the rule finds nothing.
    pub name: &'static str,
    /// What it looks for and why a user should care; `explain` prints it.
    pub explain: &'static str,
    /// The requirements that it can decide.
    pub decides: &'static [&'static str],
    /// In which traffic it may judge.
    pub validity: Validity,
    /// Looks at one moment: an event, or a message in it.
    pub rule: fn(&Moment<'_>, &mut Judge),
    /// Looks back when the conversation is over.
    pub at_end: Option<fn(&State, &mut Judge)>,
}

/// In which traffic a rule may judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// In any: whatever the harness did, this must not happen.
    AnyTraffic,
    /// Only while the harness obeys the protocol itself.
    WhileWeObey,
}

/// Lists the monitors of an area; the comment above each one is what `explain` prints.
macro_rules! monitors {
    ($( $(#[doc = $doc:expr])* $name:ident ($validity:ident) decides [$($id:literal),+ $(,)?] $(at_end $at_end:ident)? ; )*) => {
        pub(super) static MONITORS: &[$crate::monitors::Monitor] = &[$(
            $crate::monitors::Monitor {
                name: stringify!($name),
                explain: concat!($($doc, "\n"),*),
                decides: &[$($id),+],
                validity: $crate::monitors::Validity::$validity,
                rule: $name,
                at_end: monitors!(@end $($at_end)?),
            }
        ),*];
    };
    (@end) => { None };
    (@end $at_end:ident) => { Some($at_end) };
}
pub(super) use monitors;

/// All monitors, by area.
pub fn all() -> impl Iterator<Item = &'static Monitor> {
    [
        super::asking::MONITORS,
        super::auth::MONITORS,
        super::base::MONITORS,
        super::base_encoding::MONITORS,
        super::base_errors::MONITORS,
        super::base_responses::MONITORS,
        super::caching::MONITORS,
        super::cancellation::MONITORS,
        super::capabilities::MONITORS,
        super::changes::MONITORS,
        super::completion::MONITORS,
        super::content::MONITORS,
        super::discover::MONITORS,
        super::elicitation::MONITORS,
        super::elicitation_forms::MONITORS,
        super::extension_apps::MONITORS,
        super::extension_tasks::MONITORS,
        super::extension_tasks_input::MONITORS,
        super::identity::MONITORS,
        super::json_schema::MONITORS,
        super::lifecycle::MONITORS,
        super::limits::MONITORS,
        super::logging::MONITORS,
        super::meta::MONITORS,
        super::mrtr::MONITORS,
        super::ping::MONITORS,
        super::progress::MONITORS,
        super::resources::MONITORS,
        super::robustness::MONITORS,
        super::secrets::MONITORS,
        super::sampling::MONITORS,
        super::schema::MONITORS,
        super::stdio::MONITORS,
        super::subscriptions::MONITORS,
        super::tasks::MONITORS,
        super::tasks_related::MONITORS,
        super::tasks_status::MONITORS,
        super::tools::MONITORS,
        super::versioning::MONITORS,
        super::http::MONITORS,
        super::http_headers::MONITORS,
        super::http_legacy_sse::MONITORS,
        super::http_session::MONITORS,
        super::http_streams::MONITORS,
    ]
    .into_iter()
    .flatten()
}

/// The monitors that can decide a requirement.
pub fn deciding(requirement: &str) -> impl Iterator<Item = &'static Monitor> {
    all().filter(move |monitor| monitor.decides.contains(&requirement))
}
