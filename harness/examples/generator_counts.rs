//! Makes values for many schemas and judges each with a validator of its own: valid values, the boundary walk and near
//! misses; prints how many of each there were, what was given up, and how fast it went.
//!
//! `cargo run --release --example generator_counts -- SCHEMAS.json [VALUES]`: the file is a JSON list of objects with
//! `name` and `schema`; VALUES is how many values are made in all, by default 1 000 000. Exit code 1 where a promise broke.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mcprove::generate::{Dialect, GenerateError, Mode, Seeded, Targets, ValueGenerator};
use serde_json::Value;

const MODES: [Mode; 3] = [Mode::Varied, Mode::Plausible, Mode::Minimal];
/// The first round makes this many valid values for each schema.
const FIRST: u64 = 12;
/// A seed that goes with minimal values.
const FIRST_MINIMAL: u64 = 2;

#[derive(Default)]
struct Counts {
    schemas: u64,
    refused: BTreeMap<String, u64>,
    unsatisfiable: u64,
    gave_up: Vec<String>,
    incomplete: u64,
    valid: u64,
    edges: u64,
    edges_none: u64,
    keywords: u64,
    keywords_reached: u64,
    unreached: BTreeMap<String, u64>,
    misses: u64,
    breakable: u64,
    broken: u64,
    unbroken: BTreeMap<String, u64>,
    time: [Duration; 3],
    slowest: (Duration, String),
    wrong: Vec<String>,
}

struct Subject {
    name: String,
    generator: ValueGenerator,
    judge: jsonschema::Validator,
    breakable: Targets,
    /// Whether a near miss of the target was found at first.
    can: Vec<bool>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().map(std::fs::read).and_then(Result::ok).unwrap_or_default();
    let Ok(Value::Array(entries)) = serde_json::from_slice(&text) else {
        eprintln!("usage: generator_counts SCHEMAS.json [VALUES]");
        return ExitCode::from(2);
    };
    let wanted = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000_u64);
    let mut counts = Counts::default();
    let mut subjects: Vec<Subject> =
        entries.into_iter().filter_map(|entry| first_round(entry, &mut counts)).collect();
    let mut seed = 1000;
    while counts.valid + counts.edges + counts.misses < wanted && !subjects.is_empty() {
        for subject in &mut subjects {
            further(subject, seed, &mut counts);
            seed += 1;
        }
    }
    counts.print();
    if counts.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn first_round(entry: Value, counts: &mut Counts) -> Option<Subject> {
    let name = entry["name"].as_str().unwrap_or("?").to_owned();
    let schema = entry["schema"].clone();
    counts.schemas += 1;
    let began = Instant::now();
    let mut generator = match ValueGenerator::new(schema.clone()) {
        Ok(generator) => generator,
        Err(error) => {
            let kind = error.to_string().split(':').next().unwrap_or_default().to_owned();
            *counts.refused.entry(kind).or_default() += 1;
            println!("refused {name}: {error}");
            return None;
        }
    };
    let formats =
        matches!(Dialect::declared(&schema), Ok(Some(Dialect::Draft4 | Dialect::Draft6 | Dialect::Draft7)));
    let judge = jsonschema::options().offline().should_validate_formats(formats).build(&schema).ok()?;
    match generator.value(Mode::Varied, &mut Seeded::new(0)) {
        Ok(_) => {}
        Err(GenerateError::Unsatisfiable) => {
            counts.unsatisfiable += 1;
            return None;
        }
        Err(_) => {
            counts.gave_up.push(name);
            return None;
        }
    }
    let began_walk = Instant::now();
    let targets = generator.edges();
    counts.incomplete += u64::from(!targets.complete);
    let mut reached: BTreeMap<(String, String), bool> = BTreeMap::new();
    let walk: Vec<_> = generator.boundary_walk().collect();
    for (target, made) in walk {
        let key = (target.schema_path.clone(), target.keyword.clone());
        let known = reached.entry(key).or_default();
        match made {
            Ok(value) => {
                counts.edges += 1;
                *known = true;
                if !judge.is_valid(&value) {
                    counts.wrong.push(format!("edge {name} {target:?}: {value}"));
                }
            }
            Err(_) => counts.edges_none += 1,
        }
    }
    counts.time[1] += began_walk.elapsed();
    counts.keywords += reached.len() as u64;
    for ((path, keyword), done) in reached {
        if done {
            counts.keywords_reached += 1;
        } else {
            *counts.unreached.entry(keyword.clone()).or_default() += 1;
            println!("unreached {name}: {keyword} at {path}");
        }
    }
    let breakable = generator.breakable();
    let can = vec![true; breakable.list.len()];
    let mut subject = Subject { name, generator, judge, breakable, can };
    for index in 0..subject.can.len() {
        counts.breakable += 1;
        if near_miss(&mut subject, index, FIRST_MINIMAL, counts) {
            counts.broken += 1;
        } else {
            subject.can[index] = false;
            let target = &subject.breakable.list[index];
            *counts.unbroken.entry(target.keyword.clone()).or_default() += 1;
            println!(
                "unbroken {}: {} {} at {}",
                subject.name, target.keyword, target.detail, target.schema_path
            );
        }
    }
    for seed in 0..FIRST {
        valid(&mut subject, seed, counts);
    }
    let took = began.elapsed();
    if took > counts.slowest.0 {
        counts.slowest = (took, subject.name.clone());
    }
    Some(subject)
}

fn further(subject: &mut Subject, seed: u64, counts: &mut Counts) {
    for more in 0..8 {
        valid(subject, seed * 8 + more, counts);
    }
    let able: Vec<usize> = (0..subject.can.len()).filter(|index| subject.can[*index]).collect();
    if able.is_empty() {
        return;
    }
    let index = able[seed as usize % able.len()];
    for more in 0..4 {
        near_miss(subject, index, seed * 4 + more, counts);
    }
}

fn valid(subject: &mut Subject, seed: u64, counts: &mut Counts) {
    let began = Instant::now();
    let made = subject.generator.value(MODES[seed as usize % 3], &mut Seeded::new(seed));
    counts.time[0] += began.elapsed();
    match made {
        Ok(value) => {
            counts.valid += 1;
            if !subject.judge.is_valid(&value) {
                counts.wrong.push(format!("value {} {seed}: {value}", subject.name));
            }
        }
        Err(error) => counts.gave_up.push(format!("{} seed {seed}: {error}", subject.name)),
    }
}

fn near_miss(subject: &mut Subject, index: usize, seed: u64, counts: &mut Counts) -> bool {
    let target = &subject.breakable.list[index];
    let began = Instant::now();
    let made = subject.generator.near_miss(target, MODES[seed as usize % 3], &mut Seeded::new(seed));
    counts.time[2] += began.elapsed();
    let Ok(value) = made else { return false };
    counts.misses += 1;
    if let Some(wrong) = misfit(&subject.judge, &value, &target.keyword, &target.path) {
        counts.wrong.push(format!("near miss {} {target:?}: {value}: {wrong}", subject.name));
    }
    true
}

/// What else the value breaks; the text of the errors is not looked at, only the standard output of the validator: no
/// unit but the named keyword's, those above its path, and other branches may say that they are not valid.
fn misfit(judge: &jsonschema::Validator, value: &Value, keyword: &str, path: &str) -> Option<String> {
    let errors: Vec<_> = judge.iter_errors(value).collect();
    if errors.is_empty() {
        return Some("it is valid".to_owned());
    }
    errors.iter().find_map(|error| {
        let at = error.instance_path().as_str();
        let place = error.schema_path().as_str();
        let named = place.rsplit('/').take(2).any(|step| step == keyword);
        let own = at == path && (named || error.kind().keyword() == keyword);
        let above = path.starts_with(at) && matches!(error.kind().keyword(), "anyOf" | "oneOf");
        (!own && !above).then(|| format!("{} at `{at}`", error.kind().keyword()))
    })
}

impl Counts {
    fn print(&self) {
        let rate = |n: u64, time: Duration| n as f64 / time.as_secs_f64().max(1e-9);
        println!("schemas           {}", self.schemas);
        println!("  refused         {:?}", self.refused);
        println!("  unsatisfiable   {}", self.unsatisfiable);
        println!("  more than limit {}", self.incomplete);
        println!("  slowest         {:?} {}", self.slowest.0, self.slowest.1);
        println!("valid values      {:>9}  {:>9.0} a second", self.valid, rate(self.valid, self.time[0]));
        println!("boundary values   {:>9}  {:>9.0} a second", self.edges, rate(self.edges, self.time[1]));
        println!("  edges without   {}", self.edges_none);
        println!(
            "  keywords        {} of {} reached, not: {:?}",
            self.keywords_reached, self.keywords, self.unreached
        );
        println!("near misses       {:>9}  {:>9.0} a second", self.misses, rate(self.misses, self.time[2]));
        println!(
            "  targets         {} of {} broken alone, not: {:?}",
            self.broken, self.breakable, self.unbroken
        );
        println!("gave up           {}", self.gave_up.len());
        self.gave_up.iter().take(60).for_each(|name| println!("  {name}"));
        println!("broken promises   {}", self.wrong.len());
        self.wrong
            .iter()
            .take(40)
            .for_each(|text| println!("  {}", text.chars().take(700).collect::<String>()));
    }
}
