//! A conversation as a program: steps that refer to each other, some of them together.

use super::mutation::cut;
use super::offered::Listing;
use crate::protocol::Era;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;

/// Steps of a client, done one after the other: each step begins when the answers of the one before have come. The first
/// one is done in a conversation that is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// One thing.
    One(Act),
    /// Several things that are sent in this order without waiting for any answer in between, at least two.
    Together(Vec<Act>),
}

/// One thing that a client does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// By what others refer to it; no two have the same.
    pub id: u32,
    /// What it is.
    #[serde(flatten)]
    pub action: Action,
}

/// What a client can do. `of` and `after` name an earlier [`Act`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Asks for the harmless thing of the era: `ping`, or `server/discover`.
    Ping,
    /// Calls a tool.
    Call {
        /// The tool.
        tool: String,
        /// Its arguments.
        arguments: Value,
    },
    /// Reads a resource.
    Read {
        /// The resource.
        uri: String,
    },
    /// Gets a prompt.
    Get {
        /// The prompt.
        prompt: String,
        /// Its arguments.
        arguments: Value,
    },
    /// Gets a page of a list.
    List {
        /// The list.
        list: Listing,
        /// The page before it, whose answer has the cursor; the first page without. Where that answer has no cursor there
        /// is nothing to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u32>,
    },
    /// Subscribes to a resource (legacy era).
    Subscribe {
        /// The resource.
        uri: String,
    },
    /// Opens a subscription stream (modern era).
    Listen {
        /// What for.
        filter: Filter,
    },
    /// Ends a subscription: by `resources/unsubscribe`, or by cancelling or closing the stream.
    Unsubscribe {
        /// The subscription.
        of: u32,
    },
    /// Cancels a request of the same connection; most often it is answered by then, unless both are in one group.
    Cancel {
        /// The request.
        of: u32,
    },
    /// Sends a request once more, with another id; also after the connection was closed.
    Retry {
        /// The request.
        of: u32,
    },
    /// Closes the connection, whatever is on its way.
    Disconnect,
    /// Opens another one.
    Reconnect,
}

/// What a subscription stream is for (2026-07-28, basic/patterns/subscriptions).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Changes of the list of tools.
    #[serde(default)]
    pub tools: bool,
    /// Changes of the list of prompts.
    #[serde(default)]
    pub prompts: bool,
    /// Changes of the list of resources.
    #[serde(default)]
    pub resources: bool,
    /// Changes of these resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
}

impl Filter {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        !(self.tools || self.prompts || self.resources) && self.uris.is_empty()
    }

    /// Whether the other one asks for nothing that this one does not.
    pub fn covers(&self, other: &Self) -> bool {
        (self.tools || !other.tools)
            && (self.prompts || !other.prompts)
            && (self.resources || !other.resources)
            && other.uris.iter().all(|uri| self.uris.contains(uri))
    }

    /// As `notifications` of `subscriptions/listen`.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        for (name, wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if wanted {
                members.insert(name.to_owned(), Value::Bool(true));
            }
        }
        if !self.uris.is_empty() {
            members.insert("resourceSubscriptions".to_owned(), json!(self.uris));
        }
        Value::Object(members)
    }
}

impl Action {
    /// The act that it refers to.
    pub fn refers_to(&self) -> Option<u32> {
        match self {
            Self::Unsubscribe { of } | Self::Cancel { of } | Self::Retry { of } => Some(*of),
            Self::List { after, .. } => *after,
            _ => None,
        }
    }

    /// Whether it is a request that is answered by itself, so that it can be cancelled and sent again.
    pub fn is_request(&self) -> bool {
        matches!(
            self,
            Self::Ping | Self::Call { .. } | Self::Read { .. } | Self::Get { .. } | Self::List { .. }
        )
    }
}

impl Step {
    /// What is done in it, in order.
    pub fn acts(&self) -> &[Act] {
        match self {
            Self::One(act) => std::slice::from_ref(act),
            Self::Together(acts) => acts,
        }
    }
}

impl Program {
    /// Everything that is done, in order.
    pub fn acts(&self) -> impl Iterator<Item = &Act> {
        self.steps.iter().flat_map(Step::acts)
    }

    /// What an id refers to.
    pub fn act(&self, id: u32) -> Option<&Act> {
        self.acts().find(|act| act.id == id)
    }

    /// The act that a chain of retries goes back to; `None` where it does not end.
    pub fn origin(&self, id: u32) -> Option<&Act> {
        let mut act = self.act(id)?;
        for _ in 0..=self.acts().count() {
            match act.action {
                Action::Retry { of } => act = self.act(of)?,
                _ => return Some(act),
            }
        }
        None
    }

    /// The request that an act is, as method and parameters (without those that every request of the era has). `cursor` is
    /// that of the page before, for a list. `None` for what is no request: cancelling, and what opens and closes.
    pub fn request(&self, id: u32, era: Era, cursor: Option<&str>) -> Option<(&'static str, Value)> {
        let by_uri = |uri: &str| json!({ "uri": uri });
        Some(match &self.origin(id)?.action {
            Action::Ping if era == Era::Modern => ("server/discover", json!({})),
            Action::Ping => ("ping", json!({})),
            Action::Call { tool, arguments } => ("tools/call", json!({"name": tool, "arguments": arguments})),
            Action::Read { uri } => ("resources/read", by_uri(uri)),
            Action::Get { prompt, arguments } => {
                ("prompts/get", json!({"name": prompt, "arguments": arguments}))
            }
            Action::List { list, .. } => {
                (list.method(), cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor })))
            }
            Action::Subscribe { uri } => ("resources/subscribe", by_uri(uri)),
            Action::Listen { filter } => {
                ("subscriptions/listen", json!({"notifications": filter.to_value()}))
            }
            Action::Unsubscribe { of } => match &self.act(*of)?.action {
                Action::Subscribe { uri } => ("resources/unsubscribe", by_uri(uri)),
                _ => return None,
            },
            Action::Retry { .. } | Action::Cancel { .. } | Action::Disconnect | Action::Reconnect => {
                return None;
            }
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => write!(f, "ping"),
            Self::Call { tool, arguments } => write!(f, "call {tool} {}", cut(&arguments.to_string())),
            Self::Read { uri } => write!(f, "read {uri}"),
            Self::Get { prompt, arguments } => write!(f, "get {prompt} {}", cut(&arguments.to_string())),
            Self::List { list, after: None } => write!(f, "{}", list.method()),
            Self::List { list, after: Some(after) } => {
                write!(f, "{}, the page after that of {after}", list.method())
            }
            Self::Subscribe { uri } => write!(f, "subscribe to {uri}"),
            Self::Listen { filter } => write!(f, "listen for {}", cut(&filter.to_value().to_string())),
            Self::Unsubscribe { of } => write!(f, "end the subscription {of}"),
            Self::Cancel { of } => write!(f, "cancel {of}"),
            Self::Retry { of } => write!(f, "send {of} again"),
            Self::Disconnect => write!(f, "disconnect"),
            Self::Reconnect => write!(f, "reconnect"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let indent = match step {
                Step::One(_) => "",
                Step::Together(_) => {
                    writeln!(f, "together:")?;
                    "  "
                }
            };
            for act in step.acts() {
                writeln!(f, "{indent}{}: {}", act.id, act.action)?;
            }
        }
        Ok(())
    }
}
