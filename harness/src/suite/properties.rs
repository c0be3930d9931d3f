//! Properties as tests, one a property × tool or prompt, drawn and made small by the crate `proptest`.

use super::run::SuiteError;
use super::{conversations, environment};
use crate::check::{FailOn, Target, newest};
use crate::client::{Handshake, Opener, Opening, RecorderSource, Timeouts};
use crate::probes::{Calls, Safety};
use crate::properties::{
    AGAIN, ANSWERED, Case, ECHO, MISS_ERROR, OUTPUT, Plan, REFUSED, SPELLING, Shown, Stand, Subject, Tried,
    Tries, Turn, What,
};
use crate::protocol::Revision;
use crate::report::visible;
use crate::strategies::cases;
use crate::transcript::{About, Budget, Recorder, Redactor};
use crate::wire::{HttpConfig, Limits, TargetSpec};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use serde_json::Value;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Cases of one property and one subject, where `PROPTEST_CASES` does not say.
const CASES: u32 = 64;
/// Whole conversations, where it does not say.
const CONVERSATIONS: u32 = 24;
/// How often a failing case is tried to be made smaller, and for how many milliseconds.
const SMALLER: (u32, u32) = (2000, 30_000);
/// How often it may be that nothing can be said about a case.
const UNDECIDED: u32 = 64;
/// Columns of what is quoted of an answer.
const WIDTH: usize = 400;

/// A property as a test.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Its requirement.
    id: &'static str,
    /// Which cases are drawn.
    turns: &'static [Turn],
    /// Whether it is a matter of quality only, and a warning at most.
    quality: bool,
}

const KINDS: [Kind; 7] = [
    Kind {
        id: ANSWERED,
        turns: &[Turn::Valid, Turn::Edge, Turn::Valid, Turn::Sequence, Turn::Edge, Turn::Together],
        quality: false,
    },
    Kind { id: OUTPUT, turns: &[Turn::Valid, Turn::Edge], quality: false },
    Kind { id: SPELLING, turns: &[Turn::Spelled], quality: false },
    // That it is refused is a matter of quality, that the server lives on is not.
    Kind { id: REFUSED, turns: &[Turn::Miss], quality: false },
    Kind { id: MISS_ERROR, turns: &[Turn::Miss], quality: true },
    Kind { id: AGAIN, turns: &[Turn::Again], quality: true },
    Kind { id: ECHO, turns: &[Turn::Echo], quality: true },
];

/// The properties of a server as tests.
///
/// Every property of `check --properties` that one case can show is a test for every tool and prompt, named
/// `PROPERTY::REVISION::TRANSPORT::NAME`. A failing test shows the smallest calls that break it, and proptest keeps their
/// seed in a file that every later run tries first.
///
/// Whole conversations are a test more: requests that are cancelled, repeated, sent at once or cut off, over connections
/// that come and go, must not keep others from being answered.
///
/// `property.past.ignored` and `property.revisions.agree` compare whole conversations: `check --properties` tries them.
#[derive(Debug, Clone)]
pub struct Properties {
    target: Target,
    calls: Calls,
    fail_on: FailOn,
    revisions: Vec<Revision>,
    /// Where failing cases are kept; nowhere if `None`.
    regressions: Option<PathBuf>,
    /// Requirements that are known to be broken.
    known: Vec<String>,
}

/// The whole of a test binary (with `harness = false`): the properties of a server as tests, drawn and made small by the
/// crate `proptest`. The target is a URL or a shell-quoted command, and what is written there may be overruled by the
/// variables of [`suite::main`](crate::suite::main). Seeds of failing cases are kept in
/// `proptest-regressions/` of the package: add the file to its repository. `PROPTEST_CASES` says how many cases each
/// test tries.
///
/// ```text
/// // tests/properties.rs
/// mcprove::properties!(env!("CARGO_BIN_EXE_my-server"));
/// ```
///
/// `known: ["base.response.always-sent"]` after the target leaves out the tests of what is known to be broken.
#[macro_export]
macro_rules! properties {
    ($target:expr $(, known: [$($known:expr),* $(,)?])? $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            let package = ::std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let file = ::std::path::Path::new(file!()).with_extension("txt");
            let name = file.file_name().unwrap_or_default();
            let file = package.join("proptest-regressions").join(name);
            $crate::suite::Properties::run_or_explain(
                $crate::suite::Properties::new($target)
                    .map(|properties| properties.regressions(file).known(&[$($($known),*)?]))
                    .and_then($crate::suite::Properties::environment),
            )
        }
    };
}

/// A server that is up, how it is spoken to, and what it says of itself.
pub(super) struct Reached {
    pub(super) opener: Opener,
    pub(super) revision: Revision,
    pub(super) capabilities: Value,
    pub(super) tools: Vec<Value>,
    pub(super) prompts: Vec<Value>,
    pub(super) resources: Vec<Value>,
}

/// Nothing of a conversation is kept in files.
struct Unwritten(Redactor);

impl RecorderSource for Unwritten {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        Arc::new(Recorder::new(about, None, self.0.clone(), Budget::default(), None))
    }
}

impl Properties {
    /// The properties of a target: a URL or a shell-quoted command.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(target: &str) -> Result<Self, SuiteError> {
        Ok(Self {
            target: Target::new(TargetSpec::parse(target)?),
            calls: Calls::ReadOnly,
            fail_on: FailOn::Must,
            revisions: Vec::new(),
            regressions: None,
            known: Vec::new(),
        })
    }

    /// Which tools may be called; only those that say `readOnlyHint: true` if not told otherwise.
    #[must_use]
    pub fn calls(mut self, calls: Calls) -> Self {
        self.calls = calls;
        self
    }

    /// What fails a test; a MUST if not told otherwise.
    #[must_use]
    pub fn fail_on(mut self, fail_on: FailOn) -> Self {
        self.fail_on = fail_on;
        self
    }

    /// Of which revisions the newest that is spoken is tested; of all if not told otherwise.
    #[must_use]
    pub fn revisions(mut self, revisions: &[Revision]) -> Self {
        self.revisions = revisions.to_vec();
        self
    }

    /// The file in which the seeds of failing cases are kept.
    #[must_use]
    pub fn regressions(mut self, file: impl Into<PathBuf>) -> Self {
        self.regressions = Some(file.into());
        self
    }

    /// Requirements that are known to be broken: their tests are ignored, and say so.
    #[must_use]
    pub fn known(mut self, ids: &[&str]) -> Self {
        self.known = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    /// A test, or one that is ignored where its requirement is known to be broken.
    fn trial(
        &self,
        id: &str,
        place: &str,
        test: impl FnOnce() -> Result<Completion, Failed> + Send + 'static,
    ) -> Trial {
        let name = format!("{id}::{place}");
        if self.known.iter().any(|known| known == id) {
            return Trial::ignorable_test(name, || Ok(Completion::ignored_with("it is known to be broken")));
        }
        Trial::ignorable_test(name, test)
    }

    /// Takes over what the environment says, see [`main`](crate::suite::main).
    ///
    /// # Errors
    /// When a variable has a value that is not known.
    pub fn environment(mut self) -> Result<Self, SuiteError> {
        if let Some(target) = environment::target() {
            self.target = Target::new(TargetSpec::parse(&target)?);
        }
        self.calls = environment::calls()?.unwrap_or(self.calls);
        self.fail_on = environment::fail_on()?.unwrap_or(self.fail_on);
        Ok(self)
    }

    /// Runs the tests, or says why there are none: exit code 2.
    pub fn run_or_explain(properties: Result<Self, SuiteError>) -> ExitCode {
        match properties {
            Ok(properties) => properties.run(),
            Err(error) => {
                eprintln!("mcprove: {error}");
                ExitCode::from(2)
            }
        }
    }

    /// Lists or runs the tests, as the arguments of this process say.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("mcprove: cannot start: {error}");
                return ExitCode::from(101);
            }
        };
        let runtime = Arc::new(runtime);
        let up = runtime.block_on(self.target.up(Timeouts::default().startup));
        let (trials, up) = match up {
            Ok(up) => {
                let trials = up.bindings.iter().flat_map(|binding| {
                    let (redactor, display) = (self.redactor(), self.target.info().display);
                    let permits = Arc::new(Semaphore::new(self.target.parallel() * KINDS.len()));
                    let source = Arc::new(Unwritten(redactor));
                    let opening = self.opening();
                    let opener =
                        Opener::new(binding.clone(), opening, display, source, permits, Arc::default());
                    self.trials(opener, &runtime)
                });
                (trials.collect(), Some(up))
            }
            Err(error) => (vec![unreachable(error.message)], None),
        };
        let conclusion = libtest_mimic::run(&arguments, trials);
        if let Some(up) = up {
            runtime.block_on(up.stop());
        }
        conclusion.exit_code()
    }

    fn redactor(&self) -> Redactor {
        let (secrets, headers) = self.target.secrets();
        Redactor::new(secrets, &headers)
    }

    fn opening(&self) -> Opening {
        Opening {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            headers: self.target.headers(),
            http: HttpConfig::default(),
            pace: None,
        }
    }

    /// The tests over one transport.
    fn trials(&self, opener: Opener, runtime: &Arc<Runtime>) -> Vec<Trial> {
        let reached = runtime.block_on(async {
            let (opener, revision) = newest(opener, &self.revisions).await?;
            let stand = Stand { opener: &opener, revision };
            let mut opened = stand.open().await.ok_or("no second conversation could be begun")?;
            let tools = stand.listed(&mut opened.talk, "tools/list", "tools").await;
            let prompts = stand.listed(&mut opened.talk, "prompts/list", "prompts").await;
            let resources = stand.listed(&mut opened.talk, "resources/list", "resources").await;
            if opened.talk.handshake().is_none() {
                opened.talk.discover(revision.as_str()).await;
            }
            let capabilities =
                opened.talk.handshake().map(Handshake::capabilities).cloned().unwrap_or_default();
            opened.close().await;
            Ok::<_, String>(Reached { opener, revision, capabilities, tools, prompts, resources })
        });
        let reached = match reached {
            Ok(reached) => Arc::new(reached),
            Err(why) => return vec![unreachable(why)],
        };
        let place = format!("{}::{}", reached.revision, reached.opener.binding().transport());
        let safety = Safety { calls: self.calls, ..Safety::default() };
        let mut trials = Vec::new();
        {
            let (reached, runtime, safety) = (Arc::clone(&reached), Arc::clone(runtime), safety.clone());
            let config = config(CONVERSATIONS, self.regressions.as_deref());
            trials.push(self.trial(conversations::ID, &format!("{place}::conversations"), move || {
                conversations::run(&reached, &runtime, &safety, config)
            }));
        }
        let count = reached.tools.len() + reached.prompts.len();
        if count == 0 {
            let name = format!("property::{place}");
            let why = "the server lists no tool and no prompt";
            trials.push(Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why))));
        }
        for at in 0..count {
            for kind in KINDS {
                let test = Test {
                    reached: Arc::clone(&reached),
                    runtime: Arc::clone(runtime),
                    at,
                    kind,
                    fail_on: self.fail_on,
                    safety: safety.clone(),
                    regressions: self.regressions.clone(),
                };
                let place = format!("{place}::{}", visible(test.name(), WIDTH));
                trials.push(self.trial(kind.id, &place, move || test.run()));
            }
        }
        trials
    }
}

fn unreachable(why: String) -> Trial {
    Trial::test("target.answers", move || Err(Failed::from(why)))
}

/// One property of one tool or prompt.
struct Test {
    reached: Arc<Reached>,
    runtime: Arc<Runtime>,
    at: usize,
    kind: Kind,
    fail_on: FailOn,
    safety: Safety,
    regressions: Option<PathBuf>,
}

impl Test {
    /// What the server lists: tools, then prompts.
    fn entry(&self) -> (What, &Value) {
        let Reached { tools, prompts, .. } = &*self.reached;
        match tools.get(self.at) {
            Some(tool) => (What::Tool, tool),
            None => (What::Prompt, &prompts[self.at - tools.len()]),
        }
    }

    fn name(&self) -> &str {
        self.entry().1.get("name").and_then(Value::as_str).unwrap_or("(without a name)")
    }

    /// The one that is tried, and those that may be called beside it; the reason where there is nothing to try.
    fn subjects(&self) -> Result<Vec<Subject>, String> {
        let (what, entry) = self.entry();
        let own = match what {
            What::Tool => {
                self.safety.may_call(entry).map_err(|why| format!("{}; or MCPROVE_CALLS=all", why.text))?;
                Subject::of_tool(entry)
            }
            What::Prompt => Subject::of_prompt(entry),
        };
        let own = own.map_err(|error| format!("its schema cannot be worked with: {error}"))?;
        let own = own.ok_or("it has no name")?;
        if self.kind.id == OUTPUT && entry.get("outputSchema").is_none() {
            return Err("it has no `outputSchema`".to_owned());
        }
        if self.kind.quality && self.fail_on == FailOn::Must {
            return Err("it is a warning at most: MCPROVE_FAIL_ON=should".to_owned());
        }
        let others = self.reached.tools.iter().filter(|tool| *tool != entry);
        let others = others.filter(|tool| self.safety.may_call(tool).is_ok());
        let others = others.filter_map(|tool| Subject::of_tool(tool).ok().flatten());
        Ok(std::iter::once(own).chain(others).collect())
    }

    /// Whether what was shown is what this test is about.
    fn is_about(&self, shown: &Shown) -> bool {
        let own = shown.property == self.kind.id;
        own && (!shown.quality || self.fail_on == FailOn::Should)
    }

    fn run(&self) -> Result<Completion, Failed> {
        let (mut subjects, drawn) = match (self.subjects(), self.subjects()) {
            (Ok(subjects), Ok(drawn)) => (subjects, drawn),
            (Err(why), _) | (_, Err(why)) => return Ok(Completion::ignored_with(why)),
        };
        let names: Vec<String> = subjects.iter().map(|subject| subject.name.clone()).collect();
        let strategy = match cases(drawn, 0, self.kind.turns) {
            Ok(strategy) => strategy,
            Err(why) => return Ok(Completion::ignored_with(why)),
        };
        let stand = Stand { opener: &self.reached.opener, revision: self.reached.revision };
        let plan = Plan { patience: Duration::from_secs(5), ..Plan::default() };
        let tries = RefCell::new(Tries::new(stand, &mut subjects, &plan));
        // What was shown first, and what the smallest case showed: only what is like the first is the same failure.
        let (first, last) = (RefCell::<Option<Shown>>::default(), RefCell::<Option<Shown>>::default());
        let ran = TestRunner::new(config(CASES, self.regressions.as_deref())).run(&strategy, |case| {
            match self.runtime.block_on(tries.borrow_mut().one(&case)) {
                Err(gone) => Err(TestCaseError::fail(gone.to_string())),
                Ok(Tried::Shown(shown)) if self.is_about(&shown) => {
                    let wanted = first.borrow().as_ref().is_none_or(|first| first.is_like(&shown));
                    if !wanted {
                        return Ok(());
                    }
                    let message = shown.message.clone();
                    first.borrow_mut().get_or_insert_with(|| shown.clone());
                    *last.borrow_mut() = Some(shown);
                    Err(TestCaseError::fail(message))
                }
                Ok(Tried::Held | Tried::Shown(_)) => Ok(()),
                // A smaller case of which nothing can be said is no failure.
                Ok(Tried::Undecided) if first.borrow().is_some() => Ok(()),
                Ok(Tried::Undecided) => Err(TestCaseError::reject("nothing can be said about the answers")),
            }
        });
        self.runtime.block_on(tries.into_inner().end());
        match ran {
            Ok(()) => Ok(Completion::Completed),
            Err(TestError::Fail(reason, case)) => {
                let reason = reason.message().to_owned();
                Err(Failed::from(self.told(&names, last.into_inner().as_ref(), &reason, &case)))
            }
            Err(TestError::Abort(reason)) => {
                Ok(Completion::ignored_with(format!("nothing was decided: {reason}")))
            }
        }
    }

    /// The text of a failure.
    fn told(&self, names: &[String], shown: Option<&Shown>, reason: &str, case: &Case) -> String {
        let mut text = format!("{}\n\n    the smallest calls that show it\n", visible(reason, WIDTH));
        for call in &case.calls {
            let name = names.get(call.subject).map_or("?", String::as_str);
            let arguments = call.arguments.to_string();
            let _ = writeln!(text, "        {} {}", visible(name, WIDTH), visible(&arguments, WIDTH * 4));
        }
        if let Some(shown) = shown {
            let _ = writeln!(text, "    expected    {}", shown.expected.join(", or "));
            let _ = writeln!(text, "    came        {}", visible(&shown.actual, WIDTH));
            let _ = writeln!(text, "    requirement {}", shown.requirement);
        }
        if let Some(file) = &self.regressions {
            let _ = writeln!(text, "    kept in     {}", file.display());
        }
        text
    }
}

/// So many cases, where the environment does not say; the seeds of failing ones are kept in the file.
fn config(cases: u32, regressions: Option<&Path>) -> Config {
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config.max_global_rejects = UNDECIDED.max(config.cases);
    (config.max_shrink_iters, config.max_shrink_time) = SMALLER;
    config.failure_persistence = regressions.map(kept_in);
    config
}

/// The file as proptest wants it: for as long as the process lives. There is one for each test that runs.
fn kept_in(file: &Path) -> Box<dyn proptest::test_runner::FailurePersistence> {
    let file: &'static str = Box::leak(file.display().to_string().into_boxed_str());
    Box::new(FileFailurePersistence::Direct(file))
}
