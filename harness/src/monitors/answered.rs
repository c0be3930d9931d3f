//! An answer from the server as the rules of the areas want it: the request, the result, the revision.

use super::{Asked, Heard, Moment};
use crate::protocol::{Era, Revision};
use serde_json::Value;

/// A first result of a request of ours.
pub(super) struct Answered<'a> {
    pub(super) asked: &'a Asked,
    pub(super) result: &'a Value,
    pub(super) revision: Revision,
}

/// The result that a moment brought, if it brought one that can be judged.
pub(super) fn answered<'a>(moment: &'a Moment<'_>) -> Option<Answered<'a>> {
    let Heard { message, answers: Some(asked), revision: Some(revision), .. } = *moment.message.as_ref()?
    else {
        return None;
    };
    let result = message.result()?;
    Some(Answered { asked, result, revision })
}

impl<'a> Answered<'a> {
    /// The same, if it answers this method.
    pub(super) fn to(self, method: &str) -> Option<Self> {
        (self.asked.method == method).then_some(self)
    }

    /// Whether it is the whole answer: no demand for input, no task.
    pub(super) fn is_complete(&self) -> bool {
        if self.revision.era() == Era::Modern {
            return self.result.get("resultType").is_none_or(|kind| kind == "complete");
        }
        !self.result.get("task").is_some_and(Value::is_object)
    }

    /// The entries of a list in the result, with their JSON pointers in the message.
    pub(super) fn entries(
        &self,
        member: &'static str,
    ) -> impl Iterator<Item = (String, &'a Value)> + use<'a> {
        let list = self.result.get(member).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .enumerate()
            .map(move |(at, entry)| (format!("/result/{member}/{at}"), entry))
    }

    /// A string parameter of the request.
    pub(super) fn param(&self, name: &str) -> Option<&'a str> {
        self.asked.message.params()?.get(name)?.as_str()
    }
}
