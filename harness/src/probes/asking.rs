//! Calls of tools that ask their client for something, with answers of all kinds; the same for both eras.

use super::errands::give_up;
use super::offer::{Call, Offer};
use super::probe::Stage;
use crate::client::{Answering, Outgoing, Reply, Ticket, Wish, mrtr};
use crate::protocol::{Era, Transport};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a call may have taken to be repeated.
const QUICK: Duration = Duration::from_secs(2);
/// How long a call may have taken to be repeated before others.
const PROMPT: Duration = Duration::from_millis(250);
/// How long a repeated call is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How many calls that may ask for a thing are tried.
const MOST_CALLERS: usize = 10;
/// How often that long is waited while the server goes on asking.
const MOST_WAITS: u32 = 10;
/// How often demands for input of one call are met.
const MOST_ROUNDS: u32 = 5;

/// What came of a call.
pub(super) struct Outcome {
    pub(super) ticket: Ticket,
    pub(super) reply: Reply,
    /// The requests with which the client was asked, as far as they are known: `method` and `params`.
    pub(super) questions: Vec<Value>,
}

/// What a reply says about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It did what it was asked to.
    Success,
    /// It failed by a result with `isError`.
    Failed,
    /// It demands input (2026-07-28).
    Asks,
    /// A protocol error.
    Refused,
    /// Nothing usable came.
    Nothing,
}

impl Verdict {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Error(_) | Reply::Unmatched(_) if reply.is_error() => Self::Refused,
            Reply::Result(_) => match reply.result() {
                Some(result) if mrtr::demands_input(result) => Self::Asks,
                Some(result) if result["isError"] == true => Self::Failed,
                _ => Self::Success,
            },
            _ => Self::Nothing,
        }
    }

    /// Whether the call came to an end, good or bad.
    pub(super) fn is_an_end(self) -> bool {
        self != Self::Nothing
    }
}

impl Outcome {
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of(&self.reply)
    }

    /// The first question of a kind.
    pub(super) fn question(&self, wish: Wish) -> Option<&Value> {
        self.questions.iter().find(|question| wish_of(question) == Some(wish))
    }
}

pub(super) fn wish_of(question: &Value) -> Option<Wish> {
    Wish::of(question.get("method")?.as_str()?, question.get("params"))
}

/// The calls that are repeated for the sake of a wish: those that were quick and may have asked for it; the one that is
/// known to do so first, then those that keep nobody waiting, before others those that may have asked for nothing else.
/// Which of two prompt ones was the quicker does not matter: the same calls are made in the next run.
pub(super) fn callers(offer: &Offer, wish: Wish) -> Vec<Call> {
    let asks = |call: &&Call| call.wishes.contains(&wish) && call.took < QUICK && call.result.is_some();
    let mut calls: Vec<Call> = offer.calls.iter().filter(asks).cloned().collect();
    let known = offer.asker.get(&wish);
    calls.sort_by_key(|call| (Some(&call.tool) != known, call.took > PROMPT, call.wishes.len()));
    calls.truncate(MOST_CALLERS);
    calls
}

/// The same, or else one that was slow or never came to its end: for what may be the reason of just that.
pub(super) fn callers_however_slow(offer: &Offer, wish: Wish) -> Vec<Call> {
    let mut calls = callers(offer, wish);
    if calls.is_empty() {
        calls.extend(offer.calls.iter().find(|call| call.wishes.contains(&wish)).cloned());
    }
    calls
}

impl Stage<'_> {
    /// What the server asked for in requests of its own since something was sent, and perhaps because of it: over
    /// Streamable HTTP what is asked about a request comes on its own stream.
    pub(super) fn wishes_during(&mut self, ticket: &Ticket) -> Vec<Wish> {
        if self.era() == Era::Modern {
            return Vec::new();
        }
        let mut heard = self.talk.asked_since(ticket.since);
        if self.transport() == Transport::Http {
            heard.retain(|heard| {
                let channel = heard.record.channel;
                channel == ticket.channel || self.talk.listens_on(channel)
            });
        }
        heard.iter().filter_map(|heard| Wish::of(heard.message.method()?, heard.message.params())).collect()
    }

    /// What the server asked for in requests of its own since a position.
    pub(super) fn wishes_since(&mut self, since: u64) -> Vec<Wish> {
        if self.era() == Era::Modern {
            return Vec::new();
        }
        let heard = self.talk.asked_since(since);
        heard.iter().filter_map(|heard| Wish::of(heard.message.method()?, heard.message.params())).collect()
    }

    /// A call with these parameters; see [`Offer::compose_call`](super::Offer::compose_call).
    pub(super) fn compose_call(&mut self, params: Value) -> Outgoing {
        self.offer.compose_call(self.talk, params)
    }

    /// Sends a call with these parameters and waits a while; what takes too long is cancelled.
    pub(super) async fn call_once(&mut self, params: Value, taint: Option<Taint>) -> (Ticket, Reply) {
        let mut outgoing = self.compose_call(params);
        if let Some(taint) = taint {
            outgoing = outgoing.deliberate(self.name, taint);
        }
        let ticket = self.talk.send(outgoing).await;
        let wait = self.talk.timeouts().request.min(PATIENCE);
        let reply = self.talk.reply_within(&ticket, wait).await;
        if let Reply::Silence(_) = reply {
            give_up(self, &ticket).await;
        }
        (ticket, reply)
    }

    /// The same, and waits on as long as the server goes on asking: such a call is not lost.
    async fn call_while_asked(&mut self, params: Value, taint: Option<Taint>) -> (Ticket, Reply) {
        let mut outgoing = self.compose_call(params);
        if let Some(taint) = taint {
            outgoing = outgoing.deliberate(self.name, taint);
        }
        let ticket = self.talk.send(outgoing).await;
        let wait = self.talk.timeouts().request.min(PATIENCE);
        let mut reply = self.talk.reply_within(&ticket, wait).await;
        // One question may be what it waits for in vain.
        let mut before = 1;
        for _ in 0..MOST_WAITS {
            let asked = self.talk.asked_since(ticket.since).len();
            if !matches!(reply, Reply::Silence(_)) || asked <= before {
                break;
            }
            before = asked;
            reply = self.talk.reply_within(&ticket, wait).await;
        }
        if let Reply::Silence(_) = reply {
            give_up(self, &ticket).await;
        }
        (ticket, reply)
    }

    /// Repeats a call, and answers in this way what the server asks for meanwhile.
    pub(super) async fn call_answering(&mut self, call: &Call, mut answering: Answering) -> Outcome {
        let taint = answering.breaks_the_protocol().then_some(Taint::Message);
        let mut params = call_params(call);
        if self.era() == Era::Legacy {
            self.talk.answer_as(answering);
            let (ticket, reply) = self.call_while_asked(params, taint).await;
            self.talk.answer_as(Answering::Willing);
            let heard = self.talk.asked_since(ticket.since);
            let questions = heard.iter().map(|heard| heard.message.value().clone()).collect();
            return Outcome { ticket, reply, questions };
        }
        let rounds = if let Answering::Tools(uses) = answering { uses + 1 } else { MOST_ROUNDS };
        let mut questions: Vec<Value> = Vec::new();
        let mut sent = self.call_once(params.clone(), None).await;
        for _ in 0..rounds {
            let Some(result) = sent.1.result().filter(|result| mrtr::demands_input(result)).cloned() else {
                break;
            };
            let requests = result.get("inputRequests").and_then(Value::as_object);
            questions.extend(requests.into_iter().flatten().map(|(_, request)| request.clone()));
            params = mrtr::retry_answering(&params, &result, &mut answering);
            sent = self.call_once(params.clone(), taint).await;
        }
        Outcome { ticket: sent.0, reply: sent.1, questions }
    }

    /// Repeats the first call that asks for this, and answers in this way; `None` where nothing asks for it any more.
    pub(super) async fn call_for(&mut self, wish: Wish, answering: &Answering) -> Option<(Call, Outcome)> {
        let calls = callers(self.offer, wish);
        self.call_among(calls, wish, answering).await
    }

    /// The same among these calls.
    pub(super) async fn call_among(
        &mut self,
        calls: Vec<Call>,
        wish: Wish,
        answering: &Answering,
    ) -> Option<(Call, Outcome)> {
        for call in calls {
            let outcome = self.call_answering(&call, answering.clone()).await;
            if outcome.question(wish).is_some() {
                self.offer.asker.insert(wish, call.tool.clone());
                return Some((call, outcome));
            }
            if self.talk.gone().is_some() {
                break;
            }
        }
        None
    }

    /// Judges whether a call came to an end whatever the client answered. A call that is simply lost is a breach only
    /// where the server is well otherwise.
    pub(super) async fn judge_end(&mut self, id: &'static str, call: &Call, outcome: &Outcome, what: &str) {
        if outcome.verdict().is_an_end() {
            return self.judge.held(id);
        }
        let lost = matches!(outcome.reply, Reply::Silence(_)) && self.talk.gone().is_none();
        if !lost || self.talk.canary().await.result().is_none() {
            let text = format!("no usable answer came: {}", outcome.reply.describe());
            return self.judge.undecided(id, "no-answer", text);
        }
        let message = format!("a call of `{}` never ended after {what}", call.tool);
        self.judge.broke(
            id,
            super::breach("no-end", message, &outcome.ticket, &outcome.reply)
                .expected(&["a result, with or without `isError`", "an error"]),
        );
    }
}

/// The parameters of a call.
pub(super) fn call_params(call: &Call) -> Value {
    json!({"name": call.tool, "arguments": call.arguments})
}
