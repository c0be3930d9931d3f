//! Protected resource metadata (basic/authorization, RFC 9728): where a client finds out how to get a token.

use super::Solo;
use super::door::{Door, Guarded, Shown, bearing, guarded, knock, own_token};
use super::probe::probes;
use crate::client::{Binding, Conversation, Fetch, Fetched, Reply};
use crate::monitors::Breach;
use crate::protocol::{Era, Revision};
use crate::wire::{Challenge, is_loopback};
use serde_json::Value;
use url::Url;

const CONFORMS: &str = "auth.http-conformance";
const REACHABLE: &str = "auth.challenge.resource-metadata-reachable";
const SCHEME: &str = "auth.challenge.bearer-scheme";
const SCOPE: &str = "auth.challenge.scope";
const OFFLINE: &str = "auth.challenge.no-offline-access";
const IMPLEMENTED: &str = "auth.metadata.implemented";
const DISCOVERABLE: &str = "auth.metadata.discoverable";
const PLACE: &str = "auth.metadata.well-known-path";
const SERVERS: &str = "auth.metadata.authorization-servers";
const SERVER_URL: &str = "auth.metadata.authorization-server-url";
const RESOURCE: &str = "auth.metadata.resource-present";
const MATCHES: &str = "auth.metadata.resource-matches";
const JSON: &str = "auth.metadata.json-ok";
const NO_EMPTY: &str = "auth.metadata.no-empty-arrays";
const PUBLIC: &str = "auth.metadata.public";
const MINIMAL: &str = "auth.metadata.scopes-minimal";
const SLASH: &str = "auth.canonical-uri.no-trailing-slash";
const TLS: &str = "auth.security.https";
const ROWS: [&str; 17] = [
    CONFORMS,
    REACHABLE,
    SCOPE,
    OFFLINE,
    IMPLEMENTED,
    DISCOVERABLE,
    PLACE,
    SERVERS,
    SERVER_URL,
    RESOURCE,
    MATCHES,
    JSON,
    NO_EMPTY,
    PUBLIC,
    MINIMAL,
    SLASH,
    TLS,
];

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

probes! {
    /// Asks a server that wants a token where to get one: fetches the document that the challenge names and those at the
    /// two well-known places, without a token, and reads it. A server that has the document and takes the user's Bearer
    /// token asks for one by a Bearer challenge. Nothing is fetched from another origin than the target's; a
    /// URL that leads elsewhere is judged as a text, and what stands there is inconclusive.
    metadata_tells_where_to_get_a_token (Alone, Both, Http) decides [
        "auth.http-conformance", "auth.challenge.resource-metadata-reachable", "auth.challenge.scope",
        "auth.challenge.bearer-scheme",
        "auth.challenge.no-offline-access", "auth.metadata.implemented", "auth.metadata.discoverable",
        "auth.metadata.well-known-path", "auth.metadata.authorization-servers",
        "auth.metadata.authorization-server-url", "auth.metadata.resource-present", "auth.metadata.resource-matches",
        "auth.metadata.json-ok", "auth.metadata.no-empty-arrays", "auth.metadata.public",
        "auth.metadata.scopes-minimal", "auth.canonical-uri.no-trailing-slash", "auth.security.https",
    ];
}

/// Makes a breach about the refusal, by its class and what is wrong.
type Told<'a> = &'a (dyn Fn(&str, &str) -> Breach + Sync);

/// What was found of the metadata.
struct Found {
    /// At the URL of the challenge; the error where that is elsewhere or does not answer.
    named: Option<Result<Fetched, String>>,
    /// At the well-known places: with the path of the endpoint, and without.
    known: Vec<(String, Result<Fetched, String>)>,
    /// Below the path of the endpoint, where it does not belong.
    appended: Option<Fetched>,
}

fn is_document(fetched: &Fetched) -> bool {
    fetched.status == 200 && fetched.object().is_some()
}

/// A breach about a document.
fn about(fetched: &Fetched, class: &str, text: &str) -> Breach {
    let mut breach =
        Breach::new(class, text).actual(format!("HTTP {} {}", fetched.status, fetched.media_type()));
    breach.event = Some(fetched.event);
    breach.conversation = Some(std::sync::Arc::clone(&fetched.recorder));
    breach
}

/// A breach about a member of a document.
fn member(fetched: &Fetched, name: &str, class: &str, text: &str, value: Option<&Value>) -> Breach {
    let actual = value.map_or_else(|| "it is absent".to_owned(), Value::to_string);
    about(fetched, class, text)
        .actual(actual.chars().take(300).collect::<String>())
        .pointer(format!("/{name}"))
}

async fn find(solo: &Solo<'_>, endpoint: &Url, challenge: Option<&Challenge>) -> Found {
    let fetch = async |url: Url| solo.opener.fetch(solo.name, Fetch::get(url)).await;
    let at = |path: &str| {
        let mut url = endpoint.clone();
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    let named = match challenge.and_then(|challenge| challenge.get("resource_metadata")) {
        None => None,
        Some(text) => Some(match Url::parse(text) {
            Ok(url) => fetch(url).await,
            Err(error) => Err(format!("`{text}` is no URL: {error}")),
        }),
    };
    let path = endpoint.path().trim_end_matches('/');
    let mut known = vec![(format!("{WELL_KNOWN}{path}"), fetch(at(&format!("{WELL_KNOWN}{path}"))).await)];
    if !path.is_empty() {
        known.push((WELL_KNOWN.to_owned(), fetch(at(WELL_KNOWN)).await));
    }
    let appended = if known.iter().any(|(_, known)| known.as_ref().is_ok_and(is_document)) || path.is_empty()
    {
        None
    } else {
        fetch(at(&format!("{path}{WELL_KNOWN}"))).await.ok().filter(is_document)
    };
    Found { named, known, appended }
}

async fn metadata_tells_where_to_get_a_token(solo: &mut Solo<'_>) {
    let Some(guarded) = guarded(solo, &ROWS).await else { return };
    let Guarded { mut opened, door, ticket, reply } = guarded;
    let Binding::Http(endpoint) = solo.opener.binding().clone() else { return solo.close(opened).await };
    let challenges = reply.http().map(|head| Challenge::all(&head.headers)).unwrap_or_default();
    let bearer = challenges.iter().find(|challenge| challenge.is("Bearer"));
    let found = find(solo, &endpoint, bearer).await;
    let named = found.named.as_ref().and_then(|named| named.as_ref().ok()).filter(|named| is_document(named));
    let known =
        found.known.iter().filter_map(|(_, known)| known.as_ref().ok()).find(|known| is_document(known));
    let elsewhere = matches!(&found.named, Some(Err(_)));
    // A challenge of another scheme, or none, with no document: a scheme of its own.
    let own_scheme = bearer.is_none() && known.is_none() && found.appended.is_none();
    let told = |class: &str, text: &str| {
        Breach::new(class, text)
            .reply(&reply)
            .actual(reply.describe())
            .sent(ticket.since)
            .sent_on(ticket.channel)
    };
    judge_named(solo, &found, &told);
    let document = named.or(known);
    for id in [IMPLEMENTED, DISCOVERABLE] {
        if document.is_some() {
            solo.judge.held(id);
        } else if elsewhere {
            let text =
                "the challenge names a document that could not be fetched from the target's own origin";
            solo.judge.undecided(id, "elsewhere", text);
        } else {
            let breach = told("absent", "a server that asks for a token has no resource metadata")
                .expected(&["a document at the URL of the challenge or at a well-known place (RFC 9728)"]);
            solo.judge.broke(id, if own_scheme { breach.quality() } else { breach });
        }
    }
    if let (None, Some(other), Some(_)) = (bearer, challenges.first(), document)
        && reply.status() == Some(401)
        && takes_bearer(solo, &mut opened.talk, &door).await
    {
        let text = "a server that takes Bearer tokens asks for another scheme alone";
        let seen = told("other-scheme", text).expected(&["WWW-Authenticate: Bearer resource_metadata=\"…\""]);
        solo.judge.broke(SCHEME, seen.actual(format!("WWW-Authenticate: {} …", other.scheme)));
    }
    if bearer.is_none() && !challenges.is_empty() && solo.revision.era() == Era::Legacy {
        let text = "the server declares a scheme of its own, which is exempt";
        solo.judge.undecided(CONFORMS, "other-scheme", text);
    } else {
        judge_conformance(solo, document.is_some() || elsewhere, bearer.is_some(), &endpoint, &told).await;
    }
    judge_places(solo, &found, named.is_some() || elsewhere, known);
    judge_scope(solo, &reply, bearer, document, &told);
    match document {
        Some(document) => judge_document(solo, document, &endpoint),
        None => {
            for id in
                [SERVERS, SERVER_URL, RESOURCE, MATCHES, JSON, NO_EMPTY, PUBLIC, MINIMAL, SLASH, OFFLINE, TLS]
            {
                solo.judge.undecided(
                    id,
                    "no-document",
                    "no resource metadata was found at the target's own origin",
                );
            }
        }
    }
    // What is refused here is refused for want of a token, not for what was fetched before.
    knock(solo, &mut opened.talk, &door, &Shown::Nothing).await;
    solo.close(opened).await;
}

/// Whether what is refused to strangers is served with the user's token in `Authorization: Bearer`.
async fn takes_bearer(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door) -> bool {
    let is_bearer =
        bearing(solo).carrier().eq_ignore_ascii_case("authorization") && own_token(solo).is_some();
    is_bearer && knock(solo, talk, door, &Shown::Own).await.1.result().is_some()
}

/// The URL that the challenge names.
fn judge_named(solo: &mut Solo<'_>, found: &Found, told: Told<'_>) {
    match &found.named {
        None => solo.judge.undecided(REACHABLE, "not-named", "the challenge names no metadata"),
        Some(Ok(named)) => solo.judge.decide(REACHABLE, is_document(named), || {
            about(named, "no-document", "the URL in `resource_metadata` does not lead to the document")
                .expected(&["HTTP 200 with a JSON object"])
        }),
        Some(Err(why)) if why.contains("is no URL") => {
            let text = format!("`resource_metadata` cannot be followed: {why}");
            solo.judge.broke(REACHABLE, told("no-url", &text).expected(&["an absolute URL"]));
        }
        Some(Err(why)) => solo.judge.undecided(REACHABLE, "elsewhere", why.clone()),
    }
}

/// Whether the signs of OAuth discovery are there.
async fn judge_conformance(
    solo: &mut Solo<'_>,
    metadata: bool,
    bearer: bool,
    endpoint: &Url,
    told: Told<'_>,
) {
    let mut url = endpoint.clone();
    url.set_path("/.well-known/oauth-authorization-server");
    url.set_query(None);
    let built_in = solo.revision == Revision::V2025_03_26
        && solo.opener.fetch(solo.name, Fetch::get(url)).await.is_ok_and(|fetched| is_document(&fetched));
    solo.judge.decide(CONFORMS, bearer && (metadata || built_in), || {
        told(
            "undiscoverable",
            "the server asks for a token, but not in the way in which clients could get one",
        )
        .expected(&["a Bearer challenge", "metadata that names an authorization server"])
    });
}

/// Where documents lie.
fn judge_places(solo: &mut Solo<'_>, found: &Found, named: bool, known: Option<&Fetched>) {
    match (known, &found.appended) {
        (Some(_), _) => solo.judge.held(PLACE),
        (None, Some(appended)) if !named => solo.judge.broke(
            PLACE,
            about(
                appended,
                "appended",
                "the metadata lies below the path of the endpoint, where no client looks",
            )
            .expected(&["the path of the endpoint after /.well-known/oauth-protected-resource, or none"]),
        ),
        _ => {
            let text = "there is no document at a well-known place; the challenge names another, or none";
            solo.judge.undecided(PLACE, "not-well-known", text);
        }
    }
    // A document that exists must not ask for a token itself.
    let all = found.known.iter().map(|(_, known)| known).chain(&found.named);
    let guarded = all.flatten().find(|fetched| matches!(fetched.status, 401 | 403));
    match (guarded, known.is_some() || named) {
        (Some(fetched), false) => solo.judge.broke(
            PUBLIC,
            about(fetched, "guarded", "the metadata cannot be fetched without a token")
                .expected(&["HTTP 200"]),
        ),
        (_, true) => solo.judge.held(PUBLIC),
        _ => {}
    }
}

/// The scopes of the challenge.
fn judge_scope(
    solo: &mut Solo<'_>,
    reply: &Reply,
    bearer: Option<&Challenge>,
    document: Option<&Fetched>,
    told: Told<'_>,
) {
    let Some(bearer) = bearer else {
        return solo.judge.undecided(SCOPE, "other-scheme", "there is no Bearer challenge");
    };
    if bearer.get("scope").is_some() {
        return solo.judge.held(SCOPE);
    }
    let supported =
        document.and_then(Fetched::object).and_then(|object| object.get("scopes_supported").cloned());
    if supported.as_ref().and_then(Value::as_array).is_some_and(|scopes| !scopes.is_empty()) {
        let line = reply.http().and_then(|head| crate::wire::header(&head.headers, "www-authenticate"));
        let breach = told("absent", "the challenge does not name the scopes that are needed")
            .expected(&["scope=\"…\""])
            .actual(line.unwrap_or_default().to_owned());
        solo.judge.broke(SCOPE, breach);
    } else {
        solo.judge.undecided(SCOPE, "no-scopes", "nothing says that the server uses scopes");
    }
}

fn is_own_kind(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// The members of the document.
fn judge_document(solo: &mut Solo<'_>, document: &Fetched, endpoint: &Url) {
    let Some(object) = document.object() else { return };
    solo.judge.decide(JSON, document.media_type() == "application/json", || {
        about(document, "media-type", "the metadata is not served as JSON").expected(&["application/json"])
    });
    let servers = object.get("authorization_servers");
    let list = servers.and_then(Value::as_array).filter(|list| !list.is_empty());
    let urls: Vec<Option<Url>> =
        list.into_iter().flatten().map(|entry| Url::parse(entry.as_str()?).ok()).collect();
    solo.judge.decide(SERVERS, list.is_some() && urls.iter().all(Option::is_some), || {
        let text = "the metadata does not list an authorization server";
        member(document, "authorization_servers", "none", text, servers)
            .expected(&["at least one issuer URL"])
    });
    if !urls.is_empty() {
        let plain = |url: &Url| url.query().is_none() && url.fragment().is_none();
        let good = urls.iter().flatten().all(|url| plain(url) && is_own_kind(url));
        solo.judge.decide(SERVER_URL, good, || {
            let text = "an authorization server is no issuer URL: https, without query and fragment";
            member(document, "authorization_servers", "issuer-url", text, servers)
                .expected(&["https, or http on this machine", "no query and no fragment"])
        });
        solo.judge.decide(TLS, urls.iter().flatten().all(is_own_kind), || {
            let text = "an authorization server is reached without TLS";
            member(document, "authorization_servers", "plain", text, servers).expected(&["https"])
        });
    }
    judge_resource(solo, document, &object, endpoint);
    let empty = object.as_object().into_iter().flatten().find(|(name, value)| {
        *name != "authorization_servers" && value.as_array().is_some_and(Vec::is_empty)
    });
    solo.judge.decide(NO_EMPTY, empty.is_none(), || {
        let (name, value) = empty.map_or(("", None), |(name, value)| (name.as_str(), Some(value)));
        member(document, name, "empty", "a member of the metadata has no elements", value)
            .expected(&["the member is left out"])
    });
    let scopes: Vec<&str> = object
        .get("scopes_supported")
        .and_then(Value::as_array)
        .map(|scopes| scopes.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if scopes.is_empty() {
        for id in [MINIMAL, OFFLINE] {
            solo.judge.undecided(id, "no-scopes", "the metadata names no scopes");
        }
        return;
    }
    let listed = object.get("scopes_supported");
    let wide =
        scopes.iter().any(|scope| matches!(*scope, "*" | "all" | "full-access") || scope.ends_with(":*"));
    solo.judge.decide(MINIMAL, !wide, || {
        let text = "`scopes_supported` has a scope that stands for everything";
        member(document, "scopes_supported", "wide", text, listed)
            .quality()
            .expected(&["the scopes that basic use takes"])
    });
    solo.judge.decide(OFFLINE, !scopes.contains(&"offline_access"), || {
        let text = "`scopes_supported` has `offline_access`, which is no scope of a resource";
        member(document, "scopes_supported", "metadata", text, listed)
            .expected(&["scopes of the resource only"])
    });
}

/// `resource`: what it is, and whether it is this server.
fn judge_resource(solo: &mut Solo<'_>, document: &Fetched, object: &Value, endpoint: &Url) {
    let value = object.get("resource");
    let text = value.and_then(Value::as_str).unwrap_or_default();
    let url = Url::parse(text).ok().filter(Url::has_host);
    let good = url.as_ref().is_some_and(|url| url.fragment().is_none() && is_own_kind(url));
    solo.judge.decide(RESOURCE, good, || {
        member(document, "resource", "identifier", "`resource` is no URL that could name a server", value)
            .expected(&["an https URL without a fragment; http on this machine"])
    });
    let Some(url) = url else { return };
    let same_host = url.host_str() == endpoint.host_str() || (is_loopback(&url) && is_loopback(endpoint));
    let (own, named) = (endpoint.path().trim_end_matches('/'), url.path().trim_end_matches('/'));
    let below = own == named || named.is_empty() || own.starts_with(&format!("{named}/"));
    let found = |class: &str, text: &str| {
        member(document, "resource", class, text, value).expected(&[endpoint.as_str()])
    };
    if same_host && below && url.port_or_known_default() == endpoint.port_or_known_default() {
        solo.judge.held(MATCHES);
    } else if same_host {
        // Another path, or a reverse proxy in front of it.
        solo.judge.broke(MATCHES, found("other-path", "`resource` names another endpoint").quality());
    } else {
        solo.judge.broke(MATCHES, found("other-host", "`resource` names another server"));
    }
    let needless = text.ends_with('/') && url.path() == "/" && endpoint.path() == "/"
        || (text.ends_with('/') && !endpoint.path().ends_with('/'));
    solo.judge.decide(SLASH, !needless, || {
        found("slash", "`resource` ends with a slash that the endpoint has not")
    });
}
