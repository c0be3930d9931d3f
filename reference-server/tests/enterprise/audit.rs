//! The enterprise profile: the audit log, and that it survives the death of its server.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::support::business::{Business, Era, Scratch, config, question, yes};
use crate::support::{Pipe, initialize, modern, notification, request};
use mcprove_reference_server::{AuditReading, Config, Enterprise, EnterpriseFiles, Server, serve_stdio};
use serde_json::{Value, json};

fn records(path: &Path) -> Vec<Value> {
    let reading = AuditReading::of(&std::fs::read(path).unwrap());
    assert_eq!(reading.damaged, 0);
    reading.records
}

#[tokio::test]
pub(super) async fn every_call_read_and_prompt_leaves_a_record() {
    let path = Scratch::new("every");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let sue = business.token("sue", "support");
    let refund =
        json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "card 4111111111111000"}});
    let steps = [
        ("tools/call", json!({"name": "get_customer", "arguments": {"customer": "c-1001"}}), "ok"),
        (
            "tools/call",
            json!({"name": "search_customers", "arguments": {"query": "customer1@mail.example", "limit": 3}}),
            "ok",
        ),
        ("tools/call", json!({"name": "get_customer", "arguments": {"customer": "c-1"}}), "error"),
        ("tools/call", json!({"name": "delete_customer", "arguments": {"customer": "c-1001"}}), "refused"),
        ("tools/call", json!({"name": "broken card 4111111111111000", "arguments": {}}), "refused"),
        ("tools/call", refund, "input_required"),
        ("resources/read", json!({"uri": "customer://c-1001"}), "ok"),
        ("resources/read", json!({"uri": "file:///etc/passwd"}), "refused"),
        ("prompts/get", json!({"name": "prepare_call", "arguments": {"customer": "c-1001"}}), "ok"),
    ];
    for (number, (method, params, outcome)) in steps.iter().enumerate() {
        business.ask(Era::Modern, &sue, method, params.clone()).await;
        // The record is there when the answer is.
        let records = records(&path);
        assert_eq!(records.len(), number + 2, "{method} {params}");
        let record = records.last().unwrap();
        assert_eq!((&record["method"], &record["outcome"]), (&json!(method), &json!(outcome)), "{record}");
        assert_eq!((&record["role"], &record["principal"]), (&json!("support"), &json!("support/sue")));
        assert_eq!(record["n"], number + 2);
        assert!(record["ms"].as_f64().unwrap() >= 0.0 && record["time"].as_str().unwrap().ends_with('Z'));
    }
    let text = std::fs::read_to_string(&*path).unwrap();
    for secret in ["4111111111111000", "customer1@mail", "broken card", "Ada"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let records = records(&path);
    assert_eq!(records[1]["params"], json!({"customer": "c-1001"}));
    assert_eq!(records[4]["name"], "delete_customer");
    assert_eq!(records[7]["name"], "customer://c-1001");
    assert_eq!(records[6]["params"]["order"], "o-5001");
    let lists = business.ask(Era::Modern, &sue, "tools/list", json!({})).await;
    assert_eq!(lists.status, 200);
    assert_eq!(self::records(&path).len(), records.len(), "lists are no record");
}

#[tokio::test]
pub(super) async fn what_a_client_sent_is_not_in_the_log_unless_the_server_has_the_word_too() {
    let path = Scratch::new("clear");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let sue = business.token("sue", "support");
    for (id, method, params) in [
        (json!("AKIA-id"), "tools/call", json!({"name": "AKIAIOSFODNN7EXAMPLE", "arguments": {}})),
        (
            json!(987_654),
            "tools/call",
            json!({"name": "get_order", "arguments": {"order": "o-1", "pin": 123_456}}),
        ),
        (json!(1), "tools/call", json!({"name": "list_orders", "arguments": {"AKIA_argument": true}})),
        (json!(2), "resources/read", json!({"uri": "customer://user:secret@host"})),
        (json!(3), "prompts/get", json!({"name": "AKIA_prompt"})),
    ] {
        let before = records(&path).len();
        business.http.modern(&modern(id, method, params), &[("Authorization", &sue)]).await.body().await;
        assert_eq!(records(&path).len(), before + 1, "{method}");
    }
    let text = std::fs::read_to_string(&*path).unwrap();
    for secret in ["AKIA", "987654", "123456", "pin", "secret", "user:"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
pub(super) async fn what_changes_a_record_is_announced_first() {
    let path = Scratch::new("announced");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let sue = business.token("sue", "support");
    let change = json!({"customer": "c-1001", "status": "suspended"});
    assert!(!business.call(&sue, "update_customer", change).await.is_error());
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let asked = business.ask(Era::Modern, &sue, "tools/call", refund.clone()).await;
    business.answer(&sue, refund, &question(&asked), yes()).await;
    let told: Vec<_> = records(&path)
        .iter()
        .skip(1)
        .map(|record| (record["name"].clone(), record["outcome"].clone()))
        .collect();
    let (update, refund) = ("update_customer", "refund_order");
    let expected =
        [(update, "begun"), (update, "ok"), (refund, "input_required"), (refund, "begun"), (refund, "ok")];
    assert_eq!(told, expected.map(|(name, outcome)| (json!(name), json!(outcome))));
}

#[tokio::test]
pub(super) async fn what_became_of_an_approval_stands_in_the_record() {
    let path = Scratch::new("approvals");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 1).await;
    let sue = business.token("sue", "support");
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let no = json!({"action": "accept", "content": {"approve": false}});
    let last = async || {
        let record = records(&path).pop().unwrap();
        (record["outcome"].clone(), record["approval"].clone())
    };
    let not = |approval: &str| (json!("not_approved"), json!(approval));
    for (answer, approval) in [
        (json!({"action": "decline"}), "declined"),
        (no, "declined"),
        (json!({"action": "cancel"}), "cancelled"),
        (json!({"action": "perhaps"}), "unanswered"),
    ] {
        let asked = business.ask(Era::Modern, &sue, "tools/call", refund.clone()).await;
        assert_eq!(last().await, (json!("input_required"), Value::Null));
        let asked = question(&asked);
        business.answer(&sue, refund.clone(), &asked, answer).await;
        assert_eq!(last().await, not(approval));
        business.answer(&sue, refund.clone(), &asked, yes()).await;
        assert_eq!(last().await, not("answered already"));
    }
    let asked = question(&business.ask(Era::Modern, &sue, "tools/call", refund.clone()).await);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    business.answer(&sue, refund.clone(), &asked, yes()).await;
    assert_eq!(last().await, not("expired"));
    let asked = question(&business.ask(Era::Modern, &sue, "tools/call", refund.clone()).await);
    business.answer(&sue, refund, &asked, yes()).await;
    assert_eq!(last().await, (json!("ok"), json!("given")));
}

#[tokio::test]
pub(super) async fn a_question_that_nobody_answers_stands_in_the_record() {
    let path = Scratch::new("unanswered");
    let files = EnterpriseFiles {
        audit: Some(path.path()),
        local_role: Some("support".to_owned()),
        ..EnterpriseFiles::default()
    };
    let profile = Some(Arc::new(Enterprise::open(&files).unwrap()));
    let mut pipe = Pipe::open(Config { enterprise: profile, answer_seconds: 1, ..config() });
    let mut handshake = initialize("2025-11-25");
    handshake["params"]["capabilities"] = json!({"elicitation": {}});
    pipe.ask(&handshake).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let question = pipe.ask(&request(1, "tools/call", refund)).await;
    assert_eq!(question["method"], "elicitation/create");
    // The question is withdrawn, and the call fails.
    pipe.receive().await;
    pipe.receive().await;
    let record = records(&path).pop().unwrap();
    assert_eq!(
        (&record["outcome"], &record["approval"]),
        (&json!("not_approved"), &json!("unanswered")),
        "{record}"
    );
}

#[tokio::test]
pub(super) async fn what_is_refused_before_it_is_served_leaves_a_record_too() {
    let path = Scratch::new("denied");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let poor = business.mint(&json!({"sub": "sue", "roles": ["support"], "scope": "mcp"}));
    let none = business.mint(&json!({"sub": "sue", "roles": ["support"], "scope": ""}));
    let sue = business.token("sue", "support");
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let (call, read) = (
        modern(1, "tools/call", refund.clone()),
        modern(2, "resources/read", json!({"uri": "customer://c-1001"})),
    );
    let batch =
        json!([request(1, "tools/call", refund.clone()), request(2, "tools/list", json!({})), read.clone()]);
    let modern_era = ("MCP-Protocol-Version", "2026-07-28");
    let session = business.session(&sue).await;
    let begun = records(&path).len();
    // For want of a scope, in each form.
    assert_eq!(business.http.modern(&call, &[("Authorization", &poor)]).await.status, 403);
    assert_eq!(business.http.modern(&read, &[("Authorization", &none)]).await.status, 403);
    // With headers that say something else.
    let other = [("Authorization", sue.as_str()), ("Mcp-Name", "order_status")];
    assert_eq!(business.http.modern(&call, &other).await.status, 400);
    // As a batch, where there is none.
    let headers = [("Authorization", sue.as_str()), modern_era];
    assert_eq!(business.http.post(&headers, &batch).await.status, 400);
    let headers = [("Authorization", sue.as_str()), ("Mcp-Session-Id", session.as_str())];
    assert_eq!(business.http.post(&headers, &batch).await.status, 400);
    // Without a session, and in one of somebody else.
    let legacy = request(3, "tools/call", refund);
    assert_eq!(business.http.post(&[("Authorization", &sue)], &legacy).await.status, 400);
    let tom = business.token("tom", "support");
    let headers = [("Authorization", tom.as_str()), ("Mcp-Session-Id", session.as_str())];
    assert_eq!(business.http.post(&headers, &legacy).await.status, 404);
    let records = records(&path).split_off(begun);
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["principal"].as_str().unwrap(), record["name"].as_str().unwrap()))
        .collect();
    let (refund, read) = ("refund_order", "customer://c-1001");
    let sue = "support/sue";
    assert_eq!(
        told,
        [
            (sue, refund),
            (sue, read),
            (sue, refund),
            (sue, refund),
            (sue, read),
            (sue, refund),
            (sue, read),
            (sue, refund),
            ("support/tom", refund)
        ]
    );
    assert!(records.iter().all(|record| record["outcome"] == "denied"), "{records:?}");
}

#[tokio::test]
pub(super) async fn a_log_that_was_removed_stops_the_server() {
    let path = Scratch::new("removed");
    let files = EnterpriseFiles { audit: Some(path.path()), ..EnterpriseFiles::default() };
    let business = Business::open(&files, 600).await;
    let boss = business.token("boss", "manager");
    let change = |email: &str| json!({"customer": "c-1001", "email": email});
    assert!(!business.call(&boss, "update_customer", change("a@mail.example")).await.is_error());
    std::fs::remove_file(&*path).unwrap();
    let said = business.call(&boss, "update_customer", change("b@mail.example")).await;
    assert_eq!(said.code(), Some(-32603), "{}", said.text);
    // Nor if somebody puts another file in its place.
    std::fs::write(&*path, "").unwrap();
    let said = business.call(&boss, "get_customer", json!({"customer": "c-1001"})).await;
    assert_eq!(said.code(), Some(-32603), "{}", said.text);
    let read = business.ask(Era::Modern, &boss, "completion/complete", json!({})).await;
    assert_ne!(read.code(), Some(-32603), "what leaves no record needs no log");
}

#[tokio::test]
pub(super) async fn a_call_that_is_cancelled_leaves_a_record_too() {
    let path = Scratch::new("cancelled");
    let files = EnterpriseFiles {
        audit: Some(path.path()),
        local_role: Some("support".to_owned()),
        ..EnterpriseFiles::default()
    };
    let profile = Enterprise::open(&files).unwrap();
    let mut pipe = Pipe::open(Config { enterprise: Some(Arc::new(profile)), ..config() });
    let mut handshake = initialize("2025-11-25");
    handshake["params"]["capabilities"] = json!({"elicitation": {}});
    pipe.ask(&handshake).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let question = pipe.ask(&request(1, "tools/call", refund)).await;
    assert_eq!(question["method"], "elicitation/create");
    let withdrawn = pipe.ask(&notification("notifications/cancelled", json!({"requestId": 1}))).await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    let record = records(&path).pop().unwrap();
    assert_eq!((&record["name"], &record["outcome"]), (&json!("refund_order"), &json!("cancelled")));
    assert_eq!(record["approval"], "unanswered");
}

#[cfg(target_os = "linux")]
#[test]
pub(super) fn a_log_that_cannot_be_written_is_told_at_the_start() {
    let files = EnterpriseFiles { audit: Some("/dev/full".into()), ..EnterpriseFiles::default() };
    let error = Enterprise::open(&files).unwrap_err().to_string();
    assert!(error.contains("the audit log /dev/full cannot be used"), "{error}");
}

/// The variables that make the next test a server: its log, and its database if that is a file.
const SERVED: &str = "MCPROVE_TEST_AUDIT_FILE";
const DATABASE: &str = "MCPROVE_TEST_DATABASE_FILE";

/// Not a test, but the server that the test after it kills: this program once more.
#[test]
pub(super) fn serves_until_it_is_killed() {
    let Some(path) = std::env::var_os(SERVED) else { return };
    let files = EnterpriseFiles {
        audit: Some(path.into()),
        database: std::env::var_os(DATABASE).map(PathBuf::from),
        local_role: Some("manager".to_owned()),
        ..EnterpriseFiles::default()
    };
    let profile = Enterprise::open(&files).unwrap();
    let server = Server::new(Config { enterprise: Some(Arc::new(profile)), ..Config::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve_stdio(server)).unwrap();
}

#[test]
pub(super) fn no_record_of_an_answered_call_is_lost_when_the_server_is_killed() {
    const KILLS: u64 = 25;
    let path = Scratch::new("killed");
    let mut answered = BTreeSet::new();
    for round in 0..KILLS {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audit::serves_until_it_is_killed", "--nocapture", "--test-threads", "1"])
            .env(SERVED, &*path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = server.stdin.take().unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        let asking = std::thread::spawn(move || {
            for number in 0.. {
                // By what it asks for it is known again in the log, which has only a stand-in for its id.
                let id = format!("o-{}", (round + 1) * 1_000_000 + number);
                let call =
                    modern(&*id, "tools/call", json!({"name": "get_order", "arguments": {"order": id}}));
                if writeln!(input, "{call}").is_err() {
                    break;
                }
            }
        });
        let (sender, told) = std::sync::mpsc::channel();
        let listening = std::thread::spawn(move || {
            let mut ids = Vec::new();
            for line in output.lines().map_while(Result::ok) {
                let message = serde_json::from_str::<Value>(&line).unwrap_or_default();
                let id = message.get("result").and_then(|_| Some(message["id"].as_str()?.to_owned()));
                if let Some(id) = id {
                    let _ = sender.send(());
                    ids.push(id);
                }
            }
            ids
        });
        told.recv_timeout(Duration::from_secs(10)).expect("an answer");
        std::thread::sleep(Duration::from_micros(997 * (round * 7 % 23)));
        server.kill().unwrap();
        server.wait().unwrap();
        asking.join().unwrap();
        answered.extend(listening.join().unwrap());
    }
    let reading = AuditReading::of(&std::fs::read(&*path).unwrap());
    let recorded: BTreeSet<&str> =
        reading.records.iter().filter_map(|record| record["params"]["order"].as_str()).collect();
    let lost: Vec<_> = answered.iter().filter(|id| !recorded.contains(id.as_str())).collect();
    assert!(lost.is_empty() && answered.len() as u64 >= KILLS, "lost: {lost:?}");
    let opened: Vec<&Value> = reading.records.iter().filter(|record| record["event"] == "opened").collect();
    assert_eq!(opened.len() as u64, KILLS);
    let torn = opened.iter().filter(|record| record["tornBytes"] != 0).count();
    // The last one may be torn without anybody having opened it again.
    assert!(reading.damaged == torn || reading.damaged == torn + 1, "{} {torn}", reading.damaged);
    let numbers: Vec<u64> = reading.records.iter().map(|record| record["n"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "records are numbered without a gap");
}

/// What a server whose files may have so many bytes answers to these messages, one after the other.
fn answers_with(limit: u64, log: &Path, database: &Path, messages: &[Value]) -> Vec<Value> {
    // In blocks of 512 bytes, as POSIX has it. The signal would end the process; without it the write fails.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", limit / 512);
    let mut server = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "audit::serves_until_it_is_killed", "--nocapture", "--test-threads", "1"])
        .env(SERVED, log)
        .env(DATABASE, database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = server.stdin.take().unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
    let answers = messages.iter().map_while(|message| {
        writeln!(input, "{message}").ok()?;
        // The test runner of the server writes of its own, before an answer on its line too.
        output.by_ref().map_while(Result::ok).find_map(|line| {
            let answer = line.get(line.find('{')?..)?;
            serde_json::from_str::<Value>(answer).ok().filter(|answer| answer["id"] == message["id"])
        })
    });
    let answers = answers.collect();
    drop(input);
    server.wait().unwrap();
    answers
}

#[test]
pub(super) fn nothing_is_changed_without_a_record_when_the_disk_is_full() {
    const LIMIT: u64 = 512 << 10;
    const UNLIMITED: u64 = 1 << 30;
    let (log, database) = (Scratch::new("full"), Scratch::new("full-database"));
    let call = |id: &str, name: &str, arguments: Value| {
        modern(id, "tools/call", json!({"name": name, "arguments": arguments}))
    };
    let read = call("read", "get_customer", json!({"customer": "c-1001"}));
    let (mut refused_before, mut refused_after) = (0, 0);
    for (round, room) in (200..1600).step_by(100).enumerate() {
        std::fs::write(&*log, format!("{}\n", "x".repeat(usize::try_from(LIMIT).unwrap() - room - 1)))
            .unwrap();
        let _ = std::fs::remove_file(&*database);
        let email = format!("round{round}@mail.example");
        let change = call("change", "update_customer", json!({"customer": "c-1001", "email": email}));
        let answers = answers_with(LIMIT, &log, &database, &[change, read.clone()]);
        let after = answers_with(UNLIMITED, &log, &database, std::slice::from_ref(&read));
        let changed = after[0]["result"]["structuredContent"]["customer"]["email"] == email.as_str();
        let records = AuditReading::of(&std::fs::read(&*log).unwrap()).records;
        let has = |outcome: &str| {
            records.iter().any(|record| record["name"] == "update_customer" && record["outcome"] == outcome)
        };
        let refused = answers[0]["error"]["message"].as_str().unwrap_or_default();
        assert!(!changed || has("begun"), "room {room}: a change without a record");
        if refused.is_empty() {
            assert!(changed && has("ok"), "room {room}: {}", answers[0]);
            continue;
        }
        assert!(refused.contains("audit log cannot be written"), "{refused}");
        assert!(!has("ok"), "room {room}");
        let next = answers[1]["error"]["message"].as_str().unwrap_or_default();
        assert!(
            next.contains("audit log cannot be written"),
            "room {room}: nothing further is done: {}",
            answers[1]
        );
        if changed { refused_after += 1 } else { refused_before += 1 }
    }
    assert!(refused_before > 0 && refused_after > 0, "both were seen: {refused_before} {refused_after}");
}
