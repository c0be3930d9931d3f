//! One task: what the tool inside, the client outside and the store do with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::changes::{Change, Changes};
use crate::context::Sink;
use crate::features::tasks::outlet::{Attachment, Outlet};
use crate::features::tasks::state::{Outcome, State, Status};
use crate::features::tasks::store::Owner;
use crate::features::{Given, InputRequest, Stop};
use crate::memory::{Memory, refusal};
use crate::message::{Object, RpcError, footprint, shorten, to_json};

/// The most memory in bytes that one answer of a client may take: a task may keep it for long.
const LARGEST_ANSWER: usize = 64 << 10;

/// What is fixed when a task begins.
pub(crate) struct Terms {
    /// Tells it from all others, and is not to be guessed.
    pub id: String,
    pub owner: Owner,
    /// How long the task is kept, counted from its beginning.
    pub ttl: Duration,
    /// Whether a tool result with `isError` makes the task a failed one (2025-11-25) or a completed one.
    pub tool_errors_fail: bool,
    pub outlet: Outlet,
}

/// A task.
pub(crate) struct Task {
    pub id: String,
    /// Grows from task to task.
    pub number: u32,
    pub outlet: Arc<Outlet>,
    owner: Owner,
    created: Timestamp,
    ttl: Duration,
    expires: Instant,
    gone: Arc<AtomicBool>,
    tool_errors_fail: bool,
    state: watch::Sender<State>,
    changes: Arc<Changes>,
}

/// What a task was like at one moment.
#[derive(Debug)]
pub(crate) struct TaskView {
    pub id: String,
    pub owner: Owner,
    pub status: Status,
    pub message: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Whether it is in the store no longer, by now.
    pub gone: Arc<AtomicBool>,
    /// Milliseconds.
    pub ttl: u64,
    pub outcome: Option<Outcome>,
    /// Key, method and params of each open question.
    pub questions: Vec<(String, &'static str, Object)>,
}

impl TaskView {
    /// The members that both dialects have.
    pub(super) fn members(&self) -> Object {
        let mut task = Object::new();
        task.insert("taskId".into(), self.id.clone().into());
        task.insert("status".into(), self.status.as_str().into());
        if let Some(message) = &self.message {
            task.insert("statusMessage".into(), message.clone().into());
        }
        task.insert("createdAt".into(), format!("{:.3}", self.created).into());
        task.insert("lastUpdatedAt".into(), format!("{:.3}", self.updated).into());
        task
    }
}

/// A question that one `tasks/result` asks on behalf of the task; dropped unanswered, another may ask it.
pub(super) struct Taken {
    task: Arc<Task>,
    pub key: String,
    pub request: InputRequest,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.task.state.send_modify(|state| {
            if let Some(question) = state.questions_mut().iter_mut().find(|open| open.key == self.key) {
                question.taken = false;
            }
        });
    }
}

impl Task {
    pub(super) fn new(number: u32, terms: Terms, changes: Arc<Changes>) -> Self {
        let created = Timestamp::now();
        Self {
            id: terms.id,
            number,
            outlet: Arc::new(terms.outlet),
            owner: terms.owner,
            created,
            ttl: terms.ttl,
            expires: Instant::now() + terms.ttl,
            gone: Arc::default(),
            tool_errors_fail: terms.tool_errors_fail,
            state: watch::Sender::new(State::new(created)),
            changes,
        }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn expires(&self) -> Instant {
        self.expires
    }

    fn view_of(&self, state: &State) -> TaskView {
        let questions = state.questions().iter();
        TaskView {
            id: self.id.clone(),
            owner: self.owner.clone(),
            status: state.status(),
            message: state.message.clone(),
            created: self.created,
            updated: state.updated,
            gone: Arc::clone(&self.gone),
            ttl: self.ttl.as_millis() as u64,
            outcome: state.outcome().cloned(),
            questions: questions
                .map(|open| (open.key.clone(), open.request.method, open.request.params.clone()))
                .collect(),
        }
    }

    /// What the task is like now.
    pub(crate) fn view(&self) -> TaskView {
        self.view_of(&self.state.borrow())
    }

    /// Changes the state, and tells listeners when that changes the status.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut done = None;
        self.state.send_modify(|state| {
            let before = state.status();
            done = Some(change(state));
            if state.status() != before {
                // Told under the lock, so that changes are told in their order.
                self.changes.announce(&Change::Task(Arc::new(self.view_of(state))));
            }
        });
        done.expect("the closure has run")
    }

    /// Says how far the work is.
    pub(crate) fn say(&self, message: &str) {
        self.state.send_if_modified(|state| {
            if !state.is_over() {
                state.message = Some(shorten(message));
                state.touch();
            }
            // Nobody waits for that.
            false
        });
    }

    /// Asks the client several things at once and waits for all answers, or until patience ends.
    pub(crate) async fn ask(
        &self,
        questions: &[(&str, InputRequest)],
        patience: Duration,
    ) -> Result<Vec<Given>, Stop> {
        let ended = || Stop::Refused("The task ended before its question was answered.".to_owned());
        let asked: Option<Vec<_>> = self.change(|state| {
            questions.iter().map(|(key, question)| state.ask(key, question.clone())).collect()
        });
        let (keys, answers): (Vec<_>, Vec<_>) = asked.ok_or_else(ended)?.into_iter().unzip();
        let _asking = Asking { task: self, keys };
        let waiting = async {
            let mut given = Vec::new();
            for answer in answers {
                given.push(answer.await.map_err(|_| ended())??);
            }
            Ok(given)
        };
        let late = |_| Stop::Refused("The client did not answer in time.".to_owned());
        tokio::time::timeout(patience, waiting).await.map_err(late)?
    }

    /// Hands in answers from the client, which take room in `memory` until the task is done with them. Those that nothing
    /// was asked for are ignored; a malformed one spoils all, and so does one for which there is no room.
    pub(super) fn answer_all(&self, answers: Object, memory: &Arc<Memory>) -> Result<(), RpcError> {
        self.change(|state| {
            let mut all = Vec::new();
            for (key, value) in answers {
                if let Some(question) = state.questions().iter().find(|open| open.key == key) {
                    let size = check(&question.request, &value).map_err(|reason| {
                        RpcError::invalid_params(format!("Invalid params: inputResponses.{key}: {reason}"))
                    })?;
                    let held = memory.take_kept(size).ok_or_else(refusal)?;
                    all.push((key, Given { value, held }));
                }
            }
            for (key, given) in all {
                if let Some(question) = state.close(&key) {
                    question.answer(Ok(given));
                }
            }
            Ok(())
        })
    }

    /// Hands in what came of one question.
    pub(super) fn answer(&self, key: &str, answer: Result<Given, Stop>) {
        if let Some(question) = self.change(|state| state.close(key)) {
            question.answer(answer);
        }
    }

    /// Takes the questions that nobody is asking yet.
    pub(super) fn take_questions(self: &Arc<Self>) -> Vec<Taken> {
        self.change(|state| {
            let open = state.questions_mut().iter_mut().filter(|question| !question.taken);
            open.map(|question| {
                question.taken = true;
                Taken { task: Arc::clone(self), key: question.key.clone(), request: question.request.clone() }
            })
            .collect()
        })
    }

    /// Lets the task's messages go to `sink` for now.
    pub(super) fn attach(&self, sink: Sink) -> Attachment {
        self.outlet.attach(sink)
    }

    /// Waits until the task is over, or until there are questions that nobody is asking; true if it is over.
    pub(super) async fn over_or_asking(&self) -> bool {
        let asks = |state: &State| state.questions().iter().any(|question| !question.taken);
        let mut state = self.state.subscribe();
        let over = state.wait_for(|state| state.is_over() || asks(state)).await.map(|state| state.is_over());
        over.unwrap_or(true)
    }

    /// Waits until the task is over.
    pub(super) async fn over(&self) {
        let _ = self.state.subscribe().wait_for(State::is_over).await;
    }

    /// Waits until the task is in the store no longer.
    pub(super) async fn gone(&self) {
        let _ = self.state.subscribe().wait_for(|state| state.gone).await;
    }

    /// Ends the task with what came of the call.
    pub(super) fn finish(&self, outcome: Result<Object, RpcError>) {
        let failure = match &outcome {
            Err(error) => Some(error.message.clone()),
            Ok(result) if self.tool_errors_fail && result.get("isError") == Some(&Value::Bool(true)) => {
                let text = result.get("content").and_then(|content| content[0]["text"].as_str());
                Some(shorten(text.unwrap_or("The tool failed.")))
            }
            Ok(_) => None,
        };
        let status = if failure.is_some() { Status::Failed } else { Status::Completed };
        self.change(|state| state.end(status, failure, outcome));
    }

    /// Cancels the task; false if it is over already. Its work stops where it waits.
    pub(super) fn cancel(&self) -> bool {
        let none = RpcError::invalid_params("Invalid params: the task was cancelled and has no result");
        self.change(|state| {
            state.end(Status::Cancelled, Some("The task was cancelled by request.".to_owned()), Err(none))
        })
    }

    /// The task is in the store no longer.
    pub(super) fn leave(&self) {
        self.gone.store(true, Ordering::Relaxed);
        self.state.send_modify(|state| state.gone = true);
    }
}

/// The memory that an answer takes, in bytes, or what is wrong with it.
pub(super) fn check(question: &InputRequest, answer: &Value) -> Result<usize, String> {
    let size = footprint(&to_json(answer));
    if size > LARGEST_ANSWER {
        return Err("the answer is too large".to_owned());
    }
    question.check(answer).map(|()| size)
}

/// Questions of a tool that waits; they are taken back when it stops waiting.
struct Asking<'a> {
    task: &'a Task,
    keys: Vec<String>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let open = |key: &String| self.task.state.borrow().questions().iter().any(|open| open.key == *key);
        self.keys.retain(open);
        if !self.keys.is_empty() {
            self.task.change(|state| self.keys.iter().for_each(|key| drop(state.close(key))));
        }
    }
}
