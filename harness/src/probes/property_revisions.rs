//! The same call in every revision of the era.

use super::probe::{breach, probes};
use super::{Call, Known, Solo};
use crate::client::{Reply, Ticket};
use crate::protocol::Revision;
use serde_json::{Value, json};
use std::time::Duration;

const ID: &str = "property.revisions.agree";
/// How many tools are called in each revision.
const MOST: usize = 12;
/// A tool that took longer is not called again.
const QUICK: Duration = Duration::from_millis(400);
/// How often a difference has to be seen, each time in conversations of their own.
const ROUNDS: usize = 2;

probes! {
    /// Calls up to twelve quick tools that say `readOnlyHint: true` once more, in each older revision that the server speaks,
    /// with arguments that were answered by nothing but text in the newest revision with a handshake. The text is the same,
    /// dates of revisions aside; what differs is asked again in fresh conversations of both. Only with `--properties N`.
    results_agree_in_every_revision (AloneForEra, Legacy, Any) decides ["property.revisions.agree"];
}

/// The text of a result that is nothing else, dates of revisions made alike.
fn text(result: &Value) -> Option<String> {
    if result["isError"] == true {
        return None;
    }
    let blocks = result.get("content")?.as_array()?;
    let texts: Option<Vec<&str>> = blocks
        .iter()
        .map(|block| block.get("text").and_then(Value::as_str).filter(|_| block["type"] == "text"))
        .collect();
    let text = texts?.join("\n");
    Some(Revision::ALL.iter().fold(text, |text, revision| text.replace(revision.as_str(), "REVISION")))
}

/// Calls of the newest revision that can be made again and compared.
fn calls(solo: &Solo<'_>, known: &Known) -> Vec<(Call, String)> {
    let reads = |call: &Call| {
        let tool = known.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| {
            tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true))
                && solo.settings.safety.may_call(tool).is_ok()
        })
    };
    let quick = |call: &&Call| {
        call.succeeded() && !call.asked_for_input && call.wishes.is_empty() && call.took < QUICK
    };
    let told = |call: &Call| Some((call.clone(), text(call.result.as_ref()?)?));
    known.offer.calls.iter().filter(quick).filter(|call| reads(call)).filter_map(told).take(MOST).collect()
}

/// What a call was answered with, if that was text alone.
async fn ask(
    solo: &mut Solo<'_>,
    revision: Revision,
    calls: &[&Call],
) -> Option<Vec<(Option<String>, Ticket, Reply)>> {
    let mut opened = solo.begin(revision, &[ID]).await?;
    let mut answers = Vec::new();
    for call in calls {
        let params = json!({"name": call.tool, "arguments": call.arguments});
        let outgoing = opened.talk.compose("tools/call", params);
        let ticket = opened.talk.send(outgoing).await;
        let reply = opened.talk.reply_within(&ticket, QUICK * 4).await;
        answers.push((reply.result().and_then(text), ticket, reply));
    }
    solo.close(opened).await;
    Some(answers)
}

async fn results_agree_in_every_revision(solo: &mut Solo<'_>) {
    if solo.settings.properties.cases.is_none_or(|cases| cases == 0) {
        let text = "revisions are compared with --properties N only: each costs a process";
        return solo.judge.undecided(ID, "not-asked-for", text);
    }
    let known = solo.known().await;
    let Some((newest, older)) = known.spoken.split_last().filter(|(_, older)| !older.is_empty()) else {
        return solo.judge.undecided(
            ID,
            "one-revision",
            "the server speaks only one revision with a handshake",
        );
    };
    let calls = calls(solo, &known);
    if calls.is_empty() {
        let text = "no quick tool that only reads, and may be called, answers with text";
        return solo.judge.undecided(ID, "nothing-to-call", text);
    }
    for revision in older {
        let all: Vec<&Call> = calls.iter().map(|(call, _)| call).collect();
        let Some(answers) = ask(solo, *revision, &all).await else { continue };
        for ((call, wanted), (got, ..)) in calls.iter().zip(answers) {
            match got {
                Some(got) if got == *wanted => solo.judge.held(ID),
                Some(got) => differs(solo, call, (*newest, wanted), (*revision, &got)).await,
                // What cannot be had there in this form cannot be compared.
                None => {}
            }
        }
    }
}

/// Asks again in both: only what is always the same in each, and differs between them, differs.
async fn differs(solo: &mut Solo<'_>, call: &Call, newest: (Revision, &str), older: (Revision, &str)) {
    let mut last = None;
    for _ in 0..ROUNDS {
        for (revision, before) in [newest, older] {
            let Some(mut answers) = ask(solo, revision, &[call]).await else { return };
            let Some((Some(got), ticket, reply)) = answers.pop() else { return };
            if got != before {
                return solo.judge.undecided(ID, "drift", "the answers differ from time to time, too");
            }
            last = Some((ticket, reply));
        }
    }
    let Some((ticket, reply)) = last else { return };
    let message = format!("`{}` has another answer in {} than in {}", call.tool, older.0, newest.0);
    let short = |text: &str| text.chars().take(150).collect::<String>();
    let seen = breach("differs", message, &ticket, &reply).quality().expected(&["the same text in both"]);
    solo.judge.broke(
        ID,
        seen.actual(format!("`{}` instead of `{}`", short(older.1), short(newest.1)))
            .pointer("/result/content"),
    );
}

#[cfg(test)]
mod tests {
    use super::text;
    use serde_json::json;

    #[test]
    fn only_text_is_compared_and_dates_of_revisions_are_alike() {
        let block = |text: &str| json!({"type": "text", "text": text});
        let told = |blocks: serde_json::Value| text(&json!({"content": blocks}));
        assert_eq!(told(json!([block("speaks 2025-06-18")])), told(json!([block("speaks 2025-11-25")])));
        assert_ne!(told(json!([block("a")])), told(json!([block("b")])));
        assert_eq!(told(json!([block("a"), {"type": "image"}])), None);
        assert_eq!(text(&json!({"content": [block("a")], "isError": true})), None);
    }
}
