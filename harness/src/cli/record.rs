//! `mcprove record`.

use super::failure::Failure;
use super::transcript_args::RecordArgs;
use crate::check::{Target, Told, overheard_run};
use crate::protocol::Transport;
use crate::recording::{Proxy, Recorded, record_stdio};
use crate::report::visible;
use crate::run::{Outcome, RunEvent};
use crate::transcript::{About, Redactor, names_a_secret};
use crate::wire::{CommandLine, HttpConfig, TargetSpec, die_by};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) fn record(args: &RecordArgs) -> Result<u8, Failure> {
    let file = file(&args.out);
    match (args.listen, &args.upstream) {
        (Some(address), Some(upstream)) => http(args, address, upstream, &file),
        _ => stdio(args, &file),
    }
}

/// The file to write: a new one where a folder is named, and where the file has something in it already. A client starts
/// its servers again and again with the same command, and each start is a recording of its own.
fn file(out: &Path) -> PathBuf {
    const ENDING: &str = ".transcript.jsonl";
    let now = || jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    if out.is_dir() {
        return out.join(format!("{}-{}{ENDING}", now(), std::process::id()));
    }
    let full = out.metadata().is_ok_and(|about| about.is_file() && about.len() > 0);
    let Some(name) = out.file_name().and_then(|name| name.to_str()).filter(|_| full) else {
        return out.to_owned();
    };
    let stem = name.strip_suffix(ENDING).or_else(|| name.strip_suffix(".jsonl")).unwrap_or(name);
    let ending = &name[stem.len()..];
    out.with_file_name(format!("{stem}-{}-{}{ending}", now(), std::process::id()))
}

fn stdio(args: &RecordArgs, file: &Path) -> Result<u8, Failure> {
    let command = CommandLine::new(args.command.iter().cloned()).map_err(Failure::usage)?;
    let mut target = Target::new(TargetSpec::Command(command.clone()));
    secrets(&mut target, args);
    let name = target.info().display;
    let runtime = super::out::runtime()?;
    {
        let _entered = runtime.enter();
        outlive_limits()?;
    }
    let (ended, recorded) = record_stdio(&command, &name, file, target.redactor()).map_err(Failure::usage)?;
    tell(&recorded, &name, Transport::Stdio, &target.redactor(), args);
    if let Some(signal) = ended.signal {
        die_by(signal);
        return Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    Ok(ended.code.map_or(70, |code| u8::try_from(code & 0xff).unwrap_or(70)))
}

fn http(
    args: &RecordArgs,
    address: std::net::SocketAddr,
    upstream: &str,
    file: &Path,
) -> Result<u8, Failure> {
    let spec = TargetSpec::url(upstream).map_err(Failure::usage)?;
    let mut target = Target::new(spec);
    secrets(&mut target, args);
    let (name, redactor) = (target.info().display, target.redactor());
    let config = HttpConfig { ca_certificates: args.ca_cert.clone(), ..HttpConfig::default() };
    let runtime = super::out::runtime()?;
    let recorded = runtime.block_on(async {
        outlive_limits()?;
        let proxy = Proxy::bind(address, upstream, &config, args.identity).await.map_err(Failure::usage)?;
        say(&format!("mcprove records at {} what goes to {}", proxy.url(), name));
        let until = told_to_end()?;
        proxy.record(&name, file, redactor, until).await.map_err(Failure::bug)
    })?;
    runtime.shutdown_background();
    tell(&recorded, &name, Transport::Http, &target.redactor(), args);
    Ok(0)
}

/// A limit on the size of files is an error of the write, as a full disk is, and does not end the process, nor what it
/// records; within a runtime.
fn outlive_limits() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal(kind).map(drop).map_err(|error| Failure::Bug(format!("cannot take signals: {error}")))
}

/// Ends when the process is told to end.
fn told_to_end() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let take = |kind| signal(kind).map_err(|error| Failure::Bug(format!("cannot take signals: {error}")));
    let mut signals =
        (take(SignalKind::terminate())?, take(SignalKind::interrupt())?, take(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = signals.0.recv() => {}
            _ = signals.1.recv() => {}
            _ = signals.2.recv() => {}
        }
    })
}

/// Makes known what must not stand in the file: what the user names, and variables whose names say so, which a client's
/// configuration gives to its servers.
fn secrets(target: &mut Target, args: &RecordArgs) {
    const SHORTEST: usize = 8;
    for (name, value) in std::env::vars_os() {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let place = value.starts_with('/') || value.contains("://");
        if names_a_secret(name) && value.len() >= SHORTEST && !place {
            target.secret(name, value);
        }
    }
    for word in &args.redact {
        target.secret_header(word);
        match std::env::var(word) {
            Ok(value) => target.secret(word, &value),
            Err(_) => target.secret("redacted", word),
        }
    }
}

/// Tells where the recording is, what is missing in it, and what the monitors say.
fn tell(recorded: &Recorded, name: &str, transport: Transport, redactor: &Redactor, args: &RecordArgs) {
    let RecordArgs { out, quiet, .. } = args;
    if !recorded.lost.is_none() {
        let (events, bytes) = (recorded.lost.events, recorded.lost.bytes);
        say(&format!("mcprove: {events} events with {bytes} bytes could not be recorded"));
    }
    if let Some(error) = &recorded.error {
        say(&format!("mcprove: {error}"));
    }
    if recorded.file != *out && !out.is_dir() {
        let (kept, file) = (out.display(), recorded.file.display());
        say(&format!("mcprove: {kept} had something in it and was kept; this recording is {file}"));
    }
    if *quiet {
        return;
    }
    let file = recorded.file.display().to_string();
    match recorded.error {
        None => say(&format!("mcprove recorded {} events in {file}", recorded.events)),
        // What is there is not whole, if anything is.
        Some(_) => return,
    }
    let Some(overheard) = &recorded.overheard else {
        say(&format!(
            "mcprove: the monitors did not keep up; ask them with: mcprove transcript check {file}"
        ));
        return;
    };
    if overheard.sessions.is_empty() {
        return;
    }
    let about = About { revision: None, transport, purpose: String::new(), target: name.to_owned() };
    let told = Told { about: &about, started_at: "", file: &file, command_line: Vec::new() };
    let (mut broken, mut kept) = (0, 0);
    for event in overheard_run(overheard, &told, |_| true) {
        let RunEvent::Result(row) = event else { continue };
        match row.outcome {
            Outcome::Fail | Outcome::Warn => {}
            Outcome::Pass => {
                kept += 1;
                continue;
            }
            _ => continue,
        }
        broken += 1;
        let who = if row.requirement.starts_with("client.") { "client" } else { "server" };
        let (outcome, id) = (row.outcome.as_str().to_uppercase(), &row.requirement);
        for finding in &row.findings {
            let place = finding.evidence.event.map(|event| format!(", event {event}")).unwrap_or_default();
            say(&format!("  {outcome}  {who}  {id}: {}{place}", redactor.clean(&finding.message)));
        }
        if let (true, Some(reason)) = (row.findings.is_empty(), &row.reason) {
            say(&format!("  {outcome}  {who}  {id}: {}", reason.text));
        }
    }
    if let Some(why) = &overheard.cut_short {
        say(&format!("  {why}"));
    }
    say(&format!("  {broken} broken, {kept} kept; more with: mcprove transcript check {file}"));
}

fn say(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", visible(text, 4000));
}
