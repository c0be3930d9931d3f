//! The model against the published schemas and examples, where a copy of the specification is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mcprove::protocol::Revision;
use mcprove::protocol::schema::{
    Checked, Party, check_definition, check_error, check_notification, check_request, check_result,
    definitions, json_schema, methods,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::samples::{mutations, samples};

/// `MCPROVE_SPEC_DIR`, or `shared/spec` beside the workspace: a folder for each revision with `schema.json`, and for
/// 2026-07-28 `examples/DEFINITION/*.json`.
fn spec_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("MCPROVE_SPEC_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/spec"), PathBuf::from);
    let there =
        Revision::ALL.iter().all(|revision| folder.join(revision.as_str()).join("schema.json").is_file());
    if !there {
        println!(
            "left out: {} has no copy of the specification; set MCPROVE_SPEC_DIR to compare with the published schemas",
            folder.display()
        );
    }
    there.then_some(folder)
}

/// Where the model differs from the published schema on purpose.
#[derive(Debug, Deserialize)]
struct Erratum {
    id: String,
    revisions: Vec<String>,
    /// Names of definitions; `*` for all.
    definitions: Vec<String>,
    /// Where the changed value stands: `*` for one segment, `**` for any number.
    pointers: Vec<String>,
    /// What stands there after the change.
    becomes: Vec<String>,
    ours: String,
    official: String,
    reason: String,
}

/// Amendments that the published files got after their release; a copy of an earlier state is brought up to date.
#[derive(Debug, Deserialize)]
struct Amendment {
    revision: String,
    pointer: String,
    value: Value,
}

/// A published example that is not valid by its method.
#[derive(Debug, Deserialize)]
struct WrongExample {
    path: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Errata {
    erratum: Vec<Erratum>,
    example: Vec<WrongExample>,
    amendment: Vec<Amendment>,
}

fn errata() -> Errata {
    toml::from_str(include_str!("../../../fixtures/schema/errata.toml")).expect("errata.toml is well-formed")
}

fn matches(pattern: &[&str], pointer: &[&str]) -> bool {
    match pattern.split_first() {
        None => pointer.is_empty(),
        Some((&"**", rest)) => (0..=pointer.len()).any(|skip| matches(rest, &pointer[skip..])),
        Some((segment, rest)) => pointer
            .split_first()
            .is_some_and(|(first, others)| (segment == &"*" || segment == first) && matches(rest, others)),
    }
}

impl Erratum {
    fn covers(&self, revision: Revision, definition: &str, pointer: &str, becomes: &str, ours: bool) -> bool {
        let segments: Vec<&str> = pointer.split('/').skip(1).collect();
        self.revisions.iter().any(|known| known == revision.as_str())
            && self.definitions.iter().any(|known| known == "*" || known == definition)
            && self.becomes.iter().any(|known| known == becomes)
            && self.ours == verdict(ours)
            && self.official == verdict(!ours)
            && self
                .pointers
                .iter()
                .any(|known| matches(&known.split('/').skip(1).collect::<Vec<_>>(), &segments))
    }
}

fn verdict(accepted: bool) -> &'static str {
    if accepted { "accept" } else { "reject" }
}

struct Official {
    revision: Revision,
    document: Value,
    prefix: &'static str,
    validators: jsonschema::ValidatorMap,
}

impl Official {
    fn read(folder: &Path, revision: Revision, amendments: &[Amendment]) -> Self {
        let text = std::fs::read_to_string(folder.join(revision.as_str()).join("schema.json")).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        let prefix = if document.get("$defs").is_some() { "$defs" } else { "definitions" };
        for amendment in amendments.iter().filter(|a| a.revision == revision.as_str()) {
            let (parent, key) = amendment.pointer.rsplit_once('/').unwrap();
            match document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent} in {revision}")) {
                Value::Array(list) if key == "-" && list.contains(&amendment.value) => {}
                Value::Array(list) => list.push(amendment.value.clone()),
                parent => parent[key] = amendment.value.clone(),
            }
        }
        let validators =
            jsonschema::options().offline().should_validate_formats(false).build_map(&document).unwrap();
        Self { revision, document, prefix, validators }
    }

    fn definitions(&self) -> BTreeMap<&str, &Value> {
        let all = self.document[self.prefix].as_object().unwrap();
        all.iter().map(|(name, schema)| (name.as_str(), schema)).collect()
    }

    fn accepts(&self, definition: &str, value: &Value) -> bool {
        self.validators.get(&format!("#/{}/{definition}", self.prefix)).unwrap().is_valid(value)
    }
}

/// Our verdict, which must come with a usable explanation.
fn ours(revision: Revision, definition: &str, value: &Value) -> bool {
    let violations = check_definition(revision, definition, value)
        .unwrap_or_else(|| panic!("{definition} is missing in {revision}"));
    for violation in &violations {
        assert!(violation.pointer.is_empty() || value.pointer(&violation.pointer).is_some(), "{violation:?}");
        assert!(!violation.expected.is_empty() && !violation.actual.is_empty(), "{violation:?}");
        assert!(
            !violation.expected.starts_with("what `"),
            "no explanation of {definition} {value}: {violation:?}"
        );
    }
    assert!(violations.len() <= 20);
    violations.is_empty()
}

/// Unoptimized builds try every so-many-th mutation, optimized ones all.
const STRIDE: usize = if cfg!(debug_assertions) { 97 } else { 1 };

#[derive(Default)]
struct Tally {
    next: usize,
    values: usize,
    own_values: usize,
    mutations: usize,
    rejected: usize,
    disagreements: BTreeMap<String, usize>,
    unknown: Vec<String>,
}

impl Tally {
    fn compare(&mut self, official: &Official, definition: &str, value: &Value, errata: &[Erratum]) {
        self.values += 1;
        assert!(
            official.accepts(definition, value),
            "{} {definition}: bad sample {value}",
            official.revision
        );
        if !ours(official.revision, definition, value) {
            let found = check_definition(official.revision, definition, value);
            self.unknown.push(format!("{} {definition}: refuses {value}: {found:?}", official.revision));
        }
        let (mut rejected, mut differ) = (0, Vec::new());
        let next = &mut self.next;
        let wanted = || {
            *next += 1;
            next.is_multiple_of(STRIDE)
        };
        self.mutations += mutations(value, wanted, |pointer, becomes, changed| {
            let theirs = official.accepts(definition, changed);
            let ours = ours(official.revision, definition, changed);
            rejected += usize::from(!theirs);
            if ours != theirs {
                differ.push((pointer.to_owned(), becomes, ours));
            }
        });
        self.rejected += rejected;
        for (pointer, becomes, ours) in differ {
            let mut known = false;
            for erratum in errata {
                if erratum.covers(official.revision, definition, &pointer, becomes, ours) {
                    *self.disagreements.entry(erratum.id.clone()).or_default() += 1;
                    known = true;
                    break;
                }
            }
            if !known {
                let revision = official.revision;
                self.unknown
                    .push(format!("{revision} {definition}{pointer} -> {becomes}: we {}", verdict(ours)));
            }
        }
    }
}

fn examples(folder: &Path) -> Vec<(String, PathBuf, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("2026-07-28/examples")).unwrap() {
        let definition = entry.unwrap();
        for file in std::fs::read_dir(definition.path()).unwrap() {
            let path = file.unwrap().path();
            let value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            found.push((definition.file_name().into_string().unwrap(), path, value));
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found
}

/// A sample of our own schema without what the errata allow beyond the published one.
fn without_errata(mut value: Value) -> Value {
    match &mut value {
        Value::Number(number) if number.is_f64() => return json!(1),
        Value::Array(list) => list.iter_mut().for_each(|item| *item = without_errata(item.take())),
        Value::Object(object) => {
            if object.contains_key("error") {
                object.insert("id".into(), json!(1));
            }
            object.values_mut().for_each(|part| *part = without_errata(part.take()));
        }
        _ => {}
    }
    value
}

#[test]
fn the_model_agrees_with_the_published_schemas() {
    let Some(folder) = spec_folder() else { return };
    let errata = errata();
    let mut total = Tally::default();
    for revision in Revision::ALL {
        let official = Official::read(&folder, revision, &errata.amendment);
        let names: BTreeSet<&str> = official.definitions().into_keys().collect();
        assert_eq!(names, definitions(revision).collect(), "definitions of {revision}");
        let mut tally = Tally::default();
        for (name, schema) in official.definitions() {
            for value in samples(&official.document, schema) {
                tally.compare(&official, name, &value, &errata.erratum);
            }
        }
        let model = json_schema(revision);
        for (name, schema) in model[official.prefix].as_object().unwrap() {
            for value in samples(&model, schema) {
                tally.own_values += 1;
                let value = without_errata(value);
                if !official.accepts(name, &value) {
                    tally.unknown.push(format!("{revision} {name}: only we accept {value}"));
                }
            }
        }
        if revision == Revision::V2026_07_28 {
            let before = tally.values;
            for (definition, _, value) in examples(&folder) {
                tally.compare(&official, &definition, &value, &errata.erratum);
            }
            println!("published examples of {revision}: {}, all accepted", tally.values - before);
        }
        println!(
            "{revision}: {} definitions, {} values and {} of our own, {} one-step mutations ({} rejected by the published schema), {} known disagreements",
            names.len(),
            tally.values,
            tally.own_values,
            tally.mutations,
            tally.rejected,
            tally.disagreements.values().sum::<usize>(),
        );
        total.values += tally.values;
        total.mutations += tally.mutations;
        for (id, count) in tally.disagreements {
            *total.disagreements.entry(id).or_default() += count;
        }
        total.unknown.append(&mut tally.unknown);
    }
    println!("in all: {} values, {} one-step mutations", total.values, total.mutations);
    for erratum in &errata.erratum {
        let count = total.disagreements.get(&erratum.id).copied().unwrap_or_default();
        println!("erratum {}: {count} disagreements: we {}, {}", erratum.id, erratum.ours, erratum.reason);
    }
    let shown = total.unknown.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(total.unknown.is_empty(), "{} unlisted disagreements:\n{shown}", total.unknown.len());
    for erratum in &errata.erratum {
        let occurs = STRIDE > 1 || total.disagreements.contains_key(&erratum.id);
        assert!(occurs, "erratum {} no longer occurs", erratum.id);
    }
}

#[test]
fn published_examples_are_valid_messages() {
    let Some(folder) = spec_folder() else { return };
    let revision = Revision::V2026_07_28;
    let (mut judged, mut wrong) = (0, errata().example);
    for (definition, path, value) in examples(&folder) {
        let both = [Party::Client, Party::Server];
        let request = both.iter().flat_map(|side| &methods(revision, *side).requests);
        let checked = if let Some(method) = value["method"].as_str() {
            let side = both.into_iter().find(|side| {
                let known = methods(revision, *side);
                known.request(method).is_some() || known.notification(method).is_some()
            });
            match side {
                Some(side) if value.get("id").is_some() => check_request(revision, side, &value),
                Some(side) => check_notification(revision, side, &value),
                None => continue,
            }
        } else if value.get("error").is_some() {
            check_error(revision, &value)
        } else if let Some(name) = definition.strip_suffix("Response") {
            let known = request.into_iter().find(|known| known.result == name).unwrap();
            check_result(revision, known.method, &value["result"])
        } else if let Some(known) = request.into_iter().find(|known| known.result == definition) {
            check_result(revision, known.method, &value)
        } else {
            continue;
        };
        if let Some(at) = wrong.iter().position(|wrong| path.ends_with(&wrong.path)) {
            assert_ne!(checked, Checked::Valid, "{} is valid after all", path.display());
            let example = wrong.remove(at);
            println!("not valid by its method: {}: {}", example.path, example.reason);
            continue;
        }
        assert_eq!(checked, Checked::Valid, "{}", path.display());
        judged += 1;
    }
    println!("{judged} examples are whole messages or results and are valid by method");
    assert!(judged >= 45 && wrong.is_empty(), "{judged} {wrong:?}");
    assert_eq!(
        check_result(revision, "tools/call", &json!({"resultType": "input_required"})),
        Checked::Valid
    );
}
