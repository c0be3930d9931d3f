//! Plays the client's part of one session to a server.

use super::align::Aligner;
use super::bind::Names;
use super::compare::Mode;
use super::difference::{Difference, Kind, Place};
use super::outbound::Outbound;
use super::run::Options;
use super::script::{Sending, Session, VERSION};
use crate::client::{Conversation, Gone, Outgoing, Reply, Ticket};
use crate::protocol::{Era, Kind as MessageKind, Message, Revision};
use crate::transcript::{Record, RulePart};
use crate::wire::{Channel, Event, Payload};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long the end of a process may come after its pipes have closed.
const LAST_WORDS: Duration = Duration::from_millis(1500);
/// How many answers in a row may not come before the server is given up.
const PATIENCE: u32 = 3;

/// A session that is being played.
pub(super) struct Play<'a> {
    session: &'a Session,
    options: &'a Options,
    pub(super) aligner: Aligner<'a>,
    outbound: Outbound<'a>,
    tickets: Vec<Option<Ticket>>,
    pub(super) sent: Vec<bool>,
    /// The event up to which all was heard.
    heard_to: u64,
    pub(super) names: Names,
    /// The server's requests that came, by their place in the recording.
    asks: HashMap<usize, Message>,
    /// Answers in a row that did not come.
    in_vain: u32,
    pub(super) gone: Option<String>,
    pub(super) refused: bool,
    pub(super) notes: Vec<String>,
    /// When something was sent last, and when that was in the recording.
    last: Option<(Instant, Duration)>,
}

impl<'a> Play<'a> {
    pub(super) fn new(session: &'a Session, options: &'a Options, outbound: Outbound<'a>) -> Self {
        Self {
            session,
            options,
            aligner: Aligner::new(session),
            outbound,
            tickets: vec![None; session.sends.len()],
            sent: vec![false; session.sends.len()],
            heard_to: 0,
            names: Names::default(),
            asks: HashMap::new(),
            in_vain: 0,
            gone: None,
            refused: false,
            notes: Vec::new(),
            last: None,
        }
    }

    /// Sends all that can be sent, and waits for what was recorded.
    pub(super) async fn run(&mut self, talk: &mut Conversation) {
        for number in 0..self.session.sends.len() {
            // Answers go out when they are asked for.
            if self.session.sends[number].answers.is_some() {
                continue;
            }
            for place in 0..self.session.sends[number].after {
                self.wait_for(talk, place).await;
            }
            self.take_in(talk, number).await;
            if self.is_gone(talk).await || self.refused {
                return;
            }
            self.keep_time(talk, number).await;
            self.send(talk, number).await;
            self.take_in(talk, number + 1).await;
        }
        let all = self.session.sends.len();
        for place in 0..self.session.expected.len() {
            let expected = &self.session.expected[place];
            // What ends a subscription, and what follows the end of the input, comes when the conversation is closed.
            let awaited = !expected.after_close || expected.part == RulePart::Answer;
            if awaited && !expected.ends_subscription {
                self.wait_for(talk, place).await;
            }
        }
        if self.gone.is_none() {
            let quiet = Instant::now() + self.options.grace;
            while talk.news(quiet).await {
                self.take_in(talk, all).await;
            }
        }
        self.take_in(talk, all).await;
        let _ = self.is_gone(talk).await;
    }

    /// Waits for a recorded message, as long as it may still come.
    async fn wait_for(&mut self, talk: &mut Conversation, place: usize) {
        if self.aligner.live[place].is_some() || self.aligner.given_up.contains(&place) || self.refused {
            return;
        }
        let expected = &self.session.expected[place];
        let owner = expected.owner.filter(|_| expected.part == RulePart::Answer);
        let before = self
            .session
            .sends
            .iter()
            .rfind(|send| send.seq < expected.seq)
            .map_or(Duration::ZERO, |send| send.at);
        let since = owner.map_or(before, |owner| self.session.sends[owner].at);
        let took = expected.at.saturating_sub(since);
        let important = expected.part != RulePart::Notification;
        let allowed = if important { self.options.wait } else { self.options.wait.min(self.options.beside) };
        let deadline = Instant::now() + took + allowed;
        let upto = self
            .session
            .sends
            .iter()
            .position(|send| send.seq > expected.seq)
            .unwrap_or(self.session.sends.len());
        loop {
            self.take_in(talk, upto).await;
            if self.aligner.live[place].is_some() {
                self.in_vain = 0;
                return;
            }
            if self.is_gone(talk).await {
                return;
            }
            let ticket = owner.and_then(|owner| self.tickets[owner].clone());
            if let Some(ticket) = ticket
                && let Some(reply) = talk.outcome(&ticket)
                && reply.answer().is_none()
            {
                let ended = matches!(reply, Reply::NoMessage(_) | Reply::Gone(Gone::Broken(_)));
                if !(ended && talk.take_up(&ticket, deadline).await) {
                    self.settle(talk, upto, place).await;
                    return;
                }
            }
            if !talk.news(deadline).await {
                break;
            }
        }
        self.aligner.given_up.insert(place);
        if expected.part == RulePart::Answer {
            self.in_vain += 1;
            if let Some(ticket) = owner.and_then(|owner| self.tickets[owner].as_ref()) {
                talk.note_timed_out(ticket);
            }
            if self.in_vain >= PATIENCE {
                self.gone = Some(format!("it left {PATIENCE} requests in a row without an answer"));
            }
        }
    }

    /// No answer is to come any more; one that came at the last moment is taken.
    async fn settle(&mut self, talk: &mut Conversation, upto: usize, place: usize) {
        self.take_in(talk, upto).await;
        self.aligner.given_up.insert(place);
    }

    async fn is_gone(&mut self, talk: &mut Conversation) -> bool {
        if self.gone.is_none() {
            let refused =
                self.tickets.iter().flatten().last().and_then(|ticket| match talk.outcome(ticket) {
                    Some(Reply::Gone(gone @ Gone::ConnectFailed(_))) => Some(gone),
                    _ => None,
                });
            let mut gone = talk.gone();
            // A pipe that closed is most often the first sign of an end, which tells more.
            let deadline = Instant::now() + LAST_WORDS;
            while matches!(gone, Some(Gone::StdoutClosed | Gone::WriteFailed(_))) && talk.news(deadline).await
            {
                gone = talk.gone();
            }
            self.gone = gone.or(refused).map(|gone| gone.to_string());
        }
        self.gone.is_some()
    }

    /// Takes in what came, and answers what the server asked: what was sent after the number was not yet.
    async fn take_in(&mut self, talk: &mut Conversation, upto: usize) {
        for heard in talk.heard_since(self.heard_to) {
            self.heard_to = heard.record.seq + 1;
            self.hear(talk, &heard.message, heard.record.channel).await;
        }
        let due: Vec<usize> =
            (0..self.session.sends.len()).filter(|number| self.is_due(*number, upto)).collect();
        for number in due {
            self.send(talk, number).await;
        }
    }

    async fn hear(&mut self, talk: &mut Conversation, message: &Message, channel: Channel) {
        let place = self.aligner.hear(message, channel);
        self.outbound.hear(message);
        if *message.kind() != MessageKind::Request {
            return;
        }
        match place {
            Some(place) => drop(self.asks.insert(place, message.clone())),
            None => self.answer_unrecorded(talk, message).await,
        }
    }

    /// Whether an answer to the server is to be sent: it asked, and what the client did between that and its answer is done.
    fn is_due(&self, number: usize, upto: usize) -> bool {
        let send = &self.session.sends[number];
        let Some(ask) = send.answers.filter(|ask| !self.sent[number] && self.asks.contains_key(ask)) else {
            return false;
        };
        let between =
            |(_, earlier): &(usize, &super::script::Send)| earlier.after > ask && earlier.answers.is_none();
        let last = self.session.sends[..number].iter().enumerate().rfind(between);
        last.is_none_or(|(earlier, _)| earlier < upto && self.sent[earlier])
    }

    /// What the recording has no answer to is answered as a request of the same method was, else refused.
    async fn answer_unrecorded(&mut self, talk: &mut Conversation, message: &Message) {
        let Some(id) = message.value().get("id") else { return };
        let alike = self.session.sends.iter().find(|send| {
            let asked = send.answers.map(|ask| self.session.expected[ask].method.as_str());
            asked.is_some() && asked == message.method()
        });
        let recorded = alike.and_then(|send| send.messages().into_iter().next());
        let mut answer = match recorded {
            Some(recorded) => recorded.value().clone(),
            None if message.method() == Some("ping") => json!({"jsonrpc": "2.0", "result": {}}),
            None => {
                json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": "the recording has no answer to this"}})
            }
        };
        answer["id"] = id.clone();
        talk.send(Outgoing { id: None, ..Outgoing::message(&answer) }).await;
    }

    /// Lets as much time pass as did in the recording, where that is wished.
    async fn keep_time(&mut self, talk: &mut Conversation, number: usize) {
        let at = self.session.sends[number].at;
        if let Some((sent, then)) = self.last.filter(|_| self.options.recorded_timing) {
            let due = sent + at.saturating_sub(then);
            while talk.news(due).await {
                self.take_in(talk, number).await;
            }
        }
        self.last = Some((Instant::now(), at));
    }

    async fn send(&mut self, talk: &mut Conversation, number: usize) {
        self.sent[number] = true;
        let send = &self.session.sends[number];
        for lost in self.names.learn(self.session, number, &self.aligner.live) {
            self.notes.push(format!(
                "`{lost}` is sent as it was recorded: what stands in its place now was not found"
            ));
        }
        match &send.what {
            Sending::Listen => {
                talk.listen();
                if let Some(ticket) = talk.listening() {
                    let _ = talk.head(&ticket).await;
                    self.tickets[number] = Some(ticket);
                }
            }
            Sending::Delete => {
                if talk.transport().is_http() {
                    let since = talk.now();
                    talk.bare("DELETE", Outgoing::bytes("")).await;
                    let begun = talk.recorder().snapshot();
                    let head = begun.iter().rfind(
                        |record| matches!(&record.event, Event::RequestHead { method, .. } if method == "DELETE"),
                    );
                    self.tickets[number] = head.map(|head| Ticket { id: None, channel: head.channel, since });
                }
            }
            Sending::Abort(earlier) => {
                if let Some(ticket) = self.tickets[*earlier].clone() {
                    if talk.transport().is_http() {
                        talk.abort(&ticket).await;
                    } else if let (Some(Era::Modern), Some(id)) = (talk.era(), &ticket.id) {
                        let id: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
                        talk.notify("notifications/cancelled", json!({"requestId": id})).await;
                    }
                }
            }
            Sending::Payload(payload) => self.payload(talk, number, payload).await,
        }
    }

    async fn payload(&mut self, talk: &mut Conversation, number: usize, payload: &Payload) {
        let send = &self.session.sends[number];
        let ask = send.answers.and_then(|ask| self.asks.get(&ask));
        let outgoing = self.outbound.outgoing(send, payload, &self.names, ask);
        let message = Message::parse(&outgoing.body).ok();
        let method = message.as_ref().and_then(Message::method).unwrap_or_default().to_owned();
        if talk.era() != Some(Era::Modern)
            && let Some(version) = message.as_ref().and_then(|message| message.params()?.pointer(VERSION))
        {
            let named = version.as_str().and_then(|version| version.parse::<Revision>().ok());
            talk.speak_modern(
                named.filter(|named| named.era() == Era::Modern).unwrap_or(Revision::V2026_07_28),
            );
        }
        // Over HTTP closing the response is what cancels a request of the modern era.
        if method == "notifications/cancelled"
            && talk.transport().is_http()
            && talk.era() == Some(Era::Modern)
        {
            let named = message.as_ref().and_then(|message| message.params()?.get("requestId").cloned());
            let cancelled = self.tickets.iter().flatten().find(|ticket| {
                ticket.id.as_ref().map(|id| id.as_json().to_owned()) == named.as_ref().map(Value::to_string)
            });
            if let Some(ticket) = cancelled.cloned() {
                talk.abort(&ticket).await;
            }
            return;
        }
        let is_request = outgoing.id.is_some();
        let first = method == "initialize" && is_request && talk.handshake().is_none();
        if first {
            self.initialize(talk, number, outgoing).await;
            return;
        }
        let ticket = talk.send(outgoing).await;
        self.aligner.carried(number, ticket.channel);
        if let Some(message) = &message {
            message.parts().iter().for_each(|part| self.aligner.sent(number, part, ticket.channel));
        }
        self.tickets[number] = Some(ticket.clone());
        if method == "server/discover" && number == 0 {
            self.opening_of_modern(talk, &ticket).await;
        }
        if talk.transport().is_http() && !is_request {
            // What is sent next must not overtake it.
            let _ = talk.head(&ticket).await;
        }
        let listens = self.session.sends.iter().any(|send| matches!(send.what, Sending::Listen));
        if method == "notifications/initialized" && !self.outbound.same_transport && !listens {
            talk.listen();
        }
    }

    async fn initialize(&mut self, talk: &mut Conversation, number: usize, outgoing: Outgoing) {
        let message = Message::parse(&outgoing.body).ok();
        // Nothing is heard by the aligner before the ticket is known.
        let (ticket, reply) = talk.opening_in_legacy(outgoing).await;
        if let Some(message) = &message {
            self.aligner.sent(number, message, ticket.channel);
        }
        let _ = talk.agree(&reply);
        self.refused = number == 0 && self.was_answered_by_result(number) && reply.is_refusal();
        self.tickets[number] = Some(ticket);
    }

    async fn opening_of_modern(&mut self, talk: &mut Conversation, ticket: &Ticket) {
        let deadline = Instant::now() + talk.timeouts().startup;
        let settled = talk.first_settled(std::slice::from_ref(ticket), deadline).await;
        let reply = settled.and_then(|_| talk.outcome(ticket));
        self.refused = self.was_answered_by_result(0) && reply.is_some_and(|reply| reply.is_refusal());
    }

    fn was_answered_by_result(&self, number: usize) -> bool {
        let answers =
            |one: &&super::script::Expected| one.owner == Some(number) && one.part == RulePart::Answer;
        self.session.expected.iter().find(answers).is_some_and(|answer| answer.message.result().is_some())
    }

    /// What came while the conversation was closed.
    pub(super) fn hear_rest(&mut self, records: &[std::sync::Arc<Record>]) {
        for record in records.iter().filter(|record| record.seq >= self.heard_to) {
            if let Event::Received { payload: Payload::Message(message), .. } = &record.event {
                for part in message.parts() {
                    self.aligner.hear(&part, record.channel);
                }
            }
        }
    }

    /// HTTP statuses that differ.
    pub(super) fn statuses(&self, session: usize, talk: &Conversation) -> Vec<Difference> {
        let mut live: HashMap<Channel, u16> = HashMap::new();
        for record in talk.recorder().snapshot() {
            if let Event::ResponseHead { status, .. } = &record.event {
                live.entry(record.channel).or_insert(*status);
            }
        }
        let mut found = Vec::new();
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (number, send) in self.session.sends.iter().enumerate() {
            let name = send.name();
            let nth = counts.entry(name.clone()).or_default();
            *nth += 1;
            let is = self.tickets[number].as_ref().and_then(|ticket| live.get(&ticket.channel));
            let (Some(was), Some(is)) = (send.status, is) else { continue };
            if was != *is && self.options.mode != Mode::Schema {
                let event = Some(send.seq);
                found.push(Difference {
                    message: Place {
                        session,
                        method: name,
                        of: RulePart::Answer,
                        nth: *nth,
                        event,
                        after: None,
                    },
                    path: String::new(),
                    kind: Kind::Status,
                    recorded: Some(was.into()),
                    live: Some((*is).into()),
                    note: None,
                });
            }
        }
        found
    }
}
