//! Nothing survives the harness, not even when it is killed: a small shell process of its own holds the end of a
//! pipe, and when the pipe closes it ends every process group that was left.
//!
//! There is one guardian for each harness process, started with the first target. It is a `/bin/sh` with the script
//! below, so that it works in any program that uses this library, and sits in a group of its own, so that a Ctrl-C
//! in the terminal does not reach it.

use rustix::process::Pid;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The variable that every target and all that it starts carries in its environment.
pub const RUN_VARIABLE: &str = "MCPROVE_RUN";

/// Reads `+NAME` and `-NAME` lines. At the end of the input every name that is left and is a number is a process
/// group to kill; then whatever carries the mark `$1` in its environment, wherever it moved, is killed too.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
left=' '
while read -r line; do
  name=${line#?}
  case $line in
    +*) left="$left$name " ;;
    -*) case $left in *" $name "*) left="${left%% "$name" *} ${left#* "$name" }" ;; esac ;;
  esac
done
[ "$left" = ' ' ] && exit 0
for name in $left; do
  case $name in *[!0-9]*) ;; *) kill -s KILL -- "-$name" || kill -KILL "-$name" ;; esac
done
round=0
while [ "$round" -lt 8 ]; do
  found=$(grep -a -l -F -e "$1" /proc/[0-9]*/environ)
  [ -z "$found" ] && [ "$round" -gt 0 ] && exit 0
  for file in $found; do
    name=${file#/proc/}
    kill -s KILL "${name%/environ}"
  done
  round=$((round + 1))
  sleep 0.1 || sleep 1
done
"#;

/// A promise that the group of one target ends with the harness. Dropping it takes the promise back.
#[derive(Debug)]
pub(super) struct Guarded {
    names: Vec<String>,
    mark: String,
}

#[derive(Debug, Default)]
struct Guardian {
    process: Option<(Child, ChildStdin)>,
    left: BTreeSet<String>,
}

fn guardian() -> &'static Mutex<Guardian> {
    static GUARDIAN: OnceLock<Mutex<Guardian>> = OnceLock::new();
    GUARDIAN.get_or_init(Mutex::default)
}

/// The name of this harness process, not to be guessed and never used again.
fn run_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let mut random = [0_u8; 12];
        let pid = std::process::id();
        if getrandom::fill(&mut random).is_err() {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let nanos = now.map_or(0, |passed| passed.as_nanos());
            random.copy_from_slice(&nanos.to_le_bytes()[..12]);
        }
        random.iter().fold(format!("{pid}-"), |text, byte| text + &format!("{byte:02x}"))
    })
}

impl Guarded {
    /// Tells the guardian that a target is about to start.
    ///
    /// # Errors
    /// When there is no guardian: no `/bin/sh`, or no more processes.
    pub(super) fn announce() -> io::Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut guarded = Self { names: Vec::new(), mark: format!("{}.{serial}", run_token()) };
        guarded.add(format!("start-{serial}"))?;
        Ok(guarded)
    }

    /// The value of [`RUN_VARIABLE`] for this target, and for no other.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Names the process group of the target.
    pub(super) fn group(&mut self, group: Pid) -> io::Result<()> {
        self.add(group.as_raw_nonzero().to_string())
    }

    fn add(&mut self, name: String) -> io::Result<()> {
        let mut guardian = guardian().lock().unwrap_or_else(PoisonError::into_inner);
        guardian.left.insert(name.clone());
        self.names.push(name.clone());
        guardian.tell(&format!("+{name}\n"))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let mut guardian = guardian().lock().unwrap_or_else(PoisonError::into_inner);
        for name in self.names.drain(..).rev() {
            guardian.left.remove(&name);
            if guardian.process.is_some() {
                // A guardian that is gone is replaced, and told what is left, when the next target starts.
                let _ = guardian.tell(&format!("-{name}\n"));
            }
        }
    }
}

impl Guardian {
    fn tell(&mut self, line: &str) -> io::Result<()> {
        if let Some((_, pipe)) = &mut self.process {
            if pipe.write_all(line.as_bytes()).is_ok() {
                return Ok(());
            }
            self.stop();
        }
        let (child, mut pipe) = start()?;
        let everything = self.left.iter().fold(String::new(), |text, name| text + "+" + name + "\n");
        let told = pipe.write_all(everything.as_bytes());
        self.process = Some((child, pipe));
        told
    }

    fn stop(&mut self) {
        if let Some((mut child, pipe)) = self.process.take() {
            // It must not act on the end of its input: it no longer knows what is left.
            let _ = child.kill();
            drop(pipe);
            let _ = child.wait();
        }
    }
}

fn start() -> io::Result<(Child, ChildStdin)> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "mcprove-guardian"])
        .arg(format!("{RUN_VARIABLE}={}.", run_token()))
        .current_dir("/")
        .env_remove(RUN_VARIABLE)
        .env_remove("ENV")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let Some(pipe) = child.stdin.take() else { return Err(io::Error::other("no pipe to the guardian")) };
    // A guardian that was stopped by somebody must not stop the harness: a full pipe is an error instead.
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok((child, pipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_and_carry_the_name_of_the_run() {
        let one = Guarded::announce().unwrap();
        let two = Guarded::announce().unwrap();
        assert_ne!(one.mark(), two.mark());
        assert!(one.mark().starts_with(&format!("{}.", run_token())));
        assert!(two.mark().starts_with(&format!("{}.", run_token())));
    }
}
