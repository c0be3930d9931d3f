//! Authorization over HTTP: who is let in, how the others are told, and what belongs to whom.
#![cfg(feature = "enterprise")]
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::sync::Arc;

use mcprove_reference_server::{
    Authorization, Config, FixedToken, Server, TestAuthorizationServer, Tokens, TrustedIssuer, serve_http,
};
use serde_json::{Value, json};
use support::{Http, Response, initialize, modern, request};
use tokio::net::TcpListener;

/// A protected server with its authorization server.
async fn protected() -> (Http, Arc<TestAuthorizationServer>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Arc::new(TestAuthorizationServer::new(&origin, format!("{origin}/mcp")));
    let trusted = TrustedIssuer::new(issuer.issuer(), &issuer.key_set()).unwrap();
    let authorization = Authorization {
        resource: format!("{origin}/mcp"),
        authorization_servers: vec![origin],
        tokens: Tokens::Signed(trusted),
    };
    let config = Config {
        authorization: Some(Arc::new(authorization)),
        test_authorization_server: Some(Arc::clone(&issuer)),
        ..Config::default()
    };
    (Http::on(listener, config), issuer)
}

fn bearer(issuer: &TestAuthorizationServer, wanted: Value) -> String {
    format!("Bearer {}", issuer.mint(&wanted).unwrap())
}

/// Status and challenge.
fn refusal(response: &Response) -> (u16, String) {
    (response.status, response.header("www-authenticate").to_owned())
}

#[tokio::test]
async fn who_brings_no_token_is_told_where_to_get_one() {
    let (http, _) = protected().await;
    let response = http.post(&[], &initialize("2025-11-25")).await;
    let metadata = format!("http://{}/.well-known/oauth-protected-resource/mcp", http.address);
    let challenge = format!("Bearer resource_metadata=\"{metadata}\", scope=\"mcp\"");
    assert_eq!(refusal(&response), (401, challenge));
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let response = http.send("GET", path, &[], b"").await;
        assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
        let document = response.json().await;
        assert_eq!(document["resource"], format!("http://{}/mcp", http.address));
        assert_eq!(document["authorization_servers"], json!([format!("http://{}", http.address)]));
    }
    for (method, path) in
        [("GET", "/mcp"), ("DELETE", "/mcp"), ("GET", "/sse"), ("POST", "/messages?sessionId=1")]
    {
        assert_eq!(http.send(method, path, &[], b"{}").await.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn only_good_tokens_let_in() {
    let (http, issuer) = protected().await;
    let asked = modern(1, "tools/list", json!({}));
    for good in [json!({}), json!({"aud": ["other", format!("HTTP://{}/mcp", http.address)]})] {
        let token = bearer(&issuer, good.clone());
        for header in [token.clone(), token.replace("Bearer", "bEARER")] {
            assert_eq!(http.modern(&asked, &[("Authorization", &header)]).await.status, 200, "{good}");
        }
    }
    for bad in [
        json!({"aud": "http://127.0.0.1:1/mcp"}),
        json!({"aud": null}),
        json!({"iss": "http://127.0.0.1:1"}),
        json!({"iss": null}),
        json!({"iss": [issuer.issuer(), "http://127.0.0.1:1"]}),
        json!({"exp": -60}),
        json!({"nbf": 60}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sign": "none"}),
        json!({"sign": "HS256"}),
        json!({"sign": "foreign-key"}),
    ] {
        let token = bearer(&issuer, bad.clone());
        let (status, challenge) = refusal(&http.modern(&asked, &[("Authorization", &token)]).await);
        assert_eq!(status, 401, "{bad}");
        assert!(challenge.contains("error=\"invalid_token\""), "{bad}: {challenge}");
    }
    let good = bearer(&issuer, json!({}));
    for (header, status) in [
        ("Bearer", 400),
        ("Bearer a b", 400),
        ("Basic YTpi", 401),
        ("Bearer x.y.z", 401),
        (&good[..good.len() - 8], 401),
    ] {
        assert_eq!(http.modern(&asked, &[("Authorization", header)]).await.status, status, "{header}");
    }
    let twice = [("Authorization", good.as_str()), ("authorization", good.as_str())];
    assert_eq!(http.modern(&asked, &twice).await.status, 400);
    let query = format!("/mcp?access_token={}", &good[7..]);
    let response =
        http.send("POST", &query, &[("Mcp-Method", "tools/list")], asked.to_string().as_bytes()).await;
    assert_eq!(response.status, 401);
}

#[tokio::test]
async fn what_takes_more_asks_for_all_of_it_at_once() {
    let (http, issuer) = protected().await;
    let call = modern(1, "tools/call", json!({"name": "touch_resource", "arguments": {}}));
    for scopes in ["mcp", "mcp:write", ""] {
        let token = bearer(&issuer, json!({"scope": scopes}));
        let (status, challenge) = refusal(&http.modern(&call, &[("Authorization", &token)]).await);
        assert_eq!(status, 403, "{scopes}");
        let parts = ["error=\"insufficient_scope\"", "scope=\"mcp mcp:write\"", "resource_metadata=\"http"];
        assert!(parts.iter().all(|part| challenge.contains(part)), "{challenge}");
    }
    let token = bearer(&issuer, json!({"scope": "other mcp:write mcp"}));
    assert_eq!(http.modern(&call, &[("Authorization", &token)]).await.status, 200);
    // In a batch, too.
    let low = bearer(&issuer, json!({}));
    let response = http.post(&[("Authorization", &low)], &initialize("2025-03-26")).await;
    let session = response.headers["mcp-session-id"].clone();
    let call = request(1, "tools/call", json!({"name": "touch_resource", "arguments": {}}));
    let headers = [("Authorization", low.as_str()), ("Mcp-Session-Id", session.as_str())];
    let response = http.post(&headers, &json!([request(0, "ping", json!({})), call])).await;
    assert_eq!(response.status, 403);
}

#[tokio::test]
async fn sessions_belong_to_their_principal() {
    let (http, issuer) = protected().await;
    let (alice, bob) = (bearer(&issuer, json!({})), bearer(&issuer, json!({"sub": "bob"})));
    let response = http.post(&[("Authorization", &alice)], &initialize("2025-11-25")).await;
    let session = response.headers["mcp-session-id"].clone();
    let ping = request(1, "ping", json!({}));
    let of = |token: &str| [("Authorization", token.to_owned()), ("Mcp-Session-Id", session.clone())];
    for (token, status) in [(&alice, 200), (&bob, 404)] {
        let headers = of(token);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(http.post(&headers, &ping).await.status, status);
        if status == 404 {
            assert_eq!(http.send("GET", "/mcp", &headers, b"").await.status, 404);
            assert_eq!(http.send("DELETE", "/mcp", &headers, b"").await.status, 404);
        }
    }
    assert_eq!(http.post(&[("Mcp-Session-Id", &session)], &ping).await.status, 401);
}

#[tokio::test]
async fn tasks_belong_to_their_principal() {
    let (http, issuer) = protected().await;
    let (alice, bob) = (bearer(&issuer, json!({})), bearer(&issuer, json!({"sub": "bob"})));
    let extensions = json!({"io.modelcontextprotocol/clientCapabilities":
        {"elicitation": {"form": {}}, "extensions": {"io.modelcontextprotocol/tasks": {}}}});
    let call = |name: &str, more: Value| {
        let mut params = json!({"name": name, "arguments": {}, "_meta": extensions});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        modern(1, "tools/call", params)
    };
    let ask = async |message: &Value, token: &str| {
        http.modern(message, &[("Authorization", token)]).await.json().await
    };
    let begun = ask(&call("countdown", json!({})), &alice).await;
    let task = begun["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let get = modern(2, "tasks/get", json!({"taskId": task, "_meta": extensions}));
    let get = |token: String| {
        let (http, get, task) = (&http, &get, &task);
        async move { http.modern(get, &[("Authorization", &token), ("Mcp-Name", task)]).await.json().await }
    };
    assert_eq!(get(alice.clone()).await["result"]["taskId"], task.as_str());
    assert!(get(bob.clone()).await["error"].is_object());
}

#[tokio::test]
async fn a_code_is_worth_a_token_to_whoever_knows_its_verifier() {
    let (http, _) = protected().await;
    let registration = json!({"redirect_uris": ["http://127.0.0.1:9/back"], "client_name": "test"});
    let client = http.send("POST", "/register", &[], registration.to_string().as_bytes()).await.json().await;
    let client = client["client_id"].as_str().unwrap();
    // The example of RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let authorize = async |client: &str, redirect: &str, challenge: &str| {
        let query = format!(
            "/authorize?response_type=code&client_id={client}&redirect_uri={redirect}&code_challenge={challenge}&code_challenge_method=S256&state=s"
        );
        http.send("GET", &query, &[], b"").await
    };
    let back = "http%3A%2F%2F127.0.0.1%3A9%2Fback";
    assert_eq!(authorize("unknown", back, challenge).await.status, 400);
    assert_eq!(authorize(client, "http%3A%2F%2Fevil.example%2F", challenge).await.status, 400);
    let refused = authorize(client, back, "").await;
    assert!(refused.header("location").contains("error=invalid_request"));
    let code = async || {
        let response = authorize(client, back, challenge).await;
        let location = response.header("location").to_owned();
        assert!(location.starts_with("http://127.0.0.1:9/back?code=") && location.contains("state=s"));
        location.split(['=', '&']).nth(1).unwrap().to_owned()
    };
    let token = async |form: String| {
        let response = http.send("POST", "/token", &[], form.as_bytes()).await;
        (response.status, response.json().await)
    };
    let form = |code: &str, verifier: &str| {
        format!(
            "grant_type=authorization_code&code={code}&client_id={client}&redirect_uri={back}&code_verifier={verifier}"
        )
    };
    assert_eq!(token(form(&code().await, "wrong")).await.0, 400);
    let good = code().await;
    let (status, tokens) = token(form(&good, verifier)).await;
    assert_eq!((status, &tokens["expires_in"]), (200, &json!(600)));
    assert_eq!(token(form(&good, verifier)).await.0, 400, "a code is good for one time");
    let access = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let listed = http.modern(&modern(1, "tools/list", json!({})), &[("Authorization", &access)]).await;
    assert_eq!(listed.status, 200);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refresh = format!("grant_type=refresh_token&client_id={client}&refresh_token={refresh}");
    assert_eq!(token(refresh.clone()).await.0, 200);
    assert_eq!(token(refresh).await.0, 400, "so is a refresh token");
}

#[tokio::test]
async fn redirects_lead_to_this_machine_or_over_tls() {
    let (http, _) = protected().await;
    for (uri, status) in [
        ("https://app.example/back", 201),
        ("http://localhost:5/back", 201),
        ("http://app.example/back", 400),
        ("http://localhost.evil.example/", 400),
        ("http://127.0.0.1@evil.example/", 400),
        ("javascript:alert(1)", 400),
    ] {
        let body = json!({"redirect_uris": [uri]}).to_string();
        assert_eq!(http.send("POST", "/register", &[], body.as_bytes()).await.status, status, "{uri}");
    }
}

#[tokio::test]
async fn fixed_tokens_are_the_simpler_way() {
    let authorization = Authorization {
        resource: "http://127.0.0.1/mcp".to_owned(),
        authorization_servers: vec!["https://issuer.example".to_owned()],
        tokens: Tokens::Fixed(vec![FixedToken::new("the-token", "alice", "mcp")]),
    };
    let config = Config { authorization: Some(Arc::new(authorization)), ..Config::default() };
    let http = Http::open(config).await;
    let asked = modern(1, "tools/list", json!({}));
    for (header, status) in [("Bearer the-token", 200), ("Bearer the-tokem", 401), ("Bearer the-token2", 401)]
    {
        assert_eq!(http.modern(&asked, &[("Authorization", header)]).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn a_test_authorization_server_is_for_this_machine_only() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let issuer = TestAuthorizationServer::new("http://127.0.0.1:1", "http://127.0.0.1:1/mcp");
    let config = Config { test_authorization_server: Some(Arc::new(issuer)), ..Config::default() };
    assert!(serve_http(Server::new(config), listener).await.is_err());
}
