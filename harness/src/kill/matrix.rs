//! Runs the checks of the matrix, several at once, and counts what became of the faults.

use super::demand::{Seen, Verdict, demands, sort};
use super::planted::Planted;
use crate::check::{CheckConfig, FailOn, Stop, Target};
use crate::client::{Opening, Timeouts};
use crate::probes::{Calls, Credentials, Properties, Safety, Settings};
use crate::protocol::catalogue::{Catalogue, RequirementSet, Selection, in_shard};
use crate::run::{ResultRow, RunEvent};
use crate::wire::{HttpConfig, Limits};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// With how many cases properties are tried: enough for what shows only for some arguments.
const PROPERTIES: u32 = 60;
/// How often a fault is checked at most.
const TRIES: u32 = 3;

/// How the checks are made.
#[derive(Clone)]
pub struct Matrix {
    /// The program whose `serve` is the reference server.
    pub program: String,
    /// How many checks run at once; at least 1.
    pub jobs: usize,
    /// For which part of the faults every requirement is checked (the part, and how many there are; counted from 1),
    /// instead of those in the areas of what the fault breaks.
    pub full: Option<(u32, u32)>,
    /// Time-out of a request.
    pub timeout: Duration,
    /// Set when the user wants to stop.
    pub stop: Stop,
}

/// What became of one fault.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The fault.
    #[serde(flatten)]
    pub fault: Planted,
    /// What became of it.
    pub verdict: Verdict,
    /// Rows that it breaks and that were seen broken.
    pub caught: Vec<Seen>,
    /// Rows that it breaks and that were not.
    pub missed: Vec<Seen>,
    /// Rows with a finding that it does not break.
    pub extra: Vec<Seen>,
    /// Why the check did not come to its end.
    pub error: Option<String>,
    /// Wall time of the check in milliseconds.
    pub millis: u64,
    /// How often it was checked, at most [`TRIES`] times: what comes out wrong among others is checked again, alone.
    pub tries: u32,
}

impl Judged {
    fn is_wrong(&self) -> bool {
        matches!(self.verdict, Verdict::Missed | Verdict::Extra)
    }
}

/// The faults by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of them.
    pub faults: usize,
    /// Caught.
    pub caught: usize,
    /// Of these, at a later try than the first.
    pub when_alone: usize,
    /// Missed.
    pub missed: usize,
    /// Caught with something else.
    pub extra: usize,
    /// Not decided yet; they count neither way.
    pub undecided: usize,
}

impl Totals {
    /// Counts the verdicts.
    pub fn of(judged: &[Judged]) -> Self {
        let mut totals = Self { faults: judged.len(), ..Self::default() };
        for one in judged {
            match one.verdict {
                Verdict::Caught => {
                    totals.caught += 1;
                    totals.when_alone += usize::from(one.tries > 1);
                }
                Verdict::Missed => totals.missed += 1,
                Verdict::Extra => totals.extra += 1,
                Verdict::Undecided => totals.undecided += 1,
            }
        }
        totals
    }

    /// Whether everything that is decided was caught, and nothing else was found.
    pub fn is_good(&self) -> bool {
        self.missed == 0 && self.extra == 0
    }
}

/// Judges every fault, and tells of each as soon as it is known. What comes out wrong is judged again when the
/// others are over: a machine that is too busy for all of them together says nothing about the harness. The result is in
/// the order of `faults`; where somebody asked to stop, it ends with what was known by then.
pub async fn judge_all(matrix: &Matrix, faults: Vec<Planted>, told: &mut dyn FnMut(&Judged)) -> Vec<Judged> {
    let room = Arc::new(Semaphore::new(matrix.jobs.max(1)));
    let mut running = JoinSet::new();
    for (place, fault) in faults.into_iter().enumerate() {
        let (matrix, room) = (matrix.clone(), Arc::clone(&room));
        running.spawn(async move {
            // Nobody closes it.
            let _permit = room.acquire_owned().await.ok()?;
            if matrix.stop.wanted().is_some() {
                return None;
            }
            Some((place, matrix.judge(fault).await))
        });
    }
    let mut judged = Vec::new();
    while let Some(one) = running.join_next().await {
        match one {
            Ok(Some((place, one))) => {
                told(&one);
                judged.push((place, one));
            }
            Ok(None) => {}
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => break,
            },
        }
    }
    judged.sort_by_key(|(place, _)| *place);
    let mut judged: Vec<Judged> = judged.into_iter().map(|(_, one)| one).collect();
    for one in &mut judged {
        while one.is_wrong() && one.tries < TRIES && matrix.stop.wanted().is_none() {
            let again = matrix.judge(one.fault.clone()).await;
            *one = Judged { tries: one.tries + 1, ..again };
            told(one);
        }
    }
    judged
}

impl Matrix {
    async fn judge(&self, fault: Planted) -> Judged {
        let begun = Instant::now();
        let demanded = demands(&fault);
        let mut judged = Judged {
            verdict: Verdict::Undecided,
            caught: Vec::new(),
            missed: Vec::new(),
            extra: Vec::new(),
            error: None,
            millis: 0,
            tries: 1,
            fault,
        };
        if demanded.is_empty() {
            return judged;
        }
        let (rows, error) = self.check(&judged.fault).await;
        let sorted = sort(&judged.fault, &rows);
        judged.verdict = match (sorted.missed.is_empty(), sorted.extra.is_empty()) {
            (false, _) => Verdict::Missed,
            (true, false) => Verdict::Extra,
            (true, true) => Verdict::Caught,
        };
        (judged.caught, judged.missed, judged.extra) = (sorted.caught, sorted.missed, sorted.extra);
        judged.error = error;
        judged.millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        judged
    }

    /// The rows of a check of the server with the fault, where the fault can show; and why it ended early.
    async fn check(&self, fault: &Planted) -> (Vec<ResultRow>, Option<String>) {
        let target = self.target(Some(fault));
        let full = self.full.is_some_and(|(part, of)| in_shard(&fault.id, part, of));
        let config = self.config(Some(fault), if full { Selection::all() } else { areas(fault) });
        let mut rows = Vec::new();
        let mut take = |event: RunEvent| {
            if let RunEvent::Result(row) = event {
                rows.push(*row);
            }
        };
        let footer = target.check(config, &mut take).await;
        (rows, footer.error.map(|error| error.message))
    }

    /// The server with the fault, or the honest one.
    pub(super) fn target(&self, fault: Option<&Planted>) -> Target {
        let target = Target::embedded(&self.program);
        match fault {
            Some(fault) => {
                let faulty = target.faulty(&fault.arguments, &fault.transports);
                if fault.anonymous { faulty.without_authorization() } else { faulty }
            }
            None => target,
        }
    }

    /// What is checked of it.
    pub(super) fn config(&self, fault: Option<&Planted>, selection: Selection) -> CheckConfig {
        let target = self.target(fault);
        // What any fault does to answers shows by properties, too, by another name.
        let about_properties = |fault: &Planted| fault.breaks.iter().any(|id| id.starts_with("property."));
        let cases = if fault.is_none_or(about_properties) { PROPERTIES } else { 0 };
        CheckConfig {
            bindings: Vec::new(),
            target: target.info(),
            opening: Opening {
                timeouts: Timeouts { request: self.timeout, ..Timeouts::default() },
                limits: Limits::default(),
                headers: Vec::new(),
                http: HttpConfig::default(),
                pace: None,
            },
            selection,
            revisions: fault.map(|fault| fault.revisions.clone()).unwrap_or_default(),
            settings: Settings {
                safety: Safety { calls: Calls::All, allow: Vec::new(), deny: Vec::new() },
                seed: 1,
                credentials: Credentials::default(),
                properties: Arc::new(Properties::with(Some(cases))),
                elsewhere: None,
            },
            parallel: target.parallel(),
            command: "kill-matrix".to_owned(),
            command_line: Vec::new(),
            reproduce_target: target.reproduce(),
            transcripts: None,
            secrets: target.secrets(),
            watcher: None,
            fail_on: FailOn::default(),
            accepted: None,
            set: RequirementSet::default(),
            stop: self.stop.clone(),
        }
    }
}

/// The requirements in the areas of all that the fault may break.
fn areas(fault: &Planted) -> Selection {
    let requirements = fault.breaks.iter().chain(&fault.also);
    let areas: BTreeSet<&str> = requirements
        .filter_map(|id| Catalogue::get().requirement(id))
        .map(|requirement| requirement.area)
        .collect();
    let areas: Vec<&str> = areas.into_iter().collect();
    Selection::parse(&areas).unwrap_or_else(|_| Selection::none())
}
