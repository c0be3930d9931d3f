//! What a target left behind: the members of its process group, and processes that moved away but still carry the
//! mark in their environment. Linux tells through `/proc`; elsewhere only the group can be reached, by its number.

use super::guardian::RUN_VARIABLE;
use rustix::process::Pid;

/// How the processes of one target are known.
#[derive(Debug)]
pub(super) struct Trace {
    /// The process group, which is also the first process.
    pub(super) group: Pid,
    /// The entry in the environment.
    entry: Vec<u8>,
    /// When the first process started, in clock ticks since boot: nothing older can be its child.
    since: u64,
}

impl Trace {
    pub(super) fn new(group: Pid, mark: &str) -> Self {
        let since = imp::stat(group).map_or(0, |stat| stat.started);
        Self { group, entry: format!("{RUN_VARIABLE}={mark}").into_bytes(), since }
    }

    /// How many processes of the target live, the first one not counted.
    pub(super) fn living(&self) -> usize {
        imp::living(self)
    }

    /// Kills all of them, the first one not counted.
    pub(super) fn kill(&self) {
        // A process that forks while the list is read can escape one round, not all of them.
        for round in 0..8 {
            if imp::kill_all(self) == 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(round));
        }
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::Trace;
    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
    use std::fs::File;
    use std::io::Read as _;

    /// The most of an environment that is read, in bytes; the kernel allows no more by default.
    const ENVIRONMENT: u64 = 4 << 20;

    /// What `/proc/PID/stat` tells.
    pub(super) struct Stat {
        state: u8,
        group: i32,
        pub(super) started: u64,
    }

    pub(super) fn stat(pid: Pid) -> Option<Stat> {
        let text = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        // The second field is the name in parentheses, which may contain anything.
        let end = text.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let group = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(16)?.parse().ok()?;
        Some(Stat { state, group, started })
    }

    fn belongs(trace: &Trace, pid: Pid) -> bool {
        let Some(stat) = stat(pid) else { return false };
        if matches!(stat.state, b'Z' | b'X') || stat.started < trace.since {
            return false;
        }
        stat.group == trace.group.as_raw_nonzero().get() || carries(pid, &trace.entry)
    }

    fn carries(pid: Pid, entry: &[u8]) -> bool {
        let Ok(file) = File::open(format!("/proc/{}/environ", pid.as_raw_nonzero())) else { return false };
        let mut environment = Vec::new();
        let read = file.take(ENVIRONMENT).read_to_end(&mut environment);
        read.is_ok() && environment.split(|&byte| byte == 0).any(|variable| variable == entry)
    }

    fn candidates(trace: &Trace) -> impl Iterator<Item = Pid> {
        let (own, leader) = (std::process::id(), trace.group);
        std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter(move |&pid| pid > 1 && pid != own)
            .filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
            .filter(move |&pid| pid != leader)
    }

    pub(super) fn living(trace: &Trace) -> usize {
        candidates(trace).filter(|&pid| belongs(trace, pid)).count()
    }

    pub(super) fn kill_all(trace: &Trace) -> usize {
        let mut found = 0;
        for pid in candidates(trace) {
            if !belongs(trace, pid) {
                continue;
            }
            found += 1;
            // The handle is taken first and the check made again: the number cannot go to a stranger in between.
            match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(handle) if belongs(trace, pid) => drop(pidfd_send_signal(handle, Signal::KILL)),
                Err(Errno::NOSYS | Errno::PERM) => drop(kill_process(pid, Signal::KILL)),
                Ok(_) | Err(_) => {}
            }
        }
        found
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::Trace;
    use rustix::process::Pid;

    pub(super) struct Stat {
        pub(super) started: u64,
    }

    pub(super) fn stat(_: Pid) -> Option<Stat> {
        None
    }

    pub(super) fn living(_: &Trace) -> usize {
        0
    }

    pub(super) fn kill_all(_: &Trace) -> usize {
        0
    }
}
