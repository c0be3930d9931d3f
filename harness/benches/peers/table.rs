//! The figures as a table, and what is demanded of them.

use crate::{Contestant, Figures, Wire};

/// The most memory that our server may hold when idle, in MiB.
const IDLE_MIB: f64 = 20.0;
/// How many times better than a peer our server has to be, by CPU time a call and by rate at many in flight.
const BETTER: [(&str, f64); 4] = [("rmcp", 1.5), ("rmcp-single", 1.5), ("typescript", 5.0), ("python", 5.0)];
/// The least part of the minimal server's rate at one in flight.
const OF_MINIMAL: f64 = 0.9;

impl Figures {
    /// Microseconds of CPU time a call, with many in flight.
    fn cpu(&self) -> f64 {
        self.cpu_at_many.as_secs_f64() * 1e6 / self.calls_at_many as f64
    }

    /// Calls a second with many in flight.
    fn rate_at_many(&self) -> f64 {
        self.calls_at_many as f64 / self.wall_at_many.as_secs_f64()
    }

    /// Calls a second with one in flight: the median of the slices, as a slice in which another process of the machine
    /// had the second core says nothing about the server.
    fn rate_at_one(&self) -> f64 {
        let mut rates = self.rates_at_one.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    fn idle_mib(&self) -> f64 {
        self.idle_bytes as f64 / f64::from(1 << 20)
    }
}

fn figures<'a>(contestants: &'a [Contestant], wire: Wire, name: &str) -> Option<&'a Figures> {
    let found = contestants.iter().find(|contestant| contestant.wire == wire && contestant.peer.name == name);
    found.map(|contestant| &contestant.figures)
}

/// One line a server; behind each figure, how many times better ours is.
pub(crate) fn print(wire: Wire, contestants: &[Contestant]) {
    let Some(ours) = figures(contestants, wire, "mcprove") else {
        return;
    };
    println!(
        "\n{:<12}{:>17}{:>21}{:>21}{:>17}",
        format!("{wire:?}"),
        "CPU µs/call",
        "calls/s, 64 at once",
        "calls/s, 1 at once",
        "idle MiB"
    );
    for contestant in contestants.iter().filter(|contestant| contestant.wire == wire) {
        let theirs = &contestant.figures;
        println!(
            "{:<12}{:>9.2} {:>6.2}×{:>13.0} {:>6.2}×{:>13.0} {:>6.2}×{:>9.1} {:>6.2}×",
            contestant.peer.name,
            theirs.cpu(),
            theirs.cpu() / ours.cpu(),
            theirs.rate_at_many(),
            ours.rate_at_many() / theirs.rate_at_many(),
            theirs.rate_at_one(),
            ours.rate_at_one() / theirs.rate_at_one(),
            theirs.idle_mib(),
            theirs.idle_mib() / ours.idle_mib(),
        );
    }
}

/// Says what is demanded and what is; whether all demands are met.
pub(crate) fn judge(contestants: &[Contestant]) -> bool {
    let mut met = true;
    let mut hold = |good: bool, what: String| {
        println!("{}  {what}", if good { "good  " } else { "MISSED" });
        met &= good;
    };
    println!();
    for wire in [Wire::Stdio, Wire::Http] {
        let Some(ours) = figures(contestants, wire, "mcprove") else {
            continue;
        };
        for (name, demanded) in BETTER {
            if let Some(theirs) = figures(contestants, wire, name) {
                let cpu = theirs.cpu() / ours.cpu();
                hold(
                    cpu >= demanded,
                    format!("{wire:?}: CPU a call: {name} / ours {cpu:.2}, at least {demanded}"),
                );
                let rate = ours.rate_at_many() / theirs.rate_at_many();
                hold(
                    rate >= demanded,
                    format!("{wire:?}: rate at 64: ours / {name} {rate:.2}, at least {demanded}"),
                );
            }
        }
        if let Some(minimal) = figures(contestants, wire, "minimal") {
            let part = ours.rate_at_one() / minimal.rate_at_one();
            hold(
                part >= OF_MINIMAL,
                format!("{wire:?}: rate at 1: ours / minimal {part:.2}, at least {OF_MINIMAL}"),
            );
        }
        let idle = ours.idle_mib();
        hold(idle < IDLE_MIB, format!("{wire:?}: idle memory {idle:.1} MiB, under {IDLE_MIB}"));
    }
    met
}
