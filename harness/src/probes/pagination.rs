//! Cursors under test (server/utilities/pagination).

use super::probe::probes;
use super::tour::served;
use super::{Stage, breach};
use crate::client::Reply;
use serde_json::json;

probes! {
    /// Sends cursors that the server never gave: words, 16 KiB, another list's. An error -32602 is right; that a server
    /// without pages ignores cursors is borne. After each the server goes on serving.
    invalid_cursor_is_refused (Breaking, Both, Any) decides
        ["pagination.cursor.invalid-error", "pagination.cursor.invalid-graceful"];
}

async fn invalid_cursor_is_refused(stage: &mut Stage<'_>) {
    const ERROR: &str = "pagination.cursor.invalid-error";
    const GRACEFUL: &str = "pagination.cursor.invalid-graceful";
    let lists = served(stage);
    let paged = lists.iter().copied().find(|list| stage.offer.paged.contains(&list.method));
    let Some(list) = paged.or_else(|| lists.first().copied()) else { return };
    let issued = paged.is_some();
    let foreign = stage.offer.cursors.iter().find(|cursor| cursor.method != list.method);
    let foreign = foreign.map(|cursor| cursor.cursor.clone());
    let mut cursors = vec![("word", "mcprove-invalid-cursor".to_owned()), ("long", "z".repeat(16_384))];
    cursors.extend(foreign.map(|cursor| ("foreign", cursor)));
    let mut graceful = true;
    for (class, cursor) in cursors {
        let outgoing = stage.talk.compose(list.method, json!({"cursor": cursor}));
        let (ticket, reply) = stage.breaking(outgoing).await;
        let seen = |message: String| {
            breach(class, message, &ticket, &reply).quality().expected(&["error -32602 (invalid params)"])
        };
        match &reply {
            // A foreign cursor may happen to fit: servers count positions.
            Reply::Result(_) if class == "foreign" => {}
            Reply::Result(_) if issued => stage.judge.broke(
                ERROR,
                seen(format!("`{}` took a cursor that it never gave", list.method)).pointer("/result"),
            ),
            Reply::Result(_) => {
                stage.judge.undecided(ERROR, "no-pages", "a server without pages may ignore cursors");
            }
            Reply::Error(answer) => {
                stage.judge.decide(ERROR, answer.message.error_code() == Some(-32602), || {
                    seen(format!("`{}` refused an invalid cursor with another code", list.method))
                        .pointer("/error/code")
                });
            }
            Reply::Silence(_) => {
                stage
                    .judge
                    .broke(GRACEFUL, seen(format!("`{}` did not answer an invalid cursor", list.method)));
                graceful = false;
            }
            _ => graceful = false,
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
    let (_, after) = stage.request(list.method, json!({})).await;
    if graceful && after.result().is_some() {
        stage.judge.held(GRACEFUL);
    } else if graceful && after.is_error() {
        stage.judge.broke(
            GRACEFUL,
            crate::monitors::Breach::new(
                "after",
                format!("after an invalid cursor `{}` is refused without one", list.method),
            )
            .quality()
            .expected(&["the first page"])
            .reply(&after),
        );
    } else {
        stage.judge.undecided(
            GRACEFUL,
            "no-answer",
            "an invalid cursor, or what followed it, got no usable answer",
        );
    }
}
