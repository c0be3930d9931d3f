//! Faults of `ping`.

use crate::faults::fault::{Fault, LEGACY, fault};
use crate::faults::hook::Hook::Intercept;
use crate::faults::hook::Instead;

pub(super) const FAULTS: &[Fault] = &[fault(
    "ping.answered/never",
    "A ping gets no answer (https://github.com/NousResearch/hermes-agent/issues/97245).",
    &[Intercept(|asked| asked.is("ping").then_some(Instead::Never))],
)
.within(LEGACY)];
