//! Programs that play a recording: what they need to know as data, and below it the few functions that do it, which are
//! files of their own in `runtime/`.

use super::plan::Plan;
use super::quote::data;
use crate::replay::Script;
use serde_json::Value;
use std::collections::BTreeSet;

/// What every program says of itself, in lines; `target` is what can be given as arguments.
fn about(plan: &Plan, target: &str, needs: &str) -> Vec<String> {
    let mut lines = vec![
        "Does what the client of a recording did: waits for what it had waited for, takes what the server makes up".to_owned(),
        "(cursors, handles, ids) from what it says now, and answers what it asks.".to_owned(),
        format!("{target} can be given as arguments; TIMEOUT is how many seconds an answer may take (30). {needs}"),
    ];
    let names: BTreeSet<&str> =
        plan.secrets.iter().chain(&plan.command_secrets).map(String::as_str).collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        lines.push(format!(
            "What was taken out of the recording has to be in the environment: {}.",
            names.join(", ")
        ));
    }
    lines
}

fn target(http: bool) -> &'static str {
    if http { "The server's URL" } else { "The server's command" }
}

/// The sessions, one step a line.
fn sessions(plan: &Plan) -> String {
    let sessions: Vec<String> = plan.sessions.iter().map(session).collect();
    format!("[{}]", sessions.join(", "))
}

fn session(session: &Value) -> String {
    let steps: Vec<String> = session["steps"].as_array().into_iter().flatten().map(data).collect();
    format!(
        "{{\n\"steps\": [\n  {}\n],\n\"asks\": {},\n\"own\": {},\n\"end\": {}\n}}",
        steps.join(",\n  "),
        data(&session["asks"]),
        data(&session["own"]),
        data(&session["end"])
    )
}

fn secrets(plan: &Plan) -> String {
    data(&plan.secrets.iter().map(String::as_str).collect())
}

fn command(plan: &Plan) -> String {
    data(&plan.command.clone().into())
}

/// The names of a step's members, for whoever reads the data.
const MEMBERS: &str = "A step: `wait` and `maybe` name what has to come and what may come before it (the name of a message, and how many of \
that name came before), `put` says what is taken from where.";

pub(super) fn python(script: &Script, http: bool) -> String {
    let plan = Plan::of(script);
    let about = about(&plan, target(http), "Needs Python 3.8 or later, and no package.").join("\n");
    let (imports, link, own) = if http {
        (
            "import http.client, json, os, queue, re, socket, sys, threading, time, urllib.parse",
            include_str!("runtime/http.py"),
            String::new(),
        )
    } else {
        (
            "import json, os, queue, re, subprocess, sys, threading, time",
            include_str!("runtime/stdio.py"),
            format!("COMMAND = json.loads(r'''{}''')\n", command(&plan)),
        )
    };
    format!(
        "#!/usr/bin/env python3\n\"\"\"{about}\"\"\"\n{imports}\n\nTIMEOUT = float(os.environ.get(\"TIMEOUT\", \"30\"))\n\
         SECRETS = json.loads(r'''{}''')\n{own}# {MEMBERS}\nSESSIONS = json.loads(r'''{}''')\n\n{}{link}{}",
        secrets(&plan),
        sessions(&plan),
        include_str!("runtime/core.py"),
        include_str!("runtime/end.py"),
    )
}

pub(super) fn typescript(script: &Script, http: bool) -> String {
    let plan = Plan::of(script);
    let needs = "Needs Node 22 or later, and no package: node --experimental-strip-types FILE";
    let about = about(&plan, target(http), needs).join("\n// ");
    let (imports, link, own) = if http {
        ("", include_str!("runtime/http.ts"), String::new())
    } else {
        (
            "import { spawn, type ChildProcessByStdio } from \"node:child_process\";\n\
             import { createInterface } from \"node:readline\";\nimport { type Readable, type Writable } from \"node:stream\";\n",
            include_str!("runtime/stdio.ts"),
            format!("const COMMAND: Parts[] = parse(String.raw`{}`);\n", command(&plan)),
        )
    };
    format!(
        "// {about}\n{imports}export {{}};\n\nconst TIMEOUT = Number(process.env.TIMEOUT ?? 30);\n\
         const SECRETS: string[] = parse(String.raw`{}`);\n{own}// {MEMBERS}\nconst SESSIONS: Plan[] = parse(String.raw`{}`);\n{}{link}{}",
        secrets(&plan),
        sessions(&plan),
        include_str!("runtime/core.ts"),
        include_str!("runtime/end.ts"),
    )
}

pub(super) fn rust(script: &Script) -> String {
    let plan = Plan::of(script);
    let about = about(&plan, target(false), "Needs the crate `serde_json`.").join("\n//! ");
    // Over STDIO there is one session.
    let session = plan.sessions.first().map(session).unwrap_or_default();
    format!(
        "//! {about}\n\nuse serde_json::{{Value, json}};\nuse std::collections::{{HashMap, HashSet}};\n\
         use std::io::{{BufRead, BufReader, Write}};\nuse std::process::{{ChildStdin, Command, Stdio}};\n\
         use std::sync::mpsc::{{Receiver, channel}};\nuse std::time::{{Duration, Instant}};\n\n\
         const SECRETS: &[&str] = &{};\nconst COMMAND: &str = r#\"{}\"#;\n// {MEMBERS}\nconst SESSION: &str = r#\"{session}\"#;\n{}",
        secrets(&plan),
        command(&plan),
        include_str!("runtime/stdio.rs"),
    )
}
