//! Child processes: what they do is told, and nothing of them is left.
#![cfg(target_os = "linux")]

use bytes::Bytes;
use mcprove::wire::{
    Channel, CommandLine, Event, Exit, Flow, Limits, Observer, Payload, Process, ShutdownStep, StartError,
    WriteError,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Keeps what it is told, up to a number of received lines.
struct Log {
    events: Mutex<Vec<Event>>,
    room: usize,
}

impl Log {
    fn new(room: usize) -> Arc<Self> {
        Arc::new(Self { events: Mutex::default(), room })
    }

    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        let text = |event| match event {
            Event::Received { payload, .. } => Some(String::from_utf8_lossy(payload.bytes()).into_owned()),
            _ => None,
        };
        self.events().into_iter().filter_map(text).collect()
    }

    fn notes(&self) -> Vec<String> {
        let text = |event| if let Event::Note(text) = event { Some(text) } else { None };
        self.events().into_iter().filter_map(text).collect()
    }

    fn count(&self, test: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|event| test(event)).count()
    }

    async fn until(&self, test: impl Fn(&Event) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.count(&test) == 0 {
            assert!(Instant::now() < deadline, "not seen in {:?}", self.events());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Observer for Log {
    fn observe(&self, channel: Channel, event: Event) -> Flow {
        assert_eq!(channel, Channel::PROCESS);
        let mut events = self.events.lock().unwrap();
        events.push(event);
        let received = events.iter().rev().take(self.room + 1);
        if events.len() > self.room && received.count() > self.room { Flow::Stop } else { Flow::Continue }
    }
}

fn sh(script: &str) -> CommandLine {
    CommandLine {
        program: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::new(),
        cwd: None,
    }
}

fn limits() -> Limits {
    let quick = Duration::from_millis(300);
    Limits { message: 1 << 16, write: quick, exit: quick, ..Limits::default() }
}

fn start(script: &str) -> (Process, Arc<Log>) {
    let log = Log::new(10_000);
    (Process::start(&sh(script), &limits(), Arc::clone(&log) as Arc<dyn Observer>).unwrap(), log)
}

fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Killed processes of others become zombies for a moment, until their new parent reaps them.
fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn message(text: &str) -> Payload {
    Payload::read(Bytes::copy_from_slice(text.as_bytes()))
}

async fn bounded<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("took longer than ten seconds")
}

#[tokio::test]
async fn an_echo_is_told_in_order_and_ends_when_its_input_closes() {
    let (process, log) = start("cat");
    let pid = process.pid();
    process.write(message(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), None).await.unwrap();
    log.until(|event| matches!(event, Event::Received { .. })).await;
    assert!(process.is_running());
    let exit = bounded(process.shutdown()).await;
    let expected =
        Exit { code: Some(0), signal: None, after: ShutdownStep::StdinClosed, left_behind: 0, gone: true };
    assert_eq!(exit, expected);
    assert_eq!(state(pid), None, "it was not reaped");
    assert!(!process.is_running());
    let kinds: Vec<_> = log
        .events()
        .iter()
        .map(|event| match event {
            Event::ProcessStarted { .. } => "started",
            Event::Sent { payload: Payload::Message(_), .. } => "sent",
            Event::Received { payload: Payload::Message(_), .. } => "received",
            Event::StdinClosed => "stdin closed",
            Event::StdoutClosed => "stdout closed",
            Event::ProcessExited { .. } => "exited",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["started", "sent", "received", "stdin closed", "stdout closed", "exited"]);
}

#[test]
fn it_works_on_both_kinds_of_runtime() {
    let mut multi = tokio::runtime::Builder::new_multi_thread();
    for builder in [&mut tokio::runtime::Builder::new_current_thread(), multi.worker_threads(2)] {
        builder.enable_all().build().unwrap().block_on(async {
            let (process, log) = start("cat");
            process.write(message("1"), None).await.unwrap();
            log.until(|event| matches!(event, Event::Received { .. })).await;
            assert_eq!(bounded(process.shutdown()).await.code, Some(0));
        });
    }
}

#[tokio::test]
async fn one_that_dies_at_once_is_told_with_its_last_words() {
    let (process, log) = start("echo no config >&2; printf '{}\\nhalf'; exit 3");
    let exit = bounded(process.exited()).await;
    assert_eq!((exit.code, exit.after), (Some(3), ShutdownStep::None));
    assert_eq!(process.stderr_tail(), "no config\n");
    assert_eq!(log.lines(), ["{}", "half"]);
    assert!(log.notes().iter().any(|note| note.contains("no line end")), "{:?}", log.notes());
    assert!(matches!(log.events().last(), Some(Event::ProcessExited { code: Some(3), .. })));
    let error = process.write(message("1"), None).await.unwrap_err();
    assert!(matches!(error, WriteError::Closed), "{error}");
    assert_eq!(log.count(|event| matches!(event, Event::WriteFailed(_))), 1);
    assert_eq!(bounded(process.shutdown()).await.code, Some(3));
}

#[tokio::test]
async fn one_that_ignores_its_closed_input_gets_sigterm() {
    let (process, log) = start("echo up; exec sleep 300");
    log.until(|event| matches!(event, Event::Received { .. })).await;
    let exit = bounded(process.shutdown()).await;
    assert_eq!((exit.code, exit.signal, exit.after), (None, Some(15), ShutdownStep::Sigterm));
}

#[tokio::test]
async fn one_that_ignores_sigterm_gets_sigkill() {
    let (process, log) = start("trap '' TERM; echo up; while :; do sleep 0.05; done");
    log.until(|event| matches!(event, Event::Received { .. })).await;
    let exit = bounded(process.shutdown()).await;
    assert_eq!((exit.signal, exit.after, exit.gone), (Some(9), ShutdownStep::Sigkill, true));
    assert_eq!(state(process.pid()), None);
}

#[tokio::test]
async fn what_it_leaves_behind_is_counted_and_killed() {
    // One in its group, one in a session of its own; both hold standard output open.
    let (process, log) =
        start("sleep 300 & echo $!; setsid sh -c 'echo $$; exec sleep 300' & sleep 0.1; read x");
    log.until(|event| matches!(event, Event::Received { .. })).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pids: Vec<u32> = log.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|&pid| lives(pid)));
    let began = Instant::now();
    let exit = bounded(process.shutdown()).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!((exit.after, exit.left_behind), (ShutdownStep::StdinClosed, 2));
    assert!(pids.iter().all(|&pid| !lives(pid)), "{pids:?}");
    assert!(log.notes().iter().any(|note| note.starts_with("2 processes")), "{:?}", log.notes());
    assert_eq!(log.count(|event| matches!(event, Event::StdoutClosed)), 1);
}

#[tokio::test]
async fn two_targets_do_not_end_each_other() {
    let (one, _) = start("cat");
    let (two, log) = start("cat");
    assert_eq!(bounded(one.shutdown()).await.code, Some(0));
    two.write(message("7"), None).await.unwrap();
    log.until(|event| matches!(event, Event::Received { .. })).await;
    assert_eq!(bounded(two.shutdown()).await.code, Some(0));
}

#[tokio::test]
async fn dropping_kills_at_once() {
    let (process, log) = start("trap '' TERM; setsid sleep 300 & echo $!; while :; do sleep 0.05; done");
    log.until(|event| matches!(event, Event::Received { .. })).await;
    let child: u32 = log.lines()[0].parse().unwrap();
    let pid = process.pid();
    drop(process);
    log.until(|event| matches!(event, Event::ProcessExited { signal: Some(9), .. })).await;
    assert_eq!(state(pid), None);
    assert!(!lives(child));
}

#[test]
fn dropping_the_runtime_with_it_kills_and_reaps_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (process, log) = runtime.block_on(async { start("sleep 300") });
    drop(runtime);
    let pid = process.pid();
    drop(process);
    let deadline = Instant::now() + Duration::from_secs(5);
    while log.count(|event| matches!(event, Event::ProcessExited { .. })) == 0 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(state(pid), None);
}

#[tokio::test]
async fn a_flood_is_stopped_when_the_observer_has_enough() {
    let log = Log::new(1000);
    let process = Process::start(&sh("yes 1"), &limits(), Arc::clone(&log) as Arc<dyn Observer>).unwrap();
    let exit = bounded(process.exited()).await;
    assert_eq!((exit.signal, exit.after), (Some(9), ShutdownStep::Sigkill));
    assert_eq!(log.count(|event| matches!(event, Event::Flooded { bytes: 1.. })), 1);
    assert!(log.lines().len() <= 1001);
}

#[tokio::test]
async fn a_flood_of_standard_error_is_drained_and_told_in_part() {
    let (process, log) = start("yes 12345678901234567890 | head -c 3000000 >&2; echo done; read x");
    log.until(|event| matches!(event, Event::Received { .. })).await;
    bounded(process.shutdown()).await;
    let told: usize =
        log.events().iter().map(|event| if let Event::Stderr(bytes) = event { bytes.len() } else { 0 }).sum();
    assert!((256 << 10..300 << 10).contains(&told), "{told}");
    assert_eq!(log.notes().len(), 1, "{:?}", log.notes());
    assert!(process.stderr_tail().len() <= 8 << 10);
}

#[tokio::test]
async fn an_endless_line_is_cut() {
    let (process, log) = start("head -c 1000000 /dev/zero | tr '\\0' a; echo; echo 1; read x");
    log.until(|event| matches!(event, Event::Received { payload: Payload::Message(_), .. })).await;
    bounded(process.shutdown()).await;
    let Some(Event::Received { payload: Payload::Raw { bytes, truncated, .. }, .. }) =
        log.events().into_iter().find(|event| matches!(event, Event::Received { .. }))
    else {
        panic!("{:?}", log.events());
    };
    assert!(truncated && bytes.len() <= limits().message);
}

#[tokio::test]
async fn closing_standard_output_is_told_while_it_lives_on() {
    let (process, log) = start("exec >&-; read x; exit 4");
    log.until(|event| matches!(event, Event::StdoutClosed)).await;
    assert!(process.is_running());
    assert_eq!(bounded(process.shutdown()).await.code, Some(4));
}

#[tokio::test]
async fn one_that_reads_nothing_makes_the_write_fail_in_time() {
    let (process, log) = start("exec sleep 300");
    let big = Payload::Raw { bytes: vec![b' '; 1 << 20].into(), error: None, truncated: false };
    let error = bounded(process.write(big, None)).await.unwrap_err();
    assert!(matches!(error, WriteError::TimedOut { .. }), "{error}");
    let error = process.write(message("1"), None).await.unwrap_err();
    assert!(matches!(error, WriteError::Torn), "{error}");
    assert_eq!(log.count(|event| matches!(event, Event::WriteFailed(_))), 2);
    bounded(process.shutdown()).await;
}

#[tokio::test]
async fn a_write_that_waits_does_not_hold_up_the_shutdown() {
    let log = Log::new(1000);
    let limits = Limits { write: Duration::from_mins(1), ..limits() };
    let observer = Arc::clone(&log) as Arc<dyn Observer>;
    let process = Arc::new(Process::start(&sh("exec sleep 300"), &limits, observer).unwrap());
    let big = Payload::Raw { bytes: vec![b' '; 1 << 20].into(), error: None, truncated: false };
    let writer = tokio::spawn({
        let process = Arc::clone(&process);
        async move { process.write(big, None).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    bounded(process.shutdown()).await;
    assert!(matches!(bounded(writer).await.unwrap(), Err(WriteError::Closed)));
}

#[tokio::test]
async fn a_large_message_and_its_echo_do_not_block_each_other() {
    let log = Log::new(10_000);
    let limits = Limits { message: 8 << 20, ..limits() };
    let process = Process::start(&sh("cat"), &limits, Arc::clone(&log) as Arc<dyn Observer>).unwrap();
    let text = format!("\"{}\"", "a".repeat(4 << 20));
    bounded(process.write(message(&text), None)).await.unwrap();
    log.until(|event| matches!(event, Event::Received { .. })).await;
    assert_eq!(log.lines()[0].len(), text.len());
    bounded(process.shutdown()).await;
}

#[tokio::test]
async fn raw_bytes_go_out_in_pieces_and_unchanged() {
    let (process, log) = start("cat");
    let pause = Duration::from_millis(30);
    let pieces = |texts: &[&'static [u8]]| {
        texts.iter().map(|text| (Bytes::from_static(text), pause)).collect::<Vec<_>>()
    };
    let began = Instant::now();
    process.write_raw(pieces(&[b"{\"a\"", b":1}", b"\n"]), None).await.unwrap();
    assert!(began.elapsed() >= 3 * pause);
    process.write_raw(pieces(&[b"\xff\r", b"\n\n"]), None).await.unwrap();
    let exit = bounded(process.shutdown()).await;
    assert_eq!(exit.code, Some(0));
    let sent: Vec<_> = log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Sent { payload, .. } => Some((payload.message().is_some(), payload.bytes().to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(true, b"{\"a\":1}".to_vec()), (false, b"\xff\r\n\n".to_vec())]);
    let received: Vec<_> = log
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Received { payload, .. } => Some(payload.bytes().to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(received, [b"{\"a\":1}".to_vec(), b"\xff".to_vec(), b"".to_vec()]);
    assert!(log.notes().iter().any(|note| note.contains("CR LF")));
}

#[tokio::test]
async fn an_abandoned_write_is_told() {
    let (process, log) = start("exec sleep 300");
    let big = Payload::Raw { bytes: vec![b' '; 1 << 20].into(), error: None, truncated: false };
    let write = process.write(big, None);
    assert!(tokio::time::timeout(Duration::from_millis(50), write).await.is_err());
    assert_eq!(log.count(|event| matches!(event, Event::WriteFailed(_))), 1);
    assert!(matches!(process.write(message("1"), None).await, Err(WriteError::Torn)));
    bounded(process.kill()).await;
}

#[tokio::test]
async fn a_failed_start_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let attempt = |program: &str, cwd: Option<&str>| {
        let command = CommandLine {
            program: program.to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: cwd.map(Into::into),
        };
        Process::start(&command, &limits(), Log::new(9)).unwrap_err()
    };
    let error = attempt("no-such-program-here", None);
    assert!(matches!(error, StartError::NotInPath { .. }), "{error}");
    let error = attempt("./no-such-file", None);
    assert!(matches!(error, StartError::NoFile { .. }), "{error}");
    let error = attempt(&file("plain", "x", 0o644), None);
    assert!(matches!(error, StartError::NotExecutable { .. }), "{error}");
    let error = attempt(&file("binary", "\u{1}\u{2}", 0o755), None);
    assert!(matches!(error, StartError::NoProgram { .. }), "{error}");
    let error = attempt(&file("script", "#!/no/such/python -u\n", 0o755), None);
    assert!(error.to_string().contains("/no/such/python`"), "{error}");
    let error = attempt("sh", Some("/no/such/directory"));
    assert!(matches!(error, StartError::Directory { .. }), "{error}");
}

#[test]
fn outside_a_runtime_the_start_fails_kindly() {
    let error = Process::start(&sh("cat"), &limits(), Log::new(9)).unwrap_err();
    assert!(matches!(error, StartError::NoRuntime), "{error}");
}
