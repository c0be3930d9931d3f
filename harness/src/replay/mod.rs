//! Replay: the client's part of a recording is played to a server, and what comes back is compared with what came then.

mod align;
mod bind;
mod compare;
mod difference;
mod generalise;
mod learn;
mod offline;
mod outbound;
mod owners;
mod patch;
mod player;
mod reading;
mod replayed;
mod rules;
mod run;
mod script;
mod split;
#[cfg(test)]
mod testing;
mod translate;

pub(crate) use bind::{Bound, stands_at};
pub use compare::{Mode, compare};
pub use difference::{Difference, Kind, Place};
pub use learn::{LearnError, Learned, learn};
pub use offline::{Unlike, differences};
pub use patch::{PatchError, Patched, patch};
pub use replayed::{Replayed, SessionReplayed};
pub use rules::Rules;
pub use run::{Options, replay};
pub use script::{Expected, Script, ScriptError, Send, Sending, Session};
pub use translate::Untranslated;
