//! Compares two conversations: messages that are the same step are paired by what they are and what they answer, whatever
//! their ids and whenever they came.

use super::causal::{Causality, Placed, Sender};
use super::record::Record;
use crate::protocol::Message;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How many differences of one pair are told.
const TOLD: usize = 100;
/// How many differences are kept; of more only the number is.
const KEPT: usize = 10_000;
/// How much of one conversation may wait for its counterpart in the other, in bytes of memory.
const WAITING: usize = 256 << 20;

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

/// Two conversations that are compared as they are read, side by side: what has found its counterpart is let go, so
/// that memory grows with what differs and not with the files.
#[derive(Debug, Default)]
pub struct Comparison {
    sides: [Side; 2],
    found: Vec<Difference>,
    more: u64,
}

/// The conversations have too little in common to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {} MiB of messages have no counterpart in the other conversation: these are not two recordings of one",
    WAITING >> 20
)]
pub struct TooDifferent;

#[derive(Debug, Default)]
struct Side {
    causality: Causality,
    /// Steps whose counterpart has not come yet.
    waiting: HashMap<Step, (u64, Message)>,
    /// The bytes of what waits.
    bytes: usize,
    unknown: u64,
}

impl Side {
    /// The step that a message is.
    fn step(&mut self, placed: &Placed) -> Step {
        let sender = placed.sender;
        match (&placed.answers, placed.message.method()) {
            (Some(origin), _) => {
                Step { sender, method: origin.method.clone(), answer: true, nth: origin.nth }
            }
            (None, Some(method)) => {
                Step { sender, method: method.to_owned(), answer: false, nth: placed.nth }
            }
            (None, None) => {
                self.unknown += 1;
                Step { sender, method: "?".to_owned(), answer: true, nth: self.unknown - 1 }
            }
        }
    }
}

impl Comparison {
    /// Takes in the next event of the first conversation.
    ///
    /// # Errors
    /// When too much waits for its counterpart.
    pub fn first(&mut self, record: &Record) -> Result<(), TooDifferent> {
        self.add(0, record)
    }

    /// Takes in the next event of the second conversation.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn second(&mut self, record: &Record) -> Result<(), TooDifferent> {
        self.add(1, record)
    }

    fn add(&mut self, side: usize, record: &Record) -> Result<(), TooDifferent> {
        for placed in self.sides[side].causality.place(record) {
            let step = self.sides[side].step(&placed);
            let Placed { seq, message, .. } = placed;
            let other = &mut self.sides[1 - side];
            let Some((at, counterpart)) = other.waiting.remove(&step) else {
                let this = &mut self.sides[side];
                this.bytes += message.footprint();
                this.waiting.insert(step, (seq, message));
                if this.bytes > WAITING {
                    return Err(TooDifferent);
                }
                continue;
            };
            other.bytes -= counterpart.footprint();
            let (a, b) = if side == 0 {
                ((seq, &message), (at, &counterpart))
            } else {
                ((at, &counterpart), (seq, &message))
            };
            let values = changes(a.1.value(), b.1.value());
            if !values.is_empty() {
                self.tell(Difference::Changed { step, at: (a.0, b.0), values });
            }
        }
        Ok(())
    }

    fn tell(&mut self, difference: Difference) {
        if self.found.len() < KEPT {
            self.found.push(difference);
        } else {
            self.more += 1;
        }
    }

    /// What differs, in the order of the first conversation, then what only the second one has; and how many more
    /// differences there are than these.
    pub fn finish(mut self) -> (Vec<Difference>, u64) {
        let [a, b] = std::mem::take(&mut self.sides);
        for (step, (a, _)) in sorted(a.waiting) {
            self.tell(Difference::Missing { step, a });
        }
        for (step, (b, _)) in sorted(b.waiting) {
            self.tell(Difference::Extra { step, b });
        }
        self.found.sort_by_key(|difference| match difference {
            Difference::Missing { a, .. } | Difference::Changed { at: (a, _), .. } => (false, *a),
            Difference::Extra { b, .. } => (true, *b),
        });
        (self.found, self.more)
    }
}

fn sorted(waiting: HashMap<Step, (u64, Message)>) -> Vec<(Step, (u64, Message))> {
    let mut waiting: Vec<_> = waiting.into_iter().collect();
    waiting.sort_by_key(|(_, (seq, _))| *seq);
    waiting
}

/// Where two messages differ; their ids are each conversation's own.
fn changes(a: &Value, b: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut found = Vec::new();
    match (a, b) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let more = theirs.keys().filter(|name| !ours.contains_key(*name));
            for name in ours.keys().chain(more).filter(|name| *name != "id") {
                member(name, ours, theirs, &mut String::new(), &mut found);
            }
        }
        _ => compare(Some(a), Some(b), &mut String::new(), &mut found),
    }
    found
}

fn member(
    name: &str,
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    path: &mut String,
    found: &mut Vec<(String, Option<Value>, Option<Value>)>,
) {
    let length = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    compare(ours.get(name), theirs.get(name), path, found);
    path.truncate(length);
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
    match (a, b) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let more = theirs.keys().filter(|name| !ours.contains_key(*name));
            for name in ours.keys().chain(more) {
                member(name, ours, theirs, path, found);
            }
        }
        (Some(Value::Array(ours)), Some(Value::Array(theirs))) => {
            let length = path.len();
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

#[cfg(test)]
mod tests {
    use super::super::import::import;
    use super::*;

    fn compared(a: &str, b: &str) -> (Vec<Difference>, u64) {
        let read = |text| import(text, None, "x").unwrap().records;
        let mut comparison = Comparison::default();
        for record in read(a) {
            comparison.first(&record).unwrap();
        }
        for record in read(b) {
            comparison.second(&record).unwrap();
        }
        comparison.finish()
    }

    #[test]
    fn steps_are_paired_whatever_their_ids_and_order() {
        let a = r#"--> {"id":1,"method":"a"}
            --> {"id":2,"method":"b"}
            <-- {"id":1,"result":{"n":1}}
            <-- {"id":2,"result":{"n":2}}
            <-- {"method":"told"}"#;
        let b = r#"--> {"id":"x","method":"b"}
            --> {"id":"y","method":"a"}
            <-- {"id":"x","result":{"n":2}}
            <-- {"id":"y","result":{"n":3}}
            --> {"id":"z","method":"a"}"#;
        let (found, more) = compared(a, b);
        let of = |sender, method: &str, answer, nth| Step { sender, method: method.to_owned(), answer, nth };
        let values = vec![("/result/n".to_owned(), Some(1.into()), Some(3.into()))];
        assert_eq!(
            found,
            [
                Difference::Changed { step: of(Sender::Server, "a", true, 0), at: (2, 3), values },
                Difference::Missing { step: of(Sender::Server, "told", false, 0), a: 4 },
                Difference::Extra { step: of(Sender::Client, "a", false, 1), b: 4 },
            ]
        );
        assert_eq!(more, 0);
        assert_eq!(compared(a, a), (Vec::new(), 0));
    }
}
