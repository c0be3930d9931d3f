//! Values for a JSON Schema as the published ones are written, and one-step changes of any value.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

/// Samples of a part of a value; the whole gets more.
const PART_LIMIT: usize = 16;
const WHOLE_LIMIT: usize = 60;

/// Values of a definition: with the required members only, with all members, and with each alternative and each
/// enum value in turn.
pub(crate) fn samples(document: &Value, definition: &Value) -> Vec<Value> {
    Generator { document, open: RefCell::default() }.samples(definition, WHOLE_LIMIT)
}

struct Generator<'a> {
    document: &'a Value,
    /// The references that are being followed.
    open: RefCell<Vec<String>>,
}

impl Generator<'_> {
    fn samples(&self, schema: &Value, limit: usize) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        for value in self.all(schema, limit) {
            if found.len() < limit && !found.contains(&value) {
                found.push(value);
            }
        }
        found
    }

    fn all(&self, schema: &Value, limit: usize) -> Vec<Value> {
        let part = |schema: &Value| self.samples(schema, PART_LIMIT);
        if let Some(pointer) = schema["$ref"].as_str() {
            let target = self.document.pointer(&pointer[1..]).expect("references point into the document");
            if self.open.borrow().iter().any(|open| open == pointer) {
                return vec![if target["type"] == "object" { json!({}) } else { json!("text") }];
            }
            self.open.borrow_mut().push(pointer.to_owned());
            let found = self.samples(target, limit);
            self.open.borrow_mut().pop();
            return found;
        }
        if let Some(value) = schema.get("const") {
            return vec![value.clone()];
        }
        if let Some(values) = schema["enum"].as_array() {
            return values.clone();
        }
        if let Some(branches) = schema["anyOf"].as_array() {
            // In turns, so that the limit cuts no branch off.
            let each: Vec<Vec<Value>> = branches.iter().map(part).collect();
            let longest = each.iter().map(Vec::len).max().unwrap_or_default();
            return (0..longest)
                .flat_map(|at| each.iter().filter_map(move |list| list.get(at).cloned()))
                .collect();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let each: Vec<Vec<Value>> = parts.iter().map(part).collect();
            let longest = each.iter().map(Vec::len).max().unwrap_or_default();
            return (0..longest)
                .map(|at| each.iter().filter_map(|list| list.get(at).or(list.last())).fold(json!({}), merge))
                .collect();
        }
        match &schema["type"] {
            Value::Array(types) => {
                types.iter().flat_map(|kind| self.all(&json!({"type": kind}), limit)).collect()
            }
            Value::String(kind) => match kind.as_str() {
                "object" => self.objects(schema),
                "array" => {
                    let items = schema.get("items").map(part).unwrap_or_default();
                    vec![
                        Value::Array(items.iter().take(1).cloned().collect()),
                        Value::Array(items),
                        json!([]),
                    ]
                }
                "string" => vec![json!("text")],
                "integer" => vec![json!(schema["minimum"].as_i64().unwrap_or(7))],
                "number" => vec![json!(0.5), json!(1)],
                "boolean" => vec![json!(true)],
                "null" => vec![Value::Null],
                other => panic!("no samples for the type {other}"),
            },
            _ => vec![json!("anything"), json!({"any": ["thing"]})],
        }
    }

    fn objects(&self, schema: &Value) -> Vec<Value> {
        let empty = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let choices: Vec<(&String, Vec<Value>)> =
            properties.iter().map(|(name, schema)| (name, self.samples(schema, PART_LIMIT))).collect();
        let object = |keep: &dyn Fn(&str) -> bool| -> Map<String, Value> {
            let kept = choices.iter().filter(|(name, _)| keep(name));
            kept.filter_map(|(name, values)| Some(((*name).clone(), values.first()?.clone()))).collect()
        };
        let mut full = object(&|_| true);
        if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
            for (index, value) in self.samples(rest, PART_LIMIT).into_iter().enumerate() {
                full.insert(format!("key{index}"), value);
            }
        }
        let mut found =
            vec![Value::Object(full.clone()), Value::Object(object(&|name| required.contains(&name)))];
        for (name, values) in &choices {
            for value in values.iter().skip(1) {
                let mut changed = full.clone();
                changed.insert((*name).clone(), value.clone());
                found.push(Value::Object(changed));
            }
        }
        found
    }
}

fn merge(mut all: Value, more: &Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more.clone());
    }
    all
}

/// Calls `judge` with the value after each one-step change that `wanted` wants: where, what now stands there in a
/// word, and the value. Counts them.
pub(crate) fn mutations(
    value: &Value,
    mut wanted: impl FnMut() -> bool,
    mut judge: impl FnMut(&str, &'static str, &Value),
) -> usize {
    let mut value = value.clone();
    let mut pointers = Vec::new();
    collect(&value, String::new(), &mut pointers);
    let mut count = 0;
    for pointer in pointers {
        let original = value.pointer(&pointer).expect("the pointer was just collected").clone();
        for (kind, replacement) in replacements(&original) {
            if replacement != original && wanted() {
                *value.pointer_mut(&pointer).expect("still there") = replacement;
                judge(&pointer, kind, &value);
                count += 1;
            }
        }
        *value.pointer_mut(&pointer).expect("still there") = original;
        let Some((parent, key)) = pointer.rsplit_once('/').filter(|_| wanted()) else { continue };
        let key = key.replace("~1", "/").replace("~0", "~");
        let whole = value.pointer(parent).expect("parents exist").clone();
        match value.pointer_mut(parent).expect("parents exist") {
            Value::Object(object) => drop(object.shift_remove(&key)),
            Value::Array(list) => drop(list.remove(key.parse().expect("an index"))),
            _ => unreachable!("only objects and arrays have parts"),
        }
        judge(&pointer, "absent", &value);
        count += 1;
        *value.pointer_mut(parent).expect("parents exist") = whole;
    }
    count
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, part) in object {
                collect(part, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
            }
        }
        Value::Array(list) => {
            for (index, part) in list.iter().enumerate() {
                collect(part, format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(pointer);
}

fn replacements(original: &Value) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("null", Value::Null),
        ("boolean", json!(false)),
        ("integer", json!(-1)),
        ("integer", json!(4_000_000_000_000_i64)),
        ("fraction", json!(0.25)),
        ("whole", json!(3.0)),
        ("string", json!("")),
        ("array", json!([])),
        ("array", json!(["x"])),
        ("array", json!([{}])),
        ("object", json!({})),
        ("object", json!({"unknownMember": "x"})),
    ];
    match original {
        Value::String(text) => {
            all.push(("string", json!(format!("{text}x"))));
            all.push(("string", json!(text.to_uppercase())));
        }
        Value::Number(number) => {
            if let Some(integer) = number.as_i64() {
                all.push(("integer", json!(integer + 1)));
                all.push(("fraction", json!(integer as f64 + 0.5)));
            }
        }
        Value::Object(object) => {
            let mut more = object.clone();
            more.insert("unknownMember".into(), json!("x"));
            all.push(("object", Value::Object(more)));
        }
        Value::Array(list) => {
            let mut more = list.clone();
            more.resize(list.len().max(1) + 100, list.first().cloned().unwrap_or(json!("x")));
            all.push(("array", Value::Array(more)));
        }
        _ => {}
    }
    all
}
