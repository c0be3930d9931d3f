//! Messages of a client with something wrong about them.

use super::messages::{Messages, messages};
use super::shrinking::Shrinking;
use crate::generate::Seeded;
use crate::mutate::{Bounds, Dictionary, Ground, Mutated};
use crate::protocol::schema::{Checked, Party, check_notification, check_request};
use crate::protocol::{Revision, Transport};
use proptest::strategy::{NewTree, Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use rand_chacha::rand_core::Rng as _;
use serde_json::Value;
use std::rc::Rc;

/// So many changes a message has at most.
const MOST: usize = 3;

/// Any request or notification that a client may send in a revision, with one to three changes that break it, over STDIO;
/// see [`MutatedMessages`] for HTTP, bounds and words. A failing one shrinks to the fewest and smallest changes of the
/// simplest valid message; one that fails without any change shrinks to that.
pub fn mutated(revision: Revision) -> MutatedMessages {
    MutatedMessages {
        messages: messages(revision),
        revision,
        transport: Transport::Stdio,
        bounds: Bounds::default(),
        dictionary: Rc::default(),
    }
}

/// The strategy of [`mutated`].
#[derive(Debug, Clone)]
pub struct MutatedMessages {
    messages: Messages,
    revision: Revision,
    transport: Transport,
    bounds: Bounds,
    dictionary: Rc<Dictionary>,
}

impl MutatedMessages {
    /// For another transport: over HTTP the request is changed, too.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// With other bounds.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// With the words of a dictionary.
    #[must_use]
    pub fn with_words(mut self, dictionary: Dictionary) -> Self {
        self.dictionary = Rc::new(dictionary);
        self
    }
}

impl Strategy for MutatedMessages {
    type Tree = Shrinking<Mutated>;
    type Value = Mutated;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let message = self.messages.new_tree(runner)?.current();
        let ground = Ground {
            transport: self.transport,
            era: self.revision.era(),
            bounds: self.bounds,
            most: MOST,
            dictionary: &self.dictionary,
        };
        let drawn = Mutated::draw(message, ground, &mut Seeded::new(runner.rng().next_u64()));
        let revision = self.revision;
        Ok(Shrinking::by(drawn, async move |drawn: Mutated, asking| {
            let allows = |message: &Value| is_valid(revision, message);
            drawn.simplest(allows, async |candidate: &Mutated| asking.fails(candidate.clone()).await).await
        }))
    }
}

fn is_valid(revision: Revision, message: &Value) -> bool {
    let checked = match message.get("id") {
        Some(_) => check_request(revision, Party::Client, message),
        None => check_notification(revision, Party::Client, message),
    };
    checked == Checked::Valid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::{JsonChange, Mutation};
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestError, TestRng};

    fn smallest(fails: impl Fn(&Mutated) -> bool) -> Mutated {
        let config = ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let ran = runner.run(&mutated(Revision::V2025_11_25), |case| {
            prop_assert!(!fails(&case));
            Ok(())
        });
        let Err(TestError::Fail(_, small)) = ran else { panic!("{ran:?}") };
        assert!(fails(&small), "{small}");
        small
    }

    /// A server that runs out of stack.
    #[test]
    fn depth_shrinks_to_the_least_that_fails() {
        let depth = |body: &[u8]| {
            let count = |depth: (i64, i64), byte: &u8| match byte {
                b'[' | b'{' => (depth.0 + 1, depth.1.max(depth.0 + 1)),
                b']' | b'}' => (depth.0 - 1, depth.1),
                _ => depth,
            };
            body.iter().fold((0, 0), count).1
        };
        let small = smallest(|case| case.body().is_some_and(|body| depth(&body) > 100));
        assert_eq!(depth(&small.body().unwrap()), 101, "{small}");
        let [Mutation::Json(mutation)] = &small.mutations[..] else { panic!("{small}") };
        assert!(matches!(mutation.change, JsonChange::Deep { .. }), "{small}");
        // The message is as short as its schema allows.
        assert!(small.message.to_string().len() < 90, "{}", small.message);
    }

    /// A server that does not read lines to their end.
    #[test]
    fn a_byte_is_left_of_what_is_wrong_with_bytes() {
        let small = smallest(|case| case.body().is_some_and(|body| body.contains(&0)));
        assert_eq!(small.mutations.len(), 1, "{small}");
        assert!(small.message.to_string().len() < 90, "{}", small.message);
    }

    /// What fails without a change is told as that.
    #[test]
    fn a_message_that_fails_as_it_is_has_no_change_left() {
        let small = smallest(|case| case.message["method"] == "tools/list");
        assert!(small.mutations.is_empty(), "{small}");
    }
}
