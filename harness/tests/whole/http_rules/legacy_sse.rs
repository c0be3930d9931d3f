//! Twisted servers of HTTP+SSE (2024-11-05).

use super::Case;
use super::legacy::{Ask, Events};
use super::proxy::{Fate, Request, Response, Twist, data, remove};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex;

struct Plain;
impl Twist for Plain {}

/// Answers go out on every stream.
#[derive(Default)]
struct Everywhere(Mutex<VecDeque<String>>);

impl Twist for Everywhere {
    fn event(&self, _: &Request, _: usize, event: &str) -> Fate {
        let message = data(event).and_then(|data| serde_json::from_str::<Value>(data).ok());
        if let Some(message) = message
            && message["id"].as_str().is_some_and(|id| id.starts_with("mcprove-"))
        {
            let mut queue = self.0.lock().unwrap();
            // Whichever stream takes it: with several copies it is another one too.
            (0..4).for_each(|_| queue.push_back(event.to_owned()));
        }
        Fate::unchanged(event)
    }

    fn injected(&self) -> Option<&Mutex<VecDeque<String>>> {
        Some(&self.0)
    }
}

fn case(name: &'static str, twist: impl Twist, breaks: &'static [&'static str]) -> Case {
    Case { path: "/sse", ..Case::new(name, "2024-11-05", twist, breaks) }
}

fn is_endpoint(event: &str) -> bool {
    event.starts_with("event: endpoint")
}

const LOG: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\
                   \"params\":{\"level\":\"info\",\"data\":\"hello\"}}";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("honest", Plain, &[]),
        case(
            "no-endpoint",
            Events(
                |_: &Request, _, event: &str| {
                    if is_endpoint(event) { Fate::Cut(Vec::new()) } else { Fate::unchanged(event) }
                },
            ),
            &["http-legacy-sse.endpoint-event", "http-legacy-sse.two-endpoints"],
        ),
        case(
            "late-endpoint",
            Events(|_: &Request, _, event: &str| {
                let late = is_endpoint(event).then(|| LOG.to_owned());
                Fate::Pass(late.into_iter().chain([event.to_owned()]).collect())
            }),
            &["http-legacy-sse.endpoint-event", "http-legacy-sse.two-endpoints"],
        ),
        case(
            "endpoint-elsewhere",
            Events(|_: &Request, _, event: &str| match data(event).filter(|_| is_endpoint(event)) {
                Some(path) => Fate::Pass(vec![format!("event: endpoint\ndata: https://mcp.example{path}")]),
                None => Fate::unchanged(event),
            }),
            &["http-legacy-sse.endpoint-uri-usable"],
        ),
        case(
            "endpoint-no-uri",
            Events(|_: &Request, _, event: &str| {
                if is_endpoint(event) {
                    Fate::Pass(vec!["event: endpoint\ndata: http://[::/x".to_owned()])
                } else {
                    Fate::unchanged(event)
                }
            }),
            &["http-legacy-sse.endpoint-uri-usable"],
        ),
        case(
            "other-events",
            Events(|_: &Request, _, event: &str| {
                Fate::Pass(vec![event.replace("event: message", "event: update")])
            }),
            &["http-legacy-sse.message-events"],
        ),
        case(
            "answers-in-post",
            Ask(|request: &mut Request| {
                let message = request.json();
                let result = json!({"jsonrpc": "2.0", "id": message["id"], "result": {}});
                (message["method"] == "ping")
                    .then(|| Response::new(200, "application/json", result.to_string()))
            }),
            &["http-legacy-sse.post-answered-on-stream"],
        ),
        case("answers-everywhere", Everywhere::default(), &["http-legacy-sse.per-client-routing"]),
        case(
            "any-origin",
            Ask(|request: &mut Request| {
                remove(&mut request.headers, "origin");
                None
            }),
            &["http.origin.all-methods", "http.origin.validated"],
        ),
    ]
}
