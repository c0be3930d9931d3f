//! The JSON Schema of a revision, out of the model: draft-07 up to 2025-06-18, 2020-12 later.

use serde_json::{Map, Value, json};

use super::resolve::{RevisionModel, revision_model};
use super::shape::Shape;
use crate::protocol::Revision;

/// The JSON Schema of a revision with all its definitions, under `definitions` up to 2025-06-18 and `$defs` later.
///
/// `format` is an annotation: `uri`, `uri-template` and `byte` (base64).
pub fn json_schema(revision: Revision) -> Value {
    let model = revision_model(revision);
    document(model, (0..model.definitions.len()).collect(), None)
}

/// The JSON Schema of one definition, with the definitions that it needs and no others.
pub(super) fn schema_of(model: &RevisionModel, definition: usize) -> Value {
    let mut needed = vec![definition];
    let mut at = 0;
    while let Some(&next) = needed.get(at) {
        model.definitions[next].shape.definitions(&mut needed);
        at += 1;
    }
    document(model, needed, Some(definition))
}

fn document(model: &RevisionModel, definitions: Vec<usize>, root: Option<usize>) -> Value {
    let emitter = Emitter { model };
    let mut document = Map::new();
    let draft_07 = model.revision <= Revision::V2025_06_18;
    let dialect = if draft_07 {
        "http://json-schema.org/draft-07/schema#"
    } else {
        "https://json-schema.org/draft/2020-12/schema"
    };
    document.insert("$schema".into(), dialect.into());
    if let Some(root) = root {
        document.insert("allOf".into(), json!([emitter.reference(root)]));
    }
    let schemas = definitions
        .into_iter()
        .map(|at| (model.definitions[at].name.to_owned(), emitter.schema(&model.definitions[at].shape)));
    document.insert(emitter.keyword().into(), Value::Object(schemas.collect()));
    Value::Object(document)
}

struct Emitter<'a> {
    model: &'a RevisionModel,
}

impl Emitter<'_> {
    fn keyword(&self) -> &'static str {
        if self.model.revision <= Revision::V2025_06_18 { "definitions" } else { "$defs" }
    }

    fn reference(&self, definition: usize) -> Value {
        json!({"$ref": format!("#/{}/{}", self.keyword(), self.model.definitions[definition].name)})
    }

    fn schema(&self, shape: &Shape) -> Value {
        let every = |parts: &[Shape]| parts.iter().map(|part| self.schema(part)).collect::<Vec<_>>();
        match shape {
            Shape::Any => json!({}),
            Shape::Null => json!({"type": "null"}),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::String { format: None } => json!({"type": "string"}),
            Shape::String { format: Some(format) } => json!({"type": "string", "format": format}),
            Shape::Integer { least } => ranged("integer", *least, None),
            Shape::Number { least, most } => ranged("number", *least, *most),
            Shape::OneOf(texts) if texts.len() == 1 => json!({"type": "string", "const": texts[0]}),
            Shape::OneOf(texts) => json!({"type": "string", "enum": texts}),
            Shape::Code(code) => json!({"type": "integer", "const": code}),
            Shape::Array { items, most } => {
                let mut schema = json!({"type": "array", "items": self.schema(items)});
                if let Some(most) = most {
                    schema["maxItems"] = (*most).into();
                }
                schema
            }
            Shape::Object { members, rest } => {
                let mut schema = json!({"type": "object"});
                if !members.is_empty() {
                    let properties = members.iter().map(|m| (m.name.clone(), self.schema(&m.shape)));
                    schema["properties"] = Value::Object(properties.collect());
                }
                let required: Vec<&str> =
                    members.iter().filter(|m| m.required).map(|m| m.name.as_str()).collect();
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                if let Some(rest) = rest {
                    schema["additionalProperties"] = self.schema(rest);
                }
                schema
            }
            Shape::Definition(at) => self.reference(*at),
            Shape::Unnamed(_, shape) => self.schema(shape),
            Shape::Union(parts) => plain_types(parts)
                .map_or_else(|| json!({"anyOf": every(parts)}), |types| json!({"type": types})),
            Shape::All(parts) => json!({"allOf": every(parts)}),
        }
    }
}

fn ranged(kind: &str, least: Option<i64>, most: Option<i64>) -> Value {
    let mut schema = json!({"type": kind});
    for (keyword, bound) in [("minimum", least), ("maximum", most)] {
        if let Some(bound) = bound {
            schema[keyword] = bound.into();
        }
    }
    schema
}

fn plain_types(parts: &[Shape]) -> Option<Vec<&'static str>> {
    let plain = |part: &Shape| match part {
        Shape::Null => Some("null"),
        Shape::Boolean => Some("boolean"),
        Shape::String { format: None } => Some("string"),
        Shape::Integer { least: None } => Some("integer"),
        Shape::Number { least: None, most: None } => Some("number"),
        _ => None,
    };
    parts.iter().map(plain).collect()
}
