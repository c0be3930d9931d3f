//! The grammar of the command line, and the flags that verbs share.

use super::minimize_args::MinimizeArgs;
use super::settings::SettingsTarget;
use super::transcript_args::{RecordArgs, ReplayArgs, TranscriptArgs};
use crate::check::FailOn;
use crate::probes::{Calls, Safety};
use crate::protocol::Revision;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Tests servers of the Model Context Protocol: any server, in any language, over STDIO or HTTP.
///
/// Without a verb, the embedded reference server is checked.
#[derive(Debug, Parser)]
#[command(name = "mcprove", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    no `fail` (see --fail-on) outside the baseline
  1    there is one, or the baseline has to be mended
  2    wrong usage or configuration: an unknown flag, pattern, file or name
  3    no valid MCP answer ever came from the target
  4    the selection matched nothing: --only, --skip, --shard and --revision leave no result
  70   a bug in mcprove
  130  interrupted by Ctrl-C; 143 by SIGTERM; the report is still written, and both win over 1";

const REPLAY_EXIT_CODES: &str = "\
Exit codes:
  0    no difference
  1    there is one
  2    wrong usage: an unknown flag, a recording that cannot be replayed, a secret that is missing
  3    no message ever came from the target
  70   a bug in mcprove
  130  interrupted by Ctrl-C; 143 by SIGTERM";

const MINIMIZE_EXIT_CODES: &str = "\
Exit codes:
  0    it was made smaller, or is as small as it can be
  1    it does not fail when it is replayed
  2    wrong usage: an unknown flag, a recording that cannot be replayed, no such finding
  3    no message ever came from the target
  70   a bug in mcprove
  130  interrupted by Ctrl-C; 143 by SIGTERM";

const KILL_EXIT_CODES: &str = "\
Exit codes:
  0    every fault that is decided was seen, and nothing else
  1    one was missed, or something else was found
  2    wrong usage: an unknown flag or fault
  70   a bug in mcprove
  130  interrupted by Ctrl-C; 143 by SIGTERM; what was known by then is printed";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check that a server does what the protocol says.
    #[command(after_help = EXIT_CODES)]
    Check(Box<CheckArgs>),
    /// Show what a server is and offers; nothing is called or judged.
    Inspect(Box<InspectArgs>),
    /// Serve as the reference server, or as a recorded one (--from); over stdio unless --http is given.
    Serve(ServeArgs),
    /// Check the reference server once with each of its faults: is every fault seen, and nothing else?
    #[command(after_help = KILL_EXIT_CODES)]
    KillMatrix(KillMatrixArgs),
    /// List what mcprove knows: requirements, monitors, probes, faults.
    List(ListArgs),
    /// Explain a requirement: what it says, where it stands, how it is tested.
    Explain(ExplainArgs),
    /// Draw the report of a stored run again.
    Report(ReportArgs),
    /// Stand between a client and a server, change nothing, and record what crosses.
    ///
    /// In a client's configuration, `mcprove record --out FILE -- CMD…` takes the place of the server's command. For a
    /// server over HTTP, clients call the address of `--listen` instead of the server's. What the client got wrong and
    /// what the server got wrong is told on standard error when it is over. The exit code is that of the server.
    Record(RecordArgs),
    /// Play the client's part of a recording to a server, and compare what comes back.
    ///
    /// A message waits for what it waited for in the recording. Values that the server mints and the client sends back are
    /// those of now. What may differ stands as rules in the header of the recording (`mcprove transcript learn`) or in the
    /// settings.
    #[command(after_help = REPLAY_EXIT_CODES)]
    Replay(Box<ReplayArgs>),
    /// Make a failing conversation as small as it can be while it still fails.
    ///
    /// The client's part of the recording is replayed against the target again and again, each time against a process that
    /// was started afresh: with fewer messages, then with fewer members, shorter texts and smaller numbers in them. What
    /// the monitors find wrong in the answers decides.
    #[command(after_help = MINIMIZE_EXIT_CODES)]
    Minimize(Box<MinimizeArgs>),
    /// Work with recorded conversations: show, check, redact, diff, learn, review, export, import.
    Transcript(TranscriptArgs),
}

/// Flags of `check`.
#[derive(Debug, Args, Default, Clone)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// What makes the exit code 1.
    #[arg(long, value_enum, default_value_t)]
    pub(super) fail_on: FailOnArg,
    /// The defects that are known, in a TOML file: they are shown as known and do not count. An entry that no longer
    /// happens, covers too much, has expired or has no reason makes the exit code 1.
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Write the baseline anew to fit this run; new entries wait for a reason.
    #[arg(long)]
    pub(super) update_baseline: bool,
    /// A file with targets and the defaults of flags; `mcprove.toml` in the working folder if there is one.
    #[arg(long, value_name = "FILE")]
    pub(super) settings: Option<PathBuf>,
    /// Where the run is written: `reports/latest` in mcprove's own repository, else `.mcprove/latest`. With --target,
    /// each run gets a folder of its name in it.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// Flags of `inspect`.
#[derive(Debug, Args, Default)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
}

/// What is tested. Nothing at all: the embedded reference server.
#[derive(Debug, Args, Default, Clone)]
#[command(next_help_heading = "Target (the embedded reference server if there is none)")]
pub(super) struct TargetArgs {
    /// URL of an MCP endpoint, `http://…` or `https://…`.
    #[arg(value_name = "URL", conflicts_with_all = ["command", "config", "targets"])]
    pub(super) url: Option<String>,
    /// Command of a STDIO server, after `--`.
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["config", "targets"])]
    pub(super) command: Vec<String>,
    /// The same server over HTTP, which runs already: both transports are checked, and compared with --properties.
    #[arg(long, value_name = "URL", requires = "command")]
    pub(super) also: Option<String>,
    /// A server of an MCP client's configuration, such as `claude_desktop_config.json` or `.vscode/mcp.json`.
    #[arg(long, value_name = "FILE", conflicts_with = "targets")]
    pub(super) config: Option<PathBuf>,
    /// Which server of the configuration; needed if it has several.
    #[arg(long, value_name = "NAME", requires = "config")]
    pub(super) server: Option<String>,
    /// A target with a name, a URL or a shell-quoted command; repeatable, one run after the other. Without `=`, one of
    /// the settings.
    #[arg(long = "target", value_name = "NAME=SPEC")]
    pub(super) targets: Vec<String>,
    /// The targets of the settings, for where the command line names none.
    #[arg(skip)]
    pub(super) settings: Vec<SettingsTarget>,
    /// Start this (shell-quoted) command first, and end it at last; for servers that are reached by a URL.
    #[arg(long, value_name = "CMD", requires = "url")]
    pub(super) start: Option<String>,
}

/// How the target is run and reached.
#[derive(Debug, Args, Default, Clone)]
#[command(next_help_heading = "Reaching it")]
pub(super) struct ReachArgs {
    /// Set a variable in the environment of the server's process.
    #[arg(long, value_name = "K=V")]
    pub(super) env: Vec<String>,
    /// Run the server's process in this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
    /// Send a header with every HTTP request.
    #[arg(long, value_name = "K: V")]
    pub(super) header: Vec<String>,
    /// Send `Authorization: Bearer` with the value of this environment variable.
    #[arg(long, value_name = "VAR")]
    pub(super) bearer_env: Option<String>,
    /// A further token, by the environment variable that has it: that of another principal; or with the name low-scope,
    /// expired or other-audience, one that is so.
    #[arg(long, value_name = "NAME=VAR")]
    pub(super) principal: Vec<String>,
    /// Issue test tokens at this loopback address, good ones and bad ones, for a server that trusts `http://ADDR`; its keys
    /// are at `http://ADDR/jwks`.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "ADDR")]
    pub(super) trust_test_issuer: Option<std::net::SocketAddr>,
    /// All scopes that the server knows, for the tokens of --trust-test-issuer; the first is what everything takes.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "SCOPES", default_value = "mcp", requires = "trust_test_issuer")]
    pub(super) test_scopes: Option<String>,
    /// The roles in the tokens of --trust-test-issuer (claim `roles`): that of every request, and that of another
    /// principal.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "ROLE[,ROLE]", value_delimiter = ',', requires = "trust_test_issuer")]
    pub(super) test_roles: Vec<String>,
    /// Trust the certificates of this PEM file, too.
    #[arg(long, value_name = "FILE")]
    pub(super) ca_cert: Option<PathBuf>,
    /// Run a STDIO server under bubblewrap: files read-only, a /tmp of its own, no network.
    #[arg(long)]
    pub(super) sandbox: bool,
    /// Send at most so many messages a second.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Time-out of a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
    /// Time-out of a server's first answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) startup_timeout: Option<Duration>,
}

/// Flags that verbs share.
#[derive(Debug, Args, Default, Clone)]
pub(super) struct SharedArgs {
    /// Only these revisions.
    #[arg(long, value_name = "DATE", value_delimiter = ',')]
    pub(super) revision: Vec<Revision>,
    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) output_format: OutputFormat,
    /// Keep a value out of files and terminals: the value itself, or the name of a header or variable that has it.
    #[arg(long, value_name = "NAME|VALUE")]
    pub(super) redact: Vec<String>,
    /// Show the traffic on standard error as it happens.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

/// What is checked, and with which tools.
#[derive(Debug, Args, Default, Clone)]
#[command(next_help_heading = "What is checked")]
pub(super) struct SelectArgs {
    /// Only these requirements: an id, the beginning of ids up to a dot, or a pattern with `*`.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Not these requirements.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// One part of the requirements, such as 1/4; all parts together are the whole.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<(u32, u32)>,
    /// The frozen set of requirements to judge by: what was added or raised after that date does not fail. The date of
    /// a revision names the rules that hold until it. The newest set, if not given.
    #[arg(long, value_name = "DATE")]
    pub(super) requirements: Option<String>,
    /// Which tools may be called; `read-only` by default, `all` for the embedded server.
    #[arg(long, value_enum)]
    pub(super) calls: Option<CallsArg>,
    /// Tools that may be called whatever --calls says; `*` stands for any text.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) allow_tools: Vec<String>,
    /// Tools that are never called; wins over all else.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) deny_tools: Vec<String>,
    /// The seed of every random choice.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) seed: Option<u64>,
    /// Try properties with so many drawn cases for each tool and prompt; 0 for none. If not given, a few, for a second or
    /// two.
    #[arg(long, value_name = "N")]
    pub(super) properties: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum FailOnArg {
    /// A broken MUST.
    #[default]
    Must,
    /// A broken SHOULD too.
    Should,
    /// Nothing.
    Never,
}

impl From<FailOnArg> for FailOn {
    fn from(arg: FailOnArg) -> Self {
        match arg {
            FailOnArg::Must => Self::Must,
            FailOnArg::Should => Self::Should,
            FailOnArg::Never => Self::Never,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum CallsArg {
    /// No tool.
    None,
    /// Tools that say `readOnlyHint: true`.
    ReadOnly,
    /// Every tool.
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one document.
    Json,
}

/// What `serve` can serve besides the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileArg {
    // Without texts of their own, which would spread the help of all flags over twice as many lines.
    #[cfg(feature = "enterprise")]
    Enterprise,
    Buggy,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Answer as the server of this recording did: by method and parameters, else by method and name. What was never
    /// asked is refused.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["allow_host", "fault", "page_size", "chaos", "delay", "stall", "profile"])]
    #[cfg_attr(feature = "enterprise", arg(conflicts_with_all = ["with_test_authorization_server", "trust_issuer"]))]
    pub(super) from: Option<PathBuf>,
    /// Serve over HTTP at this address, such as 127.0.0.1:3000 or localhost:3000 (port 0 for any free one).
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) http: Option<std::net::SocketAddr>,
    /// A name or an address, without a port, by which clients may call besides localhost; repeatable. Needed where --http
    /// is no loopback address.
    #[arg(long, value_name = "NAME", requires = "http")]
    pub(super) allow_host: Vec<String>,
    /// Take only requests with an access token, and serve the authorization server that gives them to anybody, bad ones
    /// too: for tests, on a loopback address.
    #[cfg(feature = "enterprise")]
    #[arg(long, requires = "http")]
    pub(super) with_test_authorization_server: bool,
    /// Take only requests with an access token of this issuer. Its keys are at --jwks-url.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "ISSUER", requires_all = ["http", "jwks_url"], conflicts_with = "with_test_authorization_server", value_parser = issuer)]
    pub(super) trust_issuer: Option<String>,
    /// Where the issuer publishes its keys: an https URL, or one of this machine.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "URL", requires = "trust_issuer")]
    pub(super) jwks_url: Option<String>,
    /// Where clients are told to get tokens, if they are those of the role file.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "URI", requires_all = ["http", "roles"], value_parser = resource)]
    pub(super) authorization_server: Option<String>,
    /// What tokens have to be issued for: the URI by which clients know the endpoint, http://ADDR/mcp if not given.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "URI", requires = "http", value_parser = resource)]
    pub(super) resource: Option<String>,
    /// What is served in place of the tools, resources and prompts to test with: `enterprise`, records of a business
    /// behind roles, masking, an audit log and approval; `buggy`, tools with one bug each, some of which end the process.
    #[arg(long, value_name = "PROFILE", value_enum)]
    pub(super) profile: Option<ProfileArg>,
    /// The role of the client over STDIO; the least one, if not given. Over HTTP the token has it.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "ROLE", env = "MCPROVE_ROLE")]
    pub(super) role: Option<String>,
    /// Keep the records of the profile in this SQLite file, instead of in memory; a new one is filled with examples.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub(super) database: Option<PathBuf>,
    /// Append a line for every tool call, resource read and prompt of the profile to this file.
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub(super) audit: Option<PathBuf>,
    /// Take the roles of the profile, and tokens that were agreed on, from this file (TOML).
    #[cfg(feature = "enterprise")]
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub(super) roles: Option<PathBuf>,
    /// Break a rule on purpose; `mcprove list faults` shows what there is.
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(super) fault: Vec<String>,
    /// Items on one page of every list; by default only resources and templates come in several pages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) page_size: Option<u16>,
    /// Do differently all that the specification leaves open, by this seed: answers out of order, writes cut anywhere,
    /// unusual but valid JSON and events.
    #[arg(long, value_name = "SEED", conflicts_with = "fault", value_parser = seed)]
    pub(super) chaos: Option<u64>,
    /// Hold each answer back: `20ms`, `uniform:1ms..5ms`, `exp:3ms` or `normal:20ms,5ms`.
    #[arg(long, value_name = "DISTRIBUTION")]
    pub(super) delay: Option<mcprove_reference_server::Delay>,
    /// Answer nothing for a while: `4s+2s` is 4 s after the first message, for 2 s. Notifications and questions go on.
    #[arg(long, value_name = "AFTER+FOR")]
    pub(super) stall: Option<mcprove_reference_server::Stall>,
}

/// An address to listen at; a name has to be that of this machine.
pub(super) fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    use std::net::ToSocketAddrs;
    let Some(port) = text.strip_prefix("localhost:") else {
        return text
            .parse()
            .map_err(|_| "expected an address such as 127.0.0.1:3000 or localhost:3000".to_owned());
    };
    let port: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
    let mut known = ("localhost", port).to_socket_addrs().map_err(|error| error.to_string())?;
    let fallback = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    Ok(known.find(|address| address.is_ipv4() && address.ip().is_loopback()).unwrap_or(fallback))
}

/// The URI of an endpoint or an issuer.
#[cfg(feature = "enterprise")]
fn resource(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() && url.query().is_none() {
        Ok(text.to_owned())
    } else {
        Err("expected an absolute URI such as https://mcp.example/mcp, without query or fragment".to_owned())
    }
}

/// The name of an issuer, as tokens have it in `iss`.
#[cfg(feature = "enterprise")]
fn issuer(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("expected what tokens have in `iss`, such as https://issuer.example".to_owned());
    }
    Ok(text.to_owned())
}

/// Flags of `kill-matrix`.
#[derive(Debug, Args)]
pub(super) struct KillMatrixArgs {
    /// Only these faults: an id, the beginning of ids up to a dot or slash, or a pattern with `*`.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',', num_args = 1..)]
    pub(super) fault: Vec<String>,
    /// Check every requirement, instead of those in the areas of what the fault breaks; `--full=1/10` for one part of
    /// the faults only.
    #[arg(long, value_name = "I/N", value_parser = shard, num_args = 0..=1, require_equals = true, default_missing_value = "1/1")]
    pub(super) full: Option<(u32, u32)>,
    /// One part of the faults, such as 1/10; all parts together are the whole.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<(u32, u32)>,
    /// Write the matrix to this file as a page in Markdown, too.
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Instead of judging, write what crosses the wire when each requirement is kept and broken, into a file for each
    /// area in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["full", "markdown", "out"])]
    pub(super) examples: Option<PathBuf>,
    /// How many checks run at once; four times as many as there are cores, if not given.
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(super) jobs: Option<usize>,
    /// Time-out of a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) output_format: OutputFormat,
    /// Write the document of `--output-format json` to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(subcommand)]
    pub(super) what: ListWhat,
}

#[derive(Debug, Subcommand)]
pub(super) enum ListWhat {
    /// The requirements, counted by area; with patterns, one by one.
    Requirements {
        /// Ids, beginnings of ids up to a dot, or patterns with `*`.
        patterns: Vec<String>,
        /// Show how many of them are decided by a monitor or a probe.
        #[arg(long)]
        coverage: bool,
        /// What is printed on standard output.
        #[arg(long, value_enum, default_value_t)]
        output_format: OutputFormat,
    },
    /// The monitors: passive rules over any traffic.
    Monitors,
    /// The probes: active checks.
    Probes,
    /// The faults that `serve --fault` can put into the reference server.
    Faults {
        /// Ids, beginnings of ids up to a dot or slash, or patterns with `*`.
        patterns: Vec<String>,
        /// What is printed on standard output.
        #[arg(long, value_enum, default_value_t)]
        output_format: OutputFormat,
    },
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The id of a requirement, such as `tools.list.answered`.
    pub(super) id: String,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The folder of a run.
    pub(super) dir: PathBuf,
    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) output_format: DrawFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum DrawFormat {
    /// For a terminal.
    #[default]
    Text,
    /// The document of `check --output-format json`.
    Json,
    /// The page `index.html`.
    Html,
}

impl SelectArgs {
    pub(super) fn safety(&self, embedded: bool) -> Safety {
        let calls = match self.calls {
            Some(CallsArg::None) => Calls::None,
            Some(CallsArg::ReadOnly) => Calls::ReadOnly,
            Some(CallsArg::All) => Calls::All,
            None if embedded => Calls::All,
            None => Calls::ReadOnly,
        };
        Safety { calls, allow: self.allow_tools.clone(), deny: self.deny_tools.clone() }
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of seconds, such as 10 or 0.5".to_owned())?;
    if (0.01..=86_400.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err("it must be between 0.01 and 86400 seconds".to_owned())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number of messages a second".to_owned())?;
    if (0.001..=1_000_000.0).contains(&number) {
        Ok(number)
    } else {
        Err("it must be between 0.001 and 1000000 messages a second".to_owned())
    }
}

fn shard(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((part, of)) if (1..=of).contains(&part) => Ok((part, of)),
        _ => Err("write I/N with I from 1 to N, such as 2/4".to_owned()),
    }
}

/// A seed, or in words what one is.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}
