//! Targets that misbehave (`fixtures/hostile/`): each must end in the right finding, or, where no answer ever came that
//! can be judged, in exit code 3 with a message that says what to do; in bounded time and memory, with a complete
//! report, and with no process left. One test a target.
//!
//! `MCPROVE_MEASURE=1` prints time and peak memory of each.

#[path = "../../fixtures/hostile/main.rs"]
mod hostile;

#[path = "hostile/cases.rs"]
mod cases;

use cases::{CASES, Case, MISANSWERS};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The word with which this program serves as a target.
const TARGET: &str = "hostile-target";
/// Carried in the environment by everything that a test starts.
const MARK: &str = "MCPROVE_HOSTILE_TEST";
/// The most memory that the harness may take, in KiB.
const MEMORY: u64 = 300 << 10;
/// The longest that a check may take on a busy machine.
const TIME: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == TARGET).is_some() {
        hostile::run(words);
    }
    let mut arguments = Arguments::from_args();
    // They wait most of the time.
    arguments.test_threads.get_or_insert(8);
    let trials = CASES.iter().map(|case| Trial::test(case.target.replace(' ', "_"), move || test(case)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// What a run left.
struct Seen {
    code: Option<i32>,
    took: Duration,
    peak: u64,
    stdout: String,
    stderr: String,
    remarks: String,
    /// Whether the page of the report was drawn to its end.
    drawn: bool,
    rows: BTreeMap<String, Vec<(String, Value)>>,
    footer: Value,
}

fn test(case: &Case) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mark = format!("{}-{}", std::process::id(), case.target.replace(' ', "-"));
    let seen = run(case, folder.path(), &mark)?;
    let left = marked(&mark);
    for pid in &left {
        let _ = Command::new("kill").args(["-KILL", pid]).status();
    }
    let mut wrong = judge(case, &seen);
    if !left.is_empty() {
        wrong.push(format!("{} processes are left", left.len()));
    }
    if std::env::var_os("MCPROVE_MEASURE").is_some() {
        eprintln!(
            "{:36} exit {:?} {:6.1} s {:4} MiB {} starts",
            case.target,
            seen.code,
            seen.took.as_secs_f64(),
            seen.peak >> 10,
            seen.footer["process_starts"]
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n--- stdout\n{}\n--- stderr\n{}", wrong.join("\n"), seen.stdout, seen.stderr).into())
}

/// Everything that is not as the case says.
fn judge(case: &Case, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |good: bool, what: String| {
        if !good {
            wrong.push(what);
        }
    };
    demand(
        seen.code == Some(case.exit),
        format!("exit code {:?} (error: {}), expected {}", seen.code, seen.footer["error"], case.exit),
    );
    demand(seen.took < TIME, format!("it took {:?}", seen.took));
    demand(seen.peak < MEMORY, format!("it took {} MiB", seen.peak >> 10));
    demand(!seen.footer.is_null(), "the run has no footer".to_owned());
    demand(seen.drawn, "index.html is not complete".to_owned());
    let outcomes = |id: &str| -> Vec<&str> {
        let rows = seen.rows.get(id).map(Vec::as_slice).unwrap_or_default();
        rows.iter()
            .map(|(outcome, _)| outcome.as_str())
            .filter(|outcome| *outcome != "not-applicable")
            .collect()
    };
    for id in case.fails {
        demand(outcomes(id).contains(&"fail"), format!("{id} should fail, is {:?}", outcomes(id)));
    }
    for id in case.not_pass {
        demand(!outcomes(id).contains(&"pass"), format!("{id} must not pass, is {:?}", outcomes(id)));
    }
    if case.exit == 0 {
        let failed: Vec<&String> = seen
            .rows
            .iter()
            .filter(|(_, rows)| rows.iter().any(|(outcome, _)| outcome == "fail"))
            .map(|(id, _)| id)
            .collect();
        demand(failed.is_empty(), format!("nothing should fail, these do: {failed:?}"));
        demand(
            outcomes("base.jsonrpc.message-kinds").contains(&"pass"),
            "nothing was really seen".to_owned(),
        );
    }
    if case.exit == 3 || case.target == MISANSWERS {
        let passed = seen.rows.values().flatten().filter(|(outcome, _)| outcome == "pass").count();
        demand(passed == 0, format!("{passed} rows pass though no valid answer came"));
    }
    let text = format!(
        "{}\n{}\n{}",
        seen.footer["error"]["message"].as_str().unwrap_or_default(),
        seen.stdout,
        seen.remarks
    );
    for says in case.says {
        demand(text.contains(says), format!("nothing says `{says}`; the error is: {}", seen.footer["error"]));
    }
    wrong
}

/// What the harness remarked in the transcripts; those of floods are left out.
fn remarks(run: &Path) -> String {
    let files = std::fs::read_dir(run.join("transcripts")).into_iter().flatten().flatten();
    let small = files.filter(|file| file.metadata().is_ok_and(|about| about.len() < 1 << 20));
    let texts = small.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let remarks = texts.flat_map(|text| {
        let noted = text.lines().filter(|line| line.contains("\"event\":\"note\"")).map(str::to_owned);
        noted.collect::<Vec<_>>()
    });
    remarks.collect::<Vec<_>>().join("\n")
}

/// Runs the check as a user would.
fn run(case: &Case, folder: &Path, mark: &str) -> Result<Seen, Failed> {
    let out = folder.join("run");
    let mut check = Command::new(env!("CARGO_BIN_EXE_mcprove"));
    // What floods is ended by its bytes and not by time, which a busy machine could make too short.
    let is = |words: &[&str]| words.iter().any(|word| case.target.contains(word));
    let (request, startup) = if is(&["flood", "endless-line", "sse-", "gzip"]) {
        ("10", "10")
    } else if is(&["hangs", "never-", "drip", "wrong-id", "huge", "deep", "dense", "many"]) {
        ("1", "3")
    } else {
        ("4", "3")
    };
    check.args(["check", "--timeout", request, "--startup-timeout", startup, "--out"]).arg(&out);
    let mut server = None;
    match case.target.strip_prefix("path:") {
        Some(path) => {
            let path = match path {
                "not-executable" => plain_file(folder)?,
                other => PathBuf::from(other),
            };
            check.arg("--").arg(path);
        }
        None if case.target == "http:refused" => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            check.arg(format!("http://{}/mcp", listener.local_addr()?));
        }
        None if case.target.starts_with("http:") => {
            let (child, url) = serve(case.target)?;
            server = Some(child);
            check.arg(url);
        }
        None => {
            check.arg("--").arg(std::env::current_exe()?).arg(TARGET).args(case.target.split(' '));
        }
    }
    let begun = Instant::now();
    let files = [folder.join("stdout"), folder.join("stderr")];
    let mut child = check
        .env(MARK, mark)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&files[0])?)
        .stderr(std::fs::File::create(&files[1])?)
        .spawn()?;
    let (mut peak, mut code) = (0, None);
    while begun.elapsed() < TIME {
        peak = peak.max(peak_memory(child.id()));
        if let Some(status) = child.try_wait()? {
            code = status.code();
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = begun.elapsed();
    // Of no effect where it has ended.
    let _ = child.kill();
    let _ = child.wait();
    if let Some(mut server) = server {
        let _ = server.kill();
        let _ = server.wait();
    }
    let mut rows: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    let mut footer = Value::Null;
    for line in std::fs::read_to_string(out.join("run.jsonl")).unwrap_or_default().lines() {
        let event: Value = serde_json::from_str(line)?;
        match event["event"].as_str() {
            Some("result") => {
                let (id, outcome) = (event["requirement"].as_str(), event["outcome"].as_str());
                let (id, outcome) = (id.unwrap_or_default(), outcome.unwrap_or_default());
                rows.entry(id.to_owned()).or_default().push((outcome.to_owned(), event.clone()));
            }
            Some("footer") => footer = event,
            _ => {}
        }
    }
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let page = std::fs::read_to_string(out.join("index.html")).unwrap_or_default();
    let (remarks, drawn) = (remarks(&out), page.trim_end().ends_with("</html>"));
    Ok(Seen {
        remarks,
        drawn,
        code,
        took,
        peak,
        stdout: read(&files[0]),
        stderr: read(&files[1]),
        rows,
        footer,
    })
}

fn plain_file(folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join("server.txt");
    std::fs::write(&path, "no program\n")?;
    Ok(path)
}

/// Starts an HTTP target; it is ours, not the harness's.
fn serve(target: &str) -> Result<(Child, String), Failed> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(TARGET)
        .args(target.split(' '))
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stderr.take().ok_or("no stderr")?).read_line(&mut line)?;
    let url = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    Ok((child, url))
}

/// The most memory that a process has taken so far, in KiB; 0 where the system does not tell.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Processes that carry a mark in their environment.
fn marked(mark: &str) -> Vec<String> {
    let entry = format!("{MARK}={mark}");
    // The guardian ends a moment after the harness.
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let found: Vec<String> = std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|process| process.file_name().into_string().ok())
            .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|pid| {
                let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment.split(|&byte| byte == 0).any(|found| found == entry.as_bytes())
            })
            .collect();
        if found.is_empty() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
