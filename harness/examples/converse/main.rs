//! Has a short, lively conversation with any server, for something to record.
//!
//! `converse [--revision DATE] [--calls all|read-only|none] [--brief] URL | -- CMD…`: without a revision, the newest that
//! the server speaks. Exit code 3 where it speaks none.

mod talk;

use mcprove::client::Binding;
use mcprove::protocol::Revision;
use mcprove::wire::{CommandLine, TargetSpec};
use std::process::ExitCode;
use talk::{Calls, Plan, converse};

fn main() -> ExitCode {
    let (binding, revisions, plan) = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("converse: {why}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("converse: {error}");
            return ExitCode::from(70);
        }
    };
    for revision in revisions {
        match runtime.block_on(converse(&binding, revision, plan)) {
            Ok(_) => {
                println!("{revision}");
                return ExitCode::SUCCESS;
            }
            Err(why) => eprintln!("converse: not in {revision}: {why}"),
        }
    }
    ExitCode::from(3)
}

fn arguments() -> Result<(Binding, Vec<Revision>, Plan), String> {
    let mut plan = Plan { calls: Calls::ReadOnly, each: 3, brief: false };
    let mut revisions: Vec<Revision> = Revision::ALL.into_iter().rev().collect();
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--revision" => {
                let date = arguments.next().unwrap_or_default();
                revisions = vec![date.parse().map_err(|_| format!("`{date}` is no revision"))?];
            }
            "--calls" => {
                plan.calls = match arguments.next().as_deref() {
                    Some("all") => Calls::All,
                    Some("read-only") => Calls::ReadOnly,
                    Some("none") => Calls::None,
                    _ => return Err("--calls takes all, read-only or none".to_owned()),
                }
            }
            "--brief" => plan.brief = true,
            "--" => {
                let command = CommandLine::new(arguments).map_err(|error| error.to_string())?;
                return Ok((Binding::Stdio(command), revisions, plan));
            }
            url => {
                let TargetSpec::Http(target) = TargetSpec::url(url).map_err(|error| error.to_string())?
                else {
                    return Err(format!("`{url}` is no URL"));
                };
                return Ok((Binding::Http(target.url), revisions, plan));
            }
        }
    }
    Err("whom to speak to? give a URL, or a command after `--`".to_owned())
}
