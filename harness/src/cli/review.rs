//! `mcprove transcript learn` and `review`: what may differ in a replay, and what is the new truth.

use super::failure::Failure;
use super::inspect::width;
use super::out;
use super::replay::{beside, script};
use super::transcript::{same, say};
use crate::replay::{Difference, Learned, Mode, Rules, differences, learn, patch};
use crate::report::{render_difference, visible};
use crate::transcript::{Redactor, Rule, RulePart, TranscriptReader, TranscriptWriter};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Rules as they may stand in `mcprove.toml`.
#[derive(Serialize)]
struct InSettings<'a> {
    rules: &'a [Rule],
}

pub(super) fn learn_rules(files: &[PathBuf], write: Option<&Path>) -> Result<u8, Failure> {
    let scripts = files.iter().map(|file| script(file)).collect::<Result<Vec<_>, _>>()?;
    let Learned { rules, left } = learn(&scripts).map_err(|error| match &error {
        crate::replay::LearnError::Unlike { number, .. } => {
            Failure::Usage(format!("{}: {error}", files[number - 1].display()))
        }
        _ => Failure::usage(error),
    })?;
    for difference in &left {
        let drawn = render_difference(difference, width(), &str::to_owned);
        say(&format!("mcprove: no rule can allow: {}", drawn.lines().next().unwrap_or_default()));
    }
    match write {
        None => out::print(&toml::to_string(&InSettings { rules: &rules }).map_err(Failure::bug)?)?,
        Some(to) => {
            let all: Vec<Rule> = scripts[0].rules.iter().chain(&rules).cloned().collect();
            with_rules(&files[0], to, &all)?;
            let mut text = String::new();
            for rule in &rules {
                let of = rule.of.map_or("message", |of: RulePart| match of {
                    RulePart::Answer => "answer to",
                    RulePart::Request => "request",
                    RulePart::Notification => "notification",
                });
                let nth = rule.nth.map_or(String::new(), |nth| format!(" ({nth})"));
                let method = visible(rule.method.as_deref().unwrap_or("*"), 60);
                let place = visible(&rule.path, 100);
                let _ = writeln!(text, "{:<9} {of} {method}{nth} {place}", rule.kind.as_str());
            }
            out::print(&text)?;
            say(&format!("mcprove wrote {} with {} rules", to.display(), all.len()));
        }
    }
    Ok(u8::from(!left.is_empty()))
}

/// Writes a recording with these rules in its header.
fn with_rules(file: &Path, to: &Path, rules: &[Rule]) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let mut reader = TranscriptReader::open(file).map_err(|error| failed(file, &error))?;
    let (about, started_at) = (reader.about().clone(), reader.started_at().to_owned());
    // What is read is not what is written.
    let part = part(to);
    let mut writer =
        TranscriptWriter::copy(&part, &about, &started_at, rules).map_err(|error| failed(&part, &error))?;
    while let Some(record) = reader.next_record().map_err(|error| failed(file, &error))? {
        writer.append(&record, &Redactor::default());
    }
    // A copy of what was cut off is cut off.
    if !reader.truncated() {
        writer.end();
    }
    if let Some(error) = writer.error() {
        return Err(failed(&part, &error));
    }
    drop(writer);
    std::fs::rename(&part, to).map_err(|error| failed(to, &error))
}

/// A name beside a file for what is not whole yet.
fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

/// What a user decides.
enum Decision {
    Accept,
    Reject,
    Skip,
}

pub(super) fn review(file: &Path, accept_all: bool, reject_all: bool) -> Result<u8, Failure> {
    let new = beside(file);
    if !new.exists() {
        return Err(Failure::Usage(format!(
            "there is nothing to review: no {}; `mcprove replay {} --accept` writes it",
            new.display(),
            file.display()
        )));
    }
    if same(file, &new) {
        return Err(Failure::Usage(format!("{} and {} are one file", file.display(), new.display())));
    }
    let (recorded, proposed) = (script(file)?, script(&new)?);
    let found = differences(&recorded, &proposed, Mode::Exact, &Rules::default()).map_err(|error| {
        Failure::Usage(format!("{}: {error}; was it made of this recording?", new.display()))
    })?;
    let (mut accepted, mut skipped, mut rejected): (Vec<Difference>, Vec<Difference>, usize) =
        (Vec::new(), Vec::new(), 0);
    let mut input = std::io::stdin().lock();
    let mut ended = false;
    for (number, difference) in found.iter().enumerate() {
        let decision = if accept_all {
            Decision::Accept
        } else if reject_all {
            Decision::Reject
        } else if ended {
            Decision::Skip
        } else {
            out::print(&format!("{}\n", render_difference(difference, width(), &str::to_owned)))?;
            let asked = ask(number + 1, found.len(), &mut input);
            ended = asked.is_none();
            asked.unwrap_or(Decision::Skip)
        };
        match decision {
            Decision::Accept => accepted.push(difference.clone()),
            Decision::Reject => rejected += 1,
            Decision::Skip => skipped.push(difference.clone()),
        }
    }
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let both: Vec<Difference> = accepted.iter().chain(&skipped).cloned().collect();
    let (part_of_file, part_of_new) = (part(file), part(&new));
    // Both are made of the recording as it was.
    let write = |to: &Path, what: &[Difference]| {
        patch(file, to, what, &Redactor::default()).map_err(|error| failed(to, &error))
    };
    write(&part_of_file, &accepted)?;
    if skipped.is_empty() {
        std::fs::remove_file(&new).map_err(|error| failed(&new, &error))?;
    } else {
        write(&part_of_new, &both)?;
        std::fs::rename(&part_of_new, &new).map_err(|error| failed(&new, &error))?;
    }
    if accepted.is_empty() {
        std::fs::remove_file(&part_of_file).map_err(|error| failed(&part_of_file, &error))?;
    } else {
        std::fs::rename(&part_of_file, file).map_err(|error| failed(file, &error))?;
    }
    say(&format!("mcprove: {} accepted, {rejected} rejected, {} left", accepted.len(), skipped.len()));
    Ok(u8::from(!skipped.is_empty()))
}

/// Asks until there is an answer; `None` where nobody is there to give one.
fn ask(number: usize, of: usize, input: &mut impl BufRead) -> Option<Decision> {
    let mut stderr = std::io::stderr();
    loop {
        let _ = write!(stderr, "{number}/{of}  a(ccept), r(eject), s(kip), q(uit)? ");
        let _ = stderr.flush();
        let mut line = String::new();
        let read = std::io::Read::take(&mut *input, 1000).read_line(&mut line).unwrap_or(0);
        if !std::io::stdin().is_terminal() {
            let _ = writeln!(stderr);
        }
        match line.trim() {
            _ if read == 0 => return None,
            "a" | "accept" => return Some(Decision::Accept),
            "r" | "reject" => return Some(Decision::Reject),
            "s" | "skip" => return Some(Decision::Skip),
            "q" | "quit" => return None,
            _ => {}
        }
    }
}
