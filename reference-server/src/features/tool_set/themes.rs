//! The themes, in the order in which their tools are listed.

use super::{
    apps, asking, basics, content, contract_asking, contract_content, contract_effects, contract_rounds,
    contract_tasks, effects,
};
use crate::features::tool::Tool;

/// Each theme with its tools. The fixture contract of the official conformance suite comes first, because the suite
/// calls the first tool of the list; the tool that comes and goes is last, so that pages do not shift.
pub(in crate::features) const THEMES: &[(&str, &[Tool])] = &[
    ("contract-content", contract_content::TOOLS),
    ("contract-effects", contract_effects::TOOLS),
    ("contract-asking", contract_asking::TOOLS),
    ("contract-rounds", contract_rounds::TOOLS),
    ("contract-tasks", contract_tasks::TOOLS),
    ("basics", basics::TOOLS),
    ("content", content::TOOLS),
    ("asking", asking::TOOLS),
    ("apps", apps::TOOLS),
    ("effects", effects::TOOLS),
];
