//! The lists of a server: which there are, and how one is walked from its first page to its last.

use super::{Cursor, Stage, breach};
use crate::client::{Conversation, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{
    Era,
    catalogue::{Catalogue, Testable},
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// How many pages of one list are fetched.
const MOST_PAGES: usize = 500;
/// How many entries of one list are kept.
const MOST_ENTRIES: usize = 20_000;
/// How many empty pages in a row count as no end.
const MOST_EMPTY: usize = 20;

/// A list operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) method: &'static str,
    /// The member of the result with the entries.
    pub(super) member: &'static str,
    /// What tells one entry from another.
    pub(super) key: &'static str,
    pub(super) capability: &'static str,
    pub(super) answered: &'static str,
    pub(super) declared: &'static str,
    pub(super) without_params: Option<&'static str>,
    pub(super) unique: Option<&'static str>,
}

pub(super) const TOOLS: List = List {
    method: "tools/list",
    member: "tools",
    key: "name",
    capability: "tools",
    answered: "tools.list.answered",
    declared: "tools.capability.declared",
    without_params: Some("tools.list.without-params"),
    unique: Some("tools.definition.name-unique"),
};
pub(super) const RESOURCES: List = List {
    method: "resources/list",
    member: "resources",
    key: "uri",
    capability: "resources",
    answered: "resources.list.answered",
    declared: "resources.capability.declared",
    without_params: Some("resources.list.without-params"),
    unique: Some("resources.definition.uri-unique"),
};
pub(super) const TEMPLATES: List = List {
    method: "resources/templates/list",
    member: "resourceTemplates",
    key: "uriTemplate",
    capability: "resources",
    answered: "resources.templates.served",
    declared: "resources.capability.declared",
    without_params: None,
    unique: None,
};
pub(super) const PROMPTS: List = List {
    method: "prompts/list",
    member: "prompts",
    key: "name",
    capability: "prompts",
    answered: "prompts.list.answered",
    declared: "prompts.capability.declared",
    without_params: Some("prompts.list.without-params"),
    unique: Some("prompts.definition.name-unique"),
};

/// All lists.
pub(super) const LISTS: [&List; 4] = [&TOOLS, &RESOURCES, &TEMPLATES, &PROMPTS];

impl List {
    /// The entries of a page.
    pub(super) fn entries<'a>(&self, result: &'a Value) -> &'a [Value] {
        result.get(self.member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The keys of entries.
    pub(super) fn keys(&self, entries: &[Value]) -> Vec<String> {
        entries.iter().filter_map(|entry| entry.get(self.key)?.as_str().map(str::to_owned)).collect()
    }
}

/// Whether the server of a conversation declares a capability.
pub(super) fn declares(talk: &Conversation, path: &str) -> bool {
    talk.handshake().is_some_and(|handshake| handshake.declares(path))
}

/// Says of all rows that need a capability that they do not apply.
pub(super) fn not_declared(stage: &mut Stage<'_>, capability: &'static str) {
    let area = if capability == "completions" { "completion" } else { capability };
    let hints = [
        "caching.hints.tools-list",
        "caching.hints.prompts-list",
        "caching.hints.resources-list",
        "caching.hints.resource-templates-list",
        "caching.hints.resources-read",
    ];
    let singular = capability.trim_end_matches('s');
    for row in Catalogue::get().iter() {
        let hint = hints.contains(&row.id.as_str()) && row.id.contains(singular);
        if (row.area == area && row.testable == Testable::Conditional) || hint {
            let text = format!("the server does not declare `{capability}`");
            stage.judge.not_applicable(&row.id, "not-declared", text);
        }
    }
}

/// Asks for the first page of a list.
pub(super) async fn ask(stage: &mut Stage<'_>, list: &List) -> Ticket {
    let outgoing = stage.talk.compose(list.method, json!({}));
    stage.talk.send(outgoing).await
}

/// Judges the answer of a server that does not declare the feature.
pub(super) fn judge_undeclared(stage: &mut Stage<'_>, list: &List, ticket: &Ticket, reply: &Reply) {
    const REFUSED: &str = "capabilities.server.undeclared-method-refused";
    const ADVERTISED: &str = "capabilities.server.advertised";
    let expected = ["error -32601 (method not found)", "the capability declared"];
    match reply {
        Reply::Result(answer) => {
            let result = answer.message.result().unwrap_or(&Value::Null);
            let some = !list.entries(result).is_empty();
            let message =
                format!("`{}` is served although `{}` is not declared", list.method, list.capability);
            let pointer = format!("/result/{}", list.member);
            let seen =
                |class: &str| breach(class, &message, ticket, reply).expected(&expected).pointer(&pointer);
            if some {
                stage.judge.broke(list.declared, seen("served"));
                stage.judge.broke(ADVERTISED, seen("served").see(list.declared));
                stage.judge.broke(REFUSED, seen("served").see(list.declared));
                if list.capability == "prompts" {
                    stage.judge.broke("prompts.capability.respected", seen("served"));
                }
            } else {
                stage.judge.held(list.declared);
                let id = if stage.era() == Era::Modern { ADVERTISED } else { REFUSED };
                stage.judge.broke(id, seen("empty").quality());
            }
        }
        Reply::Error(answer) => {
            stage.judge.held(list.declared);
            stage.judge.held(ADVERTISED);
            if list.capability == "prompts" {
                stage.judge.held("prompts.capability.respected");
            }
            stage.judge.decide(REFUSED, answer.message.error_code() == Some(-32601), || {
                breach(
                    "other-code",
                    "a method of an undeclared capability was refused with another code",
                    ticket,
                    reply,
                )
                .quality()
                .expected(&expected)
                .pointer("/error/code")
            });
        }
        _ => {}
    }
}

/// Judges the first answer where the feature is declared; true where there is a page to go on from.
pub(super) async fn judge_declared(
    stage: &mut Stage<'_>,
    list: &List,
    ticket: &Ticket,
    reply: &mut Reply,
) -> bool {
    const WORKS: &str = "capabilities.server.declared-works";
    if let (Reply::Error(_), Some(id), Era::Legacy) = (&*reply, list.without_params, stage.era()) {
        // It was asked without params; perhaps it wants an empty object.
        let (_, again) = empty_params(stage, list).await;
        if matches!(again, Reply::Result(_)) {
            let message =
                format!("`{}` is refused without params, and answered with an empty object", list.method);
            stage.judge.broke(
                id,
                breach("no-params", message, ticket, reply).expected(&["a result"]).pointer("/error"),
            );
            *reply = again;
        }
    }
    let modern = stage.era() == Era::Modern;
    let templates = *list == TEMPLATES;
    match &*reply {
        Reply::Result(_) => {
            stage.judge.held(list.answered);
            if !templates {
                stage.judge.held(list.declared);
                stage.judge.held(WORKS);
                stage.judge.held("capabilities.server.advertised");
                if list.capability == "prompts" {
                    stage.judge.held("prompts.capability.respected");
                }
            }
            return true;
        }
        Reply::Error(answer) if matches!(reply.status(), Some(401 | 403)) => {
            let code = answer.message.error_code().unwrap_or_default();
            stage.judge.undecided(
                list.answered,
                "not-authorized",
                format!("the server refused with error {code}"),
            );
        }
        Reply::Error(answer) => {
            let unknown = answer.message.error_code() == Some(-32601);
            if templates && unknown && !modern {
                // Templates are optional.
                stage.judge.held(list.answered);
                return false;
            }
            let message = format!(
                "`{}` is declared, but `{}` was answered with an error",
                list.capability, list.method
            );
            let mut seen = breach("error", message, ticket, reply)
                .expected(&["a list, possibly empty"])
                .pointer("/error");
            if templates {
                seen = seen.quality();
            }
            stage.judge.broke(list.answered, seen.clone());
            if !templates {
                stage.judge.held(list.declared);
                if unknown {
                    stage.judge.broke(WORKS, seen.see(list.answered));
                }
            }
        }
        Reply::Silence(_) if !templates => {
            stage.judge.undecided(list.answered, "no-answer", "no answer came in time");
            let message =
                format!("`{}` is declared, but `{}` was not answered", list.capability, list.method);
            stage.judge.broke(
                WORKS,
                breach("silence", message, ticket, reply).expected(&["a list, possibly empty"]),
            );
        }
        _ => {
            stage.judge.undecided(
                list.answered,
                "no-answer",
                format!("no usable answer came: {}", reply.describe()),
            );
        }
    }
    false
}

/// The same request with `params: {}`, which leaves nothing out in either era.
async fn empty_params(stage: &mut Stage<'_>, list: &List) -> (Ticket, Reply) {
    let id = stage.talk.fresh_id();
    stage.valid(Outgoing::request(&id, list.method, Some(json!({})))).await
}

/// Lists without params and with an empty object (legacy era): the first was answered.
pub(super) async fn judge_empty_params(stage: &mut Stage<'_>, list: &List) {
    let Some(id) = list.without_params.filter(|_| stage.era() == Era::Legacy) else { return };
    let (ticket, reply) = empty_params(stage, list).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(id),
        Reply::Error(_) => {
            let message =
                format!("`{}` is answered without params, and refused with an empty object", list.method);
            stage.judge.broke(
                id,
                breach("empty-object", message, &ticket, &reply).expected(&["a result"]).pointer("/error"),
            );
        }
        _ => stage.judge.undecided(id, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

/// What a walk saw.
#[derive(Default)]
struct Walk {
    entries: Vec<Value>,
    /// On which page each key was first seen.
    first_seen: HashMap<String, usize>,
    scopes: Vec<Value>,
    pages: usize,
    empty: usize,
}

/// Follows the cursors of a list from its first page on, and judges pagination on the way. Returns all entries.
pub(super) async fn walk(stage: &mut Stage<'_>, list: &'static List, first: &Reply) -> Vec<Value> {
    let mut walk = Walk::default();
    let mut cursors = HashSet::new();
    let mut reply = first.clone();
    let mut last: Option<(String, Vec<String>)> = None;
    loop {
        let Some(result) = reply.result().cloned() else { break };
        let page = list.entries(&result).to_vec();
        let keys = list.keys(&page);
        take_page(stage, list, &mut walk, &reply, page, &keys, &result);
        if let Some((cursor, _)) = &last {
            stage.offer.cursors.push(Cursor {
                method: list.method,
                cursor: cursor.clone(),
                page: keys.clone(),
            });
        }
        let Some(cursor) = result.get("nextCursor").and_then(Value::as_str).map(str::to_owned) else {
            stage.judge.held("pagination.cursor.absent-at-end");
            if walk.pages > 1 {
                stage.judge.held("pagination.terminates");
            }
            break;
        };
        let repeated = !cursors.insert(cursor.clone());
        let same_page = last.as_ref().is_some_and(|(_, page)| *page == keys);
        if (repeated && same_page) || walk.empty > MOST_EMPTY {
            no_end(stage, list, &reply, repeated);
            break;
        }
        if repeated && leads_back(stage, list, &cursor).await {
            no_end(stage, list, &reply, repeated);
            break;
        }
        if repeated || walk.pages >= MOST_PAGES || walk.entries.len() >= MOST_ENTRIES {
            let text = format!("`{}` was left after {} pages", list.method, walk.pages);
            stage.judge.undecided("pagination.terminates", "too-many-pages", text);
            break;
        }
        let (ticket, next) = stage.request(list.method, json!({"cursor": cursor})).await;
        judge_next(stage, list, &ticket, &next);
        last = Some((cursor, keys));
        reply = next;
    }
    if walk.pages > 1 {
        stage.offer.paged.push(list.method);
        judge_pages(stage, list, &walk).await;
    }
    walk.entries
}

/// Whether a cursor that came before leads to the same page again, from which it goes on as before.
async fn leads_back(stage: &mut Stage<'_>, list: &List, cursor: &str) -> bool {
    let known =
        stage.offer.cursors.iter().find(|known| known.method == list.method && known.cursor == cursor);
    let Some(before) = known.map(|known| known.page.clone()) else { return false };
    let (_, reply) = stage.request(list.method, json!({"cursor": cursor})).await;
    let Some(result) = reply.result() else { return false };
    result.get("nextCursor").is_some_and(Value::is_string) && list.keys(list.entries(result)) == before
}

fn take_page(
    stage: &mut Stage<'_>,
    list: &List,
    walk: &mut Walk,
    reply: &Reply,
    page: Vec<Value>,
    keys: &[String],
    result: &Value,
) {
    let mut here = HashSet::new();
    for key in keys {
        let twice = !here.insert(key);
        let before = walk.first_seen.get(key).is_some_and(|seen| *seen != walk.pages);
        walk.first_seen.entry(key.clone()).or_insert(walk.pages);
        let at = |breach: Breach| match reply.answer() {
            Some(answer) => breach.in_answer(answer).pointer(format!("/result/{}", list.member)),
            None => breach,
        };
        let shown: String = key.chars().take(100).collect();
        if before {
            stage.judge.broke(
                "pagination.page.no-repeats",
                at(Breach::new(list.member, format!("an entry of `{}` comes on two pages", list.method))
                    .expected(&["each entry once"])
                    .actual(format!("`{shown}` a second time"))),
            );
        }
        if let Some(id) = list.unique.filter(|_| twice) {
            stage.judge.broke(
                id,
                at(Breach::new("twice", format!("two entries of `{}` have one {}", list.method, list.key))
                    .expected(&["each once"])
                    .actual(format!("`{shown}` twice"))),
            );
        }
    }
    walk.empty = if page.is_empty() { walk.empty + 1 } else { 0 };
    walk.pages += 1;
    walk.scopes.extend(result.get("cacheScope").cloned());
    let room = MOST_ENTRIES.saturating_sub(walk.entries.len());
    walk.entries.extend(page.into_iter().take(room));
    if let Some(id) = list.unique.filter(|_| !keys.is_empty()) {
        stage.judge.held(id);
    }
}

fn no_end(stage: &mut Stage<'_>, list: &List, reply: &Reply, repeated: bool) {
    const ID: &str = "pagination.cursor.absent-at-end";
    let (class, actual) = if repeated {
        ("repeated", "the same cursor again, and the same pages after it")
    } else {
        ("empty-pages", "one empty page after another")
    };
    let mut seen = Breach::new(class, format!("following the cursors of `{}` leads to no end", list.method))
        .expected(&["no `nextCursor` where nothing follows"])
        .actual(actual)
        .pointer("/result/nextCursor");
    if let Some(answer) = reply.answer() {
        seen = seen.in_answer(answer);
    }
    stage.judge.broke(ID, seen.clone());
    stage.judge.broke("pagination.terminates", seen.see(ID));
}

fn judge_next(stage: &mut Stage<'_>, list: &List, ticket: &Ticket, next: &Reply) {
    for id in ["pagination.cursor.accepted", "pagination.operations"] {
        match next {
            Reply::Result(_) => stage.judge.held(id),
            Reply::Error(_) => stage.judge.broke(
                id,
                breach(
                    "refused",
                    format!("a cursor that `{}` had just given was refused", list.method),
                    ticket,
                    next,
                )
                .expected(&["the next page"])
                .pointer("/error"),
            ),
            _ => {
                stage.judge.undecided(id, "no-answer", format!("no usable answer came: {}", next.describe()));
            }
        }
    }
}

/// What only a list of several pages shows.
async fn judge_pages(stage: &mut Stage<'_>, list: &'static List, walk: &Walk) {
    stage.judge.held("pagination.page.no-repeats");
    if let Some(first) = walk.scopes.first() {
        stage.judge.decide(
            "caching.scope.same-on-all-pages",
            walk.scopes.iter().all(|scope| scope == first),
            || {
                Breach::new(list.member, format!("the pages of `{}` differ in `cacheScope`", list.method))
                    .expected(&["the same `cacheScope` on all pages"])
                    .actual("both")
            },
        );
    }
    let Some(known) = stage.offer.cursors.iter().find(|cursor| cursor.method == list.method).cloned() else {
        return;
    };
    let (ticket, again) = stage.request(list.method, json!({"cursor": known.cursor})).await;
    match again.result().map(|result| list.keys(list.entries(result))) {
        Some(keys) if keys == known.page => stage.judge.held("pagination.cursor.stable"),
        Some(keys) => {
            // Perhaps the list has changed: then all of it leads to another page.
            if second_page(stage, list).await.is_none_or(|page| page != known.page) {
                let text = "the cursor led to another page, but the list has changed";
                return stage.judge.undecided("pagination.cursor.stable", "drift", text);
            }
            stage.judge.broke(
                "pagination.cursor.stable",
                breach("other-page", "the same cursor led to another page the second time", &ticket, &again)
                    .expected(&["the same page"])
                    .actual(format!("{} entries that differ", keys.len())),
            );
        }
        None if again.is_error() => stage.judge.broke(
            "pagination.cursor.stable",
            breach("used-up", "a cursor could be used only once", &ticket, &again)
                .expected(&["the same page"]),
        ),
        None => {}
    }
}

/// The keys on the second page of a list as it is now.
async fn second_page(stage: &mut Stage<'_>, list: &List) -> Option<Vec<String>> {
    let (_, first) = stage.request(list.method, json!({})).await;
    let cursor = first.result()?.get("nextCursor")?.clone();
    let (_, second) = stage.request(list.method, json!({"cursor": cursor})).await;
    second.result().map(|result| list.keys(list.entries(result)))
}

/// A whole listing, without judging it: the keys in order, and the answer with the first page. `None` where a page got
/// no result.
pub(super) async fn listing(talk: &mut Conversation, list: &List) -> Option<(Vec<String>, Reply)> {
    let first = talk.request(list.method, json!({})).await;
    let mut keys = Vec::new();
    let mut next = first.clone();
    for _ in 0..MOST_PAGES {
        let result = next.result()?;
        keys.extend(list.keys(list.entries(result)));
        let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) else { break };
        if keys.len() >= MOST_ENTRIES {
            break;
        }
        let params = json!({"cursor": cursor});
        next = talk.request(list.method, params).await;
    }
    Some((keys, first))
}

/// The entry with a key, as it is listed now.
pub(super) async fn entry(talk: &mut Conversation, list: &List, key: &str) -> Option<Value> {
    let mut params = json!({});
    for _ in 0..MOST_PAGES {
        let reply = talk.request(list.method, params).await;
        let result = reply.result()?;
        let mut entries = list.entries(result).iter();
        if let Some(found) = entries.find(|entry| entry.get(list.key).is_some_and(|own| own == key)) {
            return Some(found.clone());
        }
        params = json!({"cursor": result.get("nextCursor")?.as_str()?});
    }
    None
}

/// The same keys in an order of their own.
pub(super) fn sorted(keys: &[String]) -> Vec<String> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys
}
