//! Reproductions of what a client did, that need no mcprove: scripts that send the same messages in the same order, each
//! request after the answer to the one before.

use super::record::{About, Record};
use crate::protocol::{Id, Kind, Message};
use crate::wire::{Channel, Event, Headers, Payload};
use std::collections::HashMap;
use std::fmt::Write as _;

/// The language of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `curl`.
    Curl,
    /// `/bin/sh`.
    Shell,
    /// Python 3 without packages.
    Python,
    /// TypeScript for Node without packages.
    TypeScript,
    /// Rust with `serde_json`.
    Rust,
    /// A page for people.
    Markdown,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The conversation is of another transport.
    #[error("the conversation is over {0}; export it as {1}")]
    Transport(&'static str, &'static str),
    /// The client sent nothing.
    #[error("the client sent no message")]
    Empty,
}

/// Something that the client sent.
struct Sent {
    message: Message,
    headers: Headers,
    url: String,
}

/// What an export is made of, taken from a conversation event by event.
#[derive(Default)]
pub struct Script {
    command: Vec<String>,
    sent: Vec<Sent>,
    heads: HashMap<Channel, (String, Headers)>,
    http: bool,
    page: String,
}

/// Headers that a client library writes itself.
const OWN: [&str; 7] = [
    "host",
    "content-length",
    "connection",
    "accept-encoding",
    "user-agent",
    "mcp-session-id",
    "transfer-encoding",
];

impl Script {
    /// A script of a conversation.
    pub fn new(about: &About) -> Self {
        Self { http: about.transport.is_http(), ..Self::default() }
    }

    /// Takes in an event.
    pub fn add(&mut self, record: &Record) {
        match &record.event {
            Event::ProcessStarted { command, .. } => self.command.clone_from(command),
            Event::RequestHead { url, headers, .. } => {
                self.heads.insert(record.channel, (url.clone(), headers.clone()));
            }
            Event::ResponseEnded(_) => {
                self.heads.remove(&record.channel);
            }
            Event::Sent { payload: Payload::Message(message), .. } => {
                self.tell("The client sends", message);
                let (url, headers) = self.heads.get(&record.channel).cloned().unwrap_or_default();
                self.sent.push(Sent { message: message.clone(), headers, url });
            }
            Event::Received { payload: Payload::Message(message), .. } => {
                self.tell("The server sends", message);
            }
            _ => {}
        }
    }

    fn tell(&mut self, who: &str, message: &Message) {
        let what = match message.kind() {
            Kind::Request => format!("the request `{}`", message.method().unwrap_or_default()),
            Kind::Notification => format!("the notification `{}`", message.method().unwrap_or_default()),
            Kind::Result => "a result".to_owned(),
            Kind::Error => "an error".to_owned(),
            Kind::Batch | Kind::NotAMessage(_) => "what is no message".to_owned(),
        };
        let text = serde_json::to_string_pretty(message.value()).unwrap_or_default();
        // A fence longer than any in the text.
        let fence = "`".repeat(3.max(longest_run(&text) + 1));
        let _ = write!(self.page, "{who} {what}:\n\n{fence}json\n{text}\n{fence}\n\n");
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the language does not fit the transport, or there is nothing to send.
    pub fn write(&self, language: Language) -> Result<String, ExportError> {
        if self.sent.is_empty() {
            return Err(ExportError::Empty);
        }
        match (language, self.http) {
            (Language::Markdown, _) => Ok(format!("# A conversation\n\n{}", self.page)),
            (Language::Curl | Language::Shell, true) => Ok(self.curl()),
            (Language::Curl, false) => Err(ExportError::Transport("STDIO", "shell")),
            (Language::Shell, false) => Ok(self.shell()),
            (Language::Python, true) => Ok(self.python_http()),
            (Language::Python, false) => Ok(self.python()),
            (Language::TypeScript, true) => Ok(self.typescript_http()),
            (Language::TypeScript, false) => Ok(self.typescript()),
            (Language::Rust, true) => Err(ExportError::Transport("HTTP", "curl, python or typescript")),
            (Language::Rust, false) => Ok(self.rust()),
        }
    }

    /// The messages, each with the id of the answer to wait for, as JSON or `None`.
    fn steps(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.sent.iter().map(|sent| {
            let request = *sent.message.kind() == Kind::Request;
            let id = sent.message.id().filter(|_| request).map(Id::as_json);
            (sent.message.text(), id)
        })
    }

    fn shell(&self) -> String {
        let command = shell_words(&self.command);
        let mut text = format!(
            "#!/bin/sh\n# Sends what the client sent; the server's command can be given as arguments.\n\
             [ $# -gt 0 ] || set -- {command}\n\
             folder=$(mktemp -d) && mkfifo \"$folder/in\" && : >\"$folder/out\" || exit 1\n\
             \"$@\" <\"$folder/in\" >\"$folder/out\" &\nserver=$!\nexec 3>\"$folder/in\"\n\
             trap 'exec 3>&-; kill \"$server\" 2>/dev/null; rm -r \"$folder\"' EXIT\n\
             send() {{ printf '%s\\n' \"--> $1\"; printf '%s\\n' \"$1\" >&3; }}\n\
             answer() {{\n  tries=0\n  until grep -F -e \"\\\"id\\\":$1,\" -e \"\\\"id\\\":$1}}\" -e \"\\\"id\\\": $1,\" -e \"\\\"id\\\": $1}}\" \"$folder/out\" | grep -v '\"method\"'; do\n    \
             tries=$((tries + 1))\n    [ \"$tries\" -gt 100 ] && {{ echo \"no answer to $1\" >&2; exit 1; }}\n    sleep 0.1\n  done | sed 's/^/<-- /'\n}}\n\n"
        );
        for (message, id) in self.steps() {
            let _ = writeln!(text, "send {}", shell_word(&one_line(message)));
            if let Some(id) = id {
                let _ = writeln!(text, "answer {} || exit 1", shell_word(id));
            }
        }
        text
    }

    fn curl(&self) -> String {
        let mut text = "#!/bin/sh\n# Sends what the client sent. The session id that the server gives is kept.\n\
             headers=$(mktemp)\nsession=\ntrap 'rm \"$headers\"' EXIT\n\
             send() {\n  url=$1 body=$2\n  shift 2\n  \
             curl -sS -N --max-time 30 -D \"$headers\" \"$@\" ${session:+-H \"Mcp-Session-Id: $session\"} --data-raw \"$body\" \"$url\"\n  echo\n  \
             new=$(tr -d '\\r' <\"$headers\" | sed -n 's/^[Mm][Cc][Pp]-[Ss]ession-[Ii][Dd]: *//p')\n  session=${new:-$session}\n}\n\n"
            .to_owned();
        for sent in &self.sent {
            let _ = write!(text, "send {} {}", shell_word(&sent.url), shell_word(sent.message.text()));
            for (name, value) in shown(&sent.headers) {
                let _ = write!(text, " \\\n  -H {}", shell_word(&format!("{name}: {value}")));
            }
            text.push('\n');
        }
        text
    }

    fn python(&self) -> String {
        let mut text = format!(
            "#!/usr/bin/env python3\n\"\"\"Sends what the client sent; the server's command can be given as arguments.\"\"\"\n\
             import json, subprocess, sys\n\nserver = subprocess.Popen(sys.argv[1:] or {}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n\n\n\
             def send(message):\n    print(\"-->\", message)\n    server.stdin.write(message.encode() + b\"\\n\")\n    server.stdin.flush()\n\n\n\
             def answer(wanted):\n    for line in server.stdout:\n        print(\"<--\", line.decode(errors=\"replace\").rstrip())\n        \
             try:\n            message = json.loads(line)\n        except ValueError:\n            continue\n        \
             if isinstance(message, dict) and message.get(\"id\") == wanted and \"method\" not in message:\n            return\n    \
             sys.exit(\"the server ended without an answer\")\n\n\n",
            json(&self.command)
        );
        for (message, id) in self.steps() {
            let _ = writeln!(text, "send({})", json(&one_line(message)));
            if let Some(id) = id {
                let _ = writeln!(text, "answer(json.loads({}))", json(id));
            }
        }
        text.push_str("server.stdin.close()\nserver.wait(10)\n");
        text
    }

    fn python_http(&self) -> String {
        let mut text = "#!/usr/bin/env python3\n\"\"\"Sends what the client sent. The session id that the server gives is kept.\"\"\"\n\
             import urllib.error, urllib.request\n\nsession = None\n\n\n\
             def send(url, body, headers):\n    global session\n    if session:\n        headers[\"Mcp-Session-Id\"] = session\n    \
             print(\"-->\", body)\n    request = urllib.request.Request(url, body.encode(), headers)\n    \
             try:\n        response = urllib.request.urlopen(request, timeout=30)\n    except urllib.error.HTTPError as error:\n        response = error\n    \
             session = response.headers.get(\"Mcp-Session-Id\") or session\n    print(\"<--\", response.status, response.read().decode(errors=\"replace\"))\n\n\n"
            .to_owned();
        for sent in &self.sent {
            let headers: serde_json::Map<_, _> =
                shown(&sent.headers).map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let _ = writeln!(
                text,
                "send({}, {}, {})",
                json(&sent.url),
                json(sent.message.text()),
                json(&headers)
            );
        }
        text
    }

    fn typescript(&self) -> String {
        let mut text = format!(
            "// Sends what the client sent; the server's command can be given as arguments. Run it with: node --experimental-strip-types FILE\n\
             import {{ spawn }} from \"node:child_process\";\nimport {{ createInterface }} from \"node:readline\";\n\n\
             const given = process.argv.slice(2);\nconst command: string[] = given.length > 0 ? given : {};\n\
             const server = spawn(command[0], command.slice(1), {{ stdio: [\"pipe\", \"pipe\", \"inherit\"] }});\n\
             const lines = createInterface({{ input: server.stdout }})[Symbol.asyncIterator]();\n\n\
             function send(message: string): void {{\n  console.log(\"-->\", message);\n  server.stdin.write(message + \"\\n\");\n}}\n\n\
             async function answer(wanted: unknown): Promise<void> {{\n  for (;;) {{\n    const {{ value, done }} = await lines.next();\n    \
             if (done) throw new Error(\"the server ended without an answer\");\n    console.log(\"<--\", value);\n    \
             try {{\n      const message = JSON.parse(value);\n      if (message.id === wanted && !(\"method\" in message)) return;\n    }} catch {{\n      // It is no message.\n    }}\n  }}\n}}\n\n",
            json(&self.command)
        );
        for (message, id) in self.steps() {
            let _ = writeln!(text, "send({});", json(&one_line(message)));
            if let Some(id) = id {
                let _ = writeln!(text, "await answer({id});");
            }
        }
        text.push_str("server.stdin.end();\n");
        text
    }

    fn typescript_http(&self) -> String {
        let mut text = "// Sends what the client sent. The session id that the server gives is kept. Run it with: node --experimental-strip-types FILE\n\
             let session: string | null = null;\n\n\
             async function send(url: string, body: string, headers: Record<string, string>): Promise<void> {\n  \
             if (session) headers[\"Mcp-Session-Id\"] = session;\n  console.log(\"-->\", body);\n  \
             const response = await fetch(url, { method: \"POST\", body, headers, signal: AbortSignal.timeout(30000) });\n  \
             session = response.headers.get(\"Mcp-Session-Id\") ?? session;\n  console.log(\"<--\", response.status, await response.text());\n}\n\n"
            .to_owned();
        for sent in &self.sent {
            let headers: serde_json::Map<_, _> =
                shown(&sent.headers).map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let _ = writeln!(
                text,
                "await send({}, {}, {});",
                json(&sent.url),
                json(sent.message.text()),
                json(&headers)
            );
        }
        text.push_str("export {};\n");
        text
    }

    fn rust(&self) -> String {
        let command: Vec<String> = self.command.iter().map(|word| format!("{word:?}")).collect();
        let mut text = format!(
            "//! Sends what the client sent; the server's command can be given as arguments. Needs the crate `serde_json`.\n\n\
             use std::io::{{BufRead, BufReader, Write}};\nuse std::process::{{ChildStdin, ChildStdout, Command, Stdio}};\n\n\
             fn send(stdin: &mut ChildStdin, message: &str) {{\n    println!(\"--> {{message}}\");\n    writeln!(stdin, \"{{message}}\").expect(\"the server reads\");\n}}\n\n\
             fn answer(stdout: &mut BufReader<ChildStdout>, id: &str) {{\n    let wanted: serde_json::Value = serde_json::from_str(id).expect(\"an id\");\n    \
             for line in stdout.lines() {{\n        let line = line.expect(\"the server writes text\");\n        println!(\"<-- {{line}}\");\n        \
             let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {{ continue }};\n        \
             if message.get(\"id\") == Some(&wanted) && message.get(\"method\").is_none() {{\n            return;\n        }}\n    }}\n    panic!(\"the server ended without an answer\");\n}}\n\n\
             fn main() {{\n    let mut command: Vec<String> = std::env::args().skip(1).collect();\n    if command.is_empty() {{\n        command = [{}].map(str::to_owned).to_vec();\n    }}\n    \
             let mut server = Command::new(&command[0])\n        .args(&command[1..])\n        .stdin(Stdio::piped())\n        .stdout(Stdio::piped())\n        .spawn()\n        .expect(\"the server starts\");\n    \
             let mut stdin = server.stdin.take().expect(\"it is piped\");\n    let mut stdout = BufReader::new(server.stdout.take().expect(\"it is piped\"));\n",
            command.join(", ")
        );
        for (message, id) in self.steps() {
            let _ = writeln!(text, "    send(&mut stdin, {:?});", one_line(message));
            if let Some(id) = id {
                let _ = writeln!(text, "    answer(&mut stdout, {id:?});");
            }
        }
        text.push_str("    drop(stdin);\n    server.wait().expect(\"the server ends\");\n}\n");
        text
    }
}

/// The headers that a script has to write.
fn shown(headers: &Headers) -> impl Iterator<Item = &(String, String)> {
    headers.iter().filter(|(name, _)| !OWN.contains(&name.to_ascii_lowercase().as_str()))
}

/// A message without line breaks: between its values they mean nothing, and within strings JSON has none.
fn one_line(message: &str) -> String {
    message.replace(['\n', '\r'], " ")
}

/// A value as JSON: Python, TypeScript and JSON write lists, strings and maps of strings alike.
fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

fn shell_words(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
