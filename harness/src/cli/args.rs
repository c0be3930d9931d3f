//! The grammar of the command line, and the flags that verbs share.

use crate::client::Timeouts;
use crate::probes::{Calls, Safety};
use crate::protocol::Revision;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Tests servers of the Model Context Protocol: any server, in any language, over STDIO or HTTP.
#[derive(Debug, Parser)]
#[command(name = "mcprove", version, about, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    /// What to do; `check` of the embedded reference server by default.
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check that a server does what the protocol says.
    Check(CheckArgs),
    /// Serve as the reference server, over stdio unless --http is given.
    Serve(ServeArgs),
}

/// Flags of `check`.
#[derive(Debug, Args, Default)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
    /// What makes the exit code 1.
    #[arg(long, value_enum, default_value_t)]
    pub(super) fail_on: FailOn,
    /// Show the traffic as it happens.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

/// What is tested.
#[derive(Debug, Args, Default)]
pub(super) struct TargetArgs {
    /// URL of an MCP endpoint; the embedded reference server if there is neither URL nor command.
    pub(super) url: Option<String>,
    /// Command of a STDIO server, after `--`.
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
}

/// Flags that verbs share.
#[derive(Debug, Args, Default)]
pub(super) struct SharedArgs {
    /// Which tools may be called; `read-only` by default, `all` for the embedded server.
    #[arg(long, value_enum)]
    pub(super) calls: Option<CallsArg>,
    /// Only these requirements: an id, an area, or a pattern with `*`.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Not these requirements.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// Only these revisions.
    #[arg(long, value_name = "DATE", value_delimiter = ',')]
    pub(super) revision: Vec<Revision>,
    /// The seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Time-out of a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub(super) timeout: f64,
    /// Time-out of the first answer of a server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub(super) startup_timeout: f64,
    /// Where the run is written.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t)]
    pub(super) output_format: OutputFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum FailOn {
    /// A broken MUST.
    #[default]
    Must,
    /// A broken SHOULD too.
    Should,
    /// Nothing.
    Never,
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

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Serve over HTTP at this address, such as 127.0.0.1:3000 (port 0 for any free one).
    #[arg(long, value_name = "ADDR")]
    pub(super) http: Option<std::net::SocketAddr>,
}

impl SharedArgs {
    pub(super) fn timeouts(&self) -> Timeouts {
        let default = Timeouts::default();
        // Zero stands where no command line was parsed.
        let seconds = |given: f64, default: Duration| match given {
            0.0 => default,
            given => Duration::from_secs_f64(given.clamp(0.1, 3600.0)),
        };
        Timeouts {
            request: seconds(self.timeout, default.request),
            startup: seconds(self.startup_timeout, default.startup),
            ..default
        }
    }

    pub(super) fn safety(&self, embedded: bool) -> Safety {
        let calls = match self.calls {
            Some(CallsArg::None) => Calls::None,
            Some(CallsArg::ReadOnly) => Calls::ReadOnly,
            Some(CallsArg::All) => Calls::All,
            None if embedded => Calls::All,
            None => Calls::ReadOnly,
        };
        Safety { calls, allow: Vec::new(), deny: Vec::new() }
    }
}
