//! Values that a JSON Schema allows.

use super::choice::{Choices, Seeded};
use super::guard::{self, affordable};
use super::make::{Run, Stop};
use super::string::{Patterns, limits};
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
    /// references in a circle, dynamic references.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The schema is larger than it may be.
    #[error("schema too large: {0}")]
    TooLarge(&'static str),
    /// No valid value was found; most likely there is none, or only very large ones.
    #[error("no valid value found in {0} attempts")]
    Unsatisfiable(u32),
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
    schema: Value,
    /// Judges formats too.
    strict: Validator,
    /// Takes formats for annotations.
    lenient: Validator,
    patterns: Patterns,
}

impl std::fmt::Debug for ValueGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueGenerator").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ValueGenerator {
    /// Prepares a schema.
    ///
    /// # Errors
    /// When the schema is invalid, too large, or uses what is not supported.
    pub fn new(schema: Value) -> Result<Self, GenerateError> {
        guard::check(&schema)?;
        let build = |formats: bool| {
            jsonschema::options()
                .offline()
                .with_pattern_options(limits())
                .should_validate_formats(formats)
                .build(&schema)
                .map_err(|error| GenerateError::InvalidSchema(error.masked().to_string()))
        };
        let (strict, lenient) = (build(true)?, build(false)?);
        Ok(Self { schema, strict, lenient, patterns: Patterns::default() })
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

    /// The next value. The same choices give the same value.
    ///
    /// # Errors
    /// [`GenerateError::Unsatisfiable`] when no attempt came to a valid value.
    pub fn value(&mut self, mode: Mode, choices: &mut dyn Choices) -> Result<Value, GenerateError> {
        let mut spent = 0;
        for attempt in 0..ATTEMPTS {
            let mut fixed = Seeded::new(u64::from(attempt));
            let choices = if attempt < FROM_SEED { &mut *choices } else { &mut fixed };
            let mut run =
                Run { root: &self.schema, mode, attempt, fuel: FUEL, patterns: &mut self.patterns, choices };
            let value = match run.value(&self.schema, "", 0) {
                Ok(value) if affordable(&self.schema, &value) => value,
                Err(Stop::NoValue) => continue,
                Ok(_) | Err(Stop::Spent) => {
                    spent += 1;
                    if spent == MAX_SPENT {
                        return Err(GenerateError::Unsatisfiable(attempt + 1));
                    }
                    continue;
                }
            };
            let validator = if attempt < WITHOUT_FORMATS { &self.strict } else { &self.lenient };
            if validator.is_valid(&value) {
                return Ok(value);
            }
        }
        Err(GenerateError::Unsatisfiable(ATTEMPTS))
    }
}
