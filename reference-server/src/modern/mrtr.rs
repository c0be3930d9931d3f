//! Multi round-trip requests: what was asked in earlier rounds travels with the client, sealed (basic/patterns/mrtr).

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::faults::Duty;
use crate::features::{InputRequest, Stop};
use crate::message::{Object, Request, RpcError, to_json};
use crate::seal::{Purpose, random_id};

/// The longest request state in bytes; a client that answers with more is refused.
const LONGEST_STATE: usize = 64 << 10;

/// How the refusal of a request state ends that has come too late.
#[cfg_attr(not(feature = "enterprise"), allow(dead_code, reason = "the audit log tells it"))]
pub(crate) const EXPIRED: &str = "requestState has expired";

/// What a request state says.
#[derive(Deserialize, Serialize)]
struct State {
    /// Hash of the request that it belongs to, and of who sent it.
    request: String,
    /// Seconds since 1970 after which it is worth nothing.
    expires: u64,
    /// The keys asked for in this round.
    asked: Vec<String>,
    /// The answers of earlier rounds.
    answers: Object,
    /// Tells it from all others, those for the same request too.
    nonce: String,
}

/// One request state, as it is remembered that it has been used. They are in the order of their ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateTicket {
    /// Seconds since 1970 after which the state is worth nothing.
    pub expires: u64,
    pub nonce: String,
}

/// One round of a request: the answers that count.
pub(crate) struct Round {
    request: String,
    answers: Object,
    /// The answers that came with this request and are not checked yet.
    fresh: Object,
    /// The state that came with this request.
    #[cfg_attr(not(feature = "enterprise"), allow(dead_code, reason = "approvals look at it"))]
    ticket: Option<StateTicket>,
}

impl Round {
    /// Reads `inputResponses` and `requestState`. With a state, the answers that count are those to its questions. Without
    /// one the request is a first round, and a client that knows the questions may answer them before they are asked.
    pub(crate) fn open(context: &RequestContext) -> Result<Self, RpcError> {
        let refuse = |what: &str| RpcError::invalid_params(format!("Invalid params: {what}"));
        let bound = context.server.keeps(Duty::StateBoundToPrincipal);
        let principal = if bound { context.principal().key() } else { String::new() };
        let request = fingerprint(&context.request, &principal);
        let params = &context.request.params;
        // Their types were checked when the request was let in.
        let responses = params.get("inputResponses").and_then(Value::as_object).cloned().unwrap_or_default();
        let Some(state) = params.get("requestState").and_then(Value::as_str) else {
            return Ok(Self { request, answers: Object::new(), fresh: responses, ticket: None });
        };
        let state = context.server.seal().open(Purpose::RequestState, state);
        let state = state.and_then(|content| serde_json::from_slice::<State>(&content).ok());
        let state = state.ok_or_else(|| refuse("requestState was not made by this server"))?;
        if state.request != request && context.server.keeps(Duty::StateBound) {
            return Err(refuse("requestState belongs to another request"));
        }
        if state.expires < seconds_since_1970() && context.server.keeps(Duty::StateExpires) {
            return Err(refuse(EXPIRED));
        }
        let asked = |key: &String| state.asked.contains(key);
        let fresh = responses.into_iter().filter(|(key, _)| asked(key)).collect();
        let ticket = StateTicket { expires: state.expires, nonce: state.nonce };
        Ok(Self { request, answers: state.answers, fresh, ticket: Some(ticket) })
    }

    /// The round without answers that came before they were asked for, and the state that came with it.
    #[cfg(feature = "enterprise")]
    pub(crate) fn asked_before(mut self) -> (Self, Option<StateTicket>) {
        if self.ticket.is_none() {
            self.fresh.clear();
        }
        let ticket = self.ticket.clone();
        (self, ticket)
    }

    /// The answers to these questions, or the result that asks for those that are missing.
    pub(crate) fn answers(
        mut self,
        context: &RequestContext,
        questions: &[(&str, InputRequest)],
    ) -> Result<Vec<Value>, Stop> {
        for (key, question) in questions {
            // What was kept of an earlier round may not have been looked at then.
            if let Some(answer) = self.fresh.remove(*key).or_else(|| self.answers.remove(*key)) {
                context.check(question, &answer).map_err(|reason| {
                    RpcError::invalid_params(format!("Invalid params: inputResponses.{key}: {reason}"))
                })?;
                self.answers.insert((*key).to_owned(), answer);
            }
        }
        let missing: Vec<_> = questions.iter().filter(|(key, _)| !self.answers.contains_key(*key)).collect();
        if missing.is_empty() {
            return Ok(questions.iter().filter_map(|(key, _)| self.answers.get(*key).cloned()).collect());
        }
        let requests: Object = missing
            .iter()
            .map(|(key, question)| {
                ((*key).to_owned(), json!({"method": question.method, "params": question.params}))
            })
            .collect();
        // Answers to questions that the tool has not come to yet are kept as well: nobody is asked twice.
        self.answers.extend(std::mem::take(&mut self.fresh));
        let state = State {
            request: self.request,
            expires: seconds_since_1970().saturating_add(context.server.config().answer_seconds),
            asked: missing.iter().map(|(key, _)| (*key).to_owned()).collect(),
            answers: self.answers,
            nonce: random_id(),
        };
        let state = to_json(&state);
        if state.len() > LONGEST_STATE {
            return Err(RpcError::invalid_params("Invalid params: inputResponses are too long").into());
        }
        let mut result = Object::new();
        result.insert("resultType".into(), "input_required".into());
        result.insert("inputRequests".into(), requests.into());
        result.insert(
            "requestState".into(),
            context.server.seal().close(Purpose::RequestState, state.as_bytes()).into(),
        );
        Err(Stop::InputRequired(result))
    }
}

/// The time in whole seconds.
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// What makes two rounds the same request: who sends it, its method, and its parameters but for those of the round.
fn fingerprint(request: &Request, principal: &str) -> String {
    let mut hash = Sha256::new();
    hash.update([principal.as_bytes(), &[0], request.method.as_bytes(), &[0]].concat());
    let of_the_round = ["_meta", "inputResponses", "requestState"];
    let mut members: Vec<_> =
        request.params.iter().filter(|(name, _)| !of_the_round.contains(&name.as_str())).collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in members {
        hash.update(to_json(name));
        canonical(value, &mut hash);
    }
    let hash = hash.finalize();
    hash.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Feeds a value to the hash, the members of objects in the order of their names.
fn canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            hash.update("{");
            for (name, value) in members {
                hash.update(to_json(name));
                canonical(value, hash);
            }
            hash.update("}");
        }
        Value::Array(items) => {
            hash.update("[");
            items.iter().for_each(|item| canonical(item, hash));
            hash.update("]");
        }
        plain => {
            hash.update(to_json(plain));
            hash.update(",");
        }
    }
}
