//! A proxy in front of the reference server that changes what passes through it.

use mcprove_reference_server::{Config, Server, serve_http};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) type Headers = Vec<(String, String)>;

/// A request on its way to the server.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// A whole response on its way back.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn get<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub(crate) fn remove(headers: &mut Headers, name: &str) {
    headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
}

pub(crate) fn set(headers: &mut Headers, name: &str, value: impl Into<String>) {
    remove(headers, name);
    headers.push((name.to_owned(), value.into()));
}

impl Request {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        get(&self.headers, name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The method of the JSON-RPC message in it, or nothing.
    pub(crate) fn rpc(&self) -> String {
        self.json()["method"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_notification(&self) -> bool {
        let message = self.json();
        message.get("method").is_some() && message.get("id").is_none()
    }

    pub(crate) fn set_body(&mut self, value: &Value) {
        self.body = value.to_string().into_bytes();
        let length = self.body.len().to_string();
        set(&mut self.headers, "Content-Length", length);
    }
}

impl Response {
    pub(crate) fn new(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = Vec::new();
        if !media.is_empty() {
            headers.push(("Content-Type".to_owned(), media.to_owned()));
        }
        Self { status, headers, body: body.into() }
    }

    /// None at all: the connection is closed.
    pub(crate) fn none() -> Self {
        Self::new(0, "", "")
    }

    pub(crate) fn error(status: u16, request: &Request, code: i64) -> Self {
        let message = serde_json::json!({"jsonrpc": "2.0", "id": request.json()["id"], "error": {"code": code, "message": "twisted"}});
        Self::new(status, "application/json", message.to_string())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn error_code(&self) -> Option<i64> {
        self.json().pointer("/error/code").and_then(Value::as_i64)
    }
}

/// What becomes of an event of a stream.
pub(crate) enum Fate {
    /// These events, as they stand on the wire without the empty line that ends each.
    Pass(Vec<String>),
    /// These events, and then the end of the stream.
    Cut(Vec<String>),
}

impl Fate {
    pub(crate) fn unchanged(event: &str) -> Self {
        Self::Pass(vec![event.to_owned()])
    }
}

/// The data of an event.
pub(crate) fn data(event: &str) -> Option<&str> {
    event.lines().find_map(|line| line.strip_prefix("data: "))
}

/// How the server is twisted.
pub(crate) trait Twist: Send + Sync + 'static {
    /// Changes a request, or answers it.
    fn request(&self, _: &mut Request) -> Option<Response> {
        None
    }

    /// Changes a response that is no stream.
    fn response(&self, _: &Request, _: &mut Response) {}

    /// Changes the headers of a stream.
    fn stream(&self, _: &Request, _: &mut Headers) {}

    /// Changes an event of a stream: its number, and its text.
    fn event(&self, _: &Request, _number: usize, event: &str) -> Fate {
        Fate::unchanged(event)
    }

    /// How much longer a stream stays open than it should.
    fn linger(&self, _: &Request) -> Duration {
        Duration::ZERO
    }

    /// The client has closed a stream.
    fn closed(&self, _: &Request) {}

    /// Events that are to go out on a GET stream that is open.
    fn injected(&self) -> Option<&Mutex<VecDeque<String>>> {
        None
    }
}

/// Runs the reference server and the proxy; the address of the proxy.
pub(crate) fn serve(config: Config, twist: Arc<dyn Twist>) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            serve_http(Server::new(config), listener).await
        })
    });
    let upstream = receiver.recv().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, twist) = (client.unwrap(), Arc::clone(&twist));
            // A client that goes away in the middle is no matter.
            std::thread::spawn(move || drop(pass(client, upstream, &*twist)));
        }
    });
    address
}

fn pass(mut client: TcpStream, upstream: SocketAddr, twist: &dyn Twist) -> io::Result<()> {
    let Some((first, headers, mut body)) = head(&mut client)? else { return Ok(()) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let length = get(&headers, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        let mut room = vec![0; 64 << 10];
        let read = client.read(&mut room)?;
        if read == 0 {
            return Ok(());
        }
        body.extend_from_slice(&room[..read]);
    }
    let mut request = Request { method, target, headers, body };
    if let Some(response) = twist.request(&mut request) {
        return respond(&mut client, &response);
    }
    let mut server = TcpStream::connect(upstream)?;
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    set(&mut request.headers, "Connection", "close");
    for (name, value) in &request.headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        // One character, one byte: as the head was read.
        bytes.extend(value.chars().map(|c| c as u8));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&request.body);
    server.write_all(&bytes)?;
    if !answers(&mut server, &mut client)? {
        twist.closed(&request);
        return Ok(());
    }
    let Some((first, mut headers, rest)) = head(&mut server)? else { return Ok(()) };
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(502);
    let chunked = get(&headers, "transfer-encoding").is_some();
    for name in ["transfer-encoding", "content-length", "connection"] {
        remove(&mut headers, name);
    }
    if get(&headers, "content-type") == Some("text/event-stream") {
        twist.stream(&request, &mut headers);
        write_head(&mut client, status, &headers, None)?;
        return events(&mut client, server, rest, &request, twist).inspect_err(|_| twist.closed(&request));
    }
    let mut body = rest;
    server.read_to_end(&mut body)?;
    assert!(!chunked, "the reference server sends whole bodies whole");
    let mut response = Response { status, headers, body };
    twist.response(&request, &mut response);
    respond(&mut client, &response)
}

/// Waits until the server begins to answer; false if the client goes away before.
fn answers(server: &mut TcpStream, client: &mut TcpStream) -> io::Result<bool> {
    server.set_read_timeout(Some(Duration::from_millis(5)))?;
    client.set_nonblocking(true)?;
    let begun = loop {
        match server.peek(&mut [0; 1]) {
            Ok(_) => break true,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if matches!(client.read(&mut [0; 1]), Ok(0)) {
            break false;
        }
    };
    client.set_nonblocking(false)?;
    server.set_read_timeout(None)?;
    Ok(begun)
}

fn respond(client: &mut TcpStream, response: &Response) -> io::Result<()> {
    if response.status == 0 {
        return Ok(());
    }
    write_head(client, response.status, &response.headers, Some(response.body.len()))?;
    client.write_all(&response.body)
}

fn write_head(
    client: &mut TcpStream,
    status: u16,
    headers: &Headers,
    length: Option<usize>,
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Twisted\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    client.write_all(head.as_bytes())
}

/// The first line, the headers, and what was read beyond them.
fn head(stream: &mut TcpStream) -> io::Result<Option<(String, Headers, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
            let mut lines = text.split("\r\n");
            let first = lines.next().unwrap_or_default().to_owned();
            let fields = lines.filter_map(|line| line.split_once(':'));
            // Spaces around the value stay, so that the server has to deal with them.
            let headers = fields
                .map(|(name, value)| (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
                .collect();
            return Ok(Some((first, headers, bytes[end + 4..].to_vec())));
        }
        let mut room = [0; 4096];
        let read = stream.read(&mut room)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&room[..read]);
    }
}

/// Passes a stream on, event by event, until one side is gone.
fn events(
    client: &mut TcpStream,
    mut server: TcpStream,
    mut buffer: Vec<u8>,
    request: &Request,
    twist: &dyn Twist,
) -> io::Result<()> {
    server.set_read_timeout(Some(Duration::from_millis(5)))?;
    client.set_nonblocking(true)?;
    let (mut text, mut number, mut over) = (String::new(), 0, false);
    loop {
        while let Some(chunk) = chunk(&mut buffer) {
            over |= chunk.is_empty();
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        while let Some(end) = text.find("\n\n") {
            let event = text[..end].to_owned();
            text.drain(..end + 2);
            let (events, cut) = match twist.event(request, number, &event) {
                Fate::Pass(events) => (events, false),
                Fate::Cut(events) => (events, true),
            };
            number += 1;
            for event in events {
                write_event(client, &event)?;
            }
            if cut {
                return Ok(());
            }
        }
        if request.method == "GET"
            && request.get("last-event-id").is_none()
            && let Some(injected) = twist.injected()
            && let Some(event) = injected.lock().unwrap().pop_front()
        {
            write_event(client, &event)?;
        }
        if over {
            std::thread::sleep(twist.linger(request));
            return Ok(());
        }
        // The client has gone: so does the connection to the server.
        let mut nothing = [0; 1];
        if matches!(client.read(&mut nothing), Ok(0)) {
            twist.closed(request);
            return Ok(());
        }
        let mut room = [0; 4096];
        match server.read(&mut room) {
            Ok(0) => over = true,
            Ok(read) => buffer.extend_from_slice(&room[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_event(client: &mut TcpStream, event: &str) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.write_all(format!("{event}\n\n").as_bytes())?;
    client.set_nonblocking(true)
}

/// Takes a whole chunk out of the buffer; an empty one is the last.
fn chunk(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.windows(2).position(|window| window == b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&buffer[..end]).ok()?, 16).ok()?;
    let from = end + 2;
    if buffer.len() < from + size + 2 {
        return None;
    }
    let chunk = buffer[from..from + size].to_vec();
    buffer.drain(..from + size + 2);
    Some(chunk)
}
