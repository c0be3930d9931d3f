//! The HTTP client against servers that do all that a server can do.

use bytes::Bytes;
use mcprove::wire::{
    Channel, End, Event, Flow, HttpClient, HttpConfig, Limits, Observer, Payload, Request, RequestBody,
    ResponseLimits,
};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use url::Url;

const CHANNEL: Channel = Channel(7);

/// Keeps what it is told, and has enough after a number of events.
struct Log {
    events: Mutex<Vec<Event>>,
    room: usize,
}

impl Observer for Log {
    fn observe(&self, channel: Channel, event: Event) -> Flow {
        assert_eq!(channel, CHANNEL);
        let mut events = self.events.lock().unwrap();
        events.push(event);
        if events.len() > self.room { Flow::Stop } else { Flow::Continue }
    }
}

impl Log {
    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::RequestHead { method, .. } => format!("request {method}"),
            Event::Sent { .. } => "sent".to_owned(),
            Event::ResponseHead { status, .. } => format!("response {status}"),
            Event::Received { payload, .. } => {
                format!("received {}", String::from_utf8_lossy(payload.bytes()))
            }
            Event::SseOther(fields) => format!("sse {}", fields.comment.as_deref().unwrap_or_default()),
            Event::ResponseEnded(End::Complete) => "complete".to_owned(),
            Event::ResponseEnded(End::ClosedByUs) => "closed by us".to_owned(),
            Event::ResponseEnded(End::Broken(_)) => "broken".to_owned(),
            Event::ResponseEnded(End::Malformed(_)) => "malformed".to_owned(),
            Event::ResponseEnded(End::TimedOut) => "timed out".to_owned(),
            Event::ConnectFailed(_) => "connect failed".to_owned(),
            Event::Flooded { .. } => "flooded".to_owned(),
            Event::WriteFailed(_) => "write failed".to_owned(),
            Event::Note(text) => format!("note {text}"),
            other => panic!("{other:?}"),
        };
        self.events().iter().map(text).collect()
    }
}

/// A server on a loopback port; each connection is played by `play`, with its number from 0.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start(play: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", play)
    }

    fn on(address: &str, play: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (play, counter) = (Arc::new(play), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let play = Arc::clone(&play);
                std::thread::spawn(move || play(number, &mut stream));
            }
        });
        Self { port, connections }
    }

    /// Answers the first request of each connection with these bytes and closes.
    fn once(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |_, stream| {
            read_request(stream);
            let _ = stream.write_all(&response);
        })
    }

    fn url(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/mcp", self.port)).unwrap()
    }
}

/// Reads a request with a known length; `None` at the end of the connection.
fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    request.extend(body);
    Some(request)
}

fn limits() -> Limits {
    let quick = Duration::from_millis(300);
    Limits { message: 100_000, connect: Duration::from_secs(2), write: quick, exit: quick }
}

fn client(room: usize) -> (HttpClient, Arc<Log>) {
    let log = Arc::new(Log { events: Mutex::default(), room });
    let observer = Arc::clone(&log) as Arc<dyn Observer>;
    (HttpClient::new(HttpConfig::default(), limits(), observer).unwrap(), log)
}

fn quick(mut request: Request) -> Request {
    let head = Duration::from_millis(400);
    request.response = ResponseLimits { head, idle: head, total: Duration::from_millis(1500) };
    request
}

async fn run(client: &HttpClient, request: Request) -> End {
    tokio::time::timeout(Duration::from_secs(10), client.exchange(CHANNEL, request)).await.unwrap()
}

fn post(url: Url) -> Request {
    Request::post(url, Payload::read("{\"id\":1}"))
}

/// What is told of a response to a POST, without the request.
async fn told(response: impl Into<Vec<u8>>) -> Vec<String> {
    let (client, log) = client(1000);
    run(&client, post(Server::once(response).url())).await;
    log.kinds()[2..].to_vec()
}

#[tokio::test]
async fn an_exchange_is_told_in_order() {
    let server = Server::once("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-A: é\r\n\r\n{\"a\":1}");
    let (client, log) = client(1000);
    assert_eq!(run(&client, post(server.url())).await, End::Complete);
    assert_eq!(log.kinds(), ["request POST", "sent", "response 200", "received {\"a\":1}", "complete"]);
    let Event::ResponseHead { headers, .. } = &log.events()[2] else { panic!() };
    assert_eq!(headers[1], ("X-A".to_owned(), "\u{C3}\u{A9}".to_owned()));
}

#[tokio::test]
async fn bodies_end_as_http_says() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let cases = [
        (format!("{ok}\r\n[1]"), vec!["response 200", "received [1]", "complete"]),
        (format!("{ok}Content-Length: 0\r\n\r\n"), vec!["response 200", "complete"]),
        ("HTTP/1.1 202 Accepted\r\n\r\n".to_owned(), vec!["response 202", "complete"]),
        ("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n".to_owned(), vec!["response 204", "complete"]),
        ("HTTP/1.0 404 No\r\n\r\nno".to_owned(), vec!["response 404", "received no", "complete"]),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n[1\r\n1\r\n]\r\n0\r\nT: u\r\n\r\n"),
            vec!["response 200", "received [1]", "complete"],
        ),
        (
            format!("HTTP/1.1 103 Early\r\nA: b\r\n\r\n{ok}Content-Length: 1\r\n\r\n1"),
            vec!["note interim response 103", "response 200", "received 1", "complete"],
        ),
        (format!("{ok}Content-Length: 5\r\n\r\n[1]"), vec!["response 200", "received [1]", "broken"]),
        (
            format!("{ok}Content-Length: 1\r\n\r\n1234"),
            vec!["response 200", "received 1", "note 3 bytes came after the end of the response", "complete"],
        ),
        (format!("{ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n1"), vec!["response 200", "malformed"]),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\nzz\r\n"),
            vec!["response 200", "received 1", "malformed"],
        ),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n"),
            vec!["response 200", "received 1", "broken"],
        ),
        ("SSH-2.0-OpenSSH_9\r\n".to_owned(), vec!["malformed"]),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), vec!["malformed"]),
        ("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n".to_owned(), vec!["malformed"]),
        ("HTTP/1.1 101 Switching\r\n\r\nx".to_owned(), vec!["response 101", "malformed"]),
        ("HTTP/1.1 200 OK\r\nA: b".to_owned(), vec!["broken"]),
        (String::new(), vec!["broken"]),
    ];
    for (response, expected) in cases {
        assert_eq!(told(response.clone()).await, expected, "{response:?}");
    }
}

#[tokio::test]
async fn a_body_of_a_head_request_is_not_awaited() {
    let server = Server::start(|_, stream| {
        while read_request(stream).is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").unwrap();
        }
    });
    let (client, log) = client(1000);
    let request = Request::new("HEAD", server.url(), RequestBody::None);
    assert_eq!(run(&client, request).await, End::Complete);
    assert_eq!(log.kinds(), ["request HEAD", "response 200", "complete"]);
}

#[tokio::test]
async fn odd_splits_change_nothing() {
    let server = Server::start(|_, stream| {
        read_request(stream);
        stream.set_nodelay(true).unwrap();
        let text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                    9\r\ndata: [1]\r\n2\r\n\n\n\r\n6\r\n: hi\n\n\r\n0\r\n\r\n";
        for byte in text.bytes() {
            stream.write_all(&[byte]).unwrap();
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    let (client, log) = client(1000);
    assert_eq!(run(&client, post(server.url())).await, End::Complete);
    assert_eq!(log.kinds()[2..], ["response 200", "received [1]", "sse  hi", "complete"]);
}

#[tokio::test]
async fn events_are_told_as_they_come() {
    let server = Server::start(|_, stream| {
        read_request(stream);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"id: 1\ndata:\n\nid: 2\nevent: message\ndata: {}\n\n").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        stream.write_all(b"data: 2\n\ndata: cut").unwrap();
    });
    let (client, log) = client(1000);
    let exchange = tokio::spawn({
        let client = client.clone();
        async move { run(&client, post(server.url())).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(log.kinds()[2..], ["response 200", "sse ", "received {}"]);
    assert_eq!(exchange.await.unwrap(), End::Complete);
    assert_eq!(log.kinds()[5..], ["received 2", "received cut", "complete"]);
    let Event::Received { sse: Some(fields), .. } = &log.events()[4] else { panic!() };
    assert_eq!((fields.id.as_deref(), fields.event.as_deref()), (Some("2"), Some("message")));
    let Event::Received { payload: Payload::Raw { truncated: true, .. }, .. } = &log.events()[6] else {
        panic!("an event that is not ended is no message");
    };
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(|_, stream| {
        while read_request(stream).is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").unwrap();
        }
    });
    let (client, _) = client(1000);
    for _ in 0..5 {
        assert_eq!(run(&client, post(server.url())).await, End::Complete);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let fresh = Request { fresh_connection: true, ..post(server.url()) };
    assert_eq!(run(&client, fresh).await, End::Complete);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    let close = post(server.url()).header("Connection", "close");
    assert_eq!(run(&client, close).await, End::Complete);
    client.close_idle();
    assert_eq!(run(&client, post(server.url())).await, End::Complete);
    assert_eq!(server.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    // Closed between two requests: seen before the next is sent.
    let server = Server::start(|_, stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").unwrap();
    });
    let (one, log) = client(1000);
    for _ in 0..2 {
        assert_eq!(run(&one, post(server.url())).await, End::Complete);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    assert!(!log.kinds().iter().any(|kind| kind.starts_with("note")));

    // Closed when the second request arrives: sent once more, and told.
    let server = Server::start(|number, stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").unwrap();
        if number == 0 {
            read_request(stream);
        }
    });
    let (two, log) = client(1000);
    for _ in 0..2 {
        assert_eq!(run(&two, post(server.url())).await, End::Complete);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    assert_eq!(log.kinds().iter().filter(|kind| kind.starts_with("note")).count(), 1);
}

#[tokio::test]
async fn one_that_never_answers_is_asked_once() {
    let server = Server::start(|_, stream| {
        read_request(stream);
        stream.shutdown(Shutdown::Both).unwrap();
    });
    let (client, log) = client(1000);
    assert!(matches!(run(&client, post(server.url())).await, End::Broken(_)));
    assert_eq!(log.kinds(), ["request POST", "sent", "broken"]);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn silence_and_drip_time_out() {
    let server = Server::start(|_, stream| {
        read_request(stream);
        std::thread::sleep(Duration::from_secs(3));
    });
    let (one, log) = client(1000);
    let began = Instant::now();
    assert_eq!(run(&one, quick(post(server.url()))).await, End::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(log.kinds(), ["request POST", "sent", "timed out"]);

    let server = Server::start(|_, stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").unwrap();
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (two, log) = client(1000);
    let began = Instant::now();
    assert_eq!(run(&two, quick(post(server.url()))).await, End::TimedOut);
    let elapsed = began.elapsed();
    assert!(elapsed > Duration::from_millis(1400) && elapsed < Duration::from_secs(4), "{elapsed:?}");
    let kinds = log.kinds();
    assert!(kinds[3].starts_with("received xxx"), "{kinds:?}");
    assert_eq!(kinds[4], "timed out");
}

#[tokio::test]
async fn endless_bodies_and_heads_are_floods() {
    let endless = |head: &'static str, piece: &'static [u8]| {
        Server::start(move |_, stream| {
            read_request(stream);
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(piece).is_ok() {}
        })
    };
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096]);
    let (one, log) = client(1000);
    assert_eq!(run(&one, post(server.url())).await, End::ClosedByUs);
    assert_eq!(log.kinds()[4..], ["flooded", "closed by us"]);
    let Event::Received { payload: Payload::Raw { bytes, truncated: true, .. }, .. } = &log.events()[3]
    else {
        panic!("{:?}", log.kinds());
    };
    assert!(bytes.len() <= limits().message);

    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let server = endless(events, b"data: 1\n\n");
    let (two, log) = client(50);
    assert_eq!(run(&two, post(server.url())).await, End::ClosedByUs);
    assert_eq!(log.kinds()[51..], ["flooded", "closed by us"]);

    // It never pauses and is never too much: the time for everything ends it.
    let server = endless(events, b"\n\n\n\n\n\n\n\n");
    let (three, _) = client(1000);
    assert_eq!(run(&three, quick(post(server.url()))).await, End::TimedOut);

    for (head, piece) in [("HTTP/1.1 200 OK\r\n", &b"A: b\r\n"[..]), ("HTTP/1.1 200 OK\r\nA: ", b"aaaa")] {
        let server = endless(head, piece);
        let (four, log) = client(1000);
        assert_eq!(run(&four, post(server.url())).await, End::ClosedByUs);
        let kinds = log.kinds();
        assert!(kinds[2].starts_with("note the head"), "{kinds:?}");
        assert_eq!(kinds[3..], ["flooded", "closed by us"]);
    }
    let many: String = (0..500).map(|n| format!("H{n}: v\r\n")).collect::<Vec<_>>().concat();
    let kinds = told(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")).await;
    assert_eq!(kinds[0], "note the response has more than 100 header fields");
    assert_eq!(kinds[1..], ["flooded", "closed by us"]);
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
    assert_eq!(told(interim).await.last().unwrap(), "closed by us");
}

#[tokio::test]
async fn a_reset_in_the_middle_is_told() {
    let server = Server::start(|_, stream| {
        // Closing with unread bytes resets the connection.
        let mut some = [0; 10];
        stream.read_exact(&mut some).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    });
    let (client, log) = client(1000);
    assert!(matches!(run(&client, post(server.url())).await, End::Broken(_)));
    assert_eq!(log.kinds()[2..], ["response 200", "received [1", "broken"]);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    let closed = Arc::new(AtomicUsize::new(0));
    let server = Server::start({
        let closed = Arc::clone(&closed);
        move |_, stream| {
            read_request(stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: x\n\n").unwrap();
            if stream.read(&mut [0]).unwrap_or(0) == 0 {
                closed.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let (client, log) = client(1000);
    let exchange = client.exchange(CHANNEL, Request::get(server.url()));
    assert!(tokio::time::timeout(Duration::from_millis(100), exchange).await.is_err());
    assert_eq!(log.kinds(), ["request GET", "response 200", "sse  x", "closed by us"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_connection_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (client, log) = client(1000);
    let url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    assert!(matches!(run(&client, post(url)).await, End::Broken(_)));
    let events = log.events();
    let Some(Event::ConnectFailed(reason)) = events.last() else { panic!("{events:?}") };
    assert!(reason.contains("127.0.0.1") && reason.contains("[::1]"), "{reason}");
    let url = Url::parse("ftp://localhost/").unwrap();
    assert!(matches!(run(&client, post(url)).await, End::Broken(_)));
}

#[tokio::test]
async fn localhost_is_found_on_either_address() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        if TcpListener::bind(address).is_err() {
            continue;
        }
        let server = Server::on(address, |_, stream| {
            read_request(stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let url = Url::parse(&format!("http://localhost:{}/", server.port)).unwrap();
        assert_eq!(run(&client(1000).0, post(url)).await, End::Complete);
    }
}

#[tokio::test]
async fn a_coded_body_is_left_as_it_is() {
    let kinds = Server::once("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}");
    let (client, log) = client(1000);
    assert_eq!(run(&client, post(kinds.url())).await, End::Complete);
    let Event::Received { payload: Payload::Raw { error: Some(error), truncated: false, .. }, .. } =
        &log.events()[3]
    else {
        panic!("{:?}", log.kinds());
    };
    assert!(error.contains("gzip"));
}

#[tokio::test]
async fn an_early_answer_is_read_while_the_body_still_goes_out() {
    let server = Server::start(|_, stream| {
        stream.read_exact(&mut [0; 100]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 1\r\n\r\n1").unwrap();
        std::thread::sleep(Duration::from_millis(500));
    });
    let (client, log) = client(1000);
    let body = RequestBody::Bytes(vec![b'1'; 32 << 20].into());
    let end = run(&client, Request::new("POST", server.url(), body)).await;
    assert_eq!(end, End::Complete);
    assert_eq!(log.kinds()[2..], ["response 413", "received 1", "complete"]);
}

#[tokio::test]
async fn one_that_reads_nothing_makes_the_write_fail_in_time() {
    let server = Server::start(|_, _| std::thread::sleep(Duration::from_secs(3)));
    let (client, log) = client(1000);
    let body = RequestBody::Bytes(vec![b'1'; 32 << 20].into());
    assert_eq!(run(&client, quick(Request::new("POST", server.url(), body))).await, End::TimedOut);
    assert_eq!(log.kinds()[2..], ["write failed", "timed out"]);
}

#[tokio::test]
async fn bodies_in_pieces_and_raw_requests_arrive_as_given() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start({
        let seen = Arc::clone(&seen);
        move |_, stream| {
            stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let mut all = Vec::new();
            let mut some = [0; 1000];
            while let Ok(count @ 1..) = stream.read(&mut some) {
                all.extend_from_slice(&some[..count]);
            }
            seen.lock().unwrap().push(all);
            stream.write_all(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let (client, log) = client(1000);
    let pause = Duration::from_millis(50);
    let pieces = vec![(Bytes::from_static(b"[1"), pause), (Bytes::from_static(b"]"), Duration::ZERO)];
    let chunked = Request::new("POST", server.url(), RequestBody::Chunked(pieces.clone()));
    let plain =
        Request::new("POST", server.url(), RequestBody::Pieces(pieces)).without_header("content-length");
    let raw = Request::raw(server.url(), Bytes::from_static(b"GET\x00 / HTTP/9.9\n\n"));
    for request in [chunked, plain, raw] {
        assert_eq!(run(&client, request).await, End::Complete);
    }
    let seen = seen.lock().unwrap();
    assert!(seen[0].ends_with(b"\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"), "{}", seen[0].escape_ascii());
    assert!(seen[1].ends_with(b"\r\n\r\n[1]"));
    assert_eq!(seen[2], b"GET\x00 / HTTP/9.9\n\n");
    let sent: Vec<_> = log
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Sent { payload, .. } = event { Some(payload) } else { None })
        .collect();
    assert_eq!(sent[0], Payload::read("[1]"));
    assert_eq!(sent[2].bytes(), seen[2]);
}

#[test]
fn a_client_outlives_a_runtime() {
    let server = Server::start(|_, stream| {
        while read_request(stream).is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").unwrap();
        }
    });
    let (client, log) = client(1000);
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(run(&client, post(server.url()))), End::Complete);
    }
    assert!(!log.kinds().iter().any(|kind| kind.starts_with("note")));
}
