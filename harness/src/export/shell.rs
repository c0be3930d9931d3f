//! Scripts for `/bin/sh`: they send what was sent, one after the other, and of what the server makes up know the session id
//! alone.

use super::plan::{placeholders, shown, variable};
use super::quote::{printf_word, shell_word};
use crate::protocol::{Id, Kind};
use crate::replay::{Script, Sending};
use crate::wire::{Headers, Payload};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const STDIO: &str = r#"folder=$(mktemp -d) && mkfifo "$folder/in" && : >"$folder/out" || exit 1
"$@" <"$folder/in" >"$folder/out" &
server=$!
exec 3>"$folder/in"
end() {
  exec 3>&-
  tries=0
  while kill -0 "$server" 2>/dev/null && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
  kill "$server" 2>/dev/null
  rm -r "$folder"
}
trap end EXIT
send() { printf '%s\n' "--> $1"; printf '%s\n' "$1" >&3; }
send_bytes() { printf "$1\n" >&3; }
answer() {
  tries=0
  until grep -F -e "\"id\":$1," -e "\"id\":$1}" -e "\"id\": $1," -e "\"id\": $1}" "$folder/out" | grep -v '"method"'; do
    tries=$((tries + 1))
    [ "$tries" -gt 100 ] && { echo "no answer to $1" >&2; exit 1; }
    sleep 0.1
  done | sed 's/^/<-- /'
}

"#;

const HTTP: &str = r#"headers=$(mktemp)
given=$1 session=
trap 'rm "$headers"' EXIT
post() {
  url=${given:-$1}
  shift
  curl -sS -N --max-time 30 -D "$headers" "$@" ${session:+-H "Mcp-Session-Id: $session"} --data-binary @- "$url"
  echo
  new=$(tr -d '\r' <"$headers" | sed -n 's/^[Mm][Cc][Pp]-[Ss]ession-[Ii][Dd]: *//p')
  session=${new:-$session}
}
send() { body=$1; shift; printf '%s\n' "--> $body"; printf '%s' "$body" >"$headers.body"; post "$@" <"$headers.body"; rm "$headers.body"; }
send_bytes() { printf "$1" >"$headers.body"; shift; post "$@" <"$headers.body"; rm "$headers.body"; }

"#;

/// Words of a script, with the variables of the environment that they need.
#[derive(Default)]
struct Words {
    secrets: BTreeSet<String>,
}

impl Words {
    /// A word in which secrets come from the environment.
    fn word(&mut self, text: &str) -> String {
        let word = |part| match part {
            Ok(text) => shell_word(text),
            Err(name) => {
                let name = variable(name);
                let word = format!("\"${name}\"");
                self.secrets.insert(name);
                word
            }
        };
        let words: String = placeholders(text).into_iter().map(word).collect();
        if words.is_empty() { "''".to_owned() } else { words }
    }

    /// How a payload is sent.
    fn send(&mut self, payload: &Payload, http: bool) -> String {
        match payload {
            Payload::Message(message) => {
                let text = if http { message.text().to_owned() } else { one_line(message.text()) };
                format!("send {}", self.word(&text))
            }
            Payload::Raw { bytes, .. } => {
                let line = bytes.strip_suffix(b"\n").filter(|_| !http).unwrap_or(bytes);
                format!("send_bytes {}", printf_word(line))
            }
        }
    }

    fn headers(&mut self, headers: &Headers) -> String {
        let own = shown(headers).filter(|(name, _)| !name.eq_ignore_ascii_case("mcp-session-id"));
        own.fold(String::new(), |mut text, (name, value)| {
            let _ = write!(text, " \\\n  -H {}", self.word(&format!("{name}: {value}")));
            text
        })
    }

    fn script(&self, about: &str, start: &str, body: &str) -> String {
        let mut text = format!("#!/bin/sh\n# {about}\n");
        for secret in &self.secrets {
            let _ = writeln!(
                text,
                ": \"${{{secret}:?was taken out of the recording; set it as it stands in a JSON string}}\""
            );
        }
        text + start + body
    }
}

/// A script that speaks to a server over STDIO.
pub(super) fn shell(script: &Script) -> String {
    let mut words = Words::default();
    let command: Vec<String> = script.command.iter().map(|word| words.word(word)).collect();
    let start = format!("[ $# -gt 0 ] || set -- {}\n{STDIO}", command.join(" "));
    let mut body = String::new();
    for send in script.sessions.iter().flat_map(|session| &session.sends) {
        let Sending::Payload(payload) = &send.what else { continue };
        let _ = writeln!(body, "{}", words.send(payload, false));
        if let Payload::Message(message) = payload
            && let Some(id) = message.id().filter(|_| *message.kind() == Kind::Request).map(Id::as_json)
        {
            let _ = writeln!(body, "answer {} || exit 1", shell_word(id));
        }
    }
    words.script("Sends what the client sent; the server's command can be given as arguments.", &start, &body)
}

/// A script that speaks to a server over HTTP.
pub(super) fn curl(script: &Script) -> String {
    let mut words = Words::default();
    let mut body = String::new();
    let mut last = None;
    for (number, session) in script.sessions.iter().enumerate() {
        for send in &session.sends {
            let Sending::Payload(payload) = &send.what else { continue };
            if last.replace(number).is_some_and(|last| last != number) {
                body.push_str("session=\n");
            }
            let (what, url) = (words.send(payload, true), words.word(&send.url));
            let _ = writeln!(body, "{what} {url}{}", words.headers(&send.headers));
        }
    }
    let about = "Sends what the client sent; the server's URL can be given as an argument. The session id that the server gives is kept.";
    words.script(about, HTTP, &body)
}

/// A message without line breaks: between its values they mean nothing, and within strings JSON has none.
fn one_line(message: &str) -> String {
    message.replace(['\n', '\r'], " ")
}
