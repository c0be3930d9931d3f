//! The load: one thread, bytes made beforehand, answers counted and not read. It has to be leaner than any server, as
//! it shares the machine with it. What an answer looks like is checked in full before, and its length ever after.

use crate::Failure;
use memchr::memmem;
use rustix::event::epoll;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// What the tool is told and has to say.
const TEXT: &str = "The quick brown fox jumps over the lazy dog.";
/// Ids have the same number of digits, so that all messages have one length.
const FIRST_ID: u64 = 1_000_000_000;

fn initialize() -> Value {
    let client = json!({"name": "bench-peers", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A call; the digits of its id stand where `id_at` says.
fn call() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{FIRST_ID},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{TEXT}"}}}}}}"#
    )
}

/// Where the digits of the id begin in a message.
fn id_at(message: &[u8]) -> usize {
    memmem::find(message, FIRST_ID.to_string().as_bytes()).expect("a call has an id")
}

/// Writes an id of ten digits.
fn put_id(digits: &mut [u8], mut id: u64) {
    for digit in digits[..10].iter_mut().rev() {
        *digit = b'0' + (id % 10) as u8;
        id /= 10;
    }
}

/// The id of a right answer to a call.
fn checked(answer: &[u8]) -> Result<u64, Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    let right = json!([{"type": "text", "text": TEXT}]);
    if value["result"]["content"] != right || value["result"]["isError"] == true {
        return Err(format!("a wrong answer: {value}").into());
    }
    Ok(value["id"].as_u64().ok_or("an answer without the id")?)
}

fn agreed(answer: &[u8]) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(answer)?;
    if value["result"]["protocolVersion"] == "2025-11-25" {
        Ok(())
    } else {
        Err(format!("not agreed: {value}").into())
    }
}

pub(crate) enum Load {
    Stdio(Stdio),
    Http(Http),
}

impl Load {
    pub(crate) fn shake_hands(&mut self) -> Result<(), Failure> {
        match self {
            Self::Stdio(load) => load.shake_hands(),
            Self::Http(load) => load.shake_hands(),
        }
    }

    /// Makes so many calls and reads every answer.
    pub(crate) fn verify(&mut self, in_flight: usize, calls: usize) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        self.open(in_flight)?;
        while seen.len() < calls {
            let before = seen.len();
            match self {
                Self::Stdio(load) => load.verify(in_flight, &mut seen)?,
                Self::Http(load) => load.verify(&mut seen)?,
            }
            if seen.len() != before + in_flight {
                return Err("an id was answered twice".into());
            }
        }
        Ok(())
    }

    /// Opens what the next slice needs.
    pub(crate) fn open(&mut self, in_flight: usize) -> Result<(), Failure> {
        match self {
            Self::Stdio(_) => Ok(()),
            Self::Http(load) => load.open(in_flight),
        }
    }

    /// Calls until the time is over, then waits for the last answers; how many there were.
    pub(crate) fn run(&mut self, in_flight: usize, slice: Duration) -> Result<u64, Failure> {
        match self {
            Self::Stdio(load) => load.run(in_flight, slice),
            Self::Http(load) => load.run(slice),
        }
    }
}

/// A client on a pipe.
pub(crate) struct Stdio {
    stdin: ChildStdin,
    stdout: ChildStdout,
    next_id: u64,
    /// As many calls as may ever be in flight, one after the other.
    calls: Vec<u8>,
    length: usize,
    id_at: usize,
    answer_length: usize,
    buffer: Vec<u8>,
}

impl Stdio {
    pub(crate) fn new(stdin: ChildStdin, stdout: ChildStdout) -> Self {
        let call = format!("{}\n", call()).into_bytes();
        Self {
            stdin,
            stdout,
            next_id: FIRST_ID,
            length: call.len(),
            id_at: id_at(&call),
            calls: call.repeat(crate::MANY),
            answer_length: 0,
            buffer: vec![0; 1 << 16],
        }
    }

    /// Sends calls in one write. All that is in flight fits into the pipes, so that this cannot block for ever.
    fn send(&mut self, count: usize) -> std::io::Result<()> {
        for place in 0..count {
            put_id(&mut self.calls[place * self.length + self.id_at..], self.next_id);
            self.next_id += 1;
        }
        self.stdin.write_all(&self.calls[..count * self.length])
    }

    fn receive(&mut self) -> Result<usize, Failure> {
        match self.stdout.read(&mut self.buffer)? {
            0 => Err("the server has ended".into()),
            length => Ok(length),
        }
    }

    /// So many whole lines, unless the server says something more.
    fn lines(&mut self, count: usize) -> Result<Vec<Vec<u8>>, Failure> {
        let mut text = Vec::new();
        while memchr::memchr_iter(b'\n', &text).count() < count {
            let length = self.receive()?;
            text.extend_from_slice(&self.buffer[..length]);
        }
        Ok(text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }

    fn shake_hands(&mut self) -> Result<(), Failure> {
        self.stdin.write_all(format!("{}\n", initialize()).as_bytes())?;
        agreed(&self.lines(1)?[0])?;
        self.stdin.write_all(format!("{}\n", initialized()).as_bytes())?;
        Ok(())
    }

    fn verify(&mut self, in_flight: usize, seen: &mut HashSet<u64>) -> Result<(), Failure> {
        self.send(in_flight)?;
        for line in self.lines(in_flight)? {
            seen.insert(checked(&line)?);
            self.answer_length = line.len();
        }
        Ok(())
    }

    fn run(&mut self, in_flight: usize, slice: Duration) -> Result<u64, Failure> {
        let began = Instant::now();
        let (mut sent, mut answered, mut bytes) = (in_flight, 0, 0);
        self.send(in_flight)?;
        while answered < sent {
            let length = self.receive()?;
            let lines = memchr::memchr_iter(b'\n', &self.buffer[..length]).count();
            answered += lines;
            bytes += length;
            if began.elapsed() < slice {
                self.send(lines)?;
                sent += lines;
            }
        }
        if bytes != answered * self.answer_length {
            return Err("answers of another length than the ones that were checked".into());
        }
        Ok(answered as u64)
    }
}

/// Clients with a connection each.
pub(crate) struct Http {
    port: u16,
    session: Option<String>,
    next_id: u64,
    request: Vec<u8>,
    id_at: usize,
    connections: Vec<Connection>,
    epoll: Option<std::os::fd::OwnedFd>,
    events: Vec<epoll::Event>,
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Reads what has come; whether the answer is whole.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool, Failure> {
        match self.stream.read(buffer) {
            Ok(0) => return Err("the server has closed the connection".into()),
            Ok(length) => self.answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        whole(&self.answer)
    }

    /// Waits for the whole answer.
    fn wait(&mut self) -> Result<(), Failure> {
        self.stream.set_nonblocking(false)?;
        self.answer.clear();
        let mut buffer = [0; 4096];
        while !self.read(&mut buffer)? {}
        self.stream.set_nonblocking(true)?;
        Ok(())
    }
}

/// The end of the head, if it has come.
fn head_end(answer: &[u8]) -> Option<usize> {
    memmem::find(answer, b"\r\n\r\n").map(|at| at + 4)
}

/// Whether a response is complete; it is followed by nothing, as each connection has one request at a time.
fn whole(answer: &[u8]) -> Result<bool, Failure> {
    let Some(end) = head_end(answer) else {
        return Ok(false);
    };
    if !answer.starts_with(b"HTTP/1.1 20") {
        return Err(format!("refused: {}", String::from_utf8_lossy(answer)).into());
    }
    // `Content-Length` in any case, and no other header that is sent has these letters.
    if let Some(at) = memmem::find(&answer[..end], b"ength:") {
        let digits = answer[at + 6..end].trim_ascii_start();
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let length = length.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        return Ok(answer.len() == end + length);
    }
    // Else the body comes in chunks, the last one empty; or there is none.
    Ok(answer.ends_with(b"0\r\n\r\n") || answer[9..12] == *b"202")
}

/// The JSON of a response, whether it stands alone or in an event.
fn json_of(answer: &[u8]) -> Result<&[u8], Failure> {
    let body = &answer[head_end(answer).ok_or("no head")?..];
    let begin = memmem::find(body, b"{\"").ok_or("no JSON")?;
    let end = memchr::memrchr(b'}', body).ok_or("no JSON")?;
    Ok(&body[begin..=end])
}

impl Http {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            session: None,
            next_id: FIRST_ID,
            request: Vec::new(),
            id_at: 0,
            connections: Vec::new(),
            epoll: None,
            events: Vec::with_capacity(crate::MANY),
        }
    }

    fn post(&self, body: &str) -> Vec<u8> {
        let session = self.session.as_ref().map_or_else(String::new, |id| {
            format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: 2025-11-25\r\n")
        });
        format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nAccept: application/json, \
             text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .into_bytes()
    }

    fn shake_hands(&mut self) -> Result<(), Failure> {
        self.open(1)?;
        let initialize = self.post(&initialize().to_string());
        let connection = &mut self.connections[0];
        connection.stream.write_all(&initialize)?;
        connection.wait()?;
        agreed(json_of(&connection.answer)?)?;
        let head = String::from_utf8_lossy(&connection.answer).into_owned();
        self.session = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
        });
        let initialized = self.post(&initialized().to_string());
        let connection = &mut self.connections[0];
        connection.stream.write_all(&initialized)?;
        connection.wait()?;
        self.request = self.post(&call());
        self.id_at = id_at(&self.request);
        Ok(())
    }

    /// Opens fresh connections, as servers close those that have been idle for some seconds.
    fn open(&mut self, count: usize) -> Result<(), Failure> {
        self.connections.clear();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for place in 0..count {
            let stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(place as u64), epoll::EventFlags::IN)?;
            self.connections.push(Connection { stream, answer: Vec::with_capacity(4096) });
        }
        self.epoll = Some(epoll);
        if !self.request.is_empty() {
            // Each connection is taken in by the server before anything is measured.
            (0..count).try_for_each(|place| self.send(place))?;
            self.connections.iter_mut().try_for_each(Connection::wait)?;
        }
        Ok(())
    }

    fn send(&mut self, place: usize) -> Result<(), Failure> {
        put_id(&mut self.request[self.id_at..], self.next_id);
        self.next_id += 1;
        self.connections[place].answer.clear();
        Ok(self.connections[place].stream.write_all(&self.request)?)
    }

    fn verify(&mut self, seen: &mut HashSet<u64>) -> Result<(), Failure> {
        (0..self.connections.len()).try_for_each(|place| self.send(place))?;
        for connection in &mut self.connections {
            connection.wait()?;
            seen.insert(checked(json_of(&connection.answer)?)?);
        }
        Ok(())
    }

    fn run(&mut self, slice: Duration) -> Result<u64, Failure> {
        let epoll = self.epoll.take().ok_or("not open")?;
        let right = memmem::Finder::new(TEXT);
        let mut buffer = [0; 4096];
        let (mut open, mut answered) = (self.connections.len(), 0);
        let began = Instant::now();
        (0..open).try_for_each(|place| self.send(place))?;
        while open > 0 {
            self.events.clear();
            epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut self.events), None)?;
            let going = began.elapsed() < slice;
            for turn in 0..self.events.len() {
                let data = self.events[turn].data;
                let place = usize::try_from(data.u64())?;
                let connection = &mut self.connections[place];
                if !connection.read(&mut buffer)? {
                    continue;
                }
                if right.find(&connection.answer).is_none() {
                    return Err("an answer without the text".into());
                }
                answered += 1;
                if going {
                    self.send(place)?;
                } else {
                    open -= 1;
                }
            }
        }
        Ok(answered)
    }
}
