//! Where generators draw their choices from: a seed, bytes, or a recording.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A source of choices. Every method returns at once, whatever the source; an exhausted source goes on with zeros,
/// and zero is the plainest choice everywhere, so that less input means a smaller value.
pub trait Choices {
    /// An integer from 0 up to but not including `n`; 0 when `n` is 0.
    fn below(&mut self, n: u64) -> u64;

    /// An integer from `low` to `high`, both included; `low` when the range is empty.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let width = high.abs_diff(low);
        // The full range of 64 bits has one value more than a `u64` can count; its last one is never drawn.
        let offset = self.below(width.saturating_add(1));
        low.wrapping_add_unsigned(offset)
    }

    /// True in `part` of `of` cases; false when the source is exhausted.
    fn chance(&mut self, part: u64, of: u64) -> bool {
        let drawn = self.below(of);
        drawn >= of.saturating_sub(part)
    }

    /// True in half of the cases.
    fn flip(&mut self) -> bool {
        self.chance(1, 2)
    }
}

impl dyn Choices + '_ {
    /// One of the elements; `None` when there is none.
    pub fn pick<'a, T>(&mut self, elements: &'a [T]) -> Option<&'a T> {
        elements.get(self.index(elements.len()))
    }

    /// An index below `length`; 0 when `length` is 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

/// Choices from a seed: the same seed, the same choices, on every machine and in every version.
#[derive(Debug, Clone)]
pub struct Seeded(ChaCha8Rng);

impl Seeded {
    /// The choices of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Choices for Seeded {
    fn below(&mut self, n: u64) -> u64 {
        // The high half of the product: no rejection, so no loop; the bias is below 2^-32 for every n used here.
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }
}

/// Choices from bytes, as a coverage-guided fuzzer gives them: each takes as many bytes as its range needs.
#[derive(Debug, Clone)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// The choices of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }
}

impl Choices for Bytes<'_> {
    fn below(&mut self, n: u64) -> u64 {
        let mut needed = n.saturating_sub(1);
        let mut drawn = 0_u64;
        while needed > 0 {
            let Some((first, rest)) = self.0.split_first() else { break };
            drawn = (drawn << 8) | u64::from(*first);
            self.0 = rest;
            needed >>= 8;
        }
        if n == 0 { 0 } else { drawn % n }
    }
}

/// Passes choices on and keeps them.
pub struct Recorder<'a> {
    source: &'a mut dyn Choices,
    drawn: Vec<u64>,
}

impl<'a> Recorder<'a> {
    /// Records what is drawn from `source`.
    pub fn new(source: &'a mut dyn Choices) -> Self {
        Self { source, drawn: Vec::new() }
    }

    /// What was drawn, in order.
    pub fn into_choices(self) -> Vec<u64> {
        self.drawn
    }
}

impl Choices for Recorder<'_> {
    fn below(&mut self, n: u64) -> u64 {
        let drawn = self.source.below(n);
        self.drawn.push(drawn);
        drawn
    }
}

/// Choices from a recording, possibly a shortened or lowered one.
#[derive(Debug, Clone)]
pub struct Replay<'a>(std::slice::Iter<'a, u64>);

impl<'a> Replay<'a> {
    /// The choices of a recording.
    pub fn new(choices: &'a [u64]) -> Self {
        Self(choices.iter())
    }
}

impl Choices for Replay<'_> {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next().map_or(0, |drawn| (*drawn).min(n.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(source: &mut dyn Choices, n: u64, low: i64, high: i64) {
        assert!(source.below(n) < n.max(1));
        let drawn = source.between(low, high);
        assert!(drawn >= low && (drawn <= high || high < low), "{drawn} of {low}..={high}");
        let elements = [1, 2, 3];
        assert!(source.pick(&elements).is_some());
        assert!(source.pick::<u8>(&[]).is_none());
    }

    proptest! {
        #[test]
        fn draws_stay_in_range(
            seed: u64, bytes: Vec<u8>, n: u64, low: i64, high: i64, recording: Vec<u64>
        ) {
            check(&mut Seeded::new(seed), n, low, high);
            check(&mut Bytes::new(&bytes), n, low, high);
            check(&mut Replay::new(&recording), n, low, high);
        }

        #[test]
        fn a_recording_gives_the_same_choices(seed: u64, ranges: Vec<u64>) {
            let mut source = Seeded::new(seed);
            let mut recorder = Recorder::new(&mut source);
            let drawn: Vec<u64> = ranges.iter().map(|n| recorder.below(*n)).collect();
            let recording = recorder.into_choices();
            let mut replay = Replay::new(&recording);
            let again: Vec<u64> = ranges.iter().map(|n| replay.below(*n)).collect();
            prop_assert_eq!(drawn, again);
        }
    }

    #[test]
    fn exhausted_sources_choose_the_plainest() {
        let mut bytes = Bytes::new(&[7]);
        assert_eq!(bytes.below(256), 7);
        assert_eq!((bytes.below(1000), bytes.flip(), bytes.between(-3, 9)), (0, false, -3));
        assert_eq!(Bytes::new(&[1, 2, 3]).below(1), 0);
    }

    #[test]
    fn seeds_are_stable_and_all_values_come() {
        let draw = |seed| {
            let mut source = Seeded::new(seed);
            (0..200).map(|_| source.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((0..10).all(|value| draw(3).contains(&value)));
    }
}
