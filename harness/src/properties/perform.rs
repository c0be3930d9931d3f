//! Programs done: conversations as a [`Program`] says.

use super::stand::Stand;
use crate::client::{Conversation, Opened, Reply, Ticket};
use crate::mutate::{Act, Action, Program, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A request of a program that has to be answered, and was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// No conversation could be begun with the server.
    #[error("no conversation could be begun with the server")]
    Unreachable,
    /// Nothing came for a request that was not cancelled, within the request time-out, or the server went away.
    #[error("nothing came for act {act} of the program: {seen}")]
    Unanswered {
        /// The [`Act::id`] of the request.
        act: u32,
        /// What came instead.
        seen: String,
    },
}

/// Does a program from its first step to its last, in conversations of its own: every request that it does not cancel is
/// waited for.
///
/// # Errors
/// When a request is not answered, or a conversation that it needs cannot be begun.
pub async fn perform(stand: Stand<'_>, program: &Program) -> Result<(), Undone> {
    let mut doing = Doing { stand, program, open: None, tickets: BTreeMap::new(), cursors: BTreeMap::new() };
    doing.open = Some(stand.open().await.ok_or(Undone::Unreachable)?);
    let mut done = Ok(());
    for step in &program.steps {
        done = doing.step(step).await;
        if done.is_err() {
            break;
        }
    }
    if let Some(opened) = doing.open {
        opened.close().await;
    }
    done
}

/// Whether a tool call of a program is not answered in a conversation of its own either: then it is the tool that is slow or
/// hangs, and not the conversation around it.
pub async fn is_silent_alone(stand: Stand<'_>, program: &Program, undone: &Undone) -> bool {
    let Undone::Unanswered { act, .. } = undone else { return false };
    let Some(Act { action: action @ Action::Call { .. }, .. }) = program.origin(*act) else { return false };
    let alone = Program { steps: vec![Step::One(Act { id: 1, action: action.clone() })] };
    perform(stand, &alone).await.is_err()
}

struct Doing<'a> {
    stand: Stand<'a>,
    program: &'a Program,
    open: Option<Opened>,
    /// The requests by their acts.
    tickets: BTreeMap<u32, Ticket>,
    /// The cursors that pages gave.
    cursors: BTreeMap<u32, String>,
}

impl Doing<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Undone> {
        let mut waited = Vec::new();
        for act in step.acts() {
            if act.action == Action::Reconnect {
                self.open = Some(self.stand.open().await.ok_or(Undone::Unreachable)?);
            }
            self.act(act, &mut waited).await;
        }
        for id in waited {
            let Some(opened) = self.open.as_mut() else { break };
            let reply = opened.talk.reply(&self.tickets[&id]).await;
            if let Reply::Silence(_) | Reply::Gone(_) = reply {
                return Err(Undone::Unanswered { act: id, seen: reply.describe() });
            }
            let cursor = reply.result().and_then(|result| result.get("nextCursor")?.as_str());
            self.cursors.extend(cursor.map(|cursor| (id, cursor.to_owned())));
        }
        Ok(())
    }

    /// Does one thing; what has to be answered is added to what is waited for.
    async fn act(&mut self, act: &Act, waited: &mut Vec<u32>) {
        if let Action::Disconnect = act.action {
            waited.clear();
            if let Some(opened) = self.open.take() {
                opened.close().await;
            }
            return;
        }
        let Some(talk) = self.open.as_mut().map(|opened| &mut opened.talk) else { return };
        let before = match self.program.origin(act.id).map(|origin| &origin.action) {
            Some(Action::List { after, .. }) => *after,
            _ => None,
        };
        let cursor = before.and_then(|page| self.cursors.get(&page)).cloned();
        if before.is_some() && cursor.is_none() {
            // The page before it was the last one.
            return;
        }
        let request = self.program.request(act.id, self.stand.revision.era(), cursor.as_deref());
        let is_request = request.is_some();
        if let Some((method, params)) = request {
            let outgoing = talk.compose(method, params);
            self.tickets.insert(act.id, talk.send(outgoing).await);
            // A subscription is answered when it ends.
            if method != "subscriptions/listen" {
                waited.push(act.id);
            }
        }
        if let (Action::Cancel { of } | Action::Unsubscribe { of }, false) = (&act.action, is_request) {
            if let Some(ticket) = self.tickets.get(of) {
                cancel(talk, ticket).await;
            }
            waited.retain(|id| id != of);
        }
    }
}

async fn cancel(talk: &mut Conversation, ticket: &Ticket) {
    let id = ticket.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok());
    talk.notify("notifications/cancelled", json!({ "requestId": id })).await;
}
