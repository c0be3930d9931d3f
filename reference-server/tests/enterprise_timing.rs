//! The enterprise profile: how long a refusal takes does not tell what does not exist from what is for others. It measures,
//! so it runs by itself: `cargo test --release -p mcprove-reference-server --test enterprise_timing -- --ignored --nocapture`.
#![cfg(feature = "enterprise")]
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::sync::Arc;
use std::time::Instant;

use mcprove_reference_server::{Config, Enterprise, EnterpriseFiles};
use serde_json::{Value, json};
use support::{Pipe, modern};

/// How many of each are measured.
const TIMES: usize = 20_000;
/// By how many nanoseconds the medians may differ: far less than what can be told from the other side of any network, and
/// less than any look into the database takes.
const ALLOWED: u128 = if cfg!(debug_assertions) { 2_000 } else { 100 };

/// The pair that has to differ.
const SEEN: &str = "record that the role may read";

async fn nanoseconds(pipe: &mut Pipe, message: &Value) -> u128 {
    let begun = Instant::now();
    pipe.ask(message).await;
    begun.elapsed().as_nanos()
}

/// The chance that a value of `a` is larger than one of `b` (Mann and Whitney).
fn chance(a: &[u128], b: &[u128]) -> f64 {
    let mut all: Vec<(u128, bool)> =
        a.iter().map(|t| (*t, true)).chain(b.iter().map(|t| (*t, false))).collect();
    all.sort_unstable();
    let (mut ranks, mut at) = (0.0, 0);
    while at < all.len() {
        let end = all[at..].iter().position(|(t, _)| *t != all[at].0).map_or(all.len(), |length| at + length);
        // Those that are equal share their ranks.
        let rank = (at + 1 + end) as f64 / 2.0;
        ranks += rank * all[at..end].iter().filter(|(_, of_a)| *of_a).count() as f64;
        at = end;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    (ranks - n * (n + 1.0) / 2.0) / (n * m)
}

#[tokio::test]
#[ignore = "it measures times, which takes a quiet machine"]
async fn what_is_for_others_takes_as_long_as_what_is_not_there() {
    let path = std::env::temp_dir().join(format!("mcprove-timing-{}", std::process::id()));
    let tool =
        |name: &str| modern(1, "tools/call", json!({"name": name, "arguments": {"customer": "c-1001"}}));
    let read = |uri: &str| modern(1, "resources/read", json!({"uri": uri}));
    let prompt =
        |name: &str| modern(1, "prompts/get", json!({"name": name, "arguments": {"employee": "e-201"}}));
    let complete = |name: &str| {
        let reference = json!({"type": "ref/prompt", "name": name});
        modern(
            1,
            "completion/complete",
            json!({"ref": reference, "argument": {"name": "employee", "value": ""}}),
        )
    };
    // Names of the same length, for what takes longer to read would take longer anyway.
    let pairs = [
        ("nothing but noise", tool("delete_flamingo"), tool("delete_elephant")),
        ("tool", tool("delete_customer"), tool("delete_elephant")),
        ("record", read("employee://e-201"), read("elephant://e-201")),
        ("record that is not there", read("employee://e-201"), read("employee://e-999")),
        ("prompt", prompt("review_employee"), prompt("review_elephant")),
        ("completion", complete("review_employee"), complete("review_elephant")),
        // What the role may read: here something is to be seen, so that the measure is fine enough.
        (SEEN, read("customer://c-1001"), read("customer://c-9999")),
    ];
    let mut wrong = Vec::new();
    for audited in [false, true] {
        let files = EnterpriseFiles {
            local_role: Some("sales".to_owned()),
            audit: audited.then(|| path.clone()),
            ..EnterpriseFiles::default()
        };
        let profile = Arc::new(Enterprise::open(&files).unwrap());
        let mut pipe = Pipe::open(Config { enterprise: Some(profile), ..Config::default() });
        for (what, forbidden, missing) in &pairs {
            let (mut theirs, mut nobodys) = (Vec::new(), Vec::new());
            for round in 0..TIMES + 500 {
                // By turns, and each of them first as often.
                let (first, second) =
                    if round % 2 == 0 { (forbidden, missing) } else { (missing, forbidden) };
                let (one, two) = (nanoseconds(&mut pipe, first).await, nanoseconds(&mut pipe, second).await);
                if round >= 500 {
                    let (forbidden, missing) = if round % 2 == 0 { (one, two) } else { (two, one) };
                    theirs.push(forbidden);
                    nobodys.push(missing);
                }
            }
            let chance = chance(&theirs, &nobodys);
            theirs.sort_unstable();
            nobodys.sort_unstable();
            let (theirs, nobodys) = (theirs[TIMES / 2], nobodys[TIMES / 2]);
            let told = format!(
                "{what}, audited {audited}: medians {theirs} ns and {nobodys} ns, chance {chance:.4}"
            );
            println!("{told}");
            if (theirs.abs_diff(nobodys) > ALLOWED) != (*what == SEEN) {
                wrong.push(told);
            }
        }
    }
    let _ = std::fs::remove_file(path);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
