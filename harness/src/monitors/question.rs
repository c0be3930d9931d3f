//! What a server asks its client for: in a request of its own, or in 2026-07-28 as an entry of a demand for input.

use super::answered::answered;
use super::capabilities::declared_at_initialize;
use super::{Breach, Moment};
use crate::client::{Wish, mrtr};
use crate::protocol::{Era, Kind, Revision};
use serde_json::Value;

/// One thing that a server asks for.
pub(super) struct Question<'a> {
    pub(super) wish: Wish,
    /// The parameters; null where there are none.
    pub(super) params: &'a Value,
    /// The JSON pointer of the request in its message.
    pub(super) at: String,
    /// The capabilities of the client that hold for it, where they are known.
    pub(super) declared: Option<&'a Value>,
    pub(super) revision: Revision,
    /// The event with the request of ours that is answered by it (2026-07-28).
    pub(super) sent: Option<u64>,
}

impl Question<'_> {
    pub(super) fn is(&self, wish: Wish) -> bool {
        self.wish == wish
    }

    /// A breach at a place within its parameters.
    pub(super) fn breach(
        &self,
        moment: &Moment<'_>,
        class: &str,
        place: &str,
        message: impl Into<String>,
    ) -> Breach {
        let breach =
            Breach::new(class, message).at(moment.record).pointer(format!("{}/params{place}", self.at));
        match self.sent {
            Some(sent) => breach.sent(sent),
            None => breach,
        }
    }
}

/// What the server asks for in this moment.
pub(super) fn questions<'a>(moment: &'a Moment<'_>) -> Vec<Question<'a>> {
    let Some(heard) = &moment.message else { return Vec::new() };
    let (message, state) = (heard.message, moment.state);
    if *message.kind() == Kind::Request && state.era() == Some(Era::Legacy) {
        let wish = message.method().and_then(|method| Wish::of(method, message.params()));
        let (Some(wish), Some(revision)) = (wish, state.rules()) else { return Vec::new() };
        let declared = declared_at_initialize(state);
        let params = message.params().unwrap_or(&Value::Null);
        return vec![Question { wish, params, at: String::new(), declared, revision, sent: None }];
    }
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else {
        return Vec::new();
    };
    if !mrtr::demands_input(answer.result) {
        return Vec::new();
    }
    let meta = answer.asked.message.params().and_then(|params| params.get("_meta"));
    let declared = meta.and_then(|meta| meta.get("io.modelcontextprotocol/clientCapabilities"));
    let requests = answer.result.get("inputRequests").and_then(Value::as_object);
    let question = |(key, request): (&String, &'a Value)| {
        let params = request.get("params");
        Some(Question {
            wish: Wish::of(request.get("method")?.as_str()?, params)?,
            params: params.unwrap_or(&Value::Null),
            at: format!("/result/inputRequests/{}", escape(key)),
            declared,
            revision: answer.revision,
            sent: Some(answer.asked.seq),
        })
    };
    requests.into_iter().flatten().filter_map(question).collect()
}

/// A member's name as a segment of a JSON pointer.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
