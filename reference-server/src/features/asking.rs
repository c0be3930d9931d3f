//! Asking the client for something in the midst of a request, in both eras with the same words.
//!
//! In the legacy era the server sends a request of its own and waits. In the modern era the result says what is needed
//! and the client sends its request again with the answers (basic/patterns/mrtr): the tool then runs from its beginning,
//! and what it asks is known by now. A tool that runs as a task waits in both eras; who carries its questions to the client
//! is the matter of the task.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::context::{Caller, RequestContext};
use crate::faults::Duty;
use crate::features::Capability;
use crate::message::{Object, RpcError};
use crate::modern::Round;
#[cfg(feature = "enterprise")]
use crate::modern::StateTicket;

/// Why a handler ends without its result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A protocol error.
    Error(RpcError),
    /// Modern: the result that says what the client has to bring first.
    InputRequired(Object),
    /// The client can't or won't do what was asked, in words for a model.
    Refused(String),
}

impl From<RpcError> for Stop {
    fn from(error: RpcError) -> Self {
        Self::Error(error)
    }
}

impl Stop {
    /// What becomes of it where no tool result can carry a refusal.
    pub(crate) fn into_result(self) -> Result<Object, RpcError> {
        match self {
            Self::Error(error) => Err(error),
            Self::InputRequired(result) => Ok(result),
            Self::Refused(reason) => Err(RpcError::invalid_params(format!("Invalid params: {reason}"))),
        }
    }
}

/// A request to the client: `elicitation/create`, `sampling/createMessage` or `roots/list`.
#[derive(Clone, Debug)]
pub(crate) struct InputRequest {
    pub method: &'static str,
    pub params: Object,
    pub needs: Capability,
    /// What is wrong with an answer, if anything.
    pub check: fn(&Object, &Value) -> Result<(), String>,
}

impl InputRequest {
    pub(crate) fn check(&self, answer: &Value) -> Result<(), String> {
        (self.check)(&self.params, answer)
    }
}

impl RequestContext {
    /// Whether the client declared the capability.
    pub(crate) fn client_has(&self, capability: Capability) -> bool {
        match &self.caller {
            Caller::Session(session) => session.client_has(capability),
            Caller::Stateless(meta) => meta.client.has(capability, self.revision),
        }
    }

    /// Refuses the request if the client did not declare the capability.
    pub(crate) fn require(&self, capability: Capability) -> Result<(), Stop> {
        if self.client_has(capability) || !self.server.keeps(Duty::AsksWhatIsDeclared(capability)) {
            return Ok(());
        }
        Err(match &self.caller {
            Caller::Session(_) => {
                Stop::Refused(format!("This needs a client that declares {}.", capability.declaration()))
            }
            Caller::Stateless(_) => Stop::Error(capability.missing()),
        })
    }

    /// What is wrong with an answer of the client, if anything.
    pub(crate) fn check(&self, question: &InputRequest, answer: &Value) -> Result<(), String> {
        if self.server.keeps(Duty::AnswersChecked) { question.check(answer) } else { Ok(()) }
    }

    /// Asks the client for one thing. `key` names the question within the request.
    pub(crate) async fn ask(&self, key: &str, request: InputRequest) -> Result<Value, Stop> {
        let mut answers = self.ask_all(&[(key, request)]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// The same for an answer that counts only after the question, and with what tells one time of asking from another in
    /// the modern era. In the legacy era each question is a request of its own, which is answered once.
    #[cfg(feature = "enterprise")]
    pub(crate) async fn ask_afresh(
        &self,
        key: &str,
        request: InputRequest,
    ) -> Result<(Value, Option<StateTicket>), Stop> {
        if matches!(self.caller, Caller::Session(_)) || self.task.is_some() {
            return Ok((self.ask(key, request).await?, None));
        }
        self.require(request.needs)?;
        let (round, ticket) = Round::open(self)?.asked_before();
        let mut answers = round.answers(self, &[(key, request)])?;
        Ok((answers.pop().unwrap_or_default(), ticket))
    }

    /// Asks the client for several things at once; the answers come in the order of the questions, each checked.
    pub(crate) async fn ask_all(&self, questions: &[(&str, InputRequest)]) -> Result<Vec<Value>, Stop> {
        for (_, question) in questions {
            self.require(question.needs)?;
        }
        if let Some(task) = &self.task {
            let patience = Duration::from_secs(self.server.config().answer_seconds);
            return task.ask(questions, patience).await;
        }
        match &self.caller {
            Caller::Session(session) => {
                let asking = questions.iter().map(|(_, question)| session.peer.ask(self, question));
                let mut answers = Vec::new();
                for (answer, (_, question)) in join_all(asking).await.into_iter().zip(questions) {
                    let answer = answer?;
                    self.check(question, &answer).map_err(Stop::Refused)?;
                    answers.push(answer);
                }
                Ok(answers)
            }
            Caller::Stateless(_) => Round::open(self)?.answers(self, questions),
        }
    }
}
