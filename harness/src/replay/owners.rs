//! To which request of the client a message of the server belongs: the order of messages matters only within what belongs
//! to one request.

use crate::protocol::{Id, Kind, Message};
use crate::wire::Channel;
use serde_json::Value;
use std::collections::HashMap;

/// Where a notification names the `subscriptions/listen` that it belongs to (2026-07-28).
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Follows which requests are open, and who owns what comes.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_id: HashMap<Id, usize>,
    by_token: HashMap<String, usize>,
    by_channel: HashMap<Channel, usize>,
    /// What each HTTP exchange carried, requests or not.
    carried: HashMap<Channel, usize>,
    /// Requests without an answer, other than subscriptions.
    open: Vec<usize>,
    listens: Vec<usize>,
}

impl Owners {
    /// The client has sent a message, as the send with this number, on an HTTP exchange or to the process.
    pub(super) fn sent(&mut self, number: usize, message: &Message, channel: Channel) {
        if *message.kind() != Kind::Request {
            return;
        }
        if channel != Channel::PROCESS {
            self.by_channel.insert(channel, number);
        }
        if let Some(id) = message.id() {
            self.by_id.insert(id.clone(), number);
        }
        if let Some(token) = message.meta("progressToken") {
            self.by_token.insert(token.to_string(), number);
        }
        if message.method() == Some("subscriptions/listen") {
            self.listens.push(number);
        } else {
            self.open.push(number);
        }
    }

    /// The send with this number went out on an HTTP exchange, whatever it is.
    pub(super) fn carries(&mut self, number: usize, channel: Channel) {
        if channel != Channel::PROCESS {
            self.carried.insert(channel, number);
        }
    }

    /// The send that a message of the server answers: by its id, else by the exchange.
    pub(super) fn answered(&mut self, message: &Message, channel: Channel) -> Option<usize> {
        let by_id = message.id().and_then(|id| self.by_id.get(id));
        let by_exchange = || self.by_channel.get(&channel).or_else(|| self.carried.get(&channel));
        let number = by_id.or_else(by_exchange).copied()?;
        self.open.retain(|open| *open != number);
        Some(number)
    }

    /// The request to which a notification or a request of the server belongs, if that can be told.
    pub(super) fn owner(&self, message: &Message, channel: Channel) -> Option<usize> {
        let param = |name: &str| message.params().and_then(|params| params.get(name));
        let id = |value: &Value| Id::from_json(&value.to_string(), value);
        // What comes on another stream than the answer comes whenever it does.
        let beside =
            |number: &usize| channel != Channel::PROCESS && self.by_channel.get(&channel) != Some(number);
        if message.method() == Some("notifications/progress") {
            let named = param("progressToken").and_then(|token| self.by_token.get(&token.to_string()));
            return named.copied().filter(|number| !beside(number));
        }
        if let Some(listen) = message.meta(SUBSCRIPTION).and_then(|named| self.by_id.get(&id(named))) {
            return Some(*listen);
        }
        if let Some(number) = self.by_channel.get(&channel) {
            return Some(*number);
        }
        let told = message.method() == Some("notifications/message") || *message.kind() == Kind::Request;
        match self.open.as_slice() {
            [only] if told && channel == Channel::PROCESS => Some(*only),
            _ => None,
        }
    }

    /// Whether a send is a subscription, whose answer is its end.
    pub(super) fn listens(&self, number: usize) -> bool {
        self.listens.contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(value: Value) -> Message {
        Message::from_value(value)
    }

    #[test]
    fn what_belongs_to_whom() {
        let mut owners = Owners::default();
        let call =
            |id: u32| json!({"id": id, "method": "tools/call", "params": {"_meta": {"progressToken": id}}});
        owners.sent(0, &message(call(1)), Channel::PROCESS);
        let log = message(json!({"method": "notifications/message", "params": {}}));
        assert_eq!(owners.owner(&log, Channel::PROCESS), Some(0), "the only one that is open");
        owners.sent(1, &message(call(2)), Channel::PROCESS);
        assert_eq!(owners.owner(&log, Channel::PROCESS), None, "it may be of either");
        let progress = message(json!({"method": "notifications/progress", "params": {"progressToken": 2}}));
        assert_eq!(owners.owner(&progress, Channel::PROCESS), Some(1));
        assert_eq!(owners.answered(&message(json!({"id": 1, "result": {}})), Channel::PROCESS), Some(0));
        assert_eq!(owners.owner(&log, Channel::PROCESS), Some(1));
        let changed = message(json!({"method": "notifications/tools/list_changed"}));
        assert_eq!(owners.owner(&changed, Channel::PROCESS), None, "it belongs to no request");
        owners.sent(2, &message(json!({"id": 3, "method": "ping"})), Channel(4));
        assert_eq!(owners.owner(&changed, Channel(4)), Some(2), "by the exchange");
        assert_eq!(owners.owner(&log, Channel(9)), None, "on a stream of its own it comes whenever it does");
        assert_eq!(owners.owner(&progress, Channel(9)), None);
    }

    #[test]
    fn what_is_no_message_is_answered_by_its_exchange() {
        let mut owners = Owners::default();
        owners.carries(3, Channel(5));
        let refused = message(json!({"id": null, "error": {"code": -32700, "message": "m"}}));
        assert_eq!(owners.answered(&refused, Channel(5)), Some(3));
        assert_eq!(owners.answered(&refused, Channel(6)), None);
    }

    #[test]
    fn subscriptions_own_what_names_them() {
        let mut owners = Owners::default();
        let listen = json!({"id": "l", "method": "subscriptions/listen", "params": {}});
        owners.sent(0, &message(listen), Channel::PROCESS);
        let changed = message(
            json!({"method": "notifications/tools/list_changed", "params": {"_meta": {SUBSCRIPTION: "l"}}}),
        );
        assert_eq!(owners.owner(&changed, Channel::PROCESS), Some(0));
        assert!(owners.listens(0));
    }
}
