//! Two connections of 2026-07-28 side by side: what the one is told, the other is told too.
//!
//! A list may change at any time, for reasons of its own. So nothing is found by comparing with what was known
//! before: that only says where to look. See [`compare_now`].

use super::lists::{LISTS, List, listing, sorted};
use super::versioning::is_own_process;
use super::{Known, Solo};
use crate::client::{Conversation, Opened, Reply};
use crate::monitors::Breach;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How often is asked where a difference was seen.
const ROUNDS: usize = 4;
/// How many calls are repeated to see whether they alter a list, and how long this may take.
const CALLS: usize = 12;
const CALLS_TAKE: Duration = Duration::from_secs(3);

/// What is asked on both connections.
#[derive(Clone, Copy)]
enum Question {
    List(&'static List),
    Description,
}

/// An answer.
struct Told {
    /// What is compared: the keys of a list in order, or the description without what may differ.
    what: Value,
    reply: Reply,
}

/// What a comparison came to.
enum Comparison {
    Same(Value),
    Differs {
        here: Told,
        there: Value,
    },
    /// It changed on one connection while it was asked for.
    Drifts,
    Unanswered,
}

/// Compares lists, self-description and cursors with those of the main conversation.
pub(super) async fn compare(solo: &mut Solo<'_>, opened: &mut Opened) {
    let known = solo.known().await;
    // Others are opened while this one stays open.
    opened.step_aside();
    for list in LISTS.into_iter().filter(|list| known.offer.listed.contains(&list.method)) {
        if let Some(ids) = ids(list) {
            compare_list(solo, &known, list, ids, &mut opened.talk).await;
            solo.judge.about(opened.talk.recorder());
        }
    }
    go_on(solo, &known, &mut opened.talk).await;
    solo.judge.about(opened.talk.recorder());
    compare_descriptions(solo, &known, &mut opened.talk).await;
}

/// The rows about the set not varying with the connection, and about requests not altering it.
fn ids(list: &List) -> Option<(&'static str, &'static str)> {
    match list.method {
        "tools/list" => Some(("tools.list.same-on-every-connection", "tools.list.unaffected-by-requests")),
        "resources/list" => {
            Some(("resources.list.same-on-every-connection", "resources.list.unaffected-by-requests"))
        }
        "prompts/list" => {
            Some(("prompts.list.same-on-every-connection", "prompts.list.unaffected-by-requests"))
        }
        _ => None,
    }
}

async fn ask(talk: &mut Conversation, question: Question) -> Option<Told> {
    match question {
        Question::List(list) => {
            let (keys, reply) = listing(talk, list).await?;
            Some(Told { what: json!(sorted(&keys)), reply })
        }
        Question::Description => {
            let reply = talk.request("server/discover", json!({})).await;
            Some(Told { what: plain(reply.result()?), reply })
        }
    }
}

/// A self-description without what may differ from answer to answer.
fn plain(result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(members) = result.as_object_mut() {
        members.remove("ttlMs");
        members.remove("_meta");
    }
    result
}

/// A further connection.
async fn open(solo: &mut Solo<'_>) -> Option<Opened> {
    let mut opened = solo.open(Some(solo.revision)).await.ok()?;
    opened.talk.speak_modern(solo.revision);
    Some(opened)
}

/// Asks here, on a fresh connection, and here again, several times. Only what is the same both times here and differs
/// there, on more than one of the fresh connections, differs: not all of them need to be in the other half of a server.
async fn compare_now(solo: &mut Solo<'_>, here: &mut Conversation, question: Question) -> Comparison {
    let (mut same, mut differing) = (None, Vec::new());
    for _ in 0..ROUNDS {
        let Some(mut other) = open(solo).await else { return Comparison::Unanswered };
        let before = ask(here, question).await;
        let there = ask(&mut other.talk, question).await;
        let after = ask(here, question).await;
        solo.close(other).await;
        solo.judge.about(here.recorder());
        match (before, there, after) {
            (Some(before), Some(_), Some(after)) if before.what != after.what => return Comparison::Drifts,
            (Some(before), Some(there), Some(_)) if before.what == there.what => same = Some(there.what),
            (Some(_), Some(there), Some(after)) => differing.push((after, there.what)),
            _ => return Comparison::Unanswered,
        }
    }
    match (differing.len(), differing.pop(), same) {
        (2.., Some((here, there)), _) => Comparison::Differs { here, there },
        (_, None, Some(what)) => Comparison::Same(what),
        // Once only: it may have changed and changed back.
        (_, Some(_), _) => Comparison::Drifts,
        (_, None, None) => Comparison::Unanswered,
    }
}

async fn compare_list(
    solo: &mut Solo<'_>,
    known: &Known,
    list: &'static List,
    (same, unaffected): (&'static str, &'static str),
    here: &mut Conversation,
) {
    let question = Question::List(list);
    let Some(now) = ask(here, question).await else {
        return solo.judge.undecided(same, "no-answer", "the list could not be fetched again");
    };
    let (Some(first), Some(last)) = (
        known.offer.first.get(list.method).map(|keys| json!(sorted(keys))),
        known.offer.latest.get(list.method).map(|keys| json!(sorted(keys))),
    ) else {
        return;
    };
    // A process of one's own begins anew: what changed in the other one cannot be seen here.
    let own = is_own_process(solo.opener.binding().transport());
    let now = if now.what == if own { first.clone() } else { last.clone() } {
        now.what
    } else {
        match compare_now(solo, here, question).await {
            Comparison::Same(now) => now,
            Comparison::Differs { here, there } => {
                let text = format!("`{}` gives other entries on another connection", list.method);
                return solo.judge.broke(
                    same,
                    Breach::new("differs", text)
                        .expected(&["the same set on every connection"])
                        .actual(difference(&here.what, &there))
                        .pointer(format!("/result/{}", list.member))
                        .reply(&here.reply),
                );
            }
            Comparison::Drifts => {
                for id in [same, unaffected] {
                    solo.judge.undecided(id, "drift", "the list changed while it was asked for");
                }
                return;
            }
            Comparison::Unanswered => {
                return solo.judge.undecided(same, "no-answer", "the lists could not be compared again");
            }
        }
    };
    solo.judge.held(same);
    if first == last || (now == last && !own) {
        // What changed there changed here too: a list may change, only not for one connection.
        solo.judge.held(unaffected);
    } else {
        judge_altering(solo, known, list, unaffected, here).await;
    }
}

/// What is new and what is missing here.
fn difference(here: &Value, there: &Value) -> String {
    let keys = |set: &Value| set.as_array().cloned().unwrap_or_default();
    let (here, there) = (keys(here), keys(there));
    let lacking = there.iter().find(|key| !here.contains(key)).map(|key| format!("{key} is missing"));
    let more = here.iter().find(|key| !there.contains(key)).map(|key| format!("{key} is new"));
    let text = [lacking, more].into_iter().flatten().collect::<Vec<_>>().join(", ");
    text.replace('"', "`").chars().take(300).collect()
}

/// A list before and after some calls on one connection, then on another, then on the first again.
struct Altering {
    before: Value,
    after: Value,
    elsewhere: Value,
    again: Value,
}

impl Altering {
    /// Whether it changed for the connection of the calls, and only there, and stayed so.
    fn is_for_one_connection(&self) -> bool {
        self.before != self.after && self.after == self.again && self.elsewhere == self.before
    }
}

/// The list of the main conversation changed while that went on, and nobody sees the change now. Repeats the calls
/// that were answered there, on fresh connections, to see whether they are what alters the list. A process of one's own
/// is a connection: what each one changes after the calls, and none without them, is changed by them.
async fn judge_altering(
    solo: &mut Solo<'_>,
    known: &Known,
    list: &'static List,
    id: &'static str,
    here: &mut Conversation,
) {
    for round in 1..=ROUNDS {
        let Some(mut other) = open(solo).await else {
            return solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        };
        let question = Question::List(list);
        let before = ask(&mut other.talk, question).await;
        call_again(known, &mut other.talk).await;
        let after = ask(&mut other.talk, question).await;
        let elsewhere = ask(here, question).await;
        let again = ask(&mut other.talk, question).await;
        let (Some(before), Some(after), Some(elsewhere), Some(again)) = (before, after, elsewhere, again)
        else {
            solo.close(other).await;
            return solo.judge.undecided(id, "no-answer", "the lists could not be compared again");
        };
        let seen =
            Altering { before: before.what, after: after.what, elsewhere: elsewhere.what, again: again.what };
        let altered = seen.is_for_one_connection();
        if altered && round == ROUNDS {
            let text = format!("calls changed `{}` for the connection that they came on", list.method);
            solo.judge.about(other.talk.recorder());
            let breach = Breach::new("altered", text)
                .expected(&["the same set as on other connections"])
                .actual(difference(&seen.after, &seen.elsewhere))
                .pointer(format!("/result/{}", list.member))
                .reply(&again.reply);
            // What a process keeps in its memory is for its one client; another rule asks for more than that.
            let own = is_own_process(solo.opener.binding().transport());
            solo.judge.broke(id, if own { breach.quality() } else { breach });
        }
        solo.close(other).await;
        if !altered {
            let text = "the list changed during the check, and the same calls did not change it again";
            return solo.judge.undecided(id, "drift", text);
        }
    }
}

/// Repeats the calls that were answered in the main conversation.
async fn call_again(known: &Known, talk: &mut Conversation) {
    let deadline = Instant::now() + CALLS_TAKE;
    for call in known.offer.calls.iter().filter(|call| call.took < CALLS_TAKE / 3).take(CALLS) {
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() || talk.gone().is_some() {
            break;
        }
        let params = json!({"name": call.tool, "arguments": call.arguments});
        let outgoing = known.offer.compose_call(talk, params);
        let ticket = talk.send(outgoing).await;
        talk.reply_within(&ticket, wait).await;
    }
}

/// Goes on with a cursor of the other conversation.
async fn go_on(solo: &mut Solo<'_>, known: &Known, talk: &mut Conversation) {
    const ID: &str = "pagination.cursor.any-connection";
    let Some(cursor) = known.offer.cursors.first() else { return };
    let Some(list) = LISTS.into_iter().find(|list| list.method == cursor.method) else { return };
    let reply = talk.request(cursor.method, json!({"cursor": cursor.cursor})).await;
    match reply.result().map(|result| list.keys(list.entries(result))) {
        Some(page) if page == cursor.page => solo.judge.held(ID),
        // A process of one's own may keep its cursors to itself.
        _ if is_own_process(talk.transport()) => solo.judge.held(ID),
        Some(_) => {
            solo.judge.undecided(ID, "other-page", "the cursor led to another page, which may have changed");
        }
        None if reply.is_error() => go_on_now(solo, list, ID, talk).await,
        None => solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

/// Takes a cursor from one connection to another: a list that changed may have taken older ones with it.
async fn go_on_now(solo: &mut Solo<'_>, list: &'static List, id: &'static str, here: &mut Conversation) {
    let page = here.request(list.method, json!({})).await;
    let cursor = page.result().and_then(|result| result.get("nextCursor")).cloned();
    let Some(cursor) = cursor else {
        return solo.judge.undecided(id, "drift", "the list has only one page now");
    };
    let Some(mut other) = open(solo).await else {
        return solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
    };
    let params = json!({"cursor": cursor});
    let there = other.talk.request(list.method, params.clone()).await;
    let again = here.request(list.method, params).await;
    match (&there, &again) {
        (Reply::Result(_), _) => solo.judge.held(id),
        (Reply::Error(_), Reply::Result(_)) => solo.judge.broke(
            id,
            Breach::new("refused", "a cursor is refused on another connection")
                .expected(&["the next page"])
                .reply(&there)
                .pointer("/error"),
        ),
        _ => {
            let text = format!("the cursor is not taken where it came from either: {}", again.describe());
            solo.judge.undecided(id, "refused-everywhere", text);
        }
    }
    solo.close(other).await;
}

async fn compare_descriptions(solo: &mut Solo<'_>, known: &Known, here: &mut Conversation) {
    const ID: &str = "discover.connection-independent";
    let now = ask(here, Question::Description).await;
    let (Some(now), Some(before)) = (now, &known.offer.discovered) else { return };
    if now.what == plain(before) {
        return solo.judge.held(ID);
    }
    match compare_now(solo, here, Question::Description).await {
        Comparison::Same(_) => solo.judge.held(ID),
        Comparison::Differs { here, .. } => solo.judge.broke(
            ID,
            Breach::new("differs", "`server/discover` is answered otherwise on another connection")
                .expected(&["the same result, `ttlMs` and `_meta` aside"])
                .actual("another result")
                .pointer("/result")
                .reply(&here.reply),
        ),
        Comparison::Drifts => solo.judge.undecided(ID, "drift", "the answer changed while it was asked for"),
        Comparison::Unanswered => {
            solo.judge.undecided(ID, "no-answer", "the answers could not be compared again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Altering, difference};
    use serde_json::{Value, json};

    fn altering(sets: [&[&str]; 4]) -> Altering {
        let [before, after, elsewhere, again] = sets.map(|set| json!(set));
        Altering { before, after, elsewhere, again }
    }

    #[test]
    fn only_what_changed_for_one_connection_and_stayed_so_is_for_one_connection() {
        let (old, new): (&[&str], &[&str]) = (&["a"], &["a", "b"]);
        assert!(altering([old, new, old, new]).is_for_one_connection());
        for (what, sets) in [
            ("no change", [old, old, old, old]),
            ("for all", [old, new, new, new]),
            ("gone again", [old, new, old, old]),
            ("another one elsewhere", [old, new, &["c"], new]),
        ] {
            assert!(!altering(sets).is_for_one_connection(), "{what}");
        }
    }

    #[test]
    fn a_difference_names_an_entry_of_each_kind() {
        assert_eq!(difference(&json!(["a", "b"]), &json!(["a", "c"])), "`c` is missing, `b` is new");
        assert_eq!(difference(&Value::Null, &json!([])), "");
    }
}
