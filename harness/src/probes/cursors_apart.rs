//! Cursors and whose they are: the cursor of one principal leads another into no list but their own
//! (server/utilities/pagination, and the security sections of the features).

use super::Solo;
use super::door::other_token;
use super::probe::{breach, probes};
use super::tasks_apart::{self, Stranger};
use crate::client::{Conversation, Reply, Ticket};
use serde_json::{Value, json};

probes! {
    /// Where the user gave the credentials of other principals (`--principal`, `--trust-test-issuer`): reads each list to
    /// its end for each of them and for the user's own, and follows as one the cursors that led the other to entries that
    /// one's own list does not have. An error is right, and so is a page of one's own list: a page with an entry that only
    /// the list of the other has is not.
    cursors_lead_into_no_list_of_another (Alone, Both, Http) decides
        ["tools.call.access-control", "resources.read.access-control", "prompts.injection-safe"];
}

/// The most pages of a list that are read for one principal.
const PAGES: usize = 50;
/// How many cursors of a list are followed for each two principals.
const MOST: usize = 4;

/// A list, and the row that is about who may see what is in it.
pub(super) struct List {
    row: &'static str,
    method: &'static str,
    member: &'static str,
    key: &'static str,
}

const fn list(row: &'static str, method: &'static str, member: &'static str, key: &'static str) -> List {
    List { row, method, member, key }
}

const TOOLS: List = list("tools.call.access-control", "tools/list", "tools", "name");
pub(super) const RESOURCES: List =
    list("resources.read.access-control", "resources/list", "resources", "uri");
const TEMPLATES: List = list(RESOURCES.row, "resources/templates/list", "resourceTemplates", "uriTemplate");
const PROMPTS: List = list("prompts.injection-safe", "prompts/list", "prompts", "name");

/// A page of a list, with the cursor that led to it; none for the first one.
struct Page {
    cursor: Option<Value>,
    entries: Vec<Value>,
}

/// What the list of a principal has.
pub(super) struct Listed<'a> {
    /// None for the user's own.
    stranger: Option<&'a Stranger>,
    pages: Vec<Page>,
}

impl Listed<'_> {
    fn entries(&self) -> impl Iterator<Item = &Value> {
        self.pages.iter().flat_map(|page| &page.entries)
    }

    /// The names or URIs in it.
    pub(super) fn keys(&self, list: &List) -> Vec<Value> {
        self.entries().filter_map(|entry| entry.get(list.key).cloned()).collect()
    }
}

async fn ask(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    stranger: Option<&Stranger>,
    list: &List,
    cursor: Option<&Value>,
) -> (Ticket, Reply) {
    let params = cursor.map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
    let outgoing = talk.compose(list.method, params);
    if let Some(stranger) = stranger {
        return stranger.sends(solo, talk, outgoing).await;
    }
    let ticket = talk.send(outgoing).await;
    let reply = talk.reply(&ticket).await;
    (ticket, reply)
}

/// What a list has for a principal; none if it cannot be read to its end.
pub(super) async fn listed<'a>(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    list: &List,
    stranger: Option<&'a Stranger>,
) -> Option<Listed<'a>> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES {
        let (_, reply) = ask(solo, talk, stranger, list, cursor.as_ref()).await;
        let result = reply.result()?;
        let entries = result.get(list.member)?.as_array()?.clone();
        let next = result.get("nextCursor").cloned();
        pages.push(Page { cursor, entries });
        if next.is_none() {
            return Some(Listed { stranger, pages });
        }
        cursor = next;
    }
    None
}

async fn cursors_lead_into_no_list_of_another(solo: &mut Solo<'_>) {
    const ROWS: [&str; 3] = [TOOLS.row, RESOURCES.row, PROMPTS.row];
    let leave_open = |solo: &mut Solo<'_>, code: &str, text: &str| {
        for id in ROWS {
            solo.judge.undecided(id, code, text);
        }
    };
    if other_token(solo).await.is_none() {
        return leave_open(solo, "one-caller", "it takes the credentials of another principal: --principal");
    }
    let known = solo.known().await;
    let Some(mut opened) = solo.begin(solo.revision, &ROWS).await else { return };
    let talk = &mut opened.talk;
    let others = tasks_apart::others(solo, talk).await;
    for list in [&TOOLS, &RESOURCES, &TEMPLATES, &PROMPTS] {
        if others.is_empty() || !known.offer.listed.contains(&list.method) {
            continue;
        }
        let Some(ours) = listed(solo, talk, list, None).await else { continue };
        for other in &others {
            let Some(theirs) = listed(solo, talk, list, Some(other)).await else { continue };
            follow(solo, talk, list, &ours, &theirs).await;
            follow(solo, talk, list, &theirs, &ours).await;
        }
    }
    // That a cursor is bound says nothing of what is read without one.
    leave_open(solo, "own-pages", "no cursor led a principal to what only the list of another has");
    solo.close(opened).await;
}

/// Lets one principal follow cursors of another.
async fn follow(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    list: &List,
    holder: &Listed<'_>,
    intruder: &Listed<'_>,
) {
    let key = |entry: &Value| entry.get(list.key).cloned();
    let own = intruder.keys(list);
    let foreign: Vec<Value> = holder.keys(list).into_iter().filter(|key| !own.contains(key)).collect();
    let is_foreign = |entry: &Value| key(entry).is_some_and(|key| foreign.contains(&key));
    let leads = holder.pages.iter().filter(|page| page.entries.iter().any(is_foreign));
    for cursor in leads.filter_map(|page| page.cursor.as_ref()).take(MOST) {
        let (ticket, reply) = ask(solo, talk, intruder.stranger, list, Some(cursor)).await;
        let shown = reply.result().and_then(|result| result.get(list.member)?.as_array());
        let Some(seen) = shown.and_then(|shown| shown.iter().find(|entry| is_foreign(entry))) else {
            continue;
        };
        // Lists may have changed between one and the other.
        let Some(now) = listed(solo, talk, list, intruder.stranger).await else { return };
        if key(seen).is_some_and(|key| !now.keys(list).contains(&key)) {
            let text = format!(
                "the cursor of one principal led another to an entry of `{}` that only the first one's list has",
                list.method
            );
            let found = breach("cursor", text, &ticket, &reply).quality();
            let found = found.expected(&["an error", "a page of the principal's own list"]);
            solo.judge.broke(list.row, found.pointer(format!("/result/{}", list.member)));
            return;
        }
    }
}
