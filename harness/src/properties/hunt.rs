//! The hunt: cases are drawn and tried, one subject after the other in turn; what shows is looked at again.

use super::case::{Call, Case, Manner};
use super::draw::Drawer;
use super::found::{Found, Report};
use super::judge::{
    AGAIN, ANSWERED, ECHO, MISS_ERROR, NO_HANG, OUTPUT, PAST, REFUSED, Rules, SPELLING, SURVIVES, Shown,
    changes, compared, depends_on_spelling, each, is_whole, occurrences,
};
use super::shrinking::Shrinking;
use super::stand::{Answered, Stand};
use super::subject::{Subject, What};
use crate::client::{Closed, Opened};
use crate::monitors::Watch;
use crate::protocol::Era;
use crate::transcript::Recorder;
use crate::wire::Event;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many cases a subject is tried with where nothing else is said.
pub const DEFAULT_CASES: u32 = 12;

/// After so many calls a conversation ends and another one goes on.
const LONGEST: u64 = 1500;
/// So many of the last calls may be needed to show something.
const HISTORY: usize = 40;
/// A subject is left alone after it has so often ended the conversation or not answered.
const STRIKES: u32 = 3;
/// How often what looks alike is looked at, where it did not come again.
const LOOKS: usize = 6;
/// After so many cases every kind was drawn.
const ALL_TURNS: u32 = 20;
/// A subject gets no more than such a part of a limited time, and one case.
const SHARES: u32 = 8;
/// How many findings of a kind are kept.
const ALIKE: usize = 3;
/// How many of those that end the conversation.
const GRAVE: usize = 24;
/// How often a conversation may fail to begin.
const FAILURES: u32 = 3;
/// How many calls of what only reads are remembered with their answers, and how many rounds later they are made again.
const REMEMBERED: usize = 48;
const LATER: u32 = 8;

/// All findings together may be made smaller for so many times as long as one.
const AT_ALL: u32 = 3;

/// What is told about these with the smallest conversation, and not once more for the long one in which it was found.
const OWN: [&str; 5] = [
    SURVIVES,
    NO_HANG,
    "base.response.always-sent",
    "tools.structured.conforms",
    "tools.call.execution-error-in-result",
];

/// How much is tried.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed of every choice.
    pub seed: u64,
    /// How many cases each subject is tried with; a quarter of it where a subject takes no arguments.
    pub cases: u32,
    /// No case is begun after so long.
    pub within: Option<Duration>,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// How long it is waited for before it is said that there is none.
    pub limit: Duration,
    /// For how long, and with how many tries, one thing that was found is made smaller.
    pub effort: (Duration, u32),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            cases: DEFAULT_CASES,
            within: None,
            patience: Duration::from_secs(2),
            limit: Duration::from_secs(10),
            effort: (Duration::from_secs(20), 600),
        }
    }
}

/// Where a hunt stands.
pub(super) struct Hunt<'a> {
    pub(super) stand: Stand<'a>,
    pub(super) subjects: &'a mut [Subject],
    pub(super) plan: &'a Plan,
    drawer: Drawer,
    report: Report,
    /// The conversation in which cases are tried, and its last calls.
    open: Option<Opened>,
    history: VecDeque<Call>,
    calls: u64,
    failures: u32,
    /// Where something smaller is tried.
    pub(super) spare: Option<Opened>,
    /// Conversations that are coming to their end.
    closing: JoinSet<Closed>,
    strikes: Vec<u32>,
    /// How long each subject took so far.
    spent: Vec<Duration>,
    /// How long findings have been made smaller.
    effort: Duration,
    /// What was looked at and did not come again.
    looked: Vec<Shown>,
    /// Near misses that were accepted: the most telling one for each subject.
    accepted: BTreeMap<usize, (usize, Shown, Case)>,
    /// What shows only after more calls.
    later: Vec<(Shown, Case)>,
    /// Calls of what only reads, with their answers and what was called since.
    remembered: VecDeque<(Case, Answered)>,
}

/// What came of the calls of a case.
pub(super) struct Attempt {
    pub(super) answers: Vec<Answered>,
    /// What one answer shows by itself.
    pub(super) own: Option<Shown>,
    /// What the answers show beside each other.
    pub(super) compared: Option<Shown>,
}

/// Tries cases on the subjects, and tells what was found.
pub async fn hunt(stand: Stand<'_>, subjects: &mut [Subject], plan: &Plan) -> Report {
    let mut hunt = Hunt::new(stand, subjects, plan);
    hunt.all().await;
    hunt.report
}

impl<'a> Hunt<'a> {
    pub(super) fn new(stand: Stand<'a>, subjects: &'a mut [Subject], plan: &'a Plan) -> Self {
        let count = subjects.len();
        Self {
            stand,
            subjects,
            plan,
            drawer: Drawer::new(plan.seed, count),
            report: Report::default(),
            open: None,
            history: VecDeque::new(),
            calls: 0,
            failures: 0,
            spare: None,
            closing: JoinSet::new(),
            strikes: vec![0; count],
            spent: vec![Duration::ZERO; count],
            effort: Duration::ZERO,
            looked: Vec::new(),
            accepted: BTreeMap::new(),
            later: Vec::new(),
            remembered: VecDeque::new(),
        }
    }
}

impl Hunt<'_> {
    pub(super) fn rules(&self) -> Rules {
        Rules { revision: self.stand.revision, transport: self.stand.transport() }
    }

    /// Ends a conversation without waiting for it.
    pub(super) fn let_go(&mut self, opened: Opened) {
        self.closing.spawn(opened.close());
        while self.closing.try_join_next().is_some() {}
    }

    async fn all(&mut self) {
        let until = self.plan.within.map(|within| Instant::now() + within);
        'all: for round in 0..self.plan.cases {
            for at in 0..self.subjects.len() {
                let few =
                    self.subjects[at].takes_nothing() && round >= self.plan.cases.div_ceil(4).max(ALL_TURNS);
                // Where time is short, what is slow does not take it from the others.
                let slow = self.plan.within.is_some_and(|within| self.spent[at] * SHARES > within);
                if few || slow || self.strikes[at] >= STRIKES {
                    continue;
                }
                if until.is_some_and(|until| Instant::now() >= until) {
                    self.report.cut = Some("its time was over");
                    break 'all;
                }
                if let Some(case) = self.drawer.next(self.subjects, at) {
                    let began = Instant::now();
                    self.hunt_with(at, case).await;
                    self.spent[at] += began.elapsed();
                }
                if self.failures >= FAILURES {
                    self.report.cut = Some("no further conversation could be begun");
                    break 'all;
                }
            }
            if round % LATER == LATER - 1 {
                self.ask_again().await;
            }
        }
        self.finish().await;
        for (_, (_, shown, case)) in std::mem::take(&mut self.accepted) {
            if self.is_enough(&shown) {
                self.report.left += 1;
            } else {
                self.pursue(shown, case, &[]).await;
            }
        }
        for (shown, case) in std::mem::take(&mut self.later) {
            if !self.is_known(&shown) && !self.is_enough(&shown) {
                self.pursue(shown, case, &[]).await;
            }
        }
        self.close().await;
    }

    /// Ends all conversations.
    pub(super) async fn close(&mut self) {
        self.finish().await;
        if let Some(spare) = self.spare.take() {
            self.let_go(spare);
        }
        while self.closing.join_next().await.is_some() {}
    }

    /// Makes room for conversations beside the one that is open.
    pub(super) fn step_aside(&mut self) {
        self.open.iter_mut().for_each(Opened::step_aside);
    }

    /// Ends the conversation in which cases are tried, and hears what the monitors say about it.
    async fn finish(&mut self) {
        self.history.clear();
        self.remembered.clear();
        self.calls = 0;
        let Some(opened) = self.open.take() else { return };
        let recorder = opened.close().await.recorder;
        self.hear(recorder).await;
    }

    async fn hear(&mut self, recorder: Arc<Recorder>) {
        let watched = Arc::clone(&recorder);
        // A panic of a monitor is told where the check hears of its conversations.
        let Ok(judge) = tokio::task::spawn_blocking(move || Watch::over(&watched)).await else { return };
        let judge = judge.without(&OWN);
        let keep: BTreeSet<u64> =
            judge.broken().flat_map(|(_, tally)| &tally.breaches).filter_map(|breach| breach.event).collect();
        self.report.judge.merge(judge);
        recorder.shed(&keep);
    }

    /// The conversation in which cases are tried.
    async fn opened(&mut self) -> Option<Opened> {
        if let Some(opened) = self.open.take() {
            return Some(opened);
        }
        let mut opened = self.stand.open().await;
        match &mut opened {
            Some(opened) => {
                // So that the monitors know the tools.
                self.stand.listed(&mut opened.talk, "tools/list", "tools").await;
                self.failures = 0;
            }
            None => self.failures += 1,
        }
        opened
    }

    /// Makes the calls of a case in the conversation that is open; `None` where none can be begun.
    pub(super) async fn attempt(&mut self, case: &Case) -> Option<Attempt> {
        let mut opened = self.opened().await?;
        let said = self.stand.make(&mut opened.talk, self.subjects, case, self.plan.patience).await;
        self.open = Some(opened);
        let answers: Vec<Answered> = said.into_iter().map(|said| said.answered).collect();
        self.report.cases += 1;
        self.report.calls += answers.len() as u64;
        self.calls += answers.len() as u64;
        let own = each(self.rules(), self.subjects, case, &answers);
        let compared = if own.is_none() { self.differs(case, &answers) } else { None };
        Some(Attempt { answers, own, compared })
    }

    /// Ends the conversation where it is of no use any more, or long enough.
    pub(super) async fn turn_over(&mut self, answers: &[Answered]) -> bool {
        let over = answers.last().is_some_and(Answered::ends);
        if over || self.calls >= LONGEST {
            self.finish().await;
        }
        over
    }

    async fn hunt_with(&mut self, at: usize, case: Case) {
        let Some(Attempt { answers, own, compared }) = self.attempt(&case).await else { return };
        for answer in &answers {
            if let Answered::Done(result) = answer {
                self.drawer.pool.learn(result);
            }
        }
        let alone = own.is_some();
        let shown = own.or(compared);
        if shown.is_none() {
            self.holds(&case, &answers);
        }
        let before: Vec<Call> = self.history.iter().cloned().collect();
        if case.manner.is_valid() {
            self.history.extend(case.calls.iter().cloned());
        }
        // What one answer shows by itself needs no comparison.
        let case = if alone { case.plain() } else { case };
        while self.history.len() > HISTORY {
            self.history.pop_front();
        }
        let silent =
            answers.iter().any(|answer| matches!(answer, Answered::Silence(_) | Answered::Unfinished));
        let over = self.turn_over(&answers).await;
        if !over && answers.iter().any(|answer| matches!(answer, Answered::Silence(_))) {
            // Whatever keeps the server busy must not keep it from answering about others.
            self.finish().await;
        }
        self.strikes[at] += u32::from(over || silent);
        match shown {
            Some(shown) if shown.property == REFUSED && shown.requirement == REFUSED => {
                self.accept(at, shown, case);
            }
            Some(shown) => self.look(shown, case, &before).await,
            None => {}
        }
    }

    /// Remembers a near miss that was accepted; told is the one that leaves the least doubt.
    fn accept(&mut self, at: usize, shown: Shown, case: Case) {
        const TELLING: [&str; 12] = [
            "maximum",
            "exclusiveMaximum",
            "minimum",
            "exclusiveMinimum",
            "maxLength",
            "maxItems",
            "enum",
            "const",
            "pattern",
            "minLength",
            "minItems",
            "multipleOf",
        ];
        let Manner::Miss { keyword, .. } = &case.manner else { return };
        let rank = TELLING.iter().position(|known| known == keyword).unwrap_or(TELLING.len());
        if self.accepted.get(&at).is_none_or(|(known, ..)| rank < *known) {
            self.accepted.insert(at, (rank, shown, case));
        }
    }

    /// What answers show beside each other.
    fn differs(&self, case: &Case, answers: &[Answered]) -> Option<Shown> {
        let broken = match &case.manner {
            Manner::Again(times) => changes(*times, answers),
            Manner::Spelled(spelling) => depends_on_spelling(*spelling, answers),
            Manner::Echo { path } => {
                let needle = case.calls[0].arguments.pointer(path)?.as_str()?;
                answers.len() == 2 && occurrences(&answers[1], needle) > 0
            }
            _ => false,
        };
        if broken { compared(self.subjects, case, String::new()) } else { None }
    }

    fn holds(&mut self, case: &Case, answers: &[Answered]) {
        if !answers.iter().all(is_whole) {
            return;
        }
        let held = &mut self.report.held;
        match &case.manner {
            // How a prompt refuses is told by rules about prompts.
            Manner::Miss { .. } if self.subjects[case.calls[0].subject].what == What::Prompt => {}
            Manner::Miss { .. } => held.extend([REFUSED, MISS_ERROR]),
            Manner::Again(_) => _ = held.insert(AGAIN),
            Manner::Spelled(_) => _ = held.insert(SPELLING),
            Manner::Echo { .. } => _ = held.insert(ECHO),
            Manner::Valid | Manner::Together | Manner::Past => {}
        }
        if case.manner.is_valid() {
            held.insert(ANSWERED);
            let structured = |answer: &Answered| matches!(answer, Answered::Done(result) if result.get("structuredContent").is_some());
            if answers.iter().any(structured) {
                held.insert(OUTPUT);
            }
        }
        // What is to be asked again later.
        let reads = case.calls.last().is_some_and(|call| self.subjects[call.subject].read_only);
        if let (true, Manner::Again(_), Era::Modern, Some(answer)) =
            (reads, &case.manner, self.stand.revision.era(), answers.last())
        {
            if self.remembered.len() == REMEMBERED {
                self.remembered.pop_front();
            }
            let asked = Case { manner: Manner::Valid, calls: case.calls.clone() };
            self.remembered.push_back((asked, answer.clone()));
        }
    }

    /// In 2026-07-28 no answer depends on what came before: asks again what was asked some time ago. Only what reads may
    /// have come in between, for it to tell anything.
    async fn ask_again(&mut self) {
        while let Some((case, answer)) = self.remembered.pop_front() {
            let Some(mut opened) = self.open.take() else { return };
            let said = self.stand.make(&mut opened.talk, self.subjects, &case, self.plan.patience).await;
            self.open = Some(opened);
            let Some(now) = said.last().map(|said| said.answered.clone()) else { return };
            if now == answer {
                self.report.held.insert(PAST);
            } else if is_whole(&now) {
                let own = case.calls[0].subject;
                let only_reads = |call: &&Call| self.subjects[call.subject].read_only && call.subject != own;
                let calls = self.history.iter().filter(only_reads).chain(&case.calls).cloned().collect();
                let case = Case { manner: Manner::Past, calls };
                if let Some(shown) = compared(self.subjects, &case, String::new()) {
                    self.look(shown, case, &[]).await;
                }
            }
        }
    }

    fn is_known(&self, shown: &Shown) -> bool {
        self.report.found.iter().any(|found| found.shown.is_like(shown))
    }

    /// Whether enough of a kind was found: what many subjects have is most likely one defect, but for crashes and hangs.
    fn is_enough(&self, shown: &Shown) -> bool {
        let alike =
            |found: &&Found| (found.shown.requirement, found.shown.class) == (shown.requirement, shown.class);
        let grave = [SURVIVES, NO_HANG].contains(&shown.requirement);
        self.report.found.iter().filter(alike).count() >= if grave { GRAVE } else { ALIKE }
    }

    async fn look(&mut self, shown: Shown, case: Case, before: &[Call]) {
        let looks = self.looked.iter().filter(|known| known.is_like(&shown)).count();
        if self.is_known(&shown) || looks >= LOOKS {
            return;
        }
        if self.is_enough(&shown) {
            self.report.left += u32::from(looks == 0);
            self.looked.push(shown);
            return;
        }
        self.looked.push(shown.clone());
        self.pursue(shown, case, before).await;
    }

    /// Looks whether it comes again, makes it small, and keeps it.
    async fn pursue(&mut self, shown: Shown, case: Case, before: &[Call]) {
        self.step_aside();
        let mut case = case;
        let mut again = None;
        if let (Manner::Together, Some(call)) = (&case.manner, case.calls.get(shown.at)) {
            // One alone may do.
            let alone = Case { manner: Manner::Valid, calls: vec![call.clone()] };
            again = self.shows(&alone, false).await.filter(|trial| trial.shown.is_like(&shown));
            if again.is_some() {
                case = alone;
            }
        }
        if again.is_none() {
            again = self.shows(&case, false).await.filter(|trial| trial.shown.is_like(&shown));
        }
        if again.is_none() {
            if before.is_empty() || !matches!(case.manner, Manner::Valid | Manner::Together) {
                self.report.unsteady += 1;
                return;
            }
            // It may need what came before; but something shorter may still turn up.
            let calls = before.iter().chain(&case.calls).cloned().collect();
            self.later.push((shown, Case { manner: Manner::Valid, calls }));
            return;
        }
        let (time, most) = self.plan.effort;
        let began = Instant::now();
        let time = time.min((time * AT_ALL).saturating_sub(self.effort));
        let mut shrinking = Shrinking::new(shown.clone(), case, time, most);
        let small = self.smallest(&mut shrinking).await;
        self.effort += began.elapsed();
        let last = self.shows(&small, false).await.filter(|trial| trial.shown.is_like(&shown));
        let original = shrinking.original().clone();
        if last.is_none() && shown.requirement == NO_HANG {
            // The least that takes too long comes to an end after all: it is slow, as it may be.
            self.report.unsteady += 1;
            return;
        }
        let Some((small, trial)) = last.map(|trial| (small, trial)).or(again.map(|trial| (original, trial)))
        else {
            return;
        };
        let at = trial.said.get(trial.shown.at).or(trial.said.last());
        let Some(said) = at else { return };
        let records = trial.recorder.snapshot();
        let end = records.iter().find(|record| matches!(record.event, Event::ProcessExited { .. }));
        let found = Found {
            sent: (said.ticket.since, said.ticket.channel),
            event: said.event.or(end.map(|record| record.seq)),
            case: small,
            recorder: trial.recorder,
            tries: shrinking.tries(),
            shown: trial.shown,
        };
        self.report.found.push(found);
    }
}
