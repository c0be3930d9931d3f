//! The stateless protocol of 2026-07-28 under test: nothing is remembered from one request to the next
//! (basic/index#statelessness).

use super::Stage;
use super::probe::{breach, probes};
use crate::client::{HttpEdits, Outgoing, Reply};
use serde_json::{Value, json};

probes! {
    /// After many valid requests sends one without `_meta`. It must be refused: version and capabilities are taken from
    /// the request at hand and never remembered. Behind a load balancer the next request meets another process.
    nothing_is_remembered_between_requests (Breaking, Modern, Any) decides
        ["base.stateless.no-reliance-on-earlier-requests"];
    /// Asks for the second page of a list over a new connection. It must be served: related requests need not share
    /// one. On stdio the same is done with a fresh process.
    related_requests_may_use_other_connections (Clean, Modern, AnyHttp) decides
        ["base.stateless.no-connection-affinity"];
    /// Walks through two lists in turns. Each second page is the one that it is without the other list in between.
    unrelated_requests_can_be_interleaved (Clean, Modern, Any) decides ["base.stateless.interleaving"];
}

async fn nothing_is_remembered_between_requests(stage: &mut Stage<'_>) {
    const ID: &str = "base.stateless.no-reliance-on-earlier-requests";
    let method = stage.lists().first().map_or("server/discover", |(method, _)| *method);
    let id = stage.talk.fresh_id();
    let bare = Outgoing {
        version: Some(stage.revision.as_str().to_owned()),
        ..Outgoing::request(&id, method, None)
    };
    let seen = stage.provoke(bare).await;
    match &seen.reply {
        // A server of both eras may serve requests of the older one before they are begun.
        Reply::Result(_) if seen.reply.result().is_some_and(|result| result.get("resultType").is_none()) => {
            stage.judge.undecided(ID, "older-era", "what came has the shape of the older era");
        }
        Reply::Result(_) => stage.judge.broke(
            ID,
            breach("served", format!("`{method}` without `_meta` was served"), &seen.ticket, &seen.reply)
                .expected(&["an error"])
                .pointer("/result"),
        ),
        reply if reply.is_refusal() => stage.judge.held(ID),
        other => {
            stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", other.describe()));
        }
    }
}

/// The first page of a list that has more than one: method, member, cursor.
pub(super) async fn paged(
    talk: &mut crate::client::Conversation,
    lists: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str, Value)> {
    let mut found = Vec::new();
    for (method, member) in lists {
        let reply = talk.request(method, json!({})).await;
        if let Some(cursor) =
            reply.result().and_then(|result| result.get("nextCursor")).filter(|c| c.is_string())
        {
            found.push((*method, *member, cursor.clone()));
        }
    }
    found
}

async fn related_requests_may_use_other_connections(stage: &mut Stage<'_>) {
    const ID: &str = "base.stateless.no-connection-affinity";
    let lists = stage.lists();
    let Some((method, _, cursor)) = paged(stage.talk, &lists).await.into_iter().next() else {
        return stage.judge.undecided(ID, "no-pages", "the server has no list of more than one page");
    };
    let edits = HttpEdits { fresh_connection: true, ..HttpEdits::default() };
    let outgoing = stage.talk.compose(method, json!({"cursor": cursor})).http(edits);
    let (ticket, reply) = stage.valid(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach(
                "refused",
                format!("the second page of `{method}` is not served on a new connection"),
                &ticket,
                &reply,
            )
            .expected(&["the second page"]),
        ),
        other => {
            stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", other.describe()));
        }
    }
}

async fn unrelated_requests_can_be_interleaved(stage: &mut Stage<'_>) {
    const ID: &str = "base.stateless.interleaving";
    let lists = stage.lists();
    let pages = paged(stage.talk, &lists).await;
    if pages.len() < 2 {
        return stage.judge.undecided(ID, "no-pages", "the server has no two lists of more than one page");
    }
    // All first pages have been asked for: the second ones now come after one another's first ones.
    for (method, member, cursor) in &pages {
        let (ticket, reply) = stage.request(method, json!({"cursor": cursor})).await;
        let (_, again) = stage.request(method, json!({"cursor": cursor})).await;
        let (Some(page), Some(repeated)) = (reply.result(), again.result()) else {
            if let (Reply::Error(_), _) | (_, Reply::Error(_)) = (&reply, &again) {
                stage.judge.broke(
                    ID,
                    breach(
                        "refused",
                        format!("the second page of `{method}` is refused after another list"),
                        &ticket,
                        &reply,
                    )
                    .expected(&["the second page"]),
                );
            }
            continue;
        };
        stage.judge.decide(
            ID,
            page.get(member).is_some() && page.get(member) == repeated.get(member),
            || {
                breach(
                    "mixed",
                    format!("the second page of `{method}` changes with the requests in between"),
                    &ticket,
                    &reply,
                )
                .expected(&["the same page"])
            },
        );
    }
}
