//! What is drawn from a run, one file per format. Reporters consume run events and nothing else, so that a live run
//! and one read back look the same.

mod conversation;
mod digest;
#[cfg(feature = "cli")]
mod html;
mod json;
#[cfg(feature = "cli")]
mod progress;
mod replay;
mod reporter;
mod style;
mod terminal;
mod text;

pub use conversation::{ShowOptions, Teller};
#[cfg(feature = "cli")]
pub use html::{Html, HtmlError, render as render_html};
pub use json::Json;
#[cfg(feature = "cli")]
pub use progress::Progress;
pub use replay::{render_difference, render_replay};
pub use reporter::{DrawError, Reporter, draw};
pub use terminal::{Terminal, TerminalOptions, render as render_terminal, render_result};
pub use text::{visible, wrap};
