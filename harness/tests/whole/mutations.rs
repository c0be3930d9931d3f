//! Messages with something wrong about them, sent: the embedded server bears them, and over HTTP each request is on the
//! wire what its change says.

use mcprove::client::{Binding, Opener, Opening, RecorderSource, Timeouts};
use mcprove::mutate::{HttpMutation, Mutated, Mutation};
use mcprove::protocol::Revision;
use mcprove::transcript::{About, Budget, Recorder, Redactor};
use mcprove::wire::{HttpConfig, Limits};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use tokio::sync::Semaphore;
use url::Url;

struct Nowhere;

impl RecorderSource for Nowhere {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        Arc::new(Recorder::new(about, None, Redactor::default(), Budget::default(), None))
    }
}

fn opener(binding: Binding) -> Opener {
    let opening = Opening {
        limits: Limits::default(),
        timeouts: Timeouts::default(),
        headers: Vec::new(),
        http: HttpConfig::default(),
        pace: None,
    };
    let permits = Arc::new(Semaphore::new(2));
    Opener::new(binding, opening, "mutations".to_owned(), Arc::new(Nowhere), permits, Arc::default())
}

/// The embedded server over STDIO.
#[cfg(feature = "cli")]
fn embedded() -> Binding {
    Binding::Stdio(mcprove::wire::CommandLine {
        program: env!("CARGO_BIN_EXE_mcprove").to_owned(),
        args: vec!["serve".to_owned()],
        env: std::collections::BTreeMap::new(),
        cwd: None,
    })
}

/// A conversation that is begun.
#[cfg(feature = "cli")]
async fn begun(opener: &Opener, revision: Revision) -> mcprove::client::Opened {
    let mut opened = opener.open("mutations", Some(revision)).await.unwrap();
    // Far from the ids that are drawn.
    opened.talk.count_from(7_000_000_000);
    if revision.era() == mcprove::protocol::Era::Modern {
        opened.talk.speak_modern(revision);
    } else {
        opened.talk.begin(revision).await.unwrap();
    }
    opened
}

/// The embedded server lives through 4000 messages, and answers something harmless after each.
#[cfg(feature = "cli")]
#[tokio::test]
async fn the_embedded_server_bears_mutated_messages() {
    use mcprove::strategies::mutated;
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use std::collections::BTreeSet;

    let opener = opener(embedded());
    let mut kinds = BTreeSet::new();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let messages = mutated(revision);
        let mut opened = begun(&opener, revision).await;
        for number in 0..2000 {
            // A conversation keeps what was said in it, and so has a limit.
            if number == 1000 {
                leave(opened, revision).await;
                opened = begun(&opener, revision).await;
            }
            let case = messages.new_tree(&mut runner).unwrap().current();
            kinds.extend(case.mutations.iter().map(Mutation::name));
            opened.talk.send(case.outgoing("mutations").unwrap()).await;
            let alive = opened.talk.canary().await;
            assert!(
                alive.result().is_some(),
                "{revision}, {number}: {case}: {}\n{}",
                alive.describe(),
                case.message
            );
        }
        leave(opened, revision).await;
    }
    assert!(kinds.len() > 20, "{kinds:?}");
}

/// Ends a conversation; the server ends with it, as it should.
#[cfg(feature = "cli")]
async fn leave(opened: mcprove::client::Opened, revision: Revision) {
    let exit = opened.close().await.exit.unwrap();
    assert_eq!(exit.code, Some(0), "{revision}: {exit:?}");
}

/// Programs can be done: every request that is not cancelled is answered, groups and new connections included.
#[cfg(feature = "cli")]
#[tokio::test]
async fn the_embedded_server_answers_programs() {
    use mcprove::generate::Seeded;
    use mcprove::mutate::{Offered, program};
    use mcprove::properties::{Stand, perform};

    const QUICK: [&str; 4] = ["echo", "add", "fail", "greet"];
    let opener = opener(embedded());
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut opened = begun(&opener, revision).await;
        let mut lists = Vec::new();
        for (method, member) in
            [("tools/list", "tools"), ("prompts/list", "prompts"), ("resources/list", "resources")]
        {
            let reply = opened.talk.request(method, json!({})).await;
            lists.push(reply.result().unwrap()[member].as_array().unwrap().clone());
        }
        opened.close().await;
        lists[0].retain(|tool| QUICK.contains(&tool["name"].as_str().unwrap()));
        assert!(lists.iter().all(|list| !list.is_empty()), "{lists:?}");
        let capabilities = json!({"tools": {}, "prompts": {}, "resources": {"subscribe": true}});
        let offered = Offered::new(revision, &capabilities, &lists[0], &lists[1], &lists[2]).unwrap();
        for seed in 0..25 {
            let drawn = program(&offered, 20, &mut Seeded::new(seed));
            let answered = perform(Stand { opener: &opener, revision }, &drawn).await;
            assert_eq!(answered, Ok(()), "{revision}, seed {seed}\n{drawn}");
        }
    }
}

/// Reads a request to its end and answers it; what was read.
fn heard(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = match length.and_then(|length| length.parse::<usize>().ok()) {
                Some(length) => body.len() >= length,
                None => !head.contains("chunked") || body.ends_with("0\r\n\r\n"),
            };
            if whole {
                stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
                return text;
            }
        }
        match stream.read(&mut buffer).unwrap() {
            0 => return text,
            length => read.extend_from_slice(&buffer[..length]),
        }
    }
}

/// What a mutated request is on the wire.
async fn on_the_wire(mutation: HttpMutation) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
    let server = std::thread::spawn(move || heard(&mut listener.accept().unwrap().0));
    let message = json!({"jsonrpc": "2.0", "method": "tools/call", "params": {
        "name": "echo", "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    let case = Mutated { message, mutations: vec![Mutation::Http(mutation)] };
    let mut opened = opener(Binding::Http(url)).open("mutations", Some(Revision::V2026_07_28)).await.unwrap();
    opened.talk.speak_modern(Revision::V2026_07_28);
    let ticket = opened.talk.send(case.outgoing("mutations").unwrap()).await;
    assert_eq!(opened.talk.head(&ticket).await.unwrap().status, 202);
    opened.close().await;
    server.join().unwrap()
}

#[tokio::test]
async fn mutated_requests_are_on_the_wire_what_they_say() {
    let owned = str::to_owned;
    let count = |text: &str, part: &str| text.matches(part).count();
    let usual = on_the_wire(HttpMutation::Pieces { pieces: 5, pause: 1 }).await;
    assert!(usual.starts_with("POST /mcp HTTP/1.1\r\n"), "{usual}");
    assert!(usual.contains("\r\nMcp-Name: echo\r\n") && usual.ends_with("}}}"), "{usual}");

    let chunked = on_the_wire(HttpMutation::Chunked { chunks: 2 }).await;
    assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\n"), "{chunked}");
    assert!(!chunked.contains("Content-Length") && chunked.ends_with("\r\n0\r\n\r\n"), "{chunked}");

    let other = on_the_wire(HttpMutation::OtherMethod { method: owned("PUT") }).await;
    assert!(other.starts_with("PUT /mcp HTTP/1.1\r\n"), "{other}");

    let twice = HttpMutation::RepeatedHeader { header: owned("Accept"), value: owned("text/html") };
    assert_eq!(count(&on_the_wire(twice).await, "\r\nAccept: "), 2);

    let missing = on_the_wire(HttpMutation::MissingHeader { header: owned("content-type") }).await;
    assert_eq!(count(&missing.to_ascii_lowercase(), "content-type"), 0, "{missing}");

    let apart = HttpMutation::Mismatch { header: owned("Mcp-Method"), value: owned("tools/list") };
    let apart = on_the_wire(apart).await;
    assert!(apart.contains("\r\nMcp-Method: tools/list\r\n") && !apart.contains("Mcp-Method: tools/call"));

    let long = on_the_wire(HttpMutation::LongHeader { header: owned("Mcp-Name"), length: 9000 }).await;
    assert!(long.contains(&format!("\r\nMcp-Name: {}\r\n", "a".repeat(9000))));
}
