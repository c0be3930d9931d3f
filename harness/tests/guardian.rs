//! Nothing that a target started outlives a harness that was killed with SIGKILL.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use mcprove::wire::{Channel, CommandLine, Event, Flow, Limits, Observer, Process};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Set in the child that plays the harness.
const ROLE: &str = "MCPROVE_TEST_GUARDIAN_ROLE";

/// A target with a child in its group and one that left it, which print their numbers.
const TARGET: &str = "sleep 300 & echo $!; setsid sh -c 'echo $$; exec sleep 300' & sleep 0.2; echo $$; cat";

struct Lines(mpsc::Sender<String>);

impl Observer for Lines {
    fn observe(&self, _: Channel, event: Event) -> Flow {
        if let Event::Received { payload, .. } = event {
            let _ = self.0.send(String::from_utf8_lossy(payload.bytes()).into_owned());
        }
        Flow::Continue
    }
}

/// Not a test of its own: the part that is killed. It starts a target, tells who lives, and waits.
#[test]
fn plays_the_harness() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, lines) = mpsc::channel();
        let command = CommandLine {
            program: "sh".to_owned(),
            args: vec!["-c".to_owned(), TARGET.to_owned()],
            env: BTreeMap::new(),
            cwd: None,
        };
        let _process = Process::start(&command, &Limits::default(), Arc::new(Lines(sender))).unwrap();
        for _ in 0..3 {
            let line = lines.recv_timeout(Duration::from_secs(5)).unwrap();
            println!("\nLIVES {line}");
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    });
}

#[test]
fn a_killed_harness_leaves_nothing_behind() {
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["plays_the_harness", "--exact", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(harness.stdout.take().unwrap()).lines();
    let pids: Vec<u32> =
        lines.filter_map(|line| line.unwrap().strip_prefix("LIVES ")?.trim().parse().ok()).take(3).collect();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|&pid| lives(pid)), "not all of {pids:?} live");

    let killed = Instant::now();
    harness.kill().unwrap();
    harness.wait().unwrap();
    while pids.iter().any(|&pid| lives(pid)) {
        assert!(killed.elapsed() < Duration::from_secs(2), "some of {pids:?} outlived the harness");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
