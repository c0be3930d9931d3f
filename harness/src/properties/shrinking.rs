//! A case that shows something, made as small as it can be while it shows the same.

use super::case::{Case, Manner};
use super::hunt::Hunt;
use super::judge::{
    MISS_ERROR, REFUSED, Shown, changes, compared, depends_on_spelling, each, is_whole, occurrences,
};
use super::spice::walk;
use super::stand::{Answered, Said};
use super::subject::Subject;
use crate::client::Opened;
use crate::shrink::{fewer, shifted, simpler};
use crate::transcript::Recorder;
use futures_util::FutureExt as _;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How often a difference has to be seen in conversations of their own.
const ROUNDS: usize = 3;
/// A text at least this long that comes back is no chance.
const UNIQUE: usize = 8;

/// What a case showed.
pub(super) struct Trial {
    pub(super) shown: Shown,
    /// What was said in the conversation that shows it, and that conversation.
    pub(super) said: Vec<Said>,
    pub(super) recorder: Arc<Recorder>,
}

/// The way to something smaller.
pub(super) struct Shrinking {
    wanted: Shown,
    /// The case that was found.
    original: Case,
    known: HashMap<String, bool>,
    until: Instant,
    tries: u32,
    most: u32,
}

impl Shrinking {
    pub(super) fn new(wanted: Shown, original: Case, time: Duration, most: u32) -> Self {
        Self { wanted, original, known: HashMap::new(), until: Instant::now() + time, tries: 0, most }
    }

    pub(super) fn original(&self) -> &Case {
        &self.original
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }
}

/// Whether this case shows what is wanted.
struct Question {
    case: Case,
    answer: oneshot::Sender<bool>,
}

/// Asks whoever tries cases, and waits without letting others go on: for a thread of its own.
struct Asking(mpsc::Sender<Question>);

impl Asking {
    fn fails(&self, case: Case) -> bool {
        let (answer, answered) = oneshot::channel();
        // Where nobody tries anything any more, nothing smaller fails.
        self.0.blocking_send(Question { case, answer }).is_ok() && answered.blocking_recv().unwrap_or(false)
    }
}

/// The case with fewer calls, the next one of the same subject given the numbers of each that is left out: where only a
/// sum counts, a few large numbers are as good as many small ones.
fn merged(mut case: Case, asking: &Asking) -> Case {
    let mut at = 0;
    while at + 1 < case.calls.len() {
        let mut other = case.clone();
        let gone = other.calls.remove(at);
        let next = &mut other.calls[at];
        let mut given = false;
        walk(&gone.arguments, &mut String::new(), &mut |place, value| {
            let there = next.arguments.pointer_mut(place);
            if let (Some(more), Some(there)) = (value.as_i64(), there)
                && let Some(sum) = there.as_i64().and_then(|number| number.checked_add(more))
            {
                (*there, given) = (Value::from(sum), true);
            }
        });
        if given && gone.subject == next.subject && asking.fails(other.clone()) {
            case = other;
            at = 0;
        } else {
            at += 1;
        }
    }
    case
}

/// The smallest case that fails.
async fn smaller(mut case: Case, asking: &Asking) -> Case {
    let fewer_calls = async |case: Case| {
        let fails = async |kept: &[usize]| !kept.is_empty() && asking.fails(case.only(kept));
        let kept = fewer(case.calls.len(), fails).await;
        case.only(&kept)
    };
    case = fewer_calls(case).await;
    for last in [false, true] {
        let found = {
            let fails = async |value: &Value| case.with(value).is_some_and(|other| asking.fails(other));
            let found = simpler(&case.value(), |_| false, fails).await;
            shifted(&found, fails).await
        };
        case = merged(case.with(&found).unwrap_or(case), asking);
        if last || case.calls.len() < 2 {
            break;
        }
        case = fewer_calls(case).await;
    }
    case
}

/// Whether a case, made from another one, is still of the kind that its manner says; `same_keyword`: a near miss has to
/// break the keyword that the other one breaks.
pub fn fits(subjects: &[Subject], same_keyword: bool, original: &Case, case: &Case) -> bool {
    let Some(last) = case.calls.last() else { return false };
    let subject = &subjects[last.subject];
    let all_valid = || case.calls.iter().all(|call| subjects[call.subject].takes(&call.arguments));
    match &case.manner {
        Manner::Miss { .. } if same_keyword => {
            // Another keyword would be another breach.
            let own = original.calls.last().and_then(|call| subject.generator.sole_fault(&call.arguments));
            own.is_some() && subject.generator.sole_fault(&last.arguments) == own
        }
        Manner::Miss { .. } => subject.refuses(&last.arguments),
        Manner::Together => case.calls.len() > 1 && all_valid(),
        Manner::Echo { path } => {
            let needle = case.calls[0].arguments.pointer(path).and_then(Value::as_str).unwrap_or_default();
            case.calls.len() == 2 && !needle.is_empty() && all_valid() && {
                let other = case.calls[1].arguments.to_string();
                needle.len() < UNIQUE || !other.contains(needle)
            }
        }
        Manner::Past => {
            case.calls.len() > 1 && all_valid() && original.calls.last().is_some_and(|own| own == last)
        }
        Manner::Valid | Manner::Again(_) | Manner::Spelled(_) => all_valid(),
    }
}

impl Hunt<'_> {
    /// Whether a case shows what is wanted, as far as the limits allow to find out.
    async fn fails(&mut self, shrinking: &mut Shrinking, case: &Case) -> bool {
        let same_keyword = [REFUSED, MISS_ERROR].contains(&shrinking.wanted.requirement);
        if !fits(self.subjects, same_keyword, &shrinking.original, case) {
            return false;
        }
        let key = case.value().to_string();
        if let Some(known) = shrinking.known.get(&key) {
            return *known;
        }
        if shrinking.tries >= shrinking.most || Instant::now() >= shrinking.until {
            return false;
        }
        shrinking.tries += 1;
        let trial = self.shows(case, true).await;
        let fails = trial.is_some_and(|trial| trial.shown.is_like(&shrinking.wanted));
        shrinking.known.insert(key, fails);
        fails
    }

    /// The smallest case that shows what is wanted. What is smaller is thought of elsewhere, and tried here.
    pub(super) async fn smallest(&mut self, shrinking: &mut Shrinking) -> Case {
        let case = shrinking.original.clone();
        let (ask, mut questions) = mpsc::channel(1);
        let thinking = tokio::task::spawn_blocking(move || smaller(case, &Asking(ask)).now_or_never());
        while let Some(Question { case, answer }) = questions.recv().await {
            let fails = self.fails(shrinking, &case).await;
            // Whoever asked waits for it.
            let _ = answer.send(fails);
        }
        thinking.await.ok().flatten().unwrap_or_else(|| shrinking.original.clone())
    }

    /// What a case shows when nothing else has happened; `spare`: where one call alone is made, others may have been
    /// made before.
    pub(super) async fn shows(&mut self, case: &Case, spare: bool) -> Option<Trial> {
        let patience = if spare { self.plan.patience } else { self.plan.limit };
        // What is the smallest is looked at as often again as what was found.
        let rounds = if spare { 1 } else { ROUNDS };
        match &case.manner {
            Manner::Valid | Manner::Together | Manner::Miss { .. } => {
                let opened = if spare && case.calls.len() == 1 { self.spare.take() } else { None };
                let mut opened = match opened {
                    Some(opened) => opened,
                    None => self.stand.open().await?,
                };
                let said = self.stand.make(&mut opened.talk, self.subjects, case, patience).await;
                let answers: Vec<Answered> = said.iter().map(|said| said.answered.clone()).collect();
                let recorder = Arc::clone(opened.talk.recorder());
                let quiet = !answers.iter().any(|one| one.ends() || matches!(one, Answered::Silence(_)));
                if spare && quiet && case.calls.len() == 1 {
                    opened.step_aside();
                    self.spare = Some(opened);
                } else {
                    self.let_go(opened);
                }
                let shown = each(self.rules(), self.subjects, case, &answers)?;
                Some(Trial { shown, said, recorder })
            }
            Manner::Again(times) => {
                let (answers, said, recorder) = self.steadily(case, rounds, Duration::ZERO, |_| true).await?;
                let actual = differing(&answers);
                let shown = changes(*times, &answers).then(|| compared(self.subjects, case, actual))??;
                Some(Trial { shown, said, recorder })
            }
            Manner::Spelled(spelling) => {
                let differ = |answers: &[Answered]| depends_on_spelling(*spelling, answers);
                let (answers, said, recorder) = self.steadily(case, rounds, Duration::ZERO, differ).await?;
                let shown = compared(self.subjects, case, differing(&answers))?;
                Some(Trial { shown, said, recorder })
            }
            Manner::Echo { path } => {
                let needle = case.calls[0].arguments.pointer(path)?.as_str()?.to_owned();
                let times = if needle.len() < UNIQUE { 2 } else { 1 };
                let alone = Case { manner: Manner::Valid, calls: case.calls[1..].to_vec() };
                let mut last = None;
                for _ in 0..times {
                    let (control, ..) = self.fresh(&alone, 0, Duration::ZERO).await?;
                    let (answers, said, recorder) = self.fresh(case, 0, Duration::ZERO).await?;
                    let (with, without) = (answers.last()?, control.last()?);
                    if occurrences(with, &needle) <= occurrences(without, &needle) {
                        return None;
                    }
                    last = Some((with.describe(), said, recorder));
                }
                let (actual, said, recorder) = last?;
                Some(Trial { shown: compared(self.subjects, case, actual)?, said, recorder })
            }
            Manner::Past => {
                let alone =
                    Case { manner: Manner::Valid, calls: case.calls[case.calls.len() - 1..].to_vec() };
                let began = Instant::now();
                self.fresh(case, 0, Duration::ZERO).await?;
                // What tells the time tells a later one after other calls, and after as long a wait.
                let took = began.elapsed();
                let (without, ..) = self.steadily(&alone, rounds, took, |_| true).await?;
                let (answers, said, recorder) = self.steadily(case, rounds, Duration::ZERO, |_| true).await?;
                let (with, without) = (answers.last()?, without.last()?);
                if with == without || !is_whole(with) || !is_whole(without) {
                    return None;
                }
                let actual = format!("{}, instead of {}", with.describe(), without.describe());
                Some(Trial { shown: compared(self.subjects, case, actual)?, said, recorder })
            }
        }
    }

    /// A case in a conversation of its own, after so many requests that do nothing, and some time.
    async fn fresh(
        &mut self,
        case: &Case,
        before: usize,
        wait: Duration,
    ) -> Option<(Vec<Answered>, Vec<Said>, Arc<Recorder>)> {
        let mut opened: Opened = self.stand.open().await?;
        for _ in 0..before {
            opened.talk.canary().await;
        }
        tokio::time::sleep(wait).await;
        let said = self.stand.make(&mut opened.talk, self.subjects, case, self.plan.patience).await;
        let recorder = Arc::clone(opened.talk.recorder());
        self.let_go(opened);
        let answers = said.iter().map(|said| said.answered.clone()).collect();
        Some((answers, said, recorder))
    }

    /// The answers to a case, where they are the same in several conversations of their own, one a while after the other
    /// and with other ids. So clocks, chance and ids are nothing; what only several processes together would show is not
    /// looked for.
    async fn steadily(
        &mut self,
        case: &Case,
        rounds: usize,
        wait: Duration,
        worth: impl Fn(&[Answered]) -> bool,
    ) -> Option<(Vec<Answered>, Vec<Said>, Arc<Recorder>)> {
        let mut first: Option<(Vec<Answered>, Vec<Said>, Arc<Recorder>)> = None;
        for round in 0..rounds {
            // Not after the same time each time.
            let wait = wait + wait * u32::try_from(round).unwrap_or(1) / 2;
            let again = self.fresh(case, round, wait).await?;
            match &first {
                Some((answers, ..)) if !agree(&case.manner, answers, &again.0) => return None,
                Some(_) => {}
                None if worth(&again.0) => first = Some(again),
                None => return None,
            }
            // Clocks that tell the second only.
            if round + 1 < rounds && matches!(case.manner, Manner::Again(_)) {
                tokio::time::sleep(Duration::from_millis(350)).await;
            }
        }
        first
    }
}

/// Whether two conversations went alike; of what came before, nothing is asked.
fn agree(manner: &Manner, one: &[Answered], other: &[Answered]) -> bool {
    if *manner == Manner::Past { one.last() == other.last() } else { one == other }
}

fn differing(answers: &[Answered]) -> String {
    let all: Vec<String> =
        answers.iter().map(|answer| answer.describe().chars().take(150).collect()).collect();
    all.join(", then ")
}
