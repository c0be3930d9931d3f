//! Properties: what must hold whatever a tool is called with. Cases are drawn from what the server says of itself, by a
//! seed; what they show is tried again where nothing else has happened, and made as small as it can be.

mod case;
mod draw;
mod found;
mod hunt;
mod judge;
mod perform;
mod pool;
mod shrinking;
mod spice;
mod stand;
mod subject;
mod tries;

pub use case::{Call, Case, Manner, Spelling};
pub use draw::{Drawer, Turn};
pub use found::{Found, Report};
pub use hunt::{DEFAULT_CASES, Plan, hunt};
pub use judge::{
    AGAIN, ANSWERED, ECHO, MISS_ERROR, OUTPUT, PAST, REFUSED, Rules, SPELLING, Shown, changes, compared,
    depends_on_spelling, each, occurrences,
};
pub use perform::{Undone, is_silent_alone, perform};
pub use pool::Pool;
pub use shrinking::fits;
pub use stand::{Answered, Stand};
pub use subject::{Subject, What};
pub use tries::{Tried, Tries, Unreachable};
