//! The JSON document of a check of the embedded server, that of `MCPROVE_DOCUMENT` or a fresh one: it is what its schema
//! says, and whatever can be decided is decided.

use mcprove::docs::Coverage;
use mcprove::protocol::catalogue::Catalogue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_slice(&text()).unwrap());

fn text() -> Vec<u8> {
    if let Some(path) = std::env::var_os("MCPROVE_DOCUMENT") {
        return std::fs::read(path).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcprove"))
        .args(["check", "--output-format", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_document_is_what_its_schema_says() {
    let document = &*DOCUMENT;
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/schema/report-v1.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).take(5).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let results = document["results"].as_array().unwrap();
    let counted: u64 = document["summary"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, results.len() as u64);
    let transports = ["stdio", "http", "http+sse"];
    let places: Vec<(&str, &str, usize)> = results
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap();
            let transport = transports.iter().position(|known| *known == text("transport")).unwrap();
            (text("requirement"), text("revision"), transport)
        })
        .collect();
    assert!(places.is_sorted(), "the results are sorted");
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "each stands once");
}

/// Percent of the conditional requirements that the reference server has what it takes to decide.
const CONDITIONAL: usize = 90;

#[test]
fn what_can_be_decided_is_decided_on_the_embedded_server() {
    let mut outcomes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in DOCUMENT["results"].as_array().unwrap() {
        let text = |name: &str| row[name].as_str().unwrap();
        outcomes.entry(text("requirement")).or_default().insert(text("outcome"));
    }
    let decided = |id: &str| {
        outcomes.get(id).is_some_and(|seen| seen.iter().any(|seen| matches!(*seen, "pass" | "fail" | "warn")))
    };
    let of = |coverage: Coverage| {
        let rows = Catalogue::get().iter().filter(move |row| Coverage::of(row) == coverage);
        rows.map(|row| row.id.as_str()).partition::<Vec<&str>, _>(|id| decided(id))
    };
    let (_, open) = of(Coverage::Decided);
    assert!(open.is_empty(), "these are decided for any server, but not for this one:\n{}", open.join("\n"));
    let (conditional, open) = of(Coverage::Conditional);
    let percent = 100 * conditional.len() / (conditional.len() + open.len());
    println!("{percent} % of the conditional requirements are decided; not these:\n{}", open.join("\n"));
    assert!(percent >= CONDITIONAL, "{percent} % of the conditional requirements are decided");
}
