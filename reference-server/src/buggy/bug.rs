//! What a bug is, and the table of them.

use serde_json::{Value, json};

use super::{numbers, shapes, state, texts};
use crate::features::{Stop, Tool};
use crate::message::{INTERNAL_ERROR, Object, RpcError};

/// A bug of the profile.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// The tool that has it.
    pub tool: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What there is to see.
    pub shows: Shows,
    /// The arguments of the fewest and simplest calls of the tool that show it, one after the other.
    pub minimum: fn() -> Vec<Value>,
}

/// What there is to see of a bug when the last call of its minimum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The process ends.
    Crash,
    /// There is no answer.
    Hang,
    /// A valid call is answered with a protocol error.
    Error,
    /// The structured content is not what the output schema says.
    WrongOutput,
    /// A call that the schema refuses is served.
    Accepted,
    /// The same call of a tool that only reads has another answer.
    OtherAnswer,
    /// The answer holds what another call has brought.
    Echo,
    /// Memory that never comes back.
    Leak,
}

/// A tool and its bug.
pub(super) struct Buggy {
    pub(super) tool: Tool,
    pub(super) bug: Bug,
}

/// Where the parts of the table are.
const PARTS: &[&[Buggy]] = &[numbers::TOOLS, texts::TOOLS, shapes::TOOLS, state::TOOLS];

/// All bugs, in the order in which their tools are listed.
pub fn bugs() -> impl Iterator<Item = &'static Bug> {
    PARTS.iter().copied().flatten().map(|buggy| &buggy.bug)
}

/// The tools.
pub(crate) fn tools() -> impl Iterator<Item = (&'static str, &'static Tool)> {
    PARTS.iter().copied().flatten().map(|buggy| ("buggy", &buggy.tool))
}

/// An answer that no valid call should get.
pub(super) fn internal() -> Stop {
    Stop::Error(RpcError::new(INTERNAL_ERROR, "Internal error"))
}

/// Ends the process at once, as an overflow of the stack or a fault in native code does.
pub(super) fn crash() -> ! {
    std::process::abort()
}

/// A closed object schema whose members all have to be there.
pub(super) fn schema(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Object::keys).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{bugs, tools};
    use crate::schema::Schema;

    #[test]
    fn every_minimum_is_a_valid_call_unless_the_bug_is_to_accept_it() {
        let names: BTreeSet<&str> = bugs().map(|bug| bug.tool).collect();
        assert_eq!(names.len(), bugs().count(), "one bug a tool");
        for ((_, tool), bug) in tools().zip(bugs()) {
            assert_eq!(tool.name, bug.tool);
            let schema = Schema::new((tool.input)());
            let minimum = (bug.minimum)();
            assert!(!minimum.is_empty(), "{}", bug.tool);
            for arguments in minimum {
                assert_eq!(schema.check(&arguments).is_ok(), !tool.unchecked, "{}: {arguments}", bug.tool);
            }
        }
    }
}
