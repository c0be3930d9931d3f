//! Faults of sessions and of those whom they belong to.

use crate::faults::Duty;
use crate::faults::fault::{Fault, HTTP, SINCE_2025_06, fault};
use crate::faults::hook::Hook::Neglect;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "security.session.bound-to-user/anybody",
        "The session of one user is served to any other.",
        &[Neglect(Duty::SessionBound)],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "security.session.secure-random/counter",
        "Session ids are counted.",
        &[Neglect(Duty::SessionIdRandom)],
    )
    .breaking(&["security.session.non-deterministic", "http-session.id-secure"])
    .within(SINCE_2025_06)
    .over(HTTP),
];
