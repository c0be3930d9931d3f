//! What may be done when.

use super::offered::Offered;
use super::program::{Act, Action, Program, Step};
use crate::protocol::Era;
use std::collections::{BTreeMap, BTreeSet};

/// Why an act may not be done at its place in a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another act has the same id.
    #[error("{0} stands twice")]
    Twice(u32),
    /// A group with fewer than two acts.
    #[error("a group has fewer than two acts")]
    NoGroup,
    /// The connection is closed.
    #[error("{0} needs a connection, and it is closed")]
    Closed(u32),
    /// The connection is open.
    #[error("{0} opens a connection that is open")]
    Open(u32),
    /// A connection is closed before the end of a group, or opened within one.
    #[error("{0} may not stand at this place of a group")]
    InGroup(u32),
    /// The server does not offer it, or not in this era.
    #[error("{0} asks for what the server does not offer")]
    NotOffered(u32),
    /// The arguments do not fit their schema.
    #[error("the arguments of {0} do not fit their schema")]
    Arguments(u32),
    /// What it refers to is not there, comes later, is of another kind, belongs to another connection, or is over.
    #[error("{0} refers to {1}, which cannot be referred to like that")]
    Reference(u32, u32),
}

/// How a conversation stands.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) is_open: bool,
    connection: u32,
    /// What was done: the connection, the step, and the act that a retry goes back to.
    done: BTreeMap<u32, Done>,
    /// Subscriptions of this connection that were not ended.
    subscriptions: BTreeSet<u32>,
    step: usize,
}

#[derive(Debug, Clone)]
struct Done {
    connection: u32,
    step: usize,
    /// What it is; of a retry, what is sent again.
    action: Action,
}

impl State {
    pub(super) fn new() -> Self {
        Self { is_open: true, connection: 0, done: BTreeMap::new(), subscriptions: BTreeSet::new(), step: 0 }
    }

    /// The next step begins.
    pub(super) fn next_step(&mut self) {
        self.step += 1;
    }

    /// Requests that can be cancelled; those of the current group first.
    pub(super) fn cancellable(&self) -> Vec<u32> {
        let mut found = self.requests(|done| done.connection == self.connection);
        found.sort_by_key(|id| std::cmp::Reverse(self.done.get(id).map(|done| done.step)));
        found
    }

    /// Requests that can be sent again.
    pub(super) fn repeatable(&self) -> Vec<u32> {
        // The cursor of another connection is of no use in this one.
        self.requests(|done| {
            done.connection == self.connection || !matches!(done.action, Action::List { after: Some(_), .. })
        })
    }

    /// Pages of lists that another page may follow.
    pub(super) fn pages(&self) -> Vec<u32> {
        self.requests(|done| self.is_page(done))
    }

    fn is_page(&self, done: &Done) -> bool {
        let answered = done.connection == self.connection && done.step < self.step;
        answered && matches!(done.action, Action::List { .. })
    }

    /// Subscriptions that can be ended.
    pub(super) fn subscriptions(&self) -> Vec<u32> {
        self.subscriptions.iter().copied().collect()
    }

    fn requests(&self, wanted: impl Fn(&Done) -> bool) -> Vec<u32> {
        let found = self.done.iter().filter(|(_, done)| done.action.is_request() && wanted(done));
        found.map(|(id, _)| *id).collect()
    }

    /// What was done, as it was.
    pub(super) fn action(&self, id: u32) -> Option<&Action> {
        self.done.get(&id).map(|done| &done.action)
    }

    /// Whether an act may be done now.
    fn admits(&self, act: &Act, offered: &Offered) -> Result<(), Refusal> {
        let id = act.id;
        let check = |holds: bool, refusal: Refusal| if holds { Ok(()) } else { Err(refusal) };
        let offers = |holds: bool| check(holds, Refusal::NotOffered(id));
        let refers = |of: u32, holds: bool| check(holds, Refusal::Reference(id, of));
        check(!self.done.contains_key(&id), Refusal::Twice(id))?;
        if act.action == Action::Reconnect {
            return check(!self.is_open, Refusal::Open(id));
        }
        check(self.is_open, Refusal::Closed(id))?;
        match &act.action {
            Action::Ping | Action::Disconnect | Action::Reconnect => Ok(()),
            Action::Call { tool, arguments } => {
                let maker = offered.tools.get(tool).ok_or(Refusal::NotOffered(id))?;
                check(maker.allows(arguments), Refusal::Arguments(id))
            }
            Action::Get { prompt, arguments } => {
                let maker = offered.prompts.get(prompt).ok_or(Refusal::NotOffered(id))?;
                check(maker.allows(arguments), Refusal::Arguments(id))
            }
            Action::Read { uri } => offers(offered.resources.contains(uri)),
            Action::List { list, after } => {
                offers(offered.lists.contains(list))?;
                let Some(of) = *after else { return Ok(()) };
                let same = matches!(self.action(of), Some(Action::List { list: other, .. }) if other == list);
                refers(of, same && self.pages().contains(&of))
            }
            Action::Subscribe { uri } => {
                offers(offered.era == Era::Legacy && offered.subscribes && offered.resources.contains(uri))
            }
            Action::Listen { filter } => {
                offers(offered.era == Era::Modern && !filter.is_empty() && offered.listens.covers(filter))
            }
            Action::Unsubscribe { of } => refers(*of, self.subscriptions.contains(of)),
            Action::Cancel { of } => refers(*of, self.cancellable().contains(of)),
            Action::Retry { of } => refers(*of, self.repeatable().contains(of)),
        }
    }

    /// Does an act, if it may be done now.
    pub(super) fn take(&mut self, act: &Act, offered: &Offered) -> Result<(), Refusal> {
        self.admits(act, offered)?;
        match &act.action {
            Action::Disconnect => {
                self.is_open = false;
                self.subscriptions.clear();
            }
            Action::Reconnect => {
                self.is_open = true;
                self.connection += 1;
            }
            Action::Subscribe { .. } | Action::Listen { .. } => drop(self.subscriptions.insert(act.id)),
            Action::Unsubscribe { of } => drop(self.subscriptions.remove(of)),
            _ => {}
        }
        let action = match &act.action {
            Action::Retry { of } => self.action(*of).unwrap_or(&act.action).clone(),
            action => action.clone(),
        };
        self.done.insert(act.id, Done { connection: self.connection, step: self.step, action });
        Ok(())
    }
}

impl Program {
    /// Whether a client may do all this with a server that offers this: what is referred to came before in the same
    /// connection, what is asked for is offered, arguments fit their schemas.
    ///
    /// # Errors
    /// The first act that may not be done.
    pub fn check(&self, offered: &Offered) -> Result<(), Refusal> {
        let mut state = State::new();
        for step in &self.steps {
            state.next_step();
            if let Step::Together(acts) = step {
                if acts.len() < 2 {
                    return Err(Refusal::NoGroup);
                }
                if let Some(act) = misplaced(acts) {
                    return Err(Refusal::InGroup(act.id));
                }
            }
            step.acts().iter().try_for_each(|act| state.take(act, offered))?;
        }
        Ok(())
    }

    /// The program without what may not be done at its place, such as what refers to something that is not there.
    #[must_use]
    pub fn repaired(&self, offered: &Offered) -> Self {
        let mut state = State::new();
        let mut steps = Vec::new();
        for step in &self.steps {
            state.next_step();
            let mut kept: Vec<Act> = Vec::new();
            for act in step.acts() {
                let ends = matches!(kept.last(), Some(Act { action: Action::Disconnect, .. }));
                let opens = act.action == Action::Reconnect && matches!(step, Step::Together(_));
                if !ends && !opens && state.take(act, offered).is_ok() {
                    kept.push(act.clone());
                }
            }
            steps.extend(stepped(kept));
        }
        Self { steps }
    }
}

/// Acts as one step; none for none.
pub(super) fn stepped(mut acts: Vec<Act>) -> Option<Step> {
    if acts.len() > 1 {
        return Some(Step::Together(acts));
    }
    acts.pop().map(Step::One)
}

/// What a group has at the wrong place.
fn misplaced(acts: &[Act]) -> Option<&Act> {
    let last = acts.len().saturating_sub(1);
    acts.iter().enumerate().find_map(|(at, act)| {
        let wrong = act.action == Action::Reconnect || (act.action == Action::Disconnect && at < last);
        wrong.then_some(act)
    })
}
