//! A message and what is changed about it.

use super::bytes::ByteMutation;
use super::dictionary::Dictionary;
use super::harmless::adds_no_real_host;
use super::http::HttpMutation;
use super::json::JsonMutation;
use super::mutation::{Bounds, Mutation};
use super::text::value_of;
use crate::client::Outgoing;
use crate::generate::Choices;
use crate::protocol::{Era, Transport};
use crate::shrink::{Place, Step, fewer, simpler};
use crate::wire::Taint;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// So often a change is drawn until one is harmless.
const TRIES: usize = 8;

/// What changes are drawn for.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The transport; changes of HTTP requests are drawn for those that have them.
    pub transport: Transport,
    /// The era, for the headers that it has.
    pub era: Era,
    /// How much may be added.
    pub bounds: Bounds,
    /// How many changes one message has at most; at least one is tried.
    pub most: usize,
    /// Words to use.
    pub dictionary: &'a Dictionary,
}

/// A message and what is changed about it, first its JSON, then its bytes, then the HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mutated {
    /// The message before any change.
    pub message: Value,
    /// What is changed, in this order; nothing at all is a case, too.
    pub mutations: Vec<Mutation>,
}

impl Mutated {
    /// A message with changes; most often one. None of them makes a host of the network out of what was none; where every
    /// one that was tried does, the message stays as it is.
    pub fn draw(message: Value, ground: Ground<'_>, choices: &mut dyn Choices) -> Self {
        let mut drawn = Self { message, mutations: Vec::new() };
        let count = if choices.chance(1, 4) { 1 + choices.index(ground.most) } else { 1 };
        // From a level on to the next one, since each works on what the one before made.
        let mut levels: Vec<u64> = (0..count).map(|_| level(ground.transport, choices)).collect();
        levels.sort_unstable();
        for level in levels {
            for _ in 0..TRIES {
                let Some(before) = drawn.body() else { break };
                let Some(mutation) = drawn.next(level, &before, ground, choices) else { break };
                drawn.mutations.push(mutation);
                if drawn.body().is_some_and(|after| adds_no_real_host(&before, &after))
                    && drawn.outgoing("mutated").is_some()
                {
                    break;
                }
                drawn.mutations.pop();
            }
        }
        drawn
    }

    fn next(
        &self,
        level: u64,
        before: &[u8],
        ground: Ground<'_>,
        choices: &mut dyn Choices,
    ) -> Option<Mutation> {
        let Ground { bounds, dictionary, .. } = ground;
        match level {
            0 => {
                let text = std::str::from_utf8(before).ok()?;
                JsonMutation::draw(text, bounds, dictionary, choices).map(Mutation::Json)
            }
            1 => ByteMutation::draw(before, dictionary, choices).map(Mutation::Bytes),
            _ => {
                let outgoing = self.outgoing("mutated")?;
                Some(Mutation::Http(HttpMutation::draw(&outgoing, ground.era, bounds, choices)))
            }
        }
    }

    /// The bytes of the message with all its changes; `None` where one cannot be made.
    pub fn body(&self) -> Option<Vec<u8>> {
        let mut text = Some(self.message.to_string());
        let mut bytes = None;
        for mutation in &self.mutations {
            match mutation {
                // After a change of bytes it is text no more.
                Mutation::Json(mutation) => text = Some(mutation.apply(&text?)?),
                Mutation::Bytes(mutation) => {
                    let before = bytes.or_else(|| text.take().map(String::into_bytes))?;
                    bytes = Some(mutation.apply(&before)?);
                }
                Mutation::Http(_) => {}
            }
        }
        bytes.or_else(|| text.map(String::into_bytes))
    }

    /// What is to be sent, marked as sent on purpose by `by`; `None` where a change cannot be made. Headers that mirror
    /// the body mirror the changed one as far as that can be read, so that only [`HttpMutation::Mismatch`] sets them apart.
    ///
    /// What may be called is not known here. A change can make the name of a tool another one: whoever sends looks at the
    /// [`method`](Outgoing::method) and [`name`](Outgoing::name) that come out.
    pub fn outgoing(&self, by: &str) -> Option<Outgoing> {
        let body = self.body()?;
        let read = std::str::from_utf8(&body).ok().and_then(value_of);
        let mut outgoing =
            Outgoing { body: body.into(), ..Outgoing::message(read.as_ref().unwrap_or(&self.message)) };
        if !read.as_ref().is_some_and(|read| read.get("id").is_some() && read.get("method").is_some()) {
            // Nothing can be waited for by its id.
            outgoing.id = None;
        }
        for mutation in &self.mutations {
            if let Mutation::Http(mutation) = mutation {
                outgoing = mutation.apply(&outgoing)?;
            }
        }
        let taints = if self.mutations.is_empty() { Taint::Nothing } else { Taint::Message };
        Some(outgoing.deliberate(by, taints))
    }

    /// The simplest that still fails: with the fewest changes, of the simplest message that `allows` takes for one, each
    /// change as small as it can be. `fails` must hold for this one; what cannot be made is not asked about.
    pub async fn simplest(
        &self,
        allows: impl Fn(&Value) -> bool,
        mut fails: impl AsyncFnMut(&Self) -> bool,
    ) -> Self {
        let mut asked = async |candidate: Self| candidate.outgoing("").is_some() && fails(&candidate).await;
        let only = |kept: &[usize]| Self {
            message: self.message.clone(),
            mutations: kept.iter().filter_map(|at| self.mutations.get(*at).cloned()).collect(),
        };
        let kept = fewer(self.mutations.len(), async |kept: &[usize]| asked(only(kept)).await).await;
        let mut now = only(&kept);
        now.message = simpler(&now.message, is_frame, async |message: &Value| {
            let other = Self { message: message.clone(), mutations: now.mutations.clone() };
            allows(message) && asked(other).await
        })
        .await;
        for at in 0..now.mutations.len() {
            let written = json!(now.mutations[at]);
            let simple = simpler(&written, is_kind, async |written: &Value| {
                let Ok(mutation) = Mutation::deserialize(written) else { return false };
                let mut other = now.clone();
                other.mutations[at] = mutation;
                asked(other).await
            })
            .await;
            if let Ok(mutation) = Mutation::deserialize(&simple) {
                now.mutations[at] = mutation;
            }
        }
        now
    }
}

/// On which level a change is made: 0 is JSON, 1 bytes, 2 HTTP.
fn level(transport: Transport, choices: &mut dyn Choices) -> u64 {
    match choices.below(10) {
        0..=5 => 0,
        6 | 7 => 1,
        _ if transport.is_http() => 2,
        8 => 0,
        _ => 1,
    }
}

/// What makes a message the one that it is.
fn is_frame(place: &Place) -> bool {
    matches!(place, [Step::Member(name)] if matches!(name.as_str(), "jsonrpc" | "id" | "method"))
}

/// What makes a change the one that it is: all but its numbers, and the values that it puts in.
fn is_kind(place: &Place) -> bool {
    let free = |name: &str| {
        matches!(
            name,
            "value" | "count" | "levels" | "lost" | "at" | "length" | "chunks" | "pieces" | "pause"
        )
    };
    matches!(place, [Step::Member(name)] if !free(name))
}

impl fmt::Display for Mutated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.message.get("method").and_then(Value::as_str).unwrap_or("a message");
        write!(f, "{method}")?;
        for (index, mutation) in self.mutations.iter().enumerate() {
            write!(f, "{}{mutation}", if index == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}
