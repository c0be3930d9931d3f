//! Faults of progress.

use crate::faults::fault::{Fault, fault};
use crate::faults::hook::Hook::Notify;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "progress.notification.shape/text",
        "Progress is a text.",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/progress" {
                notification["params"]["progress"] = "some".into();
            }
            vec![notification]
        })],
    ),
    fault(
        "progress.value.increases/same",
        "Progress does not grow.",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/progress" {
                notification["params"]["progress"] = 1.into();
            }
            vec![notification]
        })],
    ),
    fault(
        "progress.notification.known-token/made-up",
        "Progress has a token that the server made up (https://github.com/kaeawc/auto-mobile/issues/6118).",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/progress" {
                notification["params"]["progressToken"] = "made-up".into();
            }
            vec![notification]
        })],
    ),
    fault(
        "progress.token.type-preserved/as-text",
        "A token that is a number comes back as a text.",
        &[Notify(|_, mut notification| {
            if let Some(number) = notification["params"]["progressToken"].as_i64() {
                notification["params"]["progressToken"] = number.to_string().into();
            }
            vec![notification]
        })],
    ),
];
