//! Messages of a client.

use super::arguments::choices;
use super::shrinking::Shrinking;
use crate::generate::ValueGenerator;
use crate::protocol::Revision;
use crate::protocol::schema::{Party, json_schema, methods};
use crate::shrink::{Place, Step};
use proptest::strategy::{NewTree, Strategy};
use proptest::test_runner::{Reason, TestRunner};
use rand_chacha::rand_core::Rng as _;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// Any request or notification that a client may send in a revision, each fitting its type. Ids are drawn, too: whoever
/// sends several in one conversation sets them.
pub fn messages(revision: Revision) -> Messages {
    let known = methods(revision, Party::Client);
    let requests = known.requests.iter().map(|request| (request.definition, true));
    let notifications = known.notifications.iter().map(|notification| (notification.definition, false));
    let kinds = requests
        .chain(notifications)
        .filter_map(|(definition, asks)| Some((Rc::new(RefCell::new(of_type(revision, definition)?)), asks)));
    Messages { kinds: kinds.collect() }
}

/// Values of a type of the protocol; `None` where none can be made.
fn of_type(revision: Revision, definition: &str) -> Option<ValueGenerator> {
    let mut schema = json_schema(revision);
    let place = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
    schema["allOf"] = json!([{"$ref": format!("#/{place}/{definition}")}]);
    ValueGenerator::new(schema).ok()
}

/// The strategy of [`messages`].
#[derive(Debug, Clone)]
pub struct Messages {
    /// Makes messages of a type, and whether they are requests.
    kinds: Vec<(Rc<RefCell<ValueGenerator>>, bool)>,
}

impl Strategy for Messages {
    type Tree = Shrinking;
    type Value = Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let chosen = (runner.rng().next_u64() % self.kinds.len().max(1) as u64) as usize;
        let (generator, asks) = self.kinds.get(chosen).ok_or("the revision has no messages")?;
        let (mode, mut choices) = choices(runner);
        let made = generator.borrow_mut().value(mode, &mut choices);
        let mut message = made.map_err(|error| Reason::from(error.to_string()))?;
        // The types of the older revisions leave the frame to JSON-RPC.
        message["jsonrpc"] = json!("2.0");
        if *asks && message.get("id").is_none() {
            message["id"] = json!(runner.rng().next_u64() >> 11);
        }
        let generator = Rc::clone(generator);
        Ok(Shrinking::new(message, is_frame, move |candidate| generator.borrow().allows(candidate)))
    }
}

/// What makes a message the one that it is.
pub(super) fn is_frame(place: &Place) -> bool {
    matches!(place, [Step::Member(name)] if matches!(name.as_str(), "jsonrpc" | "id" | "method"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::schema::{Checked, check_notification, check_request};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Every type of message is drawn, and each fits what the monitors hold messages against.
    #[test]
    fn every_message_fits_its_type() {
        for revision in Revision::ALL {
            let wanted = methods(revision, Party::Client);
            let seen = RefCell::new(BTreeSet::new());
            let config =
                ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
            proptest!(config, |(message in messages(revision))| {
                let checked = match message.get("id") {
                    Some(_) => check_request(revision, Party::Client, &message),
                    None => check_notification(revision, Party::Client, &message),
                };
                prop_assert_eq!(checked, Checked::Valid, "{}", message);
                seen.borrow_mut().insert(message["method"].as_str().unwrap().to_owned());
            });
            assert_eq!(
                seen.borrow().len(),
                wanted.requests.len() + wanted.notifications.len(),
                "{revision}: {seen:?}"
            );
        }
    }
}
