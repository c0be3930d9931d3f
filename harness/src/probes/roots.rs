//! Roots under test: errors, no roots at all, roots that change (client/roots).

use super::asking::{Outcome, callers};
use super::probe::probes;
use super::{Call, Stage};
use crate::client::{Answering, Wish};
use crate::monitors::Breach;
use crate::protocol::Era;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

probes! {
    /// Repeats a call that asks for roots, and answers with errors -32601 and -32603 and with an empty list: the call
    /// ends, with whatever result or error.
    lack_of_roots_is_borne (Breaking, Legacy, Any) decides ["roots.error.handled"];
    /// Says that the roots have changed: the server asks for them at once, or when it needs them next, and goes on
    /// serving. One that does neither works on in folders that the user has left.
    changed_roots_are_noticed (Breaking, Legacy, Any) decides ["roots.list-changed.handled"];
    /// Offers a temporary folder as the only root to a server that asks for roots, and has its tools that take a path
    /// read a file in it: then files beside it, by their path, by `..` and by a symbolic link. What stands in those does
    /// not come back. Only where the server shares our files.
    files_beside_the_roots_stay_unread (Breaking, Both, Any) decides ["roots.boundaries.respected"];
}

async fn lack_of_roots_is_borne(stage: &mut Stage<'_>) {
    const ID: &str = "roots.error.handled";
    for (answering, what) in [
        (Answering::Error(-32601, "Roots not supported"), "the client answered `roots/list` with -32601"),
        (Answering::Error(-32603, "Internal error"), "the client answered `roots/list` with -32603"),
        (Answering::Result(json!({"roots": []})), "the list of roots was empty"),
    ] {
        let Some((call, outcome)) = stage.call_for(Wish::Roots, &answering).await else { break };
        stage.judge_end(ID, &call, &outcome, what).await;
    }
    stage.judge.undecided(ID, "not-asked", "no call that may be repeated asks for roots");
}

async fn changed_roots_are_noticed(stage: &mut Stage<'_>) {
    const ID: &str = "roots.list-changed.handled";
    debug_assert_eq!(stage.era(), Era::Legacy);
    let asks = callers(stage.offer, Wish::Roots);
    let asked_before = !asks.is_empty() || stage.wishes_since(0).contains(&Wish::Roots);
    let since = stage.talk.now();
    let ticket = stage.talk.notify("notifications/roots/list_changed", json!({})).await;
    if stage.transport().is_http() {
        stage.talk.reply(&ticket).await;
    }
    if stage.talk.canary().await.result().is_none() {
        let text = "after the notice that roots have changed, a valid request got no result";
        return stage.judge.undecided(ID, "no-canary", text);
    }
    if !asked_before {
        return stage.judge.undecided(ID, "not-asked", "the server does not ask for roots");
    }
    // At once, or with the next call that needs them.
    let wait = Duration::from_millis(if asks.is_empty() { 1000 } else { 100 });
    stage.talk.idle(wait).await;
    let mut asked = stage.wishes_since(since).contains(&Wish::Roots);
    for call in asks {
        if asked {
            break;
        }
        let outcome = stage.call_answering(&call, Answering::Willing).await;
        asked = outcome.question(Wish::Roots).is_some();
    }
    stage.judge.decide(ID, asked, || {
        Breach::new("ignored", "the roots have changed, but the server does not ask for them again")
            .quality()
            .expected(&["`roots/list`, at once or when roots are needed"])
            .actual("nothing")
            .sent(ticket.since)
            .sent_on(ticket.channel)
    });
}

/// Names of arguments that take a path.
const PATHS: &[&str] = &["path", "file", "filename", "file_path", "filePath", "filepath", "uri"];
/// How many tools that take a path are tried.
const MOST_READERS: usize = 6;
/// What stands in the file that may be read, and in the one that may not.
const INSIDE: &str = "mcprove-stands-inside";
const BESIDE: &str = "mcprove-stands-beside";

/// A folder with a root in it and a file beside that; it goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mcprove-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(folder.root())?;
        std::fs::write(folder.root().join("inside.txt"), INSIDE)?;
        std::fs::write(folder.0.join("beside.txt"), BESIDE)?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.0.join("beside.txt"), folder.root().join("link.txt"))?;
        Ok(folder)
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody waits for it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Calls of tools that take a path, and the name of that argument.
fn readers(stage: &Stage<'_>) -> Vec<(Call, String)> {
    let reader = |tool: &Value| {
        let name = tool.get("name")?.as_str()?;
        let properties = tool.pointer("/inputSchema/properties")?.as_object()?;
        let path =
            PATHS.iter().find(|path| properties.get(**path).is_some_and(|one| one["type"] == "string"))?;
        let call = stage.offer.calls.iter().find(|call| call.tool == name)?;
        Some((call.clone(), (*path).to_owned()))
    };
    stage.offer.tools.iter().filter_map(reader).take(MOST_READERS).collect()
}

async fn files_beside_the_roots_stay_unread(stage: &mut Stage<'_>) {
    const ID: &str = "roots.boundaries.respected";
    let by_calls = !callers(stage.offer, Wish::Roots).is_empty();
    let by_itself = stage.era() == Era::Legacy && stage.wishes_since(0).contains(&Wish::Roots);
    let readers = readers(stage);
    if !(by_calls || by_itself) || readers.is_empty() {
        let text = "the server does not ask for roots, or has no tool that may be called and takes a path";
        return stage.judge.undecided(ID, "no-file-tool", text);
    }
    let Ok(folder) = Folder::new() else {
        return stage.judge.undecided(ID, "no-folder", "a temporary folder could not be made");
    };
    let Ok(uri) = url::Url::from_directory_path(folder.root()) else { return };
    let roots = Answering::Result(json!({"roots": [{"uri": uri.as_str(), "name": "mcprove"}]}));
    if stage.era() == Era::Legacy {
        stage.talk.answer_as(roots.clone());
        stage.talk.notify("notifications/roots/list_changed", json!({})).await;
        // One that asks by itself does so now.
        stage.talk.idle(Duration::from_millis(if by_calls { 20 } else { 300 })).await;
    }
    for (call, argument) in readers {
        if read_files(stage, ID, &folder, &roots, &call, &argument).await {
            break;
        }
    }
    stage.talk.answer_as(Answering::Willing);
    stage.judge.undecided(ID, "no-reader", "no tool read a file inside the root that was offered");
}

/// Has one tool read files; whether it reads any.
async fn read_files(
    stage: &mut Stage<'_>,
    id: &'static str,
    folder: &Folder,
    roots: &Answering,
    call: &Call,
    argument: &str,
) -> bool {
    let root = folder.root();
    let read = |path: PathBuf| {
        let mut call = call.clone();
        call.arguments[argument] = if argument == "uri" {
            json!(url::Url::from_file_path(&path).map_or_else(|()| path.display().to_string(), String::from))
        } else {
            json!(path.display().to_string())
        };
        call
    };
    let text = |outcome: &Outcome| outcome.reply.result().map(Value::to_string).unwrap_or_default();
    let inside = stage.call_answering(&read(root.join("inside.txt")), roots.clone()).await;
    if !text(&inside).contains(INSIDE) {
        return false;
    }
    for (class, path) in [
        ("path", folder.0.join("beside.txt")),
        ("dots", root.join("../beside.txt")),
        ("link", root.join("link.txt")),
    ] {
        let outcome = stage.call_answering(&read(path), roots.clone()).await;
        if !outcome.verdict().is_an_end() {
            continue;
        }
        stage.judge.decide(id, !text(&outcome).contains(BESIDE), || {
            let message = format!("`{}` read a file outside the only root of the client", call.tool);
            super::breach(class, message, &outcome.ticket, &outcome.reply)
                .quality()
                .expected(&["a result with `isError: true`", "an error"])
                .pointer("/result")
        });
    }
    true
}
