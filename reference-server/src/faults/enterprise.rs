//! Faults of the enterprise profile, by the area of what they break.

use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, HTTP, MODERN, STDIO, fault};
use crate::faults::hook::Hook::Neglect;

pub(super) const LOGGING: &[Fault] = &[fault(
    "logging.no-personal-data/record",
    "The log messages of the enterprise profile hold the record as the role sees it, e-mail address and all.",
    &[Neglect(Duty::RecordsStayOutOfLogs)],
)
.breaking(&["logging.sensitive-removed"])
.warning_in(ANY)
.over(STDIO)
.where_served(&["--profile", "enterprise", "--role", "manager"])];

pub(super) const CACHING: &[Fault] = &[fault(
    "caching.public.shared-aware/records",
    "What a role sees in the enterprise profile is marked as good for everybody.",
    &[Neglect(Duty::ResultsPrivate)],
)
.also_seen(&["caching.public.no-user-data"])
.within(MODERN)
.warning_in(MODERN)
.over(HTTP)
.where_served(&["--profile", "enterprise"])];

pub(super) const TOOLS: &[Fault] = &[fault(
    "tools.call.access-control/unlisted",
    "A role of the enterprise profile lists its own tools only, and calls those of every role.",
    &[Neglect(Duty::RoleChecked)],
)
.breaking(&["resources.read.access-control"])
.warning_in(ANY)
.over(HTTP)
.where_served(&["--profile", "enterprise"])];
