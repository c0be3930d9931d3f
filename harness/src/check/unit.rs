//! One unit of a check: a revision over a transport. The clean tour, the probes that break the protocol, the ones with
//! conversations of their own; and the monitors over all of it.

use super::stop::Stop;
use crate::client::{Finished, Gone, Opened, Opener, Reply};
use crate::monitors::{Breach, Judge, Watch};
use crate::probes::{self, Offer, Place, Probe, Run, Settings, Solo, Stage};
use crate::protocol::{Revision, Transport};
use crate::transcript::Recorder;
use crate::wire::{Event, Taint};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often a unit starts again after the server went away under a probe.
const RESTARTS: u32 = 4;

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

/// How far a unit is.
pub(super) type Progress<'a> = &'a (dyn Fn(u32, u32, &str) + Send + Sync);

/// What came of a unit.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) judge: Judge,
    pub(super) offer: Offer,
    pub(super) conversations: Vec<Arc<Recorder>>,
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

    fn probes(&self, place: Place, revision: Revision, choice: &Choice) -> Vec<&'static Probe> {
        probes::all()
            .filter(|probe| probe.place == place && probe.runs(revision, self.transport()))
            // The tour is the ground that everything else stands on: it always runs in full.
            .filter(|probe| place == Place::Clean || self.chosen(probe, choice))
            .collect()
    }

    /// The main conversation, from where its handshake ended.
    pub(super) async fn main_conversation(
        &self,
        opened: Opened,
        revision: Revision,
        choice: &Choice,
        progress: Progress<'_>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut current = Some(opened);
        let clean = self.probes(Place::Clean, revision, choice);
        let breaking = self.probes(Place::Breaking, revision, choice);
        let of = u32::try_from(clean.len() + breaking.len()).unwrap_or(u32::MAX);
        let mut restarts = 0;
        for (index, probe) in clean.iter().chain(&breaking).enumerate() {
            if self.stop.wanted().is_some() {
                break;
            }
            progress(u32::try_from(index).unwrap_or(u32::MAX), of, probe.name);
            if current.is_none() && restarts < RESTARTS {
                restarts += 1;
                current = self.start_again(revision).await;
            }
            let Some(mut opened) = current.take() else { break };
            if index == clean.len() {
                // What must not come after the clean part would come now.
                opened.talk.idle(opened.talk.timeouts().grace).await;
            }
            let alive = self.within(probe, &mut opened, revision, &mut outcome).await;
            if alive {
                current = Some(opened);
            } else {
                self.finish(opened, &mut outcome).await;
            }
        }
        if let Some(mut opened) = current {
            if self.stop.wanted().is_none() {
                opened.talk.idle(opened.talk.timeouts().grace).await;
            }
            self.finish(opened, &mut outcome).await;
        }
        outcome
    }

    /// Runs a probe in the main conversation; whether the server is still there afterwards.
    async fn within(
        &self,
        probe: &'static Probe,
        opened: &mut Opened,
        revision: Revision,
        outcome: &mut Outcome,
    ) -> bool {
        let Run::Within(run) = probe.run else { return true };
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
        run(&mut stage).await;
        let well =
            probe.place != Place::Breaking || self.canary(probe, opened, before, &mut outcome.judge).await;
        // One that hangs would make every later probe wait for its time-out: a fresh process goes on instead.
        let stuck = !well && self.transport() == Transport::Stdio;
        !stuck && opened.talk.gone().is_none()
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
        let reply = opened.talk.canary().await;
        match &reply {
            Reply::Result(_) => judge.held(id),
            // The monitors see the end of the process and tell it as that.
            Reply::Gone(Gone::Exited { .. }) => {}
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
        if let Ok(()) = opened.talk.begin(revision).await {
            Some(opened)
        } else {
            opened.close().await;
            None
        }
    }

    /// The probes with conversations of their own.
    pub(super) async fn alone(
        &self,
        place: Place,
        revision: Revision,
        spoken: &[Revision],
        dual_era: bool,
        offer: &Offer,
        choice: &Choice,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        // Each has its own processes or connections: they need not wait for each other.
        let running = self.probes(place, revision, choice).into_iter().map(|probe| async move {
            let finished = Finished::default();
            let mut judge = Judge::default();
            if let (Run::Alone(run), None) = (&probe.run, self.stop.wanted()) {
                let mut solo = Solo {
                    name: probe.name,
                    opener: &self.opener,
                    judge: judge.by(probe.name),
                    offer,
                    settings: &self.settings,
                    revision,
                    spoken,
                    dual_era,
                    finished: &finished,
                };
                run(&mut solo).await;
            }
            (judge, finished)
        });
        for (judge, finished) in futures_util::future::join_all(running).await {
            outcome.judge.merge(judge);
            for recorder in finished.take() {
                outcome.judge.merge(Watch::over(&recorder));
                outcome.conversations.push(recorder);
            }
        }
        outcome
    }

    pub(super) async fn finish(&self, opened: Opened, outcome: &mut Outcome) {
        let closed = opened.close().await;
        outcome.judge.merge(Watch::over(&closed.recorder));
        outcome.conversations.push(closed.recorder);
    }
}
