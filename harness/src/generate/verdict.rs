//! Whether a value breaks one keyword at one place and nothing else.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// Whether every error of the value is of the keyword at the path. `anyOf` and `oneOf` count by what one of their
/// branches says, `propertyNames` by itself.
pub(super) fn breaks_only(validator: &Validator, value: &Value, keyword: &str, path: &str) -> bool {
    let mut missing = None;
    let mut some = false;
    for error in validator.iter_errors(value) {
        some = true;
        if !is_of(&error, keyword, path) {
            return false;
        }
        // Each missing member is a breach of its own.
        if let ValidationErrorKind::Required { property } = error.kind() {
            if missing.as_ref().is_some_and(|other| other != property) {
                return false;
            }
            missing = Some(property.clone());
        }
    }
    some
}

/// The keyword that every error of the value is of, and where.
pub(super) fn sole_fault(validator: &Validator, value: &Value) -> Option<(String, String)> {
    let first = validator.iter_errors(value).next()?;
    let (keyword, path) = (name(&first).to_owned(), first.instance_path().as_str().to_owned());
    breaks_only(validator, value, &keyword, &path).then_some((keyword, path))
}

fn is_of(error: &ValidationError<'_>, keyword: &str, path: &str) -> bool {
    let at = error.instance_path().as_str();
    if at == path && name(error) == keyword {
        return true;
    }
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            path.starts_with(at)
                && context.iter().any(|branch| {
                    !branch.is_empty() && branch.iter().all(|error| is_of(error, keyword, path))
                })
        }
        _ => false,
    }
}

/// The keyword that failed, by where it stands in the schema.
fn name<'e>(error: &'e ValidationError<'_>) -> &'e str {
    match error.kind() {
        // What a member brings along is told as missing, beside the name of that member.
        ValidationErrorKind::Required { .. } => {
            let mut steps = error.schema_path().as_str().rsplit('/').take(2);
            steps.find(|step| ["dependentRequired", "dependencies"].contains(step)).unwrap_or("required")
        }
        ValidationErrorKind::Contains => {
            let last = error.schema_path().as_str().rsplit('/').next().unwrap_or("");
            if last == "minContains" || last == "maxContains" { last } else { "contains" }
        }
        ValidationErrorKind::FalseSchema => error.schema_path().as_str().rsplit('/').next().unwrap_or(""),
        kind => kind.keyword(),
    }
}
