//! Each bug of the buggy profile shows itself by the fewest calls that its table names, and not before.

use crate::program::PROGRAM;
use mcprove_reference_server::{Shows, bugs};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long an answer is waited for; the slowest tool takes 10 ms.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this much silence a call hangs.
const SILENCE: Duration = Duration::from_millis(300);

/// The profile in a process of its own.
struct Served {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    sent: u64,
}

impl Served {
    fn start() -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--profile", "buggy"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, answers) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        let input = child.stdin.take().unwrap();
        let mut served = Self { child, input, answers, sent: 0 };
        let info = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        served.send("initialize", params);
        served.answer(PATIENCE).unwrap();
        writeln!(served.input, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();
        served
    }

    fn send(&mut self, method: &str, params: Value) {
        self.sent += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params});
        writeln!(self.input, "{message}").unwrap();
    }

    fn answer(&self, patience: Duration) -> Option<Value> {
        self.answers.recv_timeout(patience).ok()
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_bug_shows_itself_by_its_minimum() {
    for bug in bugs() {
        let mut served = Served::start();
        let calls = (bug.minimum)();
        let (last, before) = calls.split_last().unwrap();
        let call = |arguments: &Value| json!({"name": bug.tool, "arguments": arguments});
        // Two at once where that is the bug.
        let at_once = bug.tool == "print";
        let mut earlier = Vec::new();
        for arguments in before {
            served.send("tools/call", call(arguments));
            if !at_once {
                let answer = served.answer(PATIENCE).unwrap_or_else(|| panic!("{}: no answer", bug.tool));
                assert!(answer.get("result").is_some(), "{}: {answer}", bug.tool);
                earlier.push(answer);
            }
        }
        let held = served.resident_kib();
        served.send("tools/call", call(last));
        let patience = if bug.shows == Shows::Hang { SILENCE } else { PATIENCE };
        let answer = served.answer(patience);
        let told = format!("{}: {answer:?}", bug.tool);
        let text = |answer: &Value| answer["result"]["content"][0]["text"].as_str().map(str::to_owned);
        match (bug.shows, answer) {
            (Shows::Crash, None) => {
                assert!(!served.child.wait().unwrap().success(), "{}", bug.tool);
            }
            (Shows::Hang, None) => assert!(served.child.try_wait().unwrap().is_none(), "{}", bug.tool),
            (Shows::Error, Some(answer)) => assert_eq!(answer["error"]["code"], -32603, "{told}"),
            (Shows::WrongOutput, Some(answer)) => {
                served.send("tools/list", json!({}));
                let list = served.answer(PATIENCE).unwrap();
                let mut tools = list["result"]["tools"].as_array().unwrap().iter();
                let tool = tools.find(|tool| tool["name"] == bug.tool).unwrap();
                let right = jsonschema::validator_for(&tool["outputSchema"]).unwrap();
                assert!(!right.is_valid(&answer["result"]["structuredContent"]), "{told}");
            }
            (Shows::Accepted, Some(answer)) => assert_eq!(answer["result"]["isError"], false, "{told}"),
            (Shows::OtherAnswer, Some(answer)) => assert_ne!(text(&answer), text(&earlier[0]), "{told}"),
            (Shows::Echo, Some(answer)) => assert!(text(&answer).unwrap().ends_with(": a"), "{told}"),
            (Shows::Leak, Some(_)) => assert!(served.resident_kib() > held + 3000, "{told}"),
            _ => panic!("{told}"),
        }
    }
}
