//! What a server says about itself.

use super::answered::answered;
use super::rule::monitors;
use super::text::{UriFault, uri_fault};
use super::{Breach, Judge, Moment};
use crate::protocol::Era;

/// Where a modern result names the server.
const INFO: &str = "/_meta/io.modelcontextprotocol~1serverInfo";

monitors! {
    /// In 2026-07-28 every result names the server in `_meta` under `io.modelcontextprotocol/serverInfo`, unless it is
    /// configured not to: there is no handshake that would have told. Told once a server.
    results_name_the_server (WhileWeObey) decides
        ["identity.server-info-on-results", "identity.server-info-in-discover"];
    /// `websiteUrl` of the server is a URL.
    website_is_a_url (WhileWeObey) decides ["identity.server-info-extras"];
}

fn results_name_the_server(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment) else { return };
    if answer.revision.era() != Era::Modern {
        return;
    }
    let named = answer.result.pointer(INFO).is_some();
    let discover = answer.asked.method == "server/discover";
    let id = if discover { "identity.server-info-in-discover" } else { "identity.server-info-on-results" };
    judge.decide(id, named, || {
        let stale = answer.result.get("serverInfo").is_some();
        let (class, actual) = if stale {
            ("in-body", "`serverInfo` in the result itself, where an older draft had it")
        } else {
            ("absent", "no such member")
        };
        Breach::new(class, format!("the result of `{}` does not name the server", answer.asked.method))
            .expected(&["`io.modelcontextprotocol/serverInfo` in `_meta`"])
            .actual(actual)
            .at(moment.record)
            .pointer("/result")
    });
}

fn website_is_a_url(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment) else { return };
    for at in ["/serverInfo", INFO] {
        let Some(url) = answer.result.pointer(at).and_then(|info| info.get("websiteUrl")?.as_str()) else {
            continue;
        };
        if matches!(uri_fault(url), Some(UriFault::Scheme | UriFault::Character)) {
            judge.broke(
                "identity.server-info-extras",
                Breach::new("website", "`websiteUrl` is no URL")
                    .expected(&["an absolute URL"])
                    .actual(format!("`{}`", url.chars().take(120).collect::<String>()))
                    .at(moment.record)
                    .pointer(format!("/result{at}/websiteUrl")),
            );
        }
    }
}
