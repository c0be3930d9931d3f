//! From the arguments to what the library is asked to do.

use super::args::{InspectArgs, ReachArgs, SelectArgs, SharedArgs, TargetArgs};
use super::failure::Failure;
use super::live;
use super::settings::SettingsTarget;
#[cfg(feature = "enterprise")]
use crate::check::TestIssuer;
use crate::check::{CheckConfig, FailOn, Stop, Target};
use crate::client::{Opening, Pace, Timeouts};
use crate::probes::{Properties, Settings};
use crate::protocol::catalogue::{RequirementSet, Selection};
use crate::wire::{
    Channel, ClientConfig, CommandLine, Event, Flow, HttpClient, HttpConfig, Limits, Observer, TargetSpec,
};
use std::path::PathBuf;
use std::sync::Arc;

/// The targets that were named, each with its name if it has one.
pub(super) fn targets(
    args: &TargetArgs,
    reach: &ReachArgs,
    shared: &SharedArgs,
    flags: &[String],
) -> Result<Vec<(Option<String>, Target)>, Failure> {
    let mut targets: Vec<(Option<String>, Target, Vec<String>)> = Vec::new();
    for text in &args.targets {
        if let Some(known) = args.settings.iter().find(|known| known.name.as_ref() == Some(text)) {
            let (target, words) = of_settings(known)?;
            targets.push((known.name.clone(), target, words));
            continue;
        }
        let (name, spec) = TargetSpec::parse_named(text).map_err(Failure::usage)?;
        if name.chars().all(|c| c == '.') || targets.iter().any(|(known, ..)| known.as_ref() == Some(&name)) {
            return Err(Failure::Usage(format!("`{name}` cannot be the name of a target, or of two")));
        }
        let target = Target::new(spec);
        let words = target.words().to_vec();
        targets.push((Some(name), target, words));
    }
    if targets.is_empty() && args.url.is_none() && args.command.is_empty() && args.config.is_none() {
        for known in &args.settings {
            let (target, words) = of_settings(known)?;
            targets.push((known.name.clone(), target, words));
        }
    }
    if targets.is_empty() {
        let (target, words) = single(args)?;
        targets.push((None, target, words));
    }
    let mut ready = Vec::new();
    for (name, mut target, words) in targets {
        reached(&mut target, reach)?;
        redacted(&mut target, shared, reach)?;
        target.named_by(flags.iter().cloned().chain(words).collect());
        ready.push((name, target));
    }
    Ok(ready)
}

/// The one target, and the words that name it.
fn single(args: &TargetArgs) -> Result<(Target, Vec<String>), Failure> {
    if let Some(path) = &args.config {
        let config = ClientConfig::read(path).map_err(Failure::usage)?;
        let environment = |name: &str| std::env::var(name).ok();
        let (name, spec) = config.target(args.server.as_deref(), &environment).map_err(Failure::usage)?;
        let words = ["--config".to_owned(), path.display().to_string(), "--server".to_owned(), name];
        return Ok((Target::new(spec), words.to_vec()));
    }
    if let Some(url) = &args.url {
        let spec = if url.contains("://") {
            TargetSpec::url(url).map_err(Failure::usage)?
        } else {
            // A command without the dashes before it, or an address without a scheme.
            return Err(match TargetSpec::parse(url) {
                Err(error) => Failure::usage(error),
                Ok(_) => Failure::Usage(format!("`{url}` is no URL; for a command write: -- {url}")),
            });
        };
        return started(spec, url, args.start.as_deref());
    }
    if !args.command.is_empty() {
        let command = CommandLine::new(args.command.iter().cloned()).map_err(Failure::usage)?;
        let mut target = Target::new(TargetSpec::Command(command));
        let mut words = Vec::new();
        if let Some(url) = &args.also {
            let TargetSpec::Http(http) = TargetSpec::url(url).map_err(Failure::usage)? else {
                return Err(Failure::Usage(format!("--also takes a URL, and `{url}` is none")));
            };
            target.also(http);
            words.extend(["--also".to_owned(), url.clone()]);
        }
        words.push("--".to_owned());
        words.extend(args.command.iter().cloned());
        return Ok((target, words));
    }
    if std::env::args_os().next_back().is_some_and(|word| word == "--") {
        // A variable that is empty must not make the check one of another server.
        let text = "there is no command after `--`; leave `--` out to check the embedded server";
        return Err(Failure::Usage(text.to_owned()));
    }
    let program = std::env::current_exe().map_err(Failure::bug)?;
    Ok((Target::embedded(program.to_string_lossy()), Vec::new()))
}

/// A target that is reached by a URL, after a command was started.
fn started(spec: TargetSpec, url: &str, start: Option<&str>) -> Result<(Target, Vec<String>), Failure> {
    let mut target = Target::new(spec);
    let mut words = Vec::new();
    if let Some(text) = start {
        let TargetSpec::Command(command) = TargetSpec::parse(text).map_err(Failure::usage)? else {
            return Err(Failure::Usage(format!("--start takes a command, and `{text}` is a URL")));
        };
        target.start(command);
        words.extend(["--start".to_owned(), text.to_owned()]);
    }
    words.push(url.to_owned());
    Ok((target, words))
}

/// A target of the settings.
fn of_settings(known: &SettingsTarget) -> Result<(Target, Vec<String>), Failure> {
    let spec = TargetSpec::parse(&known.spec).map_err(Failure::usage)?;
    if matches!(spec, TargetSpec::Http(_)) {
        return started(spec, &known.spec, known.start.as_deref());
    }
    if known.start.is_some() {
        return Err(Failure::Usage(format!(
            "`start` is for a server that is reached by a URL, not for `{}`",
            known.spec
        )));
    }
    let target = Target::new(spec);
    let words = target.words().to_vec();
    Ok((target, words))
}

/// Puts the flags about reaching a target into it; a flag that could do nothing is an error.
fn reached(target: &mut Target, reach: &ReachArgs) -> Result<(), Failure> {
    let what = if target.is_embedded() {
        "the embedded server"
    } else if target.is_http() {
        "a server that is reached by a URL"
    } else {
        "a STDIO server"
    };
    let useless = |flag: &str| Failure::Usage(format!("{flag} has no effect on {what}; leave it out"));
    let runs_command = target.command_mut().is_some();
    for pair in &reach.env {
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, _)| !name.is_empty() && !name.contains('\0'))
            .ok_or_else(|| Failure::Usage("--env takes NAME=VALUE".to_owned()))?;
        if !runs_command {
            return Err(useless("--env"));
        }
        target.env(name, value);
    }
    if let Some(cwd) = &reach.cwd {
        if !runs_command {
            return Err(useless("--cwd"));
        }
        if !cwd.is_dir() {
            return Err(Failure::Usage(format!("--cwd: `{}` is no folder", cwd.display())));
        }
        target.cwd(cwd.clone());
    }
    for line in &reach.header {
        let (name, value) = line
            .split_once(':')
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, value)| is_token(name) && !value.contains(['\r', '\n', '\0']))
            .ok_or_else(|| Failure::Usage("--header takes 'NAME: VALUE'".to_owned()))?;
        if !target.is_http() {
            return Err(useless("--header"));
        }
        target.header(name, value);
    }
    if let Some(variable) = &reach.bearer_env {
        let token = std::env::var(variable).map_err(|_| {
            Failure::Usage(format!("--bearer-env: the environment variable {variable} is not set"))
        })?;
        if !target.is_http() {
            return Err(useless("--bearer-env"));
        }
        if token.contains(['\r', '\n', '\0']) {
            return Err(Failure::Usage(format!("--bearer-env: the value of {variable} cannot be a header")));
        }
        target.header("Authorization", &format!("Bearer {token}"));
    }
    for pair in &reach.principal {
        let (name, variable) = pair
            .split_once('=')
            .filter(|(name, variable)| !name.is_empty() && !variable.is_empty())
            .ok_or_else(|| Failure::Usage("--principal takes NAME=VARIABLE".to_owned()))?;
        let token = std::env::var(variable).map_err(|_| {
            Failure::Usage(format!("--principal: the environment variable {variable} is not set"))
        })?;
        if !target.is_http() {
            return Err(useless("--principal"));
        }
        if token.is_empty() || token.contains(|c: char| !c.is_ascii_graphic()) {
            return Err(Failure::Usage(format!("--principal: the value of {variable} is no token")));
        }
        target.token(name, &token);
    }
    #[cfg(feature = "enterprise")]
    if let Some(address) = reach.trust_test_issuer {
        if !target.is_http() {
            return Err(useless("--trust-test-issuer"));
        }
        if !address.ip().is_loopback() || address.port() == 0 {
            let text = "--trust-test-issuer takes a loopback address with a port, such as 127.0.0.1:9400";
            return Err(Failure::Usage(text.to_owned()));
        }
        let scopes = reach.test_scopes.clone().unwrap_or_else(|| "mcp".to_owned());
        target.trust_test_issuer(TestIssuer { address, scopes, roles: reach.test_roles.clone() });
        let text = format!(
            "test tokens: issuer http://{address}, keys http://{address}/jwks, audience the URL of the target\n"
        );
        // A terminal that is gone does not end a run.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
    if reach.ca_cert.is_some() && !target.is_http() {
        return Err(useless("--ca-cert"));
    }
    if reach.sandbox {
        if !target.is_command() {
            return Err(useless("--sandbox"));
        }
        if let Some(command) = target.command_mut() {
            super::sandbox::wrap(command)?;
        }
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn redacted(target: &mut Target, shared: &SharedArgs, reach: &ReachArgs) -> Result<(), Failure> {
    for word in &shared.redact {
        let set = reach.env.iter().filter_map(|pair| pair.split_once('=')).find(|(name, _)| name == word);
        let of_variable = set.map(|(_, value)| value.to_owned()).or_else(|| std::env::var(word).ok());
        let of_header = reach
            .header
            .iter()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, _)| name.trim().eq_ignore_ascii_case(word));
        if is_token(word) {
            target.secret_header(word);
        }
        if let Some(value) = of_variable {
            target.secret(word, &value);
        } else if !of_header {
            if word.len() < 4 {
                return Err(Failure::Usage(
                    "--redact takes the name of a header or variable, or a value of at least four characters"
                        .to_owned(),
                ));
            }
            target.secret("redacted", word);
        }
    }
    Ok(())
}

/// The set of requirements that was asked for.
fn set(args: &SelectArgs) -> Result<RequirementSet, Failure> {
    args.requirements.as_deref().map_or_else(
        || Ok(RequirementSet::default()),
        |date| {
            RequirementSet::named(date).map_err(|error| Failure::Usage(format!("--requirements: {error}")))
        },
    )
}

/// The requirements to judge. `None`, with the reason, when nothing is left.
pub(super) fn selection(args: &SelectArgs) -> Result<(Selection, Option<String>), Failure> {
    let set = set(args)?;
    // That nothing matches is told by its own exit code; that one of several patterns matches nothing is a mistake.
    let mut strays = args.only.iter().filter_map(|pattern| Selection::parse(&[pattern]).err());
    if let Some(stray) = strays.next() {
        return if strays.count() + 1 == args.only.len() {
            Ok((Selection::none(), Some(format!("--only: {stray}"))))
        } else {
            Err(Failure::Usage(format!("--only: {stray}")))
        };
    }
    Selection::parse(&args.skip).map_err(|error| Failure::Usage(format!("--skip: {error}")))?;
    let mut selection = Selection::new(&args.only, &args.skip).map_err(Failure::usage)?;
    selection.restrict(&set);
    if let Some((part, of)) = args.shard {
        selection.shard(part, of);
    }
    let empty = selection
        .is_empty()
        .then(|| "--only, --skip, --requirements and --shard leave no requirement".to_owned());
    Ok((selection, empty))
}

/// The flags that a line needs to reproduce what was seen, without those that name requirement, revision and seed.
pub(super) fn flags(reach: &ReachArgs, select: &SelectArgs) -> Vec<String> {
    let mut words = Vec::new();
    let mut flag = |name: &str, value: Option<String>| {
        words.push(format!("--{name}"));
        words.extend(value);
    };
    if let Some(calls) = select.calls {
        let word = clap::ValueEnum::to_possible_value(&calls);
        flag("calls", word.map(|word| word.get_name().to_owned()));
    }
    for (name, patterns) in [("allow-tools", &select.allow_tools), ("deny-tools", &select.deny_tools)] {
        if !patterns.is_empty() {
            flag(name, Some(patterns.join(",")));
        }
    }
    let given = |duration: Option<std::time::Duration>, default: u64| {
        let default = std::time::Duration::from_secs(default);
        duration.filter(|d| *d != default).map(|d| d.as_secs_f64().to_string())
    };
    if let Some(cases) = select.properties {
        flag("properties", Some(cases.to_string()));
    }
    if let Some(date) = &select.requirements {
        flag("requirements", Some(date.clone()));
    }
    if let Some(seconds) = given(reach.timeout, 10) {
        flag("timeout", Some(seconds));
    }
    if let Some(seconds) = given(reach.startup_timeout, 60) {
        flag("startup-timeout", Some(seconds));
    }
    if let Some(rate) = reach.rate {
        flag("rate", Some(rate.to_string()));
    }
    for pair in &reach.env {
        flag("env", Some(pair.clone()));
    }
    if let Some(cwd) = &reach.cwd {
        flag("cwd", Some(cwd.display().to_string()));
    }
    for line in &reach.header {
        flag("header", Some(line.clone()));
    }
    if let Some(variable) = &reach.bearer_env {
        flag("bearer-env", Some(variable.clone()));
    }
    for pair in &reach.principal {
        flag("principal", Some(pair.clone()));
    }
    #[cfg(feature = "enterprise")]
    if let Some(address) = &reach.trust_test_issuer {
        flag("trust-test-issuer", Some(address.to_string()));
        if let Some(scopes) = reach.test_scopes.as_ref().filter(|scopes| *scopes != "mcp") {
            flag("test-scopes", Some(scopes.clone()));
        }
        if !reach.test_roles.is_empty() {
            flag("test-roles", Some(reach.test_roles.join(",")));
        }
    }
    if let Some(file) = &reach.ca_cert {
        flag("ca-cert", Some(file.display().to_string()));
    }
    if reach.sandbox {
        flag("sandbox", None);
    }
    words
}

/// What the library is asked to do. The bindings come when the target is up.
pub(super) fn config(
    target: &Target,
    verb: &str,
    reach: &ReachArgs,
    shared: &SharedArgs,
    select: &SelectArgs,
    stop: &Stop,
) -> Result<CheckConfig, Failure> {
    let timeouts = Timeouts::default();
    let http = HttpConfig { ca_certificates: reach.ca_cert.clone(), ..HttpConfig::default() };
    let limits = Limits::default();
    if target.is_http() {
        // Certificates that cannot be used are told now, not as a server that cannot be reached.
        HttpClient::new(http.clone(), limits.clone(), Arc::new(Nobody)).map_err(Failure::usage)?;
    }
    let redactor = target.redactor();
    Ok(CheckConfig {
        bindings: Vec::new(),
        target: target.info(),
        opening: Opening {
            limits,
            timeouts: Timeouts {
                request: reach.timeout.unwrap_or(timeouts.request),
                startup: reach.startup_timeout.unwrap_or(timeouts.startup),
                ..timeouts
            },
            headers: target.headers(),
            http,
            pace: reach.rate.and_then(Pace::per_second).map(Arc::new),
        },
        selection: Selection::all(),
        revisions: shared.revision.clone(),
        settings: Settings {
            safety: select.safety(target.is_embedded()),
            seed: select.seed.unwrap_or(1),
            credentials: target.credentials(),
            properties: Arc::new(Properties::with(select.properties)),
            elsewhere: None,
        },
        parallel: target.parallel(),
        command: verb.to_owned(),
        command_line: std::env::args_os().map(|word| redactor.clean(&word.to_string_lossy())).collect(),
        reproduce_target: target.reproduce(),
        transcripts: None,
        secrets: target.secrets(),
        watcher: shared.verbose.then(live::watcher),
        fail_on: FailOn::default(),
        accepted: None,
        set: set(select)?,
        stop: stop.clone(),
    })
}

/// What `inspect` asks of the library.
pub(super) fn inspection(args: &InspectArgs, stop: &Stop) -> Result<(Target, CheckConfig), Failure> {
    let mut targets = targets(&args.target, &args.reach, &args.shared, &[])?;
    let (Some((_, target)), true) = (targets.pop(), targets.is_empty()) else {
        return Err(Failure::Usage("inspect looks at one target; give --target once".to_owned()));
    };
    let config = config(&target, "inspect", &args.reach, &args.shared, &SelectArgs::default(), stop)?;
    Ok((target, config))
}

/// The folder of a target's run.
pub(super) fn folder(out: Option<&PathBuf>, name: Option<&str>) -> PathBuf {
    let folder = out.cloned().unwrap_or_else(super::out::default_folder);
    match name {
        Some(name) => folder.join(name),
        None => folder,
    }
}

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: Channel, _: Event) -> Flow {
        Flow::Continue
    }
}
