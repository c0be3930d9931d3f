//! Whole conversations of a client.

use super::arguments::{drawn, subject};
use super::shrinking::Shrinking;
use crate::generate::GenerateError;
use crate::properties::Subject;
use crate::shrink::{Place, Step};
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::TestRunner;
use rand_chacha::rand_core::Rng as _;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Conversations with a server that has these tools (entries of its `tools/list`): an array of up to `most` calls, each
/// `{"name", "arguments"}`, ready to be the `params` of a `tools/call`. A failing one shrinks to the calls that matter.
///
/// Values that one call used are often used again by a later one, so that what was made is found, changed and removed.
///
/// # Errors
/// When a tool has no name, or an input schema of which no values can be made.
pub fn conversations(tools: &[Value], most: usize) -> Result<Conversations, GenerateError> {
    let mut kinds = Vec::new();
    for tool in tools {
        let name = tool.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| GenerateError::InvalidSchema("a tool without a name".to_owned()))?;
        let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        kinds.push((name.to_owned(), subject(name, schema)?));
    }
    Ok(Conversations { kinds: Rc::new(RefCell::new(kinds)), most: most.max(1) })
}

/// The strategy of [`conversations`].
#[derive(Debug, Clone)]
pub struct Conversations {
    kinds: Rc<RefCell<Vec<(String, Subject)>>>,
    most: usize,
}

impl Strategy for Conversations {
    type Tree = Shrinking;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let kinds = &mut *self.kinds.borrow_mut();
        if kinds.is_empty() {
            return Err("there are no tools to call".into());
        }
        let below = |most: usize, runner: &mut TestRunner| (runner.rng().next_u64() % most as u64) as usize;
        let mut used: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut calls = Vec::new();
        for _ in 0..=below(self.most, runner) {
            let chosen = below(kinds.len(), runner);
            let (name, subject) = &mut kinds[chosen];
            let mut arguments = drawn(subject, runner)?;
            for (argument, value) in arguments.clone().as_object().into_iter().flatten() {
                let known = used.entry(argument.clone()).or_default();
                if !known.is_empty() && below(2, runner) == 0 {
                    let mut again = arguments.clone();
                    again[argument] = known[below(known.len(), runner)].clone();
                    if subject.allows(&again) {
                        arguments = again;
                    }
                } else {
                    known.push(value.clone());
                }
            }
            calls.push(json!({"name": name, "arguments": arguments}));
        }
        let kinds = Rc::clone(&self.kinds);
        let allows = move |candidate: &Value| {
            let kinds = kinds.borrow();
            let fits = |call: &Value| {
                let kind = kinds.iter().find(|(name, _)| call["name"] == name.as_str());
                kind.is_some_and(|(_, subject)| {
                    call.get("arguments").is_some_and(|value| subject.allows(value))
                })
            };
            candidate.as_array().is_some_and(|calls| !calls.is_empty() && calls.iter().all(fits))
        };
        Ok(Shrinking::new(Value::Array(calls), is_name, allows))
    }
}

/// The name of the tool of a call.
fn is_name(place: &Place) -> bool {
    matches!(place, [Step::Element(_), Step::Member(name)] if name == "name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::TestError;

    fn tools() -> Vec<Value> {
        let keyed = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
        ["put", "drop", "get"].map(|name| json!({"name": name, "inputSchema": keyed})).to_vec()
    }

    /// A server that breaks when it is asked for what was put and dropped.
    #[test]
    fn a_failing_conversation_keeps_the_calls_that_matter() {
        let config = ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = TestRunner::new(config);
        let ran = runner.run(&conversations(&tools(), 12).unwrap(), |calls| {
            let mut state: BTreeMap<String, bool> = BTreeMap::new();
            for call in calls.as_array().unwrap() {
                let key = call["arguments"]["key"].as_str().unwrap().to_owned();
                match call["name"].as_str().unwrap() {
                    "put" => drop(state.insert(key, true)),
                    "drop" => drop(state.get_mut(&key).map(|there| *there = false)),
                    _ => prop_assert!(state.get(&key) != Some(&false), "a ghost"),
                }
            }
            Ok(())
        });
        let Err(TestError::Fail(_, small)) = ran else { panic!("{ran:?}") };
        let names: Vec<_> = small.as_array().unwrap().iter().map(|call| call["name"].clone()).collect();
        assert_eq!(names, ["put", "drop", "get"]);
    }

    #[test]
    fn servers_without_tools_are_told() {
        let mut runner = TestRunner::default();
        assert!(conversations(&[], 3).unwrap().new_tree(&mut runner).is_err());
        assert!(conversations(&[json!({})], 3).is_err());
    }
}
