//! Compares two conversations: messages that are the same step are paired by what they are and what they answer, whatever
//! their ids and whenever they came.

use super::causal::{Causality, Placed, Sender};
use super::record::Record;
use serde_json::Value;
use std::collections::HashMap;

/// How many differences of one pair are told.
const TOLD: usize = 100;

/// The step that a message is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// Who sent it.
    pub sender: Sender,
    /// Its method, or that of what it answers.
    pub method: String,
    /// Whether it is an answer.
    pub answer: bool,
    /// How many such steps came before it.
    pub nth: u64,
}

/// What differs.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// A step that the second conversation lacks.
    Missing {
        /// The step.
        step: Step,
        /// The event in the first one.
        a: u64,
    },
    /// A step that the first conversation lacks.
    Extra {
        /// The step.
        step: Step,
        /// The event in the second one.
        b: u64,
    },
    /// A step whose messages are not the same.
    Changed {
        /// The step.
        step: Step,
        /// The events.
        at: (u64, u64),
        /// Where, by JSON pointer, and what stands there; `None` where nothing does.
        values: Vec<(String, Option<Value>, Option<Value>)>,
    },
}

/// One side of a comparison.
#[derive(Default)]
pub struct Steps {
    causality: Causality,
    order: Vec<(Step, u64, Value)>,
    unknown: u64,
}

impl Steps {
    /// Takes in an event.
    pub fn add(&mut self, record: &Record) {
        for placed in self.causality.place(record) {
            let Placed { sender, message, seq, answers, nth, .. } = placed;
            let step = match (answers, message.method()) {
                (Some(origin), _) => Step { sender, method: origin.method, answer: true, nth: origin.nth },
                (None, Some(method)) => Step { sender, method: method.to_owned(), answer: false, nth },
                (None, None) => {
                    self.unknown += 1;
                    Step { sender, method: "?".to_owned(), answer: true, nth: self.unknown - 1 }
                }
            };
            let mut value = message.value().clone();
            if let Some(members) = value.as_object_mut() {
                // Each conversation chooses its own.
                members.remove("id");
            }
            self.order.push((step, seq, value));
        }
    }
}

/// What differs between two conversations, in the order of the first, then what only the second one has.
pub fn differences(a: Steps, b: Steps) -> Vec<Difference> {
    let mut theirs: HashMap<Step, (u64, Value)> = HashMap::new();
    let order: Vec<Step> = b.order.iter().map(|(step, ..)| step.clone()).collect();
    theirs.extend(b.order.into_iter().map(|(step, seq, value)| (step, (seq, value))));
    let mut found = Vec::new();
    for (step, seq, ours) in a.order {
        let Some((other, value)) = theirs.remove(&step) else {
            found.push(Difference::Missing { step, a: seq });
            continue;
        };
        let mut values = Vec::new();
        compare(Some(&ours), Some(&value), &mut String::new(), &mut values);
        if !values.is_empty() {
            found.push(Difference::Changed { step, at: (seq, other), values });
        }
    }
    for step in order {
        if let Some((b, _)) = theirs.remove(&step) {
            found.push(Difference::Extra { step, b });
        }
    }
    found
}

/// Lists where two values differ.
fn compare(
    a: Option<&Value>,
    b: Option<&Value>,
    path: &mut String,
    found: &mut Vec<(String, Option<Value>, Option<Value>)>,
) {
    if a == b || found.len() >= TOLD {
        return;
    }
    let length = path.len();
    match (a, b) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let more = theirs.keys().filter(|name| !ours.contains_key(*name));
            for name in ours.keys().chain(more) {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                compare(ours.get(name), theirs.get(name), path, found);
                path.truncate(length);
            }
        }
        (Some(Value::Array(ours)), Some(Value::Array(theirs))) => {
            for index in 0..ours.len().max(theirs.len()) {
                path.push('/');
                path.push_str(&index.to_string());
                compare(ours.get(index), theirs.get(index), path, found);
                path.truncate(length);
            }
        }
        _ => found.push((path.clone(), a.cloned(), b.cloned())),
    }
}
