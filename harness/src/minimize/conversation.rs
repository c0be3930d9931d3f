//! The smallest conversation that still shows a defect.

use crate::check::signature;
use crate::monitors::Overhearing;
use crate::protocol::Message;
use crate::replay::{Script, Sending};
use crate::shrink::{Place, Step, fewer, simpler};
use crate::transcript::Recorder;
use crate::wire::Payload;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the result is tried again, so that it can be said how steadily it fails.
const CONFIRMED: u32 = 3;
/// Up to how many messages are gone through once more when what they say has become simpler.
const FEW: usize = 12;

/// Something that the monitors found wrong in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The requirement that is broken.
    pub requirement: String,
    /// The same for the same defect in every run.
    pub signature: String,
    /// What is wrong, in one sentence.
    pub message: String,
}

/// What has to be seen again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The requirement that is to be broken.
    pub requirement: String,
    /// The defect, where that matters.
    pub signature: Option<String>,
}

impl Wanted {
    fn fits(&self, seen: &Seen) -> bool {
        seen.requirement == self.requirement
            && self.signature.as_ref().is_none_or(|signature| *signature == seen.signature)
    }
}

/// How long it may go on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many conversations may be held.
    pub tries: u32,
    /// For how long; one that has begun is held to its end.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tries: 5000, time: Duration::from_secs(10 * 60) }
    }
}

/// What came of it.
pub struct Minimized {
    /// What the client sends.
    pub script: Script,
    /// The last time that it was seen: the conversation, or all that were held one after the other.
    pub recorders: Vec<Arc<Recorder>>,
    /// What was seen in it.
    pub seen: Seen,
    /// How many conversations were held.
    pub tries: u32,
    /// In how many of so many more it was seen again.
    pub confirmed: (u32, u32),
    /// Whether it may become smaller still: a limit was reached.
    pub cut_short: bool,
}

/// Why nothing could be made smaller.
#[derive(Debug, thiserror::Error)]
pub enum MinimizeError {
    /// The whole conversation did not show it.
    #[error("{requirement} is not broken when the whole conversation is replayed; {}", told(.saw))]
    NotSeen {
        /// What was to be seen.
        requirement: String,
        /// What was seen instead.
        saw: Vec<Seen>,
    },
}

fn told(saw: &[Seen]) -> String {
    match saw {
        [] => "the monitors find nothing wrong in it".to_owned(),
        saw => {
            let mut ids: Vec<&str> = saw.iter().map(|seen| seen.requirement.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            format!("what is: {}", ids.join(", "))
        }
    }
}

/// What the monitors find wrong in conversations, each defect once.
pub fn broken(recorders: &[Arc<Recorder>]) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    for recorder in recorders {
        let mut monitors = Overhearing::new(recorder.about());
        recorder.snapshot().iter().for_each(|record| monitors.hear(record));
        for session in monitors.finish(false).sessions {
            for (requirement, tally) in session.server.broken() {
                for breach in tally.breaches.iter().filter(|breach| breach.see.is_none()) {
                    let signature = signature(requirement, breach);
                    if !found.iter().any(|known| known.signature == signature) {
                        let (requirement, message) = (requirement.to_owned(), breach.message.clone());
                        found.push(Seen { requirement, signature, message });
                    }
                }
            }
        }
    }
    found
}

/// Makes a conversation as small as it can be while it shows what is `wanted`: first fewer messages, with whatever those
/// that stay depend on, then fewer members, shorter texts and smaller numbers in what the client says. `hold` holds one
/// conversation with a server that knows nothing of those before, and gives its records.
///
/// # Errors
/// When the whole conversation does not show it.
pub async fn minimize(
    script: &Script,
    wanted: &Wanted,
    limits: Limits,
    hold: impl AsyncFnMut(&Script) -> Vec<Arc<Recorder>>,
) -> Result<Minimized, MinimizeError> {
    let mut trials = Trials {
        wanted: wanted.clone(),
        limits,
        hold,
        began: Instant::now(),
        tries: 0,
        known: HashMap::new(),
        last: None,
        cut_short: false,
    };
    if !trials.fails(script).await {
        // A failure that comes and goes gets a second chance here; later on, it may cost a message too many.
        trials.known.clear();
        if !trials.fails(script).await {
            let saw = trials.saw(script).await;
            return Err(MinimizeError::NotSeen { requirement: wanted.requirement.clone(), saw });
        }
    }
    // What is kept has to show the same defect, and not another one that breaks the same requirement.
    if let Some((_, seen)) = &trials.last {
        trials.wanted.signature = Some(seen.signature.clone());
    }
    let mut small = fewer_messages(script, &mut trials).await;
    simpler_messages(&mut small, &mut trials).await;
    if small.sends() <= FEW {
        small = fewer_messages(&small, &mut trials).await;
    }
    let mut again = 0;
    for _ in 0..CONFIRMED {
        trials.known.clear();
        again += u32::from(trials.ask(&small).await);
    }
    let Trials { tries, last, cut_short, .. } = trials;
    match last {
        Some((recorders, seen)) => {
            Ok(Minimized { script: small, recorders, seen, tries, confirmed: (again, CONFIRMED), cut_short })
        }
        None => Err(MinimizeError::NotSeen { requirement: wanted.requirement.clone(), saw: Vec::new() }),
    }
}

async fn fewer_messages<H>(script: &Script, trials: &mut Trials<H>) -> Script
where
    H: AsyncFnMut(&Script) -> Vec<Arc<Recorder>>,
{
    let of = |(session, number): (usize, usize)| (session, number);
    let all: Vec<(usize, usize)> = script
        .sessions
        .iter()
        .enumerate()
        .flat_map(|(session, sends)| (0..sends.sends.len()).map(move |number| of((session, number))))
        .collect();
    let part = |kept: &[usize]| {
        script.only(|session, number| {
            all.binary_search(&(session, number)).is_ok_and(|at| kept.binary_search(&at).is_ok())
        })
    };
    let kept = fewer(all.len(), async |kept: &[usize]| {
        !kept.is_empty() && !trials.are_over() && trials.fails(&part(kept)).await
    })
    .await;
    part(&kept)
}

async fn simpler_messages<H>(script: &mut Script, trials: &mut Trials<H>)
where
    H: AsyncFnMut(&Script) -> Vec<Arc<Recorder>>,
{
    for session in 0..script.sessions.len() {
        for number in (0..script.sessions[session].sends.len()).rev() {
            if trials.are_over() {
                return;
            }
            let Sending::Payload(Payload::Message(message)) = &script.sessions[session].sends[number].what
            else {
                continue;
            };
            // What opens a conversation says who speaks; it stays as it is.
            if message.method() == Some("initialize") {
                continue;
            }
            let simple = simpler(message.value(), is_fixed, async |value: &serde_json::Value| {
                let with = |value| script.with_message(session, number, Message::from_value(value));
                !trials.are_over() && trials.fails(&with(value.clone())).await
            })
            .await;
            if simple != *message.value() {
                *script = script.with_message(session, number, Message::from_value(simple));
            }
        }
    }
}

/// What makes a message the one that it is.
fn is_fixed(place: &Place) -> bool {
    let place = match place {
        [Step::Element(_), rest @ ..] => rest,
        whole => whole,
    };
    matches!(place, [Step::Member(name)] if matches!(name.as_str(), "jsonrpc" | "id" | "method"))
}

/// Conversations that were tried.
struct Trials<H> {
    wanted: Wanted,
    limits: Limits,
    hold: H,
    began: Instant,
    tries: u32,
    /// What came of each, by what the client sent.
    known: HashMap<u64, bool>,
    /// The last that showed it.
    last: Option<(Vec<Arc<Recorder>>, Seen)>,
    cut_short: bool,
}

impl<H: AsyncFnMut(&Script) -> Vec<Arc<Recorder>>> Trials<H> {
    /// Whether a conversation shows it, as far as the limits allow to find out.
    async fn fails(&mut self, script: &Script) -> bool {
        // What is known already takes no time, but somebody may want it to end.
        tokio::task::yield_now().await;
        let key = key(script);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.are_over() {
            return false;
        }
        let fails = self.ask(script).await;
        self.known.insert(key, fails);
        fails
    }

    /// Whether a limit is reached, so that nothing more is tried.
    fn are_over(&mut self) -> bool {
        let over = self.tries >= self.limits.tries || self.began.elapsed() >= self.limits.time;
        self.cut_short |= over;
        over
    }

    async fn ask(&mut self, script: &Script) -> bool {
        let seen = self.saw(script).await;
        seen.iter().any(|seen| self.wanted.fits(seen))
    }

    async fn saw(&mut self, script: &Script) -> Vec<Seen> {
        self.tries += 1;
        let recorders = (self.hold)(script).await;
        let found = broken(&recorders);
        if let Some(seen) = found.iter().find(|seen| self.wanted.fits(seen)) {
            self.last = Some((recorders, seen.clone()));
        }
        found
    }
}

fn key(script: &Script) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (number, session) in script.sessions.iter().enumerate() {
        for send in &session.sends {
            (number, send.seq).hash(&mut hasher);
            if let Sending::Payload(payload) = &send.what {
                payload.bytes().hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
