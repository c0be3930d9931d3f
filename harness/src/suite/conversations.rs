//! Whole conversations as a test: drawn as programs, done, and made small by the crate `proptest`.

use super::properties::Reached;
use crate::mutate::Offered;
use crate::probes::Safety;
use crate::properties::{Stand, Undone, is_silent_alone, perform};
use crate::strategies::programs;
use libtest_mimic::{Completion, Failed};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

/// The requirement: every request is answered.
pub(super) const ID: &str = "base.response.always-sent";
/// How many acts a conversation has at the most.
const MOST: usize = 16;

/// Tries conversations; a failure shows the smallest one that leaves a request without an answer, twice.
pub(super) fn run(
    reached: &Reached,
    runtime: &Runtime,
    safety: &Safety,
    config: Config,
) -> Result<Completion, Failed> {
    let tools: Vec<Value> =
        reached.tools.iter().filter(|tool| safety.may_call(tool).is_ok()).cloned().collect();
    let Reached { opener, revision, capabilities, prompts, resources, .. } = reached;
    let offered = match Offered::new(*revision, capabilities, &tools, prompts, resources) {
        Ok(offered) => offered,
        Err(error) => return Ok(Completion::ignored_with(format!("no conversations can be made: {error}"))),
    };
    let stand = Stand { opener, revision: *revision };
    let ran = TestRunner::new(config).run(&programs(offered, MOST), |program| {
        runtime.block_on(async {
            let Err(undone) = perform(stand, &program).await else { return Ok(()) };
            if is_silent_alone(stand, &program, &undone).await {
                return Err(TestCaseError::reject("a tool does not answer by itself"));
            }
            match perform(stand, &program).await {
                Err(again) if alike(&undone, &again) => Err(TestCaseError::fail(again.to_string())),
                _ => Err(TestCaseError::reject("what was seen did not come again")),
            }
        })
    });
    match ran {
        Ok(()) => Ok(Completion::Completed),
        Err(TestError::Fail(reason, program)) => {
            let text = format!(
                "{reason}\n\n    the smallest conversation that shows it\n{program}\n    requirement {ID}"
            );
            Err(Failed::from(text))
        }
        Err(TestError::Abort(reason)) => {
            Ok(Completion::ignored_with(format!("nothing was decided: {reason}")))
        }
    }
}

/// Whether both are of one kind.
fn alike(first: &Undone, second: &Undone) -> bool {
    std::mem::discriminant(first) == std::mem::discriminant(second)
}
