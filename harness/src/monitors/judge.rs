//! Judgements: what monitors and probes say about requirements.

use super::tallies::Tallies;
use crate::client::{Answer, Reply};
use crate::run::Reason;
use crate::transcript::{Record, Recorder};
use crate::wire::Channel;
use std::ops::Range;
use std::sync::Arc;

/// How many breaches of one requirement are kept for one conversation; the rest are more of the same.
const BREACHES_KEPT: usize = 8;

/// Collects judgements about one conversation.
#[derive(Default)]
pub struct Judge {
    tallies: Tallies,
    by: &'static str,
    conversation: Option<Arc<Recorder>>,
    breaches: u64,
}

/// What was said about one requirement.
#[derive(Clone, Default)]
pub struct Tally {
    /// How often the deciding observation was made and was good.
    pub held: u32,
    /// What broke it.
    pub breaches: Vec<Breach>,
    /// Why it could not be decided, where somebody tried.
    pub undecided: Option<Reason>,
    /// Why what held does not make a pass: where it mattered it could not be seen.
    pub unseen: Option<Reason>,
    /// Why it does not apply to this server, where somebody found out.
    pub not_applicable: Option<Reason>,
}

/// One breach of a requirement, with what is needed to believe it.
#[derive(Clone)]
pub struct Breach {
    /// The monitor or probe that saw it.
    pub by: &'static str,
    /// A short, stable name of this way to break the requirement: part of the signature of the finding.
    pub class: String,
    /// Whether it is a matter of quality only, which never fails (POLICY section 2: a wrong code that is still an error).
    pub quality: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What would have been acceptable.
    pub expected: Vec<String>,
    /// What came instead.
    pub actual: String,
    /// The conversation in which it was seen.
    pub conversation: Option<Arc<Recorder>>,
    /// The deciding event.
    pub event: Option<u64>,
    /// The event with what the harness had sent, or one before it, where there was such a thing.
    pub sent: Option<u64>,
    /// Where it was sent, if more than one thing was sent at a time.
    pub sent_on: Option<Channel>,
    /// JSON pointer of the offending part in the message of the deciding event.
    pub pointer: Option<String>,
    /// Byte range of the offending part, where no pointer can name it.
    pub range: Option<Range<usize>>,
    /// The requirement that carries the finding, where this one rests on the same observation.
    pub see: Option<&'static str>,
    /// Whether what came was HTTP 429: a limit that was run into decides nothing.
    pub limited: bool,
    /// Whether it was seen again already where nothing else had happened.
    pub confirmed: bool,
}

impl Breach {
    /// A breach, by what is wrong.
    pub fn new(class: &str, message: impl Into<String>) -> Self {
        Self {
            by: "",
            class: class.to_owned(),
            quality: false,
            message: message.into(),
            expected: Vec::new(),
            actual: String::new(),
            conversation: None,
            event: None,
            sent: None,
            sent_on: None,
            pointer: None,
            range: None,
            see: None,
            limited: false,
            confirmed: false,
        }
    }

    /// What would have been acceptable, one entry an alternative.
    #[must_use]
    pub fn expected(mut self, alternatives: &[&str]) -> Self {
        self.expected = alternatives.iter().map(|text| (*text).to_owned()).collect();
        self
    }

    /// What came instead.
    #[must_use]
    pub fn actual(mut self, actual: impl Into<String>) -> Self {
        self.actual = actual.into();
        self
    }

    /// A matter of quality only: warns at most.
    #[must_use]
    pub fn quality(mut self) -> Self {
        self.quality = true;
        self
    }

    /// The event that decides.
    #[must_use]
    pub fn at(mut self, record: &Record) -> Self {
        self.event = Some(record.seq);
        self
    }

    /// The answer that decides.
    #[must_use]
    pub fn in_answer(self, answer: &Answer) -> Self {
        self.at(&answer.record)
    }

    /// The reply that decides: its event, and its description as what came.
    #[must_use]
    pub fn reply(mut self, reply: &Reply) -> Self {
        if self.actual.is_empty() {
            self.actual = reply.describe();
        }
        self.limited = reply.status() == Some(429);
        match reply.answer() {
            Some(answer) => self.in_answer(answer),
            None => self,
        }
    }

    /// The part of the message that offends.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The bytes that offend.
    #[must_use]
    pub fn range(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }

    /// The same observation breaks another requirement too, which carries the finding.
    #[must_use]
    pub fn see(mut self, requirement: &'static str) -> Self {
        self.see = Some(requirement);
        self
    }

    /// It was seen again already where nothing else had happened.
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirmed = true;
        self
    }

    /// Where it was sent.
    #[must_use]
    pub fn sent_on(mut self, channel: Channel) -> Self {
        self.sent_on = Some(channel);
        self
    }

    /// The event with what was sent.
    #[must_use]
    pub fn sent(mut self, event: u64) -> Self {
        self.sent = Some(event);
        self
    }
}

impl Judge {
    /// Whoever judges next.
    pub fn by(&mut self, name: &'static str) -> &mut Self {
        self.by = name;
        self
    }

    /// The conversation that is judged next.
    pub fn about(&mut self, conversation: &Arc<Recorder>) {
        self.conversation = Some(Arc::clone(conversation));
    }

    /// Adds what another judge said.
    pub fn merge(&mut self, other: Self) {
        for (id, theirs) in other.tallies.into_iter() {
            let ours = self.tallies.of(id);
            ours.held = ours.held.saturating_add(theirs.held);
            ours.breaches.extend(theirs.breaches);
            ours.breaches.truncate(BREACHES_KEPT);
            ours.undecided = ours.undecided.take().or(theirs.undecided);
            ours.unseen = ours.unseen.take().or(theirs.unseen);
            ours.not_applicable = ours.not_applicable.take().or(theirs.not_applicable);
        }
    }

    /// What was said, but for some requirements.
    #[must_use]
    pub fn without(self, requirements: &[&str]) -> Self {
        let mut others = Tallies::default();
        for (id, tally) in self.tallies.into_iter().filter(|(id, _)| !requirements.contains(id)) {
            *others.of(id) = tally;
        }
        Self { tallies: others, ..self }
    }

    /// Adds what another judge said, and leaves it as it is.
    pub fn merge_ref(&mut self, other: &Self) {
        self.merge(Self { tallies: other.tallies.clone(), ..Self::default() });
    }

    /// The deciding observation was made, and it was good.
    pub fn held(&mut self, requirement: &'static str) {
        let held = &mut self.tally(requirement).held;
        *held = held.saturating_add(1);
    }

    /// Whether the requirement was seen to hold.
    pub fn has_held(&mut self, requirement: &'static str) -> bool {
        self.tally(requirement).held > 0
    }

    /// The requirement is broken.
    pub fn broke(&mut self, requirement: &'static str, mut breach: Breach) {
        if breach.limited {
            return self.undecided(requirement, "rate-limit", "HTTP 429: the server serves no more for now");
        }
        breach.by = self.by;
        breach.conversation = breach.conversation.or_else(|| self.conversation.clone());
        self.breaches += 1;
        let tally = self.tally(requirement);
        if tally.breaches.len() < BREACHES_KEPT {
            tally.breaches.push(breach);
        }
    }

    /// Held or broken, by a condition.
    pub fn decide(&mut self, requirement: &'static str, good: bool, breach: impl FnOnce() -> Breach) {
        if good {
            self.held(requirement);
        } else {
            self.broke(requirement, breach());
        }
    }

    /// It could not be decided; the first reason counts.
    pub fn undecided(&mut self, requirement: &'static str, code: &str, text: impl Into<String>) {
        self.tally(requirement).undecided.get_or_insert_with(|| Reason::new(code, text));
    }

    /// Part of what it demands could not be seen, so that it does not pass whatever held elsewhere.
    pub fn unseen(&mut self, requirement: &'static str, code: &str, text: impl Into<String>) {
        self.tally(requirement).unseen.get_or_insert_with(|| Reason::new(code, text));
    }

    /// Nothing passes, whatever held so far.
    pub fn doubt(&mut self, code: &str, text: &str) {
        for tally in self.tallies.values_mut().filter(|tally| tally.held > 0) {
            tally.unseen.get_or_insert_with(|| Reason::new(code, text));
        }
    }

    /// It does not apply to this server.
    pub fn not_applicable(&mut self, requirement: &'static str, code: &str, text: impl Into<String>) {
        self.tally(requirement).not_applicable.get_or_insert_with(|| Reason::new(code, text));
    }

    /// How many breaches were seen, kept or not.
    pub fn breaches(&self) -> u64 {
        self.breaches
    }

    /// Gives the breaches that have no conversation yet one that shows them.
    pub fn attach(&mut self, mut conversation: impl FnMut(&Breach) -> Option<Arc<Recorder>>) {
        for breach in self.tallies.values_mut().flat_map(|tally| &mut tally.breaches) {
            if breach.conversation.is_none() {
                breach.conversation = conversation(breach);
            }
        }
    }

    /// What was said about a requirement.
    pub fn get(&self, requirement: &str) -> Option<&Tally> {
        self.tallies.get(requirement)
    }

    /// Everything that was said.
    pub fn tallies(&self) -> impl Iterator<Item = (&'static str, &Tally)> {
        self.tallies.iter()
    }

    /// Requirements with a breach.
    pub fn broken(&self) -> impl Iterator<Item = (&'static str, &Tally)> {
        self.tallies().filter(|(_, tally)| !tally.breaches.is_empty())
    }

    fn tally(&mut self, requirement: &'static str) -> &mut Tally {
        self.tallies.of(requirement)
    }
}
