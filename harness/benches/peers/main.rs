//! Servers with one and the same `echo` tool, measured side by side: ours, those of three SDKs, and a minimal JSON echo
//! server that knows nothing of the protocol.
//!
//! Run it by `.ci/bench-peers [--check] [--rounds N] [--slice SECONDS] [NAME ...]`. All servers run at the same time;
//! short slices of load go round in an order that is drawn anew each round, so that noise hits all alike. With one call in
//! flight, client and server share a core.

mod load;
mod minimal;
mod server;
mod table;

use load::{Http, Load, Stdio};
use rand::seq::SliceRandom;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use server::{Peer, Running};
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Calls in flight in the slices that measure throughput.
const MANY: usize = 64;
/// Calls whose every answer is read in full before anything is measured.
const VERIFIED: usize = 2000;

type Failure = Box<dyn Error>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wire {
    Stdio,
    Http,
}

/// What was measured on one server over one transport.
#[derive(Default)]
struct Figures {
    calls_at_many: u64,
    wall_at_many: Duration,
    cpu_at_many: Duration,
    /// Calls a second of each slice.
    rates_at_one: Vec<f64>,
    idle_bytes: u64,
}

struct Contestant {
    peer: Peer,
    wire: Wire,
    running: Running,
    load: Load,
    figures: Figures,
}

impl Contestant {
    /// Starts the server, does the handshake and reads many answers in full.
    fn start(peer: Peer, wire: Wire) -> Result<Self, Failure> {
        let (running, mut load) = match wire {
            Wire::Stdio => {
                let (running, stdin, stdout) = Running::on_stdio(&peer)?;
                (running, Load::Stdio(Stdio::new(stdin, stdout)))
            }
            Wire::Http => {
                let (running, port) = Running::on_http(&peer)?;
                (running, Load::Http(Http::new(port)))
            }
        };
        load.shake_hands()?;
        std::thread::sleep(Duration::from_millis(300));
        let figures = Figures { idle_bytes: running.resident_bytes()?, ..Figures::default() };
        load.verify(MANY, VERIFIED)?;
        Ok(Self { peer, wire, running, load, figures })
    }

    fn slice(&mut self, in_flight: usize, slice: Duration) -> Result<(), Failure> {
        let every = sched_getaffinity(None)?;
        let one = first_of(&every);
        if in_flight == 1 {
            sched_setaffinity(None, &one)?;
            self.running.stay_on(&one);
        }
        self.load.open(in_flight)?;
        let before = self.running.cpu_time();
        let began = Instant::now();
        let calls = self.load.run(in_flight, slice)?;
        let wall = began.elapsed();
        if in_flight == 1 {
            sched_setaffinity(None, &every)?;
            self.running.stay_on(&every);
        }
        if in_flight == 1 {
            self.figures.rates_at_one.push(calls as f64 / wall.as_secs_f64());
        } else {
            self.figures.calls_at_many += calls;
            self.figures.wall_at_many += wall;
            self.figures.cpu_at_many += self.running.cpu_time().saturating_sub(before);
        }
        Ok(())
    }
}

/// The first core of a set. With one call in flight client and server take turns: on one core it is their work that is
/// measured, on two it is mostly how long the machine takes to wake a core, which varies more than the servers do.
fn first_of(cores: &CpuSet) -> CpuSet {
    let mut first = CpuSet::new();
    if let Some(core) = (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core)) {
        first.set(core);
    }
    first
}

struct Options {
    check: bool,
    rounds: usize,
    slice: Duration,
    names: Vec<String>,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options =
            Self { check: false, rounds: 21, slice: Duration::from_millis(150), names: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // What cargo adds.
                "--bench" => {}
                "--check" => options.check = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--slice" => options.slice = Duration::try_from_secs_f64(value()?.parse()?)?,
                name if !name.starts_with('-') => options.names.push(name.to_owned()),
                flag => return Err(format!("there is no flag {flag}").into()),
            }
        }
        Ok(options)
    }
}

fn compete(options: &Options) -> Result<bool, Failure> {
    let mut contestants = Vec::new();
    for peer in Peer::all() {
        if !options.names.is_empty() && !options.names.contains(&peer.name.to_owned()) {
            continue;
        }
        if let Some(why) = peer.missing() {
            println!("left out: {}: {why}", peer.name);
            continue;
        }
        for wire in [Wire::Stdio, Wire::Http] {
            let name = peer.name;
            let contestant = Contestant::start(peer.clone(), wire);
            contestants.push(contestant.map_err(|error| format!("{name} over {wire:?}: {error}"))?);
        }
    }
    let plan = contestants.len() as f64 * 2.0 * options.slice.as_secs_f64() * options.rounds as f64;
    // A server that hangs must not hang the bench: its end ends the reading of its answers.
    let pids = contestants.iter().map(|contestant| contestant.running.pid()).collect();
    server::end_after(Duration::from_secs_f64(60.0 + 3.0 * plan), pids);
    let mut turns: Vec<(usize, usize)> =
        (0..contestants.len()).flat_map(|place| [(place, MANY), (place, 1)]).collect();
    for _ in 0..options.rounds {
        turns.shuffle(&mut rand::rng());
        for (place, in_flight) in &turns {
            let contestant = &mut contestants[*place];
            contestant
                .slice(*in_flight, options.slice)
                .map_err(|error| format!("{} over {:?}: {error}", contestant.peer.name, contestant.wire))?;
        }
    }
    for wire in [Wire::Stdio, Wire::Http] {
        table::print(wire, &contestants);
    }
    Ok(table::judge(&contestants))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["minimal"] => minimal::serve_stdio().map_err(Failure::from),
        ["minimal", "http", port] => minimal::serve_http(port),
        _ => Options::read(words.into_iter()).and_then(|options| {
            let good = compete(&options)?;
            if options.check && !good { Err("a demand is missed".into()) } else { Ok(()) }
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}
