//! What a run amounts to so far: its events folded together, the same for a live run and one read back.

use super::event::{Footer, Header, Identity, RunEvent, ServerInfo};
use super::known::Known;
use super::result::{Outcome, ResultRow, Summary};
use crate::protocol::{Revision, Transport};
use std::collections::HashMap;

/// A revision tested over a transport.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The revision spoken.
    pub revision: Revision,
    /// The transport used.
    pub transport: Transport,
    /// Its results by outcome.
    pub summary: Summary,
    /// Wall time in milliseconds, once it is over.
    pub millis: Option<u64>,
}

/// The events of a run, folded.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    header: Option<Header>,
    identities: Vec<Identity>,
    finished: Vec<((Revision, Transport), Option<u64>)>,
    rows: Vec<ResultRow>,
    at: HashMap<(Revision, Transport), HashMap<String, usize>>,
    notices: Vec<String>,
    conversations: u64,
    known: Option<Known>,
    footer: Option<Footer>,
}

impl RunState {
    /// Folds events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Takes one event.
    ///
    /// There is one result for each requirement, revision and transport: of two, the worse one stays.
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Header(header) => self.header = Some(header.clone()),
            RunEvent::TargetIdentified(identity) => {
                self.identities.retain(|known| known.transport != identity.transport);
                self.identities.push(identity.clone());
                self.identities.sort_by_key(|identity| identity.transport);
            }
            RunEvent::UnitStarted { revision, transport } => {
                self.unit((*revision, *transport));
            }
            RunEvent::UnitFinished { revision, transport, millis } => {
                *self.unit((*revision, *transport)) = Some(*millis);
            }
            RunEvent::Result(row) => self.result(row),
            RunEvent::Notice { text } => self.notices.push(text.clone()),
            RunEvent::Conversation { .. } => self.conversations += 1,
            RunEvent::Baseline(known) => self.known = Some(known.clone()),
            RunEvent::Footer(footer) => self.footer = Some(footer.clone()),
            RunEvent::Progress { .. } => {}
        }
    }

    fn unit(&mut self, key: (Revision, Transport)) -> &mut Option<u64> {
        let index = self.finished.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            self.finished.push((key, None));
            self.finished.len() - 1
        });
        &mut self.finished[index].1
    }

    fn result(&mut self, row: &ResultRow) {
        let key = (row.revision, row.transport);
        let known = self.at.entry(key).or_default();
        if let Some(&index) = known.get(&row.requirement) {
            if row.outcome <= self.rows[index].outcome {
                self.rows[index] = row.clone();
            }
            return;
        }
        known.insert(row.requirement.clone(), self.rows.len());
        self.rows.push(row.clone());
        self.unit(key);
    }

    /// The head, once it was seen.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The end, once it was seen.
    pub fn footer(&self) -> Option<&Footer> {
        self.footer.as_ref()
    }

    /// What the target is on each transport, in the order of the transports.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// The remarks, in order.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The results held against a baseline, if the run had one.
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// How many results of an outcome count: those that the baseline does not cover.
    pub fn counted(&self, outcome: Outcome) -> u32 {
        let known = self.known.as_ref().map_or(0, |known| known.count(outcome));
        self.summary().count(outcome).saturating_sub(known)
    }

    /// How many conversations were stored.
    pub fn conversations(&self) -> u64 {
        self.conversations
    }

    /// The results in the order of arrival.
    pub fn rows(&self) -> &[ResultRow] {
        &self.rows
    }

    /// The results by requirement, revision and transport.
    pub fn sorted(&self) -> Vec<&ResultRow> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by(|a, b| {
            (&a.requirement, a.revision, a.transport).cmp(&(&b.requirement, b.revision, b.transport))
        });
        rows
    }

    /// What was tested, by transport and revision.
    pub fn units(&self) -> Vec<Unit> {
        let mut units: Vec<_> = self
            .finished
            .iter()
            .map(|&((revision, transport), millis)| Unit {
                revision,
                transport,
                summary: Summary::default(),
                millis,
            })
            .collect();
        units.sort_by_key(|unit| (unit.transport, unit.revision));
        for row in &self.rows {
            if let Some(unit) =
                units.iter_mut().find(|u| (u.revision, u.transport) == (row.revision, row.transport))
            {
                unit.summary.add(row.outcome);
            }
        }
        units
    }

    /// The results counted.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for row in &self.rows {
            summary.add(row.outcome);
        }
        summary
    }

    /// Whether something is missing: there was no footer (so far), it says so, or it counted more results than came.
    pub fn truncated(&self) -> bool {
        self.footer
            .as_ref()
            .is_none_or(|footer| footer.truncated || footer.summary.total() > self.summary().total())
    }

    /// Name and version of the server: from the header, else from the first transport on which it told.
    pub fn server_info(&self) -> Option<&ServerInfo> {
        self.header
            .as_ref()
            .and_then(|header| header.target.server_info.as_ref())
            .or_else(|| self.identities.iter().find_map(|identity| identity.server_info.as_ref()))
    }
}
