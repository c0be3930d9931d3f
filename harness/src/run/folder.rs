//! The folder of a run: `run.jsonl`, `transcripts/`, `findings/`, and the reports that were drawn from them.

use super::event::{RUN_FORMAT, RunEvent};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file that holds the events.
pub const RUN_FILE: &str = "run.jsonl";
/// The folder of the conversations, one file each.
pub const TRANSCRIPTS_DIR: &str = "transcripts";
/// The folder of the findings' own files.
pub const FINDINGS_DIR: &str = "findings";

/// What may be drawn into a run's folder; replaced together with the run, so that no report outlives its run.
const DRAWN: [&str; 7] =
    ["index.html", "report.json", "report.txt", "report.md", "junit.xml", "report.sarif", "badge.svg"];

/// The first bytes of `run.jsonl` that are looked at to see whose it is.
const HEAD: u64 = 1 << 20;

/// Why a folder cannot hold a run, or an event could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The path leads to something else.
    #[error("`{0}` is no folder; name another one with --out")]
    NotAFolder(PathBuf),
    /// The path is a symbolic link: replacing what it leads to could surprise.
    #[error("`{0}` is a symbolic link; name the folder itself with --out")]
    Link(PathBuf),
    /// The folder holds something that is no run of ours.
    #[error(
        "`{dir}` holds `{entry}` and no run of mcprove, so it is not replaced; name an empty or a new folder with --out"
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// One of the names in it.
        entry: String,
    },
    /// Another process is writing a run there.
    #[error("another run is being written to `{0}`; wait for it or name another folder with --out")]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried, such as `create`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { action, path, source }
}

/// Writes a run into its folder, event by event.
///
/// Every event is one line and one write to the kernel, so a run that is killed keeps what it saw.
#[derive(Debug)]
pub struct RunWriter {
    dir: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// A write failed half way: the next line must not be glued to its rest.
    torn: bool,
    lost: u64,
}

impl RunWriter {
    /// Makes the folder ready for a new run: creates it, or replaces the old run in it.
    ///
    /// Only a folder that is empty or that holds a run of ours is replaced, and of that one only what belongs to a
    /// run: other files in it stay. Links are removed, never followed.
    ///
    /// # Errors
    ///
    /// [`FolderError`] when the path is no folder, a link, holds something else, is in use by another run, or the
    /// system refuses.
    pub fn create(dir: impl Into<PathBuf>) -> Result<Self, FolderError> {
        let dir = dir.into();
        match fs::symlink_metadata(&dir) {
            Ok(meta) if meta.file_type().is_symlink() => return Err(FolderError::Link(dir)),
            Ok(meta) if !meta.is_dir() => return Err(FolderError::NotAFolder(dir)),
            Ok(_) => clear(&dir)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
            }
            Err(error) => return Err(io_error("look at", &dir)(error)),
        }
        let path = dir.join(RUN_FILE);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(io_error("create", &path))?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(FolderError::InUse(dir));
        }
        for name in [TRANSCRIPTS_DIR, FINDINGS_DIR] {
            let path = dir.join(name);
            fs::create_dir(&path).map_err(io_error("create", &path))?;
        }
        Ok(Self::over(dir, file))
    }

    /// Writes a run into an open file; `dir` is only told by [`dir`](Self::dir) and named in errors.
    pub fn over(dir: impl Into<PathBuf>, file: File) -> Self {
        Self { dir: dir.into(), inner: Mutex::new(Inner { file, torn: false, lost: 0 }) }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores one event.
    ///
    /// # Errors
    ///
    /// The first event that cannot be stored (the disk is full) is told; the run goes on, later ones are tried and
    /// only counted, see [`lost`](Self::lost). A reader sees a file with lost lines as truncated.
    pub fn append(&self, event: &RunEvent) -> Result<(), FolderError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let path = || self.dir.join(RUN_FILE);
        let result = line_of(event, inner.torn).and_then(|line| {
            let written = inner.file.write_all(&line);
            inner.torn = written.is_err();
            written
        });
        match result {
            Ok(()) => Ok(()),
            Err(source) => {
                inner.lost += 1;
                if inner.lost == 1 { Err(io_error("write", &path())(source)) } else { Ok(()) }
            }
        }
    }

    /// The number of events that could not be stored.
    pub fn lost(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).lost
    }
}

fn line_of(event: &RunEvent, after_torn: bool) -> io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(512);
    if after_torn {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, event)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes a file into a run's folder so that it is there whole or not at all, and never through a link: under a
/// name of its own first, then renamed.
///
/// # Errors
///
/// [`FolderError::Io`] when the system refuses.
pub fn write_file(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, FolderError> {
    let path = dir.join(name);
    let part = dir.join(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&part)?;
        file.write_all(content)?;
        fs::rename(&part, &path)
    })();
    if let Err(error) = written {
        // The rest of a failed write is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&part);
        return Err(io_error("write", &path)(error));
    }
    Ok(path)
}

/// Removes the old run in a folder, or says why it must stay.
fn clear(dir: &Path) -> Result<(), FolderError> {
    let mut names = Vec::new();
    let mut foreign = None;
    for entry in fs::read_dir(dir).map_err(io_error("read", dir))? {
        let name = entry.map_err(io_error("read", dir))?.file_name();
        match name.to_str() {
            Some(name) if is_part_of_a_run(name) => names.push(name.to_owned()),
            _ => foreign = Some(name.to_string_lossy().into_owned()),
        }
    }
    if names.is_empty() && foreign.is_none() {
        return Ok(());
    }
    let run = dir.join(RUN_FILE);
    let refuse = |entry: String| Err(FolderError::Foreign { dir: dir.to_owned(), entry });
    if !names.iter().any(|name| name == RUN_FILE) {
        let entry = foreign.or_else(|| names.pop()).unwrap_or_default();
        return refuse(entry);
    }
    let meta = fs::symlink_metadata(&run).map_err(io_error("look at", &run))?;
    if !meta.is_file() {
        return refuse(RUN_FILE.to_owned());
    }
    let file = File::open(&run).map_err(io_error("open", &run))?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(FolderError::InUse(dir.to_owned()));
    }
    // A run that was killed before its first line has an empty file, which is ours only if nothing else is there.
    let ours = if meta.len() == 0 { foreign.is_none() } else { starts_as_ours(&file) };
    if !ours {
        return refuse(foreign.unwrap_or_else(|| RUN_FILE.to_owned()));
    }
    // The mark that the folder is ours goes last, so that a removal cut short can be taken up again.
    for name in names.iter().filter(|name| *name != RUN_FILE) {
        remove(&dir.join(name))?;
    }
    remove(&run)
}

fn is_part_of_a_run(name: &str) -> bool {
    name == RUN_FILE
        || name == TRANSCRIPTS_DIR
        || name == FINDINGS_DIR
        || DRAWN.contains(&name)
        || (name.starts_with('.')
            && Path::new(name).extension().is_some_and(|e| e == "part")
            && DRAWN.iter().any(|drawn| name[1..].starts_with(drawn)))
}

fn starts_as_ours(file: &File) -> bool {
    let mut line = Vec::new();
    if BufReader::new(file).take(HEAD).read_until(b'\n', &mut line).is_err() {
        return false;
    }
    #[derive(serde::Deserialize)]
    struct Head {
        format: String,
    }
    match serde_json::from_slice::<Head>(&line) {
        Ok(head) => head.format == RUN_FORMAT,
        // A first line that was cut by a full disk still shows the name.
        Err(error) => {
            error.is_eof()
                && line.starts_with(format!("{{\"event\":\"header\",\"format\":\"{RUN_FORMAT}\"").as_bytes())
        }
    }
}

fn remove(path: &Path) -> Result<(), FolderError> {
    let meta = fs::symlink_metadata(path).map_err(io_error("look at", path))?;
    // `remove_dir_all` does not follow links inside the folder.
    let removed = if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(io_error("remove", path))
}
