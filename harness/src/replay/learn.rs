//! What several recordings of one conversation teach: where the server's messages vary, and how little it takes to allow that.

use super::compare::Mode;
use super::difference::{Difference, Kind};
use super::generalise::{ends_of, pattern_of};
use super::offline::{Unlike, differences};
use super::rules::{Rules, type_of};
use super::script::Script;
use crate::transcript::{Rule, RuleError, RuleKind, RulePart, whole};
use serde_json::Value;
use std::collections::BTreeMap;

/// How often is looked at what is left; after that a rule is widened.
const ROUNDS: usize = 8;
/// From this round on, rules are made for what stands around a place.
const WIDER: usize = 3;

/// What recordings teach.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// What may differ, beside what the first recording said already.
    pub rules: Vec<Rule>,
    /// What differs and no rule can allow.
    pub left: Vec<Difference>,
}

/// Why recordings teach nothing.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// One alone shows nothing that varies.
    #[error("it takes two recordings or more to see what varies; there is {0}")]
    TooFew(usize),
    /// They are not of one conversation.
    #[error("recording {number} is not of the same conversation: {why}")]
    Unlike {
        /// Which, counted from 1.
        number: usize,
        /// What differs.
        why: Unlike,
    },
    /// A rule of the first recording cannot be used.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// A place in a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    method: String,
    of: RulePart,
    nth: u64,
    path: String,
}

/// What was seen at a place.
#[derive(Debug, Default)]
struct Seen {
    kinds: Vec<Kind>,
    values: Vec<Value>,
}

/// Learns what varies from recordings of one conversation; rules are for the replay of the first.
///
/// # Errors
/// When there are fewer than two, or they are not of one conversation.
pub fn learn(scripts: &[Script]) -> Result<Learned, LearnError> {
    let [first, others @ ..] = scripts else { return Err(LearnError::TooFew(0)) };
    if others.is_empty() {
        return Err(LearnError::TooFew(1));
    }
    let mut learned = Learned::default();
    // Every value that was ever seen at a place counts, also in a later round.
    let mut spots: BTreeMap<Spot, Seen> = BTreeMap::new();
    for round in 0..ROUNDS {
        let rules = Rules::new(first.rules.iter().chain(&learned.rules).cloned())?;
        let mut left = Vec::new();
        for (number, other) in others.iter().enumerate() {
            let found = differences(first, other, Mode::Exact, &rules);
            left.extend(found.map_err(|why| LearnError::Unlike { number: number + 2, why })?);
        }
        learned.left.clear();
        let mut touched = Vec::new();
        for difference in left {
            let Some(spot) = spot(first, &difference, round) else {
                learned.left.push(difference);
                continue;
            };
            let seen = spots.entry(spot.clone()).or_default();
            seen.kinds.push(difference.kind);
            if difference.path == spot.path {
                seen.values.extend([difference.recorded, difference.live].into_iter().flatten());
            }
            touched.push(spot);
        }
        touched.sort();
        touched.dedup();
        if touched.is_empty() {
            break;
        }
        let mut wide: Vec<Rule> = Vec::new();
        for spot in touched {
            let kind = narrowest(&spot, &spots[&spot], round);
            let of_messages = kind.is_of_messages();
            let rule = Rule {
                method: Some(spot.method.clone()),
                of: Some(spot.of),
                // How many notifications come is no matter of one of them.
                nth: (!of_messages || spot.of == RulePart::Answer).then_some(spot.nth),
                path: spot.path.clone(),
                kind,
            };
            let same = |old: &Rule| {
                (&old.method, old.of, old.nth, &old.path) == (&rule.method, rule.of, rule.nth, &rule.path)
            };
            learned.rules.retain(|old| {
                !(same(old) && old.kind.is_of_messages() == of_messages) || both_needed(&old.kind, &rule.kind)
            });
            if !learned.rules.contains(&rule) {
                wide.extend(
                    matches!(rule.kind, RuleKind::Type { .. } | RuleKind::Ignore | RuleKind::Shape)
                        .then(|| rule.clone()),
                );
                learned.rules.push(rule);
            }
        }
        // What stands below is of no account any more.
        learned.rules.retain(|rule| {
            let above = |wide: &&Rule| {
                (&wide.method, wide.of, wide.nth) == (&rule.method, rule.of, rule.nth)
                    && rule.path.strip_prefix(&wide.path).is_some_and(|rest| rest.starts_with('/'))
            };
            !wide.iter().any(|one| above(&one))
        });
    }
    learned.rules.sort_by(|a, b| (&a.method, a.of, a.nth, &a.path).cmp(&(&b.method, b.of, b.nth, &b.path)));
    Ok(learned)
}

/// Whether a rule of one kind stays beside one of another at the same place.
fn both_needed(old: &RuleKind, new: &RuleKind) -> bool {
    let presence = |kind: &RuleKind| matches!(kind, RuleKind::Optional | RuleKind::Unordered);
    presence(old) != presence(new)
}

/// Where a rule has to be to allow a difference.
fn spot(first: &Script, difference: &Difference, round: usize) -> Option<Spot> {
    let message = &difference.message;
    let mut path = difference.path.clone();
    match difference.kind {
        Kind::Status | Kind::Gone | Kind::Late | Kind::Schema => return None,
        Kind::Missing | Kind::Extra if is_element(first, difference) => path.truncate(path.rfind('/')?),
        _ => {}
    }
    // Rules where it is did not help: the place around it then.
    if round >= WIDER && !difference.kind.is_of_messages() && difference.kind != Kind::Outcome {
        for _ in WIDER..=round {
            path.truncate(path.rfind('/').unwrap_or(0));
        }
    }
    Some(Spot { method: message.method.clone(), of: message.of, nth: message.nth, path })
}

/// Whether what is missing or new is an element of an array.
fn is_element(first: &Script, difference: &Difference) -> bool {
    let Some((parent, last)) = difference.path.rsplit_once('/') else { return false };
    if last.parse::<usize>().is_err() {
        return false;
    }
    let session = first.sessions.get(difference.message.session);
    let mut all = session.into_iter().flat_map(|session| &session.expected);
    let recorded = all.find(|expected| Some(expected.seq) == difference.message.event);
    recorded.and_then(|recorded| recorded.message.value().pointer(parent)).is_some_and(Value::is_array)
}

/// The rule that allows the least of all that allow what was seen.
fn narrowest(spot: &Spot, seen: &Seen, round: usize) -> RuleKind {
    let saw = |kind: Kind| seen.kinds.contains(&kind);
    if saw(Kind::MissingMessage) || saw(Kind::ExtraMessage) {
        return RuleKind::Count;
    }
    if saw(Kind::MessageOrder) {
        return RuleKind::Order;
    }
    if saw(Kind::Outcome) || spot.path.is_empty() {
        return RuleKind::Ignore;
    }
    if round >= WIDER {
        return RuleKind::Type { types: Vec::new() };
    }
    let types: Vec<&str> = {
        let mut types: Vec<&str> = seen.values.iter().map(type_of).collect();
        types.sort_unstable();
        types.dedup();
        types
    };
    if saw(Kind::Order) {
        return RuleKind::Unordered;
    }
    if saw(Kind::Missing) || saw(Kind::Extra) {
        // Of an element the array is the place, with no value of its own.
        return if seen.values.is_empty() { RuleKind::Shape } else { RuleKind::Optional };
    }
    match types.as_slice() {
        ["string"] => {
            let texts = || seen.values.iter().filter_map(Value::as_str);
            let narrow = pattern_of(texts()).unwrap_or_default();
            let fits = whole(&narrow).is_ok_and(|pattern| texts().all(|text| pattern.is_match(text)));
            RuleKind::Pattern { pattern: if fits { narrow } else { ends_of(texts()) } }
        }
        [_] => RuleKind::Type { types: Vec::new() },
        several => RuleKind::Type { types: several.iter().map(|name| (*name).to_owned()).collect() },
    }
}

#[cfg(test)]
#[path = "learn_tests.rs"]
mod tests;
