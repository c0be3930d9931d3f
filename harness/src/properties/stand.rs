//! Where cases are tried: conversations with the server, begun anew when need be.

use super::case::{Case, Manner};
use super::subject::{Subject, What};
use crate::client::headers::mirrored_arguments;
use crate::client::{Conversation, Gone, Opened, Opener, Outgoing, Reply, Ticket};
use crate::protocol::{Era, Revision, Transport};
use crate::wire::Taint;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The purpose of conversations that look for something, and the name by which what breaks the protocol is marked: that of
/// the probe, so that it is known what has to be done again to see the same.
pub(super) const PURPOSE: &str = "properties_hold_for_drawn_arguments";

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// A whole result, without what differs from answer to answer by right.
    Done(Value),
    /// A result that is no last word: a demand for input, a task.
    Unfinished,
    /// An error of the protocol: its code.
    Error(i64),
    /// A refusal of HTTP without a message.
    Refused(u16),
    /// Nothing, for so long.
    Silence(Duration),
    /// The process is gone, or nobody listens any more: how.
    Gone(String),
    /// The connection broke, for whatever reason; no word about the server.
    Lost(String),
}

impl Answered {
    fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Result(answer) => {
                let mut result = answer.message.result().cloned().unwrap_or_default();
                let kind = result.get("resultType").and_then(Value::as_str).unwrap_or("complete");
                if kind != "complete" || result.get("task").is_some_and(Value::is_object) {
                    return Self::Unfinished;
                }
                if let Some(members) = result.as_object_mut() {
                    ["_meta", "ttlMs", "cacheScope"].iter().for_each(|name| _ = members.remove(*name));
                }
                Self::Done(result)
            }
            reply if reply.status() == Some(429) => Self::Lost("HTTP 429".to_owned()),
            Reply::Error(_) | Reply::Unmatched(_) => Self::Error(reply.error_code().unwrap_or_default()),
            Reply::NoMessage(head) => Self::Refused(head.status),
            Reply::Silence(waited) => Self::Silence(*waited),
            Reply::Gone(gone @ (Gone::Exited { .. } | Gone::StdoutClosed)) => Self::Gone(gone.to_string()),
            Reply::Gone(gone) => Self::Lost(gone.to_string()),
        }
    }

    /// Whether it is a result that is no error of the tool.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done(result) if result["isError"] != true)
    }

    /// Whether the conversation is of no use any more.
    pub(super) fn ends(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Lost(_))
    }

    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Self::Done(result) => {
                let text: String = result.to_string().chars().take(300).collect();
                if result["isError"] == true { format!("an error of the tool: {text}") } else { text }
            }
            Self::Unfinished => "a demand for input, or a task".to_owned(),
            Self::Error(code) => format!("error {code}"),
            Self::Refused(status) => format!("HTTP {status} without a message"),
            Self::Silence(waited) => format!("nothing within {} ms", waited.as_millis()),
            Self::Gone(how) | Self::Lost(how) => how.clone(),
        }
    }
}

/// A call that was made, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) ticket: Ticket,
    pub(super) answered: Answered,
    /// The event that brought the answer.
    pub(super) event: Option<u64>,
}

/// Opens conversations in one revision.
#[derive(Clone, Copy)]
pub struct Stand<'a> {
    /// Opens conversations.
    pub opener: &'a Opener,
    /// The revision spoken.
    pub revision: Revision,
}

impl Stand<'_> {
    /// Over which transport.
    pub fn transport(&self) -> Transport {
        self.opener.binding().transport()
    }

    /// A conversation that is begun; `None` where that does not work.
    pub async fn open(&self) -> Option<Opened> {
        let mut opened = self.opener.open(PURPOSE, Some(self.revision)).await.ok()?;
        if self.revision.era() == Era::Modern {
            opened.talk.speak_modern(self.revision);
            return Some(opened);
        }
        if opened.talk.begin(self.revision).await.is_err() {
            opened.close().await;
            return None;
        }
        Some(opened)
    }

    /// Makes the calls of a case, in its manner. What follows the end of the conversation has no answer.
    pub(super) async fn make(
        &self,
        talk: &mut Conversation,
        subjects: &[Subject],
        case: &Case,
        patience: Duration,
    ) -> Vec<Said> {
        let mut said: Vec<Said> = Vec::new();
        if case.manner == Manner::Together {
            let mut tickets = Vec::new();
            for call in &case.calls {
                let outgoing = self.compose(talk, &subjects[call.subject], &call.arguments, case);
                tickets.push(talk.send(outgoing).await);
            }
            for ticket in tickets {
                said.push(answer(talk, ticket, patience).await);
            }
            return said;
        }
        let turns: Vec<(usize, bool)> = match &case.manner {
            Manner::Again(times) => vec![(0, false); *times],
            Manner::Spelled(_) => vec![(0, false), (0, true), (0, false), (0, true)],
            _ => (0..case.calls.len()).map(|at| (at, false)).collect(),
        };
        for (at, otherwise) in turns {
            let Some(call) = case.calls.get(at) else { continue };
            let subject = &subjects[call.subject];
            let mut outgoing = self.compose(talk, subject, &call.arguments, case);
            if let (Manner::Spelled(spelling), true) = (&case.manner, otherwise) {
                let plain = serde_json::from_slice::<Value>(&outgoing.body).unwrap_or_default();
                outgoing.body = spelling.of(&plain).into();
            }
            let ticket = talk.send(outgoing).await;
            said.push(answer(talk, ticket, patience).await);
            if said.last().is_some_and(|said| said.answered.ends()) {
                break;
            }
        }
        said
    }

    fn compose(
        &self,
        talk: &mut Conversation,
        subject: &Subject,
        arguments: &Value,
        case: &Case,
    ) -> Outgoing {
        let mut params = json!({"name": subject.name, "arguments": arguments});
        let compares =
            matches!(case.manner, Manner::Again(_) | Manner::Spelled(_) | Manner::Echo { .. } | Manner::Past);
        if subject.what == What::Tool && !compares {
            // A call that takes its time says so. Where answers are compared, some tool may repeat its token.
            params["_meta"] = json!({"progressToken": format!("{PURPOSE}-{}", talk.fresh_id())});
        }
        let mut outgoing = talk.compose(subject.method(), params);
        if subject.what == What::Tool
            && self.revision.era() == Era::Modern
            && self.transport() == Transport::Http
        {
            outgoing.mirrored = mirrored_arguments(subject.schema(), arguments);
        }
        if case.manner.is_valid() { outgoing } else { outgoing.deliberate(PURPOSE, Taint::Message) }
    }

    /// The tools and prompts that the server lists, at most so many pages of each.
    pub async fn listed(&self, talk: &mut Conversation, method: &str, member: &str) -> Vec<Value> {
        const PAGES: usize = 20;
        let mut found = Vec::new();
        let mut params = Value::Object(Map::new());
        for _ in 0..PAGES {
            let reply = talk.request(method, params).await;
            let Some(result) = reply.result() else { break };
            found.extend(result.get(member).and_then(Value::as_array).into_iter().flatten().cloned());
            let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) else { break };
            params = json!({"cursor": cursor});
        }
        found
    }
}

/// After this long it is looked whether a call that is not answered makes progress.
const GLANCE: Duration = Duration::from_millis(500);

async fn answer(talk: &mut Conversation, ticket: Ticket, patience: Duration) -> Said {
    let glance = patience.min(GLANCE);
    let mut reply = talk.reply_within(&ticket, glance).await;
    if matches!(reply, Reply::Silence(_)) && !makes_progress(talk, &ticket) {
        reply = match talk.reply_within(&ticket, patience.saturating_sub(glance)).await {
            Reply::Silence(_) => Reply::Silence(patience),
            other => other,
        };
    }
    if matches!(reply, Reply::Silence(_)) && makes_progress(talk, &ticket) {
        return Said { answered: Answered::Unfinished, ticket, event: None };
    }
    if let Reply::Silence(_) = reply {
        talk.note_timed_out(&ticket);
    }
    let event = reply.answer().map(|answer| answer.record.seq);
    Said { answered: Answered::of(&reply), ticket, event }
}

fn makes_progress(talk: &mut Conversation, ticket: &Ticket) -> bool {
    talk.heard_since(ticket.since)
        .iter()
        .any(|heard| heard.message.method() == Some("notifications/progress"))
}
