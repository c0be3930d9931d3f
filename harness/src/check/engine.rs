//! The check itself: discovers, runs the units, confirms, and tells what happens as run events.

use super::config::CheckConfig;
use super::confirm::{Confirmations, Scope};
use super::discover::{self, Begun, Found};
use super::rows::Rows;
use super::stop::Stop;
use super::unit::{Bench, Choice, Outcome as UnitOutcome};
use crate::client::{Binding, Opened, Opener};
use crate::monitors::Judge;
use crate::probes::{Offer, Place};
use crate::protocol::catalogue::{Catalogue, REQUIREMENT_SET};
use crate::protocol::{Era, Revision, Transport};
use crate::run::{
    Footer, Header, Identity, Outcome, RUN_FORMAT, RUN_VERSION, ResultRow, RunError, RunEvent, ServerInfo,
    Summary,
};
use crate::transcript::Recorder;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};

use super::recorders::Recorders;

/// Runs a check and hands every event to `sink` as it happens. The last one is the footer, which is returned too.
pub async fn check(config: CheckConfig, sink: &mut (dyn FnMut(RunEvent) + Send)) -> Footer {
    let begun = Instant::now();
    let cpu = crate::check::cpu::own();
    sink(RunEvent::Header(header(&config)));
    let (sender, mut events) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(config, sender));
    let work = tokio::spawn(run_all(Arc::clone(&shared)));
    let mut rows: Vec<ResultRow> = Vec::new();
    let mut number = 0;
    let mut summary = Summary::default();
    let mut take = |event: RunEvent, sink: &mut (dyn FnMut(RunEvent) + Send)| {
        let event = match event {
            RunEvent::Result(mut row) => {
                for finding in &mut row.findings {
                    number += 1;
                    finding.id = format!("F{number}");
                }
                summary.add(row.outcome);
                rows.push((*row).clone());
                RunEvent::Result(row)
            }
            other => other,
        };
        sink(event);
    };
    let mut work = work;
    let ended = loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => take(event, sink),
                None => break (&mut work).await,
            },
            ended = &mut work => {
                while let Ok(event) = events.try_recv() {
                    take(event, sink);
                }
                break ended;
            }
        }
    };
    let error = match ended {
        Ok(None) => None,
        Ok(Some(error)) => Some(error),
        Err(panic) => Some(RunError {
            code: 70,
            message: format!("a bug in mcprove: {panic}; please report it with the command line"),
        }),
    };
    let stopped = shared.config.stop.wanted();
    let error = match stopped {
        Some(code) => {
            Some(RunError { code, message: "interrupted; what was known by then is reported".to_owned() })
        }
        None => error,
    };
    let exit_code = error.as_ref().map_or_else(|| u8::from(summary.fail > 0), |error| error.code);
    let footer = Footer {
        summary,
        exit_code,
        truncated: error.is_some(),
        error,
        millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        harness_cpu_millis: cpu.and_then(|before| Some(crate::check::cpu::own()?.saturating_sub(before))),
        process_starts: shared.starts.load(Ordering::Relaxed),
    };
    sink(RunEvent::Footer(footer.clone()));
    footer
}

fn header(config: &CheckConfig) -> Header {
    Header {
        format: RUN_FORMAT.to_owned(),
        version: RUN_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: config.command.clone(),
        command_line: config.command_line.clone(),
        target: config.target.clone(),
        seed: config.settings.seed,
        requirement_set: REQUIREMENT_SET.to_owned(),
        started_at: jiff::Timestamp::now().to_string(),
    }
}

/// What all transports of a check share.
struct Shared {
    config: CheckConfig,
    events: mpsc::UnboundedSender<RunEvent>,
    recorders: Arc<Recorders>,
    starts: Arc<AtomicU32>,
}

impl Shared {
    fn new(config: CheckConfig, events: mpsc::UnboundedSender<RunEvent>) -> Self {
        let recorders = Arc::new(Recorders::new(&config, events.clone()));
        Self { config, events, recorders, starts: Arc::default() }
    }

    fn tell(&self, event: RunEvent) {
        // The receiver outlives the work.
        let _ = self.events.send(event);
    }

    fn notice(&self, text: impl Into<String>) {
        self.tell(RunEvent::Notice { text: text.into() });
    }
}

/// All transports at once; an error where nothing valid ever came over any of them.
async fn run_all(shared: Arc<Shared>) -> Option<RunError> {
    let runs: Vec<_> = shared
        .config
        .bindings
        .iter()
        .map(|binding| tokio::spawn(Transporting::run(Arc::clone(&shared), binding.clone())))
        .collect();
    let mut unreachable = Vec::new();
    let mut reached = false;
    for run in runs {
        match run.await {
            Ok(Ok(())) => reached = true,
            Ok(Err(why)) => unreachable.push(why),
            Err(panic) => {
                return Some(RunError {
                    code: 70,
                    message: format!("a bug in mcprove: {panic}; please report it with the command line"),
                });
            }
        }
    }
    unreachable.dedup();
    if reached {
        unreachable.iter().for_each(|why| shared.notice(format!("one transport was not reached: {why}")));
        return None;
    }
    Some(RunError {
        code: 3,
        message: format!("no valid MCP answer ever came from the target: {}", unreachable.join("; ")),
    })
}

/// One transport.
struct Transporting {
    shared: Arc<Shared>,
    bench: Arc<Bench>,
    transport: Transport,
}

/// What is known when a main conversation is over.
struct Finished {
    revision: Revision,
    outcome: UnitOutcome,
    confirmations: Confirmations,
    since: Instant,
}

impl Transporting {
    async fn run(shared: Arc<Shared>, binding: Binding) -> Result<(), String> {
        let config = &shared.config;
        let mut opener = Opener::new(
            binding.clone(),
            config.opening.clone(),
            config.target.display.clone(),
            Arc::<Recorders>::clone(&shared.recorders),
            Arc::new(Semaphore::new(config.parallel.max(2))),
            Arc::clone(&shared.starts),
        );
        let mut found = discover::discover(&opener, &config.revisions).await;
        if let (Err(first), Binding::Http(url)) = (&found, &binding) {
            // Neither era over Streamable HTTP: the transport of 2024-11-05 is a stream at the same URL.
            let older = opener.over(Binding::HttpSse(url.clone()));
            match discover::discover(&older, &config.revisions).await {
                Ok(again) => {
                    opener = older;
                    found = Ok(again);
                }
                Err(second) => {
                    return Err(format!("{} (as HTTP+SSE: {})", first.why, second.why));
                }
            }
        }
        let found = found.map_err(|unreachable| unreachable.why)?;
        let transport = opener.binding().transport();
        let bench = Bench {
            opener,
            settings: config.settings.clone(),
            stop: config.stop.clone(),
            selected: config.selection.ids().collect(),
        };
        let this = Self { shared: Arc::clone(&shared), bench: Arc::new(bench), transport };
        this.units(found).await;
        Ok(())
    }

    fn stop(&self) -> &Stop {
        &self.shared.config.stop
    }

    fn wants(&self, revision: Revision) -> bool {
        let wanted = &self.shared.config.revisions;
        wanted.is_empty() || wanted.contains(&revision)
    }

    async fn units(&self, found: Found) {
        let dual_era = found.begun.iter().any(|begun| begun.revision.era() == Era::Modern)
            && found.begun.iter().any(|begun| begun.revision.era() == Era::Legacy);
        let speaks_legacy = found.offered.is_some()
            || found.legacy_spoke
            || found.begun.iter().any(|begun| begun.revision.era() == Era::Legacy);
        let server_info = found.begun.iter().find_map(|begun| begun.opened.talk.handshake()?.server_info());
        let startup = u64::try_from(found.startup.as_millis()).unwrap_or(u64::MAX);
        let tried: BTreeSet<Revision> = found.begun.iter().map(|begun| begun.revision).collect();
        let mut early: BTreeMap<Era, Revision> = BTreeMap::new();
        for begun in found.begun.iter().filter(|begun| self.wants(begun.revision)) {
            early.insert(begun.revision.era(), begun.revision);
        }
        if let Some(offered) = found.offered.filter(|offered| self.wants(*offered)) {
            early.entry(offered.era()).or_insert(offered);
        }
        let early: Vec<_> = early
            .into_iter()
            .map(|(era, revision)| (era, tokio::spawn(self.clone_for(revision).early(revision, dual_era))))
            .collect();
        let mut mains: Vec<tokio::task::JoinHandle<Option<Finished>>> = Vec::new();
        for Begun { opened, revision } in found.begun {
            if self.wants(revision) {
                mains.push(tokio::spawn(self.clone_for(revision).main(Some(opened), revision)));
            } else {
                opened.close().await;
            }
        }
        let over_sse = matches!(self.bench.opener.binding(), Binding::HttpSse(_));
        let older = Revision::LEGACY.into_iter().filter(|revision| {
            speaks_legacy && !tried.contains(revision) && self.wants(*revision) && !over_sse
        });
        for revision in older {
            mains.push(tokio::spawn(self.clone_for(revision).main(None, revision)));
        }
        let mut done: Vec<Finished> = Vec::new();
        for main in mains {
            match main.await {
                Ok(Some(finished)) => done.push(finished),
                Ok(None) => {}
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        if let Some(refused) = found.refused {
            if done.is_empty() && self.wants(refused.revision) {
                done.push(self.not_begun(refused).await);
            } else {
                refused.opened.close().await;
            }
        }
        done.sort_by_key(|finished| finished.revision);
        let spoken: Vec<Revision> = done.iter().map(|finished| finished.revision).collect();
        self.shared.tell(RunEvent::TargetIdentified(Identity {
            transport: self.transport,
            revisions: spoken.clone(),
            server_info: server_info.map(|(name, version)| ServerInfo { name, version }),
            startup_millis: startup,
        }));
        for revision in self.shared.config.revisions.iter().filter(|revision| !spoken.contains(revision)) {
            self.shared.notice(format!("{revision} is not spoken over {}", self.transport));
        }
        let mut for_era: HashMap<Era, (Judge, Confirmations)> = HashMap::new();
        for (era, early) in early {
            match early.await {
                Ok(judged) => drop(for_era.insert(era, judged)),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.alone_and_report(done, for_era, &spoken, dual_era).await;
    }

    /// The probes that run beside the main conversations.
    async fn early(self, revision: Revision, dual_era: bool) -> (Judge, Confirmations) {
        self.alone(Place::AloneEarly, revision, &[revision], dual_era, &Offer::default()).await
    }

    fn clone_for(&self, _revision: Revision) -> Self {
        Self { shared: Arc::clone(&self.shared), bench: Arc::clone(&self.bench), transport: self.transport }
    }

    /// The main conversation of a revision, and its confirmation; `None` where the revision is not spoken.
    async fn main(self, opened: Option<Opened>, revision: Revision) -> Option<Finished> {
        let since = Instant::now();
        if self.stop().wanted().is_some() {
            return None;
        }
        let opened = if let Some(opened) = opened {
            opened
        } else {
            let mut opened = self.bench.opener.open("main", Some(revision)).await.ok()?;
            if opened.talk.begin(revision).await.is_err() {
                opened.close().await;
                return None;
            }
            opened
        };
        self.shared.tell(RunEvent::UnitStarted { revision, transport: self.transport });
        let progress = |done: u32, of: u32, doing: &str| {
            self.shared.tell(RunEvent::Progress {
                revision,
                transport: self.transport,
                done,
                of,
                doing: doing.to_owned(),
            });
        };
        let mut outcome = self.bench.main_conversation(opened, revision, &Choice::Selected, &progress).await;
        let era_alone = self.stop().wanted().is_none();
        let confirmations = if era_alone {
            self.bench.confirm(&outcome.judge, revision, Scope::Main).await
        } else {
            Confirmations::new()
        };
        for (name, reason) in outcome.offer.not_called.drain(..) {
            self.shared.notice(format!(
                "{revision} over {}: tool `{name}` was not called: {}",
                self.transport, reason.text
            ));
        }
        Some(Finished { revision, outcome, confirmations, since })
    }

    /// A server answers, but no revision can be begun with it: what was seen of the handshake is the whole unit.
    async fn not_begun(&self, refused: Begun) -> Finished {
        let (since, revision) = (Instant::now(), refused.revision);
        self.shared.tell(RunEvent::UnitStarted { revision, transport: self.transport });
        self.shared.notice(format!(
            "no revision could be begun over {}: only the handshake of {revision} is judged",
            self.transport
        ));
        let mut outcome = UnitOutcome::default();
        self.bench.finish(refused.opened, &mut outcome).await;
        let confirmations = self.bench.confirm(&outcome.judge, revision, Scope::Main).await;
        Finished { revision, outcome, confirmations, since }
    }

    /// The probes with conversations of their own, then the rows of every unit.
    async fn alone_and_report(
        &self,
        done: Vec<Finished>,
        mut for_era: HashMap<Era, (Judge, Confirmations)>,
        spoken: &[Revision],
        dual_era: bool,
    ) {
        let newest: BTreeMap<u8, (Revision, &Offer)> = done
            .iter()
            .map(|finished| {
                let era = u8::from(finished.revision.era() == Era::Modern);
                (era, (finished.revision, &finished.outcome.offer))
            })
            .collect();
        let eras = newest.values().map(|(revision, offer)| async move {
            let spoken: Vec<Revision> =
                spoken.iter().copied().filter(|other| other.era() == revision.era()).collect();
            let found = self.alone(Place::AloneForEra, *revision, &spoken, dual_era, offer).await;
            (revision.era(), found)
        });
        let units = done.iter().map(|finished| async {
            self.alone(Place::Alone, finished.revision, spoken, dual_era, &finished.outcome.offer).await
        });
        let (eras, units) =
            tokio::join!(futures_util::future::join_all(eras), futures_util::future::join_all(units));
        for (era, (judge, confirmations)) in eras {
            let both = for_era.entry(era).or_default();
            both.0.merge(judge);
            both.1.extend(confirmations);
        }
        for (finished, (judge, confirmations)) in done.into_iter().zip(units) {
            let Finished { revision, mut outcome, confirmations: mut confirmed, since } = finished;
            outcome.judge.merge(judge);
            confirmed.extend(confirmations);
            if let Some((judge, confirmations)) = for_era.get(&revision.era()) {
                outcome.judge.merge_ref(judge);
                for (id, confirmation) in confirmations {
                    confirmed.entry(id).or_insert_with(|| confirmation.clone());
                }
            }
            self.report(revision, &outcome.judge, &confirmed, since);
        }
    }

    async fn alone(
        &self,
        place: Place,
        revision: Revision,
        spoken: &[Revision],
        dual_era: bool,
        offer: &Offer,
    ) -> (Judge, Confirmations) {
        let outcome = self.bench.alone(place, revision, spoken, dual_era, offer, &Choice::Selected).await;
        let scope = Scope::Alone { place, spoken, dual_era, offer };
        let confirmations = self.bench.confirm(&outcome.judge, revision, scope).await;
        (outcome.judge, confirmations)
    }

    fn report(&self, revision: Revision, judge: &Judge, confirmations: &Confirmations, since: Instant) {
        let recorders = &self.shared.recorders;
        let transcript = |recorder: &Arc<Recorder>| recorders.file(recorder);
        let rows = Rows {
            judge,
            confirmations,
            revision,
            transport: self.transport,
            reproduce: &self.shared.config.reproduce_target,
            seed: self.shared.config.settings.seed,
            transcript: &transcript,
            cut_short: self.stop().wanted().map(|_| "the run was interrupted before it was decided"),
        };
        for requirement in Catalogue::get().iter() {
            if self.shared.config.selection.contains(&requirement.id) {
                self.shared.tell(RunEvent::Result(Box::new(rows.row(requirement))));
            }
        }
        self.shared.tell(RunEvent::UnitFinished {
            revision,
            transport: self.transport,
            millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// Guards a list against a panic while it was held.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a run is bad enough to fail a build, by `--fail-on`.
pub fn fails(summary: &Summary, should_counts: bool) -> bool {
    summary.count(Outcome::Fail) > 0 || (should_counts && summary.count(Outcome::Warn) > 0)
}
