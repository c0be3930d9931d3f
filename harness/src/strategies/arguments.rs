//! Arguments of a tool.

use super::shrinking::Shrinking;
use crate::generate::{GenerateError, Mode, Seeded};
use crate::properties::Subject;
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::{Reason, TestRunner};
use rand_chacha::rand_core::Rng as _;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// Valid arguments for a tool, by its `inputSchema`; any JSON Schema will do.
///
/// # Errors
/// When the schema is invalid, too large, uses what is not supported, or allows nothing.
pub fn arguments(input_schema: &Value) -> Result<Arguments, GenerateError> {
    let mut subject = subject("arguments", input_schema.clone())?;
    // What allows nothing is told before the first case.
    subject.drawn(Mode::Minimal, &mut Seeded::new(0))?;
    Ok(Arguments(Rc::new(RefCell::new(subject))))
}

/// The strategy of [`arguments`].
#[derive(Debug, Clone)]
pub struct Arguments(Rc<RefCell<Subject>>);

impl Strategy for Arguments {
    type Tree = Shrinking;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let value = drawn(&mut self.0.borrow_mut(), runner)?;
        let subject = Rc::clone(&self.0);
        Ok(Shrinking::new(value, |_| false, move |candidate| subject.borrow().allows(candidate)))
    }
}

/// What takes arguments by this schema.
pub(super) fn subject(name: &str, schema: Value) -> Result<Subject, GenerateError> {
    let tool = json!({"name": name, "inputSchema": schema});
    Subject::of_tool(&tool)?.ok_or_else(|| GenerateError::InvalidSchema("a tool without a name".to_owned()))
}

/// Valid arguments by proptest's random numbers.
pub(super) fn drawn(subject: &mut Subject, runner: &mut TestRunner) -> Result<Value, Reason> {
    let (mode, mut choices) = choices(runner);
    subject.drawn(mode, &mut choices).map_err(|error| Reason::from(error.to_string()))
}

/// Where choices come from, and of what sort the value is: sometimes as small as can be, more often of all sorts.
pub(super) fn choices(runner: &mut TestRunner) -> (Mode, Seeded) {
    let seed = runner.rng().next_u64();
    let mode = match seed % 8 {
        0 => Mode::Minimal,
        1 | 2 => Mode::Plausible,
        _ => Mode::Varied,
    };
    (mode, Seeded::new(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::{Config, TestError};

    #[test]
    fn the_minimal_case_of_a_bound_is_the_bound() {
        let schema = json!({
            "type": "object",
            "properties": {"n": {"type": "integer"}, "unit": {"enum": ["mm", "cm"]}, "note": {"type": "string"}},
            "required": ["n", "unit"],
        });
        let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(
            config,
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let ran = runner.run(&arguments(&schema).unwrap(), |value| {
            proptest::prop_assert!(value["n"].as_i64().unwrap_or_default() <= 100_000);
            Ok(())
        });
        let Err(TestError::Fail(_, small)) = ran else { panic!("{ran:?}") };
        assert_eq!(small["n"], json!(100_001));
        assert!(small.as_object().unwrap().len() == 2, "{small}");
    }

    #[test]
    fn what_allows_nothing_is_told() {
        assert!(arguments(&json!({"type": "integer", "minimum": 3, "maximum": 2})).is_err());
        assert!(arguments(&json!({"type": "nonsense"})).is_err());
    }
}
