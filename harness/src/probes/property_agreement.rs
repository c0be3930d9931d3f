//! The same call in every revision of the era, and over another transport.

use super::probe::{breach, probes};
use super::{Call, Known, Solo};
use crate::client::{Binding, Opened, Reply, Ticket};
use crate::protocol::Revision;
use serde_json::{Value, json};
use std::time::Duration;

const REVISIONS: &str = "property.revisions.agree";
const TRANSPORTS: &str = "property.transports.agree";
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
    /// Calls up to twelve quick tools that say `readOnlyHint: true` once more over HTTP, with arguments that were answered by
    /// nothing but text over STDIO. The text is the same; what differs is asked again in fresh conversations of both. Only
    /// with `--properties N`, where the target is reached over both (`--also`).
    results_agree_over_every_transport (AloneForEra, Both, Stdio) decides ["property.transports.agree"];
}

/// Where a call is made.
#[derive(Clone, Copy)]
struct Place<'a> {
    revision: Revision,
    /// The transport of the unit if `None`.
    over: Option<&'a Binding>,
    /// For people, with the word before it.
    words: &'a str,
}

impl Place<'_> {
    async fn open(self, solo: &mut Solo<'_>, id: &'static str) -> Option<Opened> {
        match self.over {
            None => solo.begin(self.revision, &[id]).await,
            Some(binding) => solo.begin_over(binding, self.revision).await,
        }
    }

    async fn close(self, solo: &mut Solo<'_>, opened: Opened) {
        match self.over {
            None => solo.close(opened).await,
            // What is said there is judged where that transport is checked.
            Some(_) => _ = opened.close().await,
        }
    }
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

/// Calls of the newest revision that can be made again and compared. Those of tools whose arguments are mirrored in headers
/// take more than their arguments.
fn calls(solo: &Solo<'_>, known: &Known) -> Vec<(Call, String)> {
    let reads = |call: &Call| {
        let tool = known.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| {
            tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true))
                && solo.settings.safety.may_call(tool).is_ok()
                && !tool["inputSchema"].to_string().contains("x-mcp-header")
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
    id: &'static str,
    place: Place<'_>,
    calls: &[&Call],
) -> Option<Vec<(Option<String>, Ticket, Reply)>> {
    let mut opened = place.open(solo, id).await?;
    let mut answers = Vec::new();
    for call in calls {
        let params = json!({"name": call.tool, "arguments": call.arguments});
        let outgoing = opened.talk.compose("tools/call", params);
        let ticket = opened.talk.send(outgoing).await;
        let reply = opened.talk.reply_within(&ticket, QUICK * 4).await;
        answers.push((reply.result().and_then(text), ticket, reply));
    }
    place.close(solo, opened).await;
    Some(answers)
}

/// Whether nobody has asked for a comparison.
fn is_left_out(solo: &mut Solo<'_>, id: &'static str) -> bool {
    let left_out = solo.settings.properties.cases.is_none_or(|cases| cases == 0);
    if left_out {
        let text = "results are compared with --properties N only: it costs processes";
        solo.judge.undecided(id, "not-asked-for", text);
    }
    left_out
}

async fn results_agree_in_every_revision(solo: &mut Solo<'_>) {
    if is_left_out(solo, REVISIONS) {
        return;
    }
    let known = solo.known().await;
    let Some((newest, older)) = known.spoken.split_last().filter(|(_, older)| !older.is_empty()) else {
        let text = "the server speaks only one revision with a handshake";
        return solo.judge.undecided(REVISIONS, "one-revision", text);
    };
    let calls = calls(solo, &known);
    let names: Vec<String> = older.iter().map(|revision| format!("in {revision}")).collect();
    let others = older.iter().zip(&names);
    let others = others.map(|(revision, words)| Place { revision: *revision, over: None, words }).collect();
    let here = format!("in {newest}");
    compare(solo, REVISIONS, Place { revision: *newest, over: None, words: &here }, others, &calls).await;
}

async fn results_agree_over_every_transport(solo: &mut Solo<'_>) {
    if is_left_out(solo, TRANSPORTS) {
        return;
    }
    let Some(elsewhere) = solo.settings.elsewhere.clone() else {
        let text = "the target is reached over one transport only; --also URL names another";
        return solo.judge.undecided(TRANSPORTS, "one-transport", text);
    };
    let known = solo.known().await;
    let Some(revision) = known.spoken.last().copied() else {
        return solo.judge.undecided(TRANSPORTS, "not-begun", "no main conversation came about");
    };
    let calls = calls(solo, &known);
    let here = Place { revision, over: None, words: "over STDIO" };
    let there = Place { revision, over: Some(&elsewhere), words: "over HTTP" };
    compare(solo, TRANSPORTS, here, vec![there], &calls).await;
}

/// Makes the calls elsewhere, and compares what they are answered with to what they were answered with here.
async fn compare(
    solo: &mut Solo<'_>,
    id: &'static str,
    here: Place<'_>,
    elsewhere: Vec<Place<'_>>,
    calls: &[(Call, String)],
) {
    if calls.is_empty() {
        let text = "no quick tool that only reads, and may be called, answers with text";
        return solo.judge.undecided(id, "nothing-to-call", text);
    }
    for there in elsewhere {
        let all: Vec<&Call> = calls.iter().map(|(call, _)| call).collect();
        let Some(answers) = ask(solo, id, there, &all).await else { continue };
        for ((call, wanted), (got, ..)) in calls.iter().zip(answers) {
            match got {
                Some(got) if got == *wanted => solo.judge.held(id),
                Some(got) => differs(solo, id, call, (here, wanted), (there, &got)).await,
                // What cannot be had there in this form cannot be compared.
                None => {}
            }
        }
    }
}

/// Asks again in both: only what is always the same in each, and differs between them, differs.
async fn differs(
    solo: &mut Solo<'_>,
    id: &'static str,
    call: &Call,
    here: (Place<'_>, &str),
    there: (Place<'_>, &str),
) {
    // What is shown at last was said over the transport that is checked.
    let order = if there.0.over.is_some() { [there, here] } else { [here, there] };
    let mut last = None;
    for _ in 0..ROUNDS {
        for (place, before) in order {
            let Some(mut answers) = ask(solo, id, place, &[call]).await else { return };
            let Some((Some(got), ticket, reply)) = answers.pop() else { return };
            if got != before {
                return solo.judge.undecided(id, "drift", "the answers differ from time to time, too");
            }
            last = Some((place, got, ticket, reply));
        }
    }
    let Some((shown, got, ticket, reply)) = last else { return };
    let (other, wanted) = if shown.words == here.0.words { there } else { here };
    let message = format!("`{}` has another answer {} than {}", call.tool, shown.words, other.words);
    let short = |text: &str| text.chars().take(150).collect::<String>();
    let seen = breach("differs", message, &ticket, &reply).quality().expected(&["the same text in both"]);
    solo.judge.broke(
        id,
        seen.actual(format!("`{}` instead of `{}`", short(&got), short(wanted))).pointer("/result/content"),
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
