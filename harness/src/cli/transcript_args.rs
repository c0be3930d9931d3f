//! The grammar of `record`, `replay` and `transcript`.

use super::args::{OutputFormat, ReachArgs, SharedArgs, TargetArgs};
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The file to write; in a folder, a new file each time. A file that has something in it is kept, and a new one is
    /// written beside it.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Listen at this address, such as 127.0.0.1:3001, in front of a server over HTTP (port 0 for any free one).
    #[arg(long, value_name = "ADDR", value_parser = super::args::address, requires = "upstream", conflicts_with = "command")]
    pub(super) listen: Option<SocketAddr>,
    /// The URL of the server over HTTP.
    #[arg(long, value_name = "URL", requires = "listen")]
    pub(super) upstream: Option<String>,
    /// Ask the server over HTTP not to compress what it sends: what is compressed cannot be read in the recording.
    #[arg(long, requires = "listen")]
    pub(super) identity: bool,
    /// Trust the certificates of this PEM file, too.
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub(super) ca_cert: Option<PathBuf>,
    /// Keep a value out of the file: the value itself, or the name of a header or variable that has it.
    #[arg(long, value_name = "NAME|VALUE")]
    pub(super) redact: Vec<String>,
    /// Tell nothing on standard error but what went wrong with the recording.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Command of a STDIO server, after `--`.
    #[arg(last = true, value_name = "CMD", required_unless_present = "listen")]
    pub(super) command: Vec<String>,
}

/// Flags of `transcript`.
#[derive(Debug, Args)]
pub(super) struct TranscriptArgs {
    #[command(subcommand)]
    pub(super) what: TranscriptVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum TranscriptVerb {
    /// Show a conversation, one line a message.
    Show {
        /// The transcript.
        file: PathBuf,
        /// Show whole messages, indented.
        #[arg(long)]
        full: bool,
        /// Only requests and notifications of this method, and their answers; `*` stands for any text.
        #[arg(long, value_name = "METHOD")]
        only: Option<String>,
    },
    /// Judge both sides by the monitors, and warn of what looks like a secret. Exit code 1 if a MUST is broken.
    Check {
        /// The transcript.
        file: PathBuf,
        /// What is printed on standard output.
        #[arg(long, value_enum, default_value_t)]
        output_format: OutputFormat,
    },
    /// Write a copy without what looks like a secret.
    Redact {
        /// The transcript.
        file: PathBuf,
        /// The copy.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Take this value out, too.
        #[arg(long, value_name = "VALUE")]
        redact: Vec<String>,
    },
    /// Compare two conversations, message by message. Exit code 1 if they differ.
    Diff {
        /// One transcript.
        a: PathBuf,
        /// The other.
        b: PathBuf,
    },
    /// Draw a sequence diagram in the language of Mermaid.
    ToMermaid {
        /// The transcript.
        file: PathBuf,
    },
    /// Write what the client did as a program that needs no mcprove.
    Export {
        /// The transcript.
        file: PathBuf,
        /// The language.
        #[arg(long = "as", value_name = "FORMAT", value_enum)]
        format: ExportArg,
    },
    /// Make a transcript of JSON-RPC lines with `-->` and `<--`, of a HAR file, or of the log of a client.
    Import {
        /// The file.
        file: PathBuf,
        /// The transcript; standard output if not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// What it is; found out if not given.
        #[arg(long, value_enum)]
        from: Option<ImportArg>,
    },
    /// Learn from several recordings of one conversation what varies, as rules for `replay`. Exit code 1 if a difference
    /// is left that no rule can allow.
    Learn {
        /// The recordings; the rules are for the replay of the first.
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
        /// Write the first recording with the rules in its header to this file, which may be the same. Without it, the
        /// rules are printed as they may stand in `mcprove.toml`.
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Go through what `replay --accept` wrote to FILE.new, difference by difference. Exit code 1 if any is left.
    Review {
        /// The recording.
        file: PathBuf,
        /// Accept all that is new.
        #[arg(long, conflicts_with = "reject_all")]
        accept_all: bool,
        /// Keep the recording as it is.
        #[arg(long)]
        reject_all: bool,
    },
}

/// Flags of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
    /// How closely is compared.
    #[arg(long, value_enum, default_value_t, help_heading = "Replaying")]
    pub(super) mode: ModeArg,
    /// When messages are sent.
    #[arg(long, value_enum, default_value_t, help_heading = "Replaying")]
    pub(super) timing: TimingArg,
    /// How long an answer is waited for, in seconds, beyond what it took in the recording; --timeout if not given. The
    /// first answer of all is waited for as long as --startup-timeout says.
    #[arg(long, value_name = "SECONDS", value_parser = super::args::seconds, help_heading = "Replaying")]
    pub(super) wait: Option<Duration>,
    /// Put the value of this environment variable where the recording has the placeholder of that name, such as
    /// token-1 for «token-1».
    #[arg(long, value_name = "NAME=VAR", help_heading = "Replaying")]
    pub(super) secret: Vec<String>,
    /// Write the recording with the new answers to FILE.new; `mcprove transcript review FILE` goes through them.
    #[arg(long, help_heading = "Replaying")]
    pub(super) accept: bool,
    /// A file with targets and rules; `mcprove.toml` in the working folder if there is one.
    #[arg(long, value_name = "FILE", help_heading = "Replaying")]
    pub(super) settings: Option<PathBuf>,
    /// Write the conversation and the report to this folder.
    #[arg(long, value_name = "DIR", help_heading = "Replaying")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum ModeArg {
    /// Every value.
    #[default]
    Exact,
    /// Members and types.
    Shape,
    /// What the protocol says of such a message.
    Schema,
}

#[derive(Debug, Clone, Copy, ValueEnum, Default, PartialEq, Eq)]
pub(super) enum TimingArg {
    /// As soon as what each waited for in the recording has come.
    #[default]
    Causal,
    /// That, and not sooner after one another than in the recording.
    Recorded,
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum ExportArg {
    /// `curl` calls, for a server over HTTP; what was sent, one after the other.
    Curl,
    /// A script for `sh`; what was sent, one after the other.
    Shell,
    /// Python without packages; does what a replay does.
    Python,
    /// TypeScript for Node 22 without packages; does what a replay does.
    Typescript,
    /// Rust with `serde_json`, for a STDIO server; does what a replay does.
    Rust,
    /// A page for people.
    Markdown,
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum ImportArg {
    /// Lines with `-->` (from the client) and `<--` (from the server).
    Arrows,
    /// An HTTP archive, as browsers and proxies save it.
    Har,
    /// A log of Claude Desktop (`mcp-server-NAME.log`) or VS Code.
    Log,
}
