//! Runs made by hand, for the tests of what is stored and drawn.
#![allow(dead_code)]

use mcprove::protocol::{Revision, Transport};
use mcprove::run::{
    Evidence, Finding, Footer, Header, Identity, Outcome, RUN_FORMAT, RUN_VERSION, Reason, ResultRow,
    RunError, RunEvent, RunState, ServerInfo, TargetInfo,
};

pub(crate) const R1: Revision = Revision::V2025_06_18;
pub(crate) const R2: Revision = Revision::V2025_11_25;
pub(crate) const STDIO: Transport = Transport::Stdio;
pub(crate) const HTTP: Transport = Transport::Http;

pub(crate) fn header() -> RunEvent {
    RunEvent::Header(Header {
        format: RUN_FORMAT.into(),
        version: RUN_VERSION,
        tool_version: "0.1.0".into(),
        command: "check".into(),
        command_line: ["mcprove", "check", "--", "node", "server.js"].map(String::from).to_vec(),
        target: TargetInfo { kind: "command".into(), display: "node server.js".into(), server_info: None },
        seed: 42,
        requirement_set: "2026-11-20".into(),
        started_at: "2026-11-22T09:30:00Z".into(),
    })
}

pub(crate) fn identified(transport: Transport, revisions: &[Revision]) -> RunEvent {
    RunEvent::TargetIdentified(Identity {
        transport,
        revisions: revisions.to_vec(),
        server_info: Some(ServerInfo { name: "example-server".into(), version: "2.3.1".into() }),
        startup_millis: 312,
    })
}

pub(crate) fn row(
    requirement: &str,
    title: &str,
    level: &str,
    revision: Revision,
    transport: Transport,
    outcome: Outcome,
) -> ResultRow {
    ResultRow {
        requirement: requirement.into(),
        title: Some(title.into()),
        url: None,
        level: Some(level.into()),
        severity: "interop".into(),
        revision,
        transport,
        outcome,
        reason: None,
        findings: Vec::new(),
    }
}

pub(crate) fn same_id(revision: Revision, transport: Transport, id: u32) -> ResultRow {
    let sent = r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{}}"#;
    let received = concat!(
        r#"{"jsonrpc":"2.0","id":"3","result":{"tools":[{"name":"echo","description":"Echoes back the input string","#,
        r#""inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"Message to echo"}},"required":["message"]}}]}}"#,
    );
    let mut row = row(
        "base.response.same-id",
        "A response carries the id of its request",
        "MUST",
        revision,
        transport,
        Outcome::Fail,
    );
    row.url = Some(format!("https://modelcontextprotocol.io/specification/{revision}/basic#responses"));
    row.findings.push(Finding {
        id: format!("F{id}"),
        signature: "7f3a91c2".into(),
        message: "The answer to `tools/list` carries the id as a string; the request had a number.".into(),
        evidence: Evidence {
            sent: Some(sent.into()),
            received: Some(received.into()),
            mark: Some([22, 25]),
            pointer: Some("/id".into()),
            event: Some(9),
        },
        expected: vec!["the number 3".into()],
        actual: "the string \"3\"".into(),
        spec: format!("{revision} basic, Responses (MUST)"),
        reproduce: format!(
            "mcprove check --only base.response.same-id --revision {revision} --seed 42 -- node server.js"
        ),
        transcript: Some(format!("transcripts/{revision}-{transport}-0003.transcript.jsonl")),
        confirmed: Some("process".into()),
    });
    row
}

pub(crate) fn unknown_tool(revision: Revision, transport: Transport, id: u32) -> ResultRow {
    let received = format!(
        r#"{{"jsonrpc":"2.0","id":11,"result":{{"content":[{{"type":"text","text":"{}"}}],"isError":true}}}}"#,
        "Unknown tool, known are echo, add and long-running. ".repeat(6)
    );
    let start = received.find("\"isError\":true").unwrap();
    let mut row = row(
        "tools.call.unknown-tool-is-an-error",
        "A call of a tool that does not exist is a protocol error",
        "MUST",
        revision,
        transport,
        Outcome::Fail,
    );
    row.findings.push(Finding {
        id: format!("F{id}"),
        signature: "b01d55aa".into(),
        message: "A call of a tool that does not exist was answered with a result.".into(),
        evidence: Evidence {
            sent: Some(
                r#"{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"no-such-tool-8c1f","arguments":{}}}"#
                    .into(),
            ),
            mark: Some([start, start + 14]),
            received: Some(received),
            pointer: Some("/result/isError".into()),
            event: Some(23),
        },
        expected: vec!["an error with code -32602".into(), "an error with code -32601".into()],
        actual: "a result with `isError: true`".into(),
        spec: format!("{revision} server/tools, Error handling (MUST) https://modelcontextprotocol.io/specification/{revision}/server/tools#error-handling"),
        reproduce: format!("mcprove check --only tools.call.unknown-tool-is-an-error --revision {revision} --seed 42 -- node server.js"),
        transcript: None,
        confirmed: None,
    });
    row
}

pub(crate) fn exits_on_eof(revision: Revision, id: u32) -> ResultRow {
    let mut row = row(
        "stdio.exits-when-stdin-closes",
        "The server exits when its standard input is closed",
        "SHOULD",
        revision,
        STDIO,
        Outcome::Warn,
    );
    row.severity = "quality".into();
    row.findings.push(Finding {
        id: format!("F{id}"),
        signature: "19c0ffee".into(),
        message: "The process still ran 2 s after its standard input was closed; SIGTERM ended it.".into(),
        evidence: Evidence::default(),
        expected: vec!["exit within 2 s".into()],
        actual: "ended by SIGTERM".into(),
        spec: format!("{revision} basic/lifecycle, Shutdown (SHOULD)"),
        reproduce: format!(
            "mcprove check --only stdio.exits-when-stdin-closes --revision {revision} --seed 42 -- node server.js"
        ),
        transcript: None,
        confirmed: Some("process".into()),
    });
    row
}

pub(crate) fn undecided(
    id: &str,
    revision: Revision,
    transport: Transport,
    code: &str,
    text: &str,
) -> ResultRow {
    let mut row = row(id, "A title", "MUST", revision, transport, Outcome::Inconclusive);
    row.reason = Some(Reason::new(code, text));
    row
}

pub(crate) fn footer(state: &RunState, exit_code: u8, error: Option<RunError>) -> RunEvent {
    RunEvent::Footer(Footer {
        summary: state.summary(),
        exit_code,
        truncated: error.is_some(),
        error,
        millis: 12_431,
        harness_cpu_millis: Some(220),
        process_starts: 9,
    })
}

/// A run with something of everything: two revisions over two transports.
pub(crate) fn sample() -> Vec<RunEvent> {
    let mut events = vec![header(), identified(STDIO, &[R1, R2]), identified(HTTP, &[R1, R2])];
    let mut finding = 0;
    let mut next = || {
        finding += 1;
        finding
    };
    for (transport, revision) in [(STDIO, R1), (STDIO, R2), (HTTP, R1), (HTTP, R2)] {
        events.push(RunEvent::UnitStarted { revision, transport });
        events.push(RunEvent::Progress {
            revision,
            transport,
            done: 3,
            of: 9,
            doing: "tools.call.unknown-tool-is-an-error".into(),
        });
        events.push(RunEvent::Conversation {
            transcript: format!("transcripts/{revision}-{transport}-0003.transcript.jsonl"),
            revision,
            transport,
            purpose: "a tour of what the server offers".into(),
        });
        let mut rows = vec![same_id(revision, transport, next())];
        if revision == R2 {
            rows.push(unknown_tool(revision, transport, next()));
        }
        let mut restates = row(
            "schema.response.id-matches",
            "The id of a response matches",
            "MUST",
            revision,
            transport,
            Outcome::Fail,
        );
        restates.reason = Some(Reason::new("see-other", "see base.response.same-id"));
        rows.push(restates);
        if transport == STDIO {
            rows.push(exits_on_eof(revision, next()));
        } else {
            let mut flaky = unknown_tool(revision, transport, next());
            flaky.requirement = "pagination.cursor.stable".into();
            flaky.title = Some("A page that is asked for twice is the same".into());
            flaky.outcome = Outcome::Flaky;
            flaky.findings[0].reproduce = flaky.findings[0]
                .reproduce
                .replace("tools.call.unknown-tool-is-an-error", "pagination.cursor.stable");
            flaky.reason = Some(Reason::new("rate", "seen in 1 of 3 tries"));
            flaky.findings[0].signature = "5eed5eed".into();
            flaky.findings[0].message = "Two requests with one cursor gave different pages.".into();
            rows.push(flaky);
        }
        for id in ["base.request.id-not-null", "ping.answered", "tools.list.names-unique"] {
            rows.push(row(id, "A title", "MUST", revision, transport, Outcome::Pass));
        }
        for id in ["prompts.get.arguments-validated", "prompts.list.names-unique"] {
            let mut row = row(id, "A title", "MUST", revision, transport, Outcome::NotApplicable);
            row.reason =
                Some(Reason::new("not-declared", "the server does not declare the capability `prompts`"));
            row.level = None;
            rows.push(row);
        }
        rows.push(undecided(
            "progress.token-echoed",
            revision,
            transport,
            "no-trigger",
            "no tool reported progress",
        ));
        rows.push(undecided(
            "tools.call.output-conforms",
            revision,
            transport,
            "not-called",
            "no tool says readOnlyHint: true; --calls all calls every tool",
        ));
        events.extend(rows.into_iter().map(|row| RunEvent::Result(Box::new(row))));
        events.push(RunEvent::UnitFinished { revision, transport, millis: 3_100 });
    }
    events.push(RunEvent::Notice {
        text: "4 of 6 tools were not called: they do not say readOnlyHint: true.".into(),
    });
    let state = RunState::of(&events);
    events.push(footer(&state, 1, None));
    events
}

/// The same run, cut in the middle of its third unit.
pub(crate) fn cut() -> Vec<RunEvent> {
    let mut events = sample();
    events.truncate(events.len() * 6 / 10);
    events
}

/// A run that never got a valid answer.
pub(crate) fn empty() -> Vec<RunEvent> {
    let error = RunError {
        code: 3,
        message: "no valid MCP answer came from `node server.js` within 30 s; it wrote to standard error:\nError: Cannot find module './server.js'".into(),
    };
    vec![header(), footer(&RunState::default(), 3, Some(error))]
}

/// Text that tries to deceive whoever reads it in a terminal or a browser.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{1b}[31mFAKE\r\n\u{7}\u{202e}gnp.exe\u{2066}\u{9b}31m\u{0}<script>alert(1)</script>\u{200b}\u{2028}\u{e0041}end";

/// A run in which every text that a server could have chosen is hostile.
pub(crate) fn hostile() -> Vec<RunEvent> {
    let mut events = vec![header()];
    events.push(RunEvent::TargetIdentified(Identity {
        transport: STDIO,
        revisions: vec![R1],
        server_info: Some(ServerInfo { name: HOSTILE.repeat(50), version: HOSTILE.into() }),
        startup_millis: 1,
    }));
    events.push(RunEvent::UnitStarted { revision: R1, transport: STDIO });
    let mut row = same_id(R1, STDIO, 1);
    row.title = Some(HOSTILE.into());
    row.url = Some(format!("javascript:alert(1)//{HOSTILE}"));
    row.reason = Some(Reason::new("note", HOSTILE));
    let received =
        format!("{}日本語のテキスト{HOSTILE}{}", "x\u{301}".repeat(3000), "\u{1f600}y".repeat(3000));
    let at = received.find("語").unwrap();
    let finding = &mut row.findings[0];
    finding.message = HOSTILE.repeat(40);
    // The mark starts and ends inside characters.
    finding.evidence.mark = Some([at + 1, at + 7]);
    finding.evidence.received = Some(received);
    finding.evidence.sent = Some(HOSTILE.into());
    finding.evidence.pointer = Some(format!("/{HOSTILE}"));
    finding.expected = vec![HOSTILE.into(); 30];
    finding.actual = HOSTILE.into();
    finding.spec = HOSTILE.into();
    finding.transcript = Some("../../etc/passwd\u{1b}[0m".into());
    events.push(RunEvent::Result(Box::new(row)));
    events.push(RunEvent::Result(Box::new(undecided("base.x", R1, STDIO, "odd", HOSTILE))));
    events.push(RunEvent::Notice { text: HOSTILE.into() });
    events.push(RunEvent::Progress { revision: R1, transport: STDIO, done: 7, of: 0, doing: HOSTILE.into() });
    events.push(RunEvent::UnitFinished { revision: R1, transport: STDIO, millis: u64::MAX });
    let state = RunState::of(&events);
    events.push(footer(&state, 1, None));
    events
}

/// A run with many results: `requirements` × two revisions × two transports, every seventh one a failure.
pub(crate) fn large(requirements: u32) -> Vec<RunEvent> {
    let mut events = vec![header(), identified(STDIO, &[R1, R2]), identified(HTTP, &[R1, R2])];
    let mut finding = 0;
    for (transport, revision) in [(STDIO, R1), (STDIO, R2), (HTTP, R1), (HTTP, R2)] {
        events.push(RunEvent::UnitStarted { revision, transport });
        for n in 0..requirements {
            let mut row = if n % 7 == 0 {
                finding += 1;
                same_id(revision, transport, finding)
            } else if n % 3 == 0 {
                undecided("x.y", revision, transport, "no-probe", "nothing decides it yet")
            } else {
                row("x.y", "A title", "MUST", revision, transport, Outcome::Pass)
            };
            row.requirement = format!("area{}.rule-{n}", n % 40);
            events.push(RunEvent::Result(Box::new(row)));
        }
        events.push(RunEvent::UnitFinished { revision, transport, millis: 1 });
    }
    let state = RunState::of(&events);
    events.push(footer(&state, 1, None));
    events
}
