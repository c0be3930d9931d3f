//! One check for all processes of a test run.
//!
//! `cargo test` lists and runs in one process, and checks anew each time. nextest starts a process to list and one for
//! each test: the first of them checks under a lock and stores the tests, the others read them. What is stored belongs
//! to one run of nextest, by its run id, or, where a version tells it only to tests, by the nextest process itself: a
//! later run never reads it.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long what earlier runs left stays there.
const KEEP: Duration = Duration::from_secs(3600);

/// Where the tests of a run are kept.
pub(super) struct Store {
    folder: PathBuf,
    /// Names under which the tests may lie; they are stored under the first one.
    keys: Vec<String>,
}

impl Store {
    /// The folder beside the test binary in which runs are kept.
    pub(super) fn folder() -> Option<PathBuf> {
        let program = std::env::current_exe().ok()?;
        Some(program.parent()?.join("mcprove-suite"))
    }

    /// The store of this test run; `None` where processes share nothing. `subject` is everything that the result of a
    /// check depends on.
    pub(super) fn shared(subject: &str) -> Option<Self> {
        std::env::var_os("NEXTEST")?;
        let mut runs = Vec::new();
        if let Ok(run) = std::env::var("NEXTEST_RUN_ID") {
            // A retry or a further round of a stress run is to check again.
            let again = |name: &str, first: &str| {
                std::env::var(name).ok().filter(|value| value != first).unwrap_or_default()
            };
            let attempt = again("NEXTEST_ATTEMPT", "1");
            runs.push(format!("{run} {attempt} {}", again("NEXTEST_STRESS_CURRENT", "none")));
        }
        runs.extend(parent());
        let key = |run: &String| {
            let digest = Sha256::digest(format!("{run}\n{subject}"));
            digest.iter().take(12).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        let keys: Vec<String> = runs.iter().map(key).collect();
        (!keys.is_empty()).then_some(())?;
        Some(Self { folder: Self::folder()?, keys })
    }

    /// The stored text, or that of the one process that makes it; it is given the folder for its run.
    pub(super) fn get(&self, make: impl FnOnce(&Path) -> String) -> io::Result<String> {
        if let Some(text) = self.stored() {
            return Ok(text);
        }
        fs::create_dir_all(&self.folder)?;
        let lock = File::create(self.path("lock"))?;
        lock.lock()?;
        if let Some(text) = self.stored() {
            return Ok(text);
        }
        self.tidy();
        let text = make(&self.path("run"));
        let part = self.path("part");
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&part, self.path("cases"))?;
        // The lock ends with its file.
        drop(lock);
        Ok(text)
    }

    fn stored(&self) -> Option<String> {
        let path = |key: &String| self.folder.join(format!("{key}.cases"));
        self.keys.iter().find_map(|key| fs::read_to_string(path(key)).ok())
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.keys[0]))
    }

    /// Removes what earlier runs left.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let ours = path
                .extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| ["lock", "run", "part", "cases"].contains(&ending));
            let old = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEEP));
            if ours && old {
                // What cannot be removed stays, and is only litter.
                let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            }
        }
    }
}

/// The process that started this one, so named that no other process ever has the name.
#[cfg(target_os = "linux")]
fn parent() -> Option<String> {
    let parent = std::os::unix::process::parent_id();
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).ok()?;
    // The name in parentheses may contain anything; the start time is the twentieth field after it.
    let started = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.to_owned();
    Some(format!("{parent} {started}"))
}

#[cfg(not(target_os = "linux"))]
fn parent() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_of_many_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = AtomicU32::new(0);
        let store = |keys: &[&str]| Store {
            folder: folder.path().join("store"),
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let text = store(&["a"]).get(|_| {
                        std::thread::sleep(Duration::from_millis(50));
                        format!("made {}", made.fetch_add(1, Ordering::SeqCst))
                    });
                    assert_eq!(text.unwrap(), "made 0");
                });
            }
        });
        // A process that knows more names finds it under any of them, and another run does not.
        assert_eq!(store(&["b", "a"]).get(|_| String::from("new")).unwrap(), "made 0");
        assert_eq!(store(&["b"]).get(|_| String::from("new")).unwrap(), "new");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_parent_has_a_name() {
        assert_eq!(parent(), parent());
        assert!(parent().is_some());
    }
}
