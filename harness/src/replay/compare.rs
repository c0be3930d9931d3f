//! Compares a recorded message with the one that came instead.

use super::bind::step;
use super::difference::Kind;
use super::rules::{About, Rules, type_of};
use crate::transcript::{RuleKind, RulePart};
use serde_json::Value;

/// Arrays up to this length are looked at for another order.
const SORTED: usize = 256;
/// How many differences of one message are told.
pub(super) const TOLD: usize = 100;
/// Members by which an element of a list is known.
const NAMES: [&str; 4] = ["name", "uri", "uriTemplate", "id"];
/// Where the protocol has words in place of free texts: these are part of the shape.
const WORDS: [&str; 4] = ["type", "role", "resultType", "method"];

/// How closely messages are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Every value.
    #[default]
    Exact,
    /// Members, types, and the types of elements; error codes; words of the protocol.
    Shape,
    /// Whether a message is of the kind that was recorded and fits the schema of its revision.
    Schema,
}

impl Mode {
    /// The word that names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Shape => "shape",
            Self::Schema => "schema",
        }
    }
}

/// A place that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mismatch {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) recorded: Option<Value>,
    pub(super) live: Option<Value>,
}

/// Whether two values that differ are the same but for what the server calls things now.
pub(super) type Same<'a> = &'a dyn Fn(&str, &Value, &Value) -> bool;

/// How two values are held against each other.
pub(super) struct Lens<'a> {
    pub(super) rules: About<'a>,
    pub(super) same: Same<'a>,
    /// Members of results that are passed over wherever the protocol may have them, and whole places.
    pub(super) passed_over: &'a [&'a str],
}

/// What differs between two messages by some rules: the JSON pointer, what differs, what was recorded, and what is there
/// now. [`Mode::Schema`] compares as [`Mode::Shape`] does: for the schema, the revision has to be known.
pub fn compare(
    recorded: &Value,
    live: &Value,
    mode: Mode,
    rules: &Rules,
    (method, of, nth): (&str, RulePart, u64),
) -> Vec<(String, Kind, Option<Value>, Option<Value>)> {
    let lens = Lens { rules: rules.about(method, of, nth), same: &|_, _, _| false, passed_over: &[] };
    let found = lens.compare(recorded, live, mode == Mode::Exact);
    found.into_iter().map(|one| (one.path, one.kind, one.recorded, one.live)).collect()
}

impl Lens<'_> {
    /// What differs between two messages.
    pub(super) fn compare(&self, recorded: &Value, live: &Value, exact: bool) -> Vec<Mismatch> {
        let is_answer = |value: &Value| value.get("result").is_some() || value.get("error").is_some();
        let is_error = |value: &Value| value.get("error").is_some_and(|error| !error.is_null());
        if is_answer(recorded) && is_answer(live) && is_error(recorded) != is_error(live) {
            if self.rules.has("", |kind| matches!(kind, RuleKind::Ignore)) {
                return Vec::new();
            }
            let (recorded, live) = (Some(recorded.clone()), Some(live.clone()));
            return vec![Mismatch { path: String::new(), kind: Kind::Outcome, recorded, live }];
        }
        let mut found = Vec::new();
        self.walk(&mut String::new(), Some(recorded), Some(live), exact, &mut found);
        found.truncate(TOLD);
        found
    }

    fn passes_over(&self, path: &str) -> bool {
        // Each side numbers its requests by itself.
        path == "/id"
            || self.passed_over.iter().any(|what| match what.starts_with('/') {
                true => path == *what,
                // A server's own data may have members of any name.
                false => path.rsplit('/').next() == Some(*what) && !path.contains("/structuredContent"),
            })
    }

    fn walk(
        &self,
        path: &mut String,
        recorded: Option<&Value>,
        live: Option<&Value>,
        exact: bool,
        found: &mut Vec<Mismatch>,
    ) {
        if found.len() >= TOLD || (recorded == live) || self.passes_over(path) {
            return;
        }
        let tell = |kind: Kind, found: &mut Vec<Mismatch>| {
            let (recorded, live) = (recorded.cloned(), live.cloned());
            found.push(Mismatch { path: path.clone(), kind, recorded, live });
        };
        let (Some(was), Some(is)) = (recorded, live) else {
            let optional = |kind: &RuleKind| matches!(kind, RuleKind::Ignore | RuleKind::Optional);
            if !self.rules.has(path, optional) {
                tell(if recorded.is_some() { Kind::Missing } else { Kind::Extra }, found);
            }
            return;
        };
        match self.rules.verdict(path, was, is) {
            Some(true) => return,
            Some(false) => {
                tell(if type_of(was) == type_of(is) { Kind::Value } else { Kind::Type }, found);
                return;
            }
            None => {}
        }
        let exact = exact && !self.rules.has(path, |kind| matches!(kind, RuleKind::Shape));
        match (was, is) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let length = path.len();
                let more = theirs.keys().filter(|name| !ours.contains_key(*name));
                for name in ours.keys().chain(more) {
                    step(path, name);
                    self.walk(path, ours.get(name), theirs.get(name), exact, found);
                    path.truncate(length);
                }
            }
            (Value::Array(ours), Value::Array(theirs)) if exact => self.arrays(path, ours, theirs, found),
            (Value::Array(ours), Value::Array(theirs)) => self.shapes(path, ours, theirs, found),
            _ if type_of(was) != type_of(is) => {
                if !(self.same)(path, was, is) {
                    tell(Kind::Type, found);
                }
            }
            _ => {
                let code = path == "/error/code";
                let word = WORDS.iter().any(|word| path.rsplit('/').next() == Some(*word)) && was.is_string();
                if (exact || code || word) && !(self.same)(path, was, is) {
                    tell(if code { Kind::ErrorCode } else { Kind::Value }, found);
                }
            }
        }
    }

    fn differ(&self, path: &mut String, was: &Value, is: &Value, exact: bool) -> bool {
        let mut found = Vec::new();
        self.walk(path, Some(was), Some(is), exact, &mut found);
        !found.is_empty()
    }

    /// Elements that are the same are paired, then those that go by the same name, then those between the same neighbours;
    /// what is left has gone or is new.
    fn arrays(&self, path: &mut String, ours: &[Value], theirs: &[Value], found: &mut Vec<Mismatch>) {
        let length = path.len();
        let at = |path: &mut String, index: usize| {
            path.truncate(length);
            path.push('/');
            path.push_str(&index.to_string());
        };
        let same = |path: &mut String, a: usize, b: usize| {
            at(path, a);
            let same = !self.differ(path, &ours[a], &theirs[b], true);
            path.truncate(length);
            same
        };
        let shorter = ours.len().min(theirs.len());
        let start = (0..shorter).take_while(|index| same(path, *index, *index)).count();
        let end = (0..shorter - start)
            .take_while(|back| same(path, ours.len() - 1 - back, theirs.len() - 1 - back))
            .count();
        let mut left: Vec<usize> = (start..ours.len() - end).collect();
        let mut right: Vec<usize> = (start..theirs.len() - end).collect();
        if left.is_empty() && right.is_empty() {
            return;
        }
        // Elements that belong together: the place in the recording, and the live one.
        let mut met: Vec<(usize, usize)> = Vec::new();
        let free = self.rules.has(path, |kind| matches!(kind, RuleKind::Unordered));
        if left.len() <= SORTED && right.len() <= SORTED {
            left.retain(|a| match right.iter().position(|b| same(path, *a, *b)) {
                Some(place) => {
                    met.push((*a, right.remove(place)));
                    false
                }
                None => true,
            });
            if !met.is_sorted_by_key(|(_, live)| *live) && !free {
                let (recorded, live) = (Some(ours.into()), Some(theirs.into()));
                found.push(Mismatch { path: path.clone(), kind: Kind::Order, recorded, live });
            }
        }
        let mut pairs = Vec::new();
        left.retain(|a| {
            let name = NAMES.iter().find_map(|name| Some((*name, ours[*a].get(*name)?)));
            let partner = name
                .and_then(|(member, value)| right.iter().position(|b| theirs[*b].get(member) == Some(value)));
            match partner {
                Some(place) => {
                    pairs.push((*a, right.remove(place)));
                    false
                }
                None => true,
            }
        });
        // The rest goes together where it stands between the same neighbours: else one has gone and another has come.
        met.extend(&pairs);
        // Where order means nothing there are no neighbours.
        let before =
            |place: &dyn Fn(&(usize, usize)) -> bool| met.iter().filter(|one| !free && place(one)).count();
        left.retain(|a| {
            let here = before(&|(recorded, _)| recorded < a);
            match right.iter().position(|b| before(&|(_, live)| live < b) == here) {
                Some(place) => {
                    pairs.push((*a, right.remove(place)));
                    false
                }
                None => true,
            }
        });
        pairs.sort_unstable();
        for (a, b) in pairs {
            at(path, a);
            self.walk(path, Some(&ours[a]), Some(&theirs[b]), true, found);
        }
        for a in left {
            at(path, a);
            self.walk(path, Some(&ours[a]), None, true, found);
        }
        for b in right {
            at(path, b);
            self.walk(path, None, Some(&theirs[b]), true, found);
        }
        path.truncate(length);
    }

    /// Every element has the shape of one that was recorded.
    fn shapes(&self, path: &mut String, ours: &[Value], theirs: &[Value], found: &mut Vec<Mismatch>) {
        let length = path.len();
        for (index, element) in theirs.iter().enumerate() {
            let known = |recorded: &Value| {
                let mut below = format!("{}/{index}", &path[..length]);
                !self.differ(&mut below, recorded, element, false)
            };
            if ours.is_empty() || ours.iter().take(SORTED).any(known) {
                continue;
            }
            let name = NAMES.iter().find_map(|name| Some((*name, element.get(*name)?)));
            let partner =
                name.and_then(|(member, value)| ours.iter().find(|one| one.get(member) == Some(value)));
            path.push('/');
            path.push_str(&index.to_string());
            self.walk(path, partner.or(ours.get(index)).or(ours.last()), Some(element), false, found);
            path.truncate(length);
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
