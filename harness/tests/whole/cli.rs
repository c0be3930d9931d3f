//! The whole program: what it prints and how it exits.

use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::program::{PROGRAM, command, finish, run, run_in, settings, valid};

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $text))
    };
}

#[test]
fn help_of_each_verb() {
    for verb in ["check", "inspect", "serve", "list", "explain", "report"] {
        let ran = run(&[verb, "--help"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        settings().bind(|| insta::assert_snapshot!(format!("help_{verb}"), ran.stdout));
    }
    snapshot!("help", run(&["--help"]).whole());
}

#[test]
fn explain_tells_everything() {
    let whole = run(&["explain", "base.error.method-not-found-code"]).whole();
    // The examples are generated; a test holds them against the pages.
    let (before, rest) = whole.split_once("A server that keeps it").unwrap();
    let (examples, after) = rest.split_once("How to mend a server").unwrap();
    assert!(examples.contains("A server that breaks it"), "{whole}");
    snapshot!("explain", format!("{before}How to mend a server{after}"));
    for id in ["stdio.newline-delimited", "ping.periodic", "robustness.numbers", "http.endpoint.single"] {
        let ran = run(&["explain", id]);
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 160), "{}", ran.stdout);
    }
}

#[test]
fn requirements_are_listed() {
    let table = run(&["list", "requirements"]);
    assert_eq!(table.code, Some(0));
    assert!(table.stdout.lines().any(|line| line.starts_with("tools ")), "{}", table.stdout);
    let coverage = run(&["list", "requirements", "--coverage"]);
    assert!(coverage.stdout.lines().any(|line| line.starts_with("all ")), "{}", coverage.stdout);
    snapshot!("list_ping", run(&["list", "requirements", "ping"]).whole());
    let document = run(&["list", "requirements", "--output-format", "json"]).json();
    valid("requirements-v1.schema.json", &document);
    let counts = &document["coverage"];
    let sum =
        ["decided", "conditional", "not_observable", "no_check"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(counts["requirements"].as_u64(), Some(sum.into_iter().sum()));
    assert!(sum[0] > 0);
    for what in ["monitors", "probes"] {
        let ran = run(&["list", what]);
        assert!(ran.code == Some(0) && ran.stdout.contains("decides "), "{}", ran.whole());
    }
}

#[test]
fn wrong_usage_is_explained() {
    let cases: &[&[&str]] = &[
        &["frobnicate"],
        &["check", "--frobnicate"],
        &["check", "server.js"],
        &["check", "localhost:3000"],
        &["check", "ws://localhost/mcp"],
        &["check", "http://127.0.0.1/mcp", "--start", "http://x/"],
        &["check", "--only", "ping,pimg"],
        &["check", "--skip", "tolls"],
        &["check", "--revision", "2025-01-01"],
        &["check", "--requirements", "2020-01-01"],
        &["check", "--shard", "3/2"],
        &["check", "--timeout", "0"],
        &["check", "--rate", "fast"],
        &["check", "--env", "A=1"],
        &["check", "--header", "Authorization"],
        &["check", "--header", "A: b", "--", "true"],
        &["check", "--bearer-env", "MCPROVE_TEST_NOT_SET", "http://127.0.0.1/mcp"],
        &["check", "--ca-cert", "no.pem", "https://127.0.0.1/mcp"],
        &["check", "--cwd", "no-such-folder", "--", "true"],
        &["check", "--redact", "abc", "--", "true"],
        &["check", "--sandbox", "http://127.0.0.1/mcp"],
        &["check", "--config", "no.json"],
        &["check", "--server", "x"],
        &["check", "--target", "node server.js"],
        &["check", "--target", "a=true", "--target", "a=false"],
        &["check", "--target", "a=true", "--target", "b=true", "--output-format", "json"],
        &["check", "--target", "a=true", "--", "true"],
        &["check", "--out", "/dev/null", "--", "true"],
        &["inspect", "--target", "a=true", "--target", "b=true"],
        &["explain", "ping.answred"],
        &["explain", "ping"],
        &["list", "requirements", "tolls"],
        &["report", "no-such-run"],
        &["serve", "--http", "everywhere"],
    ];
    let mut all = String::new();
    for args in cases {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.whole());
        all.push_str(&format!("$ mcprove {}\n{}\n", args.join(" "), ran.stderr));
    }
    snapshot!("wrong_usage", all);
}

#[test]
fn nothing_selected_is_its_own_exit_code() {
    for args in [&["--only", "no.such"][..], &["--only", "ping", "--skip", "ping"]] {
        let ran = run(&[&["check", "--output-format", "json"], args].concat());
        assert_eq!(ran.code, Some(4), "{}", ran.whole());
        let document = ran.json();
        valid("report-v1.schema.json", &document);
        assert_eq!(document["results"], Value::Array(Vec::new()));
        assert!(ran.stderr.contains("nothing to check"), "{}", ran.stderr);
    }
}

#[test]
fn without_a_valid_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = String::new();
    let cases: &[&[&str]] = &[
        &["check", "--", "./no-such-program"],
        &["check", "--", "sh", "-c", "echo oops >&2; exit 7"],
        &["check", "--startup-timeout", "1", "--", "sh", "-c", "while read -r line; do :; done"],
        &[
            "check",
            "--startup-timeout",
            "1",
            "--",
            "sh",
            "-c",
            "echo Listening; while read -r line; do :; done",
        ],
        &["check", "http://127.0.0.1:9/mcp"],
        &["check", "http://127.0.0.1:9/mcp", "--start", "sh -c 'echo no database >&2; exit 1'"],
    ];
    for args in cases {
        let ran = run_in(folder.path(), args);
        assert_eq!(ran.code, Some(3), "{}", ran.whole());
        // Time and folder are told in other lines.
        let error: Vec<&str> = ran
            .stdout
            .lines()
            .skip_while(|line| !line.contains("ERROR"))
            .take_while(|line| !line.contains("exit code"))
            .collect();
        all.push_str(&format!("$ mcprove {}\n{}\n", args.join(" "), error.join("\n")));
        let json = run_in(folder.path(), &[&["check", "--output-format", "json"], &args[1..]].concat());
        assert_eq!(json.code, Some(3), "{}", json.whole());
        let document = json.json();
        valid("report-v1.schema.json", &document);
        assert_eq!(document["error"]["code"], 3);
        assert!(json.stderr.contains("no valid MCP answer") || args.contains(&"--start"), "{}", json.stderr);
        let looked = run_in(folder.path(), &[&["inspect", "--output-format", "json"], &args[1..]].concat());
        assert_eq!(looked.code, Some(3), "{}", looked.whole());
        valid("inspect-v1.schema.json", &looked.json());
    }
    snapshot!("without_a_valid_answer", all);
}

#[test]
fn the_embedded_server_is_checked_and_drawn_again() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["check", "--only", "base.error.method-not-found-code"];
    let text = run_in(folder.path(), &args);
    snapshot!("check_embedded", text.stdout);
    assert_eq!(text.code, Some(0), "{}", text.whole());
    let run_folder = folder.path().join(".mcprove/latest");
    assert!(run_folder.join("index.html").is_file() && run_folder.join("run.jsonl").is_file());
    assert_eq!(std::fs::read_to_string(folder.path().join(".mcprove/.gitignore")).unwrap(), "*\n");
    let again = run_in(folder.path(), &["report", ".mcprove/latest"]);
    assert_eq!((again.code, again.stdout), (Some(0), text.stdout));

    let json = run_in(folder.path(), &[&args[..], &["--output-format", "json"]].concat());
    assert_eq!(json.code, Some(0), "{}", json.whole());
    let document = json.json();
    valid("report-v1.schema.json", &document);
    assert_eq!(document["results"].as_array().unwrap().len(), 11);
    assert_eq!(document["summary"]["pass"], 11);
    let again = run_in(folder.path(), &["report", ".mcprove/latest", "--output-format", "json"]);
    assert_eq!(again.stdout, json.stdout);
    let page = run_in(folder.path(), &["report", ".mcprove/latest", "--output-format", "html"]);
    assert_eq!(page.stdout, std::fs::read_to_string(run_folder.join("index.html")).unwrap());
}

#[test]
fn inspect_shows_what_is_offered() {
    let text = run(&["inspect"]);
    assert_eq!(text.code, Some(0), "{}", text.whole());
    for part in ["mcprove-reference-server", "http+sse", "echo(text: string)", "Prompts", "read only"] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
    let json = run(&["inspect", "--output-format", "json"]).json();
    valid("inspect-v1.schema.json", &json);
    let spoken: Vec<usize> = json["transports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|spoken| spoken["revisions"].as_array().unwrap().len())
        .collect();
    assert_eq!(spoken, [5, 5, 1]);
}

#[test]
fn inspect_ends_for_a_server_of_five_revisions() {
    let json = run(&["inspect", "--output-format", "json", "--", PROGRAM, "serve"]).json();
    assert_eq!(json["transports"][0]["revisions"].as_array().unwrap().len(), 5);
}

#[test]
fn targets_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let only = ["check", "--only", "base.response.same-id", "--output-format", "json"];
    let check = |args: &[&str]| {
        let ran = run_in(folder.path(), &[&only, args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        let document = ran.json();
        assert!(document["summary"]["pass"].as_u64().unwrap() >= 5, "{}", document["summary"]);
        document
    };
    assert_eq!(check(&["--", PROGRAM, "serve"])["target"]["kind"], "command");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/mcp");
    let start = format!("{PROGRAM} serve --http 127.0.0.1:{port}");
    let document = check(&[&url, "--start", &start]);
    assert_eq!(document["target"]["kind"], "url");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the server is left behind");

    let config = serde_json::json!({"mcpServers": {"mine": {"command": PROGRAM, "args": ["serve"]}}});
    std::fs::write(folder.path().join("mcp.json"), config.to_string()).unwrap();
    check(&["--config", "mcp.json"]);
    check(&["--config", "mcp.json", "--server", "mine"]);

    let named = format!("ours={PROGRAM} serve");
    check(&["--target", &named]);
    assert!(folder.path().join(".mcprove/latest/ours/run.jsonl").is_file());
    let two = run_in(
        folder.path(),
        &["check", "--only", "base.response.same-id", "--target", &named, "--target", "other=false"],
    );
    assert_eq!(two.code, Some(3), "{}", two.whole());
    assert!(folder.path().join(".mcprove/latest/other/index.html").is_file());
}

/// `--also`: the results over the other transport are held beside those of the command.
#[test]
fn results_over_two_transports_are_compared() {
    const ID: &str = "property.transports.agree";
    let folder = tempfile::tempdir().unwrap();
    let outcomes = |server: &[&str]| -> Vec<String> {
        let (_server, url) = crate::recording::server(folder.path(), server);
        let check = ["check", "--only", ID, "--revision", "2025-11-25", "--properties", "5"];
        let target = ["--output-format", "json", "--also", url.as_str(), "--", PROGRAM, "serve"];
        let document = run_in(folder.path(), &[&check[..], &target[..]].concat()).json();
        let results = document["results"].as_array().unwrap().iter();
        let of_row = results.filter(|result| result["requirement"] == ID);
        let outcomes: Vec<String> =
            of_row.filter_map(|result| result["outcome"].as_str()).map(str::to_owned).collect();
        assert!(!outcomes.is_empty(), "{document}");
        outcomes
    };
    let same = outcomes(&[]);
    assert!(same.iter().any(|outcome| outcome == "pass"), "{same:?}");
    assert!(same.iter().all(|outcome| outcome != "fail" && outcome != "warn"), "{same:?}");
    let other = outcomes(&["--fault", "property.transports.agree/http"]);
    assert!(other.iter().any(|outcome| outcome == "fail" || outcome == "warn"), "{other:?}");

    let ran = run_in(folder.path(), &["check", "--also", "nowhere", "--", PROGRAM, "serve"]);
    assert_eq!(ran.code, Some(2), "{}", ran.whole());
    assert!(ran.stderr.contains("`nowhere` is no URL"), "{}", ran.stderr);
}

#[test]
fn secrets_are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(
        folder.path(),
        &[
            "check",
            "-v",
            "--only",
            "base",
            "--output-format",
            "json",
            "--env",
            "API_KEY=secret-one-1",
            "--redact",
            "secret-two-2",
            "--",
            "sh",
            "-c",
            "echo $API_KEY $MCPROVE_TEST_PLAIN >&2; exec \"$0\" serve",
            PROGRAM,
            "--token",
            "secret-three-3",
            "secret-two-2",
        ],
    );
    // `serve` refuses the further arguments only after `sh` has told the secret.
    let ran = finish(command.env("MCPROVE_TEST_PLAIN", "plain-word").spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut everything = ran.whole();
    let mut folders = vec![folder.path().join(".mcprove")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                everything.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(everything.contains("plain-word"), "the standard error is recorded");
    for secret in ["secret-one-1", "secret-two-2", "secret-three-3"] {
        let at = everything.find(secret);
        assert!(at.is_none(), "{}", &everything[at.unwrap().saturating_sub(300)..at.unwrap() + 50]);
    }
    assert!(everything.contains("«api_key-1»") && everything.contains("«token-1»"));
}

#[test]
fn verbose_shows_each_event_on_a_line() {
    let ran = run(&[
        "check",
        "-v",
        "--only",
        "base.response.same-id",
        "--revision",
        "2025-11-25",
        "--",
        PROGRAM,
        "serve",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let sent = ran.stderr.lines().find(|line| line.contains(r#""method":"initialize""#)).unwrap();
    assert!(sent[3..].starts_with(" stdio 2025-11-25 ") && sent.contains(" > {"), "{sent}");
    assert!(ran.stderr.lines().any(|line| line.contains(" < {") && line.contains("serverInfo")));
}

#[test]
fn revisions_that_are_not_spoken_leave_nothing() {
    // A server that answers whatever it is asked, and agrees to nothing.
    let server = r#"while read -r line; do echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}'; done"#;
    let ran =
        run(&["check", "--output-format", "json", "--revision", "2026-07-28", "--", "sh", "-c", server]);
    assert_eq!(ran.code, Some(4), "{}", ran.whole());
    valid("report-v1.schema.json", &ran.json());
}

/// A run that was killed still tells what it saw: the monitors read its transcripts.
#[test]
fn a_killed_run_reports_what_it_saw() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // A banner, an honest handshake, and then nothing more.
    let server = r#"echo welcome; read -r line; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}'; cat >/dev/null"#;
    let words =
        ["check", "--revision", "2025-11-25", "--out", out.to_str().unwrap(), "--", "sh", "-c", server];
    let mut child = command(Path::new("/"), &words).spawn().unwrap();
    let started =
        || std::fs::read_to_string(out.join("run.jsonl")).is_ok_and(|run| run.contains("unit-started"));
    for _ in 0..200 {
        if started() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = run(&["report", out.to_str().unwrap(), "--output-format", "json"]);
    let document = ran.json();
    assert_eq!(document["truncated"], true, "{}", ran.whole());
    let results = document["results"].as_array().unwrap();
    let banner = results.iter().find(|row| row["requirement"] == "stdio.stdout-only-messages");
    assert_eq!(banner.unwrap()["outcome"], "fail", "{}", ran.whole());
    assert_eq!(banner.unwrap()["reason"]["code"], "unconfirmed");
}

#[test]
fn inspect_shows_no_secret_that_the_server_gives_back() {
    let server = r#"while read -r line; do echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"echo","version":"1"},"instructions":"you gave '"$API_TOKEN"'"}}'; done"#;
    for format in ["text", "json"] {
        let words = ["inspect", "--env", "API_TOKEN=topsecret-4711", "--output-format", format];
        let words: Vec<&str> = words.into_iter().chain(["--", "sh", "-c", server]).collect();
        let ran = run(&words);
        assert!(ran.stdout.contains("you gave «"), "{}", ran.whole());
        assert!(!ran.whole().contains("topsecret-4711"), "{}", ran.whole());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(Path::new("/"), &["list", "requirements", "*"]).spawn().unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let ran = finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

fn send(child: &Child, signal: &str) {
    let sent =
        Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits until the run has written that it checks something.
fn under_way(folder: &Path) {
    let file = folder.join(".mcprove/latest/run.jsonl");
    let since = Instant::now();
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("unit-started")) {
        assert!(since.elapsed() < Duration::from_secs(20), "the run does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes that were started in this folder.
#[cfg(target_os = "linux")]
fn left_in(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            (std::fs::read_link(path.join("cwd")).ok()? == folder)
                .then(|| std::fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn left_in(_: &Path) -> Vec<String> {
    Vec::new()
}

#[test]
fn an_interrupted_run_reports_and_leaves_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let child = command(folder.path(), &["check", "--output-format", "json"]).spawn().unwrap();
        under_way(folder.path());
        send(&child, signal);
        let since = Instant::now();
        let ran = finish(child);
        assert_eq!(ran.code, Some(code), "{}", ran.whole());
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        let document = ran.json();
        valid("report-v1.schema.json", &document);
        assert_eq!((&document["error"]["code"], &document["truncated"]), (&code.into(), &true.into()));
        let run = std::fs::read_to_string(folder.path().join(".mcprove/latest/run.jsonl")).unwrap();
        assert!(run.lines().last().unwrap().starts_with(r#"{"event":"footer""#));
        assert!(folder.path().join(".mcprove/latest/index.html").is_file());
        assert_eq!(left_in(folder.path()), [""; 0]);
    }
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // It answers, and then takes its time to go.
    let server = format!("trap '' TERM; {PROGRAM} serve; sleep 60");
    let child = command(folder.path(), &["check", "--", "sh", "-c", &server]).spawn().unwrap();
    under_way(folder.path());
    send(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    let since = Instant::now();
    send(&child, "INT");
    let ran = finish(child);
    assert_eq!(ran.code, Some(130), "{}", ran.whole());
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    let since = Instant::now();
    while !left_in(folder.path()).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", left_in(folder.path()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sandbox_is_put_around_the_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let args = ["check", "--only", "base.response.same-id", "--sandbox", "--", PROGRAM, "serve"];
    let missing = command(folder.path(), &args).env("PATH", folder.path()).spawn().unwrap();
    let missing = finish(missing);
    assert_eq!(missing.code, Some(2), "{}", missing.whole());
    assert!(missing.stderr.contains("install it"), "{}", missing.stderr);

    // Stands in for bubblewrap: it notes what it was asked for and runs the command as it is.
    let script =
        "#!/bin/sh\necho \"$@\" >> asked\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n";
    let path = folder.path().join("bwrap");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:/usr/bin:/bin", folder.path().display());
    let ran = finish(command(folder.path(), &args).env("PATH", search).spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let first = ran.stdout.lines().next().unwrap();
    assert!(first.ends_with("mcprove serve") && !first.contains("bwrap"), "{first}");
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    assert!(asked.contains("--ro-bind / /") && asked.contains("--unshare-all"), "{asked}");
}

#[test]
fn a_real_sandbox_hides_what_is_outside() {
    let folder = tempfile::tempdir().unwrap();
    let mut probe = Command::new("bwrap");
    probe.args(["--ro-bind", "/", "/", "--unshare-all", "--dev", "/dev", "--proc", "/proc", "true"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: bubblewrap is not installed, or may not make namespaces here");
        return;
    }
    // The server looks around before it serves, and tells on standard error.
    let look = format!(
        "touch here 2>/dev/null && echo WROTE >&2; touch /tmp/there && echo TMP:$(ls -A /tmp | wc -l) >&2; \
         (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && echo REACHED >&2; exec {PROGRAM} serve"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let check = |sandbox: &[&str]| {
        let env = format!("PORT={port}");
        let args = ["check", "--only", "base.response.same-id", "--revision", "2025-11-25", "--env", &env];
        let ran = run_in(folder.path(), &[&args, sandbox, &["--", "bash", "-c", &look]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        let transcripts = folder.path().join(".mcprove/latest/transcripts");
        let files = std::fs::read_dir(transcripts).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        // The command names the words too.
        text.lines().filter(|line| line.contains("\"event\":\"stderr\"")).collect::<String>()
    };
    let open = check(&[]);
    assert!(open.contains("WROTE") && open.contains("REACHED"), "{open}");
    std::fs::remove_file(folder.path().join("here")).unwrap();
    let closed = check(&["--sandbox"]);
    assert!(!closed.contains("WROTE") && !closed.contains("REACHED"), "{closed}");
    assert!(closed.contains("TMP:"), "{closed}");
    assert!(!folder.path().join("here").exists());
}

#[test]
fn all_shards_together_are_the_whole() {
    let rows = |extra: &[&str]| {
        let args = ["check", "--only", "base,ping", "--revision", "2025-11-25", "--output-format", "json"];
        let ran = run(&[&args, extra, &["--", PROGRAM, "serve"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        let rows = ran.json()["results"].as_array().unwrap().clone();
        let row = |row: &Value| {
            ["requirement", "revision", "transport", "outcome"].map(|key| row[key].clone().to_string())
        };
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let mut parts = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let part = rows(&["--shard", shard]);
        assert!(!part.is_empty(), "{shard}");
        parts.extend(part);
    }
    parts.sort();
    let mut whole = rows(&[]);
    whole.sort();
    // Each once, and with the same outcome as in the whole.
    assert_eq!(parts, whole);
}

#[test]
fn a_rate_keeps_messages_apart() {
    let args = ["check", "--only", "base.response.same-id", "--revision", "2025-11-25"];
    let since = Instant::now();
    let ran = run(&[&args[..], &["--rate", "20", "--", PROGRAM, "serve"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    // Handshake, the requests with ids of every kind, and those of the other probes that always run.
    assert!(since.elapsed() > Duration::from_millis(500), "{:?}", since.elapsed());
}

#[test]
fn shards_of_the_kill_matrix_share_the_faults() {
    let ids = |shard: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        // Quick ones: they show over one transport in one revision.
        let quick = ["no-handshake-needed", "legacy-version-refused", "decided-per-request"];
        let quick = quick.map(|rule| format!("versioning.request.{rule}"));
        let mut args = vec!["kill-matrix", "--output-format", "json", "--fault"];
        args.extend(quick.iter().map(String::as_str));
        let ran = run_in(folder.path(), &[&args[..], shard].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        let faults = ran.json()["faults"].as_array().unwrap().clone();
        faults.iter().map(|fault| fault["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut parts = [ids(&["--shard", "1/2"]), ids(&["--shard", "2/2"])].concat();
    parts.sort();
    let mut whole = ids(&[]);
    whole.sort();
    assert_eq!(parts, whole);
}

#[test]
fn the_kill_matrix_writes_its_page_and_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let ran =
        run_in(folder.path(), &["kill-matrix", "--fault", "ping.empty-result", "--markdown", "matrix.md"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let page = std::fs::read_to_string(folder.path().join("matrix.md")).unwrap();
    assert!(page.contains("| `ping.empty-result` | MUST | `ping.empty-result/pong` | fail in "), "{page}");

    let ran = run_in(folder.path(), &["kill-matrix", "--fault", "ping.empty-result", "--examples", "."]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let first = std::fs::read_to_string(folder.path().join("ping.toml")).unwrap();
    snapshot!("example_of_a_fault", &first);
    // Nothing in it differs from run to run.
    run_in(folder.path(), &["kill-matrix", "--fault", "ping.empty-result", "--examples", "."]);
    assert_eq!(std::fs::read_to_string(folder.path().join("ping.toml")).unwrap(), first);
}
