use super::super::offline::differences;
use super::super::{Mode, Rules, Script};
use super::*;
use crate::transcript::{Source, import};
use std::path::PathBuf;

fn file(folder: &Path, name: &str, arrows: &str) -> PathBuf {
    let path = folder.join(name);
    let imported = import(arrows, Some(Source::Arrows), "t").unwrap();
    let mut writer = TranscriptWriter::copy(&path, &imported.about, "2026-01-01T00:00:00Z", &[]).unwrap();
    imported.records.iter().for_each(|record| writer.append(record, &Redactor::default()));
    writer.end();
    path
}

fn script(path: &Path) -> Script {
    Script::read(TranscriptReader::open(path).unwrap()).unwrap()
}

const CALL: &str =
    "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}\n";
const LOG: &str =
    "<-- {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"x\"}}\n";

fn answer(result: &str) -> String {
    format!("<-- {{\"jsonrpc\":\"2.0\",\"id\":1,{result}}}\n")
}

#[test]
fn what_is_accepted_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let plain = r#""result":{"list":[1,2,3,4],"a":{"b":"old"},"gone":true}"#;
    let cases = [
        (r#""result":{"list":[1,4],"a":{"b":"new","c":null},"new":[]}"#, ["", ""]),
        (r#""result":{"list":[4,3,2,1,0],"a":"flat","gone":1}"#, ["", ""]),
        (r#""result":{"list":[2,3,4,5],"a":{"b":"old"},"gone":true}"#, ["", ""]),
        (r#""error":{"code":-32603,"message":"no"}"#, ["", ""]),
        (plain, ["", LOG]),
        (plain, [LOG, ""]),
    ];
    for (number, (new, [before, now])) in cases.into_iter().enumerate() {
        let old = file(folder.path(), "old", &format!("{CALL}{before}{}", answer(plain)));
        let live = file(folder.path(), "live", &format!("{CALL}{now}{}", answer(new)));
        let (recorded, live) = (script(&old), script(&live));
        let rules = Rules::default();
        let found = differences(&recorded, &live, Mode::Exact, &rules).unwrap();
        assert!(!found.is_empty());
        let to = folder.path().join("to");
        let patched = patch(&old, &to, &found, &Redactor::default()).unwrap();
        assert_eq!((patched.accepted, patched.left), (found.len(), 0), "case {number}");
        let left = differences(&script(&to), &live, Mode::Exact, &rules).unwrap();
        assert!(left.is_empty(), "case {number}: {left:?}");
        let kept = patch(&old, &to, &[], &Redactor::default()).unwrap();
        assert_eq!(kept, Patched::default());
        assert_eq!(std::fs::read_to_string(&to).unwrap(), std::fs::read_to_string(&old).unwrap());
    }
}
