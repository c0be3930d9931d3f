//! What is known of the pages that a server asked its user to visit: their ids, and which interactions it said are over
//! (2025-11-25, client/elicitation#url-mode-elicitation-requests).

use crate::client::Wish;
use crate::protocol::{Kind, Message};
use crate::transcript::Record;
use serde_json::Value;
use std::collections::HashMap;

/// How many pages and notices of completion are kept.
const KEPT: usize = 2000;
/// The code of the error that names pages to be visited first.
pub(super) const REQUIRED: i64 = -32042;

/// The pages of a conversation.
#[derive(Debug, Default)]
pub struct Elicited {
    /// By `elicitationId`.
    pages: HashMap<String, Page>,
    /// Ids that came again for something else.
    pub again: Vec<Again>,
    /// Notices that an interaction is over: the id, if it is a string, and the event.
    pub completed: Vec<(Option<String>, u64)>,
}

#[derive(Debug)]
struct Page {
    url: Option<String>,
    over: bool,
}

/// An id that came again for something else.
#[derive(Debug, Clone)]
pub struct Again {
    /// The id.
    pub id: String,
    /// The event.
    pub seq: u64,
    /// Whether the interaction that it had stood for was over, by the server's own word.
    pub after_completion: bool,
}

impl Elicited {
    /// How many ids there were.
    pub fn count(&self) -> usize {
        self.pages.len()
    }

    /// Whether an id was given out.
    pub fn knows(&self, id: &str) -> bool {
        self.pages.contains_key(id)
    }

    /// Whether more may have come than is kept.
    pub fn overflows(&self) -> bool {
        self.pages.len() >= KEPT
    }

    pub(super) fn note(&mut self, record: &Record, message: &Message) {
        match (message.kind(), message.method()) {
            (Kind::Request, Some(method)) if Wish::of(method, message.params()) == Some(Wish::Url) => {
                self.page(record.seq, message.params().unwrap_or(&Value::Null));
            }
            (Kind::Error, _) if message.error_code() == Some(REQUIRED) => {
                let list = message.error().and_then(|error| error.pointer("/data/elicitations")?.as_array());
                list.into_iter().flatten().take(100).for_each(|page| self.page(record.seq, page));
            }
            (Kind::Notification, Some("notifications/elicitation/complete"))
                if self.completed.len() < KEPT =>
            {
                let id = message.params().and_then(|params| params.get("elicitationId")?.as_str());
                if let Some(page) = id.and_then(|id| self.pages.get_mut(id)) {
                    page.over = true;
                }
                self.completed.push((id.map(str::to_owned), record.seq));
            }
            _ => {}
        }
    }

    fn page(&mut self, seq: u64, params: &Value) {
        let Some(id) = params.get("elicitationId").and_then(Value::as_str) else { return };
        let url = params.get("url").and_then(Value::as_str).map(str::to_owned);
        if let Some(known) = self.pages.get_mut(id) {
            if known.over || known.url != url {
                let after_completion = known.over;
                *known = Page { url, over: false };
                if self.again.len() < KEPT {
                    self.again.push(Again { id: id.to_owned(), seq, after_completion });
                }
            }
        } else if self.pages.len() < KEPT {
            self.pages.insert(id.to_owned(), Page { url, over: false });
        }
    }
}
