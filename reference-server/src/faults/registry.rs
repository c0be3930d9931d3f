//! All faults, and how one is found by its id.

use std::fmt;

use crate::faults::fault::Fault;
use crate::faults::{
    base, http, http_session, pagination, ping, resources, robustness, stdio, tools, versioning,
};

/// The tables, one for each area of requirements.
const AREAS: &[&[Fault]] = &[
    base::FAULTS,
    http::FAULTS,
    http_session::FAULTS,
    pagination::FAULTS,
    ping::FAULTS,
    resources::FAULTS,
    robustness::FAULTS,
    stdio::FAULTS,
    tools::FAULTS,
    versioning::FAULTS,
];

/// Every fault that the server knows, area by area.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    AREAS.iter().copied().flatten()
}

/// There is no fault with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault {
    /// What was asked for.
    pub id: String,
    /// The id that is most like it.
    pub nearest: &'static str,
}

impl fmt::Display for UnknownFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "there is no fault `{}`; did you mean `{}`?", self.id, self.nearest)
    }
}

impl std::error::Error for UnknownFault {}

pub(super) fn find(id: &str) -> Result<&'static Fault, UnknownFault> {
    if let Some(fault) = faults().find(|fault| fault.id() == id) {
        return Ok(fault);
    }
    let nearest = faults().min_by_key(|fault| distance(id, fault.id())).map_or("", Fault::id);
    Err(UnknownFault { id: id.to_owned(), nearest })
}

/// How many characters have to be added, removed or replaced; texts longer than any id are cut.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, from) in a.chars().take(200).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, faults};
    use crate::faults::FaultId;
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_has_an_id_of_its_own_that_is_read_back() {
        let mut seen = BTreeSet::new();
        for fault in faults() {
            assert!(seen.insert(fault.id()), "{} stands twice", fault.id());
            assert_eq!(fault.id().parse::<FaultId>().unwrap().fault().id(), fault.id());
            assert!(fault.about().ends_with('.'), "{}: what it does is a sentence", fault.id());
            assert!(
                !fault.revisions().is_empty() && !fault.transports().is_empty() && !fault.hooks.is_empty()
            );
        }
    }

    #[test]
    fn an_unknown_id_is_told_with_the_nearest() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let error = "tools.call.unknown-tool-eror/succeeds".parse::<FaultId>().unwrap_err();
        assert_eq!(error.nearest, "tools.call.unknown-tool-error/succeeds");
    }
}
