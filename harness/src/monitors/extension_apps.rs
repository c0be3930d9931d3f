//! MCP Apps (`io.modelcontextprotocol/ui`, SEP-1865): tools that come with a user interface.

use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment};
use crate::protocol::Revision;
use serde_json::Value;

monitors! {
    /// A server whose tools name a user interface advertises the extension `io.modelcontextprotocol/ui`, so that clients
    /// know that they may look for it.
    apps_are_advertised (WhileWeObey) decides ["extension-apps.advertised"];
    /// `_meta.ui.resourceUri` of a tool is a URI of the scheme `ui`; by anything else no host finds the page.
    user_interface_is_a_ui_resource (WhileWeObey) decides ["extension-apps.resource-uri"];
    /// `csp` and `permissions` in `_meta.ui`, of tools and of resources, are objects. A host that cannot read them shows
    /// the page with less than it needs, or not at all.
    user_interface_settings_are_objects (WhileWeObey) decides ["extension-apps.ui-meta-shape"];
    /// A resource of the scheme `ui` is HTML, with the media type `text/html;profile=mcp-app`.
    ui_resources_are_html (WhileWeObey) decides ["extension-apps.resource-mime-type"];
    /// A tool with a user interface returns content all the same: clients without the extension show that, and so does
    /// the model read it.
    ui_tools_return_content (WhileWeObey) decides ["extension-apps.text-fallback"];
}

const UI: &str = "io.modelcontextprotocol/ui";

/// Whether a URI is of the scheme `ui`.
pub(crate) fn is_ui(uri: &str) -> bool {
    uri.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("ui://"))
}

/// `_meta.ui` of a definition.
fn ui(definition: &Value) -> Option<&Value> {
    definition.get("_meta")?.get("ui")
}

/// `_meta.ui.resourceUri` of a tool.
pub(crate) fn resource_uri(tool: &Value) -> Option<&Value> {
    ui(tool)?.get("resourceUri")
}

/// The result of a clean request of 2026-07-28, by its method.
fn result<'a>(moment: &Moment<'a>, methods: &[&str]) -> Option<(&'a Value, Heard<'a>)> {
    let heard = moment.message?;
    let asked = heard.answers.filter(|asked| methods.contains(&asked.method.as_str()))?;
    if moment.state.rules() != Some(Revision::V2026_07_28) || heard.tainted || asked.is_tainted() {
        return None;
    }
    Some((heard.message.result()?, heard))
}

/// The entries of a member of a result, each with its pointer.
fn entries<'a>(result: &'a Value, member: &'a str) -> impl Iterator<Item = (String, &'a Value)> + 'a {
    let list = result.get(member).and_then(Value::as_array);
    list.into_iter().flatten().enumerate().map(move |(at, entry)| (format!("/result/{member}/{at}"), entry))
}

fn apps_are_advertised(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-apps.advertised";
    let Some((result, _)) = result(moment, &["tools/list"]) else { return };
    if !entries(result, "tools").any(|(_, tool)| resource_uri(tool).is_some()) {
        return;
    }
    let Some(capabilities) = &moment.state.capabilities else { return };
    let advertised = capabilities.get("extensions").and_then(|extensions| extensions.get(UI)).is_some();
    if advertised {
        judge.held(ID);
    } else {
        // The full text of the extension is not part of the revision, so this is no finding.
        let text = format!("tools name a user interface, and the server does not advertise {UI}");
        judge.undecided(ID, "not-advertised", text);
    }
}

fn user_interface_is_a_ui_resource(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((result, heard)) = result(moment, &["tools/list"]) else { return };
    for (pointer, tool) in entries(result, "tools") {
        let Some(uri) = resource_uri(tool) else { continue };
        judge.decide("extension-apps.resource-uri", uri.as_str().is_some_and(is_ui), || {
            Breach::new("scheme", "the user interface of a tool is no resource of the scheme `ui`")
                .expected(&["a URI that begins with `ui://`"])
                .actual(uri.to_string().chars().take(200).collect::<String>())
                .at(moment.record)
                .pointer(format!("{pointer}/_meta/ui/resourceUri"))
                .sent(heard.answers.map_or(0, |asked| asked.seq))
        });
    }
}

fn user_interface_settings_are_objects(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-apps.ui-meta-shape";
    let lists = [("tools/list", "tools"), ("resources/list", "resources"), ("resources/read", "contents")];
    for (method, member) in lists {
        let Some((result, _)) = result(moment, &[method]) else { continue };
        for (pointer, entry) in entries(result, member) {
            let Some(ui) = ui(entry) else { continue };
            let wrong =
                ["csp", "permissions"].into_iter().find(|name| ui.get(name).is_some_and(|v| !v.is_object()));
            let wrong = if ui.is_object() { wrong } else { Some("") };
            judge.decide(ID, wrong.is_none(), || {
                let name = wrong.unwrap_or_default();
                let place = format!("{pointer}/_meta/ui/{name}");
                let what =
                    if name.is_empty() { "`_meta.ui`".to_owned() } else { format!("`{name}` in `_meta.ui`") };
                Breach::new("no-object", format!("{what} is no object"))
                    .expected(&["an object"])
                    .actual(entry.pointer(&format!("/_meta/ui/{name}")).unwrap_or(ui).to_string())
                    .at(moment.record)
                    .pointer(place.trim_end_matches('/').to_owned())
            });
        }
    }
}

fn ui_resources_are_html(moment: &Moment<'_>, judge: &mut Judge) {
    for (method, member) in [("resources/list", "resources"), ("resources/read", "contents")] {
        let Some((result, _)) = result(moment, &[method]) else { continue };
        for (pointer, entry) in entries(result, member) {
            if !entry.get("uri").and_then(Value::as_str).is_some_and(is_ui) {
                continue;
            }
            let Some(mime) = entry.get("mimeType").and_then(Value::as_str) else {
                // A list may leave it out; what is read may not.
                if member == "contents" {
                    judge
                        .broke("extension-apps.resource-mime-type", wrong(moment, &pointer, "no `mimeType`"));
                }
                continue;
            };
            judge.decide("extension-apps.resource-mime-type", is_app(mime), || wrong(moment, &pointer, mime));
        }
    }
}

fn wrong(moment: &Moment<'_>, pointer: &str, actual: &str) -> Breach {
    Breach::new("other-type", "a resource of the scheme `ui` is not of the type of MCP Apps")
        .expected(&["text/html;profile=mcp-app"])
        .actual(actual.chars().take(200).collect::<String>())
        .at(moment.record)
        .pointer(format!("{pointer}/mimeType"))
}

/// Whether a media type is that of MCP Apps, however it is spaced.
fn is_app(mime: &str) -> bool {
    let plain: String = mime.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    let plain = plain.to_ascii_lowercase();
    let mut parts = plain.split(';');
    parts.next() == Some("text/html") && parts.any(|part| part == "profile=mcp-app")
}

fn ui_tools_return_content(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((result, heard)) = result(moment, &["tools/call"]) else { return };
    let Some(asked) = heard.answers else { return };
    let name = asked.message.params().and_then(|params| params.get("name")?.as_str());
    let tool = name.and_then(|name| moment.state.tools.get(name));
    if tool.is_none_or(|tool| resource_uri(&tool.definition).is_none())
        || result.get("isError") == Some(&Value::Bool(true))
        || result.get("resultType").is_some_and(|kind| kind != "complete")
    {
        return;
    }
    let full = result.get("content").and_then(Value::as_array).is_some_and(|content| !content.is_empty());
    judge.decide("extension-apps.text-fallback", full, || {
        Breach::new(
            "empty",
            "a tool with a user interface returns no content to a client without the extension",
        )
        .expected(&["content that says the same as the user interface"])
        .actual("`content` is empty")
        .at(moment.record)
        .pointer("/result/content")
        .sent(asked.seq)
    });
}

#[cfg(test)]
mod tests {
    use super::is_app;
    use crate::monitors::testing::{Script, Verdicts, modern};
    use crate::protocol::Revision;
    use serde_json::{Value, json};

    /// The list of one tool, the page that it names, and a call of it.
    fn app(ui: Value, page: Value, content: Value) -> Verdicts {
        let capabilities = json!({"tools": {}, "resources": {}, "extensions": {super::UI: {}}});
        let answer = |id: i64, mut result: Value| {
            result["resultType"] = json!("complete");
            json!({"jsonrpc": "2.0", "id": id, "result": result})
        };
        let tool = json!({"name": "t", "inputSchema": {"type": "object"}, "_meta": {"ui": ui}});
        let list = json!({"tools": [tool], "ttlMs": 1, "cacheScope": "public"});
        let read = json!({"contents": [page], "ttlMs": 1, "cacheScope": "public"});
        Script::stdio(Revision::V2026_07_28)
            .handshake_with(capabilities)
            .sent(modern(2, "tools/list", json!({})))
            .received(answer(2, list))
            .sent(modern(3, "resources/read", json!({"uri": "ui://t/page"})))
            .received(answer(3, read))
            .sent(modern(4, "tools/call", json!({"name": "t", "arguments": {}})))
            .received(answer(4, json!({"content": content})))
            .verdicts()
    }

    fn broken(verdicts: &Verdicts) -> Vec<&'static str> {
        verdicts.broken().into_iter().filter(|id| id.starts_with("extension-apps.")).collect()
    }

    #[test]
    fn rules_hold_and_break() {
        let ui = || json!({"resourceUri": "ui://t/page", "csp": {}});
        let page = |mime: &str| json!({"uri": "ui://t/page", "mimeType": mime, "text": "<p>"});
        let good = page("text/html;profile=mcp-app");
        let content = json!([{"type": "text", "text": "x"}]);
        let fine = app(ui(), good.clone(), content.clone());
        assert_eq!(broken(&fine), Vec::<&str>::new());
        for id in ["advertised", "resource-uri", "ui-meta-shape", "resource-mime-type", "text-fallback"] {
            fine.assert_held(&format!("extension-apps.{id}"));
        }
        let other = json!({"resourceUri": "https://t.example/page"});
        assert_eq!(broken(&app(other, good.clone(), content.clone())), ["extension-apps.resource-uri"]);
        let list = json!({"resourceUri": "ui://t/page", "permissions": []});
        assert_eq!(broken(&app(list, good.clone(), content.clone())), ["extension-apps.ui-meta-shape"]);
        assert_eq!(broken(&app(ui(), page("text/html"), content)), ["extension-apps.resource-mime-type"]);
        assert_eq!(broken(&app(ui(), good, json!([]))), ["extension-apps.text-fallback"]);
    }

    #[test]
    fn the_type_may_be_spaced() {
        for good in [
            "text/html;profile=mcp-app",
            "Text/HTML; profile=\"mcp-app\"",
            "text/html;charset=utf-8;profile=mcp-app",
        ] {
            assert!(is_app(good), "{good}");
        }
        for bad in ["text/html", "text/html+mcp", "text/html;profile=mcp"] {
            assert!(!is_app(bad), "{bad}");
        }
    }
}
