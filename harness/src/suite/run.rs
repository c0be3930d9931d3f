//! The test binary: which target, one check, and its results as tests.

use super::cases::{self, Case, Verdict};
use super::environment;
use super::store::Store;
use crate::check::{CheckConfig, FailOn, Stop, Target};
use crate::client::{Opening, Timeouts};
use crate::probes::{Calls, Credentials, Safety, Settings};
use crate::protocol::Revision;
use crate::protocol::catalogue::{RequirementSet, Selection, SelectionError};
use crate::run::{RunEvent, RunState, RunWriter, TRANSCRIPTS_DIR};
use crate::wire::{HttpConfig, Limits, TargetError, TargetSpec};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why there are no tests.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The target cannot be understood.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A pattern matches nothing.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A variable has a value that is not known.
    #[error("{variable} is `{value}`; it can be {known}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        known: &'static str,
    },
}

/// A check as a test binary.
#[derive(Debug, Clone)]
pub struct Suite {
    target: Target,
    /// The target as it was written, for the key of the store.
    written: String,
    calls: Option<Calls>,
    /// All requirements if `None`: to read the catalogue takes longer than to run a test that was decided before.
    selection: Option<Selection>,
    revisions: Vec<Revision>,
    fail_on: FailOn,
    list_all: bool,
}

/// The whole of a test binary: the tests of `target`, a URL or a shell-quoted command, unless the environment variable
/// `MCPROVE_TARGET` names another one. Further variables: `MCPROVE_CALLS` (`none`, `read-only`, `all`: which tools are
/// called), `MCPROVE_FAIL_ON` (`must`, `should`), and `MCPROVE_LIST_ALL` (`1` lists what does not apply, too).
///
/// Exit codes are those of test binaries, and 2 where the target or a variable cannot be understood.
pub fn main(target: &str) -> ExitCode {
    Suite::run_or_explain(Suite::new(target).and_then(Suite::environment))
}

impl Suite {
    /// The tests of a target: a URL or a shell-quoted command.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(target: &str) -> Result<Self, SuiteError> {
        Ok(Self::over(Target::new(TargetSpec::parse(target)?), target))
    }

    /// The tests of the reference server that `program serve` runs.
    pub fn embedded(program: &str) -> Self {
        Self::over(Target::embedded(program), program)
    }

    fn over(target: Target, written: &str) -> Self {
        Self {
            target,
            written: written.to_owned(),
            calls: None,
            selection: None,
            revisions: Vec::new(),
            fail_on: FailOn::Must,
            list_all: false,
        }
    }

    /// Which tools may be called; only those that say `readOnlyHint: true` if not told otherwise.
    #[must_use]
    pub fn calls(mut self, calls: Calls) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Which requirements are tested, by patterns as `--only` and `--skip` take them.
    ///
    /// # Errors
    /// When a pattern matches nothing.
    pub fn select(mut self, only: &[&str], skip: &[&str]) -> Result<Self, SuiteError> {
        self.selection = Some(Selection::new(only, skip)?);
        Ok(self)
    }

    /// Which revisions are tested; those that the server speaks if not told otherwise.
    #[must_use]
    pub fn revisions(mut self, revisions: &[Revision]) -> Self {
        self.revisions = revisions.to_vec();
        self
    }

    /// Takes over what the environment says, see [`main`].
    ///
    /// # Errors
    /// When a variable has a value that is not known.
    pub fn environment(mut self) -> Result<Self, SuiteError> {
        if let Some(target) = environment::target() {
            self.target = Target::new(TargetSpec::parse(&target)?);
            self.written = target;
        }
        self.calls = environment::calls()?.or(self.calls);
        self.fail_on = environment::fail_on()?.unwrap_or(self.fail_on);
        self.list_all = environment::list_all();
        Ok(self)
    }

    /// Runs the tests, or says why there are none: exit code 2.
    pub fn run_or_explain(suite: Result<Self, SuiteError>) -> ExitCode {
        match suite {
            Ok(suite) => suite.run(),
            Err(error) => {
                eprintln!("mcprove: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// Lists or runs the tests, as the arguments of this process say.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let only = arguments.filter.as_deref().filter(|_| arguments.exact && !arguments.list);
        let cases = match Store::shared(&self.subject()) {
            Some(store) => match store.get(|folder| cases::write(&self.check(folder))) {
                Ok(text) => cases::read(&text, only),
                Err(error) => {
                    eprintln!("mcprove: the check cannot be shared between processes: {error}");
                    self.check(&own_folder())
                }
            },
            None => self.check(&own_folder()),
        };
        let known = !cases.is_empty();
        // `cargo test` shows the reason beside what is ignored; who lists, or picks what is ignored, has to be told
        // beforehand that it is.
        let beforehand = arguments.list
            || arguments.ignored
            || arguments.include_ignored
            || std::env::var_os("NEXTEST").is_some();
        let trials = cases.into_iter().map(|case| trial(case, beforehand)).collect();
        let conclusion = libtest_mimic::run(&arguments, trials);
        if let (Some(name), false) = (only, known) {
            // A test that was listed and is gone must not look like one that passed.
            eprintln!(
                "mcprove: there is no test `{name}`: what the target speaks has changed since it was listed"
            );
            return ExitCode::from(101);
        }
        conclusion.exit_code()
    }

    /// Everything that the result of the check depends on.
    fn subject(&self) -> String {
        let mut text = format!("{self:?}\n{}\n", env!("CARGO_PKG_VERSION"));
        let mut files: Vec<PathBuf> = std::env::current_exe().into_iter().collect();
        let words = shlex::split(&self.written).unwrap_or_default();
        files.extend(words.into_iter().map(PathBuf::from).filter(|path| path.is_file()));
        for file in files {
            let meta = file.metadata();
            let stamp = meta.map(|meta| (meta.len(), meta.modified().ok()));
            let _ = writeln!(text, "{} {stamp:?}", file.display());
        }
        text
    }

    fn check(&self, folder: &Path) -> Vec<Case> {
        let failed =
            |what: String| vec![Case { name: "mcprove.works".to_owned(), verdict: Verdict::Fail(what) }];
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(2)
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return failed(format!("cannot start: {error}")),
        };
        // Tests can do without a folder; what failed is then shown without its conversation.
        let writer = RunWriter::create(folder).ok();
        let calls =
            self.calls.unwrap_or(if self.target.is_embedded() { Calls::All } else { Calls::ReadOnly });
        let config = CheckConfig {
            bindings: Vec::new(),
            target: self.target.info(),
            opening: Opening {
                limits: Limits::default(),
                timeouts: Timeouts::default(),
                headers: self.target.headers(),
                http: HttpConfig::default(),
                pace: None,
            },
            selection: self.selection.clone().unwrap_or_else(Selection::all),
            revisions: self.revisions.clone(),
            settings: Settings {
                safety: Safety { calls, ..Safety::default() },
                seed: 1,
                credentials: Credentials::default(),
                properties: std::sync::Arc::default(),
                elsewhere: None,
            },
            parallel: self.target.parallel(),
            command: "check".to_owned(),
            command_line: Vec::new(),
            reproduce_target: self.target.reproduce(),
            transcripts: writer.as_ref().map(|_| folder.join(TRANSCRIPTS_DIR)),
            secrets: self.target.secrets(),
            watcher: None,
            fail_on: self.fail_on,
            accepted: None,
            set: RequirementSet::default(),
            stop: Stop::default(),
        };
        let mut state = RunState::default();
        let mut sink = |event: RunEvent| {
            if let Some(writer) = &writer {
                let _ = writer.append(&event);
            }
            state.apply(&event);
        };
        runtime.block_on(self.target.check(config, &mut sink));
        runtime.shutdown_timeout(std::time::Duration::from_millis(200));
        let folder = writer.as_ref().map(|_| folder);
        cases::of_run(&state, folder, self.fail_on == FailOn::Should, self.list_all)
    }
}

/// The folder of a run that no other process reads.
fn own_folder() -> PathBuf {
    let folder = Store::folder().unwrap_or_else(std::env::temp_dir);
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    folder.join(format!("{}.run", name.unwrap_or_else(|| "suite".to_owned())))
}

fn trial(case: Case, beforehand: bool) -> Trial {
    let Case { name, verdict } = case;
    match verdict {
        Verdict::Pass => Trial::test(name, || Ok(())),
        Verdict::Fail(text) => Trial::test(name, move || Err(Failed::from(text))),
        // Run all the same, it does not pass.
        Verdict::Ignored { reason, text } if beforehand => {
            Trial::test(name, move || Err(Failed::from(format!("{reason}\n{text}")))).with_ignored_flag(true)
        }
        Verdict::Ignored { reason, .. } => {
            Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
        }
    }
}
