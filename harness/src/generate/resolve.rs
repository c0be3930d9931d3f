//! References made plain: identifiers, anchors and dynamic references become pointers from the root of the schema.

use super::dialect::Dialect;
use super::guard::{decoded_pointer, each_child, shortened};
use super::schema::GenerateError;
use serde_json::{Map, Value};
use std::collections::HashMap;
use url::Url;

/// The base of a schema that does not name one.
const BASE: &str = "http://mcprove.invalid/schema";

/// Where things are.
#[derive(Default)]
struct Names {
    /// Pointers of the resources of the document, by their identifiers.
    resources: HashMap<String, String>,
    /// Pointers of the anchors, by identifier and name.
    anchors: HashMap<(String, String), String>,
    /// Dynamic anchors in the order of the document: name and pointer.
    dynamic: Vec<(String, String)>,
    /// The first resource with `$recursiveAnchor`.
    recursive: Option<String>,
}

/// A copy of the schema in which every reference is a pointer from its root. Nothing is fetched: a reference to what
/// the schema does not hold is an error.
///
/// # Errors
/// [`GenerateError::Unsupported`] for such a reference.
pub(super) fn resolved(schema: &Value) -> Result<Value, GenerateError> {
    let dialect = Dialect::declared(schema).ok().flatten().unwrap_or(Dialect::Draft2020);
    let base = Url::parse(BASE).map_err(|error| GenerateError::Unsupported(error.to_string()))?;
    let mut names = Names::default();
    names.resources.insert(base.as_str().to_owned(), String::new());
    names.collect(schema, dialect, &base, "");
    names.rewritten(schema, dialect, &base, "")
}

/// The base of what stands in a schema that may name one itself.
fn base_of(map: &Map<String, Value>, dialect: Dialect, base: &Url) -> Option<Url> {
    let keyword = if dialect == Dialect::Draft4 { "id" } else { "$id" };
    let id = map.get(keyword)?.as_str()?;
    if is_old(dialect) && (map.contains_key("$ref") || id.starts_with('#')) {
        return None;
    }
    let mut own = base.join(id).ok()?;
    own.set_fragment(None);
    Some(own)
}

/// Whether `$ref` puts aside what stands beside it.
fn is_old(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Draft4 | Dialect::Draft6 | Dialect::Draft7)
}

impl Names {
    fn collect(&mut self, schema: &Value, dialect: Dialect, base: &Url, pointer: &str) {
        let Value::Object(map) = schema else { return };
        let own = base_of(map, dialect, base);
        if let Some(own) = &own {
            self.resources.entry(own.as_str().to_owned()).or_insert_with(|| pointer.to_owned());
        }
        let base = own.as_ref().unwrap_or(base);
        let mut anchors: Vec<&str> =
            ["$anchor", "$dynamicAnchor"].iter().filter_map(|name| map.get(*name)?.as_str()).collect();
        if is_old(dialect) {
            let id = map.get("$id").or_else(|| map.get("id")).and_then(Value::as_str);
            anchors.extend(id.and_then(|id| id.split_once('#')).map(|(_, name)| name));
        }
        for name in anchors.into_iter().filter(|name| !name.is_empty()) {
            let key = (base.as_str().to_owned(), name.to_owned());
            self.anchors.entry(key).or_insert_with(|| pointer.to_owned());
        }
        if let Some(name) = map.get("$dynamicAnchor").and_then(Value::as_str) {
            self.dynamic.push((name.to_owned(), pointer.to_owned()));
        }
        if map.get("$recursiveAnchor") == Some(&Value::Bool(true)) && self.recursive.is_none() {
            self.recursive = Some(pointer.to_owned());
        }
        each_child(map, |place, child| self.collect(child, dialect, base, &format!("{pointer}/{place}")));
    }

    fn rewritten(
        &self,
        schema: &Value,
        dialect: Dialect,
        base: &Url,
        pointer: &str,
    ) -> Result<Value, GenerateError> {
        let Value::Object(map) = schema else { return Ok(schema.clone()) };
        let own = base_of(map, dialect, base);
        let base = own.as_ref().unwrap_or(base);
        let mut new = schema.clone();
        let mut failed = None;
        each_child(map, |place, child| {
            match self.rewritten(child, dialect, base, &format!("{pointer}/{place}")) {
                Ok(child) => {
                    if let Some(at) = new.pointer_mut(&format!("/{place}")) {
                        *at = child;
                    }
                }
                Err(error) => failed = Some(error),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let Value::Object(members) = &mut new else { return Ok(new) };
        let mut target = None;
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(Value::String(reference)) = map.get(keyword) {
                members.shift_remove(keyword);
                let found = self.target(keyword, reference, base)?;
                if let Some(first) = target.replace(found) {
                    let both = members.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = both {
                        list.push(serde_json::json!({ "$ref": pointing(&first) }));
                    }
                }
            }
        }
        for keyword in ["$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$schema", "$comment"] {
            if !pointer.is_empty() || keyword != "$schema" {
                members.shift_remove(keyword);
            }
        }
        if let Some(target) = target {
            if is_old(dialect) {
                members.retain(|name, _| name == "definitions" || name == "$defs" || name == "$schema");
            }
            members.insert("$ref".to_owned(), Value::String(pointing(&target)));
        }
        Ok(new)
    }

    /// The pointer that a reference leads to.
    fn target(&self, keyword: &str, reference: &str, base: &Url) -> Result<String, GenerateError> {
        let strange = |what: &str| GenerateError::Unsupported(format!("{what} `{}`", shortened(reference)));
        let mut uri = base.join(reference).map_err(|_| strange("the reference"))?;
        let fragment = uri.fragment().unwrap_or("").to_owned();
        uri.set_fragment(None);
        let resource = self.resources.get(uri.as_str()).ok_or_else(|| strange("the reference"))?;
        let fragment = decoded_pointer(&fragment);
        if keyword == "$recursiveRef" {
            return Ok(self.recursive.clone().unwrap_or_else(|| resource.clone()));
        }
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(format!("{resource}{fragment}"));
        }
        let key = (uri.as_str().to_owned(), fragment.clone());
        let found = self.anchors.get(&key).ok_or_else(|| strange("the anchor"))?;
        let outermost = self.dynamic.iter().find(|(name, _)| *name == fragment);
        let dynamic = self.dynamic.iter().any(|(name, pointer)| *name == fragment && pointer == found);
        Ok(match outermost {
            Some((_, pointer)) if keyword == "$dynamicRef" && dynamic => pointer.clone(),
            _ => found.clone(),
        })
    }
}

fn pointing(pointer: &str) -> String {
    format!("#{}", pointer.replace('%', "%25"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_become_pointers() {
        let table = [
            (json!({"$defs": {"a": {"$anchor": "x"}}, "$ref": "#x"}), "#/$defs/a"),
            (
                json!({"$id": "https://mcprove.example/s", "$defs": {"a": {}}, "$ref": "s#/$defs/a"}),
                "#/$defs/a",
            ),
            (
                json!({"$defs": {"a": {"$id": "other", "$defs": {"b": {}}}}, "$ref": "other#/$defs/b"}),
                "#/$defs/a/$defs/b",
            ),
            (json!({"$defs": {"n": {"$dynamicAnchor": "node"}}, "$dynamicRef": "#node"}), "#/$defs/n"),
            (
                json!({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"$id": "#x"}}, "$ref": "#x"}),
                "#/definitions/a",
            ),
        ];
        for (schema, expected) in table {
            assert_eq!(resolved(&schema).unwrap()["$ref"], expected, "{schema}");
        }
        for reference in
            ["https://mcprove.example/schema.json", "file:///etc/passwd", "other.json", "#nowhere"]
        {
            assert!(matches!(resolved(&json!({"$ref": reference})), Err(GenerateError::Unsupported(_))));
        }
    }
}
