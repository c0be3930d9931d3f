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
use crate::memory::Held;
use crate::message::{Object, RpcError, footprint, to_json};
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

/// An answer of the client, and the memory that it takes. Tools need not care: what they ask for is held until they are
/// done.
pub(crate) struct Given {
    pub value: Value,
    pub held: Held,
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

    /// The same for an answer that counts only after the question. In the modern era with what tells one time of asking from
    /// another, also where the answer makes no sense, which is an error then; in the legacy era each question is a request of
    /// its own, which is answered once.
    #[cfg(feature = "enterprise")]
    pub(crate) async fn ask_afresh(
        &self,
        key: &str,
        request: InputRequest,
    ) -> Result<(Result<Value, Stop>, Option<StateTicket>), Stop> {
        if matches!(self.caller, Caller::Session(_)) || self.task.is_some() {
            return Ok((self.ask(key, request).await, None));
        }
        self.require(request.needs)?;
        let (round, ticket) = Round::open(self)?.asked_before();
        match round.answers(self, &[(key, request)]) {
            Err(unanswered @ Stop::InputRequired(_)) => Err(unanswered),
            answered => Ok((answered.map(|mut answers| answers.pop().unwrap_or_default()), ticket)),
        }
    }

    /// Asks the client for several things at once; the answers come in the order of the questions, each checked.
    pub(crate) async fn ask_all(&self, questions: &[(&str, InputRequest)]) -> Result<Vec<Value>, Stop> {
        for (_, question) in questions {
            self.require(question.needs)?;
        }
        // A question may repeat what the client has said before.
        let size = questions.iter().map(|(_, question)| footprint(&to_json(&question.params))).sum();
        let full = || Stop::Refused("Too much is held in memory already to ask for that.".to_owned());
        let _asked = self.server.memory().take_answer(size).ok_or_else(full)?;
        let given = match (&self.task, &self.caller) {
            (Some(task), _) => {
                let patience = Duration::from_secs(self.server.config().answer_seconds);
                task.ask(questions, patience).await?
            }
            (None, Caller::Session(session)) => {
                let asking = questions.iter().map(|(_, question)| session.peer.ask(self, question));
                join_all(asking).await.into_iter().collect::<Result<_, _>>()?
            }
            // What a round brings is part of its request.
            (None, Caller::Stateless(_)) => return Round::open(self)?.answers(self, questions),
        };
        let mut answers = Vec::new();
        for (Given { value, held }, (_, question)) in given.into_iter().zip(questions) {
            self.keep(held);
            self.check(question, &value).map_err(Stop::Refused)?;
            answers.push(value);
        }
        Ok(answers)
    }
}
