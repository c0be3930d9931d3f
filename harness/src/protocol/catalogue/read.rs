//! Reads the catalogue strictly: a word, a file or a reference that does not fit is an error.

use super::files::{FILES, File};
use super::requirement::{
    AppliesTo, Basis, ImpliedBy, Level, Levels, Party, Requirement, Severity, Spec, Testable, VerdictMax,
};
use crate::protocol::{Era, Revision};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// All requirements, in the order of areas and, within an area, of its file.
#[derive(Debug)]
pub struct Catalogue {
    requirements: Vec<Requirement>,
    by_id: HashMap<String, usize>,
    areas: Vec<&'static str>,
}

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// A file is no TOML, or has an unknown field or word.
    #[error("catalogue file `{area}.toml`: {message}")]
    Syntax {
        /// The file's area.
        area: String,
        /// What the reader says.
        message: String,
    },
    /// A row contradicts itself or another one.
    #[error("requirement `{id}`: {problem}")]
    Row {
        /// The row's id.
        id: String,
        /// What does not fit.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    requirement: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: String,
    title: String,
    statement: String,
    party: Party,
    transport: AppliesTo,
    severity: Severity,
    basis: Basis,
    basis_legacy: Option<Basis>,
    implied_by: Option<ImpliedBy>,
    testable: Testable,
    needs: Option<String>,
    stimulus: Option<String>,
    stimulus_legacy: Option<String>,
    stimulus_modern: Option<String>,
    #[serde(default)]
    carried: Vec<Revision>,
    restates: Option<String>,
    verdict_max: Option<VerdictMax>,
    levels: BTreeMap<String, Level>,
    spec: RawSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    legacy: Option<String>,
    legacy_revision: Option<Revision>,
    #[serde(default)]
    legacy_also: Vec<String>,
    modern: Option<String>,
    #[serde(default)]
    modern_also: Vec<String>,
    #[serde(default)]
    external: Vec<String>,
}

impl Catalogue {
    /// The catalogue of this program, read on first use.
    pub fn get() -> &'static Self {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(|| {
            Self::read(FILES).expect("the embedded files never change, and a test reads them")
        })
    }

    /// Reads a catalogue from its files.
    pub(super) fn read(files: &[File<'static>]) -> Result<Self, CatalogueError> {
        let mut requirements = Vec::new();
        for file in files {
            let raw: RawFile = toml::from_str(file.text).map_err(|error| CatalogueError::Syntax {
                area: file.area.to_owned(),
                message: error.to_string(),
            })?;
            for row in raw.requirement {
                requirements.push(requirement(file.area, row)?);
            }
        }
        let mut by_id = HashMap::with_capacity(requirements.len());
        for (index, row) in requirements.iter().enumerate() {
            if by_id.insert(row.id.clone(), index).is_some() {
                return Err(problem(&row.id, "the id stands twice"));
            }
        }
        let catalogue = Self { requirements, by_id, areas: files.iter().map(|file| file.area).collect() };
        catalogue.iter().try_for_each(|row| catalogue.check_restates(row))?;
        Ok(catalogue)
    }

    /// The requirement with an id.
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.by_id.get(id).and_then(|index| self.requirements.get(*index))
    }

    /// All requirements.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Requirement> {
        self.requirements.iter()
    }

    /// How many requirements there are.
    pub fn len(&self) -> usize {
        self.requirements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// All areas, by name.
    pub fn areas(&self) -> &[&'static str] {
        &self.areas
    }

    /// The row that carries a row's finding in a revision: the one that it restates, if the revision has that one.
    /// The outcome is copied from there, capped by what [`outcome_of_violation`](super::outcome_of_violation) says
    /// of the row itself.
    pub fn restated(&self, row: &Requirement, revision: Revision) -> Option<&Requirement> {
        let target = self.requirement(row.restates.as_deref()?)?;
        target.level(revision).map(|_| target)
    }

    fn check_restates(&self, row: &Requirement) -> Result<(), CatalogueError> {
        let Some(id) = &row.restates else { return Ok(()) };
        let target = self
            .requirement(id)
            .ok_or_else(|| problem(&row.id, format!("it restates `{id}`, which does not exist")))?;
        if target.restates.is_some() {
            return Err(problem(&row.id, format!("it restates `{id}`, which restates another row")));
        }
        if target.transport != AppliesTo::Any && target.transport != row.transport {
            return Err(problem(&row.id, format!("it restates `{id}`, which is bound to another transport")));
        }
        if !row.levels.iter().any(|(revision, _)| target.level(revision).is_some()) {
            return Err(problem(&row.id, format!("it restates `{id}`, but no revision has both")));
        }
        Ok(())
    }
}

fn problem(id: &str, problem: impl Into<String>) -> CatalogueError {
    CatalogueError::Row { id: id.to_owned(), problem: problem.into() }
}

fn requirement(area: &'static str, raw: RawRow) -> Result<Requirement, CatalogueError> {
    let err = |text: &str| Err(problem(&raw.id, text));
    if !is_id(&raw.id) {
        return err("the id is not made of lower-case words, digits and hyphens, joined by dots");
    }
    if raw.id.split('.').next() != Some(area) {
        return err("the id does not begin with the name of its file");
    }
    if raw.title.trim().is_empty() || raw.statement.trim().is_empty() {
        return err("title or statement is empty");
    }
    let mut levels = Levels::default();
    for (name, level) in &raw.levels {
        let Ok(revision) = name.parse::<Revision>() else { return err("a level names an unknown revision") };
        levels.0[revision as usize] = Some(*level);
    }
    let has = |era: Era| levels.iter().any(|(revision, _)| revision.era() == era);
    if !has(Era::Legacy) && !has(Era::Modern) {
        return err("no revision has a level");
    }
    let invariant = raw.basis == Basis::Invariant;
    if levels.iter().any(|(_, level)| (level == Level::Invariant) != invariant)
        || invariant != ["robustness", "property"].contains(&area)
        || (area == "robustness" && levels.iter().count() != Revision::ALL.len())
    {
        return err(
            "level INVARIANT, basis invariant and the areas robustness and property go together; robustness is in every revision",
        );
    }
    if raw.basis_legacy.is_some() && !(has(Era::Legacy) && has(Era::Modern)) {
        return err("`basis_legacy` without levels in both eras");
    }
    if raw.implied_by.is_some() && ![Some(raw.basis), raw.basis_legacy].contains(&Some(Basis::Implied)) {
        return err("`implied_by` without a basis that is implied");
    }
    if raw.carried.iter().any(|revision| levels.get(*revision).is_none()) {
        return err("a carried revision has no level");
    }
    let split = raw.stimulus_legacy.is_some() || raw.stimulus_modern.is_some();
    if raw.stimulus.is_some() == split {
        return err("either `stimulus` or `stimulus_legacy` and `stimulus_modern`");
    }
    let stimulus_legacy = raw.stimulus_legacy.or_else(|| raw.stimulus.clone());
    let stimulus_modern = raw.stimulus_modern.or(raw.stimulus);
    if (has(Era::Legacy) && stimulus_legacy.is_none()) || (has(Era::Modern) && stimulus_modern.is_none()) {
        return Err(problem(&raw.id, "an era with a level has no stimulus"));
    }
    if raw.testable != Testable::Always && raw.needs.is_none() {
        return Err(problem(&raw.id, "`needs` is missing"));
    }
    let spec = spec(raw.spec).map_err(|text| problem(&raw.id, text))?;
    let external = !spec.external.is_empty();
    if (has(Era::Legacy) && spec.legacy.is_none() && !external)
        || (has(Era::Modern) && spec.modern.is_none() && !external)
    {
        return Err(problem(&raw.id, "an era with a level has no place in the specification"));
    }
    if spec.legacy.as_ref().is_some_and(|(_, revision)| levels.get(*revision).is_none()) {
        return Err(problem(&raw.id, "`legacy_revision` names a revision without the duty"));
    }
    Ok(Requirement {
        id: raw.id,
        area,
        title: raw.title,
        statement: raw.statement,
        party: raw.party,
        transport: raw.transport,
        severity: raw.severity,
        basis: raw.basis,
        basis_legacy: raw.basis_legacy,
        implied_by: raw.implied_by,
        testable: raw.testable,
        needs: raw.needs,
        stimulus_legacy,
        stimulus_modern,
        carried: raw.carried,
        restates: raw.restates,
        verdict_max: raw.verdict_max,
        levels,
        spec,
    })
}

fn spec(raw: RawSpec) -> Result<Spec, &'static str> {
    let legacy = match (raw.legacy, raw.legacy_revision) {
        (Some(anchor), Some(revision)) if revision.era() == Era::Legacy => Some((anchor, revision)),
        (None, None) => None,
        _ => return Err("`legacy` and a `legacy_revision` of the legacy era go together"),
    };
    if (legacy.is_none() && !raw.legacy_also.is_empty())
        || (raw.modern.is_none() && !raw.modern_also.is_empty())
    {
        return Err("a further place without a first one");
    }
    let all = legacy.iter().map(|(anchor, _)| anchor).chain(&raw.legacy_also).chain(&raw.modern);
    if all.chain(&raw.modern_also).chain(&raw.external).any(|anchor| anchor.trim().is_empty()) {
        return Err("an empty place in the specification");
    }
    Ok(Spec {
        legacy,
        legacy_also: raw.legacy_also,
        modern: raw.modern,
        modern_also: raw.modern_also,
        external: raw.external,
    })
}

fn is_id(id: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    id.contains('.') && id.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"
        [[requirement]]
        id = "ping.answered"
        title = "t"
        statement = "s"
        party = "server"
        transport = "any"
        severity = "interop"
        basis = "keyword"
        testable = "always"
        stimulus = "x"
        levels = { "2025-11-25" = "MUST" }
        spec = { legacy = "basic/utilities/ping", legacy_revision = "2025-11-25" }
    "#;

    fn read(text: String) -> Result<Catalogue, CatalogueError> {
        Catalogue::read(&[File { area: "ping", text: text.leak() }])
    }

    #[test]
    fn the_embedded_catalogue_reads() {
        let catalogue = Catalogue::read(FILES).unwrap_or_else(|error| panic!("{error}"));
        assert!(catalogue.len() > 850, "{}", catalogue.len());
        for row in catalogue.iter() {
            assert!(std::ptr::eq(catalogue.requirement(&row.id).unwrap(), row));
        }
        assert!(catalogue.requirement("no.such.id").is_none());
    }

    #[test]
    fn a_good_row_reads() {
        let catalogue = read(ROW.to_owned()).unwrap();
        let row = catalogue.requirement("ping.answered").unwrap();
        assert_eq!(row.level(Revision::V2025_11_25), Some(Level::Must));
        assert_eq!(row.level(Revision::V2026_07_28), None);
        assert_eq!(row.stimulus(Revision::V2025_11_25), Some("x"));
        assert_eq!(row.stimulus(Revision::V2026_07_28), None);
    }

    #[test]
    fn bad_rows_are_refused() {
        let cases = [
            (r#"title = "t""#, "title = \"t\"\nnote = \"n\"", "unknown field"),
            (r#"party = "server""#, r#"party = "client""#, "unknown variant"),
            (r#"= "MUST" }"#, r#"= "MAY" }"#, "unknown variant"),
            (r#""2025-11-25" = "MUST""#, r#""2025-11-26" = "MUST""#, "unknown revision"),
            (r#"id = "ping.answered""#, r#"id = "pong.answered""#, "name of its file"),
            (r#"id = "ping.answered""#, r#"id = "ping.Answered""#, "lower-case"),
            (r#"stimulus = "x""#, "", "stimulus"),
            (r#""always""#, r#""conditional""#, "`needs`"),
            (r#"stimulus = "x""#, "stimulus = \"x\"\ncarried = [\"2024-11-05\"]", "carried"),
            (r#"stimulus = "x""#, "stimulus = \"x\"\nrestates = \"ping.other\"", "does not exist"),
            (r#"stimulus = "x""#, "stimulus = \"x\"\nrestates = \"ping.answered\"", "restates another row"),
            (r#"stimulus = "x""#, "stimulus = \"x\"\nimplied_by = \"table\"", "implied_by"),
            (r#"legacy = "basic/utilities/ping", "#, "", "go together"),
            (r#"= "MUST" }"#, r#"= "INVARIANT" }"#, "INVARIANT"),
            (
                r#"spec = { legacy = "basic/utilities/ping", legacy_revision = "2025-11-25" }"#,
                r#"spec = { modern = "basic/index" }"#,
                "no place",
            ),
        ];
        for (from, to, expected) in cases {
            let text = ROW.replace(from, to);
            assert_ne!(text, ROW, "{from}");
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
        assert!(read(format!("{ROW}{ROW}")).unwrap_err().to_string().contains("twice"));
    }
}
