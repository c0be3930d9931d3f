//! Approval: a human agrees to something consequential before it is done, and once for each time that it is done.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::enterprise::profile::Enterprise;
use crate::features::{Elicited, Stop, form};
use crate::message::RpcError;
use crate::modern::{StateTicket, seconds_since_1970};
use crate::seal::random_id;
use crate::server::lock;

/// The most used states that are remembered; no longer than they are valid.
const REMEMBERED: usize = 100_000;

/// The request states whose question has been answered. Each counts once, whatever the answer was.
pub(super) struct Approvals {
    used: Mutex<BTreeSet<StateTicket>>,
    /// Tells this server from others with the same secret: what was asked by those is not known to be answered or not.
    run: String,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { used: Mutex::default(), run: random_id() }
    }
}

impl Approvals {
    /// The key of a question, which no other question has, and none of another server.
    fn key(&self, question: &str) -> String {
        let digest = Sha256::new().chain_update(&self.run).chain_update(question).finalize();
        digest.iter().take(8).fold("approve-".to_owned(), |key, byte| key + &format!("{byte:02x}"))
    }

    /// Uses a state up.
    fn use_up(&self, ticket: StateTicket) -> Result<(), RpcError> {
        let now = seconds_since_1970();
        let mut used = lock(&self.used);
        // In the order of their ends, so that what has ended comes first.
        while used.first().is_some_and(|ticket| ticket.expires < now) {
            used.pop_first();
        }
        if used.len() >= REMEMBERED {
            return Err(RpcError::invalid_params(
                "Invalid params: too many approvals at once; ask again later",
            ));
        }
        if used.insert(ticket) {
            return Ok(());
        }
        Err(RpcError::invalid_params("Invalid params: this requestState has been answered already"))
    }
}

/// Asks the user whether something shall be done; ends the call unless the answer is yes. The question says what will be
/// done, and the answer is good for that question only: who changes what it is about has to ask again.
pub(super) async fn approved(
    profile: &Enterprise,
    context: &RequestContext,
    question: &str,
) -> Result<(), Stop> {
    let key = profile.approvals.key(question);
    let fields =
        json!({"approve": {"type": "boolean", "title": "Approve", "description": "Whether to do it"}});
    let form = form(context.revision, question, fields, &["approve"]);
    let (answer, ticket) = context.ask_afresh(&key, form).await?;
    if let Some(ticket) = ticket {
        profile.approvals.use_up(ticket)?;
    }
    let answer = Elicited::read(&answer);
    let agreed = answer.accepted() && answer.content.is_some_and(|content| content["approve"] == true);
    if agreed { Ok(()) } else { Err(Stop::Refused("It was not approved, so nothing was done.".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::Approvals;
    use crate::modern::{StateTicket, seconds_since_1970};

    #[test]
    fn a_state_counts_once_and_is_forgotten_when_it_has_expired() {
        let approvals = Approvals::default();
        let ticket = |expires, nonce: &str| StateTicket { expires, nonce: nonce.to_owned() };
        let soon = seconds_since_1970() + 60;
        assert!(approvals.use_up(ticket(1, "old")).is_ok());
        assert!(approvals.use_up(ticket(soon, "a")).is_ok());
        assert!(approvals.use_up(ticket(soon, "b")).is_ok());
        assert!(approvals.use_up(ticket(soon, "a")).is_err());
        assert_eq!(approvals.used.lock().unwrap().len(), 2);
        assert_ne!(approvals.key("a"), approvals.key("b"));
        assert_ne!(approvals.key("a"), Approvals::default().key("a"), "every server asks for itself");
    }
}
