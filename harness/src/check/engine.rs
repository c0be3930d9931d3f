//! The check itself: discovers, runs the units, confirms, and tells what happens as run events.

use super::accepted;
use super::config::CheckConfig;
use super::confirm::{Confirmation, Confirmations, Scope};
use super::discover::{self, Begun, Found};
use super::rows::Rows;
use super::stop::Stop;
use super::unit::{Bench, Choice, Outcome as UnitOutcome, Setting};
use crate::client::{Binding, Opened, Opener};
use crate::monitors::{Judge, Watch};
use crate::probes::{Known, Offer, Place, Settings};
use crate::protocol::catalogue::Catalogue;
use crate::protocol::{Era, Revision, Transport};
use crate::run::{
    Footer, Header, Identity, RUN_FORMAT, RUN_VERSION, RunError, RunEvent, ServerInfo, Summary,
};
use crate::transcript::Recorder;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::recorders::Recorders;

/// Runs a check and hands every event to `sink` as it happens. The last one is the footer, which is returned too.
pub async fn check(config: CheckConfig, sink: &mut (dyn FnMut(RunEvent) + Send)) -> Footer {
    let begun = Instant::now();
    let cpu = crate::check::cpu::own();
    sink(RunEvent::Header(header(&config)));
    let (sender, mut events) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared::new(config, sender));
    let work = tokio::spawn(run_all(Arc::clone(&shared)));
    let mut tested = false;
    let mut number = 0;
    let mut summary = Summary::default();
    let mut rows = Vec::new();
    let collect = shared.config.accepted.is_some();
    let mut take = |event: RunEvent, sink: &mut (dyn FnMut(RunEvent) + Send)| {
        let event = match event {
            RunEvent::Result(mut row) => {
                for finding in &mut row.findings {
                    number += 1;
                    finding.id = format!("F{number}");
                }
                summary.add(row.outcome);
                if collect {
                    rows.push((*row).clone());
                }
                // Rows that only say that their revision is not spoken are no result.
                tested |= row.reason.as_ref().is_none_or(|reason| reason.code != super::rows::NOT_SPOKEN);
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
    let (known, error) = accepted::held(&shared.config, &rows, error, tested, sink);
    let exit_code = match &error {
        Some(error) => error.code,
        None if !tested => 4,
        None => shared.config.fail_on.exit_code(&summary, known.as_ref()),
    };
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

/// A run that ends before it begins: the selection is empty, or the target cannot be reached at all.
pub(super) fn without_units(
    config: &CheckConfig,
    error: Option<RunError>,
    sink: &mut (dyn FnMut(RunEvent) + Send),
) -> Footer {
    sink(RunEvent::Header(header(config)));
    let summary = Summary::default();
    let footer = Footer {
        summary,
        exit_code: error
            .as_ref()
            .map_or_else(|| config.fail_on.exit_code(&summary, None), |error| error.code),
        truncated: error.is_some(),
        error,
        millis: 0,
        harness_cpu_millis: None,
        process_starts: 0,
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
        requirement_set: config.set.name().to_owned(),
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
        if let Some(told) = shared.config.settings.properties.told() {
            shared.notice(told);
        }
        return None;
    }
    Some(RunError { code: 3, message: nothing_came(&shared.config.bindings, &unreachable) })
}

/// What to tell where nothing valid ever came, and what to do about it.
pub(super) fn nothing_came(bindings: &[Binding], reasons: &[String]) -> String {
    let advice = match bindings.first() {
        Some(Binding::Stdio(_)) => {
            "run the command by hand with the same environment: it must stay, read messages from its standard input, and write nothing but messages to its standard output"
        }
        _ => {
            "is the server running, and is this the URL of its MCP endpoint (often /mcp, or /sse)? --start CMD starts a server first, --header and --bearer-env let in where it asks who you are"
        }
    };
    format!("no valid MCP answer ever came from the target: {}\n{advice}", reasons.join("; "))
}

/// Why nothing but authorization is judged.
const NEEDS_TOKEN: &str =
    "the server serves nothing without a token: --bearer-env VAR or --header 'Authorization: …' lets in";

/// One transport.
#[derive(Clone)]
struct Transporting {
    shared: Arc<Shared>,
    bench: Arc<Bench>,
    transport: Transport,
    /// Whether it is shut to us: all that can be judged is how that is told.
    shut: bool,
}

/// What is known when a main conversation is over.
struct Finished {
    revision: Revision,
    outcome: UnitOutcome,
    confirmations: Confirmations,
    since: Instant,
}

/// What the main conversations of an era have found.
fn known(era: Era, offers: &[(Revision, Offer)]) -> Known {
    let of_era = || offers.iter().filter(|(revision, _)| revision.era() == era);
    Known {
        spoken: of_era().map(|(revision, _)| *revision).collect(),
        offer: of_era().next_back().map(|(_, offer)| offer.clone()).unwrap_or_default(),
    }
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
        let stopped = || "interrupted".to_owned();
        let discovering = discover::discover(&opener, &config.revisions);
        let mut found = config.stop.unless(discovering).await.ok_or_else(stopped)?;
        if let (Err(first), Binding::Http(_)) = (&found, &binding)
            && !first.statuses.is_empty()
            && first.statuses.iter().all(|status| *status == 401)
        {
            let why = format!("the server asks for a token: {}", first.why);
            let shut = Self { shut: true, ..Self::over(&shared, opener) };
            shut.report_shut().await;
            return Err(why);
        }
        if let (Err(first), Binding::Http(url)) = (&found, &binding) {
            // Neither era over Streamable HTTP: the transport of 2024-11-05 is a stream at the same URL.
            let older = opener.over(Binding::HttpSse(url.clone()));
            let discovering = discover::discover(&older, &config.revisions);
            match config.stop.unless(discovering).await.ok_or_else(stopped)? {
                Ok(again) => {
                    opener = older;
                    found = Ok(again);
                }
                Err(second) => {
                    let why = format!("{} (as HTTP+SSE: {})", first.why, second.why);
                    // Where POST is not known at all, a stream can only be meant as that of HTTP+SSE.
                    let no_post = !first.statuses.is_empty()
                        && first.statuses.iter().all(|status| matches!(status, 404 | 405));
                    if let Some(stream) = second.mute_stream.filter(|_| no_post) {
                        Self::over(&shared, older).report_mute_stream(&stream);
                    }
                    return Err(why);
                }
            }
        }
        let found = match found {
            Ok(found) => found,
            Err(unreachable) => {
                if let Some(stream) = unreachable.mute_stream {
                    Self::over(&shared, opener).report_mute_stream(&stream);
                }
                return Err(unreachable.why);
            }
        };
        // Whoever has answered over HTTP has started.
        if opener.binding().transport().is_http() {
            opener.has_answered_within(found.startup);
        }
        Self::over(&shared, opener).units(found).await
    }

    fn over(shared: &Arc<Shared>, opener: Opener) -> Self {
        let config = &shared.config;
        let transport = opener.binding().transport();
        // The older of the HTTP transports has one revision only.
        let other = |binding: &&Binding| {
            binding.transport() != transport && binding.transport() != Transport::HttpSse
        };
        let elsewhere = config.bindings.iter().find(other).cloned();
        let bench = Bench {
            opener,
            settings: Settings { elsewhere, ..config.settings.clone() },
            stop: config.stop.clone(),
            selected: config.selection.ids().collect(),
        };
        Self { shared: Arc::clone(shared), bench: Arc::new(bench), transport, shut: false }
    }

    /// A stream of HTTP+SSE on which no conversation could begin: what it was is judged all the same.
    fn report_mute_stream(&self, stream: &Arc<Recorder>) {
        let (revision, transport) = (Revision::V2024_11_05, self.transport);
        if self.wants(revision) {
            self.shared.tell(RunEvent::UnitStarted { revision, transport });
            self.report(revision, &Watch::over(stream), &Confirmations::new(), Instant::now(), true);
        }
    }

    /// A server that lets nobody in without a token, and we have none that it takes: how it says so is judged, by the rules
    /// of one revision, although none could be agreed on.
    async fn report_shut(&self) {
        let wanted = self.shared.config.revisions.iter().copied();
        let revision =
            wanted.filter(|date| *date >= Revision::V2025_03_26).max().unwrap_or(Revision::V2025_11_25);
        let (transport, since) = (self.transport, Instant::now());
        self.shared.tell(RunEvent::UnitStarted { revision, transport });
        let names = crate::probes::all()
            .filter(|probe| {
                probe.place == Place::Alone && probe.decides.iter().any(|id| id.starts_with("auth."))
            })
            .map(|probe| probe.name)
            .collect();
        let (_, known) = watch::channel(Some(Arc::default()));
        let setting = Setting { place: Place::Alone, revision, dual_era: false, known, dead: None };
        let outcome = self.bench.alone(&setting, &Choice::Named(names)).await;
        let confirmations = self.bench.confirm(&outcome.judge, revision, Scope::Alone(&setting)).await;
        self.report(revision, &outcome.judge, &confirmations, since, true);
    }

    fn stop(&self) -> &Stop {
        &self.shared.config.stop
    }

    fn wants(&self, revision: Revision) -> bool {
        let wanted = &self.shared.config.revisions;
        wanted.is_empty() || wanted.contains(&revision)
    }

    async fn units(&self, found: Found) -> Result<(), String> {
        let refusals = found.reasons.join("; ");
        let speaks_modern = found.begun.iter().any(|begun| begun.revision.era() == Era::Modern);
        let begun_legacy = found.begun.iter().any(|begun| begun.revision.era() == Era::Legacy);
        // A server of the modern era that refuses `initialize` has said all there is to say about the other one.
        let speaks_legacy = begun_legacy || found.offered.is_some() || (found.legacy_spoke && !speaks_modern);
        let dual_era = speaks_modern && speaks_legacy;
        let server_info = found.begun.iter().find_map(|begun| begun.opened.talk.handshake()?.server_info());
        let startup = u64::try_from(found.startup.as_millis()).unwrap_or(u64::MAX);
        let tried: BTreeSet<Revision> = found.begun.iter().map(|begun| begun.revision).collect();
        let mut mains: Vec<tokio::task::JoinHandle<Option<Finished>>> = Vec::new();
        let mut offers = Vec::new();
        let mut begin = |opened, revision| {
            let (tell, offered) = oneshot::channel();
            offers.push(offered);
            mains.push(tokio::spawn(self.clone().main(opened, revision, dual_era, tell)));
        };
        for Begun { opened, revision } in found.begun {
            if self.wants(revision) {
                begin(Some(opened), revision);
            } else {
                opened.close().await;
            }
        }
        let over_sse = matches!(self.bench.opener.binding(), Binding::HttpSse(_));
        let older = Revision::LEGACY.into_iter().filter(|revision| {
            speaks_legacy && !tried.contains(revision) && self.wants(*revision) && !over_sse
        });
        for revision in older {
            begin(None, revision);
        }
        // What comes before any revision is agreed on need not wait for the main conversations.
        let mut eras = Vec::new();
        for (era, present) in [(Era::Legacy, speaks_legacy), (Era::Modern, speaks_modern)] {
            let newest = tried.iter().copied().filter(|revision| revision.era() == era).max();
            let revision = newest.or(found.offered.filter(|_| era == Era::Legacy));
            if let (true, Some(revision)) = (present, revision)
                && Revision::ALL.into_iter().any(|wanted| wanted.era() == era && self.wants(wanted))
            {
                let (tell, known) = watch::channel(None);
                let setting = Setting { place: Place::AloneForEra, revision, dual_era, known, dead: None };
                eras.push((era, tell, tokio::spawn(self.clone().alone(setting))));
            }
        }
        let mut offers: Vec<(Revision, Offer)> =
            futures_util::future::join_all(offers).await.into_iter().flatten().collect();
        offers.sort_by_key(|(revision, _)| *revision);
        if !offers.is_empty() {
            for (era, tell, _) in &eras {
                tell.send_replace(Some(Arc::new(known(*era, &offers))));
            }
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
            if done.is_empty() && self.wants(refused.revision) && self.stop().wanted().is_none() {
                let finished = self.not_begun(refused, found.misanswered).await;
                if finished.outcome.judge.broken().next().is_none() {
                    // Nothing to say against it, and nothing to say at all.
                    return Err(format!("no conversation could be begun: {refusals}"));
                }
                done.push(finished);
            } else {
                refused.opened.close().await;
            }
        }
        if done.is_empty() && self.shared.config.revisions.is_empty() && self.stop().wanted().is_none() {
            return Err(format!("no conversation could be begun: {refusals}"));
        }
        done.sort_by_key(|finished| finished.revision);
        let spoken: Vec<Revision> = done.iter().map(|finished| finished.revision).collect();
        self.shared.tell(RunEvent::TargetIdentified(Identity {
            transport: self.transport,
            revisions: spoken.clone(),
            server_info: server_info.map(|(name, version)| ServerInfo { name, version }),
            startup_millis: startup,
        }));
        let mut for_era = HashMap::new();
        for (era, tell, running) in eras {
            // A server with which nothing could be begun offers nothing.
            tell.send_if_modified(|told| {
                let late = told.is_none();
                told.get_or_insert_with(|| {
                    let offers = done.iter().map(|done| (done.revision, done.outcome.offer.clone()));
                    Arc::new(known(era, &offers.collect::<Vec<_>>()))
                });
                late
            });
            match running.await {
                Ok(judged) => for_era.insert(era, judged),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
        }
        for revision in self.shared.config.revisions.iter().filter(|revision| !spoken.contains(revision)) {
            self.shared.notice(format!("{revision} is not spoken over {}", self.transport));
            self.report(*revision, &Judge::default(), &Confirmations::new(), Instant::now(), false);
        }
        for finished in done {
            let Finished { revision, outcome, mut confirmations, since } = finished;
            let mut judge = outcome.judge;
            if let Some((theirs, confirmed)) = for_era.get(&revision.era()) {
                judge.merge_ref(theirs);
                for (id, confirmation) in confirmed {
                    confirmations.entry(id).or_insert_with(|| confirmation.clone());
                }
            }
            self.report(revision, &judge, &confirmations, since, true);
        }
        Ok(())
    }

    /// The main conversation of a revision, and its confirmation; `None` where the revision is not spoken.
    async fn main(
        self,
        opened: Option<Opened>,
        revision: Revision,
        dual_era: bool,
        tell: oneshot::Sender<(Revision, Offer)>,
    ) -> Option<Finished> {
        let since = Instant::now();
        if self.stop().wanted().is_some() {
            return None;
        }
        let opened = match opened {
            Some(opened) => opened,
            None => {
                let mut opened = self.bench.opener.open("main", Some(revision)).await.ok()?;
                if self.stop().unless(opened.talk.begin(revision)).await?.is_err() {
                    opened.close().await;
                    return None;
                }
                opened
            }
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
        let (mut outcome, last) =
            self.bench.main_conversation(opened, revision, &Choice::Selected, &progress).await;
        for (name, reason) in outcome.offer.not_called.drain(..) {
            self.shared.notice(format!(
                "{revision} over {}: tool `{name}` was not called: {}",
                self.transport, reason.text
            ));
        }
        // Whoever listens for it has gone when the user wants to stop.
        let _ = tell.send((revision, outcome.offer.clone()));
        let spoken = vec![revision];
        let known = Known { spoken, offer: outcome.offer.clone() };
        // A channel without a sender keeps its last value.
        let (_, known) = watch::channel(Some(Arc::new(known)));
        let setting = Setting { place: Place::Alone, revision, dual_era, known, dead: outcome.dead.clone() };
        // What must not come any more is waited for meanwhile.
        let (ended, (judge, confirmed)) = tokio::join!(self.bench.end(last), self.clone().alone(setting));
        outcome.judge.merge(ended);
        let mut confirmations = if self.stop().wanted().is_none() {
            self.bench.confirm(&outcome.judge, revision, Scope::Main).await
        } else {
            Confirmations::new()
        };
        outcome.judge.merge(judge);
        for (id, confirmation) in confirmed {
            // What came again in one of them does come again.
            if !matches!(confirmations.get(id), Some(Confirmation::Again(_))) {
                confirmations.insert(id, confirmation);
            }
        }
        Some(Finished { revision, outcome, confirmations, since })
    }

    /// A server answers, but no revision can be begun with it: what was seen of the handshake is the whole unit.
    async fn not_begun(&self, refused: Begun, misanswered: bool) -> Finished {
        let (since, revision) = (Instant::now(), refused.revision);
        self.shared.tell(RunEvent::UnitStarted { revision, transport: self.transport });
        self.shared.notice(format!(
            "no revision could be begun over {}: only the handshake of {revision} is judged",
            self.transport
        ));
        let mut outcome = UnitOutcome::default();
        self.bench.finish(refused.opened, &mut outcome).await;
        if misanswered {
            outcome.judge.doubt("no-valid-answer", "no answer ever came that bears the id of a request");
        }
        let confirmations = self.bench.confirm(&outcome.judge, revision, Scope::Main).await;
        Finished { revision, outcome, confirmations, since }
    }

    /// Probes with conversations of their own, and the confirmation of what they found.
    async fn alone(self, setting: Setting) -> (Judge, Confirmations) {
        let outcome = self.bench.alone(&setting, &Choice::Selected).await;
        let confirmations =
            self.bench.confirm(&outcome.judge, setting.revision, Scope::Alone(&setting)).await;
        (outcome.judge, confirmations)
    }

    fn report(
        &self,
        revision: Revision,
        judge: &Judge,
        confirmations: &Confirmations,
        since: Instant,
        spoken: bool,
    ) {
        let recorders = &self.shared.recorders;
        let transcript = |recorder: &Arc<Recorder>| recorders.file(recorder);
        let selection = &self.shared.config.selection;
        let set = &self.shared.config.set;
        let selected = |id: &str| selection.contains(id) && set.has(id);
        let rows = Rows {
            set,
            selected: &selected,
            judge,
            confirmations,
            revision,
            transport: self.transport,
            reproduce: &self.shared.config.reproduce_target,
            seed: self.shared.config.settings.seed,
            transcript: &transcript,
            cut_short: match self.stop().wanted() {
                Some(_) => Some(("cut-short", "the run was interrupted before it was decided")),
                None => self.shut.then_some(("needs-token", NEEDS_TOKEN)),
            },
        };
        for requirement in Catalogue::get().iter() {
            if selected(&requirement.id) {
                let row = if spoken { rows.row(requirement) } else { rows.not_spoken(requirement) };
                self.shared.tell(RunEvent::Result(Box::new(row)));
            }
        }
        if !spoken {
            return;
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
