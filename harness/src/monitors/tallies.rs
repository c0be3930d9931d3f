//! What was said about each requirement, found fast: rules name requirements by literals, so the place of the literal in
//! memory is nearly always enough.

use super::judge::Tally;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Tallies by requirement.
#[derive(Default, Clone)]
pub(super) struct Tallies {
    all: Vec<Tally>,
    /// In the order of the ids.
    by_id: BTreeMap<&'static str, usize>,
    /// By address and length of the text of an id; the same id may have several.
    by_place: HashMap<(usize, usize), usize, BuildHasherDefault<Mix>>,
}

/// A hash for addresses.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(ODD);
    }
}

impl Tallies {
    /// The tally of a requirement.
    pub(super) fn of(&mut self, id: &'static str) -> &mut Tally {
        let place = (id.as_ptr() as usize, id.len());
        let index = match self.by_place.get(&place) {
            Some(index) => *index,
            None => {
                let index = *self.by_id.entry(id).or_insert(self.all.len());
                if index == self.all.len() {
                    self.all.push(Tally::default());
                }
                self.by_place.insert(place, index);
                index
            }
        };
        &mut self.all[index]
    }

    /// The tally of a requirement, if there is one.
    pub(super) fn get(&self, id: &str) -> Option<&Tally> {
        self.by_id.get(id).map(|index| &self.all[*index])
    }

    /// All, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Tally)> {
        self.by_id.iter().map(|(id, index)| (*id, &self.all[*index]))
    }

    /// All, by id.
    pub(super) fn into_iter(mut self) -> impl Iterator<Item = (&'static str, Tally)> {
        self.by_id.into_iter().map(move |(id, index)| (id, std::mem::take(&mut self.all[index])))
    }

    /// All, in any order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Tally> {
        self.all.iter_mut()
    }
}
