//! Values for one keyword at one place: at its edge, or breaking it and nothing else.

use super::choice::{Choices, Seeded};
use super::edges::{edges, misses};
use super::guard::affordable;
use super::meets::{Judge, equal};
use super::places::{Change, Places};
use super::schema::{GenerateError, Mode, ValueGenerator, attempts};
use super::verdict::breaks_only;
use serde_json::{Value, json};

/// How often a value is tried for one way to a target.
const ATTEMPTS: u32 = 5;
/// More targets are not listed.
const MAX_TARGETS: usize = 20_000;
/// What looking at a value that is about to be handed out may cost.
const LAST_LOOK: u64 = 50_000;

/// One keyword at one place, as something to make a value for.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The keyword.
    pub keyword: String,
    /// The schema in which the keyword stands: a JSON pointer from the root of the schema.
    pub schema_path: String,
    /// The part of the value that the keyword is about: a JSON pointer.
    pub path: String,
    /// What of the keyword is wanted, such as the member of an `enum`; for people.
    pub detail: String,
    place: usize,
    changes: Vec<Change>,
}

/// What can be aimed at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Targets {
    /// The targets, those near the root of the schema first.
    pub list: Vec<Target>,
    /// Whether these are all; false where the schema has more places than are looked at.
    pub complete: bool,
}

/// The schema narrowed to one way to a target, kept for the next value.
pub(super) struct Narrowed {
    place: usize,
    change: Change,
    schema: Value,
}

impl ValueGenerator {
    fn places(&mut self) -> &Places {
        if self.places.is_none() {
            self.places = Some(Places::of(&self.schema, &mut self.patterns));
        }
        self.places.get_or_insert_default()
    }

    fn targets(&mut self, near_misses: bool) -> Targets {
        let formats = self.asserts_formats();
        let places = self.places().clone();
        let mut targets = Targets { list: Vec::new(), complete: places.complete };
        for (index, place) in places.list.iter().enumerate() {
            let Some(Value::Object(map)) = self.schema.pointer(&place.pointer) else { continue };
            let aims = if near_misses { misses(&self.schema, map, formats) } else { edges(map) };
            for aim in aims {
                if targets.list.len() >= MAX_TARGETS {
                    targets.complete = false;
                    return targets;
                }
                targets.list.push(Target {
                    keyword: aim.keyword,
                    schema_path: place.pointer.clone(),
                    path: place.path.clone(),
                    detail: aim.detail,
                    place: index,
                    changes: aim.changes,
                });
            }
        }
        targets
    }

    /// The edges of every keyword at every place that values reach: bounds, lengths, members of an `enum`, branches,
    /// optional members present and absent, and so on. Recursive schemas are followed once round.
    pub fn edges(&mut self) -> Targets {
        self.targets(false)
    }

    /// Every keyword at every place that a value can break: all but those that only apply other schemas, and `format`
    /// only where the dialect asserts it.
    pub fn breakable(&mut self) -> Targets {
        self.targets(true)
    }

    /// A valid value that stands at an edge.
    ///
    /// # Errors
    /// [`GenerateError::GaveUp`] where none was found: most often no valid value stands there.
    pub fn at_edge(
        &mut self,
        target: &Target,
        mode: Mode,
        choices: &mut dyn Choices,
    ) -> Result<Value, GenerateError> {
        let mut tried = 0;
        for change in &target.changes {
            self.narrow(target.place, change);
            match self.make_narrowed(mode, choices, |generator, value| generator.judge().is_valid(value)) {
                Ok(value) => return Ok(value),
                Err(more) => tried += more,
            }
        }
        Err(GenerateError::GaveUp(tried))
    }

    /// A value that breaks the keyword at its place and nothing else: every error of the validator is of that keyword
    /// at that path. Where the keyword stands in a branch of `anyOf` or `oneOf`, these fail in consequence, and of one
    /// branch the keyword is all that fails; `propertyNames` likewise.
    ///
    /// # Errors
    /// [`GenerateError::GaveUp`] where none was found: often another keyword cannot but fail with it.
    pub fn near_miss(
        &mut self,
        target: &Target,
        mode: Mode,
        choices: &mut dyn Choices,
    ) -> Result<Value, GenerateError> {
        let mut tried = 0;
        // Any way may come first, and then the others in turn.
        let start = choices.below(target.changes.len() as u64) as usize;
        for change in target.changes.iter().cycle().skip(start).take(target.changes.len()) {
            self.narrow(target.place, change);
            let made = self.make_narrowed(mode, choices, |generator, value| {
                breaks_only(generator.judge(), value, &target.keyword, &target.path)
            });
            match made {
                Ok(value) => return Ok(value),
                Err(more) => tried += more,
            }
        }
        self.narrow(target.place, &Change::default());
        let whole = self.make_narrowed(mode, choices, |_, value| value.pointer(&target.path).is_some());
        if let Ok(whole) = whole
            && let Some(value) = self.put_in(&whole, target, choices)
        {
            return Ok(value);
        }
        Err(GenerateError::GaveUp(tried + 1))
    }

    /// The finite walk along all edges: each target with its value, or why there is none. Always the same.
    pub fn boundary_walk(&mut self) -> impl Iterator<Item = (Target, Result<Value, GenerateError>)> + '_ {
        let targets = self.edges().list;
        targets.into_iter().enumerate().map(|(index, target)| {
            let value = self.at_edge(&target, Mode::Minimal, &mut Seeded::new(index as u64));
            (target, value)
        })
    }

    fn narrow(&mut self, place: usize, change: &Change) {
        let known = self.narrowed.as_ref();
        if known.is_some_and(|known| known.place == place && known.change == *change) {
            return;
        }
        self.places();
        let schema = match &self.places {
            Some(places) => places.narrowed(&self.schema, place, change),
            None => Value::Bool(false),
        };
        self.narrowed = Some(Narrowed { place, change: change.clone(), schema });
    }

    fn make_narrowed(
        &mut self,
        mode: Mode,
        choices: &mut dyn Choices,
        good: impl Fn(&Self, &Value) -> bool,
    ) -> Result<Value, u32> {
        let Some(narrowed) = self.narrowed.take() else { return Err(0) };
        let mut patterns = std::mem::take(&mut self.patterns);
        let good = |value: &Value, _| good(self, value);
        let schema = &narrowed.schema;
        let mut value = attempts(&self.schema, schema, mode, &mut patterns, choices, ATTEMPTS, good);
        if let Ok(made) = &value {
            let mut fuel = LAST_LOOK;
            let mut judge = Judge { root: &self.schema, patterns: &mut patterns, fuel: &mut fuel };
            if judge.meets(schema, made) == Some(false) {
                value = Err(ATTEMPTS);
            }
        }
        self.patterns = patterns;
        self.narrowed = Some(narrowed);
        value
    }

    /// The value with something else at the place of a target, so that only its keyword breaks.
    fn put_in(&self, whole: &Value, target: &Target, choices: &mut dyn Choices) -> Option<Value> {
        let own = whole.pointer(&target.path)?;
        let candidates = if target.keyword == "uniqueItems" {
            let elements = own.as_array()?;
            let doubled = elements.first().or(Some(&Value::Null)).into_iter().flat_map(|first| {
                let mut longer = elements.clone();
                longer.insert(0, first.clone());
                let mut same = elements.clone();
                if let Some(last) = same.last_mut() {
                    *last = first.clone();
                }
                let two = vec![first.clone(), first.clone()];
                [longer, same, two].map(Value::Array)
            });
            doubled.collect()
        } else {
            let number = choices.between(-10, 1000);
            vec![
                Value::Null,
                json!(choices.flip()),
                json!(number),
                json!(number as f64 + 0.5),
                json!(format!("mcprove{number}")),
                json!([]),
                json!({}),
                json!(["mcprove"]),
                json!({"mcprove": 1}),
                json!(""),
            ]
        };
        let start = choices.index(candidates.len());
        for candidate in candidates.iter().cycle().skip(start).take(candidates.len()) {
            let mut value = whole.clone();
            let place = value.pointer_mut(&target.path)?;
            if equal(place, candidate) {
                continue;
            }
            *place = candidate.clone();
            if affordable(&self.schema, &value)
                && breaks_only(self.judge(), &value, &target.keyword, &target.path)
            {
                return Some(value);
            }
        }
        None
    }
}
