//! The properties find the bugs of the buggy profile, and make each as small as its table says. The whole measure, with
//! many seeds, is `.ci/properties`.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![cfg(all(feature = "cli", target_os = "linux"))]

use mcprove::client::{Binding, Opener, Opening, RecorderSource, Timeouts};
use mcprove::properties::{Plan, Report, Stand, Subject, hunt};
use mcprove::protocol::Revision;
use mcprove::transcript::{About, Budget, Recorder, Redactor};
use mcprove::wire::{CommandLine, HttpConfig, Limits};
use mcprove_reference_server::{Bug, bugs};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mcprove");
/// After this much silence a call of a buggy tool hangs: the slowest takes 50 ms.
const PATIENCE: Duration = Duration::from_millis(250);
/// What no property is about: memory that grows takes a campaign.
const NOT_FOUND: [&str; 1] = ["remember"];

struct Nowhere;

impl RecorderSource for Nowhere {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        Arc::new(Recorder::new(about, None, Redactor::default(), Budget::default(), None))
    }
}

fn opener(args: &[&str]) -> Opener {
    let command = CommandLine {
        program: PROGRAM.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: BTreeMap::new(),
        cwd: None,
    };
    let opening = Opening {
        limits: Limits::default(),
        timeouts: Timeouts::default(),
        headers: Vec::new(),
        http: HttpConfig::default(),
        pace: None,
    };
    let permits = Arc::new(Semaphore::new(8));
    Opener::new(
        Binding::Stdio(command),
        opening,
        "reference".to_owned(),
        Arc::new(Nowhere),
        permits,
        Arc::default(),
    )
}

/// The tools that the server lists.
async fn tools(stand: Stand<'_>) -> Vec<Value> {
    let mut opened = stand.open().await.unwrap();
    let tools = stand.listed(&mut opened.talk, "tools/list", "tools").await;
    opened.close().await;
    tools
}

/// A hunt on one tool alone.
async fn on(stand: Stand<'_>, tools: &[Value], bug: &Bug, plan: &Plan) -> Report {
    let tool = tools.iter().find(|tool| tool["name"] == bug.tool).unwrap();
    let mut subjects = [Subject::of_tool(tool).unwrap().unwrap()];
    hunt(stand, &mut subjects, plan).await
}

/// Whether a report has a bug, made as small as the table says; the calls that it has.
fn has(report: &Report, bug: &Bug) -> Result<(), Vec<Vec<Value>>> {
    let found: Vec<Vec<Value>> = report.found.iter().map(mcprove::properties::Found::calls).collect();
    if found.contains(&(bug.minimum)()) { Ok(()) } else { Err(found) }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bugs_are_found_and_made_small() {
    let opener = opener(&["serve", "--profile", "buggy"]);
    let stand = Stand { opener: &opener, revision: Revision::V2025_11_25 };
    let tools = tools(stand).await;
    let plan = Plan { seed: 1, cases: 320, patience: PATIENCE, limit: PATIENCE * 2, ..Plan::default() };
    let quick =
        ["square", "share", "percent", "average", "remark", "find", "few", "upper", "initial", "door"];
    for bug in bugs().filter(|bug| quick.contains(&bug.tool)) {
        let report = on(stand, &tools, bug, &plan).await;
        assert_eq!(has(&report, bug), Ok(()), "{}: {} cases", bug.tool, report.cases);
    }
}

/// MCPROVE_SEEDS (20) and MCPROVE_CASES (2000) say how much; MCPROVE_TOOL names one tool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; .ci/properties runs it"]
async fn every_bug_is_found_with_nearly_every_seed() {
    let (seeds, cases) = (number("MCPROVE_SEEDS", 20), number("MCPROVE_CASES", 2000));
    let only = std::env::var("MCPROVE_TOOL").ok();
    let opener = opener(&["serve", "--profile", "buggy"]);
    let stand = Stand { opener: &opener, revision: Revision::V2025_11_25 };
    let tools = tools(stand).await;
    let mut good = 0;
    for bug in bugs().filter(|bug| only.as_ref().is_none_or(|only| only == bug.tool)) {
        let began = Instant::now();
        let (mut found, mut missed, mut most) = (0, Vec::new(), 0);
        for seed in 1..=seeds {
            let mut plan =
                Plan { seed, cases: 40, patience: PATIENCE, limit: PATIENCE * 2, ..Plan::default() };
            // Most bugs need few cases; only the others are given all.
            let mut told = loop {
                let report = on(stand, &tools, bug, &plan).await;
                let told = has(&report, bug);
                most = most.max(report.cases);
                if told.is_ok() || u64::from(plan.cases) >= cases {
                    break told;
                }
                plan.cases = u32::try_from(cases.min(u64::from(plan.cases) * 8)).unwrap();
            };
            match &mut told {
                Ok(()) => found += 1,
                Err(other) => missed.push((seed, std::mem::take(other))),
            }
        }
        println!(
            "{:<10} {found:>3} of {seeds} seeds, at most {most} cases, {} s",
            bug.tool,
            began.elapsed().as_secs()
        );
        for (seed, other) in missed {
            println!("           seed {seed}: {}", json!(other));
        }
        good += usize::from(found + 1 >= seeds);
    }
    if only.is_none() {
        assert!(good >= 20, "only {good} bugs are found with nearly every seed");
        assert!(good + NOT_FOUND.len() <= bugs().count());
    }
}

/// MCPROVE_CASES (1 000 000) says how many, MCPROVE_SEED with which seed it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes many minutes; .ci/properties runs it"]
async fn nothing_is_found_on_the_honest_server() {
    let (wanted, mut seed) = (number("MCPROVE_CASES", 1_000_000), number("MCPROVE_SEED", 1));
    let opener = opener(&["serve"]);
    let (mut cases, mut calls) = (0, 0);
    let began = Instant::now();
    while cases < wanted {
        for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
            let stand = Stand { opener: &opener, revision };
            let quick = |tool: &&Value| {
                // What asks its client, takes its time or changes lists is tried by others.
                let name = tool["name"].as_str().unwrap();
                tool.pointer("/execution/taskSupport").is_none_or(|support| support != "required")
                    && [
                        "echo",
                        "add",
                        "fail",
                        "plan_trip",
                        "search_region",
                        "poem",
                        "picture",
                        "greet",
                        "link_note",
                    ]
                    .contains(&name)
            };
            let tools = tools(stand).await;
            let subjects = tools.iter().filter(quick).map(|tool| Subject::of_tool(tool).unwrap().unwrap());
            let mut subjects: Vec<Subject> = subjects.collect();
            let plan = Plan { seed, cases: 1500, ..Plan::default() };
            let report = hunt(stand, &mut subjects, &plan).await;
            let found: Vec<_> = report.found.iter().map(|found| (&found.shown, found.calls())).collect();
            assert!(found.is_empty(), "seed {seed}, {revision}: {found:?}");
            let broken: Vec<_> =
                report.judge.broken().map(|(id, tally)| (id, tally.breaches[0].message.clone())).collect();
            assert!(broken.is_empty(), "seed {seed}, {revision}: {broken:?}");
            assert_eq!(report.cut, None, "seed {seed}, {revision}");
            cases += report.cases;
            calls += report.calls;
            seed += 1;
        }
        println!("{cases} cases, {calls} calls, nothing found, {} s", began.elapsed().as_secs());
    }
}
