//! Fewer of many.

/// Leaves out as many of `count` parts as it can: first half of them at once, then smaller runs, in the end each alone,
/// until no single one can be left out any more. The last come first: what comes later in a conversation needs what came
/// before, seldom the other way round. `fails` is given the indices that are kept, in order.
///
/// Asks about `2 · k · log₂(count)` times where `k` parts are needed.
pub async fn fewer(count: usize, mut fails: impl AsyncFnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    if count == 0 || fails(&[]).await {
        return Vec::new();
    }
    let mut run = count.div_ceil(2);
    loop {
        let before = kept.len();
        let mut end = kept.len();
        while end > 0 {
            let start = end.saturating_sub(run);
            let without: Vec<usize> = [&kept[..start], &kept[end..]].concat();
            // That nothing at all is no failure was asked already.
            if !without.is_empty() && fails(&without).await {
                kept = without;
            }
            end = start.min(kept.len());
        }
        if run > 1 {
            run = run.div_ceil(2);
        } else if kept.len() == before {
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fewer;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// Runs what never waits.
    pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("nothing here waits"),
        }
    }

    proptest! {
        /// What is needed is found, and nothing else is kept.
        #[test]
        fn exactly_what_is_needed_is_kept(count in 1..300_usize, picks in prop::collection::vec(0..300_usize, 0..6)) {
            let needed: BTreeSet<usize> = picks.into_iter().map(|pick| pick % count).collect();
            let mut asked = 0;
            let kept = now(fewer(count, async |kept: &[usize]| {
                asked += 1;
                needed.iter().all(|one| kept.binary_search(one).is_ok())
            }));
            prop_assert_eq!(&kept, &needed.iter().copied().collect::<Vec<_>>());
            let most = 2 * (needed.len() + 1) * (usize::BITS - count.leading_zeros()) as usize + count.min(2 * needed.len() + 2);
            prop_assert!(asked <= 2 * most + 4, "{asked} questions for {} of {count}", needed.len());
        }

        /// Whatever the failure depends on, what comes out fails, and no single part of it can be left out.
        #[test]
        fn what_is_left_fails_and_is_minimal(count in 1..24_usize, seed: u64) {
            // Any function of the kept set that all of it together satisfies.
            let fails = |kept: &[usize]| {
                let mask = kept.iter().fold(0_u64, |mask, one| mask | 1 << one);
                kept.len() == count || (mask ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62 == 0
            };
            let kept = now(fewer(count, async |kept: &[usize]| fails(kept)));
            prop_assert!(fails(&kept));
            if kept.len() > 1 {
                for without in 0..kept.len() {
                    let mut rest = kept.clone();
                    rest.remove(without);
                    prop_assert!(!fails(&rest), "{rest:?} of {kept:?} would do");
                }
            }
        }
    }
}
