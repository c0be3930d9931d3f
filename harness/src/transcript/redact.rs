//! Keeps secrets out of files and terminals: each is replaced by a placeholder that stays the same within a file.

use super::tokens::sure_tokens;
use crate::wire::{Event, Headers, Payload};

/// Replaces secrets by placeholders such as `«session-1»`.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// The secret and its placeholder, longest secret first.
    secrets: Vec<(String, String)>,
    /// Header names whose values are secret beside the usual ones, in lower case.
    headers: Vec<String>,
}

/// How many secrets are learned from texts: a hostile target may send any number.
const MOST: usize = 256;
/// Header names whose values are never shown.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "mcp-session-id"];

/// Whether a text stands where a secret was: what the secret looked like is not known.
pub fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix('«').and_then(|rest| rest.strip_suffix('»'));
    inner.and_then(|inner| inner.rsplit_once('-')).is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// Whether a name (of a variable, a header, a flag, a query parameter) says that its value is secret.
pub fn names_a_secret(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut after_small = false;
    for c in name.chars() {
        let starts = !c.is_alphanumeric() || (c.is_uppercase() && after_small);
        if starts || words.is_empty() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    let Some(last) = words.last() else { return false };
    if ["file", "path", "dir", "url", "uri", "endpoint", "type", "method", "name", "id"]
        .contains(&last.as_str())
    {
        // A session id lets its bearer in; what else ends like this only tells where a secret is.
        return last == "id" && words.iter().any(|word| word == "session");
    }
    let secret = |word: &str| {
        let known = ["token", "apikey", "auth", "authorization", "cookie", "bearer", "pat", "sessionid"];
        known.contains(&word)
            || ["secret", "password", "passwd", "passphrase", "credential"]
                .iter()
                .any(|part| word.contains(part))
    };
    last == "key" || words.iter().any(|word| secret(word))
}

impl Redactor {
    /// A redactor that knows some secret values from the start, each with the name to show instead.
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>, headers: &[String]) -> Self {
        let mut redactor = Self {
            secrets: Vec::new(),
            headers: headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
        };
        for (name, value) in secrets {
            redactor.add(&name, &value);
        }
        redactor
    }

    /// Makes a value secret from now on. Values under four characters are too common to replace.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.len() < 4 || self.secrets.iter().any(|(secret, _)| secret == value) {
            return;
        }
        let number = 1 + self
            .secrets
            .iter()
            .filter(|(_, placeholder)| {
                placeholder.strip_prefix('«').is_some_and(|rest| rest.starts_with(name))
            })
            .count();
        let placeholder = format!("«{name}-{number}»");
        // As it stands in a JSON text.
        let quoted = serde_json::Value::from(value).to_string();
        let escaped = &quoted[1..quoted.len() - 1];
        if escaped != value {
            self.secrets.push((escaped.to_owned(), placeholder.clone()));
        }
        self.secrets.push((value.to_owned(), placeholder));
        self.secrets.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
    }

    /// Learns the secrets that an event brings: values of secret headers, session ids in URLs, tokens of well-known
    /// issuers.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Sent { payload, .. } | Event::Received { payload, .. } => {
                self.learn_text(payload.bytes());
            }
            Event::Stderr(bytes) => self.learn_text(bytes),
            _ => {}
        }
        match event {
            Event::RequestHead { url, headers, .. } => {
                self.learn_headers(headers);
                self.learn_query(url);
            }
            Event::ResponseHead { headers, .. } => self.learn_headers(headers),
            Event::Received { payload: Payload::Raw { bytes, .. }, sse: Some(_) } => {
                // The `endpoint` event of HTTP+SSE: a path with the session in its query.
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.learn_query(text);
                }
            }
            _ => {}
        }
    }

    fn learn_headers(&mut self, headers: &Headers) {
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if !SECRET_HEADERS.contains(&name.as_str()) && !self.headers.contains(&name) {
                continue;
            }
            match name.as_str() {
                "mcp-session-id" => self.add("session", value),
                "authorization" | "proxy-authorization" => {
                    let token = value.split_once(' ').map_or(value.as_str(), |(_, token)| token);
                    // The name of a scheme alone is no secret, and stands in challenges too.
                    let is_scheme = ["bearer", "basic", "digest", "dpop", "negotiate"];
                    if !is_scheme.contains(&token.to_ascii_lowercase().as_str()) {
                        self.add("token", token);
                    }
                }
                "cookie" | "set-cookie" => {
                    let pair = value.split(';').next().unwrap_or(value);
                    self.add("cookie", pair.split_once('=').map_or(pair, |(_, value)| value));
                }
                other => self.add(other, value),
            }
        }
    }

    /// Learns the tokens in a text that are known by how they begin.
    fn learn_text(&mut self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        for token in sure_tokens(text) {
            if self.secrets.len() < MOST {
                self.add("token", token);
            }
        }
    }

    /// Learns the secrets in the query of a URL.
    pub fn learn_query(&mut self, url: &str) {
        let Some((_, query)) = url.split_once('?') else { return };
        for pair in query.split(['&', '#']) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            if name.to_ascii_lowercase().contains("session") {
                self.add("session", value.trim());
            } else if names_a_secret(name) {
                self.add("token", value.trim());
            }
        }
    }

    /// The text with every known secret replaced.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (secret, placeholder) in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), placeholder);
            }
        }
        text
    }

    /// Whether any secret is known.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_and_tokens_disappear() {
        let mut redactor = Redactor::default();
        redactor.learn(&Event::RequestHead {
            method: "POST".into(),
            url: "http://127.0.0.1/messages?sessionId=abcdef".into(),
            headers: vec![
                ("Authorization".into(), "Bearer hunter22".into()),
                ("Mcp-Session-Id".into(), "0123456789".into()),
            ],
            deliberate: None,
        });
        assert_eq!(
            redactor.clean("abcdef Bearer hunter22 0123456789"),
            "«session-2» Bearer «token-1» «session-1»"
        );
    }

    #[test]
    fn tokens_of_well_known_issuers_disappear_and_what_a_server_made_stays() {
        let mut redactor = Redactor::default();
        let github = format!("ghp_{}", "a1".repeat(18));
        let state = format!("eyJ{0}.eyJ{0}.{0}", "a1".repeat(18));
        let text = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{{"a":"{github}","b":"{state}"}}}}"#);
        redactor.learn(&Event::Received { payload: Payload::read(text.clone()), sse: None });
        assert_eq!(redactor.clean(&text), text.replace(&github, "«token-1»"));
    }

    #[test]
    fn a_secret_disappears_as_it_stands_in_a_json_text_too() {
        let redactor = Redactor::new([("key".to_owned(), r#"s3c"r\et"#.to_owned())], &[]);
        assert_eq!(redactor.clean(r#"{"a":"s3c\"r\\et"} s3c"r\et"#), r#"{"a":"«key-1»"} «key-1»"#);
    }

    #[test]
    fn names_of_secrets() {
        for name in [
            "GITHUB_TOKEN",
            "apiKey",
            "api-key",
            "X-API-Key",
            "DB_PASSWORD",
            "clientSecret",
            "Authorization",
            "key",
            "TOKEN_GITHUB",
            "OPENAI_API_KEY",
            "sessionId",
            "access_token",
            "Cookie",
            "X-Auth-Token",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "PATH",
            "max-tokens",
            "keyboard",
            "TOKEN_FILE",
            "author",
            "key-file",
            "monkey",
            "",
            "--",
            "token_type",
            "id",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn the_placeholder_of_a_secret_stays() {
        let mut redactor = Redactor::new([("api-key".to_owned(), "s3cr3t".to_owned())], &[]);
        redactor.add("api-key", "s3cr3t");
        assert_eq!(redactor.clean("s3cr3t/s3cr3t"), "«api-key-1»/«api-key-1»");
        assert!(is_placeholder(&redactor.clean("s3cr3t")));
        assert!(!is_placeholder("«odd»") && !is_placeholder("s3cr3t-1"));
    }
}
