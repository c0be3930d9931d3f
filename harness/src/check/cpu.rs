//! How much CPU time the harness itself has used.

use std::time::Duration;

/// CPU time of this process in milliseconds, without its children; `None` where the system does not tell.
pub(super) fn own() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // USER_HZ is 100 on every Linux that has /proc.
    Some(u64::try_from(Duration::from_millis(ticks * 10).as_millis()).unwrap_or(u64::MAX))
}
