//! Values that a JSON Schema allows.

use super::choice::{Choices, Seeded};
use super::dialect::Dialect;
use super::guard::{self, affordable};
use super::make::{Run, Stop, weight};
use super::places::Places;
use super::resolve::resolved;
use super::string::{Patterns, limits};
use super::targets::Narrowed;
use super::verdict::sole_fault;
use jsonschema::Validator;
use serde_json::Value;

/// How often a value is tried.
const ATTEMPTS: u32 = 48;
/// From this attempt on choices come from a fixed seed, so that an exhausted or constant source gets its value too.
const FROM_SEED: u32 = 24;
/// From this attempt on a value may break `format`, which most drafts take for an annotation.
const WITHOUT_FORMATS: u32 = 36;
/// How many steps one attempt may take.
const FUEL: u64 = 60_000;
/// How many attempts may use up their steps.
const MAX_SPENT: u32 = 3;
/// Larger schemas are not asked whether they contradict themselves.
const MAX_PROVED: u64 = 2_000;

/// What values are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The least that is valid: required members only, arrays as short as allowed.
    Minimal,
    /// Such as a person would write: defaults and examples where the schema has some, plain words elsewhere.
    #[default]
    Plausible,
    /// All that the schema allows, small.
    Varied,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// The schema is no valid JSON Schema.
    #[error("invalid schema: {0}")]
    InvalidSchema(String),
    /// The schema uses something that is not worked with: a reference to another document (nothing is ever fetched),
    /// references in a circle.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The schema is larger than it may be.
    #[error("schema too large: {0}")]
    TooLarge(&'static str),
    /// There is no such value: the schema contradicts itself.
    #[error("no value can be valid")]
    Unsatisfiable,
    /// No value was found within the limits; there may be none, or only large or rare ones.
    #[error("gave up after {0} attempts")]
    GaveUp(u32),
}

/// A valid value for a schema, in [`Mode::Plausible`]; see [`ValueGenerator`].
///
/// # Errors
/// See [`GenerateError`].
pub fn valid_value(schema: &Value, choices: &mut dyn Choices) -> Result<Value, GenerateError> {
    ValueGenerator::new(schema.clone())?.value(Mode::Plausible, choices)
}

/// Makes values for one schema. Each is checked by a validator before it is handed out. Whatever the schema is, a call
/// comes back: attempts, steps, sizes and patterns are limited, and nothing is fetched.
///
/// Without `$schema` the dialect is 2020-12.
pub struct ValueGenerator {
    /// The schema, references made plain.
    pub(super) schema: Value,
    original: Value,
    /// Judges formats too.
    strict: Validator,
    /// Takes formats for annotations.
    lenient: Validator,
    pub(super) patterns: Patterns,
    /// Whether it was proved that no value is valid, once that was asked.
    impossible: Option<bool>,
    pub(super) places: Option<Places>,
    pub(super) narrowed: Option<Narrowed>,
}

impl std::fmt::Debug for ValueGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueGenerator").field("schema", &self.original).finish_non_exhaustive()
    }
}

impl ValueGenerator {
    /// Prepares a schema.
    ///
    /// # Errors
    /// When the schema is invalid, too large, or uses what is not supported.
    pub fn new(original: Value) -> Result<Self, GenerateError> {
        guard::measure(&original)?;
        let schema = resolved(&original)?;
        guard::check(&schema)?;
        let build = |formats: bool| {
            jsonschema::options()
                .offline()
                .with_pattern_options(limits())
                .should_validate_formats(formats)
                .build(&original)
                .map_err(|error| GenerateError::InvalidSchema(error.masked().to_string()))
        };
        let (strict, lenient) = (build(true)?, build(false)?);
        Ok(Self {
            schema,
            original,
            strict,
            lenient,
            patterns: Patterns::default(),
            impossible: None,
            places: None,
            narrowed: None,
        })
    }

    /// Whether `format` is asserted in the schema's dialect: in drafts 4, 6 and 7.
    pub fn asserts_formats(&self) -> bool {
        let declared = Dialect::declared(&self.original).ok().flatten();
        matches!(declared, Some(Dialect::Draft4 | Dialect::Draft6 | Dialect::Draft7))
    }

    /// The validator that goes by the dialect about formats.
    pub(super) fn judge(&self) -> &Validator {
        if self.asserts_formats() { &self.strict } else { &self.lenient }
    }

    /// The schema as it was given.
    pub fn original(&self) -> &Value {
        &self.original
    }

    /// Whether the schema allows a value, formats asserted. A value whose check would cost too much is not allowed.
    pub fn allows_strictly(&self, value: &Value) -> bool {
        affordable(&self.schema, value) && self.strict.is_valid(value)
    }

    /// Whether the schema allows a value, formats taken for annotations. A value whose check would cost too much is
    /// not allowed.
    pub fn allows(&self, value: &Value) -> bool {
        affordable(&self.schema, value) && self.lenient.is_valid(value)
    }

    /// Whether the schema allows a value, formats taken for annotations; `None` where the check would cost too much.
    pub fn judges(&self, value: &Value) -> Option<bool> {
        affordable(&self.schema, value).then(|| self.lenient.is_valid(value))
    }

    /// What is wrong with a value, in one sentence, with the place; `None` where nothing is or the check costs too much.
    pub fn fault(&self, value: &Value) -> Option<(String, String)> {
        if !affordable(&self.schema, value) {
            return None;
        }
        let error = self.lenient.iter_errors(value).next()?;
        let text: String = error.masked().to_string().chars().take(300).collect();
        Some((error.instance_path().as_str().to_owned(), text))
    }

    /// The keyword that a value breaks and the place where, if it breaks no other and nothing else.
    pub fn sole_fault(&self, value: &Value) -> Option<(String, String)> {
        if affordable(&self.schema, value) { sole_fault(self.judge(), value) } else { None }
    }

    /// The next value. The same choices give the same value.
    ///
    /// # Errors
    /// [`GenerateError::GaveUp`] when no attempt came to a valid value, [`GenerateError::Unsatisfiable`] where it is
    /// proved that none can.
    pub fn value(&mut self, mode: Mode, choices: &mut dyn Choices) -> Result<Value, GenerateError> {
        if self.impossible == Some(true) {
            return Err(GenerateError::Unsatisfiable);
        }
        let (strict, lenient) = (&self.strict, &self.lenient);
        let good = |value: &Value, attempt| {
            let validator = if attempt < WITHOUT_FORMATS { strict } else { lenient };
            validator.is_valid(value)
        };
        let made = attempts(&self.schema, &self.schema, mode, &mut self.patterns, choices, ATTEMPTS, good);
        made.map_err(|tried| {
            let original = &self.original;
            if *self.impossible.get_or_insert_with(|| is_impossible(original)) {
                GenerateError::Unsatisfiable
            } else {
                GenerateError::GaveUp(tried)
            }
        })
    }
}

/// Values of `schema`, whose references lead into `root`, until one is good; else how often it was tried.
pub(super) fn attempts(
    root: &Value,
    schema: &Value,
    mode: Mode,
    patterns: &mut Patterns,
    choices: &mut dyn Choices,
    most: u32,
    mut good: impl FnMut(&Value, u32) -> bool,
) -> Result<Value, u32> {
    let mut spent = 0;
    for attempt in 0..most {
        let mut fixed = Seeded::new(u64::from(attempt));
        let choices = if attempt < FROM_SEED { &mut *choices } else { &mut fixed };
        let mut run =
            Run { root, mode, attempt, turn: 0, nested: 0, fuel: FUEL, patterns: &mut *patterns, choices };
        match run.value(schema, "", 0) {
            Ok(value) if affordable(root, &value) => {
                if good(&value, attempt) {
                    return Ok(value);
                }
            }
            Err(Stop::NoValue) => {}
            Ok(_) | Err(Stop::Spent) => {
                spent += 1;
                if spent == MAX_SPENT {
                    return Err(attempt + 1);
                }
            }
        }
    }
    Err(most)
}

/// Whether it can be proved that no value is valid; looked at for schemas of a usual size only.
fn is_impossible(schema: &Value) -> bool {
    if weight(schema) > MAX_PROVED {
        return false;
    }
    let options = jsonschema::canonical::options().offline().with_pattern_options(limits());
    let canonical = options.should_validate_formats(false).canonicalize(schema);
    canonical.is_ok_and(|canonical| canonical.satisfiability() == jsonschema::canonical::Satisfiability::No)
}
