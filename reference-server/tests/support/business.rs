//! The enterprise profile behind its test authorization server, and clients of every role.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use mcprove_reference_server::{
    Authorization, Config, Enterprise, EnterpriseFiles, FaultId, TestAuthorizationServer, Tokens,
    TrustedIssuer,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Http, initialize, modern, notification, request};

thread_local! {
    /// The faults of the servers of this thread.
    static FAULTS: RefCell<Vec<FaultId>> = const { RefCell::new(Vec::new()) };
}

/// Gives the servers that this thread makes from now on a fault.
pub fn break_with(fault: &str) {
    FAULTS.with_borrow_mut(|faults| faults.push(fault.parse().unwrap()));
}

/// A server that is honest, unless this thread has said otherwise.
pub fn config() -> Config {
    Config { faults: FAULTS.with_borrow(Clone::clone), ..Config::default() }
}

/// A file that no other test has, and that is gone when the test is over, however it ends.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("mcprove-{}-{number}-{name}", std::process::id())))
    }

    pub fn path(&self) -> PathBuf {
        self.0.clone()
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a new database holds.
pub fn seed() -> Value {
    serde_json::from_str(include_str!("../../fixtures/enterprise/records.json")).unwrap()
}

pub const ROLES: [&str; 6] = ["guest", "sales", "support", "billing", "people", "manager"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

/// A server over HTTP.
pub struct Business {
    pub http: Http,
    issuer: Arc<TestAuthorizationServer>,
    sessions: Mutex<HashMap<String, String>>,
    /// Whether legacy clients can be asked, and calls may wait for their answer.
    pub elicits: bool,
}

/// All that came back for a request, as text, and the response in it.
pub struct Said {
    pub status: u16,
    pub text: String,
    pub answer: Value,
}

impl Said {
    /// The first text of a tool result or of a read.
    pub fn words(&self) -> &str {
        let result = &self.answer["result"];
        result["content"][0]["text"].as_str().or(result["contents"][0]["text"].as_str()).unwrap_or_default()
    }

    pub fn is_error(&self) -> bool {
        self.answer["result"]["isError"] == true
    }

    pub fn code(&self) -> Option<i64> {
        self.answer["error"]["code"].as_i64()
    }
}

impl Business {
    pub async fn open(files: &EnterpriseFiles, answer_seconds: u64) -> Self {
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
            enterprise: Some(Arc::new(Enterprise::open(files).unwrap())),
            answer_seconds,
            ..config()
        };
        Self { http: Http::on(listener, config), issuer, sessions: Mutex::default(), elicits: false }
    }

    pub async fn new() -> Self {
        Self::open(&EnterpriseFiles::default(), 600).await
    }

    /// With the roles of this text.
    pub async fn with_roles(text: &str) -> Self {
        let roles = Scratch::new("roles.toml");
        std::fs::write(&*roles, text).unwrap();
        Self::open(&EnterpriseFiles { roles: Some(roles.path()), ..EnterpriseFiles::default() }, 600).await
    }

    pub fn mint(&self, claims: &Value) -> String {
        format!("Bearer {}", self.issuer.mint(claims).unwrap())
    }

    /// A token that may do whatever its role may.
    pub fn token(&self, subject: &str, role: &str) -> String {
        self.mint(&json!({"sub": subject, "roles": [role], "scope": "mcp mcp:write"}))
    }

    /// The session of a token's bearer.
    pub async fn session(&self, token: &str) -> String {
        let known = self.sessions.lock().unwrap().get(token).cloned();
        if let Some(session) = known {
            return session;
        }
        let mut handshake = initialize("2025-11-25");
        if self.elicits {
            handshake["params"]["capabilities"] = json!({"elicitation": {"form": {}}});
        }
        let response = self.http.post(&[("Authorization", token)], &handshake).await;
        assert_eq!(response.status, 200);
        let session = response.headers["mcp-session-id"].clone();
        let headers = [("Authorization", token), ("Mcp-Session-Id", &session)];
        let done = notification("notifications/initialized", json!({}));
        assert_eq!(self.http.post(&headers, &done).await.status, 202);
        let level = request("level", "logging/setLevel", json!({"level": "debug"}));
        assert_eq!(self.http.post(&headers, &level).await.status, 200);
        self.sessions.lock().unwrap().insert(token.to_owned(), session.clone());
        session
    }

    /// Sends a request with everything switched on that may make the server say more.
    pub async fn ask(&self, era: Era, token: &str, method: &str, mut params: Value) -> Said {
        let response = match era {
            Era::Modern => {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/logLevel": "debug",
                    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
                });
                let body = modern(1, method, params);
                self.http.modern(&body, &[("Authorization", token)]).await
            }
            Era::Legacy => {
                let session = self.session(token).await;
                let headers = [
                    ("Authorization", token),
                    ("Mcp-Session-Id", &session),
                    ("Accept", "text/event-stream, application/json"),
                ];
                self.http.post(&headers, &request(1, method, params)).await
            }
        };
        let status = response.status;
        let streamed = response.header("content-type").starts_with("text/event-stream");
        let text = response.body().await;
        let answer = if streamed {
            let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
            let mut messages = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
            messages.rfind(|message| message.get("id").is_some() && message.get("method").is_none())
        } else {
            serde_json::from_str(&text).ok()
        };
        Said { status, answer: answer.unwrap_or_default(), text }
    }

    pub async fn call(&self, token: &str, tool: &str, arguments: Value) -> Said {
        self.ask(Era::Modern, token, "tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Answers the question of a call.
    pub async fn answer(&self, token: &str, call: Value, question: &(String, Value), answer: Value) -> Said {
        self.ask(Era::Modern, token, "tools/call", answered(call, question, answer)).await
    }

    /// All items of a list, page by page, and all text of it.
    pub async fn list(&self, era: Era, token: &str, list: &str, member: &str) -> (Vec<Value>, String) {
        let (mut items, mut text, mut params) = (Vec::new(), String::new(), json!({}));
        loop {
            let said = self.ask(era, token, list, params).await;
            assert_eq!(said.status, 200, "{}", said.text);
            text.push_str(&said.text);
            items.extend(said.answer["result"][member].as_array().unwrap().iter().cloned());
            match said.answer["result"].get("nextCursor") {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return (items, text),
            }
        }
    }

    /// The status of an order, whoever looks.
    pub async fn order_status(&self, order: &str) -> String {
        let said = self.call(&self.token("auditor", "guest"), "order_status", json!({"order": order})).await;
        said.answer["result"]["structuredContent"]["status"].as_str().unwrap().to_owned()
    }
}

pub fn yes() -> Value {
    json!({"action": "accept", "content": {"approve": true}})
}

/// The question of a first round: its key and the state.
pub fn question(said: &Said) -> (String, Value) {
    let result = &said.answer["result"];
    assert_eq!(result["resultType"], "input_required", "{}", said.text);
    let (key, request) = result["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(request["method"], "elicitation/create");
    (key.clone(), result["requestState"].clone())
}

/// The same request again, with an answer.
pub fn answered(mut call: Value, (key, state): &(String, Value), answer: Value) -> Value {
    call["requestState"] = state.clone();
    call["inputResponses"] = json!({key: answer});
    call
}
