//! Why a process could not be started or written to, and what to do about it.

use super::process::CommandLine;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such program.
    #[error("program `{program}` not found in PATH; install it, give its full path, or check the spelling")]
    NotInPath {
        /// As given.
        program: String,
    },
    /// There is no such file.
    #[error("no file `{program}`; a path is taken from the working directory of the target")]
    NoFile {
        /// As given.
        program: String,
    },
    /// The file is there, what its first line names is not.
    #[error("`{program}` needs `{interpreter}`, which is not installed")]
    NoInterpreter {
        /// As given.
        program: String,
        /// What the `#!` line names.
        interpreter: String,
    },
    /// The file may not be executed.
    #[error("`{program}` is not executable; `chmod +x` it, or name its interpreter first")]
    NotExecutable {
        /// As given.
        program: String,
    },
    /// The file is no program.
    #[error(
        "`{program}` is no program for this machine; a script needs a `#!` line, or its interpreter named first"
    )]
    NoProgram {
        /// As given.
        program: String,
    },
    /// The working directory is missing.
    #[error("working directory `{directory}` does not exist or is no directory", directory = .directory.display())]
    Directory {
        /// As given.
        directory: PathBuf,
    },
    /// It is a directory.
    #[error("`{program}` is a directory; name the program in it that is to be started")]
    IsDirectory {
        /// As given.
        program: String,
    },
    /// There is no tokio runtime.
    #[error("a process can only be started inside a tokio runtime")]
    NoRuntime,
    /// The guardian could not be started.
    #[error("the guardian process did not start, it needs /bin/sh: {0}")]
    Guardian(#[source] io::Error),
    /// A pipe or a thread could not be had.
    #[error("no pipe or thread for the process: {0}")]
    Pipe(#[source] io::Error),
    /// Anything else.
    #[error("cannot start `{program}`: {source}")]
    Other {
        /// As given.
        program: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Why something could not be written to a process.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Its standard input is closed, from either side.
    #[error("the standard input of the process is closed")]
    Closed,
    /// A former write was cut short.
    #[error("a former message was cut short, so nothing more can be sent")]
    Torn,
    /// It read nothing.
    #[error("the process took nothing from its standard input for {limit:?}")]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// Anything else.
    #[error("cannot write to the process: {0}")]
    Io(#[source] io::Error),
}

/// Finds out what was wrong, for the message only.
pub(super) fn explain_spawn(command: &CommandLine, source: io::Error) -> StartError {
    let program = command.program.clone();
    match source.kind() {
        io::ErrorKind::NotFound => {
            if !program.contains('/') {
                return StartError::NotInPath { program };
            }
            let base = command.cwd.clone().unwrap_or_default();
            let path = base.join(&program);
            match interpreter(&path) {
                Some(interpreter) => StartError::NoInterpreter { program, interpreter },
                None if path.exists() => StartError::NoProgram { program },
                None => StartError::NoFile { program },
            }
        }
        io::ErrorKind::PermissionDenied
            if command.cwd.clone().unwrap_or_default().join(&program).is_dir() =>
        {
            StartError::IsDirectory { program }
        }
        io::ErrorKind::PermissionDenied => StartError::NotExecutable { program },
        // Linux: ENOEXEC.
        _ if source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            StartError::NoProgram { program }
        }
        _ => StartError::Other { program, source },
    }
}

/// What the `#!` line of a file names.
fn interpreter(file: &Path) -> Option<String> {
    let mut start = Vec::new();
    std::fs::File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    // A carriage return there is a usual reason; show it.
    Some(line.trim_start().split([' ', '\t']).next()?.replace('\r', "\\r"))
}
