//! Makes recordings: of the reference server, and of conversations that are written down.

use crate::program::{PROGRAM, run_in};
use crate::talk::{Calls, Plan, converse};
use mcprove::client::Binding;
use mcprove::protocol::Revision;
use mcprove::wire::CommandLine;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use url::Url;

const PLAN: Plan = Plan { calls: Calls::All, each: 100, brief: false };

/// Ended when dropped, so that it writes its recording to the end.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Starts the program in a folder and waits until it says where it serves.
pub(crate) fn serving(folder: &Path, args: &[&str]) -> (Running, Url) {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    // What it says later must not keep it waiting.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    let running = Running(child);
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    (running, Url::parse(url.unwrap_or_else(|| panic!("{line}"))).unwrap())
}

/// A server of the program over HTTP.
pub(crate) fn server(folder: &Path, args: &[&str]) -> (Running, Url) {
    serving(folder, &["serve", "--http", "127.0.0.1:0"].iter().chain(args).copied().collect::<Vec<_>>())
}

fn talk_to(binding: &Binding, revision: Revision) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(converse(binding, revision, PLAN)).unwrap()
}

/// A file in a folder that a recording is to be in; what was recorded there before goes.
fn anew(folder: &Path, out: &str) -> PathBuf {
    let out = folder.join(out);
    let _ = std::fs::remove_file(&out);
    out
}

/// Records a conversation with a server of the program over STDIO.
pub(crate) fn over_stdio(folder: &Path, out: &str, server: &[&str], revision: Revision) -> usize {
    let out = anew(folder, out);
    let words = [PROGRAM, "record", "--quiet", "--out", out.to_str().unwrap(), "--", PROGRAM, "serve"];
    let words = words.iter().chain(server).map(|word| (*word).to_owned());
    let command = CommandLine { cwd: Some(folder.to_owned()), ..CommandLine::new(words).unwrap() };
    talk_to(&Binding::Stdio(command), revision)
}

/// Records so many conversations with a server over HTTP.
pub(crate) fn over_http(folder: &Path, out: &str, upstream: &Url, revision: Revision, times: usize) -> usize {
    let out = anew(folder, out);
    let args = [
        "record",
        "--out",
        out.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        upstream.as_str(),
    ];
    let (_recorder, url) = serving(folder, &args);
    (0..times).map(|_| talk_to(&Binding::Http(url.clone()), revision)).sum()
}

/// A recording of lines with arrows.
pub(crate) fn written(folder: &Path, name: &str, arrows: &str) {
    std::fs::write(folder.join(format!("{name}.txt")), arrows).unwrap();
    let ran = run_in(folder, &["transcript", "import", &format!("{name}.txt"), "--out", name]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
}

/// Where no file may grow any further, the conversation goes on, as it does where a disk is full.
#[test]
fn a_limit_on_files_ends_no_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "ulimit -f 8; yes '{{\"jsonrpc\":\"2.0\",\"method\":\"a\"}}' | head -n 2000 | {PROGRAM} record --out t.jsonl -- cat"
    );
    let ran =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&ran.stdout).lines().count(), 2000, "{stderr}");
    assert!(stderr.contains("could not be recorded"), "{stderr}");
    assert!(!stderr.contains("mcprove recorded"), "{stderr}");
}

/// A client starts its servers again with the same command.
#[test]
fn a_recording_is_kept_when_the_next_one_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for times in 1..3 {
        let ran = run_in(folder.path(), &["record", "--out", "talk.transcript.jsonl", "--", "true"]);
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        assert_eq!(ran.stderr.contains("was kept"), times > 1, "{}", ran.whole());
        let names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), times, "{names:?}");
        assert!(names.iter().all(|name| name.ends_with(".transcript.jsonl")), "{names:?}");
    }
}
