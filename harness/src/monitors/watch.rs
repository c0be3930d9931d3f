//! Runs all monitors over a conversation, event by event.

use super::judge::Judge;
use super::rule::{self, Validity};
use super::schema::revision_of;
use super::state::{Heard, Moment, State};
use crate::protocol::Kind;
use crate::transcript::{About, Record, Recorder};
use crate::wire::{Channel, Event};
use std::sync::Arc;

/// The monitors at work on one conversation.
pub struct Watch {
    state: State,
    /// What they said so far.
    pub judge: Judge,
}

impl Watch {
    /// Monitors for a conversation that begins.
    pub fn new(about: &About) -> Self {
        Self { state: State::new(about), judge: Judge::default() }
    }

    /// A whole conversation at once.
    pub fn over(conversation: &Arc<Recorder>) -> Judge {
        let mut watch = Self::new(conversation.about());
        watch.judge.about(conversation);
        for record in &conversation.snapshot() {
            watch.see(record);
        }
        watch.finish()
    }

    /// What is known by now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes in the next event.
    pub fn see(&mut self, record: &Arc<Record>) {
        self.state.note_sent(record);
        self.judge_event(record);
        self.state.note_seen(record);
    }

    fn judge_event(&mut self, record: &Arc<Record>) {
        let Event::Received { payload, .. } = &record.event else {
            return self.judge_moment(record, None);
        };
        let Some(message) = payload.message() else {
            return self.judge_moment(record, None);
        };
        if *message.kind() != Kind::Batch {
            self.judge_moment(record, Some((message, false)));
            return self.state.note_received(record, message);
        }
        // The array itself is judged without a message, then each element as a message of its own.
        self.judge_moment(record, None);
        for part in message.parts() {
            self.judge_moment(record, Some((&part, true)));
            self.state.note_received(record, &part);
        }
    }

    /// Forgets what lies long back in a conversation of any length.
    pub fn forget(&mut self) {
        self.state.forget();
    }

    /// The conversation is over.
    pub fn finish(mut self) -> Judge {
        for monitor in rule::all() {
            if let Some(at_end) = monitor.at_end {
                at_end(&self.state, self.judge.by(monitor.name));
            }
        }
        self.judge
    }

    fn judge_moment(&mut self, record: &Arc<Record>, message: Option<(&crate::protocol::Message, bool)>) {
        let state = &self.state;
        let exchange =
            (record.channel != Channel::PROCESS).then(|| state.exchanges.get(&record.channel)).flatten();
        let tainted_exchange = exchange.is_some_and(super::state::HttpExchange::is_tainted);
        let message = message.map(|(message, in_batch)| {
            let answers = message.is_response().then(|| state.answered_by(message)).flatten();
            let tainted = state.tainted_since.is_some()
                || tainted_exchange
                || answers.is_some_and(super::state::Asked::is_tainted);
            let result = message.result().filter(|result| result.is_object() && message.error().is_none());
            let first = answers.filter(|asked| asked.responses == 0);
            let revision =
                first.zip(result).and_then(|(asked, result)| revision_of(state, asked, Some(result)));
            Heard { message, answers, exchange, in_batch, tainted, revision }
        });
        let tainted =
            message.map_or(state.tainted_since.is_some() || tainted_exchange, |heard| heard.tainted);
        let moment = Moment { record, message, state };
        for monitor in rule::all() {
            if monitor.validity == Validity::AnyTraffic || !tainted {
                (monitor.rule)(&moment, self.judge.by(monitor.name));
            }
        }
    }
}
