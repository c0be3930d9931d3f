//! Where the conversations of a check are recorded.

use super::config::{CheckConfig, Watcher};
use super::engine::lock;
use super::rows::transcript_path;
use crate::client::RecorderSource;
use crate::run::RunEvent;
use crate::transcript::{About, Budget, Live, Record, Recorder, Redactor};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::mpsc;

/// Makes the recorders of a check and remembers their files.
pub(super) struct Recorders {
    folder: Option<PathBuf>,
    redactor: Redactor,
    watcher: Option<Watcher>,
    budget: Budget,
    events: mpsc::UnboundedSender<RunEvent>,
    next: AtomicU32,
    /// Conversations that nobody speaks of any more are forgotten.
    files: Mutex<Vec<(Weak<Recorder>, PathBuf)>>,
}

impl Recorders {
    pub(super) fn new(config: &CheckConfig, events: mpsc::UnboundedSender<RunEvent>) -> Self {
        let (secrets, headers) = &config.secrets;
        Self {
            folder: config.transcripts.clone(),
            redactor: Redactor::new(secrets.iter().cloned(), headers),
            watcher: config.watcher.clone(),
            budget: Budget::default(),
            events,
            next: AtomicU32::new(1),
            files: Mutex::default(),
        }
    }

    /// The file of a conversation, relative to the run's folder.
    pub(super) fn file(&self, recorder: &Arc<Recorder>) -> Option<String> {
        let files = lock(&self.files);
        let (_, path) = files.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(recorder))?;
        transcript_path(path)
    }
}

impl RecorderSource for Recorders {
    fn recorder(&self, about: About) -> Arc<Recorder> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.as_ref().map(|folder| {
            let revision = about.revision.map_or("any", |revision| revision.as_str());
            let transport = about.transport.as_str().replace('+', "-");
            folder.join(format!("{number:03}-{transport}-{revision}.transcript.jsonl"))
        });
        let event =
            path.as_deref().and_then(transcript_path).zip(about.revision).map(|(transcript, revision)| {
                RunEvent::Conversation {
                    transcript,
                    revision,
                    transport: about.transport,
                    purpose: about.purpose.clone(),
                }
            });
        let live = self.watcher.clone().map(|watcher| {
            let about = about.clone();
            let live: Live = Arc::new(move |record: &Record, redactor: &Redactor| {
                watcher(number, &about, record, redactor);
            });
            live
        });
        let recorder =
            Arc::new(Recorder::new(about, path.as_deref(), self.redactor.clone(), self.budget.clone(), live));
        if let Some(path) = path {
            lock(&self.files).push((Arc::downgrade(&recorder), path));
        }
        if let Some(event) = event {
            let _ = self.events.send(event);
        }
        recorder
    }
}
