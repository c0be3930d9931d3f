//! Faults of logging.

use crate::faults::Duty;
use crate::faults::fault::{Fault, LEGACY, MODERN, fault};
use crate::faults::hook::Hook::{Answer, Neglect, Notify};
use crate::message::Reply;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "logging.message.level/unknown",
        "Log messages have a level that there is not.",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/message" {
                notification["params"]["level"] = "loud".into();
            }
            vec![notification]
        })],
    ),
    fault(
        "logging.message.data/left-out",
        "Log messages have no data.",
        &[Notify(|_, mut notification| {
            if let Some(params) = notification["params"].as_object_mut() {
                params.remove("data");
            }
            vec![notification]
        })],
    ),
    fault(
        "logging.level.filters/ignored",
        "Log messages of every level are sent, whatever level was set.",
        &[Neglect(Duty::LogThreshold)],
    )
    .within(LEGACY),
    fault(
        "logging.level.none-without/sent",
        "Log messages are sent although the request names no level.",
        &[Neglect(Duty::LogThreshold)],
    )
    .within(MODERN),
    fault(
        "logging.level.invalid-refused/accepted",
        "A level that there is not is accepted.",
        &[Answer(|asked, answer| {
            if asked.is("logging/setLevel") && answer.is_err() {
                *answer = Ok(Reply::Text("{}".to_owned()));
            }
        })],
    )
    .within(LEGACY),
];
