//! What is checked: how it is reached, how it is named without its secrets, and how it is brought up.

use super::config::CheckConfig;
use super::engine;
use super::served::Served;
use crate::client::Binding;
use crate::probes::{Credentials, Issuer};
use crate::protocol::Transport;
use crate::run::{Footer, RunError, RunEvent, TargetInfo};
use crate::transcript::{Redactor, names_a_secret};
use crate::wire::{CommandLine, HttpTarget, TargetSpec};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// A server to check.
#[derive(Debug, Clone)]
pub struct Target {
    reach: Reach,
    /// Where a server that is run by a command is reached over HTTP as well.
    also: Option<HttpTarget>,
    /// Secret values, each with the name to show instead.
    secrets: Vec<(String, String)>,
    /// Further headers whose values are secret.
    secret_headers: Vec<String>,
    /// How it is named in reports; may hold secrets.
    display: String,
    /// Words of a command line that name it; may hold secrets.
    words: Vec<String>,
    /// Tokens of further principals, each with its name.
    tokens: Vec<(String, String)>,
    /// What issues test tokens that it trusts.
    #[cfg(feature = "enterprise")]
    test_issuer: Option<TestIssuer>,
}

/// An issuer of test tokens for a server of another make, which has been told to trust `http://ADDRESS`.
#[cfg(feature = "enterprise")]
#[derive(Debug, Clone)]
pub struct TestIssuer {
    /// A loopback address.
    pub address: std::net::SocketAddr,
    /// All the scopes that the server knows, with spaces between them.
    pub scopes: String,
    /// The roles that the tokens name: that of every request, and that of another principal. May be empty.
    pub roles: Vec<String>,
}

/// Roles of the profile that the reference server is started with: one that sees nearly all, and for other principals, the
/// last first, one that may not read what the tools of the first one change, and one that has fewer tools and sees masked
/// what the first one sees as it is.
fn roles_of_profile(arguments: &[String]) -> Vec<String> {
    let enterprise = arguments.windows(2).any(|pair| pair == ["--profile", "enterprise"]);
    if enterprise { ["manager", "people", "billing"].map(str::to_owned).to_vec() } else { Vec::new() }
}

#[derive(Debug, Clone)]
enum Reach {
    /// The reference server, started by this program's `serve`.
    Embedded {
        program: String,
        /// Further arguments of `serve`.
        arguments: Vec<String>,
        transports: Vec<Transport>,
        /// Whether HTTP is behind authorization.
        authorization: bool,
    },
    Command(CommandLine),
    Http {
        target: HttpTarget,
        start: Option<CommandLine>,
    },
}

/// A target that can be reached now.
pub struct Up {
    /// Where, one entry a transport.
    pub bindings: Vec<Binding>,
    served: Option<Served>,
    /// Whether what was started is our own, which has nothing to lose.
    ours: bool,
    /// Where our own server, which takes nobody without a token, gives tokens to anybody.
    issuer: Option<Issuer>,
    /// What issues test tokens.
    issuing: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Up {
    fn drop(&mut self) {
        self.issuing.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Up {
    /// Gets what is needed to be let in: a token for every request, and where further ones are to be had.
    ///
    /// # Errors
    /// Our own server gave no token.
    pub async fn authorize(
        &self,
        headers: &mut Vec<(String, String)>,
        credentials: &mut Credentials,
    ) -> Result<(), RunError> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let token = issuer.mint(json!({"scope": issuer.scopes, "exp": 3600})).await.ok_or_else(|| {
            RunError { code: 70, message: "a bug in mcprove: the issuer of test tokens gave none".to_owned() }
        })?;
        // A token that the user gave for all requests stays.
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        credentials.issuer = Some(issuer.clone());
        Ok(())
    }

    /// Ends the server that was started for it.
    pub async fn stop(mut self) {
        match self.served.take() {
            Some(served) if self.ours => served.kill().await,
            Some(served) => served.stop().await,
            None => {}
        }
    }
}

fn binding(target: &HttpTarget) -> Binding {
    let url = target.url.clone();
    if target.sse { Binding::HttpSse(url) } else { Binding::Http(url) }
}

impl Target {
    /// The reference server, as `program serve` runs it: over STDIO, Streamable HTTP and HTTP+SSE.
    pub fn embedded(program: impl Into<String>) -> Self {
        let transports = vec![Transport::Stdio, Transport::Http, Transport::HttpSse];
        Self::over(Reach::Embedded {
            program: program.into(),
            arguments: Vec::new(),
            transports,
            authorization: cfg!(feature = "enterprise"),
        })
    }

    /// The reference server with further arguments of `serve`, such as faults, and over these transports only; any
    /// other target is left as it is.
    #[must_use]
    pub fn faulty(mut self, faults: &[String], over: &[Transport]) -> Self {
        if let Reach::Embedded { program, arguments, transports, .. } = &mut self.reach {
            faults.clone_into(arguments);
            over.clone_into(transports);
            let serve = ["--", program, "serve"].map(str::to_owned).into_iter();
            self.words = serve.chain(faults.iter().cloned()).collect();
        }
        self
    }

    /// The reference server without authorization; any other target is left as it is.
    #[must_use]
    pub fn without_authorization(mut self) -> Self {
        if let Reach::Embedded { authorization, .. } = &mut self.reach {
            *authorization = false;
        }
        self
    }

    /// A command or a URL.
    pub fn new(spec: TargetSpec) -> Self {
        match spec {
            TargetSpec::Command(command) => {
                let mut target = Self::over(Reach::Command(command.clone()));
                target.learn_command(&command);
                target
            }
            TargetSpec::Http(http) => {
                let mut target = Self::over(Reach::Http { target: http.clone(), start: None });
                target.learn_url(&http.url);
                http.headers.iter().for_each(|(name, value)| target.learn_header(name, value));
                target
            }
        }
    }

    fn over(reach: Reach) -> Self {
        let (display, words) = match &reach {
            Reach::Embedded { .. } => ("embedded reference server".to_owned(), Vec::new()),
            Reach::Command(command) => {
                let words = ["--".to_owned(), command.program.clone()].into_iter();
                (command.to_string(), words.chain(command.args.iter().cloned()).collect())
            }
            Reach::Http { target, .. } => (target.url.to_string(), vec![target.url.to_string()]),
        };
        Self {
            reach,
            also: None,
            secrets: Vec::new(),
            secret_headers: Vec::new(),
            display,
            words,
            tokens: Vec::new(),
            #[cfg(feature = "enterprise")]
            test_issuer: None,
        }
    }

    /// Whether it is the embedded reference server.
    pub fn is_embedded(&self) -> bool {
        matches!(self.reach, Reach::Embedded { .. })
    }

    /// Whether it is reached by a URL, alone or as well.
    pub fn is_http(&self) -> bool {
        self.http().is_some()
    }

    /// Whether it is a process that speaks over its standard streams.
    pub fn is_command(&self) -> bool {
        matches!(self.reach, Reach::Command(_))
    }

    /// The same server over HTTP as well, where it is run by a command: both transports are checked.
    pub fn also(&mut self, http: HttpTarget) {
        self.learn_url(&http.url);
        http.headers.iter().for_each(|(name, value)| self.learn_header(name, value));
        self.also = Some(http);
    }

    fn http(&self) -> Option<&HttpTarget> {
        match &self.reach {
            Reach::Http { target, .. } => Some(target),
            Reach::Command(_) => self.also.as_ref(),
            Reach::Embedded { .. } => None,
        }
    }

    fn http_mut(&mut self) -> Option<&mut HttpTarget> {
        match &mut self.reach {
            Reach::Http { target, .. } => Some(target),
            Reach::Command(_) => self.also.as_mut(),
            Reach::Embedded { .. } => None,
        }
    }

    /// The command that is run, if one is.
    pub fn command_mut(&mut self) -> Option<&mut CommandLine> {
        match &mut self.reach {
            Reach::Command(command) => Some(command),
            Reach::Http { start, .. } => start.as_mut(),
            Reach::Embedded { .. } => None,
        }
    }

    /// Starts a command before the URL is used.
    pub fn start(&mut self, command: CommandLine) {
        self.learn_command(&command);
        if let Reach::Http { start, .. } = &mut self.reach {
            *start = Some(command);
        }
    }

    /// Sends a header with every HTTP request.
    pub fn header(&mut self, name: &str, value: &str) {
        self.learn_header(name, value);
        if let Some(target) = self.http_mut() {
            target.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Makes a further token known, of another principal or with a meaning of its own; see
    /// [`Credentials::tokens`](crate::probes::Credentials).
    pub fn token(&mut self, name: &str, token: &str) {
        self.secret("token", token);
        self.tokens.push((name.to_owned(), token.to_owned()));
    }

    /// The tokens made known.
    pub fn credentials(&self) -> Credentials {
        Credentials { tokens: self.tokens.clone(), issuer: None }
    }

    /// Issues test tokens while it is up.
    #[cfg(feature = "enterprise")]
    pub fn trust_test_issuer(&mut self, issuer: TestIssuer) {
        self.test_issuer = Some(issuer);
    }

    /// Sets a variable in the environment of the command.
    pub fn env(&mut self, name: &str, value: &str) {
        if names_a_secret(name) {
            self.secret(name, value);
        }
        if let Some(command) = self.command_mut() {
            command.env.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Runs the command in a folder.
    pub fn cwd(&mut self, folder: PathBuf) {
        if let Some(command) = self.command_mut() {
            command.cwd = Some(folder);
        }
    }

    /// Replaces a value by a placeholder wherever it would be written.
    pub fn secret(&mut self, name: &str, value: &str) {
        let name: String =
            name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
        let name = if name.is_empty() { "secret".to_owned() } else { name.to_lowercase() };
        self.secrets.push((name, value.to_owned()));
    }

    /// Replaces the values of a header wherever they would be written.
    pub fn secret_header(&mut self, name: &str) {
        if let Some(target) = self.http() {
            let values = target.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            let values: Vec<String> = values.map(|(_, value)| value.clone()).collect();
            values.iter().for_each(|value| self.secret(name, value));
        }
        self.secret_headers.push(name.to_owned());
    }

    /// The words of a command line that name this target, for the lines that reproduce findings; its URL or command
    /// where none are given.
    pub fn named_by(&mut self, words: Vec<String>) {
        self.words = words;
    }

    fn learn_header(&mut self, name: &str, value: &str) {
        if names_a_secret(name) {
            let token = value.split_once(' ').map_or(value, |(_, token)| token);
            self.secret("token", token);
        }
    }

    fn learn_url(&mut self, url: &Url) {
        if let Some(password) = url.password() {
            self.secret("password", password);
        }
        let pairs: Vec<(String, String)> = url
            .query()
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| names_a_secret(name))
            .map(|(_, value)| ("token".to_owned(), value.to_owned()))
            .collect();
        self.secrets.extend(pairs);
    }

    /// What of a command looks secret: `--api-key X`, `--token=X`, `Authorization: X`, URLs, variables.
    fn learn_command(&mut self, command: &CommandLine) {
        for (name, value) in &command.env {
            if names_a_secret(name) {
                self.secret(name, value);
            }
        }
        let mut flag: Option<&str> = None;
        for word in &command.args {
            if let Some(name) = flag.take()
                && !word.starts_with('-')
            {
                self.secret(name, word);
            }
            if let Ok(url) = Url::parse(word)
                && word.contains("://")
            {
                self.learn_url(&url);
            } else if let Some((name, value)) = word.split_once('=') {
                if names_a_secret(name) {
                    self.secret(name.trim_start_matches('-'), value);
                }
            } else if let Some((name, value)) = word.split_once(':') {
                self.learn_header(name, value.trim());
            } else if word.starts_with('-') && names_a_secret(word) {
                flag = Some(word.trim_start_matches('-'));
            }
        }
    }

    /// The words of a command line that name it, as they are; may hold secrets.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Replaces what is known to be secret.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.iter().cloned(), &self.secret_headers)
    }

    /// Secret values with their names, and further names of secret headers.
    pub fn secrets(&self) -> (Vec<(String, String)>, Vec<String>) {
        (self.secrets.clone(), self.secret_headers.clone())
    }

    /// How it is named in reports, without secrets.
    pub fn info(&self) -> TargetInfo {
        let kind = match &self.reach {
            Reach::Embedded { .. } => "embedded",
            Reach::Command(_) => "command",
            Reach::Http { .. } => "url",
        };
        let display = self.redactor().clean(&self.display);
        TargetInfo { kind: kind.to_owned(), display, server_info: None }
    }

    /// The end of a command line that names it, with the space before it; empty for the embedded server.
    pub fn reproduce(&self) -> String {
        let redactor = self.redactor();
        self.words.iter().fold(String::new(), |line, word| {
            let clean = redactor.clean(word);
            let quoted = shlex::try_quote(&clean).unwrap_or_else(|_| clean.as_str().into());
            line + " " + &quoted
        })
    }

    /// Headers for every HTTP request.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.http().map(|target| target.headers.clone()).unwrap_or_default()
    }

    /// How many conversations may run at once over each transport.
    pub fn parallel(&self) -> usize {
        if self.is_embedded() { 16 } else { 4 }
    }

    /// Makes it reachable: starts what has to be started first.
    ///
    /// # Errors
    /// Exit code and message: 3 where the user's server did not come up, 70 where ours did not.
    pub async fn up(&self, wait: Duration) -> Result<Up, RunError> {
        match &self.reach {
            Reach::Command(command) => {
                let mut bindings = vec![Binding::Stdio(command.clone())];
                let (mut issuer, mut issuing) = (None, None);
                if let Some(also) = &self.also {
                    bindings.push(binding(also));
                    (issuer, issuing) = self.issue(&also.url).await?;
                }
                Ok(Up { bindings, served: None, ours: false, issuer, issuing })
            }
            Reach::Http { target, start } => {
                let (issuer, issuing) = self.issue(&target.url).await?;
                let served = match start {
                    Some(command) => Some(self.start_first(command, &target.url, wait).await?),
                    None => None,
                };
                Ok(Up { bindings: vec![binding(target)], served, ours: false, issuer, issuing })
            }
            Reach::Embedded { program, arguments, transports, authorization } => {
                let command = |extra: &[&str]| CommandLine {
                    program: program.clone(),
                    // Small pages, so that every list has some.
                    args: ["serve", "--page-size", "5"]
                        .into_iter()
                        .chain(arguments.iter().map(String::as_str))
                        .chain(extra.iter().copied())
                        .map(str::to_owned)
                        .collect(),
                    env: std::collections::BTreeMap::new(),
                    cwd: None,
                };
                let broken = |what: String| RunError {
                    code: 70,
                    message: format!("a bug in mcprove: the embedded reference server did not start: {what}"),
                };
                if transports.iter().all(|transport| *transport == Transport::Stdio) {
                    let bindings = vec![Binding::Stdio(command(&[]))];
                    return Ok(Up { bindings, served: None, ours: true, issuer: None, issuing: None });
                }
                let mut options = vec!["--http", "127.0.0.1:0"];
                if *authorization {
                    options.push("--with-test-authorization-server");
                }
                let http = command(&options);
                let served = Served::start(&http, None, wait).await.map_err(|e| broken(e.to_string()))?;
                let url = served.url.clone();
                let stream = url.join("/sse").map_err(|error| broken(error.to_string()))?;
                let mut bindings =
                    vec![Binding::Stdio(command(&[])), Binding::Http(url), Binding::HttpSse(stream)];
                bindings.retain(|binding| transports.contains(&binding.transport()));
                let issuer = if *authorization {
                    let mint = served.url.join("/mint").map_err(|error| broken(error.to_string()))?;
                    let roles = roles_of_profile(arguments);
                    Some(Issuer { mint, is_target: true, scopes: "mcp mcp:write".to_owned(), roles })
                } else {
                    None
                };
                Ok(Up { bindings, served: Some(served), ours: true, issuer, issuing: None })
            }
        }
    }

    /// Begins to issue test tokens for a resource, if that was asked for.
    #[cfg(feature = "enterprise")]
    async fn issue(
        &self,
        resource: &Url,
    ) -> Result<(Option<Issuer>, Option<tokio::task::JoinHandle<()>>), RunError> {
        use mcprove_reference_server::{TestAuthorizationServer, serve_test_authorization_server};
        let Some(TestIssuer { address, scopes, roles }) = &self.test_issuer else { return Ok((None, None)) };
        let failed = |error: String| RunError {
            code: 2,
            message: format!("test tokens cannot be issued at {address}: {error}"),
        };
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.map_err(|error| failed(error.to_string()))?;
        let origin = format!("http://{address}");
        let mint = Url::parse(&format!("{origin}/mint")).map_err(|error| failed(error.to_string()))?;
        let server = std::sync::Arc::new(TestAuthorizationServer::new(origin, resource.as_str()));
        let issuing = tokio::spawn(async move {
            // It ends with the check; that its address is on this machine was seen before.
            let _ = serve_test_authorization_server(server, listener).await;
        });
        Ok((
            Some(Issuer { mint, is_target: false, scopes: scopes.clone(), roles: roles.clone() }),
            Some(issuing),
        ))
    }

    #[cfg(not(feature = "enterprise"))]
    #[expect(clippy::unused_async, reason = "with test tokens there is something to wait for")]
    async fn issue(
        &self,
        _: &Url,
    ) -> Result<(Option<Issuer>, Option<tokio::task::JoinHandle<()>>), RunError> {
        Ok((None, None))
    }

    async fn start_first(
        &self,
        command: &CommandLine,
        url: &Url,
        wait: Duration,
    ) -> Result<Served, RunError> {
        let failed = |message: String| RunError { code: 3, message: self.redactor().clean(&message) };
        if super::served::listens(url).await {
            return Err(failed(format!(
                "something listens at {url} already, so what --start runs would not be what is tested; stop it, or leave --start out"
            )));
        }
        let served = Served::start(command, Some(url.clone()), wait).await;
        served.map_err(|error| failed(format!("the command of --start did not come up: {error}")))
    }

    /// Brings it up, checks it, and takes it down again. The bindings of `config` are filled in.
    pub async fn check(&self, mut config: CheckConfig, sink: &mut (dyn FnMut(RunEvent) + Send)) -> Footer {
        if config.selection.is_empty() {
            return engine::without_units(&config, None, sink);
        }
        let stop = config.stop.clone();
        let up = stop.unless(self.up(config.opening.timeouts.startup)).await;
        match up {
            Some(Ok(up)) => {
                config.bindings.clone_from(&up.bindings);
                let let_in =
                    up.authorize(&mut config.opening.headers, &mut config.settings.credentials).await;
                let footer = match let_in {
                    Ok(()) => engine::check(config, sink).await,
                    Err(error) => engine::without_units(&config, Some(error), sink),
                };
                up.stop().await;
                footer
            }
            Some(Err(error)) => engine::without_units(&config, Some(error), sink),
            None => {
                let code = stop.wanted().unwrap_or(130);
                let message = "interrupted before the target was reached".to_owned();
                engine::without_units(&config, Some(RunError { code, message }), sink)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::new(TargetSpec::parse(text).unwrap())
    }

    #[test]
    fn secrets_are_not_shown() {
        let command = target(
            "GH_TOKEN=variable1 npx server --api-key positional --token=joined77 https://me:passw0rd@h/mcp?key=inquery1 'Authorization: Bearer header99' --verbose",
        );
        let shown = format!("{} {}", command.info().display, command.reproduce());
        for secret in ["variable1", "positional", "joined77", "passw0rd", "inquery1", "header99"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("npx server --api-key") && shown.contains("--verbose"), "{shown}");
        let mut url = target("https://me:passw0rd@h.example/mcp?access_token=inquery1&page=2");
        url.header("X-Custom", "plain-value");
        url.secret_header("x-custom");
        let shown = format!("{:?} {}", url.info(), url.redactor().clean("plain-value"));
        assert!(!shown.contains("passw0rd") && !shown.contains("inquery1"), "{shown}");
        assert!(!shown.contains("plain-value") && shown.contains("page=2"), "{shown}");
    }

    #[test]
    fn lines_that_reproduce_can_be_pasted() {
        assert_eq!(target("node 'my server.js'").reproduce(), " -- node 'my server.js'");
        assert_eq!(target("http://h/mcp?a=1").reproduce(), " 'http://h/mcp?a=1'");
        assert_eq!(Target::embedded("mcprove").reproduce(), "");
    }
}
