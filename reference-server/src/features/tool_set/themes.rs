//! The themes, in the order in which their tools are listed.

use super::{basics, content, contract_content, contract_effects, effects};
use crate::features::tool::Tool;

/// Each theme with its tools. The fixture contract of the official conformance suite comes first, because the suite
/// calls the first tool of the list; the tool that comes and goes is last, so that pages do not shift.
pub(in crate::features) const THEMES: &[(&str, &[Tool])] = &[
    ("contract-content", contract_content::TOOLS),
    ("contract-effects", contract_effects::TOOLS),
    ("basics", basics::TOOLS),
    ("content", content::TOOLS),
    ("effects", effects::TOOLS),
];
