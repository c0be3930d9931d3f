//! Targets out of the configuration files that MCP clients have: `claude_desktop_config.json`, `.mcp.json`,
//! `.vscode/mcp.json` and their relatives.

use super::process::CommandLine;
use super::target::{HttpTarget, TargetError, TargetSpec};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const FILE: u64 = 4 << 20;

/// The servers of a configuration file.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    path: PathBuf,
    servers: Map<String, Value>,
    /// Descriptions of the values that the client would ask its user for, by id.
    inputs: BTreeMap<String, String>,
}

/// Why a configuration file gives no target.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {reason}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is no JSON, even with comments and trailing commas.
    #[error("`{path}` is no JSON: {reason}", path = .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file names no servers.
    #[error("`{path}` names no servers; expected an object `mcpServers`, or `servers` as in .vscode/mcp.json", path = .path.display())]
    NoServers {
        /// The file.
        path: PathBuf,
    },
    /// There are several and none was chosen.
    #[error("`{path}` has several servers; choose one with --server: {names}", path = .path.display(), names = .names.join(", "))]
    Choose {
        /// The file.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// There is no server of this name.
    #[error("`{path}` has no server `{name}`; it has: {names}", path = .path.display(), names = .names.join(", "))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// The entry cannot be understood.
    #[error("server `{name}`: {reason}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its URL is none.
    #[error("server `{name}`: {source}")]
    Target {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: TargetError,
    },
    /// A variable is not set.
    #[error("server `{name}` needs the environment variable {variable}; set it and run again")]
    Variable {
        /// The server.
        name: String,
        /// The variable.
        variable: String,
    },
    /// The client would ask for a value.
    #[error(
        "server `{name}` asks for the input `{input}`{description}; give it in the environment variable {variable}"
    )]
    Input {
        /// The server.
        name: String,
        /// The id of the input.
        input: String,
        /// What it is, in parentheses.
        description: String,
        /// Where it is looked for.
        variable: String,
    },
}

impl ClientConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no JSON, or names no servers.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let refuse = |reason: String| ConfigError::Read { path: path.to_owned(), reason };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
        file.take(FILE + 1).read_to_string(&mut text).map_err(|error| refuse(error.to_string()))?;
        if text.len() as u64 > FILE {
            return Err(refuse(format!("it has more than {} MiB", FILE >> 20)));
        }
        Self::parse(path, &text)
    }

    /// Reads the text of a file; `path` is for messages and for paths in it.
    ///
    /// # Errors
    /// As [`ClientConfig::read`], but for the reading.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let mut root: Value = serde_json::from_str(&plain_json(text))
            .map_err(|error| ConfigError::Json { path: path.clone(), reason: error.to_string() })?;
        // Settings of an editor hold the same one level down.
        let root = match root.get_mut("mcp") {
            Some(inner) if inner.get("servers").is_some() => inner.take(),
            _ => root,
        };
        let servers = ["mcpServers", "servers"].iter().find_map(|key| root.get(key)?.as_object());
        let Some(servers) = servers.filter(|servers| !servers.is_empty()).cloned() else {
            return Err(ConfigError::NoServers { path });
        };
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let inputs = root.get("inputs").and_then(Value::as_array).into_iter().flatten();
        let inputs = inputs
            .filter_map(|input| Some((text(input, "id")?, text(input, "description").unwrap_or_default())))
            .collect();
        Ok(Self { path, servers, inputs })
    }

    /// The names of the servers, as they stand in the file.
    pub fn names(&self) -> Vec<String> {
        self.servers.keys().cloned().collect()
    }

    /// The server of a name, or the only one.
    ///
    /// `environment` looks variables up; [`std::env::var`] with its error dropped is the usual one.
    ///
    /// # Errors
    /// When there is no such server, it is not said which, or its entry cannot be used.
    pub fn target(
        &self,
        name: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(String, TargetSpec), ConfigError> {
        let path = || self.path.clone();
        let (name, entry) = match name {
            Some(name) => self.servers.get_key_value(name).ok_or_else(|| ConfigError::Unknown {
                path: path(),
                name: name.to_owned(),
                names: self.names(),
            })?,
            None if self.servers.len() > 1 => {
                return Err(ConfigError::Choose { path: path(), names: self.names() });
            }
            None => self.servers.iter().next().ok_or_else(|| ConfigError::NoServers { path: path() })?,
        };
        let spec = Entry { config: self, name, environment }.read(entry)?;
        Ok((name.clone(), spec))
    }

    /// The folder that the file is about: the one that it lies in, or its parent for `.vscode/mcp.json`.
    fn folder(&self) -> PathBuf {
        let folder = self.path.parent().map(Path::to_owned).unwrap_or_default();
        let hidden = [".vscode", ".cursor", ".roo"];
        let inner =
            folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| hidden.contains(&name));
        let folder = if inner { folder.parent().map(Path::to_owned).unwrap_or_default() } else { folder };
        if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }
    }
}

/// One entry, while it is read.
struct Entry<'a> {
    config: &'a ClientConfig,
    name: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Entry<'_> {
    fn refuse(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::Entry { name: self.name.to_owned(), reason: reason.into() }
    }

    fn read(&self, entry: &Value) -> Result<TargetSpec, ConfigError> {
        let entry = entry.as_object().ok_or_else(|| self.refuse("it is no object"))?;
        let kind = match self.text(entry, "type")? {
            Some(kind) => Some(kind),
            None => self.text(entry, "transport")?,
        };
        let mut url = None;
        for key in ["url", "serverUrl", "httpUrl"] {
            url = url.or(self.text(entry, key)?);
        }
        match (kind.as_deref(), url, entry.contains_key("command")) {
            (None | Some("stdio"), _, true) => self.command(entry),
            (None | Some("http" | "streamable-http" | "streamableHttp" | "sse"), Some(url), _) => {
                let sse = kind.as_deref() == Some("sse");
                let target = TargetSpec::url(&url);
                let target =
                    target.map_err(|source| ConfigError::Target { name: self.name.to_owned(), source })?;
                let TargetSpec::Http(HttpTarget { url, mut headers, .. }) = target else {
                    return Err(self.refuse("its URL is none"));
                };
                headers.extend(self.texts(entry, "headers")?);
                Ok(TargetSpec::Http(HttpTarget { url, headers, sse }))
            }
            (Some("stdio"), _, false) => Err(self.refuse("its type is `stdio` and it has no `command`")),
            (Some("http" | "streamable-http" | "streamableHttp" | "sse"), None, _) => {
                Err(self.refuse("its type is HTTP and it has no `url`"))
            }
            (Some(other), _, _) => {
                Err(self.refuse(format!("its type `{other}` is not known; use stdio, http or sse")))
            }
            (None, None, false) => Err(self.refuse("it has neither `command` nor `url`")),
        }
    }

    fn command(&self, entry: &Map<String, Value>) -> Result<TargetSpec, ConfigError> {
        let program = self.text(entry, "command")?.filter(|program| !program.trim().is_empty());
        let program = program.ok_or_else(|| self.refuse("its `command` is empty"))?;
        let args = match entry.get("args") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(args)) => args
                .iter()
                .map(|arg| match arg.as_str() {
                    Some(arg) => self.expand(arg),
                    None => Err(self.refuse("its `args` holds something that is no string")),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(self.refuse("its `args` is no array")),
        };
        let mut env = match self.text(entry, "envFile")? {
            Some(file) => self.env_file(&self.config.folder().join(file))?,
            None => BTreeMap::new(),
        };
        env.extend(self.texts(entry, "env")?);
        let cwd = self.text(entry, "cwd")?.map(|cwd| self.config.folder().join(cwd));
        Ok(TargetSpec::Command(CommandLine { program, args, env, cwd }))
    }

    /// `NAME=VALUE` lines.
    fn env_file(&self, path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| self.refuse(format!("its `envFile` `{}`: {error}", path.display())))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='));
        let unquote = |value: &str| {
            let value = value.trim();
            let inner = ['"', '\''].iter().find_map(|&q| value.strip_prefix(q)?.strip_suffix(q));
            inner.unwrap_or(value).to_owned()
        };
        Ok(pairs.map(|(name, value)| (name.trim().to_owned(), unquote(value))).collect())
    }

    fn text(&self, entry: &Map<String, Value>, key: &str) -> Result<Option<String>, ConfigError> {
        match entry.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => self.expand(text).map(Some),
            Some(_) => Err(self.refuse(format!("its `{key}` is no string"))),
        }
    }

    fn texts(&self, entry: &Map<String, Value>, key: &str) -> Result<Vec<(String, String)>, ConfigError> {
        let members = match entry.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(self.refuse(format!("its `{key}` is no object"))),
        };
        let mut out = Vec::new();
        for (name, value) in members {
            let value = match value {
                Value::String(text) => self.expand(text)?,
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                // An unset variable, as some clients write it.
                Value::Null => continue,
                _ => return Err(self.refuse(format!("`{name}` in its `{key}` is no string"))),
            };
            out.push((name.clone(), value));
        }
        Ok(out)
    }

    /// Puts values in the place of `${NAME}`, `${NAME:-default}`, `${env:NAME}`, `${input:ID}`, `${workspaceFolder}`
    /// and `${userHome}`.
    fn expand(&self, text: &str) -> Result<String, ConfigError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            out.push_str(before);
            out.push_str(&self.variable(name)?);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn variable(&self, name: &str) -> Result<String, ConfigError> {
        let look_up = |variable: &str, default: Option<&str>| {
            let value = (self.environment)(variable).or(default.map(str::to_owned));
            value.ok_or_else(|| ConfigError::Variable {
                name: self.name.to_owned(),
                variable: variable.to_owned(),
            })
        };
        if let Some(input) = name.strip_prefix("input:") {
            let upper =
                input.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
            let variable = format!("MCPROVE_INPUT_{}", upper.collect::<String>());
            let description = self.config.inputs.get(input).filter(|text| !text.is_empty());
            return (self.environment)(&variable).ok_or_else(|| ConfigError::Input {
                name: self.name.to_owned(),
                input: input.to_owned(),
                description: description.map(|text| format!(" ({text})")).unwrap_or_default(),
                variable,
            });
        }
        match name.strip_prefix("env:").unwrap_or(name) {
            "workspaceFolder" => Ok(self.config.folder().display().to_string()),
            "workspaceFolderBasename" => {
                let folder = std::path::absolute(self.config.folder()).unwrap_or_default();
                Ok(folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
            }
            "userHome" => look_up("HOME", None),
            "/" | "pathSeparator" => Ok(std::path::MAIN_SEPARATOR_STR.to_owned()),
            name => match name.split_once(":-") {
                Some((name, default)) => look_up(name, Some(default)),
                None => look_up(name, None),
            },
        }
    }
}

/// JSON without the comments and trailing commas that editors allow. Line breaks stay, so that positions in error
/// messages are right.
fn plain_json(text: &str) -> String {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    // Where a comma stands in `out` after which only white space came.
    let mut comma = None;
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                comma = None;
                out.push(c);
                let mut escaped = false;
                for c in characters.by_ref() {
                    out.push(c);
                    if c == '"' && !escaped {
                        break;
                    }
                    escaped = c == '\\' && !escaped;
                }
            }
            '/' if characters.peek() == Some(&'/') => while characters.next_if(|&c| c != '\n').is_some() {},
            '/' if characters.peek() == Some(&'*') => {
                characters.next();
                let mut last = ' ';
                for c in characters.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                out.push(' ');
            }
            ',' => {
                comma = Some(out.len());
                out.push(c);
            }
            '}' | ']' => {
                if let Some(place) = comma.take() {
                    out.replace_range(place..=place, " ");
                }
                out.push(c);
            }
            c => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str, text: &str) -> ClientConfig {
        ClientConfig::parse(Path::new(path), text).unwrap()
    }

    fn environment(name: &str) -> Option<String> {
        let known = [("HOME", "/home/me"), ("TOKEN", "secret"), ("MCPROVE_INPUT_API_KEY", "key")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn target(config: &ClientConfig, name: &str) -> TargetSpec {
        config.target(Some(name), &environment).unwrap().1
    }

    fn error(config: &ClientConfig, name: Option<&str>) -> String {
        config.target(name, &environment).unwrap_err().to_string()
    }

    #[test]
    fn a_desktop_configuration() {
        let text = r#"{"mcpServers": {"files": {
            "command": "npx", "args": ["-y", "server-filesystem", "${HOME}/docs", "${X:-none}", "a$b ${"],
            "env": {"A": "1", "N": 2, "T": "x-${TOKEN}"}, "cwd": "work"}}}"#;
        let config = config("/etc/app/claude_desktop_config.json", text);
        let (name, spec) = config.target(None, &environment).unwrap();
        assert_eq!(name, "files");
        let TargetSpec::Command(command) = spec else { panic!() };
        assert_eq!(command.program, "npx");
        assert_eq!(command.args, ["-y", "server-filesystem", "/home/me/docs", "none", "a$b ${"]);
        let env = [("A", "1"), ("N", "2"), ("T", "x-secret")];
        assert_eq!(command.env, env.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        assert_eq!(command.cwd.unwrap(), Path::new("/etc/app/work"));
    }

    #[test]
    fn an_editor_configuration_with_comments_and_inputs() {
        let text = r#"{
            // what it asks for
            "inputs": [{"id": "api-key", "type": "promptString", "description": "the key",},],
            "servers": { /* two
                of them */
                "web": {"type": "http", "url": "http://localhost:1/mcp", "headers": {"X-Key": "${input:api-key}"}},
                "old": {"type": "sse", "url": "https://h.example/sse"},
                "local": {"type": "stdio", "command": "${workspaceFolder}/run", "args": ["//no /*comment*/ ,]"]},
            },
        }"#;
        let config = config("/project/.vscode/mcp.json", text);
        assert_eq!(config.names(), ["web", "old", "local"]);
        let TargetSpec::Http(web) = target(&config, "web") else { panic!() };
        assert_eq!((web.headers, web.sse), (vec![("X-Key".to_owned(), "key".to_owned())], false));
        assert!(matches!(target(&config, "old"), TargetSpec::Http(HttpTarget { sse: true, .. })));
        let TargetSpec::Command(local) = target(&config, "local") else { panic!() };
        assert_eq!((local.program.as_str(), local.args[0].as_str()), ("/project/run", "//no /*comment*/ ,]"));
        assert!(error(&config, None).ends_with("choose one with --server: web, old, local"));
        assert!(error(&config, Some("wob")).ends_with("it has: web, old, local"));
    }

    #[test]
    fn missing_values_are_named() {
        let text = r#"{"inputs": [{"id": "pin", "description": "the PIN"}], "servers": {
            "a": {"command": "x", "args": ["${env:NOT_SET}"]},
            "b": {"command": "x", "env": {"P": "${input:pin}"}}}}"#;
        let config = config("mcp.json", text);
        assert!(error(&config, Some("a")).contains("environment variable NOT_SET;"));
        let error = error(&config, Some("b"));
        assert!(error.contains("`pin` (the PIN)") && error.contains("MCPROVE_INPUT_PIN"), "{error}");
    }

    #[test]
    fn what_cannot_be_understood_is_told() {
        let entries = [
            ("3", "no object"),
            ("{}", "neither `command` nor `url`"),
            (r#"{"type": "ws", "url": "ws://x"}"#, "`ws` is not known"),
            (r#"{"type": "http"}"#, "no `url`"),
            (r#"{"type": "stdio", "url": "http://x"}"#, "no `command`"),
            (r#"{"command": "x", "args": "y"}"#, "no array"),
            (r#"{"command": "x", "args": [1]}"#, "no string"),
            (r#"{"command": ["x"]}"#, "no string"),
            (r#"{"command": ""}"#, "empty"),
            (r#"{"url": "nowhere"}"#, "no URL"),
            (r#"{"command": "x", "envFile": "/no/such/file"}"#, "envFile"),
        ];
        for (entry, expected) in entries {
            let config = config("x.json", &format!(r#"{{"mcpServers": {{"s": {entry}}}}}"#));
            let error = error(&config, None);
            assert!(error.contains(expected) && error.contains("`s`"), "{entry}: {error}");
        }
        for text in ["[]", "{}", r#"{"mcpServers": {}}"#, r#"{"servers": []}"#] {
            let error = ClientConfig::parse(Path::new("x.json"), text).unwrap_err();
            assert!(matches!(error, ConfigError::NoServers { .. }), "{error}");
        }
        let error = ClientConfig::parse(Path::new("x.json"), "{\n/*\n*/ x").unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
        let error = ClientConfig::read(Path::new("/no/such/file.json")).unwrap_err();
        assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    }

    #[test]
    fn the_file_with_variables_is_read() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("e"), "# c\nexport A='x y'\nB=2\nC=\"z\"\nno\n").unwrap();
        let path = directory.path().join("mcp.json");
        std::fs::write(&path, r#"{"servers": {"s": {"command": "x", "envFile": "e", "env": {"B": "3"}}}}"#)
            .unwrap();
        let TargetSpec::Command(command) = target(&ClientConfig::read(&path).unwrap(), "s") else { panic!() };
        let env = [("A", "x y"), ("B", "3"), ("C", "z")];
        assert_eq!(command.env, env.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    }
}
