//! Which message of the server is which recorded one. As long as a conversation goes on, messages are paired as they come, so
//! that the client can go on; when it is over they are paired anew, with all that is known then.

use super::bind::Names;
use super::compare::{Lens, Mismatch, Mode, Same};
use super::difference::{Difference, Kind, Place};
use super::owners::Owners;
use super::rules::Rules;
use super::script::{Expected, Session};
use crate::protocol::schema::{Checked, Party, check_error, check_notification, check_request, check_result};
use crate::protocol::{Id, Kind as MessageKind, Message, Revision};
use crate::transcript::RulePart;
use crate::wire::Channel;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// How many candidates are compared with one message.
const CANDIDATES: usize = 64;

/// What means nothing to anybody but the server, by the protocol.
const OPAQUE: [&str; 2] = ["/result/nextCursor", "/result/requestState"];
/// How near messages are that belong to two requests.
const ELSEWHERE: u8 = 2;

/// A message that came in.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) message: Message,
    part: RulePart,
    method: String,
    /// How many like it came before it.
    nth: u64,
    /// The send to which it belongs.
    owner: Option<usize>,
    /// The recorded message that it is taken for.
    pub(super) place: Option<usize>,
}

/// Pairs messages.
pub(super) struct Aligner<'a> {
    session: &'a Session,
    owners: Owners,
    pub(super) heard: Vec<Heard>,
    /// The messages that came, by their place in the recording.
    pub(super) live: Vec<Option<Message>>,
    /// Those for which nobody waits any more.
    pub(super) given_up: HashSet<usize>,
    /// Those that came all the same.
    late: HashSet<usize>,
    /// Requests by the send that brought them: their method and number.
    asked: HashMap<usize, (String, u64)>,
    counts: HashMap<(RulePart, String), u64>,
}

/// By what a conversation is judged.
pub(super) struct Judgement<'a> {
    pub(super) mode: Mode,
    pub(super) rules: &'a Rules,
    pub(super) names: &'a Names,
    /// The revision that is spoken, for the schema.
    pub(super) revision: Option<Revision>,
    /// Members that only one era has.
    pub(super) passed_over: &'a [&'a str],
    /// The number of the session.
    pub(super) session: usize,
}

impl<'a> Aligner<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        let mut asked = HashMap::new();
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (number, send) in session.sends.iter().enumerate() {
            for message in send.messages() {
                if let (MessageKind::Request, Some(method)) = (message.kind(), message.method()) {
                    let count = counts.entry(method.to_owned()).or_default();
                    asked.entry(number).or_insert((method.to_owned(), *count));
                    *count += 1;
                }
            }
        }
        Self {
            session,
            owners: Owners::default(),
            heard: Vec::new(),
            live: vec![None; session.expected.len()],
            given_up: HashSet::new(),
            late: HashSet::new(),
            asked,
            counts: HashMap::new(),
        }
    }

    /// A message of the client went out.
    pub(super) fn sent(&mut self, number: usize, message: &Message, channel: Channel) {
        self.owners.sent(number, message, channel);
    }

    /// Anything went out on an HTTP exchange.
    pub(super) fn carried(&mut self, number: usize, channel: Channel) {
        self.owners.carries(number, channel);
    }

    /// A message of the server came in; the recorded one that it is taken for.
    pub(super) fn hear(&mut self, message: &Message, channel: Channel) -> Option<usize> {
        let heard = match message.kind() {
            MessageKind::Batch | MessageKind::NotAMessage(_) => return None,
            MessageKind::Result | MessageKind::Error => self.answer(message, channel),
            kind => {
                let part =
                    if *kind == MessageKind::Request { RulePart::Request } else { RulePart::Notification };
                let method = message.method().unwrap_or_default().to_owned();
                let nth = self.count(part, &method);
                let owner = self.owners.owner(message, channel);
                let mut heard = Heard { message: message.clone(), part, method, nth, owner, place: None };
                heard.place = self.choose(&heard);
                heard
            }
        };
        let place = heard.place;
        self.heard.push(heard);
        if let Some(place) = place {
            self.live[place] = Some(message.clone());
            if self.given_up.contains(&place) {
                self.late.insert(place);
            }
        }
        place
    }

    fn count(&mut self, part: RulePart, method: &str) -> u64 {
        let count = self.counts.entry((part, method.to_owned())).or_default();
        *count += 1;
        *count - 1
    }

    fn answer(&mut self, message: &Message, channel: Channel) -> Heard {
        let owner = self.owners.answered(message, channel);
        let recorded = &self.session.expected;
        let free = |place: &usize| self.live[*place].is_none() && recorded[*place].part == RulePart::Answer;
        // What was sent as no message has an owner over HTTP alone.
        let nameless = |message: &Message| message.id().is_none_or(Id::is_null);
        let of_this = |place: &usize| {
            let one = &recorded[*place];
            let unowned = one.owner.is_none() || owner.is_none();
            one.owner == owner || (unowned && nameless(message) && nameless(&one.message))
        };
        let of_owner = (0..recorded.len()).filter(of_this).filter(free);
        let same_id = |place: &usize| recorded[*place].message.id() == message.id();
        let places: Vec<usize> = of_owner.collect();
        let place = match places.iter().find(|place| same_id(place)) {
            Some(place) => Some(*place),
            // A batch has several answers, each with its id; and an answer without one belongs to nothing.
            None => places.first().copied().filter(|_| owner.is_none() || places.len() == 1),
        };
        let (method, nth) = match owner.and_then(|owner| self.asked.get(&owner)) {
            Some((method, nth)) => (method.clone(), *nth),
            None => (String::new(), self.count(RulePart::Answer, "")),
        };
        Heard { message: message.clone(), part: RulePart::Answer, method, nth, owner, place }
    }

    /// The recorded message that one that came by itself is taken for.
    fn choose(&self, heard: &Heard) -> Option<usize> {
        let recorded = &self.session.expected;
        let free: Vec<usize> = (0..recorded.len())
            .filter(|place| {
                let one = &recorded[*place];
                self.live[*place].is_none() && one.part == heard.part && one.method == heard.method
            })
            .collect();
        let near = |place: &usize| nearness(&recorded[*place], heard);
        let nearest = free.iter().filter_map(near).min()?;
        let places = || free.iter().filter(|place| near(place) == Some(nearest)).copied();
        let alike = |place: &usize| recorded[*place].message.params() == heard.message.params();
        // A request has to be answered as something.
        let other = heard.part == RulePart::Request || nearest < ELSEWHERE;
        places().take(CANDIDATES).find(alike).or_else(|| places().next().filter(|_| other))
    }

    /// Pairs all anew, and says what differs.
    pub(super) fn finish(mut self, judgement: &Judgement<'_>) -> Vec<Difference> {
        self.pair_anew(judgement);
        let mut places: Vec<Option<usize>> = vec![None; self.session.expected.len()];
        for (at, heard) in self.heard.iter().enumerate() {
            if let Some(place) = heard.place {
                places[place] = Some(at);
            }
        }
        let mut found = Vec::new();
        for (place, recorded) in self.session.expected.iter().enumerate() {
            if !recorded.compared {
                continue;
            }
            let message = judgement.place(recorded);
            let tell = |kind: Kind, live: Option<&Message>, note: Option<String>| Difference {
                message: message.clone(),
                path: String::new(),
                kind,
                recorded: Some(recorded.message.value().clone()),
                live: live.map(|live| live.value().clone()),
                note,
            };
            match places[place] {
                None => {
                    let allowed = judgement.rules.any_number(&recorded.method, recorded.part, recorded.nth);
                    let race = recorded.part == RulePart::Answer
                        && (recorded.ends_subscription
                            || recorded.owner.is_some_and(|owner| self.cancelled(owner)));
                    if !allowed && !race {
                        found.push(tell(Kind::MissingMessage, None, None));
                    }
                }
                Some(at) => {
                    let live = &self.heard[at].message;
                    if self.late.contains(&place) && recorded.part != RulePart::Notification {
                        found.push(tell(Kind::Late, Some(live), None));
                    }
                    for Mismatch { path, kind, recorded, live } in judgement.compare(recorded, place, live) {
                        found.push(Difference {
                            message: message.clone(),
                            path,
                            kind,
                            recorded,
                            live,
                            note: None,
                        });
                    }
                }
            }
        }
        self.order(&places, judgement, &mut found);
        self.extra(judgement, &mut found);
        found
    }

    /// Whether the client cancelled the request of a send: whether it is still answered is a race.
    fn cancelled(&self, number: usize) -> bool {
        self.session.cancels(number)
    }

    /// Notifications and requests of the server, paired with what is the same first and then in their order.
    fn pair_anew(&mut self, judgement: &Judgement<'_>) {
        let recorded = &self.session.expected;
        let mut free: HashMap<(RulePart, String), Vec<usize>> = HashMap::new();
        for (place, one) in recorded.iter().enumerate().filter(|(_, one)| one.part != RulePart::Answer) {
            free.entry((one.part, one.method.clone())).or_default().push(place);
        }
        let mut unpaired: Vec<usize> = Vec::new();
        for at in 0..self.heard.len() {
            let heard = &self.heard[at];
            // A request was answered as what it was taken for.
            if heard.part == RulePart::Answer || (heard.part == RulePart::Request && heard.place.is_some()) {
                if let (RulePart::Request, Some(place)) = (heard.part, heard.place)
                    && let Some(places) = free.get_mut(&(heard.part, heard.method.clone()))
                {
                    places.retain(|one| *one != place);
                }
                continue;
            }
            let places = free.entry((heard.part, heard.method.clone())).or_default();
            let same = |place: &&usize| {
                let recorded = &recorded[**place];
                nearness(recorded, heard).is_some()
                    && judgement.compare(recorded, **place, &heard.message).is_empty()
            };
            // The nearest of those that are the same.
            let chosen = places
                .iter()
                .take(CANDIDATES)
                .filter(same)
                .min_by_key(|place| nearness(&recorded[**place], heard))
                .copied();
            if let Some(chosen) = chosen {
                places.retain(|place| *place != chosen);
            } else {
                unpaired.push(at);
            }
            self.heard[at].place = chosen;
        }
        for at in unpaired {
            let heard = &self.heard[at];
            let Some(places) = free.get_mut(&(heard.part, heard.method.clone())) else { continue };
            // What belongs to another request is another message, unless it is the same word for word.
            let near = |place: &&usize| nearness(&recorded[**place], heard).filter(|near| *near < ELSEWHERE);
            let chosen = places.iter().filter(|place| near(place).is_some()).min_by_key(near).copied();
            if let Some(chosen) = chosen {
                places.retain(|place| *place != chosen);
            }
            self.heard[at].place = chosen;
        }
    }

    /// What came in another order than what belongs to the same request.
    fn order(&self, places: &[Option<usize>], judgement: &Judgement<'_>, found: &mut Vec<Difference>) {
        let mut last: HashMap<usize, usize> = HashMap::new();
        let mut answered: HashMap<usize, usize> = HashMap::new();
        for (at, heard) in self.heard.iter().enumerate() {
            if let (RulePart::Answer, Some(owner)) = (heard.part, heard.owner) {
                answered.entry(owner).or_insert(at);
            }
        }
        for (place, recorded) in self.session.expected.iter().enumerate().filter(|(_, one)| one.compared) {
            let (Some(owner), Some(at)) = (recorded.owner, places[place]) else { continue };
            let overdue =
                answered.get(&owner).is_some_and(|answer| *answer < at) && recorded.part != RulePart::Answer;
            if self.heard[at].owner != Some(owner) && !overdue {
                continue;
            }
            let before = last.entry(owner).or_insert(at);
            let late_for_answer = overdue && !self.recorded_after_answer(owner, place);
            if (at < *before || (late_for_answer && recorded.part == RulePart::Notification))
                && recorded.part != RulePart::Answer
                && !judgement.rules.anywhere(&recorded.method, recorded.part, recorded.nth)
            {
                let note = if late_for_answer {
                    "it came after the answer"
                } else {
                    "it came before what it followed"
                };
                found.push(Difference {
                    message: judgement.place(recorded),
                    path: String::new(),
                    kind: Kind::MessageOrder,
                    recorded: Some(recorded.message.value().clone()),
                    live: Some(self.heard[at].message.value().clone()),
                    note: Some(note.to_owned()),
                });
            }
            *before = at.max(*before);
        }
    }

    /// Whether a recorded message came after the answer to the request that it belongs to.
    fn recorded_after_answer(&self, owner: usize, place: usize) -> bool {
        self.session.expected[..place]
            .iter()
            .any(|one| one.owner == Some(owner) && one.part == RulePart::Answer)
    }

    fn extra(&self, judgement: &Judgement<'_>, found: &mut Vec<Difference>) {
        let mut after = None;
        for heard in &self.heard {
            if let Some(place) = heard.place {
                after = Some(self.session.expected[place].seq);
                continue;
            }
            let race = heard.part == RulePart::Answer
                && heard.owner.is_some_and(|owner| self.cancelled(owner) || self.owners.listens(owner));
            let keep_alive = heard.part == RulePart::Request && heard.method == "ping";
            let uncompared = heard.part == RulePart::Answer
                && self.session.expected.iter().any(|one| one.owner == heard.owner && !one.compared);
            if race
                || keep_alive
                || uncompared
                || judgement.rules.any_number(&heard.method, heard.part, heard.nth)
            {
                continue;
            }
            found.push(Difference {
                message: Place {
                    session: judgement.session,
                    method: heard.method.clone(),
                    of: heard.part,
                    nth: heard.nth + 1,
                    event: None,
                    after,
                },
                path: String::new(),
                kind: Kind::ExtraMessage,
                recorded: None,
                live: Some(heard.message.value().clone()),
                note: None,
            });
        }
    }
}

/// How near a recorded message is to one that came, by the request to which they belong; `None` where it cannot be the same.
fn nearness(recorded: &Expected, heard: &Heard) -> Option<u8> {
    match (recorded.owner, heard.owner) {
        (a, b) if a == b => Some(0),
        (None, _) | (_, None) => Some(1),
        // Progress names its request.
        _ => (heard.method != "notifications/progress").then_some(ELSEWHERE),
    }
}

impl Judgement<'_> {
    fn place(&self, recorded: &Expected) -> Place {
        Place {
            session: self.session,
            method: recorded.method.clone(),
            of: recorded.part,
            nth: recorded.nth + 1,
            event: Some(recorded.seq),
            after: None,
        }
    }

    /// What differs between a recorded message and a live one.
    fn compare(&self, recorded: &Expected, place: usize, live: &Message) -> Vec<Mismatch> {
        let rules = self.rules.about(&recorded.method, recorded.part, recorded.nth);
        let cancels = recorded.method == "notifications/cancelled";
        let same: Same<'_> = &|path, was, is| {
            // The ids of the server's own requests.
            (cancels && path == "/params/requestId")
                || placeholders(was, is)
                || (OPAQUE.contains(&path)
                    && was.is_string()
                    && is.as_str().is_some_and(|text| !text.is_empty()))
                || self.names.same(place, path, was, is)
        };
        let lens = Lens { rules, same, passed_over: self.passed_over };
        let mut found = lens.compare(recorded.message.value(), live.value(), self.mode == Mode::Exact);
        if self.mode == Mode::Schema {
            found.retain(|one| matches!(one.kind, Kind::Outcome));
            if found.is_empty() {
                found.extend(self.against_schema(recorded, live));
            }
        }
        found
    }

    /// What the schema of the revision says of a message, where the recorded one fits it.
    fn against_schema(&self, recorded: &Expected, live: &Message) -> Vec<Mismatch> {
        let Some(revision) = self.revision else { return Vec::new() };
        let check = |message: &Message| match recorded.part {
            RulePart::Answer => match message.result() {
                Some(result) => (check_result(revision, &recorded.method, result), "/result"),
                None => (check_error(revision, message.value()), ""),
            },
            RulePart::Request => (check_request(revision, Party::Server, message.value()), ""),
            RulePart::Notification => (check_notification(revision, Party::Server, message.value()), ""),
        };
        let (Checked::Invalid(violations), top) = check(live) else { return Vec::new() };
        let known: Vec<String> = match check(&recorded.message).0 {
            Checked::Invalid(known) => known.into_iter().map(|one| one.pointer).collect(),
            _ => Vec::new(),
        };
        let new = violations.into_iter().filter(|one| !known.contains(&one.pointer));
        new.map(|one| {
            let path = format!("{top}{}", one.pointer);
            let at = |message: &Message| message.value().pointer(&path).cloned();
            let (recorded, live) = (at(&recorded.message), at(live));
            Mismatch { path, kind: Kind::Schema, recorded, live }
        })
        .collect()
    }
}

/// Whether two texts are the same but for what was taken out of the recording.
fn placeholders(recorded: &Value, live: &Value) -> bool {
    let (Some(recorded), Some(live)) = (recorded.as_str(), live.as_str()) else { return false };
    if !recorded.contains('«') {
        return false;
    }
    let mut left = live;
    let mut open = false;
    let mut rest = recorded;
    while let Some((before, after)) = rest.split_once('«') {
        let Some((name, after)) = after.split_once('»') else { break };
        if !crate::transcript::is_placeholder(&format!("«{name}»")) {
            return false;
        }
        let Some(at) = (if open { left.find(before) } else { left.starts_with(before).then_some(0) }) else {
            return false;
        };
        left = &left[at + before.len()..];
        (open, rest) = (true, after);
    }
    if open { left.ends_with(rest) } else { left == rest }
}

#[cfg(test)]
#[path = "align_tests.rs"]
mod tests;
