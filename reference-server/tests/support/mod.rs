//! Clients of our own for the tests: they speak bytes, so that nothing of the server is taken for granted.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its part, and a broken test may panic"
)]

#[cfg(feature = "enterprise")]
pub mod business;

use std::collections::HashMap;
use std::time::Duration;

use mcprove_reference_server::{Config, Revision, Server, serve_http, serve_stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest wait for anything that must come.
pub const SOON: Duration = Duration::from_secs(5);
/// Wait after which something that must not come is taken as absent.
pub const QUIET: Duration = Duration::from_millis(150);

pub fn only(revisions: &[Revision]) -> Config {
    Config { revisions: revisions.to_vec(), ..Config::default() }
}

/// `_meta` of a modern request.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A modern request; `params` may bring further members of `_meta`.
pub fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    let mut all = meta();
    for (key, value) in params["_meta"].as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    params["_meta"] = all;
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

pub fn initialize(version: &str) -> Value {
    request(
        "init",
        "initialize",
        json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}),
    )
}

/// A client on a pipe.
pub struct Pipe {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: Option<WriteHalf<DuplexStream>>,
    pub served: JoinHandle<std::io::Result<()>>,
}

impl Pipe {
    pub fn open(config: Config) -> Self {
        Self::on(Server::new(config))
    }

    pub fn on(server: Server) -> Self {
        let (client, stream) = tokio::io::duplex(1 << 16);
        let (server_reader, server_writer) = tokio::io::split(stream);
        let served = tokio::spawn(serve_stream(server, server_reader, server_writer));
        let (reader, writer) = tokio::io::split(client);
        Self { reader: BufReader::new(reader), writer: Some(writer), served }
    }

    /// A client whose handshake is done.
    pub async fn initialized(version: &str) -> Self {
        let mut pipe = Self::open(Config::default());
        let answer = pipe.ask(&initialize(version)).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        pipe.send(&notification("notifications/initialized", json!({}))).await;
        pipe
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes()).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.writer.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::time::timeout(SOON, self.reader.read_line(&mut line)).await.expect("a line in time").unwrap();
        line
    }

    pub async fn receive(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub async fn ask(&mut self, message: &Value) -> Value {
        self.send(message).await;
        self.receive().await
    }

    pub async fn ask_raw(&mut self, line: &str) -> Value {
        self.send_raw(format!("{line}\n").as_bytes()).await;
        self.receive().await
    }

    pub async fn hears_nothing(&mut self) {
        let mut line = String::new();
        let read = tokio::time::timeout(QUIET, self.reader.read_line(&mut line)).await;
        assert!(read.is_err(), "unexpected: {line}");
    }

    pub async fn close_input(&mut self) {
        self.writer.take().unwrap().shutdown().await.unwrap();
    }

    /// What the server still says after the end of its input.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut text = String::new();
        tokio::time::timeout(SOON, self.reader.read_to_string(&mut text))
            .await
            .expect("the end in time")
            .unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A server on a port of its own.
pub struct Http {
    pub address: std::net::SocketAddr,
    pub server: Server,
    served: JoinHandle<std::io::Result<()>>,
}

impl Drop for Http {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// A response whose body may still be coming.
pub struct Response {
    pub status: u16,
    pub headers: HashMap<String, String>,
    reader: BufReader<TcpStream>,
    text: String,
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Http {
    pub async fn open(config: Config) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), config)
    }

    pub fn on(listener: TcpListener, config: Config) -> Self {
        let address = listener.local_addr().unwrap();
        let server = Server::new(config);
        Self { address, served: tokio::spawn(serve_http(server.clone(), listener)), server }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        if method == "POST" && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            head.push_str("Content-Type: application/json\r\n");
        }
        if method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            head.push_str("Accept: application/json, text/event-stream\r\n");
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses early may not read the whole body.
        let _ = stream.write_all(body).await;
        Response::read(BufReader::new(stream)).await
    }

    pub async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Response {
        self.send("POST", "/mcp", headers, body.to_string().as_bytes()).await
    }

    /// A modern request with the headers that belong to it, some of them replaced or (by an empty value) left out.
    pub async fn modern(&self, body: &Value, changed: &[(&str, &str)]) -> Response {
        let name = body["params"]["name"].as_str().or(body["params"]["uri"].as_str()).unwrap_or_default();
        let mut headers = vec![
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", body["method"].as_str().unwrap_or_default()),
            ("Mcp-Name", if body["params"]["ref"].is_null() { name } else { "" }),
        ];
        headers.retain(|(name, _)| !changed.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
        headers.extend(changed);
        headers.retain(|(_, value)| !value.is_empty());
        self.post(&headers, body).await
    }

    /// Does the handshake; returns the session id.
    pub async fn initialized(&self, version: &str) -> String {
        let response = self.post(&[], &initialize(version)).await;
        assert_eq!(response.status, 200);
        let session = response.headers["mcp-session-id"].clone();
        assert_eq!(response.json().await["result"]["protocolVersion"], version);
        let done = notification("notifications/initialized", json!({}));
        let response = self.post(&[("Mcp-Session-Id", &session)], &done).await;
        assert_eq!(response.status, 202);
        assert_eq!(response.body().await, "");
        session
    }
}

impl Response {
    async fn read(mut reader: BufReader<TcpStream>) -> Self {
        let mut headers = HashMap::new();
        let mut status = 0;
        loop {
            let mut line = String::new();
            let read =
                tokio::time::timeout(SOON, reader.read_line(&mut line)).await.expect("a response in time");
            assert!(read.unwrap() > 0, "the server closed the connection");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                headers.insert(name.to_ascii_lowercase(), value.to_owned());
            } else {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            }
        }
        Self { status, headers, reader, text: String::new() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub async fn body(mut self) -> String {
        while self.more().await {}
        self.text
    }

    pub async fn json(self) -> Value {
        let text = self.body().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Reads one chunk of the body; false at its end.
    async fn more(&mut self) -> bool {
        if self.header("transfer-encoding") != "chunked" {
            let read = tokio::time::timeout(SOON, self.reader.read_to_string(&mut self.text)).await;
            return read.expect("the body in time").unwrap() > 0;
        }
        let mut size = String::new();
        let read = tokio::time::timeout(SOON, self.reader.read_line(&mut size)).await;
        if read.expect("a chunk in time").unwrap() == 0 {
            return false;
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).await.unwrap();
        self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        size > 0
    }

    /// The next event; none at the end of the stream.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let mut event = Event::default();
                for line in block.lines() {
                    match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                        Some(("id", value)) => event.id = Some(value.to_owned()),
                        Some(("event", value)) => event.name = Some(value.to_owned()),
                        Some(("data", value)) => event.data.push_str(value),
                        _ => {}
                    }
                }
                return Some(event);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub async fn events(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    pub async fn hears_nothing(&mut self) {
        let event = tokio::time::timeout(QUIET, self.event()).await;
        assert!(event.is_err(), "unexpected: {event:?}");
    }
}
