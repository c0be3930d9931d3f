//! JSON-RPC 2.0 messages: reading them strictly from text, writing them as text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::memory::SMALL;
use crate::revision::Revision;

/// An object of JSON, the shape of every `params` and every `result`.
pub(crate) type Object = Map<String, Value>;

pub(crate) const PARSE_ERROR: i64 = -32700;
pub(crate) const INVALID_REQUEST: i64 = -32600;
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
pub(crate) const INVALID_PARAMS: i64 = -32602;
pub(crate) const INTERNAL_ERROR: i64 = -32603;
pub(crate) const LEGACY_RESOURCE_NOT_FOUND: i64 = -32002;
pub(crate) const HEADER_MISMATCH: i64 = -32020;
pub(crate) const MISSING_CLIENT_CAPABILITY: i64 = -32021;
pub(crate) const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
/// Of 2025-11-25 alone: the user has to visit a page first.
pub(crate) const URL_ELICITATION_REQUIRED: i64 = -32042;

/// A JSON-RPC error, and the HTTP status that the modern binding gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    pub code: i64,
    pub message: String,
    pub data: Option<Box<Value>>,
    pub http_status: u16,
}

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        let http_status = match code {
            METHOD_NOT_FOUND => 404,
            PARSE_ERROR
            | INVALID_REQUEST
            | HEADER_MISMATCH
            | MISSING_CLIENT_CAPABILITY
            | UNSUPPORTED_PROTOCOL_VERSION => 400,
            _ => 200,
        };
        Self { code, message: message.into(), data: None, http_status }
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(INVALID_REQUEST, message)
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    pub(crate) fn method_not_found(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, format!("Method not found: {}", shorten(method)))
    }

    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(Box::new(data));
        self
    }

    /// The error object.
    pub(crate) fn to_value(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = Value::clone(data);
        }
        error
    }

    pub(crate) fn with_status(mut self, http_status: u16) -> Self {
        self.http_status = http_status;
        self
    }
}

/// The beginning of a text of the client's, for use in an error message.
pub(crate) fn shorten(text: &str) -> String {
    const LIMIT: usize = 80;
    let mut short: String = text.chars().take(LIMIT).filter(|c| !c.is_control()).collect();
    if text.chars().nth(LIMIT).is_some() {
        short.push('…');
    }
    short
}

/// The longest id or progress token in bytes, as JSON.
const LONGEST_ID: usize = 64 << 10;

/// A request id, kept as the client wrote it so that it can be echoed verbatim.
#[derive(Clone, Debug)]
pub(crate) struct Id {
    raw: Box<RawValue>,
    key: IdKey,
}

/// What two ids have in common when they are the same id: `1` and `1.0` are, `1` and `"1"` are not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IdKey {
    Text(Box<str>),
    Number(Box<str>),
}

impl Id {
    /// Reads a string or an integer; `None` for anything else, fractions and lone surrogates included, and for what is
    /// too long to be kept and repeated.
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        if text.len() > LONGEST_ID {
            return None;
        }
        let key = match text.as_bytes().first()? {
            b'"' => IdKey::Text(serde_json::from_str::<String>(text).ok()?.into_boxed_str()),
            b'-' | b'0'..=b'9' => IdKey::Number(integer(text)?.into_boxed_str()),
            _ => return None,
        };
        Some(Self { raw: raw.to_owned(), key })
    }

    /// An id for what nobody waits for.
    pub(crate) fn of_nothing() -> Self {
        Self { raw: RawValue::NULL.to_owned(), key: IdKey::Number("null".into()) }
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.raw
    }

    pub(crate) fn key(&self) -> &IdKey {
        &self.key
    }
}

/// The canonical text of a JSON number that is an integer.
fn integer(text: &str) -> Option<String> {
    /// Above this, a number in floating notation is no longer an exact integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if text == "-0" {
        return Some("0".to_owned());
    }
    if !text.contains(['.', 'e', 'E']) {
        return Some(text.to_owned());
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then(|| format!("{}", number as i64))
}

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Request {
    pub id: Id,
    pub method: String,
    pub params: Object,
    /// Bytes of memory that the request takes, estimated from above.
    pub footprint: usize,
    /// `params._meta.progressToken` when it is a string or an integer, verbatim.
    pub progress_token: Option<Box<RawValue>>,
}

/// A notification as it arrived.
#[derive(Debug)]
pub(crate) struct Notification {
    pub method: String,
    pub params: Object,
    /// `params.requestId`, the subject of `notifications/cancelled`.
    pub request_id: Option<Id>,
}

/// One message of the client.
#[derive(Debug)]
pub(crate) enum Message {
    Request(Request),
    Notification(Notification),
    Response(Response),
}

/// An answer of the client's to a request of ours.
#[derive(Debug)]
pub(crate) struct Response {
    /// None where the client could not read the id of our request.
    pub id: Option<Id>,
    pub outcome: Outcome,
    /// Bytes of memory that the answer takes, estimated from above.
    pub footprint: usize,
}

/// What a response says.
#[derive(Debug)]
pub(crate) enum Outcome {
    Result(Value),
    /// The error object.
    Error(Value),
    /// Nothing, because it is broken. Whoever waits for it is told; it is never answered, because its id is one of ours.
    Unusable(&'static str),
}

/// What a text holds: one message, or the elements of an array, not yet read.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    Single(Message),
    Batch(Vec<&'a RawValue>),
}

/// Why a text is no message, with the id of the request if that much was readable.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub id: Option<Id>,
    pub error: RpcError,
    /// Whether it has a method and no id, so that no response may come.
    pub is_notification: bool,
}

impl Unreadable {
    fn parse(message: &str) -> Self {
        Self { id: None, error: RpcError::new(PARSE_ERROR, message), is_notification: false }
    }

    fn invalid(id: Option<Id>, message: &str) -> Self {
        Self { id, error: RpcError::invalid_request(message), is_notification: false }
    }

    /// The error as a response, in the form of `revision`.
    pub(crate) fn response(&self, revision: Revision) -> String {
        error_response(self.id.as_ref(), &self.error, revision)
    }
}

/// Reads what one line or one body holds.
pub(crate) fn read(bytes: &[u8]) -> Result<Payload<'_>, Unreadable> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Unreadable::parse("Parse error: the message is not UTF-8"))?;
    let raw: &RawValue =
        serde_json::from_str(text).map_err(|_| Unreadable::parse("Parse error: the message is not JSON"))?;
    if raw.get().starts_with('[') {
        let elements = serde_json::from_str(raw.get())
            .map_err(|_| Unreadable::parse("Parse error: the message is not JSON"))?;
        return Ok(Payload::Batch(elements));
    }
    read_one(raw).map(Payload::Single)
}

/// Reads one message that is known to be JSON.
pub(crate) fn read_one(raw: &RawValue) -> Result<Message, Unreadable> {
    if !raw.get().starts_with('{') {
        return Err(Unreadable::invalid(None, "Invalid request: a message is an object"));
    }
    let envelope: Envelope = serde_json::from_str(raw.get())
        .map_err(|_| Unreadable::parse("Parse error: a member name is not Unicode"))?;
    let id = envelope.id.and_then(Id::read);
    let footprint = footprint(raw.get()) + id.as_ref().map_or(0, |id| 2 * id.raw.get().len());
    if envelope.method.is_none() && (envelope.result.is_some() || envelope.error.is_some()) {
        let outcome = outcome(&envelope, id.as_ref(), footprint).unwrap_or_else(Outcome::Unusable);
        return Ok(Message::Response(Response { id, outcome, footprint }));
    }
    if envelope.repeated {
        return Err(Unreadable::invalid(None, "Invalid request: a member occurs twice"));
    }
    let refuse = |message: &str| Err(Unreadable::invalid(id.clone(), message));
    if !is_version(envelope.jsonrpc) {
        return refuse("Invalid request: jsonrpc must be \"2.0\"");
    }
    if footprint > LARGEST_FOOTPRINT {
        return refuse("Invalid request: the message holds too many values");
    }
    let Some(method) = envelope.method else {
        return refuse("Invalid request: method is missing");
    };
    if envelope.result.is_some() || envelope.error.is_some() {
        return refuse("Invalid request: a message has either a method or a result or an error");
    }
    let Ok(method) = serde_json::from_str::<String>(method.get()) else {
        return refuse("Invalid request: method must be a string");
    };
    if envelope.id.is_some() && id.is_none() {
        return refuse("Invalid request: id must be a string or an integer of at most 64 KiB");
    }
    let is_notification = id.is_none();
    let params_text = envelope.params.map(RawValue::get);
    if params_text.is_some_and(|text| !text.starts_with('{')) {
        let refused = Unreadable::invalid(id, "Invalid request: params must be an object");
        return Err(Unreadable { is_notification, ..refused });
    }
    let params: Object = match params_text.map(serde_json::from_str).transpose() {
        Ok(params) => params.unwrap_or_default(),
        // What is cancelled can be told all the same.
        Err(_) if is_notification => Object::new(),
        Err(_) => return refuse("Invalid request: params nest too deeply or hold unusable values"),
    };
    let text = params_text.unwrap_or_default();
    Ok(match id {
        Some(id) => {
            Message::Request(Request { id, method, params, footprint, progress_token: progress_token(text) })
        }
        None => Message::Notification(Notification { request_id: request_id(&method, text), method, params }),
    })
}

/// Reads a response, or says why it is none.
fn outcome(envelope: &Envelope<'_>, id: Option<&Id>, footprint: usize) -> Result<Outcome, &'static str> {
    const UNUSABLE: &str = "the response nests too deeply or holds unusable values";
    if !is_version(envelope.jsonrpc) {
        return Err("jsonrpc must be \"2.0\"");
    }
    if envelope.repeated {
        return Err("a member occurs twice");
    }
    if footprint > LARGEST_FOOTPRINT {
        return Err("the response holds too many values");
    }
    // Whoever cannot read an id says so in an error without one, or in older revisions with `null`.
    let is_unreadable = envelope.id.is_none_or(|id| id.get() == "null");
    match (envelope.result, envelope.error) {
        (Some(_), Some(_)) => Err("a response has either a result or an error"),
        (_, Some(error)) if id.is_some() || is_unreadable => {
            serde_json::from_str(error.get()).map(Outcome::Error).map_err(|_| UNUSABLE)
        }
        (Some(result), _) if id.is_some() => {
            serde_json::from_str(result.get()).map(Outcome::Result).map_err(|_| UNUSABLE)
        }
        _ => Err("id must be that of a request"),
    }
}

/// The most memory in bytes that one message may take.
const LARGEST_FOOTPRINT: usize = 64 << 20;
/// The memory in bytes that is taken for each of these characters of a JSON text, where it is in no string.
const COSTS: [(u8, u16); 5] = [
    // A value, in an array that has room for twice as many; so do objects.
    (b',', 2 * VALUE),
    // The first allocation of an array has room for four values.
    (b'[', 4 * VALUE + HEAP),
    // That of an object has room for three members, and a hash table for them.
    (b'{', 3 * (VALUE + KEY) + 64 + 2 * HEAP),
    // What a member takes besides its value: its key, and its place in the hash table.
    (b':', 2 * (KEY + 9)),
    // One half of the allocation of a string.
    (b'"', HEAP),
];
/// A value of JSON, as it is held.
const VALUE: u16 = size_of::<Value>() as u16;
/// A key and its hash.
const KEY: u16 = (size_of::<String>() + size_of::<usize>()) as u16;
/// What an allocation takes besides its bytes.
const HEAP: u16 = 16;

/// The costs by character.
const COST: [u16; 256] = {
    let mut table = [0; 256];
    let mut next = 0;
    while next < COSTS.len() {
        let (character, cost) = COSTS[next];
        table[character as usize] = cost;
        next += 1;
    }
    table
};

/// The memory that a JSON text takes when it is read, estimated from above.
pub(crate) fn footprint(text: &str) -> usize {
    let cost = |byte: &u8| usize::from(COST[usize::from(*byte)]);
    let bytes = text.as_bytes();
    let rough = text.len() + bytes.iter().map(cost).sum::<usize>();
    if rough <= SMALL {
        return rough;
    }
    // Where it matters, what stands in strings does not count.
    let mut total = text.len();
    let mut rest = bytes;
    while let Some(start) = memchr::memchr(b'"', rest) {
        total += rest[..=start].iter().map(cost).sum::<usize>();
        rest = &rest[start + 1..];
        loop {
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(at) if rest[at] == b'\\' => rest = rest.get(at + 2..).unwrap_or_default(),
                Some(end) => {
                    total += cost(&b'"');
                    rest = &rest[end + 1..];
                    break;
                }
                None => {
                    rest = &[];
                    break;
                }
            }
        }
    }
    total + rest.iter().map(cost).sum::<usize>()
}

/// Whether a value can be a progress token.
pub(crate) fn is_progress_token(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// The progress token, verbatim: a parsed number would lose digits. One that is too long is not kept; progress is never
/// owed.
fn progress_token(params: &str) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Option<Meta<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "progressToken")]
        progress_token: Option<&'a RawValue>,
    }
    if !params.contains("progressToken") {
        return None;
    }
    let params: Params = serde_json::from_str(params).ok()?;
    let token = params.meta?.progress_token?;
    Id::read(token).map(|token| token.raw)
}

/// The id that a cancellation names, verbatim.
fn request_id(method: &str, params: &str) -> Option<Id> {
    #[derive(serde::Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "requestId")]
        request_id: &'a RawValue,
    }
    if method != "notifications/cancelled" {
        return None;
    }
    serde_json::from_str::<Params>(params).ok().and_then(|params| Id::read(params.request_id))
}

/// Whether this is the version of JSON-RPC, with escapes or without.
fn is_version(version: Option<&RawValue>) -> bool {
    let spelled_out = |text: &str| serde_json::from_str::<String>(text).is_ok_and(|text| text == "2.0");
    version.map(RawValue::get).is_some_and(|text| text == "\"2.0\"" || spelled_out(text))
}

/// The members of a message, unread.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    repeated: bool,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Jsonrpc,
    Id,
    Method,
    Params,
    Result,
    Error,
    #[serde(other)]
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON-RPC message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(member) = map.next_key::<Member>()? {
                    let repeated = match member {
                        Member::Jsonrpc => envelope.jsonrpc.replace(map.next_value()?).is_some(),
                        Member::Id => envelope.id.replace(map.next_value()?).is_some(),
                        Member::Method => envelope.method.replace(map.next_value()?).is_some(),
                        Member::Params => envelope.params.replace(map.next_value()?).is_some(),
                        Member::Result => envelope.result.replace(map.next_value()?).is_some(),
                        Member::Error => envelope.error.replace(map.next_value()?).is_some(),
                        Member::Other => {
                            map.next_value::<IgnoredAny>()?;
                            false
                        }
                    };
                    envelope.repeated |= repeated;
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What a handler answers with.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The members of the result.
    Object(Object),
    /// The result as finished JSON text.
    Text(String),
}

/// Writes any of our own values as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our values have string keys and cannot fail to serialise")
}

/// The response that carries a result.
pub(crate) fn result_response(id: &Id, reply: &Reply) -> String {
    let result = match reply {
        Reply::Object(object) => to_json(object),
        Reply::Text(text) => text.clone(),
    };
    let id = id.raw.get();
    let mut text = String::with_capacity(result.len() + id.len() + 40);
    text.push_str("{\"jsonrpc\":\"2.0\",\"id\":");
    text.push_str(id);
    text.push_str(",\"result\":");
    text.push_str(&result);
    text.push('}');
    text
}

/// The response that carries an error; without a readable id, the form that `revision` prescribes.
pub(crate) fn error_response(id: Option<&Id>, error: &RpcError, revision: Revision) -> String {
    let body = error.to_value();
    match id {
        Some(id) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{body}}}", id.raw.get()),
        None if revision.omits_unreadable_id() => {
            format!("{{\"jsonrpc\":\"2.0\",\"error\":{body}}}")
        }
        None => format!("{{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{body}}}"),
    }
}

/// A notification with these params.
pub(crate) fn notification(method: &str, params: &impl Serialize) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{}}}", to_json(params))
}

/// A member that must be a string.
pub(crate) fn string<'a>(params: &'a Object, name: &str) -> Result<&'a str, RpcError> {
    params
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| RpcError::invalid_params(format!("Invalid params: {name} must be a string")))
}

/// A member that, when present, must be an object.
pub(crate) fn optional_object<'a>(params: &'a Object, name: &str) -> Result<Option<&'a Object>, RpcError> {
    match params.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(RpcError::invalid_params(format!("Invalid params: {name} must be an object"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        INVALID_REQUEST, Message, Outcome, PARSE_ERROR, Payload, Reply, Request, read, result_response,
    };

    fn request(text: &str) -> Request {
        match read(text.as_bytes()) {
            Ok(Payload::Single(Message::Request(request))) => request,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn refusal(text: &str) -> (i64, bool) {
        match read(text.as_bytes()) {
            Err(unreadable) => (unreadable.error.code, unreadable.id.is_some()),
            Ok(other) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn ids_come_back_as_they_were_written() {
        for id in
            ["0", "-0", "9007199254740993", "1.0", "123456789012345678901234567890", "\"\\u00e9\"", "\"\""]
        {
            let request = request(&format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"ping"}}"#));
            let answer = result_response(&request.id, &Reply::Text("{}".to_owned()));
            assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        }
    }

    #[test]
    fn equal_ids_have_equal_keys() {
        let key =
            |id: &str| request(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)).id.key().clone();
        assert_eq!(key("1"), key("1.0"));
        assert_eq!(key("100"), key("1e2"));
        assert_eq!(key("\"é\""), key("\"\\u00e9\""));
        assert_ne!(key("1"), key("\"1\""));
    }

    #[test]
    fn ids_of_other_kinds_are_refused_without_an_id() {
        for id in ["null", "1.5", "{}", "[]", "true", "1e400", "\"\\ud800\""] {
            assert_eq!(
                refusal(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)),
                (INVALID_REQUEST, false),
                "{id}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        for text in ["", "{", "nul", "{} {}", "{\"a\":1,}"] {
            assert_eq!(refusal(text), (PARSE_ERROR, false), "{text}");
        }
        assert!(read(b"\xff\xfe").is_err_and(|u| u.error.code == PARSE_ERROR));
    }

    #[test]
    fn json_that_is_no_message_is_an_invalid_request() {
        for (text, has_id) in [
            ("1", false),
            ("null", false),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, true),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, true),
            (r#"{"id":1,"method":"ping"}"#, true),
            (r#"{"jsonrpc":"2.0","id":1}"#, true),
            (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, true),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, true),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, true),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, true),
            (r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, true),
        ] {
            assert_eq!(refusal(text), (INVALID_REQUEST, has_id), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_response_is_one_and_names_its_question_however_broken() {
        let read = |text: &str| match read(text.as_bytes()) {
            Ok(Payload::Single(Message::Response(response))) => response,
            other => panic!("{text}: {other:?}"),
        };
        for text in [
            r#"{"jsonrpc":"1.0","id":9,"result":{}}"#,
            r#"{"id":9,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{},"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{"a":"\ud800"}}"#,
            r#"{"jsonrpc":"2.0","id":9,"error":{"message":"\ud800"}}"#,
        ] {
            let response = read(text);
            assert!(matches!(response.outcome, Outcome::Unusable(_)), "{text}");
            assert!(response.id.is_some(), "{text}");
        }
        for text in [r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, r#"{"jsonrpc":"2.0","id":[],"error":{}}"#]
        {
            assert!(matches!(read(text).outcome, Outcome::Unusable(_)), "{text}");
        }
        let many = format!(r#"{{"jsonrpc":"2.0","id":9,"result":[{}0]}}"#, "[],".repeat(200_000));
        assert!(matches!(read(&many).outcome, Outcome::Unusable(_)));
        for text in [r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, r#"{"jsonrpc":"2.0","error":{}}"#] {
            let response = read(text);
            assert!(matches!(response.outcome, Outcome::Error(_)) && response.id.is_none(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_the_id_still_answered() {
        let depth = 100_000;
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{deep}}}}}"#);
        assert_eq!(refusal(&text), (INVALID_REQUEST, true));
    }

    #[test]
    fn a_progress_token_keeps_every_digit() {
        let request = request(
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":123456789012345678901}}}"#,
        );
        assert_eq!(request.progress_token.unwrap().get(), "123456789012345678901");
    }
}
