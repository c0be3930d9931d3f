//! How something drawn that fails becomes smaller: proptest asks, delta debugging answers.

use crate::shrink::{Place, simpler};
use proptest::strategy::ValueTree;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What passes between the delta debugging and proptest: a candidate, then whether it fails.
struct Exchange<T> {
    candidate: Option<T>,
    fails: Option<bool>,
}

/// Asks proptest whether a candidate fails.
pub(super) struct Asking<T>(Rc<RefCell<Exchange<T>>>);

impl<T> Asking<T> {
    /// Whether it does: the answer comes when proptest has run the test with it.
    pub(super) async fn fails(&self, candidate: T) -> bool {
        self.0.borrow_mut().candidate = Some(candidate);
        std::future::poll_fn(|_| match self.0.borrow_mut().fails.take() {
            Some(fails) => Poll::Ready(fails),
            None => Poll::Pending,
        })
        .await
    }
}

/// Something drawn, and the way to the simplest one that still fails.
///
/// The delta debugging asks about one candidate after the other and waits for the answer; here the answer comes when
/// proptest has run the test with the candidate.
pub struct Shrinking<T = Value> {
    /// The simplest that is known to fail, at first what was drawn.
    failing: T,
    /// What is being tried.
    trial: Option<T>,
    exchange: Rc<RefCell<Exchange<T>>>,
    search: Option<Pin<Box<dyn Future<Output = T>>>>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Shrinking<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shrinking")
            .field("failing", &self.failing)
            .field("trial", &self.trial)
            .finish_non_exhaustive()
    }
}

impl Shrinking {
    /// A value that was drawn; `is_fixed` names what is neither left out nor changed, `allows` what is worth a try. No
    /// candidate is tried twice.
    pub(super) fn new(
        value: Value,
        is_fixed: impl Fn(&Place) -> bool + 'static,
        allows: impl Fn(&Value) -> bool + 'static,
    ) -> Self {
        Self::by(value, async move |start, asking| {
            let mut known = HashSet::new();
            simpler(&start, is_fixed, async |candidate: &Value| {
                // An answer that was given once stands; that of what failed is asked for no more.
                known.insert(candidate.to_string())
                    && allows(candidate)
                    && asking.fails(candidate.clone()).await
            })
            .await
        })
    }
}

impl<T: Clone + 'static> Shrinking<T> {
    /// What was drawn, and the search for something simpler: it waits for nothing but what it asks.
    pub(super) fn by<S: AsyncFnOnce(T, Asking<T>) -> T + 'static>(drawn: T, search: S) -> Self {
        let exchange = Rc::new(RefCell::new(Exchange { candidate: None, fails: None }));
        let (asking, start) = (Asking(Rc::clone(&exchange)), drawn.clone());
        let search = async move { search(start, asking).await };
        Self { failing: drawn, trial: None, exchange, search: Some(Box::pin(search)) }
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

impl<T: Clone + std::fmt::Debug + 'static> ValueTree for Shrinking<T> {
    type Value = T;

    fn current(&self) -> T {
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
