//! The servers that compete, and what the operating system says about their processes.

use crate::Failure;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(30);

/// A server that may be started: over STDIO without an argument, over HTTP with `http PORT`.
#[derive(Clone)]
pub(crate) struct Peer {
    pub name: &'static str,
    command: Vec<PathBuf>,
    /// Words after the command for a transport; `PORT` stands for the port.
    stdio: &'static [&'static str],
    http: &'static [&'static str],
}

impl Peer {
    pub(crate) fn all() -> Vec<Self> {
        let ours = PathBuf::from(env!("CARGO_BIN_EXE_mcprove"));
        let example = |name: &str| ours.with_file_name("examples").join(name);
        let installed = |variable: &str| PathBuf::from(std::env::var_os(variable).unwrap_or_default());
        let (ts, py) = (installed("PEER_TS"), installed("PEER_PY"));
        let peer = |name, command: &[PathBuf]| Self {
            name,
            command: command.to_vec(),
            stdio: &[],
            http: &["http", "PORT"],
        };
        vec![
            Self {
                stdio: &["serve"],
                http: &["serve", "--http", "127.0.0.1:PORT"],
                ..peer("mcprove", std::slice::from_ref(&ours))
            },
            Self {
                stdio: &["minimal"],
                http: &["minimal", "http", "PORT"],
                ..peer("minimal", &[std::env::current_exe().unwrap_or_default()])
            },
            Self { http: &["PORT"], ..peer("rmcp", &[example("peer_rmcp")]) },
            Self {
                stdio: &["single"],
                http: &["single", "PORT"],
                ..peer("rmcp-single", &[example("peer_rmcp")])
            },
            peer("typescript", &["node".into(), ts.join("peer.mjs")]),
            peer("python", &[py.join("venv/bin/python"), py.join("peer.py")]),
        ]
    }

    /// Why it cannot be started, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        let missing =
            self.command.iter().find(|part| part.parent().is_some_and(|p| p != "") && !part.exists());
        missing.map(|part| format!("{} is not there", part.display()))
    }

    fn command(&self, words: &[&str], port: u16) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.args(words.iter().map(|word| word.replace("PORT", &port.to_string())));
        command.stderr(Stdio::null());
        command
    }
}

/// A server at work, ended when dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn on_stdio(peer: &Peer) -> Result<(Self, ChildStdin, ChildStdout), Failure> {
        let mut command = peer.command(peer.stdio, 0);
        let mut child = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let (stdin, stdout) = (child.0.stdin.take(), child.0.stdout.take());
        Ok((child, stdin.ok_or("no standard input")?, stdout.ok_or("no standard output")?))
    }

    pub(crate) fn on_http(peer: &Peer) -> Result<(Self, u16), Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = peer.command(peer.http, port);
        let mut running = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = running.0.try_wait()? {
                return Err(format!("it ended before it listened: {status}").into());
            }
            if began.elapsed() > START {
                return Err("it does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok((running, port))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// User and system time of the process and all that descend from it.
    pub(crate) fn cpu_time(&self) -> Duration {
        let ticks: u64 = tree(self.0.id()).iter().map(|pid| ticks(*pid)).sum();
        let each = rustix::param::clock_ticks_per_second();
        Duration::from_secs_f64(ticks as f64 / each as f64)
    }

    /// Keeps the process and all that descend from it on some cores.
    pub(crate) fn stay_on(&self, cores: &CpuSet) {
        for pid in tree(self.0.id()) {
            for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let thread = thread.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some(thread) = thread.and_then(Pid::from_raw) {
                    // It may have ended since.
                    let _ = sched_setaffinity(Some(thread), cores);
                }
            }
        }
    }

    /// Resident memory of the process and all that descend from it.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        let mut sum = 0;
        for pid in tree(self.0.id()) {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
            sum += 1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends these processes if they still run after a while.
pub(crate) fn end_after(limit: Duration, pids: Vec<Pid>) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        for pid in pids {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let mut pids = vec![root];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        next += 1;
    }
    pids
}

/// `utime` and `stime` of a process, in clock ticks; 0 for one that is gone.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program comes before, in parentheses, and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_ascii_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
