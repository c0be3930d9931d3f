//! What a run that was killed had seen: its transcripts are judged again, as far as they go.

use super::confirm::{Confirmation, Confirmations};
use super::rows::Rows;
use crate::monitors::{Judge, Watch};
use crate::protocol::catalogue::{Catalogue, RequirementSet};
use crate::protocol::{Revision, Transport};
use crate::run::RunEvent;
use crate::transcript::{Recorder, Transcript};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// What is told apart in a run.
type Unit = (Revision, Transport);

/// The results of the units that a truncated run did not get to tell. The monitors read the conversations that lie in
/// the run's folder; what only probes decide stays undecided, and nothing is confirmed.
pub fn rejudge(folder: &Path, events: &[RunEvent]) -> Vec<RunEvent> {
    const KILLED: &str = "the run was killed before it was decided";
    let Some(RunEvent::Header(header)) = events.first() else { return Vec::new() };
    let told = |revision: Revision, transport: Transport| {
        events.iter().any(|event| {
            matches!(event, RunEvent::Result(row) if row.revision == revision && row.transport == transport)
        })
    };
    let started = |revision: Revision, transport: Transport| {
        events.contains(&RunEvent::UnitStarted { revision, transport })
    };
    let mut units: BTreeMap<Unit, Vec<(String, Arc<Recorder>)>> = BTreeMap::new();
    for event in events {
        let RunEvent::Conversation { transcript, revision, transport, .. } = event else { continue };
        // The name comes from a file: it must stay below the folder.
        let plain =
            Path::new(transcript).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if told(*revision, *transport) || !started(*revision, *transport) || !plain {
            continue;
        }
        let read = File::open(folder.join(transcript)).ok().map(BufReader::new);
        let Some(Ok(read)) = read.map(Transcript::read) else { continue };
        let recorder = Arc::new(Recorder::of_transcript(read));
        units.entry((*revision, *transport)).or_default().push((transcript.clone(), recorder));
    }
    let set = RequirementSet::named(&header.requirement_set).unwrap_or_default();
    let mut results = Vec::new();
    let mut number = 0;
    for ((revision, transport), conversations) in units {
        let mut judge = Judge::default();
        for (_, recorder) in &conversations {
            judge.merge(Watch::over(recorder));
        }
        let why = || Confirmation::Untried("the run was killed".to_owned());
        let confirmations: Confirmations = judge.broken().map(|(id, _)| (id, why())).collect();
        let transcript = |wanted: &Arc<Recorder>| {
            let mut known = conversations.iter();
            known.find(|(_, recorder)| Arc::ptr_eq(recorder, wanted)).map(|(name, _)| name.clone())
        };
        let rows = Rows {
            set: &set,
            judge: &judge,
            confirmations: &confirmations,
            revision,
            transport,
            reproduce: "",
            seed: header.seed,
            transcript: &transcript,
            selected: &|id| set.has(id),
            cut_short: Some(("cut-short", KILLED)),
        };
        for requirement in Catalogue::get().iter().filter(|row| set.has(&row.id)) {
            let mut row = rows.row(requirement);
            for finding in &mut row.findings {
                number += 1;
                finding.id = format!("F{number}");
            }
            results.push(RunEvent::Result(Box::new(row)));
        }
    }
    results
}
