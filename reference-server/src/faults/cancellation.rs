//! Faults of cancellation.

use serde_json::Value;

use crate::faults::Duty;
use crate::faults::fault::{Fault, LEGACY, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Input, Neglect};
use crate::faults::hook::Input::{Exit, Hang, Pass};

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
    fault(
        "cancellation.others-unaffected/deaf",
        "Once a request was cancelled that was in progress, nothing is read any more (https://github.com/modelcontextprotocol/python-sdk/issues/1152).",
        &[
            Input(|memory, bytes| {
                let message = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
                match message["method"].as_str() {
                    Some("notifications/cancelled") if memory.kept() == Some(message["params"]["requestId"].clone()) => {
                        Hang
                    }
                    Some("notifications/cancelled") | None => Pass,
                    Some(_) => {
                        memory.keep(message["id"].clone());
                        Pass
                    }
                }
            }),
        ],
    )
    .within(V2025_11)
    .over(STDIO),
];
