//! Plain HTTP requests beside a conversation: documents, forms, tokens.

use crate::protocol::Transport;
use crate::transcript::{About, Budget, Recorder, Redactor};
use crate::wire::{
    Channel, Deliberate, End, Event, Headers, HttpClient, HttpConfig, Limits, Observer, Request, RequestBody,
    ResponseLimits, Taint, header, is_loopback,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A request.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The method.
    pub method: &'static str,
    /// Where to.
    pub url: Url,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<String>,
}

/// A response. Redirects are not followed.
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The event that brought the head.
    pub event: u64,
    /// What was seen.
    pub recorder: Arc<Recorder>,
}

impl Fetch {
    /// A GET.
    pub fn get(url: Url) -> Self {
        let headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        Self { method: "GET", url, headers, body: None }
    }

    /// A POST of JSON.
    pub fn json(url: Url, body: &Value) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        Self { method: "POST", url, headers, body: Some(body.to_string()) }
    }

    /// A POST of a form.
    pub fn form(url: Url, parameters: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        let headers = vec![
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("Accept".to_owned(), "application/json".to_owned()),
        ];
        Self { method: "POST", url, headers, body: Some(form.finish()) }
    }

    /// With a further header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) async fn run(
        self,
        config: HttpConfig,
        limits: &Limits,
        recorder: Arc<Recorder>,
        wait: Duration,
    ) -> Result<Fetched, String> {
        let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(&recorder);
        let client = HttpClient::new(config, limits.clone(), observer).map_err(|error| error.to_string())?;
        let body = self.body.map_or(RequestBody::None, |body| RequestBody::Bytes(body.into()));
        let mut request = Request::new(self.method, self.url, body);
        request.headers.extend(self.headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
        request.fresh_connection = true;
        request.response = ResponseLimits { head: wait, idle: wait, total: wait };
        request.deliberate =
            Some(Deliberate { by: "beside the conversation".to_owned(), taints: Taint::Message });
        let end = client.exchange(Channel(1), request).await;
        recorder.close();
        let records = recorder.snapshot();
        let mut fetched = None;
        for record in &records {
            match &record.event {
                Event::ResponseHead { status, headers } => {
                    fetched = Some(Fetched {
                        status: *status,
                        headers: headers.clone(),
                        body: Vec::new(),
                        event: record.seq,
                        recorder: Arc::clone(&recorder),
                    });
                }
                Event::Received { payload, .. } => {
                    if let Some(fetched) = &mut fetched {
                        fetched.body.extend_from_slice(payload.bytes());
                    }
                }
                _ => {}
            }
        }
        match (fetched, end) {
            (Some(fetched), _) => Ok(fetched),
            (None, End::TimedOut) => Err("no response in time".to_owned()),
            (None, end) => Err(format!("no response: {end:?}")),
        }
    }
}

impl Fetched {
    /// The media type in lower case, without parameters.
    pub fn media_type(&self) -> String {
        let value = header(&self.headers, "content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body as a JSON object.
    pub fn object(&self) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok().filter(Value::is_object)
    }

    /// The answer to a JSON-RPC request in it, as JSON or as the first event of a stream.
    pub fn result(&self) -> Option<Value> {
        let text = String::from_utf8_lossy(&self.body);
        let message = serde_json::from_str::<Value>(&text).ok()?;
        message.get("result").cloned()
    }
}

/// Fetches from a server of this machine that is no target, such as an issuer of test tokens; nothing of it is kept.
///
/// # Errors
/// A host that is not this machine, or no response.
pub async fn fetch_alone(fetch: Fetch) -> Result<Fetched, String> {
    if !is_loopback(&fetch.url) {
        return Err(format!("{} is not on this machine", fetch.url));
    }
    let about = About {
        revision: None,
        transport: Transport::Http,
        purpose: "issuer".to_owned(),
        target: fetch.url.to_string(),
    };
    let recorder = Arc::new(Recorder::new(about, None, Redactor::default(), Budget::default(), None));
    fetch.run(HttpConfig::default(), &Limits::default(), recorder, Duration::from_secs(10)).await
}
