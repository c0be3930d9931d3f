//! Programs at random.

use super::offered::Offered;
use super::program::{Act, Action, Filter, Program};
use super::program_rules::{State, stepped};
use crate::generate::Choices;
use crate::protocol::Era;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest group.
const MOST_TOGETHER: usize = 6;
/// So many values of one argument are remembered.
const MOST_KNOWN: usize = 32;

/// A kind of act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ping,
    Call,
    Read,
    Get,
    List,
    NextPage,
    Cancel,
    Retry,
    Subscribe,
    Listen,
    Unsubscribe,
    Disconnect,
    Reconnect,
}

/// A program of at most `most` acts (at least one) for a server that offers this. Values that one call used are often used
/// again by a later one, so that what was made is found, changed and removed.
pub fn program(offered: &Offered, most: usize, choices: &mut dyn Choices) -> Program {
    let mut drawing =
        Drawing { offered, state: State::new(), known: BTreeMap::new(), next: 1, in_group: false };
    let mut left = 1 + choices.index(most.max(1));
    let mut steps = Vec::new();
    while left > 0 {
        drawing.state.next_step();
        let together = left > 1 && drawing.state.is_open && choices.chance(1, 4);
        let wanted = if together { 2 + choices.index(MOST_TOGETHER.min(left) - 1) } else { 1 };
        drawing.in_group = together;
        let mut acts: Vec<Act> = Vec::new();
        for _ in 0..wanted {
            if together && !drawing.state.is_open {
                break;
            }
            acts.extend(drawing.act(choices));
        }
        left -= wanted;
        steps.extend(stepped(acts));
    }
    Program { steps }
}

struct Drawing<'a> {
    offered: &'a Offered,
    state: State,
    /// Values that arguments had, by their names.
    known: BTreeMap<String, Vec<Value>>,
    next: u32,
    in_group: bool,
}

impl Drawing<'_> {
    /// An act that may be done now.
    fn act(&mut self, choices: &mut dyn Choices) -> Option<Act> {
        let weights = self.weights();
        let total: u64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = choices.below(total);
        let kind = weights.iter().find_map(|(kind, weight)| {
            let chosen = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            chosen.then_some(*kind)
        })?;
        let action = self.action(kind, choices).unwrap_or(Action::Ping);
        let act = Act { id: self.next, action };
        // What is refused after all leaves a gap.
        self.state.take(&act, self.offered).ok()?;
        self.next += 1;
        Some(act)
    }

    /// What can be done now, and how often it is; the plainest comes first.
    fn weights(&self) -> Vec<(Kind, u64)> {
        if !self.state.is_open {
            return vec![(Kind::Reconnect, 1)];
        }
        let (offered, state) = (self.offered, &self.state);
        let all = [
            (Kind::Ping, 2, true),
            (Kind::Call, 12, !offered.tools.is_empty()),
            (Kind::Read, 3, !offered.resources.is_empty()),
            (Kind::Get, 3, !offered.prompts.is_empty()),
            (Kind::List, 2, !offered.lists.is_empty()),
            (Kind::NextPage, 2, !state.pages().is_empty()),
            (Kind::Cancel, if self.in_group { 6 } else { 1 }, !state.cancellable().is_empty()),
            (Kind::Retry, 3, !state.repeatable().is_empty()),
            (
                Kind::Subscribe,
                2,
                offered.era == Era::Legacy && offered.subscribes && !offered.resources.is_empty(),
            ),
            (Kind::Listen, 2, offered.era == Era::Modern && !offered.listens.is_empty()),
            (Kind::Unsubscribe, 2, !state.subscriptions().is_empty()),
            (Kind::Disconnect, 1, true),
        ];
        all.into_iter().filter(|(_, _, can)| *can).map(|(kind, weight, _)| (kind, weight)).collect()
    }

    fn action(&mut self, kind: Kind, choices: &mut dyn Choices) -> Option<Action> {
        let uri = |choices: &mut dyn Choices, offered: &Offered| choices.pick(&offered.resources).cloned();
        Some(match kind {
            Kind::Ping => Action::Ping,
            Kind::Call => {
                let names: Vec<&String> = self.offered.tools.keys().collect();
                let tool = (*choices.pick(&names)?).clone();
                let arguments = self.arguments(true, &tool, choices)?;
                Action::Call { tool, arguments }
            }
            Kind::Get => {
                let names: Vec<&String> = self.offered.prompts.keys().collect();
                let prompt = (*choices.pick(&names)?).clone();
                let arguments = self.arguments(false, &prompt, choices)?;
                Action::Get { prompt, arguments }
            }
            Kind::Read => Action::Read { uri: uri(choices, self.offered)? },
            Kind::List => Action::List { list: *choices.pick(&self.offered.lists)?, after: None },
            Kind::NextPage => {
                let after = *choices.pick(&self.state.pages())?;
                let Some(Action::List { list, .. }) = self.state.action(after) else { return None };
                Action::List { list: *list, after: Some(after) }
            }
            Kind::Cancel => {
                let requests = self.state.cancellable();
                // What was sent last is most likely on its way still.
                let of = if choices.chance(1, 4) { choices.pick(&requests) } else { requests.first() };
                Action::Cancel { of: *of? }
            }
            Kind::Retry => Action::Retry { of: *choices.pick(&self.state.repeatable())? },
            Kind::Subscribe => Action::Subscribe { uri: uri(choices, self.offered)? },
            Kind::Listen => Action::Listen { filter: filter(&self.offered.listens, choices) },
            Kind::Unsubscribe => Action::Unsubscribe { of: *choices.pick(&self.state.subscriptions())? },
            Kind::Disconnect => Action::Disconnect,
            Kind::Reconnect => Action::Reconnect,
        })
    }

    /// Arguments for a tool, or for a prompt.
    fn arguments(&mut self, of_tool: bool, name: &str, choices: &mut dyn Choices) -> Option<Value> {
        let offered = self.offered;
        let maker = if of_tool { &offered.tools } else { &offered.prompts }.get(name)?;
        let mut arguments = maker.draw(&offered.dictionary, choices)?;
        for (argument, value) in arguments.clone().as_object().into_iter().flatten() {
            let known = self.known.entry(argument.clone()).or_default();
            if !known.is_empty() && choices.flip() {
                let mut again = arguments.clone();
                again[argument] = choices.pick(known)?.clone();
                if maker.allows(&again) {
                    arguments = again;
                }
            } else if known.len() < MOST_KNOWN {
                known.push(value.clone());
            }
        }
        Some(arguments)
    }
}

/// Some of what can be listened for, at least one thing.
fn filter(listens: &Filter, choices: &mut dyn Choices) -> Filter {
    let mut some = |can: bool| can && !choices.flip();
    let (tools, prompts, resources) = (some(listens.tools), some(listens.prompts), some(listens.resources));
    let uris = listens.uris.iter().filter(|_| choices.chance(1, 4)).cloned().collect();
    let drawn = Filter { tools, prompts, resources, uris };
    if drawn.is_empty() { listens.clone() } else { drawn }
}
