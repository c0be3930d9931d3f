//! How a value that fails becomes smaller: proptest asks, delta debugging answers.

use crate::shrink::{Place, simpler};
use proptest::strategy::ValueTree;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What passes between the delta debugging and proptest: a candidate, then whether it fails.
#[derive(Default)]
struct Exchange {
    candidate: Option<Value>,
    fails: Option<bool>,
}

/// A value and the way to the simplest one that still fails.
///
/// [`simpler`] asks about one candidate after the other and waits for the answer; here the answer comes when proptest has
/// run the test with the candidate. No candidate is tried twice.
pub struct Shrinking {
    /// The simplest that is known to fail, at first the value that was drawn.
    failing: Value,
    /// What is being tried.
    trial: Option<Value>,
    exchange: Rc<RefCell<Exchange>>,
    search: Option<Pin<Box<dyn Future<Output = Value>>>>,
}

impl std::fmt::Debug for Shrinking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shrinking")
            .field("failing", &self.failing)
            .field("trial", &self.trial)
            .finish_non_exhaustive()
    }
}

impl Shrinking {
    /// A value that was drawn; `is_fixed` names what is neither left out nor changed, `allows` what is worth a try.
    pub(super) fn new(
        value: Value,
        is_fixed: impl Fn(&Place) -> bool + 'static,
        allows: impl Fn(&Value) -> bool + 'static,
    ) -> Self {
        let exchange = Rc::<RefCell<Exchange>>::default();
        let (asking, start) = (Rc::clone(&exchange), value.clone());
        let search = async move {
            let mut known = HashSet::new();
            simpler(&start, is_fixed, async |candidate: &Value| {
                // An answer that was given once stands; that of what failed is asked for no more.
                if !known.insert(candidate.to_string()) || !allows(candidate) {
                    return false;
                }
                asking.borrow_mut().candidate = Some(candidate.clone());
                std::future::poll_fn(|_| match asking.borrow_mut().fails.take() {
                    Some(fails) => Poll::Ready(fails),
                    None => Poll::Pending,
                })
                .await
            })
            .await
        };
        Self { failing: value, trial: None, exchange, search: Some(Box::pin(search)) }
    }

    /// The next candidate; whether there is one.
    fn next(&mut self) -> bool {
        let Some(search) = &mut self.search else { return false };
        // It waits for nothing but our answer, so that it need not be woken.
        if search.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            self.search = None;
        }
        self.trial = self.exchange.borrow_mut().candidate.take();
        self.trial.is_some()
    }

    /// Says whether what was tried fails.
    fn answer(&mut self, fails: bool) {
        if let Some(trial) = self.trial.take() {
            if fails {
                self.failing = trial;
            }
            self.exchange.borrow_mut().fails = Some(fails);
        }
    }
}

impl ValueTree for Shrinking {
    type Value = Value;

    fn current(&self) -> Value {
        self.trial.as_ref().unwrap_or(&self.failing).clone()
    }

    fn simplify(&mut self) -> bool {
        self.answer(true);
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.answer(false);
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As proptest does it.
    fn shrunk(mut tree: Shrinking, fails: impl Fn(&Value) -> bool) -> (Value, u32) {
        assert!(fails(&tree.current()));
        let mut tries = 0;
        let mut goes_on = tree.simplify();
        while goes_on {
            tries += 1;
            goes_on = if fails(&tree.current()) { tree.simplify() } else { tree.complicate() };
        }
        (tree.current(), tries)
    }

    #[test]
    fn a_bound_is_found_in_few_steps() {
        let drawn = json!({"n": 918_273_645, "note": "some text", "list": [1, 2, {"deep": true}]});
        let (small, tries) =
            shrunk(Shrinking::new(drawn, |_| false, |_| true), |value| value["n"].as_i64() > Some(1000));
        assert_eq!(small, json!({"n": 1001}));
        assert!(tries < 60, "{tries}");
    }

    #[test]
    fn what_is_not_allowed_is_never_tried() {
        let drawn = json!({"n": 918_273, "kind": "b"});
        let allows =
            |value: &Value| value.get("kind").is_some() && value["n"].as_i64().is_some_and(|n| n % 3 == 0);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (small, _) = shrunk(Shrinking::new(drawn, |_| false, allows), |value| {
            seen.borrow_mut().push(value.clone());
            value["n"].as_i64() > Some(1000)
        });
        assert!(seen.borrow().iter().all(allows));
        assert!(allows(&small) && small["n"].as_i64() > Some(1000), "{small}");
    }

    #[test]
    fn what_cannot_become_simpler_stays() {
        assert_eq!(shrunk(Shrinking::new(json!({}), |_| false, |_| true), |_| true), (json!({}), 0));
    }
}
