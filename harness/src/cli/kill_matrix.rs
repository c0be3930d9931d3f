//! `mcprove kill-matrix`: whether the harness sees every fault that the reference server can have.

use super::args::{KillMatrixArgs, OutputFormat};
use super::failure::Failure;
use super::out;
use super::session::heed_signals;
use crate::check::Stop;
use crate::kill::{
    Judged, Matrix, Planted, Seen, Totals, Verdict, example_files, examples, judge_all, markdown,
};
use crate::protocol::catalogue::{in_shard, matches};
use crate::protocol::{Revision, Transport};
use anstyle::{AnsiColor, Style};
use mcprove_reference_server::{Fault, faults, faults_within};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// The document of `--output-format json`.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    totals: Totals,
    /// Faults that no check finds: tests of the reference server are their judges.
    left_out: usize,
    millis: u64,
    faults: &'a [Judged],
}

pub(super) fn kill_matrix(args: &KillMatrixArgs) -> Result<u8, Failure> {
    let in_shard =
        |fault: &&'static Fault| args.shard.is_none_or(|(part, of)| in_shard(fault.id(), part, of));
    let (inside, chosen): (Vec<_>, Vec<_>) =
        selected(&args.fault)?.filter(in_shard).partition(|fault| fault.judge().is_some());
    if chosen.is_empty() && !inside.is_empty() {
        let text = "no check finds what was chosen: these faults are judged by tests of the reference server, as `mcprove list faults` says";
        return Err(Failure::Usage(text.to_owned()));
    }
    let left_out = inside.len();
    let chosen = chosen.into_iter().map(planted).collect::<Result<Vec<Planted>, Failure>>()?;
    let program = std::env::current_exe().map_err(Failure::bug)?;
    let stop = Stop::default();
    let matrix = Matrix {
        program: program.to_string_lossy().into_owned(),
        jobs: args.jobs.unwrap_or_else(jobs),
        full: args.full,
        timeout: args.timeout.unwrap_or(Duration::from_secs(2)),
        stop: stop.clone(),
    };
    let runtime = out::runtime()?;
    {
        let _inside = runtime.enter();
        heed_signals(&stop)?;
    }
    if let Some(folder) = &args.examples {
        let mut told = |fault: &str, shown: usize| {
            let _ = writeln!(std::io::stderr(), "  {shown} shown by {fault}");
        };
        let examples = runtime.block_on(examples(&matrix, &chosen, &mut told));
        runtime.shutdown_timeout(Duration::from_millis(200));
        if let Some(code) = stop.wanted() {
            return Ok(code);
        }
        // Who asked for some faults only keeps the examples of other areas.
        let all = args.fault.is_empty() && args.shard.is_none();
        for (area, text) in
            example_files(&examples).into_iter().filter(|(_, text)| all || text.contains("[[row]]"))
        {
            write(&folder.join(format!("{area}.toml")), text.as_bytes(), "--examples")?;
        }
        out::print(&format!("{} requirements have an example\n", examples.len()))?;
        return Ok(0);
    }
    let begun = Instant::now();
    let mut told = |judged: &Judged| {
        // A terminal that is gone does not end a run.
        let _ = writeln!(anstream::AutoStream::auto(std::io::stderr()), "  {}", line(judged));
    };
    let judged = runtime.block_on(judge_all(&matrix, chosen, &mut told));
    runtime.shutdown_timeout(Duration::from_millis(200));
    let totals = Totals::of(&judged);
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let document =
        Document { format: "mcprove-kill-matrix", version: 1, totals, left_out, millis, faults: &judged };
    if let Some(path) = &args.out {
        let text = serde_json::to_vec_pretty(&document).map_err(Failure::bug)?;
        write(path, &text, "--out")?;
    }
    if let Some(path) = &args.markdown {
        write(path, markdown(&judged).as_bytes(), "--markdown")?;
    }
    match args.output_format {
        OutputFormat::Json => out::print_json(&document)?,
        OutputFormat::Text => out::print(&text(&judged, totals, left_out, millis))?,
    }
    Ok(stop.wanted().unwrap_or_else(|| u8::from(!totals.is_good())))
}

fn write(path: &Path, text: &[u8], flag: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::Usage(format!("{flag}: cannot write {}: {error}", path.display())))
}

/// Those that a check finds, then those that it cannot.
fn every_fault() -> impl Iterator<Item = &'static Fault> {
    faults().chain(faults_within())
}

/// The faults that match any of the patterns; all of them without one.
pub(super) fn selected(patterns: &[String]) -> Result<impl Iterator<Item = &'static Fault>, Failure> {
    for pattern in patterns {
        if !every_fault().any(|fault| matches(pattern, fault.id())) {
            let near = pattern.parse::<mcprove_reference_server::FaultId>().err();
            return Err(near.map_or_else(|| Failure::bug("a fault has two forms"), Failure::usage));
        }
    }
    let patterns = patterns.to_vec();
    Ok(every_fault().filter(move |fault| {
        patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, fault.id()))
    }))
}

fn planted(fault: &'static Fault) -> Result<Planted, Failure> {
    let revision = |name: &str| name.parse::<Revision>().map_err(Failure::bug);
    let transport = |name: &str| {
        let all = [Transport::Stdio, Transport::Http, Transport::HttpSse];
        let known = all.into_iter().find(|transport| transport.as_str() == name);
        known.ok_or_else(|| Failure::bug(format!("the transport {name} has another name here")))
    };
    Ok(Planted {
        id: fault.id().to_owned(),
        about: fault.about().to_owned(),
        breaks: fault.breaks().map(str::to_owned).collect(),
        also: fault.also().iter().copied().map(str::to_owned).collect(),
        warns: fault.warns().iter().map(|r| revision(r.as_str())).collect::<Result<_, _>>()?,
        revisions: fault.revisions().iter().map(|r| revision(r.as_str())).collect::<Result<_, _>>()?,
        transports: fault.transports().iter().map(|t| transport(t.as_str())).collect::<Result<_, _>>()?,
        anonymous: fault.anonymous(),
        arguments: [fault.serving(), &["--fault", fault.id()]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

fn word(verdict: Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Caught => ("caught", GOOD),
        Verdict::Missed => ("MISSED", BAD),
        Verdict::Extra => ("EXTRA", BAD),
        Verdict::Undecided => ("not decided yet", DIM),
    }
}

fn line(judged: &Judged) -> String {
    let (word, style) = word(judged.verdict);
    let seconds = Duration::from_millis(judged.millis).as_secs_f64();
    let tries = if judged.tries > 1 { format!("  try {}", judged.tries) } else { String::new() };
    format!("{style}{word:<15}{style:#} {:<64} {DIM}{seconds:5.1} s{tries}{DIM:#}", judged.fault.id)
}

/// The faults in their order, what a reader looks for last: where the end of a long text is seen first.
fn text(judged: &[Judged], totals: Totals, left_out: usize, millis: u64) -> String {
    let mut text = String::new();
    let mut ordered: Vec<&Judged> = judged.iter().collect();
    ordered.sort_by_key(|one| (one.verdict != Verdict::Caught, one.tries));
    for one in ordered {
        let _ = writeln!(text, "{}", line(one));
        if let Some(error) = &one.error {
            let _ = writeln!(text, "    {BAD}the check ended early{BAD:#}: {error}");
        }
        for (what, rows) in [("caught", &one.caught), ("missed", &one.missed), ("extra", &one.extra)] {
            for (requirement, units) in grouped(rows) {
                let _ = writeln!(text, "    {what:<7} {requirement}  {DIM}{units}{DIM:#}");
            }
        }
    }
    let Totals { faults, caught, when_alone, missed, extra, undecided } = totals;
    let style = if totals.is_good() { GOOD } else { BAD };
    let _ = writeln!(
        text,
        "\n{style}{faults} faults: {caught} caught ({when_alone} when checked again), {missed} missed, {extra} with extra rows, {undecided} not decided yet{style:#}, in {:.0} s",
        Duration::from_millis(millis).as_secs_f64()
    );
    if left_out > 0 {
        let _ = writeln!(
            text,
            "{DIM}left out: {left_out} faults that no check finds, which tests of the reference server judge{DIM:#}"
        );
    }
    text
}

/// Rows by requirement and outcome, with the units where they stand.
fn grouped(rows: &[Seen]) -> Vec<(String, String)> {
    let mut groups: BTreeMap<(String, &str, &str), Vec<String>> = BTreeMap::new();
    for row in rows {
        let outcome = row.outcome.map_or("no row", crate::run::Outcome::as_str);
        let key = (row.requirement.clone(), outcome, row.unit.transport.as_str());
        groups.entry(key).or_default().push(row.unit.revision.to_string());
    }
    let groups = groups.into_iter();
    groups
        .map(|((requirement, outcome, transport), revisions)| {
            (requirement, format!("{outcome} · {transport} {}", revisions.join(", ")))
        })
        .collect()
}

/// Checks wait most of the time, also for faults that answer late or never.
fn jobs() -> usize {
    6 * std::thread::available_parallelism().map_or(1, usize::from)
}
