//! A server that the harness starts and then reaches over HTTP.

use crate::protocol::Transport;
use crate::transcript::{About, Budget, Recorder, Redactor};
use crate::wire::{CommandLine, Event, Limits, Observer, Process, StartError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// A running server.
pub struct Served {
    process: Process,
    /// Its endpoint.
    pub url: Url,
}

/// Why a server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It never listened.
    #[error("{what} within {} s{stderr}", waited.as_secs())]
    NotListening {
        /// What did not happen.
        what: String,
        /// How long was waited.
        waited: Duration,
        /// The end of its standard error.
        stderr: String,
    },
}

impl Served {
    /// Starts a server and waits until it accepts connections: at `url`, or, without one, at the first `http://` URL
    /// that it prints to standard error.
    pub async fn start(command: &CommandLine, url: Option<Url>, wait: Duration) -> Result<Self, ServeError> {
        let about = About {
            revision: None,
            transport: Transport::Http,
            purpose: "server".to_owned(),
            target: command.program.clone(),
        };
        let recorder = Arc::new(Recorder::new(about, None, Redactor::default(), Budget::default(), None));
        let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(&recorder);
        let process = Process::start(command, &Limits::default(), observer)?;
        let deadline = Instant::now() + wait;
        let failed = |what: &str, recorder: &Recorder| {
            let text = stderr(recorder);
            let stderr =
                if text.is_empty() { String::new() } else { format!("; its standard error said:\n{text}") };
            ServeError::NotListening { what: what.to_owned(), waited: wait, stderr }
        };
        loop {
            let target = url.clone().or_else(|| announced(&stderr(&recorder)));
            if let Some(target) = target
                && listens(&target).await
            {
                return Ok(Self { process, url: target });
            }
            if !process.is_running() {
                // Its last words come a moment after its end.
                let _ = tokio::time::timeout(Duration::from_secs(2), process.exited()).await;
                return Err(failed("the server exited before it listened,", &recorder));
            }
            if Instant::now() >= deadline {
                let what = url.as_ref().map_or_else(
                    || "the server did not print its URL".to_owned(),
                    |url| format!("nothing listened at {url}"),
                );
                return Err(failed(&what, &recorder));
            }
            let _ = tokio::time::timeout(Duration::from_millis(20), recorder.news()).await;
        }
    }

    /// Ends it at once.
    pub async fn kill(self) {
        self.process.kill().await;
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.process.terminate().await;
    }
}

fn stderr(recorder: &Recorder) -> String {
    let mut text = Vec::new();
    for record in recorder.snapshot() {
        if let Event::Stderr(bytes) = &record.event {
            text.extend_from_slice(bytes);
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let skip = text.chars().count().saturating_sub(2000);
    text.chars().skip(skip).collect()
}

fn announced(stderr: &str) -> Option<Url> {
    // Only whole lines: the end of the text may be the middle of the URL.
    let (whole, _) = stderr.rsplit_once('\n')?;
    whole
        .split_whitespace()
        .filter(|word| word.starts_with("http://"))
        .find_map(|word| Url::parse(word.trim_end_matches(['.', ',', ')'])).ok())
}

pub(super) async fn listens(url: &Url) -> bool {
    let Ok(addresses) = url.socket_addrs(|| None) else { return false };
    for address in addresses {
        let connect = tokio::net::TcpStream::connect(address);
        if matches!(tokio::time::timeout(Duration::from_secs(1), connect).await, Ok(Ok(_))) {
            return true;
        }
    }
    false
}
