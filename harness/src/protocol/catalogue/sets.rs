//! Frozen sets of requirements: by which rules a server was judged on a date, and may be judged for as long as it likes.

use super::REQUIREMENT_SET;
use super::files::SETS;
use super::read::Catalogue;
use super::requirement::{Level, Requirement};
use crate::protocol::Revision;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// The requirements of a date, each with its force in each revision.
#[derive(Debug)]
struct Frozen {
    date: String,
    forces: HashMap<String, [Option<Force>; Revision::ALL.len()]>,
    /// The revisions that it knows.
    revisions: Vec<Revision>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    /// MUST, MUST NOT or INVARIANT.
    Must,
    /// SHOULD or SHOULD NOT.
    Should,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSet {
    date: String,
    revisions: Vec<Revision>,
    requirements: BTreeMap<String, String>,
}

/// The rules by which a check judges: the catalogue as it is, or what it was on a date. An older set only ever takes
/// away: what was added later does not apply, what was raised later warns, and what was mended stays mended.
#[derive(Debug, Clone)]
pub struct RequirementSet {
    name: String,
    frozen: Option<&'static Frozen>,
    /// The newest revision whose rules it has.
    until: Revision,
}

/// Sets that there are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no set of requirements of {date}; there are {known}")]
pub struct UnknownSet {
    /// The date that was asked for.
    pub date: String,
    /// The dates that there are.
    pub known: String,
}

impl Default for RequirementSet {
    /// The catalogue as it is.
    fn default() -> Self {
        Self { name: REQUIREMENT_SET.to_owned(), frozen: None, until: Revision::ALL[Revision::ALL.len() - 1] }
    }
}

impl RequirementSet {
    /// The set of a date: that of a published set, or that of a revision, which holds the rules of it and of those
    /// before it as the first published set that knew it had them.
    ///
    /// # Errors
    /// When there is none; with those that there are.
    pub fn named(date: &str) -> Result<Self, UnknownSet> {
        if date == REQUIREMENT_SET {
            return Ok(Self::default());
        }
        let newest = Self::default().until;
        if let Some(frozen) = sets().iter().find(|set| set.date == date) {
            return Ok(Self { name: date.to_owned(), frozen: Some(frozen), until: newest });
        }
        let revision = date.parse::<Revision>().ok();
        let first = revision.and_then(|r| Some((r, sets().iter().find(|set| set.revisions.contains(&r))?)));
        if let Some((revision, frozen)) = first {
            return Ok(Self { name: date.to_owned(), frozen: Some(frozen), until: revision });
        }
        Err(UnknownSet { date: date.to_owned(), known: Self::known().join(", ") })
    }

    /// The dates of all sets: of the published ones, and of the revisions.
    pub fn known() -> Vec<&'static str> {
        let revisions = Revision::ALL.iter().map(|revision| revision.as_str());
        revisions.chain(sets().iter().map(|set| set.date.as_str())).collect()
    }

    /// A set from the text of its file.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let frozen = frozen(text)?;
        let name = frozen.date.clone();
        Ok(Self { name, frozen: Some(Box::leak(Box::new(frozen))), until: Self::default().until })
    }

    /// Its date.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its ids, sorted.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = match self.frozen {
            Some(frozen) => frozen.forces.keys().map(String::as_str).filter(|id| self.has(id)).collect(),
            None => Catalogue::get().iter().map(|row| row.id.as_str()).collect(),
        };
        ids.sort_unstable();
        ids
    }

    /// Whether it has a requirement, in any revision.
    pub fn has(&self, id: &str) -> bool {
        let Some(frozen) = self.frozen else { return true };
        let forces = frozen.forces.get(id);
        forces.is_some_and(|forces| forces[..=self.until as usize].iter().any(Option::is_some))
    }

    /// The level of a requirement in a revision by this set; `None` where it does not have it. Never higher than the
    /// catalogue's own.
    pub fn level(&self, requirement: &Requirement, revision: Revision) -> Option<Level> {
        let level = requirement.level(revision)?;
        let Some(frozen) = self.frozen else { return Some(level) };
        if revision > self.until {
            return None;
        }
        match (frozen.forces.get(&requirement.id)?[revision as usize]?, level) {
            (Force::Should, Level::Must | Level::Invariant) => Some(Level::Should),
            (Force::Should, Level::MustNot) => Some(Level::ShouldNot),
            (_, level) => Some(level),
        }
    }
}

/// The published sets, the oldest first.
fn sets() -> &'static [Frozen] {
    static READ: OnceLock<Vec<Frozen>> = OnceLock::new();
    READ.get_or_init(|| {
        let read = SETS.iter().map(|file| frozen(file.text));
        read.collect::<Result<_, _>>().expect("the embedded files never change, and a test reads them")
    })
}

fn frozen(text: &str) -> Result<Frozen, String> {
    let raw: RawSet = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut forces = HashMap::with_capacity(raw.requirements.len());
    for (id, letters) in raw.requirements {
        if letters.chars().count() != raw.revisions.len() {
            return Err(format!("{id}: one letter for each revision"));
        }
        let mut all = [None; Revision::ALL.len()];
        for (revision, letter) in raw.revisions.iter().zip(letters.chars()) {
            all[*revision as usize] = match letter {
                'M' => Some(Force::Must),
                'S' => Some(Force::Should),
                '-' => None,
                _ => return Err(format!("{id}: M, S or -, not {letter}")),
            };
        }
        forces.insert(id, all);
    }
    Ok(Frozen { date: raw.date, forces, revisions: raw.revisions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Revision::{V2025_03_26, V2025_11_25, V2026_07_28};

    fn row(id: &str) -> &'static Requirement {
        Catalogue::get().requirement(id).unwrap_or_else(|| panic!("{id}"))
    }

    #[test]
    fn a_set_only_takes_away() {
        let text = "date = \"2026-01-01\"\nrevisions = [\"2025-06-18\", \"2025-11-25\"]\n[requirements]\n\
                    \"ping.answered\" = \"-S\"\n\"ping.params-tolerated\" = \"MM\"\n\"ping.gone\" = \"MM\"\n";
        let set = RequirementSet::read(text).unwrap();
        // Raised since, lowered since, and added since.
        assert_eq!(set.level(row("ping.answered"), V2025_11_25), Some(Level::Should));
        assert_eq!(set.level(row("ping.params-tolerated"), V2025_11_25), Some(Level::Should));
        assert_eq!(set.level(row("ping.answered"), Revision::V2025_06_18), None);
        assert_eq!(set.level(row("ping.answered"), V2025_03_26), None);
        assert_eq!(set.level(row("ping.empty-result"), V2025_11_25), None);
        assert!(set.has("ping.answered") && !set.has("ping.empty-result"));
        assert!(RequirementSet::read(&text.replace("-S", "S")).is_err());
        assert!(RequirementSet::read(&text.replace("-S", "-X")).is_err());
    }

    #[test]
    fn a_revision_names_what_holds_until_it() {
        let set = RequirementSet::named("2025-11-25").unwrap();
        let ping = row("ping.answered");
        assert_eq!(set.level(ping, V2025_11_25), ping.level(V2025_11_25));
        for row in Catalogue::get().iter() {
            assert_eq!(set.level(row, V2026_07_28), None, "{}", row.id);
            assert_eq!(set.has(&row.id), set.ids().binary_search(&row.id.as_str()).is_ok());
        }
        assert!(set.ids().len() > 100 && set.ids().len() < Catalogue::get().len());
        let error = RequirementSet::named("2025-01-01").unwrap_err().to_string();
        assert!(error.contains("2025-11-25") && error.contains(REQUIREMENT_SET), "{error}");
    }
}
