//! What came of it all.

use super::case::{Case, Manner};
use super::judge::Shown;
use crate::monitors::{Breach, Judge};
use crate::transcript::Recorder;
use crate::wire::Channel;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Something that was found, seen again where nothing else had happened, and made small.
#[derive(Clone)]
pub struct Found {
    /// What it is.
    pub shown: Shown,
    /// The smallest case that shows it.
    pub case: Case,
    /// The smallest conversation that shows it.
    pub recorder: Arc<Recorder>,
    /// Where in it the deciding call was sent, and on which channel.
    pub sent: (u64, Channel),
    /// The event that decides.
    pub event: Option<u64>,
    /// How many cases were tried to make it small.
    pub tries: u32,
}

impl Found {
    /// The arguments of the calls in the order in which they are made.
    pub fn calls(&self) -> Vec<Value> {
        let times = if let Manner::Again(times) = self.case.manner { times } else { 1 };
        let arguments = self.case.calls.iter().map(|call| call.arguments.clone());
        arguments.flat_map(|arguments| vec![arguments; times]).collect()
    }

    /// As a breach of the requirement that carries it.
    pub fn breach(&self) -> Breach {
        let shown = &self.shown;
        let calls: Vec<String> = self.calls().iter().map(ToString::to_string).collect();
        let shortened: String = calls.join(", then ").chars().take(400).collect();
        let breach = Breach::new(shown.class, format!("{}: {shortened}", shown.message))
            .expected(shown.expected)
            .actual(shown.actual.clone())
            .sent(self.sent.0)
            .sent_on(self.sent.1)
            .confirmed();
        let breach = Breach {
            class: format!("{} {}", shown.class, shown.name),
            conversation: Some(Arc::clone(&self.recorder)),
            event: self.event,
            ..breach
        };
        if shown.quality { breach.quality() } else { breach }
    }
}

/// What came of it all.
#[derive(Default)]
pub struct Report {
    /// What was found, each defect once.
    pub found: Vec<Found>,
    /// How many cases were tried, not counting those that made something small.
    pub cases: u64,
    /// How many calls these were.
    pub calls: u64,
    /// The properties of which a case was seen to hold.
    pub held: BTreeSet<&'static str>,
    /// How often something was seen once and not again.
    pub unsteady: u32,
    /// How many subjects showed the same as others that were told, and were not looked at again.
    pub left: u32,
    /// Whether it ended before all cases were tried, and why.
    pub cut: Option<&'static str>,
    /// What the monitors say about the conversations in which cases were tried.
    pub judge: Judge,
}
