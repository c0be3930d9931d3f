//! Tokens of an issuer that publishes its keys: keys that change, and an issuer that cannot be reached.
#![cfg(feature = "enterprise")]
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcprove_reference_server::{
    Authorization, Config, TestAuthorizationServer, Tokens, TrustedIssuer, serve_test_authorization_server,
};
use serde_json::{Value, json};
use support::{Http, Response, modern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The least time from one fetch of the keys to the next.
const PAUSE: Duration = Duration::from_millis(1100);
const RESOURCE: &str = "https://mcp.example/mcp";

/// A server that trusts the issuer at an origin.
async fn trusting(origin: &str) -> Http {
    let authorization = Authorization {
        resource: RESOURCE.to_owned(),
        authorization_servers: vec![origin.to_owned()],
        tokens: Tokens::Signed(TrustedIssuer::publishing(origin, &format!("{origin}/jwks")).unwrap()),
    };
    Http::open(Config { authorization: Some(Arc::new(authorization)), ..Config::default() }).await
}

/// An issuer on a listener of its own.
fn issue(listener: TcpListener) -> (Arc<TestAuthorizationServer>, JoinHandle<std::io::Result<()>>) {
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Arc::new(TestAuthorizationServer::new(origin, RESOURCE));
    let served = tokio::spawn(serve_test_authorization_server(Arc::clone(&issuer), listener));
    (issuer, served)
}

async fn knock(http: &Http, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    http.modern(&modern(1, "tools/list", json!({})), &[("Authorization", &bearer)]).await
}

fn token(issuer: &TestAuthorizationServer) -> String {
    issuer.mint(&json!({})).unwrap()
}

#[tokio::test]
async fn a_new_key_is_found_and_the_old_one_is_no_longer_taken() {
    let (issuer, _served) = issue(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let http = trusting(issuer.issuer()).await;
    let old = token(&issuer);
    assert_eq!(knock(&http, &old).await.status, 200);
    issuer.rotate_keys();
    assert_eq!(knock(&http, &old).await.status, 200, "the key is known, and nothing says that it is gone");
    tokio::time::sleep(PAUSE).await;
    let new = token(&issuer);
    assert_eq!(knock(&http, &new).await.status, 200);
    let refused = knock(&http, &old).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    let forged = issuer.mint(&json!({"sign": "foreign-key"})).unwrap();
    assert_eq!(knock(&http, &forged).await.status, 401);
    assert_eq!(knock(&http, &new).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_lets_nobody_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (issuer, served) = issue(listener);
    let good = token(&issuer);
    served.abort();
    let _ = served.await;
    let http = trusting(issuer.issuer()).await;
    let refused = knock(&http, &good).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    assert_eq!(refused.header("www-authenticate"), "", "another token would fare no better");
    let answer = refused.json().await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("keys of the issuer"), "{answer}");
    // Who has no token at all, or one that is none, is told so all the same.
    let bare = http.modern(&modern(1, "tools/list", json!({})), &[]).await;
    assert_eq!(bare.status, 401);
    assert_eq!(knock(&http, "mcprove").await.status, 401);
    // It comes back.
    let served = tokio::spawn(serve_test_authorization_server(
        Arc::clone(&issuer),
        TcpListener::bind(address).await.unwrap(),
    ));
    tokio::time::sleep(PAUSE).await;
    assert_eq!(knock(&http, &good).await.status, 200);
    // And goes again: what is known goes on, what is new cannot be told from what was never there.
    served.abort();
    let _ = served.await;
    issuer.rotate_keys();
    tokio::time::sleep(PAUSE).await;
    assert_eq!(knock(&http, &good).await.status, 200);
    assert_eq!(knock(&http, &token(&issuer)).await.status, 503);
}

/// A host that answers each request with these bytes, and counts them.
async fn host(answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    host_of(Arc::new(Mutex::new(answer))).await
}

/// The same with bytes that may change.
async fn host_of(answer: Arc<Mutex<Vec<u8>>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = answer.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&answer).await;
                // Until the client goes.
                while stream.read(&mut head).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    (origin, asked)
}

fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn whatever_comes_instead_of_keys_lets_nobody_in() {
    let issuer = TestAuthorizationServer::new("http://127.0.0.1:1", RESOURCE);
    let good = token(&issuer);
    let padding = " ".repeat(300 << 10);
    let keys: Value = serde_json::from_str(&issuer.key_set()).unwrap();
    for (what, answer) in [
        (
            "a redirect",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/jwks\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        ("an error", response("500 Internal Server Error", keys.to_string().as_bytes())),
        ("a page", response("200 OK", b"<html>")),
        ("no keys", response("200 OK", b"{\"keys\":[]}")),
        ("too much", response("200 OK", format!("{keys}{padding}").as_bytes())),
        ("no HTTP", b"SSH-2.0-server\r\n".to_vec()),
    ] {
        let (origin, asked) = host(answer).await;
        let http = trusting(&origin).await;
        assert_eq!(knock(&http, &good).await.status, 503, "{what}");
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{what}");
    }
}

#[tokio::test]
async fn an_issuer_that_says_nothing_is_given_up_and_asked_once_for_all() {
    let (origin, asked) = host(Vec::new()).await;
    let http = trusting(&origin).await;
    let issuer = TestAuthorizationServer::new(&origin, RESOURCE);
    let begun = Instant::now();
    let tokens: Vec<String> = (0..20).map(|_| token(&issuer)).collect();
    let ask = |token: &String| {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            http.address
        );
        let address = http.address;
        async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    };
    let answers = futures_util::future::join_all(tokens.iter().map(ask)).await;
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 503 ")), "{answers:?}");
    let took = begun.elapsed();
    assert!((4..8).contains(&took.as_secs()), "{took:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn nonsense_does_not_make_the_server_ask_all_the_time() {
    let issuer = TestAuthorizationServer::new("http://127.0.0.1:1", RESOURCE);
    let (origin, asked) = host(response("200 OK", issuer.key_set().as_bytes())).await;
    let http = trusting(&origin).await;
    let begun = Instant::now();
    for _ in 0..50 {
        // Each of another issuer with a key of its own.
        let other = TestAuthorizationServer::new(&origin, RESOURCE);
        assert_eq!(knock(&http, &token(&other)).await.status, 401);
    }
    let most = 1 + begun.elapsed().as_secs() as usize;
    let asked = asked.load(Ordering::Relaxed);
    assert!((1..=most).contains(&asked), "{asked} in {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_key_that_took_the_name_of_another_is_found() {
    let (old, new) = (
        TestAuthorizationServer::new("http://127.0.0.1:1", RESOURCE),
        TestAuthorizationServer::new("http://127.0.0.1:1", RESOURCE),
    );
    let read = |issuer: &TestAuthorizationServer| serde_json::from_str::<Value>(&issuer.key_set()).unwrap();
    let (mut before, after) = (read(&old), read(&new));
    before["keys"][0]["kid"] = after["keys"][0]["kid"].clone();
    let answer = Arc::new(Mutex::new(response("200 OK", before.to_string().as_bytes())));
    let (origin, asked) = host_of(Arc::clone(&answer)).await;
    let http = trusting(&origin).await;
    let good = new.mint(&json!({"iss": origin})).unwrap();
    assert_eq!(knock(&http, &good).await.status, 401, "by the old key the signature is wrong");
    *answer.lock().unwrap() = response("200 OK", after.to_string().as_bytes());
    assert_eq!(knock(&http, &good).await.status, 401, "it was asked a moment ago");
    tokio::time::sleep(PAUSE).await;
    assert_eq!(knock(&http, &good).await.status, 200);
    // Forgeries with the name of a good key do not make it ask all the time, and change nothing.
    let begun = Instant::now();
    let so_far = asked.load(Ordering::Relaxed);
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    let forged = {
        let other = TestAuthorizationServer::new("http://127.0.0.1:1", RESOURCE)
            .mint(&json!({"iss": origin}))
            .unwrap();
        let (_, rest) = other.split_once('.').unwrap();
        format!("{}.{rest}", header(&good))
    };
    for _ in 0..50 {
        assert_eq!(knock(&http, &forged).await.status, 401);
        assert_eq!(knock(&http, &good).await.status, 200);
    }
    let most = 1 + begun.elapsed().as_secs() as usize;
    assert!(asked.load(Ordering::Relaxed) - so_far <= most);
}
