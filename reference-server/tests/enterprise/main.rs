//! The enterprise profile: who sees what, what is asked, what is written down, and what comes in. `faults.rs` shows that these
//! tests fail where they should.
#![cfg(feature = "enterprise")]
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod approval;
#[cfg(unix)]
mod audit;
mod changes;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod files;
mod hygiene;
mod masking;
