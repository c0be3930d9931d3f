//! Faults of cancellation.

use crate::faults::Duty;
use crate::faults::fault::{Fault, LEGACY, STDIO, fault};
use crate::faults::hook::Hook::{Input, Neglect};
use crate::faults::hook::Input::{Exit, Pass};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "cancellation.no-response/answered",
        "A cancelled request is answered all the same (https://github.com/modelcontextprotocol/python-sdk/issues/2480).",
        &[Neglect(Duty::CancelledWorkStops)],
    )
    .breaking(&["cancellation.stops-work"])
    .within(LEGACY),
    fault(
        "cancellation.unknown-id-ignored/dies",
        "A cancellation ends the process (https://github.com/MarkusPfundstein/mcp-gsuite/issues/21).",
        &[Input(|_, bytes| {
            let cancels = std::str::from_utf8(bytes).is_ok_and(|text| text.contains("notifications/cancelled"));
            if cancels { Exit(1) } else { Pass }
        })],
    )
    .over(STDIO),
];
