//! Sending what may get no answer at all, without waiting for the time-out each time: a valid request goes after it as
//! a barrier, and what came by then is what there is.

use super::probe::Stage;
use crate::client::{Answer, Outgoing, Reply, Ticket};
use crate::protocol::{Id, Message, Transport};
use crate::wire::{Event, Taint};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How long after the barrier an answer may still come on a channel that all answers share.
const LINGER: Duration = Duration::from_millis(50);

/// What came of a provocation.
pub struct Provoked {
    /// What was sent.
    pub ticket: Ticket,
    /// The answer; [`Reply::Unmatched`] for one without the id of the request on any transport, [`Reply::Silence`]
    /// where nothing came until the barrier was answered.
    pub reply: Reply,
    /// The answer to the valid request that followed.
    pub barrier: Reply,
}

impl Provoked {
    /// Whether the server went on as if nothing had happened.
    pub fn survived(&self) -> bool {
        self.barrier.result().is_some()
    }

    /// Whether a result came, with whatever id.
    pub fn is_result(&self) -> bool {
        self.reply.answer().is_some_and(|answer| answer.message.result().is_some())
    }
}

/// Whether a POST without a request was refused with an error that has no id, as a server may do.
pub(super) fn refuses_a_post(answer: &Answer) -> bool {
    answer.http.as_ref().is_some_and(|head| head.status >= 400)
        && answer.message.error().is_some()
        && answer.message.id().is_none_or(Id::is_null)
}

impl Stage<'_> {
    /// The harmless request of the era; see [`Conversation::harmless`](crate::client::Conversation::harmless).
    pub fn harmless(&self) -> &'static str {
        self.talk.harmless()
    }

    /// Sends something that breaks the protocol and a valid request after it, and says what came of both.
    pub async fn provoke(&mut self, outgoing: Outgoing) -> Provoked {
        let ticket = self.talk.send(outgoing.deliberate(self.name, Taint::Message)).await;
        let method = self.harmless();
        let sentinel = self.talk.compose(method, json!({}));
        let sentinel = self.talk.send(sentinel).await;
        let mut barrier = self.talk.reply(&sentinel).await;
        if method == "ping" && barrier.error_code() == Some(-32601) {
            barrier = self.talk.canary().await;
        }
        let reply = match self.transport() {
            Transport::Http => {
                let reply = self.talk.reply_within(&ticket, self.talk.timeouts().request).await;
                if let Reply::Silence(_) = reply {
                    self.talk.note_timed_out(&ticket);
                }
                reply
            }
            _ => self.on_shared_channel(&ticket, sentinel.id.as_ref(), &barrier).await,
        };
        Provoked { ticket, reply, barrier }
    }

    /// Sends messages that must not be answered, all at once, and a valid request after them: whether that is answered
    /// and nothing else, so that they need not be tried one by one. A POST may be refused.
    pub async fn none_is_answered(&mut self, messages: impl Iterator<Item = &Outgoing>) -> bool {
        let since = self.talk.now();
        let mut tickets = Vec::new();
        for outgoing in messages {
            tickets.push(self.talk.send(outgoing.clone().deliberate(self.name, Taint::Message)).await);
        }
        let method = self.harmless();
        let (barrier, reply) = self.request(method, json!({})).await;
        if reply.result().is_none() {
            return false;
        }
        if self.transport() == Transport::Http {
            for ticket in &tickets {
                let reply = self.talk.reply(ticket).await;
                if reply.answer().is_some_and(|answer| !refuses_a_post(answer)) {
                    return false;
                }
            }
            return true;
        }
        self.talk.idle(LINGER).await;
        let heard = self.talk.heard_since(since);
        !heard.iter().any(|heard| heard.message.is_response() && heard.message.id() != barrier.id.as_ref())
    }

    async fn on_shared_channel(&mut self, ticket: &Ticket, sentinel: Option<&Id>, barrier: &Reply) -> Reply {
        let mut wait = Duration::ZERO;
        loop {
            let reply = self.talk.reply_within(ticket, wait).await;
            if let Reply::Result(_) | Reply::Error(_) | Reply::Gone(_) = reply {
                return reply;
            }
            if let Some(stray) = self.stray(ticket, sentinel) {
                return Reply::Unmatched(stray);
            }
            // A refusal of the POST says it all; where there is no sign of life there is nothing to wait for.
            let refused = reply.status().is_some_and(|status| status >= 400);
            if refused || !wait.is_zero() || barrier.result().is_none() {
                return match reply {
                    Reply::NoMessage(head) if head.status < 300 => Reply::Silence(wait),
                    other => other,
                };
            }
            wait = LINGER;
            self.talk.idle(LINGER).await;
        }
    }

    /// The first response since a position that answers nothing that was open before, nor the barrier.
    fn stray(&mut self, ticket: &Ticket, sentinel: Option<&Id>) -> Option<Answer> {
        let mut sent: Option<HashMap<Id, bool>> = None;
        for heard in self.talk.heard_since(ticket.since) {
            if !heard.message.is_response() {
                continue;
            }
            if let Some(id) = heard.message.id().filter(|id| !id.is_null()) {
                let sent = sent.get_or_insert_with(|| self.sent_before(ticket.since));
                // A late answer, or the same result once more.
                let of_before = sent.get(id).is_some_and(|open| *open || heard.message.result().is_some());
                if Some(id) == sentinel || of_before {
                    continue;
                }
            }
            return Some(Answer { message: heard.message, record: heard.record, http: None });
        }
        None
    }

    /// Ids that were sent before a position, and whether they were still open then: a late answer to one of these is no
    /// answer to what came after.
    fn sent_before(&self, since: u64) -> HashMap<Id, bool> {
        let mut open = HashMap::new();
        let records = self.talk.recorder().snapshot();
        for record in records.iter().take_while(|record| record.seq < since) {
            let (payload, sent) = match &record.event {
                Event::Sent { payload, .. } => (payload, true),
                Event::Received { payload, .. } => (payload, false),
                _ => continue,
            };
            for part in payload.message().into_iter().flat_map(Message::parts) {
                match part.id() {
                    Some(id) if sent => drop(open.insert(id.clone(), true)),
                    Some(id) if part.is_response() => {
                        open.entry(id.clone()).and_modify(|open| *open = false);
                    }
                    _ => {}
                }
            }
        }
        open
    }

    /// A valid request in which a piece of raw JSON stands in place of `"@"`, which has to occur in the parameters.
    pub fn with_raw(&mut self, method: &str, params: Value, raw: &str) -> Outgoing {
        let mut outgoing = self.talk.compose(method, params);
        let text = String::from_utf8_lossy(&outgoing.body).replacen("\"@\"", raw, 1);
        outgoing.body = text.into();
        outgoing
    }

    /// Whether the server declares a capability, by path.
    pub fn declares(&self, path: &str) -> bool {
        self.talk.handshake().is_some_and(|handshake| handshake.declares(path))
    }

    /// The list methods of the capabilities that the server declares, with the member of their results.
    pub fn lists(&self) -> Vec<(&'static str, &'static str)> {
        [("tools", "tools/list"), ("resources", "resources/list"), ("prompts", "prompts/list")]
            .into_iter()
            .filter(|(capability, _)| self.declares(capability))
            .map(|(member, method)| (method, member))
            .collect()
    }

    /// Whether the tools fill a list that is not asked for more often than needed: each answer is kept.
    pub fn has_long_list(&self) -> bool {
        /// Bytes.
        const LONG: usize = 60_000;
        self.offer.tools.iter().map(|tool| tool.to_string().len()).sum::<usize>() > LONG
    }

    /// A list that may be asked for again and again; if there is none, the harmless request.
    pub fn light_request(&self) -> &'static str {
        let long = self.has_long_list();
        let lists = self.lists();
        let light = lists.iter().find(|(method, _)| !long || *method != "tools/list");
        light.map_or(self.harmless(), |(method, _)| *method)
    }
}
