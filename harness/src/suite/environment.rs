//! What the environment says to a test binary.

use super::run::SuiteError;
use crate::check::FailOn;
use crate::probes::Calls;

/// A variable by the words that it knows; `None` where it is not set.
fn word<T: Copy>(
    variable: &'static str,
    words: &[(&str, T)],
    known: &'static str,
) -> Result<Option<T>, SuiteError> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == value) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => Err(SuiteError::Variable { variable, value, known }),
    }
}

/// `MCPROVE_TARGET`: another target than the one that is written down.
pub(super) fn target() -> Option<String> {
    std::env::var("MCPROVE_TARGET").ok()
}

/// `MCPROVE_CALLS`: which tools are called.
pub(super) fn calls() -> Result<Option<Calls>, SuiteError> {
    let words = [("none", Calls::None), ("read-only", Calls::ReadOnly), ("all", Calls::All)];
    word("MCPROVE_CALLS", &words, "none, read-only or all")
}

/// `MCPROVE_FAIL_ON`: what fails a test.
pub(super) fn fail_on() -> Result<Option<FailOn>, SuiteError> {
    word("MCPROVE_FAIL_ON", &[("must", FailOn::Must), ("should", FailOn::Should)], "must or should")
}

/// `MCPROVE_LIST_ALL`: whether what does not apply is listed.
pub(super) fn list_all() -> bool {
    std::env::var("MCPROVE_LIST_ALL").is_ok_and(|value| !value.is_empty() && value != "0")
}
