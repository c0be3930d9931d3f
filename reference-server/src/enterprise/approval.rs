//! Approval: a human agrees to something consequential before it is done, and once for each time that it is done.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::enterprise::profile::Enterprise;
use crate::faults::Duty;
use crate::features::{Elicited, Stop, form};
use crate::message::RpcError;
use crate::modern::{EXPIRED, StateTicket, seconds_since_1970};
use crate::seal::random_id;
use crate::server::lock;

/// The most used states that are remembered; no longer than they are valid.
const REMEMBERED: usize = 100_000;
/// How many of these may be of one principal, so that nobody takes the room of all.
const SHARE: usize = 1_000;

/// A digest of the key of a principal, which may be long.
type Owner = [u8; 32];

/// The states that have been used.
#[derive(Default)]
struct Used {
    /// In the order of their ends, each with its owner.
    states: BTreeMap<StateTicket, Owner>,
    /// How many there are of each owner.
    shares: HashMap<Owner, usize>,
}

impl Used {
    /// Forgets what has ended, which comes first.
    fn forget(&mut self, now: u64) {
        while let Some(first) = self.states.first_entry().filter(|first| first.key().expires < now) {
            let owner = first.remove();
            if let Some(share) = self.shares.get_mut(&owner) {
                *share -= 1;
                if *share == 0 {
                    self.shares.remove(&owner);
                }
            }
        }
    }
}

/// The request states whose question has been answered. Each counts once, whatever the answer was.
pub(super) struct Approvals {
    used: Mutex<Used>,
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

    /// Whether a state has been used, as far as is remembered.
    fn knows(&self, ticket: &StateTicket) -> bool {
        lock(&self.used).states.contains_key(ticket)
    }

    /// Uses up a state of somebody.
    fn use_up(&self, ticket: StateTicket, principal: &str) -> Result<(), RpcError> {
        let owner: Owner = Sha256::digest(principal).into();
        let mut used = lock(&self.used);
        used.forget(seconds_since_1970());
        if used.states.contains_key(&ticket) {
            return Err(RpcError::invalid_params(
                "Invalid params: this requestState has been answered already",
            ));
        }
        let share = used.shares.get(&owner).copied().unwrap_or_default();
        if used.states.len() >= REMEMBERED || share >= SHARE {
            return Err(RpcError::invalid_params(
                "Invalid params: too many approvals at once; ask again later",
            ));
        }
        used.shares.insert(owner, share + 1);
        used.states.insert(ticket, owner);
        Ok(())
    }
}

/// What became of an approval that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// The user said yes.
    Given,
    /// The user said no.
    Declined,
    /// The user neither said yes nor no.
    Cancelled,
    /// No answer came that could be used.
    Unanswered,
    /// The answer came too late.
    Expired,
    /// The question had been answered already.
    Repeated,
}

impl Approval {
    /// As the audit log has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Unanswered => "unanswered",
            Self::Expired => "expired",
            Self::Repeated => "answered already",
        }
    }

    fn of(answer: &Elicited) -> Self {
        let approves = answer.content.as_ref().is_some_and(|content| content["approve"] == true);
        match &*answer.action {
            "accept" if approves => Self::Given,
            "cancel" => Self::Cancelled,
            _ => Self::Declined,
        }
    }
}

/// Asks the user whether something shall be done; ends the call unless the answer is yes. The question says what will be
/// done, and the answer is good for that question only: who changes what it is about has to ask again.
pub(super) async fn approved(
    profile: &Enterprise,
    context: &RequestContext,
    question: &str,
) -> Result<(), Stop> {
    if !context.server.keeps(Duty::ApprovalAsked) {
        return Ok(());
    }
    let key = profile.approvals.key(question);
    let fields =
        json!({"approve": {"type": "boolean", "title": "Approve", "description": "Whether to do it"}});
    let form = form(context.revision, question, fields, &["approve"]);
    context.require(form.needs)?;
    let became = |approval: Option<Approval>| *lock(&context.approval) = approval;
    // Until it is known better, and if nobody waits for it any more.
    became(Some(Approval::Unanswered));
    let asked = context.ask_afresh(&key, form).await;
    let (answer, ticket) = asked.inspect_err(|stop| match stop {
        Stop::InputRequired(_) => became(None),
        Stop::Error(error) => became(error.message.ends_with(EXPIRED).then_some(Approval::Expired)),
        Stop::Refused(_) => {}
    })?;
    // Whatever the answer is, one that makes no sense too.
    if let Some(ticket) = ticket.filter(|_| context.server.keeps(Duty::ApprovalOnce)) {
        let used = profile.approvals.use_up(ticket.clone(), &context.principal().key());
        let repeated = || profile.approvals.knows(&ticket).then_some(Approval::Repeated);
        used.inspect_err(|_| became(repeated()))?;
    }
    let answer = answer?;
    let approval = Approval::of(&Elicited::read(&answer));
    became(Some(approval));
    if approval == Approval::Given || !context.server.keeps(Duty::OnlyYesApproves) {
        Ok(())
    } else {
        Err(Stop::Refused("It was not approved, so nothing was done.".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Approvals, SHARE};
    use crate::modern::{StateTicket, seconds_since_1970};

    fn ticket(expires: u64, nonce: &str) -> StateTicket {
        StateTicket { expires, nonce: nonce.to_owned() }
    }

    #[test]
    fn a_state_counts_once_and_is_forgotten_when_it_has_expired() {
        let approvals = Approvals::default();
        let soon = seconds_since_1970() + 60;
        assert!(approvals.use_up(ticket(1, "old"), "sue").is_ok());
        assert!(approvals.use_up(ticket(soon, "a"), "sue").is_ok());
        assert!(approvals.use_up(ticket(soon, "b"), "tom").is_ok());
        assert!(approvals.use_up(ticket(soon, "a"), "sue").is_err());
        let used = approvals.used.lock().unwrap();
        assert_eq!((used.states.len(), used.shares.values().sum::<usize>()), (2, 2));
        drop(used);
        assert_ne!(approvals.key("a"), approvals.key("b"));
        assert_ne!(approvals.key("a"), Approvals::default().key("a"), "every server asks for itself");
    }

    #[test]
    fn who_takes_too_much_room_takes_it_from_nobody_else() {
        let approvals = Approvals::default();
        let soon = seconds_since_1970() + 60;
        for number in 0..SHARE {
            assert!(approvals.use_up(ticket(soon, &format!("{number}")), "tom").is_ok());
        }
        assert!(approvals.use_up(ticket(soon, "more"), "tom").is_err());
        assert!(approvals.use_up(ticket(soon, "other"), "sue").is_ok());
        // What has expired gives its room back, and nobody is remembered for nothing.
        let mut used = approvals.used.lock().unwrap();
        used.forget(soon + 1);
        assert!(used.states.is_empty() && used.shares.is_empty());
    }
}
