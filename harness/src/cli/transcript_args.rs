//! The grammar of `record` and `transcript`.

use super::args::OutputFormat;
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Flags of `record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// The file to write; in a folder, a new file each time.
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
    /// Write what the client did as a script that needs no mcprove.
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
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(super) enum ExportArg {
    /// `curl` calls, for a server over HTTP.
    Curl,
    /// A shell script that speaks to a STDIO server.
    Shell,
    /// Python without packages.
    Python,
    /// TypeScript for Node without packages.
    Typescript,
    /// Rust with `serde_json`.
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
