//! `mcprove minimize`: the smallest conversation that still shows a defect.

use super::args::{OutputFormat, SelectArgs};
use super::failure::Failure;
use super::minimize_args::MinimizeArgs;
use super::replay::{binding, script, secrets};
use super::section::Went;
use super::session::heed_signals;
use super::transcript::say;
use super::{options, out};
use crate::check::{Stop, Target};
use crate::client::{Opener, Opening, RecorderSource};
use crate::minimize::{Limits, Minimized, Wanted, broken, minimize as smallest};
use crate::replay::{Options, Script, Sending, replay as play};
use crate::report::visible;
use crate::run::{RunError, RunState, StoredRun};
use crate::transcript::{About, Budget, Record, Recorder, Redactor, TranscriptReader, TranscriptWriter};
use crate::wire::{Channel, Payload};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long a message is waited for that belongs to no request: what led to it may have been left out, and in hundreds of
/// conversations there is no time for more.
const BESIDE: Duration = Duration::from_millis(5);
/// How long is listened for what was not recorded.
const GRACE: Duration = Duration::from_millis(30);
/// How many characters of a message are shown.
const SHOWN: usize = 4000;

/// What is to be made small.
struct Start {
    file: PathBuf,
    script: Script,
    wanted: Wanted,
}

pub(super) fn minimize(args: &MinimizeArgs) -> Result<u8, Failure> {
    let start = start(args)?;
    out_file(args, &start.file)?;
    let secrets = secrets(&args.secret, &args.reach, &start.script)?;
    let mut targets = options::targets(&args.target, &args.reach, &args.shared, &[])?;
    let (Some((_, mut target)), true) = (targets.pop(), targets.is_empty()) else {
        return Err(Failure::Usage("one target at a time; name one with --target".to_owned()));
    };
    secrets.iter().for_each(|(name, value)| target.secret(name, value));
    let stop = Stop::default();
    let (started, started_at) = (Instant::now(), jiff::Timestamp::now().to_string());
    let mut config =
        options::config(&target, "minimize", &args.reach, &args.shared, &SelectArgs::default(), &stop)?;
    config.opening.timeouts.request = args.wait + start.script.longest();
    let options = Options { wait: args.wait, beside: BESIDE, grace: GRACE, secrets, ..Options::default() };
    let trial = Trial {
        target: &target,
        opening: &config.opening,
        options: &options,
        answered: AtomicBool::new(false),
        starts: AtomicU32::new(0),
    };
    let limits = Limits { tries: args.tries, time: args.time };
    let runtime = out::runtime()?;
    let ended = {
        let _inside = runtime.enter();
        heed_signals(&stop)?;
        runtime.block_on(stop.unless(smallest(
            &start.script,
            &start.wanted,
            limits,
            async |script: &Script| trial.hold(script).await,
        )))
    };
    runtime.shutdown_timeout(Duration::from_millis(200));
    let (error, code) = match &ended {
        None => {
            let code = stop.wanted().unwrap_or(130);
            let message = "interrupted before it was done".to_owned();
            (Some(RunError { code, message }), code)
        }
        Some(Err(_)) if !trial.answered.load(Ordering::Relaxed) => {
            let message = "no message ever came from the target".to_owned();
            (Some(RunError { code: 3, message }), 3)
        }
        Some(ended) => (None, u8::from(ended.is_err())),
    };
    let went = Went {
        verb: "minimize",
        config: &config,
        started_at,
        millis: started.elapsed().as_millis() as u64,
        code,
        error,
        process_starts: trial.starts.load(Ordering::Relaxed),
    };
    let told = match &ended {
        Some(Ok(minimized)) => Some(Told::write(args, &start, minimized, &target.redactor())?),
        _ => None,
    };
    match (&told, args.shared.output_format) {
        (told, OutputFormat::Json) => out::print(&went.document(told.as_ref(), &target)?)?,
        (Some(told), OutputFormat::Text) => out::print(&told.text())?,
        (None, OutputFormat::Text) => {}
    }
    match (&ended, &went.error) {
        (_, Some(error)) => say(&format!("mcprove: {}", error.message)),
        (Some(Err(error)), None) => say(&format!("mcprove: {error}")),
        _ => {}
    }
    Ok(code)
}

/// Finds out what is meant.
fn start(args: &MinimizeArgs) -> Result<Start, Failure> {
    let path = Path::new(&args.finding);
    let is_id = args.finding.strip_prefix('F').is_some_and(|number| number.parse::<u64>().is_ok());
    if is_id && !path.exists() {
        let folder = args.run.clone().unwrap_or_else(out::default_folder);
        return of_run(&args.finding, &folder);
    }
    let script = script(path)?;
    let seen = judge(path)?;
    let mut ids: Vec<&str> = seen.iter().map(|seen| seen.requirement.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let requirement = match (&args.requirement, ids.as_slice()) {
        (Some(requirement), _) => requirement.clone(),
        (None, [one]) => (*one).to_owned(),
        (None, []) => {
            return Err(Failure::Usage(format!(
                "{}: the monitors find nothing wrong in it; say with --requirement what shows only when it is replayed",
                path.display()
            )));
        }
        (None, several) => {
            return Err(Failure::Usage(format!(
                "{}: several requirements are broken in it; choose one with --requirement: {}",
                path.display(),
                several.join(", ")
            )));
        }
    };
    if crate::protocol::catalogue::Catalogue::get().requirement(&requirement).is_none() {
        return Err(Failure::Usage(format!(
            "--requirement: there is no `{requirement}`; `mcprove list requirements '*'` shows what there is"
        )));
    }
    Ok(Start { file: path.to_owned(), script, wanted: Wanted { requirement, signature: None } })
}

/// A finding of a run.
fn of_run(id: &str, folder: &Path) -> Result<Start, Failure> {
    let run =
        StoredRun::read(folder).map_err(|error| Failure::Usage(format!("{}: {error}", folder.display())))?;
    let state = RunState::of(&run.events);
    let found = state.rows().iter().find_map(|row| {
        let finding = row.findings.iter().find(|finding| finding.id == id)?;
        Some((row.requirement.clone(), finding.clone()))
    });
    let Some((requirement, finding)) = found else {
        return Err(Failure::Usage(format!("{}: there is no finding {id} in this run", folder.display())));
    };
    let Some(transcript) = finding.transcript else {
        return Err(Failure::Usage(format!(
            "{id} ({requirement}) rests on no conversation, so there is nothing to replay"
        )));
    };
    let file = folder.join(transcript);
    if !judge(&file)?.iter().any(|seen| seen.requirement == requirement) {
        return Err(Failure::Usage(format!(
            "{id} ({requirement}) was found by a probe, by what it had sent and why; a replay cannot tell it again. Repeat the probe: {}",
            finding.reproduce
        )));
    }
    let script = script(&file)?;
    Ok(Start { file, script, wanted: Wanted { requirement, signature: Some(finding.signature) } })
}

/// What the monitors find wrong in a recording.
fn judge(file: &Path) -> Result<Vec<crate::minimize::Seen>, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let mut reader = TranscriptReader::open(file).map_err(|error| unreadable(&error))?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().map_err(|error| unreadable(&error))? {
        records.push(Arc::new(record));
    }
    Ok(broken(&[Arc::new(Recorder::of_records(reader.about().clone(), records))]))
}

/// Holds conversations, each with a target that was started for it.
struct Trial<'a> {
    target: &'a Target,
    opening: &'a Opening,
    options: &'a Options,
    /// Whether any message ever came.
    answered: AtomicBool,
    /// How many conversations were held, each with a target of its own.
    starts: AtomicU32,
}

impl Trial<'_> {
    async fn hold(&self, script: &Script) -> Vec<Arc<Recorder>> {
        let kept = Arc::new(Kept { redactor: self.target.redactor(), recorders: Mutex::default() });
        self.starts.fetch_add(1, Ordering::Relaxed);
        let Ok(up) = self.target.up(self.opening.timeouts.startup).await else { return Vec::new() };
        let mut opening = self.opening.clone();
        let mut credentials = self.target.credentials();
        let let_in = up.authorize(&mut opening.headers, &mut credentials).await.is_ok();
        if let Some(binding) = binding(&up.bindings, script.about.transport).filter(|_| let_in) {
            let display = self.target.info().display;
            let source: Arc<dyn RecorderSource> = Arc::<Kept>::clone(&kept);
            let opener =
                Opener::new(binding, opening, display, source, Arc::new(Semaphore::new(2)), Arc::default());
            let replayed = play(script, &opener, self.options).await;
            self.answered.fetch_or(replayed.was_answered(), Ordering::Relaxed);
        }
        up.stop().await;
        let mut recorders = kept.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *recorders)
    }
}

/// Keeps the records in memory.
struct Kept {
    redactor: Redactor,
    recorders: Mutex<Vec<Arc<Recorder>>>,
}

impl RecorderSource for Kept {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        let recorder = Arc::new(Recorder::new(about, None, self.redactor.clone(), Budget::default(), None));
        self.recorders.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&recorder));
        recorder
    }
}

/// What is told, without secrets; the section `minimize` of the document.
#[derive(Serialize)]
struct Told {
    requirement: String,
    signature: String,
    message: String,
    /// How many messages the client sent.
    before: usize,
    /// How many it sends now.
    after: usize,
    /// How many conversations it took.
    conversations: u32,
    /// How many of the last `of` conversations showed it.
    confirmed: u32,
    of: u32,
    /// Whether it may become smaller still, since a limit was reached.
    cut_short: bool,
    /// The file with the small conversation.
    transcript: String,
    /// What the client sends.
    sent: Vec<String>,
}

impl Told {
    /// Writes the conversation, and says what it is.
    fn write(
        args: &MinimizeArgs,
        start: &Start,
        minimized: &Minimized,
        redactor: &Redactor,
    ) -> Result<Self, Failure> {
        let to = out_file(args, &start.file)?;
        let about = minimized.recorders.first().map_or(&start.script.about, |recorder| recorder.about());
        let mut writer = TranscriptWriter::create(&to, about);
        // One after the other, each on channels of its own.
        let (mut channels, mut time) = (0, Duration::ZERO);
        for recorder in &minimized.recorders {
            let records = recorder.snapshot();
            for record in &records {
                let (channel, at) = (Channel(channels + record.channel.0), time + record.at);
                writer.append(&Record { at, channel, ..Record::clone(record) }, redactor);
            }
            channels += records.iter().map(|record| record.channel.0).max().map_or(0, |most| most + 1);
            time += records.last().map_or(Duration::ZERO, |last| last.at);
        }
        if let Some(error) = writer.error() {
            return Err(Failure::Usage(format!("{}: {error}", to.display())));
        }
        writer.finish();
        let (confirmed, of) = minimized.confirmed;
        Ok(Self {
            requirement: minimized.seen.requirement.clone(),
            signature: minimized.seen.signature.clone(),
            message: redactor.clean(&minimized.seen.message),
            before: start.script.sends(),
            after: minimized.script.sends(),
            conversations: minimized.tries,
            confirmed,
            of,
            cut_short: minimized.cut_short,
            transcript: to.display().to_string(),
            sent: said(&minimized.script).iter().map(|line| redactor.clean(line)).collect(),
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.requirement, visible(&self.message, SHOWN));
        for line in &self.sent {
            text.push_str(&format!("  --> {}\n", visible(line, SHOWN)));
        }
        text.push_str(&format!(
            "\n{} messages became {} in {} conversations",
            self.before, self.after, self.conversations
        ));
        if self.confirmed < self.of {
            text.push_str(&format!(
                "; it does not fail each time: {} of {} more showed it",
                self.confirmed, self.of
            ));
        }
        if self.cut_short {
            text.push_str("; a limit was reached, it may become smaller still");
        }
        text.push_str(&format!("\nwritten to {}\n", self.transcript));
        text
    }
}

/// What the client sends, one line each.
fn said(script: &Script) -> Vec<String> {
    let sends = script.sessions.iter().flat_map(|session| &session.sends);
    sends
        .map(|send| match &send.what {
            Sending::Payload(Payload::Message(message)) => message.value().to_string(),
            Sending::Payload(Payload::Raw { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            Sending::Listen | Sending::Delete | Sending::Abort(_) => format!("({})", send.name()),
        })
        .collect()
}

/// Where the small conversation goes: beside nothing that is needed, and where a file can be.
fn out_file(args: &MinimizeArgs, file: &Path) -> Result<PathBuf, Failure> {
    let to = args.out.clone().unwrap_or_else(|| small_name(file));
    let same = |to: PathBuf| file.canonicalize().is_ok_and(|from| from == to);
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let refused = if to.canonicalize().is_ok_and(same) {
        "is what is made smaller"
    } else if to.is_dir() {
        "is a folder"
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        "is in a folder that does not exist"
    } else {
        return Ok(to);
    };
    Err(Failure::Usage(format!("--out: {} {refused}", to.display())))
}

fn small_name(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem =
        name.strip_suffix(".transcript.jsonl").or_else(|| name.strip_suffix(".jsonl")).unwrap_or(&name);
    PathBuf::from(format!("{stem}.min.transcript.jsonl"))
}
