//! Which requirements a user asked for: `--only` and `--skip`.

use super::near::nearest;
use super::read::Catalogue;
use super::requirement::Requirement;
use super::sets::RequirementSet;
use std::collections::BTreeSet;

/// A set of requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    ids: BTreeSet<&'static str>,
}

/// Patterns that match no requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` matches no requirement{}", hint(.near))]
pub struct SelectionError {
    /// The pattern.
    pub pattern: String,
    /// Ids and areas with a similar name, best first.
    pub near: Vec<String>,
}

fn hint(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean `{}`?", near.join("`, `")) }
}

impl Selection {
    /// Every requirement.
    pub fn all() -> Self {
        Self { ids: Catalogue::get().iter().map(|row| row.id.as_str()).collect() }
    }

    /// The requirements that match any of the patterns. A pattern with `*` is compared with whole ids, and `*` stands
    /// for any text, dots included (`**` means the same); one without is an id, or the beginning of ids up to a dot:
    /// `stdio` and `base.error` select everything below.
    ///
    /// # Errors
    /// The first pattern that matches nothing.
    pub fn parse<S: AsRef<str>>(patterns: &[S]) -> Result<Self, SelectionError> {
        let mut ids = BTreeSet::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let mut matched = false;
            for row in Catalogue::get().iter().filter(|row| matches(pattern, &row.id)) {
                matched = true;
                ids.insert(row.id.as_str());
            }
            if !matched {
                return Err(unknown(pattern));
            }
        }
        Ok(Self { ids })
    }

    /// What `--only` and `--skip` together select: everything when `only` is empty, without what `skip` matches.
    ///
    /// # Errors
    /// The first pattern of either that matches nothing. A selection that is empty because `skip` took everything is
    /// no error here.
    pub fn new<S: AsRef<str>>(only: &[S], skip: &[S]) -> Result<Self, SelectionError> {
        let mut selection = if only.is_empty() { Self::all() } else { Self::parse(only)? };
        let skipped = Self::parse(skip)?;
        selection.ids.retain(|id| !skipped.ids.contains(id));
        Ok(selection)
    }

    /// No requirement.
    pub fn none() -> Self {
        Self { ids: BTreeSet::new() }
    }

    /// Keeps what a set has.
    pub fn restrict(&mut self, set: &RequirementSet) {
        self.ids.retain(|id| set.has(id));
    }

    /// Keeps one part of `of`, counted from 1. Which part an id belongs to depends on nothing but the id and `of`.
    pub fn shard(&mut self, part: u32, of: u32) {
        self.ids.retain(|id| in_shard(id, part, of));
    }

    /// Whether a requirement is selected.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// The selected ids, sorted.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &'static str> + '_ {
        self.ids.iter().copied()
    }

    /// The selected requirements, sorted by id.
    pub fn requirements(&self) -> impl Iterator<Item = &'static Requirement> + '_ {
        self.ids.iter().filter_map(|id| Catalogue::get().requirement(id))
    }

    /// How many are selected.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

fn unknown(pattern: &str) -> SelectionError {
    let catalogue = Catalogue::get();
    let bare = pattern.trim_end_matches(['*', '.']);
    let ids = catalogue.iter().flat_map(|row| prefixes(&row.id));
    let near = nearest(bare, ids, 3).into_iter().map(str::to_owned).collect();
    SelectionError { pattern: pattern.to_owned(), near }
}

/// Whether an id belongs to one part of `of`, counted from 1; that depends on nothing else.
pub fn in_shard(id: &str, part: u32, of: u32) -> bool {
    u64::from(part) == 1 + stable_hash(id) % u64::from(of.max(1))
}

/// A number that is the same for a text in every version and on every machine: the first eight bytes of SHA-256.
fn stable_hash(text: &str) -> u64 {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The id and everything before one of its dots.
fn prefixes(id: &str) -> impl Iterator<Item = &str> {
    id.match_indices('.').map(|(at, _)| &id[..at]).chain([id])
}

/// Whether an id matches a pattern as [`Selection::parse`] reads it; the id of a fault goes on after a slash.
pub fn matches(pattern: &str, id: &str) -> bool {
    if pattern.contains('*') {
        return glob(pattern, id);
    }
    id.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        && !pattern.is_empty()
}

/// Compares with `*` for any text, in time proportional to the lengths: each piece at its first place.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        let table = [
            ("tools.*", "tools.list.answered", true),
            ("*.answered", "tools.list.answered", true),
            ("tools.*.answered", "tools.answered", false),
            ("t*l*d", "tools.list.answered", true),
            ("base.error.**", "base.error.shape", true),
            ("*", "a.b", true),
            ("a*a", "a", false),
            ("b*", "a.b", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_area_or_prefix_selects_what_is_below() {
        let http = Selection::parse(&["http"]).unwrap();
        assert!(http.contains("http.endpoint.single") && !http.contains("http-session.id-charset"));
        let errors = Selection::parse(&["base.error"]).unwrap();
        assert_eq!(errors, Selection::parse(&["base.error.*"]).unwrap());
        assert!(errors.ids().all(|id| id.starts_with("base.error.")));
        assert_eq!(Selection::parse(&["ping.answered"]).unwrap().len(), 1);
        let stdio = Selection::parse(&["stdio"]).unwrap();
        assert!(stdio.requirements().all(|row| row.area == "stdio"));
        assert_eq!(stdio.requirements().count(), stdio.len());
    }

    #[test]
    fn unknown_patterns_name_what_is_near() {
        let error = Selection::parse(&["ping.answred"]).unwrap_err();
        assert_eq!(error.near, ["ping.answered"]);
        assert_eq!(error.to_string(), "`ping.answred` matches no requirement; did you mean `ping.answered`?");
        let error = Selection::parse(&["toolz.*"]).unwrap_err();
        assert_eq!(error.near.first().map(String::as_str), Some("tools"));
        assert!(Selection::parse(&[""]).is_err());
        assert!(Selection::parse(&["pin"]).is_err());
        let far = Selection::parse(&["qqqqqqqqqq"]).unwrap_err();
        assert_eq!(far.to_string(), "`qqqqqqqqqq` matches no requirement");
    }

    #[test]
    fn shards_share_everything_once() {
        let mut all = BTreeSet::new();
        for part in 1..=4 {
            let mut selection = Selection::all();
            selection.shard(part, 4);
            assert!(selection.len() > 100, "{part}: {}", selection.len());
            assert!(selection.ids().all(|id| all.insert(id)));
        }
        assert_eq!(all.len(), Selection::all().len());
        assert_eq!(stable_hash("ping.answered"), 0x64e6_e273_cd52_a57a);
    }

    #[test]
    fn skip_takes_away() {
        let none: [&str; 0] = [];
        assert_eq!(Selection::new(&none, &none).unwrap(), Selection::all());
        let some = Selection::new(&["ping"], &["ping.p*"]).unwrap();
        assert!(some.contains("ping.answered") && !some.contains("ping.periodic"));
        assert!(Selection::new(&["ping"], &["ping"]).unwrap().is_empty());
        assert!(Selection::new(&["ping"], &["pong"]).is_err());
    }
}
