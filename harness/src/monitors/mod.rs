//! Monitors: passive rules over any conversation. A rule reads what happened and says which requirement it bears on;
//! it sends nothing and knows no transport but by its events.

mod ages;
mod answered;
mod asking;
#[cfg(test)]
mod asking_tests;
mod auth;
mod base;
mod base_encoding;
mod base_errors;
mod base_responses;
mod caching;
mod cancellation;
mod capabilities;
mod changes;
mod completion;
mod content;
mod discover;
mod duties;
#[cfg(test)]
mod duties_tests;
mod elicitation;
mod elicitation_forms;
mod elicited;
mod extension_tasks;
mod extension_tasks_input;
#[cfg(test)]
mod extension_tasks_tests;
#[cfg(test)]
mod feature_tests;
mod identity;
mod extension_apps;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_session;
mod http_streams;
mod json_schema;
mod judge;
mod lifecycle;
mod limits;
mod link;
mod logging;
mod meta;
mod mrtr;
mod notices;
mod overhear;
mod ping;
mod progress;
mod question;
mod resources;
mod robustness;
mod rule;
mod sampling;
mod schema;
mod schema_rows;
mod secrets;
mod state;
mod stdio;
mod streams;
mod subscriptions;
mod tallies;
mod task_log;
mod tasks;
mod tasks_related;
mod tasks_status;
#[cfg(test)]
mod tasks_tests;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod tool;
mod tools;
mod versioning;
mod watch;

pub use asking::rows_of;
pub use duties::Duties;
pub use elicited::{Again, Elicited};
pub(crate) use extension_apps::resource_uri as ui_resource_uri;
pub use judge::{Breach, Judge, Tally};
pub use link::{AskedByServer, LinkState, ProcessEnd, Stray};
pub use notices::{Cancelled, Listed, Notices, Progress, Rate, Subscription, token_key};
pub use overhear::{Overheard, Overhearing, Session};
pub use rule::{Monitor, Validity, all, deciding};
pub use state::{Asked, ExchangeTimes, Heard, HttpExchange, Moment, State};
pub use streams::{EventIds, EventStream, SeenId};
pub use task_log::{EXTENSION as TASKS_EXTENSION, RELATED as RELATED_TASK, TaskLog, is_terminal, timestamp};
pub use text::{base64_length, template_variables};
pub use tool::Tool;
pub use watch::Watch;
