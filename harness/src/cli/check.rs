//! `mcprove check`.

use super::args::{CheckArgs, FailOn, OutputFormat};
use crate::check::{self, CheckConfig, Served, Stop};
use crate::client::{Binding, Opening};
use crate::probes::Settings;
use crate::protocol::catalogue::Selection;
use crate::report::{Html, Json, Progress, Reporter, Terminal, TerminalOptions};
use crate::run::{RunEvent, RunWriter, TRANSCRIPTS_DIR, TargetInfo};
use crate::wire::{CommandLine, HttpConfig, Limits};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

pub(super) fn check(args: CheckArgs) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(run(args));
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

async fn run(args: CheckArgs) -> anyhow::Result<u8> {
    let shared = &args.shared;
    let mut served = None;
    let embedded = args.target.url.is_none() && args.target.command.is_empty();
    let (bindings, target) = if embedded {
        let program = std::env::current_exe()?.to_string_lossy().into_owned();
        let command = |extra: &[&str]| CommandLine {
            program: program.clone(),
            args: std::iter::once("serve").chain(extra.iter().copied()).map(str::to_owned).collect(),
            env: BTreeMap::new(),
            cwd: None,
        };
        let server =
            Served::start(&command(&["--http", "127.0.0.1:0"]), None, Duration::from_secs(10)).await?;
        let url = server.url.clone();
        let stream = url.join("/sse")?;
        served = Some(server);
        let bindings = vec![Binding::Stdio(command(&[])), Binding::Http(url), Binding::HttpSse(stream)];
        (bindings, info("embedded", "embedded reference server"))
    } else if let Some(url) = &args.target.url {
        (vec![Binding::Http(url.parse()?)], info("url", url))
    } else {
        let mut words = args.target.command.clone();
        let program = words.remove(0);
        let command = CommandLine { program, args: words, env: BTreeMap::new(), cwd: None };
        (vec![Binding::Stdio(command)], info("command", &args.target.command.join(" ")))
    };
    let out = shared.out.clone().unwrap_or_else(|| ".mcprove/latest".into());
    let writer = RunWriter::create(&out)?;
    let stop = Stop::default();
    let reproduce = match target.kind.as_str() {
        "embedded" => String::new(),
        "url" => format!(" {}", target.display),
        _ => format!(" -- {}", target.display),
    };
    let config = CheckConfig {
        bindings,
        target,
        opening: Opening {
            // How long a server may take to end after its input was closed before that is told.
            limits: Limits { exit: Duration::from_secs(5), ..Limits::default() },
            timeouts: shared.timeouts(),
            headers: Vec::new(),
            http: HttpConfig::default(),
        },
        selection: Selection::new(&shared.only, &shared.skip)?,
        revisions: shared.revision.clone(),
        settings: Settings { safety: shared.safety(embedded), seed: shared.seed },
        parallel: if embedded { 16 } else { 4 },
        command: "check".to_owned(),
        command_line: std::env::args().collect(),
        reproduce_target: reproduce,
        transcripts: Some(out.join(TRANSCRIPTS_DIR)),
        secrets: (Vec::new(), Vec::new()),
        live: None,
        stop: stop.clone(),
    };
    let signal = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            signal.now(130);
        }
    });
    let mut reporters: Vec<Box<dyn Reporter + Send>> = Vec::new();
    if shared.output_format == OutputFormat::Json {
        reporters.push(Box::new(Json::new(std::io::stdout())));
    } else {
        let options =
            TerminalOptions { width: None, report: Some(out.join("index.html").display().to_string()) };
        reporters.push(Box::new(Terminal::new(anstream::AutoStream::auto(std::io::stdout()), options)));
    }
    reporters.push(if std::io::stderr().is_terminal() {
        Box::new(Progress::bars())
    } else {
        Box::new(Progress::lines(std::io::stderr()))
    });
    reporters.push(Box::new(Html::new(std::fs::File::create(out.join("index.html"))?)));
    let footer = check::check(config, &mut |event: RunEvent| {
        let _ = writer.append(&event);
        for reporter in &mut reporters {
            let _ = reporter.event(&event);
        }
    })
    .await;
    for reporter in &mut reporters {
        let _ = reporter.finish();
    }
    let _ = std::io::stdout().flush();
    if let Some(server) = served {
        server.stop().await;
    }
    Ok(match &footer.error {
        Some(error) => error.code,
        None => match args.fail_on {
            FailOn::Never => 0,
            other => u8::from(check::fails(&footer.summary, other == FailOn::Should)),
        },
    })
}

fn info(kind: &str, display: &str) -> TargetInfo {
    TargetInfo { kind: kind.to_owned(), display: display.to_owned(), server_info: None }
}
