//! Paths that lead out of the folder of a file server (2026-07-28, server/resources).

use super::probe::probes;
use super::{Stage, breach};
use crate::client::Reply;
use crate::protocol::Transport;
use crate::wire::is_loopback;
use serde_json::json;
use std::path::PathBuf;

probes! {
    /// Where `file:` resources are listed by a server on this machine: writes a file into the folder for temporary
    /// files, sees that it cannot be read by its own URI, and then tries to reach it from the folder of a listed file by
    /// `..`, written plainly and percent-encoded once and twice. What can be read that way and not by its own URI was
    /// meant to be out of reach.
    paths_do_not_lead_out (Breaking, Modern, Any) decides ["resources.read.path-traversal-blocked"];
}

/// A file that should not be found; it is gone when this is.
struct Canary {
    path: PathBuf,
    secret: String,
}

impl Canary {
    fn plant(stage: &Stage<'_>) -> std::io::Result<Self> {
        let secret =
            format!("mcprove-canary-{}-{:x}", std::process::id(), stage.settings.seed ^ stage.talk.now());
        let path = std::env::temp_dir().join(format!("{secret}.txt"));
        std::fs::write(&path, &secret)?;
        Ok(Self { path, secret })
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for temporary files.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Ways from the folder of a listed file to another one, by the name of the trick.
fn detours(listed: &str, target: &str) -> Vec<(&'static str, String)> {
    let folder = listed.rsplit_once('/').map_or(listed, |(folder, _)| folder);
    let target = target.trim_start_matches('/');
    let up = |step: &str| format!("{folder}/{}{target}", step.repeat(12));
    vec![
        ("plain", up("../")),
        ("encoded", up("%2e%2e/")),
        ("encoded-slash", up("..%2f")),
        ("twice", up("%252e%252e%252f")),
        ("backslash", up("..\\")),
    ]
}

async fn paths_do_not_lead_out(stage: &mut Stage<'_>) {
    const ID: &str = "resources.read.path-traversal-blocked";
    let listed = stage
        .offer
        .first
        .get("resources/list")
        .and_then(|uris| uris.iter().find(|uri| uri.starts_with("file:///")).cloned());
    let Some(listed) = listed else {
        return stage.judge.not_applicable(ID, "no-files", "the server lists no `file:` resource");
    };
    let here = stage.transport() == Transport::Stdio || stage.talk.url().is_some_and(is_loopback);
    let canary = if here { Canary::plant(stage).ok() } else { None };
    let Some(canary) = canary else {
        let text = "it takes a server that runs on this machine, and a file that it must not find";
        return stage.judge.undecided(ID, "elsewhere", text);
    };
    let path = canary.path.to_string_lossy().into_owned();
    let finds =
        |reply: &Reply| reply.result().is_some_and(|result| result.to_string().contains(&canary.secret));
    let direct = format!("file://{path}");
    let outgoing = stage.talk.compose("resources/read", json!({"uri": direct}));
    let (_, reply) = stage.breaking(outgoing).await;
    if finds(&reply) {
        let text = "the server reads any file of the machine, so that there is nothing to lead out of";
        return stage.judge.undecided(ID, "everything", text);
    }
    let mut refused = 0;
    let detours = detours(&listed, &path);
    let all = detours.len();
    for (class, uri) in detours {
        let outgoing = stage.talk.compose("resources/read", json!({"uri": uri}));
        let (ticket, reply) = stage.breaking(outgoing).await;
        if finds(&reply) {
            let text = "a file outside of what the server offers was read by a path that leads out of it";
            let seen =
                breach(class, text, &ticket, &reply).expected(&["error -32602"]).actual(format!("`{uri}`"));
            stage.judge.broke(ID, seen.pointer("/result/contents"));
        }
        refused += usize::from(matches!(reply, Reply::Error(_) | Reply::Result(_)) && !finds(&reply));
        if stage.talk.gone().is_some() {
            return;
        }
    }
    if refused == all {
        stage.judge.held(ID);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detours_begin_in_the_folder_of_a_listed_file() {
        let ways = detours("file:///srv/docs/a.txt", "/tmp/x");
        assert_eq!(ways[0].1, format!("file:///srv/docs/{}tmp/x", "../".repeat(12)));
        assert!(ways.iter().all(|(_, uri)| uri.starts_with("file:///srv/docs/") && uri.ends_with("tmp/x")));
    }
}
