//! The state of one task: its status with the legal transitions, what it asks for, and how it ended.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::features::{Given, InputRequest, Stop};
use crate::message::{Object, RpcError};

/// How a task ended: the result of the call, or its error.
pub(crate) type Outcome = Arc<Result<Object, RpcError>>;

/// The five statuses, the same in both eras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// Something that the task needs from its client before it can go on.
pub(super) struct Question {
    /// Names the question within the task; no other question of the task ever has the same.
    pub key: String,
    pub request: InputRequest,
    /// Legacy: whether a `tasks/result` is asking it at present.
    pub taken: bool,
    answer: oneshot::Sender<Result<Given, Stop>>,
}

impl Question {
    /// Hands over the answer; who asked may have gone in the meantime.
    pub(super) fn answer(self, answer: Result<Given, Stop>) {
        let _ = self.answer.send(answer);
    }
}

/// What changes in the life of a task.
pub(super) struct State {
    status: Status,
    pub message: Option<String>,
    pub updated: Timestamp,
    outcome: Option<Outcome>,
    questions: Vec<Question>,
    /// The keys of all questions so far.
    keys: HashSet<String>,
    /// Whether the task is no longer in the store.
    pub gone: bool,
}

impl State {
    pub(super) fn new(created: Timestamp) -> Self {
        Self {
            status: Status::Working,
            message: None,
            updated: created,
            outcome: None,
            questions: Vec::new(),
            keys: HashSet::new(),
            gone: false,
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(super) fn questions(&self) -> &[Question] {
        &self.questions
    }

    pub(super) fn questions_mut(&mut self) -> &mut [Question] {
        &mut self.questions
    }

    /// Whether nothing more will happen.
    pub(super) fn is_over(&self) -> bool {
        self.status.is_terminal() || self.gone
    }

    /// Notes a change, even when the clock goes backwards.
    pub(super) fn touch(&mut self) {
        self.updated = self.updated.max(Timestamp::now());
    }

    /// Ends the task; false if it has ended before, which nothing changes.
    pub(super) fn end(
        &mut self,
        status: Status,
        message: Option<String>,
        outcome: Result<Object, RpcError>,
    ) -> bool {
        if self.is_over() || !status.is_terminal() {
            return false;
        }
        self.status = status;
        self.message = message;
        self.outcome = Some(Arc::new(outcome));
        self.questions.clear();
        self.touch();
        true
    }

    /// Asks; `key` gets a number if the task has used it before. None if the task has ended.
    pub(super) fn ask(
        &mut self,
        key: &str,
        request: InputRequest,
    ) -> Option<(String, oneshot::Receiver<Result<Given, Stop>>)> {
        if self.is_over() {
            return None;
        }
        let mut unused = key.to_owned();
        let mut number = 1_u32;
        while !self.keys.insert(unused.clone()) {
            number += 1;
            unused = format!("{key}-{number}");
        }
        let (answer, answered) = oneshot::channel();
        self.questions.push(Question { key: unused.clone(), request, taken: false, answer });
        if self.status == Status::Working {
            self.status = Status::InputRequired;
        }
        self.touch();
        Some((unused, answered))
    }

    /// Takes a question back; the task goes on when it was the last.
    pub(super) fn close(&mut self, key: &str) -> Option<Question> {
        let position = self.questions.iter().position(|question| question.key == key)?;
        let question = self.questions.remove(position);
        if self.questions.is_empty() && self.status == Status::InputRequired {
            self.status = Status::Working;
        }
        self.touch();
        Some(question)
    }
}

#[cfg(test)]
mod tests {
    use super::{State, Status};
    use crate::features::{Capability, Given, InputRequest};
    use crate::memory::Held;
    use crate::message::Object;
    use jiff::Timestamp;
    use serde_json::json;

    fn question() -> InputRequest {
        InputRequest {
            method: "roots/list",
            params: Object::new(),
            needs: Capability::Roots,
            check: |_, _| Ok(()),
        }
    }

    #[test]
    fn questions_make_it_wait_and_answers_make_it_go_on() {
        let mut state = State::new(Timestamp::now());
        let (first, mut answered) = state.ask("a", question()).unwrap();
        let (second, _rest) = state.ask("a", question()).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("a", "a-2"), "keys are used once");
        assert_eq!(state.status(), Status::InputRequired);
        state.close("a").unwrap().answer(Ok(Given { value: json!(1), held: Held::default() }));
        assert_eq!(answered.try_recv().unwrap().unwrap().value, 1);
        assert_eq!(state.status(), Status::InputRequired);
        assert!(state.close("a").is_none());
        state.close("a-2").unwrap();
        assert_eq!(state.status(), Status::Working);
        assert_eq!(state.ask("a", question()).unwrap().0, "a-3", "answered keys are not used again");
    }

    #[test]
    fn the_end_is_final() {
        for status in [Status::Completed, Status::Failed, Status::Cancelled] {
            let mut state = State::new(Timestamp::now());
            let (_, mut answered) = state.ask("a", question()).unwrap();
            assert!(!state.end(Status::Working, None, Ok(Object::new())), "that is no end");
            assert!(state.end(status, None, Ok(Object::new())));
            assert!(answered.try_recv().is_err(), "nobody is waited for");
            for later in [Status::Completed, Status::Failed, Status::Cancelled] {
                assert!(!state.end(later, None, Ok(Object::new())));
            }
            assert!(state.ask("b", question()).is_none());
            assert_eq!(state.status(), status);
        }
    }
}
