//! `mcprove minimize`: the smallest conversation that still shows a defect.

use super::args::{OutputFormat, SelectArgs};
use super::failure::Failure;
use super::inspect::width;
use super::minimize_args::MinimizeArgs;
use super::replay::{binding, script, secrets};
use super::session::heed_signals;
use super::transcript::say;
use super::{options, out};
use crate::check::{Stop, Target};
use crate::client::{Opener, Opening, RecorderSource};
use crate::minimize::{Limits, MinimizeError, Minimized, Wanted, broken, minimize as smallest};
use crate::replay::{Options, Script, Sending, replay as play};
use crate::report::visible;
use crate::run::{RunState, StoredRun};
use crate::transcript::{About, Budget, Recorder, Redactor, TranscriptReader, TranscriptWriter};
use crate::wire::Payload;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long is listened for what was not recorded, and for what belongs to no request: in hundreds of conversations
/// there is no time for more.
const BESIDE: Duration = Duration::from_millis(30);

/// What is to be made small.
struct Start {
    file: PathBuf,
    script: Script,
    wanted: Wanted,
}

pub(super) fn minimize(args: &MinimizeArgs) -> Result<u8, Failure> {
    let start = start(args)?;
    let secrets = secrets(&args.secret, &args.reach, &start.script)?;
    let mut targets = options::targets(&args.target, &args.reach, &args.shared, &[])?;
    let (Some((_, mut target)), true) = (targets.pop(), targets.is_empty()) else {
        return Err(Failure::Usage("one target at a time; name one with --target".to_owned()));
    };
    secrets.iter().for_each(|(name, value)| target.secret(name, value));
    let stop = Stop::default();
    let mut config =
        options::config(&target, "minimize", &args.reach, &args.shared, &SelectArgs::default(), &stop)?;
    config.opening.timeouts.request = args.wait + start.script.longest();
    let options = Options { wait: args.wait, beside: BESIDE, grace: BESIDE, secrets, ..Options::default() };
    let trial = Trial {
        target: &target,
        opening: &config.opening,
        options: &options,
        answered: AtomicBool::new(false),
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
    match ended {
        None => {
            say("mcprove: interrupted before it was done");
            Ok(stop.wanted().unwrap_or(130))
        }
        Some(Err(error @ MinimizeError::NotSeen { .. })) => {
            let answered = trial.answered.load(Ordering::Relaxed);
            say(&format!("mcprove: {error}"));
            if !answered {
                say("mcprove: no message ever came from the target");
            }
            Ok(if answered { 1 } else { 3 })
        }
        Some(Ok(minimized)) => tell(args, &start, &minimized, &target.redactor()).map(|()| 0),
    }
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
}

impl Trial<'_> {
    async fn hold(&self, script: &Script) -> Vec<Arc<Recorder>> {
        let kept = Arc::new(Kept { redactor: self.target.redactor(), recorders: Mutex::default() });
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

/// Writes the conversation, and says what it is.
fn tell(
    args: &MinimizeArgs,
    start: &Start,
    minimized: &Minimized,
    redactor: &Redactor,
) -> Result<(), Failure> {
    let to = args.out.clone().unwrap_or_else(|| small_name(&start.file));
    if to.canonicalize().ok().is_some_and(|to| start.file.canonicalize().is_ok_and(|from| from == to)) {
        return Err(Failure::Usage(format!("--out: {} is what is made smaller", to.display())));
    }
    let mut writer = TranscriptWriter::create(&to, minimized.recorder.about());
    minimized.recorder.snapshot().iter().for_each(|record| writer.append(record, redactor));
    if let Some(error) = writer.error() {
        return Err(Failure::Usage(format!("{}: {error}", to.display())));
    }
    writer.finish();
    let said = said(&minimized.script);
    let (before, after) = (start.script.sends(), minimized.script.sends());
    let (again, of) = minimized.confirmed;
    if args.shared.output_format == OutputFormat::Json {
        let document = json!({
            "format": "mcprove-minimized",
            "version": 1,
            "requirement": minimized.seen.requirement,
            "signature": minimized.seen.signature,
            "message": minimized.seen.message,
            "messages": {"before": before, "after": after},
            "conversations": minimized.tries,
            "confirmed": {"times": again, "of": of},
            "cut_short": minimized.cut_short,
            "transcript": to.display().to_string(),
            "sent": said.iter().map(|line| redactor.clean(line)).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&document).map_err(Failure::bug)?;
        return out::print(&(text + "\n"));
    }
    let mut text = format!("{}: {}\n\n", minimized.seen.requirement, minimized.seen.message);
    for line in &said {
        text.push_str(&format!("  --> {}\n", visible(&redactor.clean(line), width() - 6)));
    }
    text.push_str(&format!("\n{before} messages became {after} in {} conversations", minimized.tries));
    text.push_str(&match (again, minimized.cut_short) {
        (again, true) if again == of => "; the limit was reached, it may become smaller still\n".to_owned(),
        (again, _) if again == of => ".\n".to_owned(),
        (again, _) => format!("; it does not fail each time: {again} of {of} more showed it\n"),
    });
    text.push_str(&format!("written to {}\n", to.display()));
    out::print(&text)
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

fn small_name(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let stem =
        name.strip_suffix(".transcript.jsonl").or_else(|| name.strip_suffix(".jsonl")).unwrap_or(&name);
    PathBuf::from(format!("{stem}.min.transcript.jsonl"))
}
