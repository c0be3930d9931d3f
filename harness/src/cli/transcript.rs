//! `mcprove transcript`: recorded conversations.

use super::args::OutputFormat;
use super::failure::Failure;
use super::inspect::width;
use super::out;
use super::transcript_args::{ExportArg, ImportArg, TranscriptVerb};
use crate::check::{Told, overheard_run};
use crate::export::{Language, Page, export as to_language};
use crate::monitors::Overhearing;
use crate::report::{ShowOptions, Teller, TerminalOptions, render_terminal, visible};
use crate::run::{Document, Outcome, ResultRow, RunState};
use crate::transcript::{
    Comparison, Difference, Gaps, Mermaid, ReadError, Record, Redactor, RuleKind, Sender, Source, Step,
    Suspect, TranscriptReader, TranscriptWriter, import, suspects,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// The largest file that is imported, in bytes.
const LARGEST: u64 = 1 << 30;
/// How many different secrets are told.
const TOLD: usize = 20;

type Reader = TranscriptReader<BufReader<File>>;

pub(super) fn transcript(what: &TranscriptVerb) -> Result<u8, Failure> {
    match what {
        TranscriptVerb::Show { file, full, only } => show(file, *full, only.clone()),
        TranscriptVerb::Check { file, output_format } => check(file, *output_format),
        TranscriptVerb::Redact { file, out, redact: values } => redact(file, out, values),
        TranscriptVerb::Diff { a, b } => diff(a, b),
        TranscriptVerb::ToMermaid { file } => mermaid(file),
        TranscriptVerb::Export { file, format } => export(file, *format),
        TranscriptVerb::Import { file, out, from } => import_file(file, out.as_deref(), *from),
        TranscriptVerb::Learn { files, write } => super::review::learn_rules(files, write.as_deref()),
        TranscriptVerb::Review { file, accept_all, reject_all } => {
            super::review::review(file, *accept_all, *reject_all)
        }
    }
}

pub(super) fn unreadable(file: &Path, error: &ReadError) -> Failure {
    Failure::Usage(format!("{}: {error}", file.display()))
}

fn open(file: &Path) -> Result<Reader, Failure> {
    TranscriptReader::open(file).map_err(|error| unreadable(file, &error))
}

/// Reads to the end, and says so if the file was cut off.
fn each(
    file: &Path,
    reader: &mut Reader,
    mut take: impl FnMut(Record) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while let Some(record) = reader.next_record().map_err(|error| unreadable(file, &error))? {
        take(record)?;
    }
    told_whole(file, reader);
    Ok(())
}

/// Says what is missing in a file that was read to its end.
fn told_whole(file: &Path, reader: &Reader) {
    let file = file.display();
    if reader.truncated() {
        say(&format!("mcprove: {file} was cut off after line {}", reader.line()));
    }
    let Gaps { missing, repeated, line } = reader.gaps();
    if let Some(line) = line {
        say(&format!(
            "mcprove: {file} is not as it was recorded: by their numbers {missing} events are missing and {repeated} stand twice or in another order, the first at line {line}"
        ));
    }
}

pub(super) fn say(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", visible(text, 4000));
}

fn show(file: &Path, full: bool, only: Option<String>) -> Result<u8, Failure> {
    let mut reader = open(file)?;
    let mut teller = Teller::new(ShowOptions { full, only, width: width() });
    // Whoever reads may have gone away, which is no error, but an end.
    let mut out = BufWriter::new(anstream::AutoStream::auto(std::io::stdout()));
    let mut gone = false;
    each(file, &mut reader, |record| {
        gone = gone || out.write_all(teller.tell(&record).as_bytes()).is_err();
        Ok(())
    })?;
    let _ = out.flush();
    Ok(0)
}

fn check(file: &Path, format: OutputFormat) -> Result<u8, Failure> {
    let mut reader = open(file)?;
    let mut hearing = Overhearing::new(reader.about());
    let mut secrets = BTreeMap::new();
    each(file, &mut reader, |record| {
        for Suspect { what, place, value } in suspects(&record) {
            if secrets.len() < TOLD {
                secrets.entry(value).or_insert((record.seq, what, place));
            }
        }
        hearing.hear(&Arc::new(record));
        Ok(())
    })?;
    let overheard = hearing.finish(reader.truncated());
    let name = file.display().to_string();
    let told = Told {
        about: reader.about(),
        started_at: reader.started_at(),
        file: &name,
        command_line: ["mcprove", "transcript", "check", &name].map(str::to_owned).to_vec(),
    };
    // Of a conversation that was only watched there is much that nobody tried.
    let listed = |row: &ResultRow| format != OutputFormat::Text || row.outcome != Outcome::Inconclusive;
    let state = RunState::of(&overheard_run(&overheard, &told, listed));
    match format {
        OutputFormat::Text => {
            out::print(&render_terminal(&state, &TerminalOptions { width: None, report: None }))?;
        }
        OutputFormat::Json => match Document::of(&state) {
            Some(document) => out::print_json(&document)?,
            None => return Err(Failure::Bug("a run without a header".to_owned())),
        },
    }
    for (seq, what, place) in secrets.values() {
        say(&format!("mcprove: event {seq} has what looks like a secret: {what} at {place}"));
    }
    if !secrets.is_empty() {
        say("mcprove: take secrets out with: mcprove transcript redact FILE --out COPY");
    }
    Ok(state.footer().map_or(70, |footer| footer.exit_code))
}

fn redact(file: &Path, copy: &Path, values: &[String]) -> Result<u8, Failure> {
    if same(file, copy) {
        return Err(Failure::Usage("--out has to be another file".to_owned()));
    }
    // Secrets are learned from the whole first: one may stand before the place that gives it away.
    let mut redactor = Redactor::new(values.iter().map(|value| ("redacted".to_owned(), value.clone())), &[]);
    let mut reader = open(file)?;
    let mut found = std::collections::BTreeSet::new();
    each(file, &mut reader, |record| {
        redactor.learn(&record.event);
        for suspect in suspects(&record) {
            redactor.add("secret", &suspect.value);
            // And as it stands in the pattern of a rule.
            redactor.add("secret", &regex::escape(&suspect.value));
            found.insert(suspect.value);
        }
        Ok(())
    })?;
    let mut reader = open(file)?;
    let mut about = reader.about().clone();
    about.target = redactor.clean(&about.target);
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", copy.display()));
    let started_at = reader.started_at().to_owned();
    let mut rules = reader.rules().to_vec();
    for rule in &mut rules {
        if let RuleKind::Pattern { pattern } = &mut rule.kind {
            *pattern = redactor.clean(pattern);
        }
    }
    let mut writer =
        TranscriptWriter::copy(copy, &about, &started_at, &rules).map_err(|error| failed(&error))?;
    while let Some(record) = reader.next_record().map_err(|error| unreadable(file, &error))? {
        writer.append(&record, &redactor);
    }
    if reader.truncated() {
        drop(writer);
    } else {
        writer.end();
        if let Some(error) = writer.error() {
            return Err(failed(&error));
        }
    }
    say(&format!(
        "mcprove wrote {}; {} values that look like secrets were taken out",
        copy.display(),
        found.len()
    ));
    Ok(0)
}

pub(super) fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn diff(a: &Path, b: &Path) -> Result<u8, Failure> {
    const COLUMNS: usize = 400;
    let mut comparison = Comparison::default();
    let (mut first, mut second) = (open(a)?, open(b)?);
    loop {
        let ours = first.next_record().map_err(|error| unreadable(a, &error))?;
        let theirs = second.next_record().map_err(|error| unreadable(b, &error))?;
        let added = ours.as_ref().map_or(Ok(()), |record| comparison.first(record));
        let added = added.and_then(|()| theirs.as_ref().map_or(Ok(()), |record| comparison.second(record)));
        added.map_err(Failure::usage)?;
        if ours.is_none() && theirs.is_none() {
            break;
        }
    }
    told_whole(a, &first);
    told_whole(b, &second);
    let (found, more) = comparison.finish();
    let name = |step: &Step| {
        let arrow = if step.sender == Sender::Client { "──▶" } else { "◀──" };
        let what = if step.answer { "answer to " } else { "" };
        visible(&format!("{arrow} {what}{} ({})", step.method, step.nth + 1), COLUMNS)
    };
    let shown = |value: &Option<Value>| {
        visible(&value.as_ref().map_or("nothing".to_owned(), Value::to_string), COLUMNS)
    };
    let mut text = String::new();
    for difference in &found {
        match difference {
            Difference::Missing { step, a } => {
                text += &format!("- {}  only in the first, event {a}\n", name(step));
            }
            Difference::Extra { step, b } => {
                text += &format!("+ {}  only in the second, event {b}\n", name(step));
            }
            Difference::Changed { step, at: (a, b), values } => {
                text += &format!("~ {}  event {a} and event {b}\n", name(step));
                for (path, ours, theirs) in values {
                    let path = if path.is_empty() { "the whole" } else { path };
                    text += &format!(
                        "    {}\n      - {}\n      + {}\n",
                        visible(path, COLUMNS),
                        shown(ours),
                        shown(theirs)
                    );
                }
            }
        }
    }
    if more > 0 {
        text += &format!("and {more} differences more\n");
    }
    if found.is_empty() {
        text = "no difference\n".to_owned();
    }
    out::print(&text)?;
    Ok(u8::from(!found.is_empty()))
}

fn mermaid(file: &Path) -> Result<u8, Failure> {
    let mut reader = open(file)?;
    let mut diagram = Mermaid::default();
    let mut text = Mermaid::HEAD.to_owned();
    each(file, &mut reader, |record| {
        text.push_str(&diagram.draw(&record));
        if text.len() > 1 << 16 {
            out::print_bytes(text.as_bytes())?;
            text.clear();
        }
        Ok(())
    })?;
    out::print_bytes(text.as_bytes())?;
    Ok(0)
}

fn export(file: &Path, format: ExportArg) -> Result<u8, Failure> {
    let language = match format {
        ExportArg::Curl => Language::Curl,
        ExportArg::Shell => Language::Shell,
        ExportArg::Python => Language::Python,
        ExportArg::Typescript => Language::TypeScript,
        ExportArg::Rust => Language::Rust,
        ExportArg::Markdown => return markdown(file),
    };
    let script = super::replay::script(file)?;
    if script.truncated {
        say(&format!("mcprove: {} was cut off; what it lacks is not exported", file.display()));
    }
    out::print_bytes(to_language(&script, language).map_err(Failure::usage)?.as_bytes())?;
    for sentence in language.lacks(&script) {
        say(&format!("mcprove: {sentence}: `mcprove replay {}` or --as python does better", file.display()));
    }
    Ok(0)
}

fn markdown(file: &Path) -> Result<u8, Failure> {
    let mut reader = open(file)?;
    out::print(Page::HEAD)?;
    each(file, &mut reader, |record| {
        out::print_bytes(Page::tell(&record).as_bytes())?;
        Ok(())
    })?;
    Ok(0)
}

fn import_file(file: &Path, to: Option<&Path>, from: Option<ImportArg>) -> Result<u8, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let length = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
    if length > LARGEST {
        return Err(failed(&format!("it has more than {} MiB", LARGEST >> 20)));
    }
    let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let from = from.map(|from| match from {
        ImportArg::Arrows => Source::Arrows,
        ImportArg::Har => Source::Har,
        ImportArg::Log => Source::Log,
    });
    let imported = import(&text, from, &file.display().to_string()).map_err(|error| failed(&error))?;
    let to = to.unwrap_or(Path::new("/dev/stdout"));
    let started_at = imported.started_at.unwrap_or_else(|| jiff::Timestamp::UNIX_EPOCH.to_string());
    let unwritable = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", to.display()));
    let mut writer =
        TranscriptWriter::copy(to, &imported.about, &started_at, &[]).map_err(|error| unwritable(&error))?;
    let mut redactor = Redactor::default();
    for record in &imported.records {
        redactor.learn(&record.event);
        writer.append(record, &redactor);
    }
    writer.end();
    if imported.left_out > 0 {
        let left_out = imported.left_out;
        say(&format!("mcprove: {left_out} lines or entries without a message of the protocol were left out"));
    }
    writer.error().map_or(Ok(0), |error| Err(unwritable(&error)))
}
