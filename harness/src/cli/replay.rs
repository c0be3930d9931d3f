//! `mcprove replay`: the client's part of a recording, played to a server.

use super::args::{OutputFormat, ReachArgs, SelectArgs};
use super::failure::Failure;
use super::inspect::width;
use super::section::Went;
use super::session::heed_signals;
use super::transcript::say;
use super::transcript_args::{ModeArg, ReplayArgs, TimingArg};
use super::{options, out, settings};
use crate::check::{Stop, Target, Watcher};
use crate::client::{Binding, Opener, RecorderSource};
use crate::protocol::Transport;
use crate::replay::{Mode, Options, Patched, Replayed, Rules, Script, patch, replay as play};
use crate::report::render_replay;
use crate::run::{RunError, RunWriter, TRANSCRIPTS_DIR, write_file};
use crate::transcript::{About, Budget, Live, Record, Recorder, Redactor, TranscriptReader};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The longest message that is read, in bytes: a recording that is replayed has none that are longer.
const LONGEST_MESSAGE: usize = 64 << 20;

/// Reads a recording.
pub(super) fn script(file: &Path) -> Result<Script, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let reader = TranscriptReader::open(file).map_err(|error| wrong(&error))?;
    Script::read(reader).map_err(|error| wrong(&error))
}

/// The file beside a recording that has what is new.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

pub(super) fn replay(args: &ReplayArgs) -> Result<u8, Failure> {
    let script = script(&args.file)?;
    let (known, rules) = settings::of_replay(args.settings.as_deref())?;
    let secrets = secrets(&args.secret, &args.reach, &script)?;
    let mut shared = args.target.clone();
    shared.settings = known;
    let mut targets = options::targets(&shared, &args.reach, &args.shared, &[])?;
    let (Some((_, mut target)), true) = (targets.pop(), targets.is_empty()) else {
        return Err(Failure::Usage(
            "a recording is replayed against one target; name one with --target".to_owned(),
        ));
    };
    secrets.iter().for_each(|(name, value)| target.secret(name, value));
    let revision = match args.shared.revision.as_slice() {
        [] => None,
        [one] => Some(*one),
        _ => {
            return Err(Failure::Usage(
                "a recording is replayed in one revision; give --revision once".to_owned(),
            ));
        }
    };
    let stop = Stop::default();
    let mut config =
        options::config(&target, "replay", &args.reach, &args.shared, &SelectArgs::default(), &stop)?;
    let wait = args.wait.unwrap_or(config.opening.timeouts.request);
    // What took long in the recording may take long again.
    // What was recorded is read again, however long it is.
    config.opening.limits.message = config.opening.limits.message.max(LONGEST_MESSAGE);
    config.opening.timeouts.request = wait + script.longest();
    config.opening.timeouts.startup = config.opening.timeouts.startup.max(wait);
    let options = Options {
        mode: match args.mode {
            ModeArg::Exact => Mode::Exact,
            ModeArg::Shape => Mode::Shape,
            ModeArg::Schema => Mode::Schema,
        },
        rules: Rules::new(script.rules.iter().cloned().chain(rules)).map_err(Failure::usage)?,
        wait,
        recorded_timing: args.timing == TimingArg::Recorded,
        revision,
        secrets,
        ..Options::default()
    };
    let writer =
        args.out.as_ref().map(|folder| RunWriter::create(folder).map_err(Failure::usage)).transpose()?;
    let tapes = Arc::new(Tapes {
        folder: args.out.as_ref().map(|folder| folder.join(TRANSCRIPTS_DIR)),
        redactor: target.redactor(),
        watcher: config.watcher.clone(),
        next: AtomicU32::new(1),
    });
    let started = Instant::now();
    let started_at = jiff::Timestamp::now().to_string();
    let runtime = out::runtime()?;
    let ran = {
        let _inside = runtime.enter();
        heed_signals(&stop)?;
        runtime.block_on(stop.unless(run(&target, config.opening.clone(), &script, &options, tapes)))
    };
    runtime.shutdown_timeout(Duration::from_millis(200));
    let (replayed, error) = match ran {
        Some(Ok(replayed)) if replayed.was_answered() => (Some(replayed), None),
        Some(Ok(replayed)) => {
            let why = replayed.why_gone().map_or(String::new(), |why| format!(": {why}"));
            (
                Some(replayed),
                Some(RunError { code: 3, message: format!("no message ever came from the target{why}") }),
            )
        }
        Some(Err(error)) => (None, Some(error)),
        None => {
            let code = stop.wanted().unwrap_or(130);
            (None, Some(RunError { code, message: "interrupted before the end of the replay".to_owned() }))
        }
    };
    let differs = replayed.as_ref().is_some_and(|replayed| !replayed.differences.is_empty());
    let code = error.as_ref().map_or(u8::from(differs), |error| error.code);
    let went = Went {
        verb: "replay",
        config: &config,
        started_at,
        millis: started.elapsed().as_millis() as u64,
        code,
        error,
        process_starts: replayed.as_ref().map_or(0, |replayed| replayed.sessions.len() as u32),
    };
    Told { target: &target, went }.tell(args, replayed.as_ref(), writer.as_ref())?;
    if let Some(replayed) = replayed.as_ref().filter(|_| args.accept && differs) {
        accept(args, replayed, &target.redactor())?;
    }
    Ok(code)
}

/// The secrets that were given; every one that is needed has to be.
pub(super) fn secrets(
    given: &[String],
    reach: &ReachArgs,
    script: &Script,
) -> Result<Vec<(String, String)>, Failure> {
    let mut secrets = Vec::new();
    for pair in given {
        let (name, variable) = pair
            .split_once('=')
            .filter(|(name, variable)| !name.is_empty() && !variable.is_empty())
            .ok_or_else(|| {
                Failure::Usage("--secret takes NAME=VARIABLE, such as token-1=API_TOKEN".to_owned())
            })?;
        let name = name.trim_start_matches('«').trim_end_matches('»').to_owned();
        if !script.placeholders().contains(&name) && !script.credentials().contains(&name) {
            return Err(Failure::Usage(format!("--secret: the client of the recording sends no «{name}»")));
        }
        let value = std::env::var(variable).map_err(|_| {
            Failure::Usage(format!("--secret: the environment variable {variable} is not set"))
        })?;
        if value.contains(['\r', '\n', '\0']) {
            return Err(Failure::Usage(format!("--secret: the value of {variable} has a line break in it")));
        }
        secrets.push((name, value));
    }
    let given = |name: &String| secrets.iter().any(|(known, _)| known == name);
    if let Some(missing) = script.placeholders().iter().find(|name| !given(name)) {
        return Err(Failure::Usage(format!(
            "the client of the recording sends «{missing}», a secret that was taken out; put it back with --secret {missing}=VARIABLE"
        )));
    }
    let own = reach.bearer_env.is_some() || !reach.header.is_empty();
    if let Some(missing) = script.credentials().iter().find(|name| !given(name)).filter(|_| !own) {
        say(&format!(
            "mcprove: the recorded requests had credentials («{missing}»); give yours with --bearer-env, --header or --secret {missing}=VARIABLE if the target asks for them"
        ));
    }
    Ok(secrets)
}

async fn run(
    target: &Target,
    mut opening: crate::client::Opening,
    script: &Script,
    options: &Options,
    tapes: Arc<Tapes>,
) -> Result<Replayed, RunError> {
    let up = target.up(opening.timeouts.startup).await?;
    let mut credentials = target.credentials();
    if let Err(error) = up.authorize(&mut opening.headers, &mut credentials).await {
        up.stop().await;
        return Err(error);
    }
    let binding = binding(&up.bindings, script.about.transport);
    let Some(binding) = binding else {
        up.stop().await;
        return Err(RunError {
            code: 70,
            message: "a bug in mcprove: the target is reached in no way".to_owned(),
        });
    };
    let display = target.info().display;
    let opener = Opener::new(binding, opening, display, tapes, Arc::new(Semaphore::new(2)), Arc::default());
    let replayed = play(script, &opener, options).await;
    up.stop().await;
    Ok(replayed)
}

/// Where to replay: over the transport of the recording, if the target has it.
pub(super) fn binding(bindings: &[Binding], recorded: Transport) -> Option<Binding> {
    let same = bindings.iter().find(|binding| binding.transport() == recorded);
    match (same, bindings) {
        (Some(same), _) => Some(same.clone()),
        (None, [Binding::Http(url)]) if recorded == Transport::HttpSse => Some(Binding::HttpSse(url.clone())),
        (None, all) => all.first().cloned(),
    }
}

/// Records the replay.
struct Tapes {
    folder: Option<PathBuf>,
    redactor: Redactor,
    watcher: Option<Watcher>,
    next: AtomicU32,
}

impl RecorderSource for Tapes {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path =
            self.folder.as_ref().map(|folder| folder.join(format!("{number:03}-replay.transcript.jsonl")));
        let live = self.watcher.clone().map(|watcher| {
            let about = about.clone();
            let live: Live = Arc::new(move |record: &Record, redactor: &Redactor| {
                watcher(number, &about, record, redactor);
            });
            live
        });
        let redactor = self.redactor.clone();
        Arc::new(Recorder::new(about, path.as_deref(), redactor, Budget::default(), live))
    }
}

struct Told<'a> {
    target: &'a Target,
    went: Went<'a>,
}

impl Told<'_> {
    fn tell(
        &self,
        args: &ReplayArgs,
        replayed: Option<&Replayed>,
        writer: Option<&RunWriter>,
    ) -> Result<(), Failure> {
        let text = self.went.document(replayed, self.target)?;
        let redactor = self.target.redactor();
        if let Some(writer) = writer {
            self.went.events().iter().try_for_each(|event| writer.append(event)).map_err(Failure::usage)?;
            write_file(writer.dir(), "report.json", text.as_bytes()).map_err(Failure::usage)?;
        }
        match (args.shared.output_format, replayed) {
            (OutputFormat::Json, _) => out::print_bytes(text.as_bytes())?,
            (OutputFormat::Text, Some(replayed)) => {
                let title = format!("{} against {}", args.file.display(), self.went.config.target.display);
                out::print(&render_replay(replayed, &title, width(), &|text| redactor.clean(text)))?;
            }
            (OutputFormat::Text, None) => {}
        }
        if let Some(error) = &self.went.error {
            say(&format!("mcprove: {}", redactor.clean(&error.message)));
        }
        Ok(())
    }
}

fn accept(args: &ReplayArgs, replayed: &Replayed, redactor: &Redactor) -> Result<(), Failure> {
    let to = beside(&args.file);
    let eras = (replayed.recorded_revision, replayed.sessions.iter().find_map(|session| session.revision));
    if let (Some(recorded), Some(now)) = eras
        && recorded.era() != now.era()
    {
        return Err(Failure::Usage(
            "answers of another era cannot be accepted into a recording; record the server anew".to_owned(),
        ));
    }
    let written = patch(&args.file, &to, &replayed.differences, redactor);
    let Patched { accepted, left } =
        written.map_err(|error| Failure::Usage(format!("{}: {error}", to.display())))?;
    let rest = if left == 0 { String::new() } else { format!("; {left} cannot be written into a recording") };
    let next = format!("mcprove transcript review {}", args.file.display());
    say(&format!(
        "mcprove wrote {} with {accepted} differences{rest}; go through them with: {next}",
        to.display()
    ));
    Ok(())
}
