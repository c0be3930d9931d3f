//! Where output goes: standard output, and the folder of a run.

use super::failure::Failure;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The runtime that verbs run in.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Conversations that are over are judged there: each thread keeps memory of its own.
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Bug(format!("cannot start: {error}")))
}

/// Writes text, with styles where the terminal takes them. A reader that has gone away is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    told(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes a document as JSON, and nothing else.
pub(super) fn print_json(document: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(document).map_err(Failure::bug)?;
    text.push(b'\n');
    print_bytes(&text)
}

/// Writes bytes as they are.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    told(out.write_all(bytes).and_then(|()| out.flush()))
}

fn told(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Bug(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The folder of a run where none is named: `reports/latest` in this project's own repository, else
/// `.mcprove/latest`.
pub(super) fn default_folder() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    for (up, folder) in here.ancestors().enumerate() {
        let ours = ["harness/catalogue", "reports/schema", "Cargo.toml"];
        if ours.iter().all(|name| folder.join(name).exists()) {
            return if up == 0 { PathBuf::from("reports/latest") } else { folder.join("reports/latest") };
        }
    }
    PathBuf::from(".mcprove/latest")
}

/// Keeps `.mcprove` out of the user's repository.
pub(super) fn ignore_by_git(run: &Path) {
    let Some(parent) = run.parent().filter(|parent| parent.file_name().is_some_and(|n| n == ".mcprove"))
    else {
        return;
    };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(parent.join(".gitignore"));
    if let Ok(mut file) = file {
        // A convenience: a folder that git sees does no harm.
        let _ = file.write_all(b"*\n");
    }
}
