//! Holds a JSON document that the program printed against its schema: that of `MCPROVE_DOCUMENT`, or a fresh one.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn document() -> Vec<u8> {
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
    let document: Value = serde_json::from_slice(&document()).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/schema/report-v1.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).take(5).collect();
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
