//! `mcprove.toml`: what a project's checks have in common: targets, defaults of flags, the baseline.

use super::args::{CheckArgs, Cli, Verb};
use super::failure::Failure;
use crate::baseline::line_of;
use crate::transcript::Rule;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory as _, Parser as _};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::{Spanned, Value};

/// The file that is looked for in the working folder.
const FILE: &str = "mcprove.toml";

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Flags that a file cannot set: they name a target, or belong to one call.
const NOT_HERE: [&str; 9] =
    ["settings", "update-baseline", "help", "config", "server", "target", "start", "targets", "rules"];

/// What the file says and no flag does.
const OWN: [&str; 4] = ["target", "start", "targets", "rules"];

/// Flags whose value is a path; one that is relative begins at the file's folder.
const PATHS: [&str; 4] = ["baseline", "ca-cert", "cwd", "out"];

/// A target of the file.
#[derive(Debug, Clone)]
pub(super) struct SettingsTarget {
    /// Its name; `None` for the only one.
    pub(super) name: Option<String>,
    /// A URL or a shell-quoted command.
    pub(super) spec: String,
    /// What is started first, for a URL.
    pub(super) start: Option<String>,
    /// The defects that are known of it.
    pub(super) baseline: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    target: Spanned<String>,
    start: Option<String>,
    baseline: Option<PathBuf>,
}

/// What is no flag; the others are read apart, each with its place.
#[derive(Deserialize)]
struct RawFile {
    target: Option<Spanned<String>>,
    start: Option<Spanned<String>>,
    #[serde(default)]
    targets: BTreeMap<String, RawTarget>,
    /// What may differ in a replay.
    #[serde(default)]
    rules: Vec<Spanned<Rule>>,
}

/// The file that is named, or that lies in the working folder.
fn file(named: Option<&Path>) -> Option<PathBuf> {
    let found = Path::new(FILE);
    named.or_else(|| found.is_file().then_some(found)).map(Path::to_owned)
}

/// What the file says, if there is one.
fn text(file: &Path, named: bool) -> Result<String, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| refused(&error))?.len();
    if size > LARGEST {
        return Err(refused(&"too large for a file of settings"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
    if !named {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "mcprove: with the settings of {FILE}");
    }
    Ok(text)
}

/// What a replay takes from the file: targets, and rules.
pub(super) fn of_replay(named: Option<&Path>) -> Result<(Vec<SettingsTarget>, Vec<Rule>), Failure> {
    let Some(file) = file(named) else { return Ok((Vec::new(), Vec::new())) };
    let text = text(&file, named.is_some())?;
    let settings = Settings { file: &file, text: &text };
    let (_, targets) = settings.read(&BTreeSet::new())?;
    Ok((targets, settings.rules()?))
}

/// The arguments of `check` with what the file says in place of flags that were not given.
pub(super) fn applied(args: &CheckArgs) -> Result<CheckArgs, Failure> {
    let Some(file) = file(args.settings.as_deref()) else { return Ok(args.clone()) };
    let file = file.as_path();
    let text = text(file, args.settings.is_some())?;
    let given = given();
    let (words, targets) = Settings { file, text: &text }.read(&given)?;
    let mut line: Vec<OsString> = std::env::args_os().collect();
    let rest = line.split_off(line.len().min(2));
    let program = line.first().cloned().unwrap_or_default();
    let mut all = vec![program, "check".into()];
    all.extend(words.into_iter().map(OsString::from));
    all.extend(rest);
    let cli = Cli::try_parse_from(all).map_err(|error| {
        // Each is good for itself, so one of the file does not go with one of the command line.
        Failure::Usage(format!("with the settings of {}: {}", file.display(), short(&error)))
    })?;
    match cli.verb {
        Some(Verb::Check(mut args)) => {
            args.target.settings = targets;
            Ok(*args)
        }
        _ => Err(Failure::bug("the arguments of check are those of another verb")),
    }
}

/// The flags that stand on the command line.
fn given() -> BTreeSet<String> {
    let matches = Cli::command().try_get_matches_from(std::env::args_os());
    let of_verb = |matches: &ArgMatches| {
        let verb = matches.subcommand_matches("check")?;
        let command = check();
        let on_line = command.get_arguments().filter(|arg| {
            let id = arg.get_id().as_str();
            verb.value_source(id) == Some(ValueSource::CommandLine)
        });
        Some(on_line.filter_map(|arg| arg.get_long().map(str::to_owned)).collect())
    };
    matches.ok().as_ref().and_then(of_verb).unwrap_or_default()
}

fn check() -> clap::Command {
    let command = Cli::command();
    command.find_subcommand("check").cloned().unwrap_or_default()
}

/// What clap says, in one line.
fn short(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

struct Settings<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Settings<'_> {
    fn wrong(&self, at: usize, problem: impl std::fmt::Display) -> Failure {
        Failure::Usage(format!("{}:{}: {problem}", self.file.display(), line_of(self.text, at)))
    }

    /// A path as it is meant: from the file's folder.
    fn path(&self, path: PathBuf) -> PathBuf {
        match self.file.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path,
        }
    }

    /// The words for flags that were not given, and the targets.
    fn read(&self, given: &BTreeSet<String>) -> Result<(Vec<String>, Vec<SettingsTarget>), Failure> {
        let wrong =
            |error: toml::de::Error| self.wrong(error.span().map_or(0, |span| span.start), error.message());
        let raw: RawFile = toml::from_str(self.text).map_err(wrong)?;
        let flags: BTreeMap<String, Spanned<Value>> = toml::from_str(self.text).map_err(wrong)?;
        let mut words = Vec::new();
        for (name, value) in flags.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            let of_flag = self.flag(name, value)?;
            let line = ["mcprove", "check"].map(str::to_owned).into_iter().chain(of_flag.iter().cloned());
            Cli::try_parse_from(line).map_err(|error| self.wrong(value.span().start, short(&error)))?;
            if !given.contains(name) {
                words.extend(of_flag);
            }
        }
        self.rules()?;
        Ok((words, self.targets(raw)?))
    }

    /// The rules, each of which can be used.
    fn rules(&self) -> Result<Vec<Rule>, Failure> {
        let wrong =
            |error: toml::de::Error| self.wrong(error.span().map_or(0, |span| span.start), error.message());
        let raw: RawFile = toml::from_str(self.text).map_err(wrong)?;
        let checked = raw.rules.into_iter().map(|rule| {
            rule.get_ref().check().map_err(|error| self.wrong(rule.span().start, error))?;
            Ok(rule.into_inner())
        });
        checked.collect()
    }

    /// A setting as it would stand on the command line.
    fn flag(&self, name: &str, value: &Spanned<Value>) -> Result<Vec<String>, Failure> {
        let at = value.span().start;
        let command = check();
        let known = |name: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name));
            arg.filter(|_| !NOT_HERE.contains(&name))
        };
        let Some(arg) = known(name) else {
            let names =
                command.get_arguments().filter_map(clap::Arg::get_long).filter(|n| known(n).is_some());
            let names: Vec<&str> = names.collect();
            let problem = format!(
                "there is no setting `{name}`; there are target, start, targets, rules, {}",
                names.join(", ")
            );
            return Err(self.wrong(at, problem));
        };
        if let (ArgAction::SetTrue, value) = (arg.get_action(), value.get_ref()) {
            return match value {
                Value::Boolean(true) => Ok(vec![format!("--{name}")]),
                Value::Boolean(false) => Ok(Vec::new()),
                _ => Err(self.wrong(at, format!("`{name}` is true or false"))),
            };
        }
        let word = |value: &Value| {
            let text = match value {
                Value::String(text) if PATHS.contains(&name) => self.path(text.into()).display().to_string(),
                Value::String(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                Value::Datetime(date) => date.to_string(),
                _ => return Err(self.wrong(at, format!("`{name}` takes a text or a number"))),
            };
            Ok(format!("--{name}={text}"))
        };
        match (value.get_ref(), arg.get_action()) {
            (Value::Array(values), ArgAction::Append) => values.iter().map(word).collect(),
            (one, _) => Ok(vec![word(one)?]),
        }
    }

    fn targets(&self, raw: RawFile) -> Result<Vec<SettingsTarget>, Failure> {
        if let (Some(one), false) = (&raw.target, raw.targets.is_empty()) {
            return Err(self.wrong(one.span().start, "either `target` or tables below `targets`"));
        }
        if let (Some(start), None) = (&raw.start, &raw.target) {
            return Err(self.wrong(start.span().start, "`start` belongs to a `target` that is a URL"));
        }
        let one = raw.target.map(|spec| SettingsTarget {
            name: None,
            spec: spec.into_inner(),
            start: raw.start.map(Spanned::into_inner),
            baseline: None,
        });
        let several = raw.targets.into_iter().map(|(name, raw)| SettingsTarget {
            name: Some(name),
            spec: raw.target.into_inner(),
            start: raw.start,
            baseline: raw.baseline.map(|path| self.path(path)),
        });
        Ok(one.into_iter().chain(several).collect())
    }
}
