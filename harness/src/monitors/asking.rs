//! What servers may ask their client for: only what it declared (client/elicitation, client/sampling, client/roots, and
//! in 2026-07-28 basic/patterns/mrtr).

use super::question::questions;
use super::rule::monitors;
use super::{Judge, Moment};
use crate::client::Wish;
use crate::protocol::{Era, Revision};

monitors! {
    /// A server asks only for what its client declared: elicitation in a mode that it knows (an empty object means
    /// forms), sampling, with tools only where `sampling.tools` is declared, roots. Others get no answer, and the call
    /// hangs or fails. What holds where something was not declared is for probes to say.
    nothing_undeclared_is_asked_for (WhileWeObey) decides [
        "elicitation.capability.required", "elicitation.mode.declared-only", "sampling.capability.required",
        "sampling.tools.capability", "roots.capability.required", "mrtr.result.respects-capabilities",
    ];
}

const CARRIER: &str = "capabilities.client.only-declared-used";

/// The row that demands the capability of a wish, and the row about its mode, if it has one.
pub fn rows_of(wish: Wish) -> (&'static str, Option<&'static str>) {
    match wish {
        Wish::Form | Wish::Url => ("elicitation.capability.required", Some("elicitation.mode.declared-only")),
        Wish::Sampling => ("sampling.capability.required", None),
        Wish::SamplingTools => ("sampling.capability.required", Some("sampling.tools.capability")),
        Wish::Roots => ("roots.capability.required", None),
    }
}

fn nothing_undeclared_is_asked_for(moment: &Moment<'_>, judge: &mut Judge) {
    for question in questions(moment) {
        let Some(declared) = question.declared else { continue };
        let (kind, mode) = rows_of(question.wish);
        let name = question.wish.capability();
        let seen = |class: &str, message: String| {
            let mut breach = question.breach(moment, class, "", message);
            breach.pointer = Some(format!("{}/method", question.at));
            breach
                .expected(&["no such request"])
                .actual(declared.to_string().chars().take(200).collect::<String>())
        };
        if !question.wish.is_known_to(declared) {
            let breach = || {
                let message =
                    format!("the server asks for what needs `{name}`, which the client did not declare");
                seen("undeclared", message).see(CARRIER)
            };
            judge.broke(kind, breach());
            if question.revision.era() == Era::Modern {
                judge.broke("mrtr.result.respects-capabilities", breach());
            }
            continue;
        }
        // Before that revision there were no modes, and no tools in sampling.
        let Some(mode) = mode.filter(|_| question.revision >= Revision::V2025_11_25) else { continue };
        if !question.wish.is_declared_by(declared) {
            let what = match question.wish {
                Wish::Form => "a form, but the client knows only pages",
                Wish::Url => "a visit to a page, but the client knows only forms",
                _ => "sampling with tools, but the client does not know tools there",
            };
            judge.broke(mode, seen("undeclared-mode", format!("the server asks for {what}")));
        }
    }
}
