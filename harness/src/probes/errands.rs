//! Requests that are under way several at once; each demand for input is met as soon as it comes.

use super::Stage;
use crate::client::{Outgoing, Reply, Ticket, Wish, mrtr};
use crate::protocol::Era;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How long all of them may take.
pub(super) const BUDGET: Duration = Duration::from_secs(10);
/// How often a demand for input is met for one request.
pub(super) const MOST_ROUNDS: usize = 5;
/// How long one request is waited for, from when it was sent or anything else was answered: a server may do one thing
/// after the other.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The least that a request is waited for, when the time for all is up.
const AT_LEAST: Duration = Duration::from_millis(50);
/// How many requests wait for their answers at once.
const IN_FLIGHT: usize = 8;

/// A request to send.
pub(super) struct Waiting {
    pub(super) method: &'static str,
    pub(super) params: Value,
    /// Arguments to repeat in headers.
    mirrored: Vec<(String, String)>,
    /// What is asked for: the name of a tool or prompt, or a URI.
    pub(super) what: String,
}

/// What came of a request, demands for input met.
pub(super) struct Met {
    pub(super) ticket: Ticket,
    pub(super) reply: Reply,
    pub(super) rounds: usize,
    /// Whether each demand for input was for the same as the first.
    pub(super) same_again: bool,
    /// The first demand for input.
    pub(super) demanded: Option<Value>,
    pub(super) wishes: Vec<Wish>,
    /// From the first request to the arrival of the last reply.
    pub(super) took: Duration,
}

/// A request that was sent.
struct Open {
    waiting: Waiting,
    first: Ticket,
    /// The last retry, or the first request.
    ticket: Ticket,
    params: Value,
    began: Instant,
    /// When the last one was sent.
    sent: Instant,
    demanded: Vec<Value>,
    wishes: Vec<Wish>,
    rounds: usize,
    met: Option<Met>,
}

/// Makes a request that waits to be sent.
pub(super) fn prepare(
    stage: &mut Stage<'_>,
    method: &'static str,
    params: Value,
    mirrored: Vec<(String, String)>,
    what: &str,
) -> (Waiting, Outgoing) {
    let mut outgoing = stage.talk.compose(method, params.clone());
    outgoing.mirrored.clone_from(&mirrored);
    (Waiting { method, params, mirrored, what: what.to_owned() }, outgoing)
}

/// Sends requests, several at once, and hands each answer on in the order of sending. Those for which no time is left
/// come back unsent.
pub(super) async fn run(
    stage: &mut Stage<'_>,
    mut requests: VecDeque<(Waiting, Outgoing)>,
    mut done: impl FnMut(&mut Stage<'_>, &Waiting, Met),
) -> Vec<String> {
    let deadline = Instant::now() + BUDGET;
    let mut answered = Instant::now();
    let mut open: VecDeque<Open> = VecDeque::new();
    loop {
        while under_way(&open).count() < IN_FLIGHT && Instant::now() < deadline {
            let Some((waiting, outgoing)) = requests.pop_front() else { break };
            open.push_back(Open::send(stage, waiting, outgoing).await);
        }
        let (places, tickets): (Vec<usize>, Vec<Ticket>) =
            under_way(&open).map(|(at, one)| (at, one.ticket.clone())).unzip();
        let patience = stage.talk.timeouts().request.min(PATIENCE);
        let until =
            move |one: &Open| (one.sent.max(answered) + patience).min(deadline).max(one.sent + AT_LEAST);
        let Some(soonest) = under_way(&open).map(|(_, one)| until(one)).min() else { break };
        if let Some(first) = stage.talk.first_settled(&tickets, soonest).await {
            open[places[first]].go_on(stage).await;
            answered = Instant::now();
        } else {
            let now = Instant::now();
            let late: Vec<usize> = places.into_iter().filter(|at| until(&open[*at]) <= now).collect();
            for at in late {
                open[at].give_up(stage, patience).await;
            }
        }
        while open.front().is_some_and(|one| one.met.is_some()) {
            let Some(Open { waiting, met: Some(met), .. }) = open.pop_front() else { break };
            done(stage, &waiting, met);
        }
        if stage.talk.gone().is_some() {
            break;
        }
    }
    requests.into_iter().map(|(waiting, _)| waiting.what).collect()
}

/// What has not come to its end, with its place.
fn under_way(open: &VecDeque<Open>) -> impl Iterator<Item = (usize, &Open)> {
    open.iter().enumerate().filter(|(_, one)| one.met.is_none())
}

impl Open {
    async fn send(stage: &mut Stage<'_>, waiting: Waiting, outgoing: Outgoing) -> Self {
        let began = Instant::now();
        let ticket = stage.talk.send(outgoing).await;
        Self {
            params: waiting.params.clone(),
            waiting,
            first: ticket.clone(),
            ticket,
            began,
            sent: began,
            demanded: Vec::new(),
            wishes: Vec::new(),
            rounds: 0,
            met: None,
        }
    }

    /// Takes the reply that is there. A demand for input is met: a new id, an answer to each input, the state echoed.
    async fn go_on(&mut self, stage: &mut Stage<'_>) {
        // A stream that ended early is taken up again, which takes its time.
        let wait = stage.talk.timeouts().request.min(PATIENCE);
        let reply = stage.talk.reply_within(&self.ticket, wait).await;
        if let Reply::Silence(_) = reply {
            give_up(stage, &self.ticket).await;
        }
        let demand = reply.result().filter(|result| {
            stage.era() == Era::Modern && mrtr::demands_input(result) && self.rounds < MOST_ROUNDS
        });
        let Some(demand) = demand else { return self.finish(stage, reply) };
        self.wishes.extend(mrtr::wishes(demand));
        self.demanded.extend(demand.get("inputRequests").cloned());
        self.params = mrtr::retry(&self.params, demand);
        self.rounds += 1;
        let mut outgoing = stage.talk.compose(self.waiting.method, self.params.clone());
        outgoing.mirrored.clone_from(&self.waiting.mirrored);
        self.sent = Instant::now();
        self.ticket = stage.talk.send(outgoing).await;
    }

    /// No reply came in time.
    async fn give_up(&mut self, stage: &mut Stage<'_>, waited: Duration) {
        if waited >= stage.talk.timeouts().request {
            stage.talk.waited_in_vain(&self.ticket).await;
        }
        give_up(stage, &self.ticket).await;
        self.finish(stage, Reply::Silence(waited));
    }

    fn finish(&mut self, stage: &mut Stage<'_>, reply: Reply) {
        let mut wishes = std::mem::take(&mut self.wishes);
        wishes.extend(stage.wishes_during(&self.first));
        let mut demanded = std::mem::take(&mut self.demanded);
        demanded.extend(reply.result().and_then(|result| result.get("inputRequests")).cloned());
        let same_again = demanded.windows(2).all(|pair| pair[0] == pair[1]);
        let demanded = demanded.into_iter().next();
        let took = stage.answered_after(&self.first, &reply).unwrap_or_else(|| self.began.elapsed());
        let (ticket, rounds) = (self.ticket.clone(), self.rounds);
        self.met = Some(Met { ticket, reply, rounds, same_again, demanded, wishes, took });
    }
}

/// Cancels what took too long, as a client has to.
pub(super) async fn give_up(stage: &mut Stage<'_>, ticket: &Ticket) {
    if stage.era() == Era::Modern && stage.transport().is_http() {
        return stage.talk.abort(ticket).await;
    }
    let Some(id) = ticket.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok()) else {
        return;
    };
    stage.talk.notify("notifications/cancelled", json!({"requestId": id, "reason": "timed out"})).await;
}
