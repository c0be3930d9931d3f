//! A verdict that hurts is looked at twice: what would be a failure is tried again in a fresh process, else a fresh
//! session, else a fresh connection. What does not come back is flaky, with its rate.

use super::discover;
use super::unit::{Bench, Choice, Outcome, Setting};
use crate::client::{Binding, HandshakeFailure, Opened, Reply};
use crate::monitors::{Breach, Judge};
use crate::probes::{self, Place, Run};
use crate::protocol::catalogue::{Catalogue, Violation, outcome_of_violation};
use crate::protocol::{Era, Revision};
use crate::wire::Event;
use std::collections::{BTreeMap, BTreeSet};

/// How often what was not seen again is tried, beside the first time.
const TRIES: u32 = 3;

/// What came of trying again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// Seen again, in a fresh `process`, `session` or `connection`.
    Again(&'static str),
    /// Seen in so many of so many tries.
    Flaky { seen: u32, of: u32 },
    /// It could not be tried again, and why.
    Untried(String),
}

/// Confirmations by requirement.
pub(super) type Confirmations = BTreeMap<&'static str, Confirmation>;

/// Where the findings come from that are to be confirmed.
pub(super) enum Scope<'a> {
    /// The main conversation of a unit.
    Main,
    /// Conversations of their own.
    Alone(&'a Setting),
}

impl Bench {
    /// Tries again what would be a failure.
    pub(super) async fn confirm(&self, judge: &Judge, revision: Revision, scope: Scope<'_>) -> Confirmations {
        let fresh = match (self.opener.binding(), revision.era()) {
            (Binding::Stdio(_), _) => "process",
            (_, Era::Legacy) => "session",
            (_, Era::Modern) => "connection",
        };
        let mut open: BTreeSet<&'static str> = BTreeSet::new();
        let mut confirmations = Confirmations::new();
        for (id, tally) in judge.broken() {
            let mut failing =
                tally.breaches.iter().filter(|breach| would_fail(id, breach, revision)).peekable();
            if failing.peek().is_none() {
                continue;
            }
            if failing.all(|breach| breach.confirmed) {
                confirmations.insert(id, Confirmation::Again(fresh));
            } else {
                open.insert(id);
            }
        }
        if open.is_empty() {
            return confirmations;
        }
        let names: BTreeSet<&'static str> = open
            .iter()
            .filter_map(|id| judge.get(id))
            .flat_map(|tally| &tally.breaches)
            // What was seen at the end may have been sent long before.
            .flat_map(|breach| {
                let last = breach.event.is_none().then(|| probe_until(breach, u64::MAX)).flatten();
                // What came late is seen again only where the same is sent.
                let sender = breach.sent.and_then(|sent| probe_until(breach, sent));
                [active_probe(breach), last, sender]
            })
            .flatten()
            .collect();
        let choice = Choice::Named(names);
        for tried in 1..=TRIES {
            if self.stop.wanted().is_some() {
                break;
            }
            let again = match &scope {
                Scope::Main => self.main_again(revision, &choice).await,
                Scope::Alone(setting) => Ok(self.alone(setting, &choice).await),
            };
            let again = match again {
                Ok(outcome) => outcome,
                Err(why) => {
                    for id in &open {
                        confirmations.entry(id).or_insert_with(|| Confirmation::Untried(why.clone()));
                    }
                    break;
                }
            };
            let seen: Vec<&'static str> = open
                .iter()
                .copied()
                .filter(|id| again.judge.get(id).is_some_and(|tally| !tally.breaches.is_empty()))
                .collect();
            for id in seen {
                open.remove(id);
                // Seen at the first repetition: confirmed. Later: it comes and goes.
                let verdict = if tried == 1 {
                    Confirmation::Again(fresh)
                } else {
                    Confirmation::Flaky { seen: 2, of: tried + 1 }
                };
                confirmations.insert(id, verdict);
            }
            for id in &open {
                confirmations.insert(id, Confirmation::Flaky { seen: 1, of: tried + 1 });
            }
            if open.is_empty() {
                break;
            }
        }
        confirmations
    }

    async fn main_again(&self, revision: Revision, choice: &Choice) -> Result<Outcome, String> {
        let opened = self.opener.open("confirming", Some(revision)).await;
        let mut opened = opened.map_err(|error| error.to_string())?;
        let Some(begun) = self.stop.unless(opened.talk.begin(revision)).await else {
            return Err("interrupted".to_owned());
        };
        if let Err(failure) = begun {
            if let HandshakeFailure::Refused(Reply::Gone(gone)) = &failure
                && self.transport().is_http()
            {
                return Err(format!("the server cannot be reached any more: {gone}"));
            }
            if revision.era() == Era::Modern && discover::is_modern(&failure) {
                opened.talk.speak_modern(revision);
                return Ok(self.once_more(opened, revision, choice).await);
            }
            // The handshake itself is what fails: the monitors judge it.
            let mut outcome = Outcome::default();
            self.finish(opened, &mut outcome).await;
            return Ok(outcome);
        }
        Ok(self.once_more(opened, revision, choice).await)
    }

    /// A whole main conversation.
    async fn once_more(&self, opened: Opened, revision: Revision, choice: &Choice) -> Outcome {
        let (mut outcome, last) = self.main_conversation(opened, revision, choice, &|_, _, _| {}).await;
        outcome.judge.merge(self.end(last).await);
        outcome
    }
}

fn would_fail(id: &str, breach: &Breach, revision: Revision) -> bool {
    Catalogue::get()
        .requirement(id)
        .is_some_and(|row| outcome_of_violation(row, revision, breach.quality) == Violation::Fail)
}

/// The probe that was at work when something was seen: the one that judged, or the last one that the record names.
pub(super) fn active_probe(breach: &Breach) -> Option<&'static str> {
    probe_until(breach, breach.event.or(breach.sent).unwrap_or(u64::MAX))
}

fn probe_until(breach: &Breach, until: u64) -> Option<&'static str> {
    if let Some(probe) = probes::all().find(|probe| probe.name == breach.by) {
        return Some(probe.name);
    }
    let recorder = breach.conversation.as_ref()?;
    let noted = recorder
        .snapshot()
        .iter()
        .take_while(|record| record.seq <= until)
        .filter_map(|record| match &record.event {
            Event::Note(text) => text.strip_prefix("probe ").map(str::to_owned),
            _ => None,
        })
        .last();
    // A conversation of a probe of its own bears the name of the probe.
    let name = noted.unwrap_or_else(|| recorder.about().purpose.clone());
    probes::all()
        .find(|probe| {
            probe.name == name && !matches!((&probe.run, probe.place), (Run::Within(_), Place::Clean))
        })
        .map(|probe| probe.name)
}
