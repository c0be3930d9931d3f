//! Servers that ask for tokens, each with a guard of another kind in front of the reference server.

use super::Case;
use super::proxy::{Request, Response, Twist, get, set};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;

/// The tokens that the environment of a check holds, as `MCPROVE_OWN` and so on.
pub(super) const TOKENS: [(&str, &str); 3] = [
    ("MCPROVE_OWN", "own-4f8e1c0b7a6d493e"),
    ("MCPROVE_OTHER", "other-0c9d1f2e3a4b5c6d"),
    ("MCPROVE_FOREIGN", "foreign-77aa66bb55cc44dd"),
];
const OWN: &str = TOKENS[0].1;
const OTHER: &str = TOKENS[1].1;
const FOREIGN: &str = TOKENS[2].1;

/// What begins a conversation.
const BEGINNING: &[&str] = &["initialize", "notifications/initialized", "server/discover", "ping", ""];

/// A guard.
struct Guard {
    /// The header that holds a token.
    carrier: &'static str,
    /// The scheme that a challenge names.
    scheme: &'static str,
    /// Methods that are open to all.
    open: &'static [&'static str],
    /// The status for a request without a token.
    missing: u16,
    /// The status for a token of another server.
    foreign: u16,
    /// Whether JWTs are taken without a look at their signature.
    trusting: bool,
    /// Whether a refusal repeats the token.
    talkative: bool,
    /// Methods of HTTP for which a session is everybody's.
    shared: &'static [&'static str],
    /// What somebody's lists do not have: the token, and the names.
    hidden: (&'static str, &'static [&'static str]),
    /// The methods that refuse to them what is hidden from them.
    closed: &'static [&'static str],
    /// Whose answers are about people: see [`Guard::people`].
    people: Option<People>,
    /// Who began a session.
    sessions: Mutex<HashMap<String, String>>,
}

/// What tools and prompts about people are like.
#[derive(Clone, Copy)]
struct People {
    /// Whether the prompt shows what the tools mask.
    told_by_prompt: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            carrier: "Authorization",
            scheme: "Bearer",
            open: &[],
            missing: 401,
            foreign: 401,
            trusting: false,
            talkative: false,
            shared: &[],
            hidden: ("", &[]),
            closed: &[],
            people: None,
            sessions: Mutex::default(),
        }
    }
}

impl Guard {
    /// The token of a request, or none.
    fn token<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let value = request.get(self.carrier)?;
        if self.carrier != "Authorization" {
            return Some(value);
        }
        let (scheme, token) = value.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("Bearer") && !token.contains(' ')).then_some(token)
    }

    fn refusal(&self, status: u16, request: &Request, error: Option<&str>) -> Response {
        if status == 302 {
            let mut response = Response::new(302, "", "");
            set(&mut response.headers, "Location", "/login");
            return response;
        }
        let mut response = Response::new(status, "application/json", json!({"error": "denied"}).to_string());
        let mut challenge = format!("{} realm=\"mcp\"", self.scheme);
        if self.scheme == "Bearer" {
            let host = request.get("Host").unwrap_or_default();
            let place = "/.well-known/oauth-protected-resource/mcp";
            challenge = format!("Bearer resource_metadata=\"http://{host}{place}\", scope=\"mcp\"");
        }
        if let Some(error) = error {
            challenge.push_str(&format!(", error=\"{error}\""));
            if self.talkative {
                let token = self.token(request).unwrap_or_default();
                challenge.push_str(&format!(", error_description=\"{token} is not known\""));
            }
        }
        set(&mut response.headers, "WWW-Authenticate", challenge);
        response
    }

    /// Whether a request names what is hidden from whoever sends it, and is refused for that.
    fn is_closed(&self, request: &Request) -> bool {
        let message = request.json();
        let uri = message.pointer("/params/uri").and_then(Value::as_str).unwrap_or_default();
        self.closed.contains(&&*request.rpc())
            && self.token(request) == Some(self.hidden.0)
            && self.hidden.1.contains(&uri)
    }

    /// The answer of a tool or prompt about people: a list that masks for `OTHER`, a record of the caller's own that does
    /// not, and a prompt.
    fn people(&self, request: &Request, people: People) -> Option<Response> {
        let message = request.json();
        let name = message.pointer("/params/name")?.as_str()?;
        let all = [("p-1", "ann.summers@mail.example"), ("p-2", "ben.okonkwo@mail.example")];
        let is_other = self.token(request) == Some(OTHER);
        let person = |(id, mail): (&str, &str), masked: bool| {
            let mail = if masked { format!("{}***@***", &mail[..1]) } else { mail.to_owned() };
            json!({"id": id, "email": mail})
        };
        let text = |value: Value| json!({"type": "text", "text": value.to_string()});
        let result = match name {
            "list_people" => json!({"content": [text(json!(all.map(|one| person(one, is_other))))]}),
            "my_record" => json!({"content": [text(person(all[usize::from(is_other)], false))]}),
            "write_to" => {
                let wanted = message.pointer("/params/arguments/person").and_then(Value::as_str);
                let one = all.into_iter().find(|(id, _)| Some(*id) == wanted)?;
                let record = person(one, is_other && !people.told_by_prompt);
                json!({"messages": [{"role": "user", "content": text(record)}]})
            }
            _ => return None,
        };
        let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        Some(Response::new(200, "application/json", answer.to_string()))
    }
}

impl Twist for Guard {
    fn request(&self, request: &mut Request) -> Option<Response> {
        if request.target.starts_with("/.well-known/oauth-protected-resource") && self.scheme == "Bearer" {
            let host = request.get("Host").unwrap_or_default();
            let document = json!({
                "resource": format!("http://{host}/mcp"), "authorization_servers": ["https://issuer.example"],
                "scopes_supported": ["mcp"], "bearer_methods_supported": ["header"],
            });
            return Some(Response::new(200, "application/json", document.to_string()));
        }
        if !request.target.starts_with("/mcp") {
            return Some(Response::new(404, "", ""));
        }
        let values = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
        if values.count() > 1 {
            return Some(self.refusal(400, request, Some("invalid_request")));
        }
        let token = self.token(request).map(str::to_owned);
        let taken = token.as_deref().is_some_and(|token| {
            token == OWN || token == OTHER || (self.trusting && token.split('.').count() == 3)
        });
        if !taken {
            return match token.as_deref() {
                None if self.open.contains(&&*request.rpc()) => None,
                None => Some(self.refusal(self.missing, request, None)),
                Some(FOREIGN) => Some(self.refusal(self.foreign, request, Some("invalid_token"))),
                Some(_) => Some(self.refusal(401, request, Some("invalid_token"))),
            };
        }
        if let Some(session) = request.get("mcp-session-id")
            && let Some(owner) = self.sessions.lock().unwrap().get(session)
            && Some(owner) != token.as_ref()
            && !self.shared.contains(&&*request.method)
        {
            return Some(Response::error(404, request, -32600));
        }
        if self.is_closed(request) {
            return Some(Response::error(200, request, -32002));
        }
        self.people(request, self.people?)
    }

    fn response(&self, request: &Request, response: &mut Response) {
        if request.rpc() == "initialize"
            && let Some(session) = get(&response.headers, "mcp-session-id")
        {
            let owner = self.token(request).unwrap_or_default().to_owned();
            self.sessions.lock().unwrap().insert(session.to_owned(), owner);
        }
        let mut message = response.json();
        for (member, key) in [("tools", "name"), ("resources", "uri"), ("prompts", "name")] {
            let Some(list) = message.pointer_mut(&format!("/result/{member}")).and_then(Value::as_array_mut)
            else {
                continue;
            };
            if self.token(request) == Some(self.hidden.0) {
                list.retain(|entry| !self.hidden.1.iter().any(|name| entry[key] == *name));
            }
            if self.people.is_some() {
                let of_people = match member {
                    "tools" => ["list_people", "my_record"].map(tool).to_vec(),
                    "prompts" => {
                        vec![json!({"name": "write_to", "arguments": [{"name": "person", "required": true}]})]
                    }
                    _ => Vec::new(),
                };
                list.retain(|_| of_people.is_empty());
                list.extend(of_people);
            }
        }
        if request.rpc().ends_with("/list") {
            if self.people.is_some()
                && let Some(result) = message.get_mut("result").and_then(Value::as_object_mut)
            {
                result.remove("nextCursor");
            }
            *response = Response { body: message.to_string().into_bytes(), ..response.clone() };
        }
    }
}

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object", "properties": {}}, "annotations": {"readOnlyHint": true}})
}

const NEW: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";
const BEARER: &[&str] = &["--bearer-env", "MCPROVE_OWN", "--principal", "other=MCPROVE_OTHER"];
const AREAS: &str = "auth,security.session,security.errors-leak-nothing,tools.call.access-control,resources.read.access-control,prompts.injection-safe,\
    completion.access-controlled,robustness.output.no-internals";

fn case(
    name: &'static str,
    revision: &'static str,
    guard: Guard,
    arguments: &'static [&'static str],
    breaks: &'static [&'static str],
) -> Case {
    Case { only: AREAS, arguments, ..Case::new(name, revision, guard, breaks) }
}

/// The rows of a token that is taken without a look at it.
const TRUSTING: &[&str] =
    &["auth.status.invalid-token-unauthorized", "auth.token.foreign-refused", "auth.token.validated"];

/// Servers whose first requests are open, and those that refuse with another status than 401.
fn doors() -> Vec<Case> {
    let open = || Guard { open: BEGINNING, ..Guard::default() };
    let missing: &[&str] = &["auth.status.missing-token-unauthorized"];
    let trusting_beyond = || Guard { trusting: true, ..open() };
    let forbidding = Guard { missing: 403, ..Guard::default() };
    let redirecting = || Guard { missing: 302, ..Guard::default() };
    let unseen: &[&str] = &["auth.status.missing-token-unauthorized", "auth.http-conformance"];
    let trusting = Guard { missing: 403, trusting: true, ..Guard::default() };
    let both = &[
        "auth.status.invalid-token-unauthorized",
        "auth.status.missing-token-unauthorized",
        "auth.token.foreign-refused",
        "auth.token.validated",
    ];
    vec![
        case("a guard", NEW, Guard::default(), BEARER, &[]),
        case("an open beginning", NEW, open(), BEARER, &[]),
        case("an open beginning", MODERN, open(), BEARER, &[]),
        case("an open beginning, any signature", NEW, trusting_beyond(), BEARER, TRUSTING),
        case("an open beginning, any signature", MODERN, trusting_beyond(), BEARER, TRUSTING),
        case("403 without a token", MODERN, forbidding, BEARER, missing),
        case("to a page for people", NEW, redirecting(), BEARER, unseen),
        case("403, and any signature behind it", NEW, trusting, BEARER, both),
    ]
}

/// Keys in a header of their own, and tokens that come back.
fn keys() -> Vec<Case> {
    let key = || Guard { carrier: "X-API-Key", scheme: "ApiKey", ..Guard::default() };
    let given: &[&str] = &["--header", "X-API-Key: own-4f8e1c0b7a6d493e"];
    // Who asks for keys has no metadata; in the legacy era a scheme of its own is exempt from more.
    let own_scheme: &[&str] = &["auth.metadata.discoverable", "auth.metadata.implemented"];
    let echo: &[&str] = &["robustness.output.no-internals"];
    let told: &[&str] = &["robustness.output.no-internals", "security.errors-leak-nothing"];
    let talkative = || Guard { talkative: true, ..Guard::default() };
    let door = || Guard { carrier: "X-Door", ..key() };
    let trusting = Guard { trusting: true, ..key() };
    let trusted: &[&str] = &[
        "auth.metadata.discoverable",
        "auth.metadata.implemented",
        "auth.status.invalid-token-unauthorized",
        "auth.token.foreign-refused",
        "auth.token.validated",
    ];
    let unnamed: &[&str] = &["--header", "X-Door: own-4f8e1c0b7a6d493e"];
    vec![
        case("an API key", NEW, key(), given, own_scheme),
        case("an API key, or any JWT", NEW, trusting, given, trusted),
        case("a key in a header without a telling name", NEW, door(), unnamed, own_scheme),
        case("a challenge with the token", NEW, talkative(), BEARER, echo),
        case("a challenge with the token", MODERN, talkative(), BEARER, told),
    ]
}

/// What is hidden from somebody and served all the same, and the rows of that.
const HIDDEN: &[&str] = &["poem", "note://settings", "test_simple_prompt"];
const CLOSED: &[&str] =
    &["prompts.injection-safe", "resources.read.access-control", "tools.call.access-control"];

/// Several principals.
fn principals() -> Vec<Case> {
    const FOREIGN_TOO: &[&str] =
        &["--bearer-env", "MCPROVE_OWN", "--principal", "other-audience=MCPROVE_FOREIGN"];
    const SAME: &[&str] = &["--bearer-env", "MCPROVE_OWN", "--principal", "same=MCPROVE_OWN"];
    const CHANGING: &[&str] = &[
        "--bearer-env",
        "MCPROVE_OWN",
        "--principal",
        "other=MCPROVE_OTHER",
        "--allow-tools",
        "touch_resource",
    ];
    // The first one sees what the user sees.
    const THREE: &[&str] = &[
        "--bearer-env",
        "MCPROVE_OWN",
        "--principal",
        "same=MCPROVE_OWN",
        "--principal",
        "other=MCPROVE_OTHER",
    ];
    let bound: &[&str] = &["security.session.bound-to-user"];
    let sharing = |shared| Guard { shared, ..Guard::default() };
    let status = |foreign| Guard { foreign, ..Guard::default() };
    let hiding = |token, names| Guard { hidden: (token, names), ..Guard::default() };
    let invalid: &[&str] = &["auth.status.invalid-token-unauthorized"];
    // On the second page of its list, and what a tool changes.
    let closed = |closed| {
        let hidden = (OTHER, &["note://settings", "note://touches"][..]);
        Guard { hidden, closed, ..Guard::default() }
    };
    let (reads, all) = (&["resources/read"][..], &["resources/read", "resources/subscribe"][..]);
    let resources: &[&str] = &["resources.read.access-control"];
    let people = |told_by_prompt| Guard { people: Some(People { told_by_prompt }), ..Guard::default() };
    vec![
        case("one token twice", NEW, sharing(&["POST", "GET", "DELETE"]), SAME, &[]),
        case("sessions for all", NEW, sharing(&["POST"]), THREE, bound),
        case("streams for all", NEW, sharing(&["GET"]), BEARER, bound),
        case("ends for all", NEW, sharing(&["DELETE"]), BEARER, bound),
        case("403 for another audience", NEW, status(403), FOREIGN_TOO, invalid),
        case("500 for another audience", MODERN, status(500), FOREIGN_TOO, invalid),
        case("hidden from the other", NEW, hiding(OTHER, HIDDEN), BEARER, CLOSED),
        case("hidden from the user", NEW, hiding(OWN, HIDDEN), BEARER, CLOSED),
        case("closed to the other", NEW, closed(all), CHANGING, &[]),
        case("subscriptions for all", NEW, closed(reads), CHANGING, resources),
        case("own records", NEW, people(false), BEARER, &[]),
        case("prompts without masks", NEW, people(true), BEARER, &["prompts.injection-safe"]),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [doors(), keys(), principals()].into_iter().flatten().collect()
}
