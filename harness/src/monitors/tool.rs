//! A tool as it was listed, with its schemas made ready when they are first needed.

use crate::generate::{Dialect, GenerateError, ValueGenerator};
use crate::protocol::Revision;
use serde_json::Value;
use std::sync::OnceLock;

/// A tool as it was listed.
#[derive(Debug)]
pub struct Tool {
    /// Its entry in the list.
    pub definition: Value,
    output: OnceLock<Vec<ValueGenerator>>,
}

/// The dialects by which a schema may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialects {
    /// It has to be right in each of them to be wrong in none: one, or two where the revision does not say which.
    Any(Vec<Dialect>),
    /// It names one that is not known here.
    Unknown(String),
}

/// The dialects by which a revision lets a schema be read: the declared one; without one, 2020-12 from 2025-11-25 on,
/// and before that nobody says.
pub(super) fn dialects(schema: &Value, revision: Revision) -> Dialects {
    match Dialect::declared(schema) {
        Ok(Some(declared)) => Dialects::Any(vec![declared]),
        Ok(None) if revision >= Revision::V2025_11_25 => Dialects::Any(vec![Dialect::Draft2020]),
        Ok(None) => Dialects::Any(vec![Dialect::Draft2020, Dialect::Draft7]),
        Err(named) => Dialects::Unknown(named),
    }
}

impl Tool {
    /// A tool from its entry in a list.
    pub fn new(definition: Value) -> Self {
        Self { definition, output: OnceLock::new() }
    }

    /// A member of the definition.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.definition.get(member)
    }

    /// Whether a value conforms to `outputSchema`. `None`: there is none, or it cannot be used. `Some(Err)` names the
    /// place and the reason.
    pub fn output_conforms(&self, value: &Value, revision: Revision) -> Option<Result<(), (String, String)>> {
        let schema = self.get("outputSchema")?;
        let Dialects::Any(dialects) = dialects(schema, revision) else { return None };
        let validators = self.output.get_or_init(|| {
            let ready: Result<Vec<ValueGenerator>, GenerateError> = dialects
                .iter()
                .map(|dialect| {
                    let mut schema = schema.clone();
                    if let Some(members) = schema.as_object_mut() {
                        members.insert("$schema".to_owned(), Value::from(dialect.uri()));
                    }
                    ValueGenerator::new(schema)
                })
                .collect();
            // A schema that only one dialect can read leaves the other one's word unheard: no judgement then.
            ready.unwrap_or_default()
        });
        let verdicts: Option<Vec<bool>> =
            validators.iter().map(|validator| validator.judges(value)).collect();
        let verdicts = verdicts.filter(|verdicts| !verdicts.is_empty())?;
        if verdicts.contains(&true) {
            return Some(Ok(()));
        }
        Some(Err(validators.first()?.fault(value).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn output_is_held_against_the_schema_where_all_dialects_agree() {
        let tool = Tool::new(json!({"name": "t", "outputSchema": {
            "type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"],
        }}));
        let old = Revision::V2025_06_18;
        assert_eq!(tool.output_conforms(&json!({"sum": 3}), old), Some(Ok(())));
        let (at, why) = tool.output_conforms(&json!({"sum": "3"}), old).unwrap().unwrap_err();
        assert_eq!(at, "/sum");
        assert!(why.contains("number"), "{why}");
        let strange =
            Tool::new(json!({"name": "t", "outputSchema": {"$schema": "urn:mine", "type": "object"}}));
        assert_eq!(strange.output_conforms(&json!({}), old), None);
        assert_eq!(Tool::new(json!({"name": "t"})).output_conforms(&json!({}), old), None);
    }
}
