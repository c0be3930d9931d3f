//! What is tested, as a user writes it: a URL, a command, or a name for either.

use super::process::CommandLine;
use base64::Engine as _;
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// Where a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSpec {
    /// A process that speaks over its standard streams.
    Command(CommandLine),
    /// A server that speaks HTTP.
    Http(HttpTarget),
}

/// A server that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// Its endpoint, without user and password.
    pub url: Url,
    /// Header fields for every request, in order. They may hold secrets.
    pub headers: Vec<(String, String)>,
    /// Whether the old transport of 2024-11-05, HTTP+SSE, is asked for.
    pub sse: bool,
}

/// What is wrong with a target as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is nothing.
    #[error("the target is empty; give a URL or a command")]
    Empty,
    /// The quotes do not match.
    #[error("the quotes in `{0}` do not match; quote the command as for a shell")]
    Quotes(String),
    /// It looks like a URL and is none.
    #[error("`{text}` is no URL: {reason}")]
    Url {
        /// As written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL with a scheme that is not spoken.
    #[error("`{0}` cannot be spoken to; a URL begins with http:// or https://, anything else is a command")]
    Scheme(String),
    /// A host and a port without a scheme.
    #[error("`{0}` looks like an address; write http://{0}")]
    Address(String),
    /// It needs a shell.
    #[error("`{0}` is for a shell, and commands run without one; write sh -c '…' around the command")]
    Shell(String),
    /// There is no name before the equals sign.
    #[error("`{0}` has no name; write NAME=SPEC, for example mine='node server.js'")]
    NoName(String),
    /// A word that cannot be a name.
    #[error("`{0}` is no name for a target; use letters, digits, `-`, `_` and `.`")]
    Name(String),
}

impl TargetSpec {
    /// Reads a URL, or a command quoted as for a shell (but run without one), which may begin with `NAME=VALUE` words
    /// that set its environment. The grammar of `MCPROVE_TARGET`.
    ///
    /// # Errors
    /// When it is neither, with what to write instead.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if let Some((scheme, _)) = text.split_once("://")
            && !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Self::url(text);
        }
        let words = shlex::split(text).ok_or_else(|| TargetError::Quotes(text.to_owned()))?;
        // Only what stands bare in the text: the same in quotes is an argument.
        let bare = |word: &&String| {
            let operators = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1", "2>"];
            operators.contains(&word.as_str()) && text.split_whitespace().any(|other| other == word.as_str())
        };
        if let Some(word) = words.iter().find(bare) {
            return Err(TargetError::Shell(word.clone()));
        }
        let mut command =
            CommandLine::new(words.iter().skip_while(|word| assignment(word).is_some()).cloned())?;
        let assignments = words.iter().map_while(|word| assignment(word));
        command.env = assignments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if words.len() == 1 && looks_like_address(&command.program) {
            return Err(TargetError::Address(command.program));
        }
        Ok(Self::Command(command))
    }

    /// Reads `NAME=SPEC`, as `--target` takes it.
    ///
    /// # Errors
    /// When there is no name, or what follows is no target.
    pub fn parse_named(text: &str) -> Result<(String, Self), TargetError> {
        let (name, spec) = text.split_once('=').ok_or_else(|| TargetError::NoName(text.to_owned()))?;
        let name = name.trim();
        if name.is_empty() {
            return Err(TargetError::NoName(text.to_owned()));
        }
        if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return Err(TargetError::Name(name.to_owned()));
        }
        Ok((name.to_owned(), Self::parse(spec)?))
    }

    /// Reads a URL. User and password in it become an `Authorization` header.
    ///
    /// # Errors
    /// When it is none, or its scheme is neither http nor https.
    pub fn url(text: &str) -> Result<Self, TargetError> {
        let refuse = |reason: String| TargetError::Url { text: text.to_owned(), reason };
        let mut url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme(text.to_owned()));
        }
        url.set_fragment(None);
        let mut headers = Vec::new();
        if !url.username().is_empty() || url.password().is_some() {
            let user = decode_percent(url.username());
            let password = decode_percent(url.password().unwrap_or_default());
            let credentials = [user.as_slice(), b":", &password].concat();
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            headers.push(("Authorization".to_owned(), format!("Basic {encoded}")));
            let cleared = url.set_username("").and_then(|()| url.set_password(None));
            cleared.map_err(|()| refuse("it can have no user".to_owned()))?;
        }
        Ok(Self::Http(HttpTarget { url, headers, sse: false }))
    }
}

/// The target as it can be written again; without environment and headers, which may hold secrets.
impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Http(target) => target.url.fmt(f),
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in std::iter::once(&self.program).chain(&self.args).enumerate() {
            let quoted = shlex::try_quote(word).unwrap_or(word.into());
            write!(f, "{}{quoted}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl CommandLine {
    /// A program and its arguments, as they stand after `--`.
    ///
    /// # Errors
    /// When there is no program.
    pub fn new(words: impl IntoIterator<Item = String>) -> Result<Self, TargetError> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(TargetError::Empty)?;
        Ok(Self { program, args: words.collect(), env: BTreeMap::new(), cwd: None })
    }
}

/// A word that sets a variable.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let fits = name.starts_with(start) && name.chars().all(|c| start(c) || c.is_ascii_digit());
    fits.then_some((name, value))
}

/// `host:port`, perhaps with a path.
fn looks_like_address(word: &str) -> bool {
    let authority = word.split('/').next().unwrap_or_default();
    authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Percent-encoding undone.
fn decode_percent(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let code = (byte == b'%').then(|| text.get(index + 1..index + 3)).flatten();
        if let Some(code) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(code);
            index += 3;
        } else {
            out.push(byte);
            index += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> CommandLine {
        match TargetSpec::parse(text) {
            Ok(TargetSpec::Command(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_split_as_a_shell_does() {
        let read = command(r#"  node 'my server.js' --flag="a b" c\ d '|' "#);
        assert_eq!(read.program, "node");
        assert_eq!(read.args, ["my server.js", "--flag=a b", "c d", "|"]);
        assert_eq!(command(&read.to_string()), read);
        let read = command("A=1 B_2='x y' python -u server.py C=3");
        assert_eq!(read.program, "python");
        assert_eq!(read.args, ["-u", "server.py", "C=3"]);
        assert_eq!(read.env, [("A", "1"), ("B_2", "x y")].map(|(n, v)| (n.into(), v.into())).into());
        assert_eq!(command("sh -c 'a | b && c'").args, ["-c", "a | b && c"]);
    }

    #[test]
    fn urls_are_urls() {
        let Ok(TargetSpec::Http(target)) = TargetSpec::parse(" HTTPS://me:p%40ss@Host.example:8443/mcp#x ")
        else {
            panic!()
        };
        assert_eq!(target.url.as_str(), "https://host.example:8443/mcp");
        // printf 'me:p@ss' | base64
        assert_eq!(target.headers, [("Authorization".to_owned(), "Basic bWU6cEBzcw==".to_owned())]);
        assert_eq!(TargetSpec::Http(target).to_string(), "https://host.example:8443/mcp");
    }

    #[test]
    fn names_come_first() {
        let (name, spec) = TargetSpec::parse_named("mine=A=1 node x=y").unwrap();
        assert_eq!((name.as_str(), spec), ("mine", TargetSpec::Command(command("A=1 node x=y"))));
        let (name, spec) = TargetSpec::parse_named("web=http://[::1]:3000/mcp?a=b").unwrap();
        assert_eq!((name.as_str(), spec.to_string().as_str()), ("web", "http://[::1]:3000/mcp?a=b"));
        assert!(matches!(TargetSpec::parse_named("node server.js"), Err(TargetError::NoName(_))));
        assert!(matches!(TargetSpec::parse_named("=x"), Err(TargetError::NoName(_))));
        assert!(matches!(TargetSpec::parse_named("http://h/?a=b"), Err(TargetError::Name(_))));
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        let error = |text: &str| TargetSpec::parse(text).unwrap_err();
        assert_eq!(error("  "), TargetError::Empty);
        assert_eq!(error("''"), TargetError::Empty);
        assert_eq!(error("A=1"), TargetError::Empty);
        assert!(matches!(error("node 'server.js"), TargetError::Quotes(_)));
        assert!(matches!(error("http://"), TargetError::Url { .. }));
        assert!(matches!(error("http://h:99999/"), TargetError::Url { .. }));
        assert!(matches!(error("ws://localhost/mcp"), TargetError::Scheme(_)));
        assert_eq!(error("cd /srv && node x"), TargetError::Shell("&&".to_owned()));
        let address = error("localhost:3000/mcp").to_string();
        assert!(address.ends_with("write http://localhost:3000/mcp"), "{address}");
    }
}
