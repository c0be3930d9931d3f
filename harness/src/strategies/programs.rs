//! Conversations as programs of steps.

use super::shrinking::Shrinking;
use crate::generate::Seeded;
use crate::mutate::{Offered, Program, program};
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::TestRunner;
use rand_chacha::rand_core::Rng as _;
use std::rc::Rc;

/// Programs of up to `most` acts (at least one) for a server that offers this: calls and other requests, some of them
/// together, that are cancelled, sent again, cut off. A failing one shrinks to the acts that matter, with the simplest
/// arguments; it is always one that a client may do.
pub fn programs(offered: Offered, most: usize) -> Programs {
    Programs { offered: Rc::new(offered), most }
}

/// The strategy of [`programs`].
#[derive(Debug, Clone)]
pub struct Programs {
    offered: Rc<Offered>,
    most: usize,
}

impl Strategy for Programs {
    type Tree = Shrinking<Program>;
    type Value = Program;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut choices = Seeded::new(runner.rng().next_u64());
        let drawn = program(&self.offered, self.most, &mut choices);
        let offered = Rc::clone(&self.offered);
        Ok(Shrinking::by(drawn, async move |drawn: Program, asking| {
            drawn.simplest(&offered, async |candidate: &Program| asking.fails(candidate.clone()).await).await
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::{Action, Step};
    use crate::protocol::Revision;
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestError, TestRng};
    use serde_json::json;

    /// A server that forgets what it was told when a request is cancelled while another one is on its way.
    #[test]
    fn a_failing_program_keeps_the_group_that_matters() {
        let keyed = json!({"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]});
        let tools = ["put", "drop", "get"].map(|name| json!({"name": name, "inputSchema": keyed}));
        let capabilities = json!({"tools": {}});
        let offered = Offered::new(Revision::V2025_11_25, &capabilities, &tools, &[], &[]).unwrap();
        let config = ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let ran = runner.run(&programs(offered, 16), |program| {
            for step in &program.steps {
                let put = step
                    .acts()
                    .iter()
                    .find(|act| matches!(&act.action, Action::Call { tool, .. } if tool == "put"));
                let cancelled = put.is_some_and(|put| {
                    step.acts().iter().any(|act| act.action == Action::Cancel { of: put.id })
                });
                prop_assert!(!cancelled, "forgotten");
            }
            Ok(())
        });
        let Err(TestError::Fail(_, small)) = ran else { panic!("{ran:?}") };
        let [Step::Together(acts)] = &small.steps[..] else { panic!("{small}") };
        let [call, cancel] = &acts[..] else { panic!("{small}") };
        assert_eq!(call.action, Action::Call { tool: "put".to_owned(), arguments: json!({"key": ""}) });
        assert_eq!(cancel.action, Action::Cancel { of: call.id });
    }
}
