//! Cases of a property: one or more calls, and in what manner they are made.

use super::shrinking::Shrinking;
use crate::properties::{Call, Case, Drawer, Manner, Subject, Turn, fits};
use crate::shrink::{Place, Step};
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rand_chacha::rand_core::Rng as _;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// How often a case is drawn before it is said that there is none of the wanted kind.
const TRIES: usize = 32;

/// Cases that begin with one subject, of the kinds of these turns.
///
/// # Errors
/// When no case of these kinds can be drawn: the reason, for people.
pub(crate) fn cases(
    subjects: Vec<Subject>,
    at: usize,
    turns: &'static [Turn],
) -> Result<Cases, &'static str> {
    let cases = Cases { subjects: Rc::new(RefCell::new(subjects)), at, turns };
    match (0..u64::try_from(TRIES).unwrap_or_default()).any(|seed| cases.drawn(seed).is_some()) {
        true => Ok(cases),
        false => Err("nothing of this kind can be made from its schema"),
    }
}

/// The strategy of [`cases`].
pub(crate) struct Cases {
    subjects: Rc<RefCell<Vec<Subject>>>,
    at: usize,
    turns: &'static [Turn],
}

impl fmt::Debug for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cases").field("at", &self.at).field("turns", &self.turns).finish_non_exhaustive()
    }
}

impl Cases {
    fn drawn(&self, seed: u64) -> Option<Case> {
        let subjects = &mut *self.subjects.borrow_mut();
        let turn = *self.turns.get((seed % self.turns.len().max(1) as u64) as usize)?;
        let case = Drawer::new(seed, subjects.len()).of(subjects, self.at, turn)?;
        let wanted = match turn {
            Turn::Valid | Turn::Edge | Turn::Sequence => case.manner.is_valid(),
            Turn::Miss => !case.manner.is_valid(),
            Turn::Again => matches!(case.manner, Manner::Again(_)),
            Turn::Spelled => matches!(case.manner, Manner::Spelled(_)),
            Turn::Together => case.manner == Manner::Together,
            Turn::Echo => matches!(case.manner, Manner::Echo { .. }),
        };
        wanted.then_some(case)
    }
}

/// The calls as proptest shrinks them: an array of calls, each with its subject and its arguments.
fn written(case: &Case) -> Value {
    let call = |call: &Call| json!({"subject": call.subject, "arguments": call.arguments});
    case.calls.iter().map(call).collect()
}

/// The case with other calls; `None` where they are none.
fn read(case: &Case, value: &Value) -> Option<Case> {
    let calls = value.as_array()?.iter().map(|call| {
        let subject = usize::try_from(call.get("subject")?.as_u64()?).ok()?;
        let arguments = call.get("arguments").filter(|arguments| arguments.is_object())?.clone();
        Some(Call { subject, arguments })
    });
    Some(Case { manner: case.manner.clone(), calls: calls.collect::<Option<_>>()? })
}

/// A case on its way to the simplest one.
#[derive(Debug)]
pub(crate) struct Tree {
    case: Case,
    calls: Shrinking,
}

impl ValueTree for Tree {
    type Value = Case;

    fn current(&self) -> Case {
        read(&self.case, &self.calls.current()).unwrap_or_else(|| self.case.clone())
    }

    fn simplify(&mut self) -> bool {
        self.calls.simplify()
    }

    fn complicate(&mut self) -> bool {
        self.calls.complicate()
    }
}

impl Strategy for Cases {
    type Tree = Tree;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let case = (0..TRIES).find_map(|_| self.drawn(runner.rng().next_u64()));
        let case = case.ok_or("nothing of this kind could be drawn")?;
        let (original, subjects) = (case.clone(), Rc::clone(&self.subjects));
        let allows = move |value: &Value| {
            let subjects = subjects.borrow();
            read(&original, value).is_some_and(|case| {
                let known = case.calls.iter().all(|call| call.subject < subjects.len());
                known && fits(&subjects, true, &original, &case)
            })
        };
        let calls = Shrinking::new(written(&case), is_subject, allows);
        Ok(Tree { case, calls })
    }
}

/// Which subject a call is of.
fn is_subject(place: &Place) -> bool {
    matches!(place, [Step::Element(_), Step::Member(name)] if name == "subject")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::{Config, TestCaseError, TestError};

    fn subjects() -> Vec<Subject> {
        let schema = json!({"type": "object", "required": ["n"], "additionalProperties": false,
            "properties": {"n": {"type": "integer", "minimum": 0}, "note": {"type": "string"}}});
        let tool = |name: &str| json!({"name": name, "inputSchema": schema});
        ["a", "b"].map(|name| Subject::of_tool(&tool(name)).unwrap().unwrap()).into()
    }

    fn smallest(turns: &'static [Turn], holds: impl Fn(&Case) -> bool) -> Case {
        let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let ran = runner.run(&cases(subjects(), 0, turns).unwrap(), |case| {
            if holds(&case) { Ok(()) } else { Err(TestCaseError::fail("it breaks")) }
        });
        let Err(TestError::Fail(_, small)) = ran else { panic!("{ran:?}") };
        small
    }

    #[test]
    fn the_smallest_call_has_nothing_that_it_can_do_without() {
        let small = smallest(&[Turn::Valid, Turn::Sequence], |case| {
            !case.calls.iter().any(|call| call.arguments["n"].as_f64() > Some(1000.0))
        });
        assert_eq!(written(&small), json!([{"subject": small.calls[0].subject, "arguments": {"n": 1001}}]));
    }

    #[test]
    fn a_near_miss_stays_one_of_its_keyword() {
        let small = smallest(
            &[Turn::Miss],
            |case| !matches!(&case.manner, Manner::Miss { keyword, .. } if keyword == "minimum"),
        );
        assert_eq!(small.calls[0].arguments, json!({"n": -1}));
    }

    #[test]
    fn what_cannot_be_drawn_is_told_at_once() {
        // It does not say that it only reads.
        assert!(cases(subjects(), 0, &[Turn::Spelled]).is_err());
    }
}
