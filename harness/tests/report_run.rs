//! The run's folder, reading it back, and the document made of it, each held against its schema.
#![allow(clippy::unwrap_used)]

mod report_support;

use mcprove::run::{
    Document, FolderError, Outcome, RUN_FILE, ReadError, RunEvent, RunReader, RunState, RunWriter, StoredRun,
    write_file,
};
use report_support as support;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn schema(text: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(text).unwrap();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::new(&schema).unwrap()
}

fn report_schema() -> jsonschema::Validator {
    schema(include_str!("../../reports/schema/report-v1.schema.json"))
}

fn run_schema() -> jsonschema::Validator {
    schema(include_str!("../../reports/schema/run-v1.schema.json"))
}

#[track_caller]
fn valid(validator: &jsonschema::Validator, value: &Value) {
    if let Some(error) = validator.iter_errors(value).next() {
        panic!("{:.300} at {}", error.to_string(), error.instance_path());
    }
}

fn write(dir: &Path, events: &[RunEvent]) -> RunWriter {
    let writer = RunWriter::create(dir).unwrap();
    for event in events {
        writer.append(event).unwrap();
    }
    writer
}

#[test]
fn what_was_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let events = support::sample();
    let writer = write(dir.path(), &events);
    // Nothing is buffered: the events are there while the writer lives.
    let run = StoredRun::read(dir.path()).unwrap();
    assert_eq!(run.events, events);
    assert!(!run.truncated);
    assert_eq!((run.ignored, run.unreadable, writer.lost()), (0, 0, 0));
    assert_eq!(StoredRun::read(dir.path().join(RUN_FILE)).unwrap(), run);
    let text = fs::read_to_string(dir.path().join(RUN_FILE)).unwrap();
    assert_eq!(text.lines().count(), events.len());
    let schema = run_schema();
    for line in text.lines() {
        valid(&schema, &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn hostile_texts_stay_one_line_each() {
    let dir = tempfile::tempdir().unwrap();
    let events = support::hostile();
    write(dir.path(), &events);
    assert_eq!(StoredRun::read(dir.path()).unwrap().events, events);
}

#[test]
fn a_run_cut_at_any_byte_reads_as_truncated() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &support::cut()[..12]);
    let mut text = fs::read(dir.path().join(RUN_FILE)).unwrap();
    let header = text.iter().position(|b| *b == b'\n').unwrap();
    let whole = StoredRun::read(dir.path()).unwrap().events;
    let file = tempfile::NamedTempFile::new().unwrap();
    while text.len() > header + 1 {
        fs::write(file.path(), &text).unwrap();
        let run = StoredRun::read(file.path()).unwrap();
        assert!(run.truncated);
        assert_eq!(run.events[..], whole[..run.events.len()]);
        text.truncate(text.len() - 7.min(text.len() - header - 1));
    }
    for cut in [0, 1, header / 2, header - 1] {
        fs::write(file.path(), &text[..cut]).unwrap();
        assert!(matches!(RunReader::open(file.path()), Err(ReadError::NotARun { .. })));
    }
}

#[test]
fn lost_lines_make_a_run_truncated_even_with_a_footer() {
    let events = support::sample();
    let mut lines: Vec<_> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    lines[7].truncate(30);
    let input = lines.join("\n");
    let mut reader = RunReader::new("x", input.as_bytes()).unwrap();
    let read: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(read.len(), events.len() - 1);
    assert_eq!(reader.unreadable(), 1);
    assert!(reader.truncated());
    assert!(matches!(read.last(), Some(RunEvent::Footer(footer)) if footer.truncated));
    assert!(RunState::of(&read).truncated());
}

#[test]
fn a_result_lost_without_a_trace_makes_a_run_truncated() {
    let mut events = support::sample();
    events.remove(7);
    assert!(RunState::of(&events).truncated());
}

#[test]
fn later_kinds_and_members_are_passed_over() {
    let mut lines: Vec<Value> =
        support::sample().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for line in &mut lines {
        line["of_a_later_version"] = json!({"deep": [1, 2]});
    }
    lines.insert(3, json!({"event": "weather", "degrees": 21}));
    let input = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n\n");
    let mut reader = RunReader::new("x", input.as_bytes()).unwrap();
    let read: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(read, support::sample());
    assert_eq!((reader.ignored(), reader.unreadable(), reader.truncated()), (1, 0, false));
}

#[test]
fn a_later_version_is_refused_and_says_so() {
    let mut header = serde_json::to_value(support::header()).unwrap();
    header["version"] = json!(2);
    header["tool_version"] = json!("9.0.0");
    let error = RunReader::new("old/run.jsonl", format!("{header}\n").as_bytes()).unwrap_err();
    insta::assert_snapshot!(error, @"`old/run.jsonl` is a run in version 2 of the format; this mcprove reads version 1: take the mcprove that wrote it (9.0.0) or a newer one");
    let error = RunReader::new("x", &b"{\"jsonrpc\":\"2.0\"}\n"[..]).unwrap_err();
    assert!(matches!(error, ReadError::NotARun { .. }), "{error}");
}

#[test]
fn the_first_sample_still_reads() {
    let run =
        StoredRun::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/run-v1.jsonl")).unwrap();
    assert!(!run.truncated);
    assert_eq!((run.ignored, run.unreadable), (0, 0));
    let state = RunState::of(&run.events);
    assert_eq!(state.summary(), RunState::of(&support::sample()).summary());
    assert_eq!(state.sorted()[0].requirement, "base.request.id-not-null");
    assert_eq!(state.server_info().unwrap().name, "example-server");
}

#[test]
fn an_old_run_is_replaced_with_all_that_was_drawn_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/latest");
    drop(write(&path, &support::sample()));
    fs::write(path.join("transcripts/1.transcript.jsonl"), "old").unwrap();
    write_file(&path, "index.html", b"old").unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    drop(write(&path, &support::cut()));
    assert_eq!(StoredRun::read(&path).unwrap().events, support::cut());
    assert!(!path.join("index.html").exists());
    assert_eq!(fs::read_dir(path.join("transcripts")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn what_is_no_run_of_ours_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inside = |name: &str, content: &str| {
        let path = dir.path().join(name.replace('/', "-"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(name), content).unwrap();
        path
    };
    let foreign =
        [inside("photo.jpg", "x"), inside(RUN_FILE, "{\"event\":\"other\"}\n"), inside("index.html", "x")];
    for path in foreign {
        let error = RunWriter::create(&path).unwrap_err();
        assert!(matches!(error, FolderError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(RunWriter::create(&file), Err(FolderError::NotAFolder(_))));
    // A run that was killed before its first line is ours.
    let killed = dir.path().join("killed");
    fs::create_dir_all(killed.join("transcripts")).unwrap();
    fs::write(killed.join(RUN_FILE), "").unwrap();
    RunWriter::create(&killed).unwrap();
}

#[test]
fn two_runs_cannot_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = write(dir.path(), &support::cut());
    assert!(matches!(RunWriter::create(dir.path()), Err(FolderError::InUse(_))));
    drop(first);
    RunWriter::create(dir.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_never_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "x").unwrap();
    let link = dir.path().join("link");
    symlink(&precious, &link).unwrap();
    assert!(matches!(RunWriter::create(&link), Err(FolderError::Link(_))));

    let run = dir.path().join("run");
    drop(write(&run, &support::cut()));
    fs::remove_dir(run.join("transcripts")).unwrap();
    symlink(&precious, run.join("transcripts")).unwrap();
    symlink(precious.join("file"), run.join("index.html")).unwrap();
    write_file(&run, "index.html", b"new").unwrap();
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "x");
    drop(write(&run, &support::cut()));
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "x");
    assert!(run.join("transcripts").symlink_metadata().unwrap().is_dir());

    fs::remove_file(run.join(RUN_FILE)).unwrap();
    symlink(precious.join("file"), run.join(RUN_FILE)).unwrap();
    assert!(matches!(RunWriter::create(&run), Err(FolderError::Foreign { .. })));
}

#[test]
fn a_full_disk_is_told_once_and_the_run_goes_on() {
    // A device that is always full stands in for the disk, where the system has one.
    #[cfg(target_os = "linux")]
    {
        let dir = tempfile::tempdir().unwrap();
        let writer = RunWriter::over(dir.path(), fs::File::options().write(true).open("/dev/full").unwrap());
        let events = support::sample();
        let error = writer.append(&events[0]).unwrap_err();
        assert!(matches!(error, FolderError::Io { action: "write", .. }), "{error}");
        for event in &events[1..4] {
            writer.append(event).unwrap();
        }
        assert_eq!(writer.lost(), 4);
    }
}

#[test]
fn documents_fit_their_schema() {
    let schema = report_schema();
    for events in
        [support::sample(), support::cut(), support::empty(), support::hostile(), support::large(30)]
    {
        let state = RunState::of(&events);
        let document = Document::of(&state).unwrap();
        let value = serde_json::to_value(&document).unwrap();
        valid(&schema, &value);
        let summed: u64 = value["summary"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(summed, value["results"].as_array().unwrap().len() as u64);
    }
    assert!(Document::of(&RunState::default()).is_none());
}

#[test]
fn the_schema_of_the_document_is_strict() {
    let schema = report_schema();
    let good = serde_json::to_value(Document::of(&RunState::of(&support::sample())).unwrap()).unwrap();
    let mut cases = 0;
    let mut refuse = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        assert_ne!(value, good);
        assert!(!schema.is_valid(&value), "{value}");
        cases += 1;
    };
    for key in good.as_object().unwrap().keys() {
        refuse(&|value| drop(value.as_object_mut().unwrap().remove(key)));
    }
    for key in ["requirement", "level", "severity", "revision", "transport", "outcome", "reason", "findings"]
    {
        refuse(&|value| drop(value["results"][0].as_object_mut().unwrap().remove(key)));
        refuse(&|value| value["results"][0][key] = json!(7));
    }
    refuse(&|value| value["extra"] = json!(1));
    refuse(&|value| value["version"] = json!(2));
    refuse(&|value| value["results"][0]["outcome"] = json!("skipped"));
    refuse(&|value| value["results"][0]["outcome"] = json!("inconclusive"));
    refuse(&|value| value["results"][0]["outcome"] = json!("fail"));
    refuse(&|value| value["summary"]["not_applicable"] = json!(1));
    refuse(&|value| value["error"] = json!({"code": 1, "message": "x"}));
    assert_eq!(cases, 11 + 16 + 7);
}

#[test]
fn results_are_sorted_and_the_truth_about_the_end_is_told() {
    let events = support::cut();
    let state = RunState::of(&events);
    let document = Document::of(&state).unwrap();
    assert!(document.truncated);
    assert!(document.error.is_none());
    let keys: Vec<_> = document.results.iter().map(|r| (r.requirement, r.revision, r.transport)).collect();
    assert!(keys.is_sorted());
    let empty = support::empty();
    let state = RunState::of(&empty);
    let document = Document::of(&state).unwrap();
    assert_eq!(document.error.unwrap().code, 3);
    assert!(document.truncated);
    assert!(document.results.is_empty());
}

#[test]
fn of_two_results_for_one_requirement_the_worse_one_stays() {
    let mut state = RunState::default();
    let mut row = support::same_id(support::R1, support::STDIO, 1);
    for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Warn] {
        row.outcome = outcome;
        state.apply(&RunEvent::Result(Box::new(row.clone())));
    }
    assert_eq!(state.rows().len(), 1);
    assert_eq!(state.rows()[0].outcome, Outcome::Fail);
}
