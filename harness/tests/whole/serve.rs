//! `mcprove serve` as a program: what only shows with a process, its pipes and its memory.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

/// Ended when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcprove"));
        command.arg("serve").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn http() -> (Self, SocketAddr) {
        let mut served = Self::start(&["--http", "127.0.0.1:0"]);
        let mut line = String::new();
        BufReader::new(served.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_once("http://").unwrap().1.split_once('/').unwrap().0.parse().unwrap();
        (served, address)
    }

    /// Resident memory in bytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }
}

fn status_of(address: SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn ten_thousand_idle_connections_cost_little() {
    const WANTED: u64 = 10_000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = WANTED.min(limit.saturating_sub(200));
    if count < WANTED {
        println!("only {count} connections: the limit of descriptors is {limit}");
    }
    let (served, address) = Served::http();
    let before = served.memory();
    let began = Instant::now();
    let mut idle = Vec::new();
    for n in 0..count {
        idle.push(TcpStream::connect(address).unwrap());
        if n % 2000 == 0 {
            assert_eq!(status_of(address, INITIALIZE), "HTTP/1.1 200 OK");
        }
    }
    assert_eq!(status_of(address, INITIALIZE), "HTTP/1.1 200 OK");
    let each = (served.memory() - before) / count;
    println!("{count} connections in {:?}, {each} bytes each", began.elapsed());
    assert!(each < 4096, "{each} bytes each");
}

#[test]
fn what_is_asked_before_anything_is_read_is_answered_in_order() {
    let mut served = Served::start(&[]);
    let (mut stdin, stdout) = (served.0.stdin.take().unwrap(), served.0.stdout.take().unwrap());
    writeln!(stdin, "{INITIALIZE}").unwrap();
    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").unwrap();
    // Its answers are far more than a pipe holds, so that the server has to wait for this client to read.
    const CALLS: usize = 400;
    let text = "x".repeat(2000);
    let writing = std::thread::spawn(move || {
        for id in 1..=CALLS {
            let name = if id % 10 == 0 { "log_levels" } else { "echo" };
            let arguments = if id % 10 == 0 { "{}".to_owned() } else { format!(r#"{{"text":"{text}"}}"#) };
            writeln!(
                stdin,
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
            )
            .unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let mut lines = BufReader::new(stdout).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["id"], 0);
    for id in 1..=CALLS {
        if id % 10 == 0 {
            // The level of a session is `info` at first, so `debug` is not among them.
            for _ in 0..7 {
                assert_eq!(next()["method"], "notifications/message", "before the answer to {id}");
            }
        }
        assert_eq!(next()["id"], id);
    }
    writing.join().unwrap();
}

#[test]
fn bad_paces_are_refused() {
    for (flag, value) in [("--delay", "soon"), ("--stall", "4s"), ("--chaos", "x")] {
        let mut served = Served::start(&[flag, value]);
        let mut told = String::new();
        served.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(served.0.wait().unwrap().code(), Some(2), "{flag}");
        assert!(told.contains(flag), "{told}");
        assert!(!told.contains("invalid digit"), "{told}");
    }
}

#[test]
fn a_subscription_ends_with_its_result_when_the_process_is_told_to_end() {
    let listen = r#"{"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    for signal in ["TERM", "INT"] {
        let (mut served, address) = Served::http();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let length = listen.len();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nContent-Length: {length}\r\n\r\n{listen}"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut text = String::new();
        while !text.contains("acknowledged") {
            assert!(reader.read_line(&mut text).unwrap() > 0, "{text}");
        }
        let id = served.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        reader.read_to_string(&mut text).unwrap();
        assert!(text.contains(r#""resultType":"complete""#), "{text}");
        let told = Instant::now();
        while served.0.try_wait().unwrap().is_none() {
            assert!(told.elapsed() < Duration::from_secs(3), "the process goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What is said on standard error until the server serves, or ends.
#[cfg(feature = "enterprise")]
fn said_at_the_start(args: &[&str]) -> String {
    let mut served = Served::start(args);
    drop(served.0.stdin.take());
    let mut said = String::new();
    for line in BufReader::new(served.0.stderr.as_mut().unwrap()).lines().map_while(Result::ok) {
        if line.contains("serves MCP") {
            break;
        }
        said.push_str(&line);
    }
    said
}

#[cfg(feature = "enterprise")]
#[test]
fn what_has_no_effect_is_told_at_the_start() {
    let role = ["--role", "guest"];
    assert!(said_at_the_start(&role).contains("--role (MCPROVE_ROLE) has no effect without --profile"));
    assert_eq!(said_at_the_start(&[&role[..], &["--profile", "enterprise"]].concat()), "");
    let file = std::env::temp_dir().join(format!("mcprove-roles-{}.toml", std::process::id()));
    let digest = "a0".repeat(32);
    let token = format!("[[token]]\nprincipal = 'sue'\nrole = 'a'\nsha256 = '{digest}'\n");
    std::fs::write(&file, format!("least = 'a'\n[[role]]\nname = 'a'\n{token}")).unwrap();
    let profile = ["--http", "127.0.0.1:0", "--profile", "enterprise", "--roles", file.to_str().unwrap()];
    assert_eq!(said_at_the_start(&profile), "");
    let told = said_at_the_start(&[&profile[..], &["--with-test-authorization-server"]].concat());
    assert!(told.contains("the tokens of the role file are not taken"), "{told}");
    std::fs::remove_file(file).unwrap();
}

#[cfg(feature = "enterprise")]
#[test]
fn what_cannot_be_meant_so_is_refused() {
    let http = ["--http", "127.0.0.1:0"];
    let jwks = ["--jwks-url", "http://127.0.0.1:1/jwks"];
    let cases: [(&[&str], &str); 3] = [
        (&["--profile", "enterprise", "--role", "manager"], "leave `manager` out"),
        (&["--trust-issuer", "", jwks[0], jwks[1]], "expected what tokens have in `iss`"),
        (&["--trust-issuer", " ", jwks[0], jwks[1]], "expected what tokens have in `iss`"),
    ];
    for (args, expected) in cases {
        let mut served = Served::start(&[&http[..], args].concat());
        let mut told = String::new();
        served.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(served.0.wait().unwrap().code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[cfg(feature = "enterprise")]
#[test]
fn tokens_for_anybody_are_given_on_this_machine_only() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let mut served = Served::start(&["--http", address, "--with-test-authorization-server"]);
        let mut told = String::new();
        served.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(served.0.wait().unwrap().code(), Some(2), "{address}: {told}");
        assert!(told.contains("gives tokens to anybody, so --http has to be a loopback address"), "{told}");
    }
}

#[cfg(feature = "enterprise")]
#[test]
fn a_server_at_all_addresses_names_one_that_clients_can_call_at() {
    let issuer = ["--trust-issuer", "http://127.0.0.1:1", "--jwks-url", "http://127.0.0.1:1/jwks"];
    for (more, host) in [(&[][..], "localhost"), (&["--allow-host", "mcp.example"], "mcp.example")] {
        let mut served = Served::start(&[&["--http", "0.0.0.0:0"], &issuer[..], more].concat());
        let mut line = String::new();
        let mut told = BufReader::new(served.0.stderr.take().unwrap());
        while !line.contains("serves MCP") {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0);
        }
        let port = line.split_once("0.0.0.0:").unwrap().1.split_once('/').unwrap().0.to_owned();
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(
            stream,
            "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.contains(&format!("\"resource\":\"http://{host}:{port}/mcp\"")), "{text}");
    }
}
