//! The faults of the reference server: their table keeps its laws, and the kill matrix tells the caught from the missed.

use mcprove::check::Stop;
use mcprove::kill::{Judged, Matrix, Planted, Verdict, judge_all};
use mcprove::protocol::catalogue::Catalogue;
use mcprove::protocol::{Revision, Transport};
use mcprove_reference_server::{areas, faults};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn every_fault_names_requirements_that_there_are() {
    let known = |id: &str| Catalogue::get().requirement(id).is_some();
    let mut wrong = Vec::new();
    for (area, table) in areas() {
        for fault in table {
            let id = fault.id();
            let row = Catalogue::get().requirement(fault.requirement());
            if row.is_none_or(|row| row.area != area) {
                wrong.push(format!("{id}: the table of {area} has no such requirement"));
            }
            let named: Vec<&str> = fault.breaks().chain(fault.also().iter().copied()).collect();
            let unknown = named.iter().filter(|requirement| !known(requirement));
            wrong.extend(unknown.map(|requirement| format!("{id}: there is no {requirement}")));
            if named.iter().collect::<BTreeSet<_>>().len() != named.len() {
                wrong.push(format!("{id}: a requirement is named twice"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_requirement_that_is_broken_holds_where_the_fault_can_show() {
    let mut wrong = Vec::new();
    for fault in faults() {
        for requirement in fault.breaks().filter_map(|id| Catalogue::get().requirement(id)) {
            let applies = fault.revisions().iter().any(|revision| {
                let revision: Revision = revision.as_str().parse().unwrap();
                fault.transports().iter().any(|transport| {
                    let all = [Transport::Stdio, Transport::Http, Transport::HttpSse];
                    let transport = all.into_iter().find(|t| t.as_str() == transport.as_str()).unwrap();
                    requirement.applies(revision, transport).is_ok()
                })
            });
            if !applies {
                wrong.push(format!("{}: {} never holds there", fault.id(), requirement.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(planted: Vec<Planted>) -> Vec<Judged> {
    let matrix = Matrix {
        program: env!("CARGO_BIN_EXE_mcprove").to_owned(),
        jobs: 4,
        full: None,
        timeout: Duration::from_secs(2),
        stop: Stop::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(judge_all(&matrix, planted, &mut |_| {}))
}

/// What the honest server is claimed to break, or a server with other faults.
fn claim(breaks: &str, faults: &[&str]) -> Planted {
    Planted {
        id: breaks.to_owned(),
        about: "A claim.".to_owned(),
        breaks: vec![breaks.to_owned()],
        also: Vec::new(),
        warns: Vec::new(),
        revisions: vec![Revision::V2025_11_25],
        transports: vec![Transport::Stdio],
        anonymous: false,
        arguments: faults.iter().flat_map(|fault| ["--fault".to_owned(), (*fault).to_owned()]).collect(),
    }
}

#[test]
fn a_fault_that_does_nothing_is_missed_and_one_that_does_more_is_told() {
    let (banner, pong) = ("stdio.stdout-only-messages/banner", "ping.empty-result/pong");
    let judged = judge(vec![
        claim("ping.empty-result", &[]),
        claim("ping.empty-result", &[pong]),
        claim("stdio.stdout-only-messages", &[banner, "stdio.exit-on-eof/stays"]),
        claim("auth.metadata.served", &[]),
    ]);
    let verdicts: Vec<Verdict> = judged.iter().map(|one| one.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Missed, Verdict::Caught, Verdict::Extra, Verdict::Undecided],
        "{judged:#?}"
    );
    assert_eq!(judged[2].extra[0].requirement, "stdio.exit-on-eof");
}

/// One fault for each kind of hook; `.ci/kill-matrix` judges all of them.
const SAMPLE: &[&str] = &[
    "stdio.exit-on-eof/stays",                       // Neglect
    "robustness.process.survives/dies-of-garbage",   // Input
    "base.notification.no-reply/unknown-answered",   // Notified
    "http-headers.method.required/optional",         // Forgive
    "pagination.cursor.invalid-error/first-page",    // Request
    "versioning.removed-methods-unknown/pings",      // Intercept
    "tools.call.unknown-tool-error/succeeds",        // Answer
    "caching.ttl.integer/text",                      // Result
    "base.error.retired-not-found-code-unused/used", // Refusal
    "tools.definition.annotations-types/text",       // Definition
    "base.response.at-most-once/twice",              // Response
    "progress.notification.shape/text",              // Notify
    "http-session.id-ignored-by-modern/refused",     // HttpRequest
    "http-session.unknown-not-found/bad-request",    // HttpReply
    "http-legacy-sse.message-events/other-type",     // Event
    "stdio.stdout-only-messages/banner",             // Line
];

#[test]
fn a_fault_of_each_kind_is_caught() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mcprove"))
        .args(["kill-matrix", "--jobs", "4", "--fault", &SAMPLE.join(",")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("{0} faults: {0} caught", SAMPLE.len())), "{text}");
}
