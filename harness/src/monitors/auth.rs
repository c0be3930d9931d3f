//! Challenges (basic/authorization): how a server over HTTP tells that a token is needed, or was not taken.

use super::rule::monitors;
use super::{Breach, HttpExchange, Judge, Moment, State};
use crate::protocol::{Kind, Revision, Transport};
use crate::wire::{Challenge, header};
use url::Url;

monitors! {
    /// A 401 has `WWW-Authenticate` with at least one challenge (RFC 9110, section 15.5.2): without it a client does not
    /// know what is asked of it, and cannot find out where to get a token.
    unauthorized_is_challenged (AnyTraffic) decides ["auth.challenge.present"];
    /// The Bearer challenge of a 401 has at least one parameter, and none of `realm`, `scope`, `error`,
    /// `error_description` and `error_uri` twice. A server that asks for another scheme only has a scheme of its own,
    /// which is not judged here.
    bearer_challenge_is_well_formed (AnyTraffic) decides
        ["auth.challenge.bearer-scheme", "auth.challenge.no-duplicate-params"];
    /// In 2025-06-18 the Bearer challenge of a 401 names the metadata in `resource_metadata`, as an absolute URL. Later
    /// that is one of two ways.
    challenge_names_the_metadata (AnyTraffic) decides ["auth.challenge.resource-metadata"];
    /// The challenge to a request without credentials has no `error`: the client made no mistake, it only did not know.
    challenge_without_credentials_has_no_error (AnyTraffic) decides
        ["auth.challenge.no-error-without-credentials"];
    /// The challenge to a request with a token has `error="invalid_token"`: by it a client knows that a new token helps.
    rejected_token_is_explained (AnyTraffic) decides ["auth.challenge.invalid-token-error"];
    /// `offline_access` is no scope of a resource: asking for it makes every client ask for refresh tokens.
    challenge_asks_for_no_offline_access (AnyTraffic) decides ["auth.challenge.no-offline-access"];
    /// Over STDIO nothing asks for an HTTP challenge or a bearer token inside of messages; credentials come from the
    /// environment.
    stdio_asks_for_no_bearer_token (AnyTraffic) decides ["auth.stdio-uses-environment"]
        at_end stdio_served_without_one;
}

/// The exchange of a JSON-RPC message over Streamable HTTP whose response is a 401 that begins now, with its challenges.
fn unauthorized<'a>(moment: &Moment<'a>) -> Option<(&'a HttpExchange, Vec<Challenge>)> {
    let (exchange, 401) = super::http::head(moment)? else { return None };
    let posted = exchange.posted()?;
    matches!(posted.kind(), Kind::Request | Kind::Notification | Kind::Batch)
        .then(|| (exchange, Challenge::all(&exchange.headers)))
}

/// The same, with its Bearer challenge, if it has one.
fn bearer<'a>(moment: &Moment<'a>) -> Option<(&'a HttpExchange, Challenge)> {
    let (exchange, challenges) = unauthorized(moment)?;
    Some((exchange, challenges.into_iter().find(|challenge| challenge.is("Bearer"))?))
}

fn found(moment: &Moment<'_>, exchange: &HttpExchange, class: &str, text: &str) -> Breach {
    let line = header(&exchange.headers, "www-authenticate");
    Breach::new(class, text)
        .actual(
            line.map_or_else(|| "no WWW-Authenticate".to_owned(), |line| format!("WWW-Authenticate: {line}")),
        )
        .at(moment.record)
        .sent(exchange.seq)
}

fn unauthorized_is_challenged(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, challenges)) = unauthorized(moment) else { return };
    judge.decide("auth.challenge.present", !challenges.is_empty(), || {
        found(moment, exchange, "absent", "a 401 response has no challenge")
            .expected(&["WWW-Authenticate: Bearer resource_metadata=\"…\""])
    });
}

fn bearer_challenge_is_well_formed(moment: &Moment<'_>, judge: &mut Judge) {
    const SCHEME: &str = "auth.challenge.bearer-scheme";
    const ONCE: [&str; 5] = ["realm", "scope", "error", "error_description", "error_uri"];
    let Some((exchange, challenges)) = unauthorized(moment) else { return };
    if challenges.is_empty() {
        return;
    }
    let Some(bearer) = challenges.iter().find(|challenge| challenge.is("Bearer")) else {
        let text =
            format!("the server asks for the scheme `{}`, which is its own affair", challenges[0].scheme);
        return judge.undecided(SCHEME, "other-scheme", text);
    };
    judge.decide(SCHEME, !bearer.params.is_empty(), || {
        found(moment, exchange, "bare", "the Bearer challenge has no parameter")
            .expected(&["at least one of resource_metadata, realm, scope, error"])
    });
    let twice = ONCE.iter().find(|name| bearer.params.iter().filter(|(own, _)| own == *name).count() > 1);
    judge.decide("auth.challenge.no-duplicate-params", twice.is_none(), || {
        let text = format!("the challenge has the parameter `{}` twice", twice.unwrap_or(&""));
        found(moment, exchange, "twice", &text).expected(&["each parameter once"])
    });
}

fn challenge_names_the_metadata(moment: &Moment<'_>, judge: &mut Judge) {
    if moment.state.rules() != Some(Revision::V2025_06_18) {
        return;
    }
    let Some((exchange, challenge)) = bearer(moment) else { return };
    let url = challenge.get("resource_metadata");
    judge.decide("auth.challenge.resource-metadata", url.is_some_and(|url| Url::parse(url).is_ok()), || {
        let (class, text) = match url {
            None => ("absent", "the challenge does not name the metadata"),
            Some(_) => ("no-url", "`resource_metadata` of the challenge is no absolute URL"),
        };
        found(moment, exchange, class, text).expected(&["resource_metadata=\"URL\""])
    });
}

fn challenge_without_credentials_has_no_error(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, challenge)) = bearer(moment) else { return };
    if header(&exchange.request_headers, "authorization").is_some() {
        return;
    }
    judge.decide("auth.challenge.no-error-without-credentials", challenge.get("error").is_none(), || {
        let text = "the challenge to a request without credentials has an error code";
        found(moment, exchange, "error", text).expected(&["no `error`"])
    });
}

fn rejected_token_is_explained(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, challenge)) = bearer(moment) else { return };
    // What is no bearer token at all is another error, if any.
    let token = header(&exchange.request_headers, "authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("Bearer") && !token.trim().contains(' '));
    if token.is_none_or(|(_, token)| token.trim().is_empty()) {
        return;
    }
    judge.decide(
        "auth.challenge.invalid-token-error",
        challenge.get("error") == Some("invalid_token"),
        || {
            let text = "the challenge to a token that was not taken does not say so";
            found(moment, exchange, "unexplained", text).expected(&["error=\"invalid_token\""])
        },
    );
}

fn challenge_asks_for_no_offline_access(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((exchange, challenge)) = bearer(moment) else { return };
    if challenge.get("scope").is_none() {
        return;
    }
    judge.decide("auth.challenge.no-offline-access", !challenge.scopes().contains(&"offline_access"), || {
        found(moment, exchange, "challenge", "the challenge asks for `offline_access`")
            .expected(&["scopes of the resource only"])
    });
}

/// Words that belong to HTTP authorization and to nothing else.
const HTTP_WORDS: [&str; 4] =
    ["www-authenticate", "resource_metadata=", "authorization: bearer", "authorization header"];

fn stdio_asks_for_no_bearer_token(moment: &Moment<'_>, judge: &mut Judge) {
    if moment.state.transport() != Transport::Stdio {
        return;
    }
    let Some(heard) = moment.message else { return };
    let Some(error) = heard.message.error().filter(|_| !heard.tainted) else { return };
    let text = error.to_string().to_lowercase();
    if let Some(word) = HTTP_WORDS.iter().find(|word| text.contains(**word)) {
        judge.broke(
            "auth.stdio-uses-environment",
            Breach::new("challenge", "an error over STDIO asks for HTTP authorization")
                .quality()
                .expected(&["credentials from the environment"])
                .actual(format!("`{word}` in the error"))
                .at(moment.record)
                .pointer("/error"),
        );
    }
}

fn stdio_served_without_one(state: &State, judge: &mut Judge) {
    // Whoever serves requests over STDIO has what credentials it needs.
    if state.transport() == Transport::Stdio && state.asked.values().any(|asked| asked.responses > 0) {
        judge.held("auth.stdio-uses-environment");
    }
}

#[cfg(test)]
mod tests {
    use crate::monitors::testing::{Script, Verdicts};
    use crate::protocol::Revision;
    use crate::wire::{Channel, End, Event, Payload};
    use serde_json::json;

    /// A request with or without a token, and a 401 with these challenges.
    fn refused(revision: Revision, token: Option<&str>, challenges: &[&str]) -> Verdicts {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let head = Event::RequestHead {
            method: "POST".to_owned(),
            url: "http://localhost/mcp".to_owned(),
            headers: token.map(|token| ("Authorization".to_owned(), token.to_owned())).into_iter().collect(),
            deliberate: None,
        };
        let sent = Event::Sent { payload: Payload::read(body.into_bytes()), deliberate: None };
        let headers =
            challenges.iter().map(|line| ("WWW-Authenticate".to_owned(), (*line).to_owned())).collect();
        Script::http(revision)
            .on(Channel(1), head)
            .on(Channel(1), sent)
            .on(Channel(1), Event::ResponseHead { status: 401, headers })
            .on(Channel(1), Event::ResponseEnded(End::Complete))
            .verdicts()
    }

    const GOOD: &str =
        r#"Bearer resource_metadata="http://localhost/.well-known/oauth-protected-resource", scope="mcp""#;

    #[test]
    fn a_good_challenge_breaks_nothing() {
        for revision in [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2026_07_28] {
            let verdicts = refused(revision, None, &["Basic realm=\"x\"", GOOD]);
            verdicts.assert_broken(&[]);
            for id in [
                "auth.challenge.present",
                "auth.challenge.bearer-scheme",
                "auth.challenge.no-duplicate-params",
                "auth.challenge.no-error-without-credentials",
                "auth.challenge.no-offline-access",
            ] {
                verdicts.assert_held(id);
            }
            verdicts.assert_open("auth.challenge.invalid-token-error");
        }
        refused(Revision::V2025_06_18, None, &[GOOD]).assert_held("auth.challenge.resource-metadata");
        refused(Revision::V2025_11_25, None, &[GOOD]).assert_open("auth.challenge.resource-metadata");
    }

    #[test]
    fn bad_challenges_break_their_row() {
        let revision = Revision::V2025_06_18;
        let metadata = r#"resource_metadata="http://localhost/m""#;
        let broken = |token: Option<&str>, line: &str| refused(revision, token, &[line]).broken();
        assert_eq!(refused(revision, None, &[]).broken(), ["auth.challenge.present"]);
        assert_eq!(
            broken(None, "Bearer"),
            ["auth.challenge.bearer-scheme", "auth.challenge.resource-metadata"]
        );
        assert_eq!(broken(None, r#"Bearer realm="x""#), ["auth.challenge.resource-metadata"]);
        assert_eq!(broken(None, r#"Bearer resource_metadata="/m""#), ["auth.challenge.resource-metadata"]);
        let twice = format!("Bearer {metadata}, scope=a, scope=b");
        assert_eq!(broken(None, &twice), ["auth.challenge.no-duplicate-params"]);
        let offline = format!("Bearer {metadata}, scope=\"mcp offline_access\"");
        assert_eq!(broken(None, &offline), ["auth.challenge.no-offline-access"]);
        let error = format!("Bearer {metadata}, error=\"invalid_token\"");
        assert_eq!(broken(None, &error), ["auth.challenge.no-error-without-credentials"]);
        refused(revision, Some("Bearer x"), &[&error]).assert_held("auth.challenge.invalid-token-error");
        let plain = format!("Bearer {metadata}");
        assert_eq!(broken(Some("Bearer x"), &plain), ["auth.challenge.invalid-token-error"]);
        for no_token in ["Bearer", "Bearer ", "Bearer a b", "Basic YTpi"] {
            assert_eq!(broken(Some(no_token), &plain), Vec::<&str>::new(), "{no_token}");
        }
    }

    #[test]
    fn a_scheme_of_its_own_is_not_judged() {
        let verdicts = refused(Revision::V2025_06_18, None, &["ApiKey realm=\"x\""]);
        verdicts.assert_broken(&[]);
        verdicts.assert_open("auth.challenge.bearer-scheme");
        verdicts.assert_open("auth.challenge.resource-metadata");
    }

    #[test]
    fn challenges_inside_of_messages_are_seen() {
        let asked = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        let script = || Script::stdio(Revision::V2025_11_25).handshake();
        let answer = json!({"jsonrpc": "2.0", "id": 2, "result": {"tools": []}});
        script().sent(asked.clone()).received(answer).verdicts().assert_held("auth.stdio-uses-environment");
        let error =
            json!({"code": -32001, "message": "Unauthorized", "data": {"WWW-Authenticate": "Bearer"}});
        let answer = json!({"jsonrpc": "2.0", "id": 2, "error": error});
        let verdicts = script().sent(asked.clone()).received(answer).verdicts();
        assert_eq!(verdicts.classes("auth.stdio-uses-environment"), ["challenge"]);
        let error = json!({"code": -32001, "message": "GITHUB_TOKEN is not set"});
        let answer = json!({"jsonrpc": "2.0", "id": 2, "error": error});
        script().sent(asked).received(answer).verdicts().assert_held("auth.stdio-uses-environment");
    }
}
