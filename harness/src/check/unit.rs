//! One unit of a check: a revision over a transport. The clean tour, the probes that break the protocol, the ones with
//! conversations of their own; and the monitors over all of it.

use super::stop::Stop;
use crate::client::{Finished, Gone, Opened, Opener, Reply};
use crate::monitors::{Breach, Judge, Watch};
use crate::probes::{self, Known, Offer, Place, Probe, Run, Settings, Solo, Stage};
use crate::protocol::catalogue::Catalogue;
use crate::protocol::{Revision, Transport};
use crate::run::Reason;
use crate::transcript::Recorder;
use crate::wire::{Event, Taint};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a unit starts again after the server went away under a probe.
const RESTARTS: u32 = 8;

/// Why no more is asked of a target; nothing that it was not asked is judged.
#[derive(Debug, Clone)]
pub(super) struct Dead {
    reason: Reason,
    /// Whether conversations of their own are hopeless too.
    pub(super) for_all: bool,
}

impl Dead {
    fn new(code: &str, text: &str, for_all: bool) -> Self {
        Self { reason: Reason::new(code, text), for_all }
    }
}

/// The last message that was sent on purpose since a position, or the position itself.
fn provocation(recorder: &Recorder, since: u64) -> u64 {
    let records = recorder.snapshot();
    let mut later = records.iter().rev().take_while(|record| record.seq >= since);
    let found = later.find(|record| {
        matches!(&record.event, Event::Sent { deliberate: Some(deliberate), .. }
            if deliberate.taints >= Taint::Message)
    });
    found.map_or(since, |record| record.seq)
}

/// What the parts of a check share.
pub(super) struct Bench {
    pub(super) opener: Opener,
    pub(super) settings: Settings,
    pub(super) stop: Stop,
    /// The requirements to judge: probes that decide none of them are left out.
    pub(super) selected: BTreeSet<&'static str>,
}

/// Which probes run.
#[derive(Clone)]
pub(super) enum Choice {
    /// Those that decide a selected requirement.
    Selected,
    /// To confirm a finding: these, after the clean tour.
    Named(BTreeSet<&'static str>),
}

/// In what setting probes with conversations of their own run.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) place: Place,
    pub(super) revision: Revision,
    pub(super) dual_era: bool,
    pub(super) known: watch::Receiver<Option<Arc<Known>>>,
    /// Why no more is asked of the target, if the main conversation gave it up.
    pub(super) dead: Option<Dead>,
}

/// How far a unit is.
pub(super) type Progress<'a> = &'a (dyn Fn(u32, u32, &str) + Send + Sync);

/// What came of a unit.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) judge: Judge,
    pub(super) offer: Offer,
    pub(super) dead: Option<Dead>,
}

impl Bench {
    pub(super) fn transport(&self) -> Transport {
        self.opener.binding().transport()
    }

    fn chosen(&self, probe: &Probe, choice: &Choice) -> bool {
        match choice {
            Choice::Selected => probe.decides.iter().any(|id| self.selected.contains(id)),
            Choice::Named(names) => names.contains(probe.name),
        }
    }

    /// Whether anything that a probe can decide holds for a revision; what is credited to an era, for any of it.
    fn matters(&self, probe: &Probe, revision: Revision) -> bool {
        let catalogue = Catalogue::get();
        let era = Revision::ALL.into_iter().filter(|other| other.era() == revision.era());
        let revisions: Vec<Revision> =
            if probe.place == Place::AloneForEra { era.collect() } else { vec![revision] };
        probe
            .decides
            .iter()
            .filter_map(|id| catalogue.requirement(id))
            .any(|row| revisions.iter().any(|revision| row.applies(*revision, self.transport()).is_ok()))
    }

    fn probes(&self, place: Place, revision: Revision, choice: &Choice) -> Vec<&'static Probe> {
        probes::all()
            .filter(|probe| probe.place == place && probe.runs(revision, self.transport()))
            // The tour is the ground that everything else stands on: it always runs in full.
            .filter(|probe| place == Place::Clean || self.chosen(probe, choice))
            .filter(|probe| place == Place::Clean || self.matters(probe, revision))
            .collect()
    }

    /// The main conversation, from where its handshake ended; it is still open unless the server went away.
    pub(super) async fn main_conversation(
        &self,
        opened: Opened,
        revision: Revision,
        choice: &Choice,
        progress: Progress<'_>,
    ) -> (Outcome, Option<Opened>) {
        let mut outcome = Outcome::default();
        let mut current = Some(opened);
        let clean = self.probes(Place::Clean, revision, choice);
        let breaking = self.probes(Place::Breaking, revision, choice);
        let of = u32::try_from(clean.len() + breaking.len()).unwrap_or(u32::MAX);
        let (mut restarts, mut stuck) = (0, 0);
        for (index, probe) in clean.iter().chain(&breaking).enumerate() {
            if self.stop.wanted().is_some() {
                break;
            }
            progress(u32::try_from(index).unwrap_or(u32::MAX), of, probe.name);
            if current.is_none() && outcome.dead.is_none() {
                if restarts < RESTARTS {
                    restarts += 1;
                    current = self.start_again(revision).await;
                    if current.is_none() {
                        let text = "the target went away, and a new conversation could not be begun";
                        outcome.dead = Some(Dead::new("target-gone", text, true));
                    }
                } else {
                    let text = format!("the target went away {} times", restarts + 1);
                    outcome.dead = Some(Dead::new("target-gone", &text, false));
                }
            }
            let Some(mut opened) = current.take() else {
                outcome.skip(probe);
                continue;
            };
            if index == clean.len() {
                // What must not come after the clean part would come now.
                let grace = opened.talk.timeouts().grace;
                self.stop.unless(opened.talk.idle(grace)).await;
                let mut canary = self.stop.unless(opened.talk.canary()).await;
                // An error may be meant for what went before, such as a cancellation; so once more.
                if canary.as_ref().is_some_and(Reply::is_error) {
                    canary = self.stop.unless(opened.talk.canary()).await;
                }
                if let Some(canary) = canary.filter(|canary| canary.result().is_none()) {
                    let text = format!(
                        "even before anything broken was sent, a valid request was not answered with its result: {}",
                        canary.describe()
                    );
                    outcome.dead = Some(Dead::new("no-canary", &text, false));
                    self.finish(opened, &mut outcome).await;
                    outcome.skip(probe);
                    continue;
                }
            }
            let Some(gone) = self.within(probe, &mut opened, revision, &mut outcome).await else {
                current = Some(opened);
                continue;
            };
            self.finish(opened, &mut outcome).await;
            // Each of these costs a wait or a flood. Once may be the doing of the probe that broke the protocol.
            stuck += u32::from(matches!(gone, Gone::Hangs | Gone::Flooded | Gone::WriteFailed(_)));
            if stuck > u32::from(probe.place == Place::Breaking) {
                outcome.dead = Some(match gone {
                    Gone::Flooded => {
                        Dead::new("target-floods", "the target sends more than can be kept", true)
                    }
                    _ => Dead::new("target-hangs", "the target no longer answers valid requests", true),
                });
            }
        }
        (outcome, current)
    }

    /// Waits for what must not come any more, and ends the main conversation; it needs no place for that.
    pub(super) async fn end(&self, opened: Option<Opened>) -> Judge {
        let mut outcome = Outcome::default();
        if let Some(mut opened) = opened {
            opened.step_aside();
            let grace = opened.talk.timeouts().grace;
            self.stop.unless(opened.talk.idle(grace)).await;
            self.finish(opened, &mut outcome).await;
        }
        outcome.judge
    }

    /// Runs a probe in the main conversation; how the server went away, if it did.
    async fn within(
        &self,
        probe: &'static Probe,
        opened: &mut Opened,
        revision: Revision,
        outcome: &mut Outcome,
    ) -> Option<Gone> {
        let Run::Within(run) = probe.run else { return None };
        opened.talk.recorder().note(format!("probe {}", probe.name));
        outcome.judge.about(opened.talk.recorder());
        let before = opened.talk.now();
        let mut stage = Stage {
            name: probe.name,
            talk: &mut opened.talk,
            judge: outcome.judge.by(probe.name),
            offer: &mut outcome.offer,
            settings: &self.settings,
            revision,
        };
        if self.stop.unless(run(&mut stage)).await.is_none() {
            return opened.talk.gone();
        }
        let well =
            probe.place != Place::Breaking || self.canary(probe, opened, before, &mut outcome.judge).await;
        // One that hangs would make every later probe wait for its time-out: a fresh conversation goes on instead.
        opened.talk.gone().or((!well).then_some(Gone::Hangs))
    }

    /// After a probe that broke the protocol, a valid request must still be answered; whether it was.
    async fn canary(
        &self,
        probe: &'static Probe,
        opened: &mut Opened,
        since: u64,
        judge: &mut Judge,
    ) -> bool {
        const MALFORMED: &str = "robustness.liveness.after-malformed";
        const STRESS: &str = "robustness.liveness.after-stress";
        let id = if probe.decides.contains(&STRESS) { STRESS } else { MALFORMED };
        judge.by(probe.name);
        let Some(reply) = self.stop.unless(opened.talk.canary()).await else { return true };
        match &reply {
            Reply::Result(_) => judge.held(id),
            reply if reply.status() == Some(429) => {
                judge.undecided(id, "rate-limit", "HTTP 429: the server serves no more for now");
                return true;
            }
            // The monitors see the end of the process and tell it as that; not that it has closed its input and lives.
            Reply::Gone(gone)
                if self.transport() == Transport::Stdio
                    && !(matches!(gone, Gone::WriteFailed(_)) && lives_on(opened).await) => {}
            reply => {
                // The probe knows better which message it was.
                let told = judge
                    .get(id)
                    .is_some_and(|tally| tally.breaches.iter().any(|breach| breach.by == probe.name));
                if !told {
                    judge.broke(
                        id,
                        Breach::new(
                            probe.name,
                            "after malformed input, a valid request was not answered with its result",
                        )
                        .expected(&["the result of the valid request that followed"])
                        .reply(reply)
                        .sent(provocation(opened.talk.recorder(), since)),
                    );
                }
            }
        }
        matches!(reply, Reply::Result(_))
    }

    async fn start_again(&self, revision: Revision) -> Option<Opened> {
        let mut opened = self.opener.open("main, started again", Some(revision)).await.ok()?;
        match self.stop.unless(opened.talk.begin(revision)).await? {
            Ok(()) => Some(opened),
            Err(_) => {
                opened.close().await;
                None
            }
        }
    }

    /// The probes with conversations of their own.
    pub(super) async fn alone(&self, setting: &Setting, choice: &Choice) -> Outcome {
        let Setting { place, revision, dual_era, .. } = *setting;
        let dead = setting.dead.as_ref();
        let mut outcome = Outcome::default();
        if let Some(dead) = dead.filter(|dead| dead.for_all) {
            outcome.dead = Some(dead.clone());
            self.probes(place, revision, choice).into_iter().for_each(|probe| outcome.skip(probe));
            return outcome;
        }
        // Each has its own processes or connections: they need not wait for each other.
        let running = self.probes(place, revision, choice).into_iter().map(|probe| async move {
            let finished = Finished::default();
            let mut judge = Judge::default();
            if let (Run::Alone(run), None) = (&probe.run, self.stop.wanted()) {
                let mut solo = Solo {
                    name: probe.name,
                    opener: &self.opener,
                    judge: judge.by(probe.name),
                    settings: &self.settings,
                    revision,
                    dual_era,
                    known: setting.known.clone(),
                    finished: &finished,
                };
                // What is under way when somebody asks to stop is dropped, and its processes with it.
                self.stop.unless(run(&mut solo)).await;
            }
            // At once, so that what one of them was flooded with is not kept until all are over.
            let mut own = Outcome { judge, ..Outcome::default() };
            for recorder in finished.take() {
                own.take_in(recorder).await;
            }
            own.judge
        });
        for judge in futures_util::future::join_all(running).await {
            outcome.judge.merge(judge);
        }
        outcome
    }

    pub(super) async fn finish(&self, opened: Opened, outcome: &mut Outcome) {
        let closed = opened.close().await;
        outcome.take_in(closed.recorder).await;
    }
}

/// Whether a process that takes nothing any more is still there after a while: one that ends closes its input first.
async fn lives_on(opened: &mut Opened) -> bool {
    const ENDING: Duration = Duration::from_secs(1);
    let deadline = Instant::now() + ENDING;
    loop {
        let records = opened.talk.recorder().snapshot();
        let ends = |event: &Event| matches!(event, Event::ProcessExited { .. } | Event::StdoutClosed);
        if records.iter().any(|record| ends(&record.event)) {
            return false;
        }
        if Instant::now() > deadline {
            return true;
        }
        opened.talk.idle(Duration::from_millis(50)).await;
    }
}

impl Outcome {
    /// Judges a conversation that is over, and lets go of what no finding speaks of. Others go on meanwhile.
    async fn take_in(&mut self, recorder: Arc<Recorder>) {
        let watched = Arc::clone(&recorder);
        match tokio::task::spawn_blocking(move || Watch::over(&watched)).await {
            Ok(judge) => self.judge.merge(judge),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
        let breaches = self.judge.broken().flat_map(|(_, tally)| &tally.breaches);
        let keep = breaches
            .filter(|breach| breach.conversation.as_ref().is_some_and(|its| Arc::ptr_eq(its, &recorder)))
            .filter_map(|breach| breach.event)
            .collect();
        recorder.shed(&keep);
    }

    /// Says of a probe that it did not run.
    fn skip(&mut self, probe: &'static Probe) {
        let Some(dead) = &self.dead else { return };
        for id in probe.decides {
            self.judge.undecided(id, &dead.reason.code, dead.reason.text.clone());
        }
    }
}
