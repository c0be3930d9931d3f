//! When answers leave: delays that follow a distribution, and a stall. Nothing of it is wrong, only slow.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use crate::chaos::Chaos;
use crate::server::{Config, Server, lock};

/// The longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an answer is held back. Written `20ms`, `uniform:1ms..5ms`, `exp:3ms` (the mean) or `normal:20ms,5ms` (mean
/// and standard deviation; what is below zero counts as zero), with the units `us`, `ms` and `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always the same time.
    Fixed(Duration),
    /// Any time from the first to the second is as likely as any other.
    Uniform(Duration, Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
    /// Normally distributed with this mean and standard deviation.
    Normal(Duration, Duration),
}

/// A time without answers: how long after the first message it begins, and how long it takes. Written `4s+2s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// From the first message to the beginning.
    pub after: Duration,
    /// From the beginning to the end.
    pub length: Duration,
}

/// A text that is no [`Delay`] or [`Stall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPace(String);

impl fmt::Display for InvalidPace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for InvalidPace {}

fn time(text: &str) -> Result<Duration, InvalidPace> {
    let wrong = || InvalidPace(format!("{text:?} is no time up to a day, such as 20ms, 1.5s or 300us"));
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err(wrong()),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = digits.parse::<f64>().map_err(|_| wrong())? * unit;
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    if time <= LONGEST { Ok(time) } else { Err(wrong()) }
}

impl FromStr for Delay {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, InvalidPace> {
        let Some((name, parameters)) = text.split_once(':') else {
            return Ok(Self::Fixed(time(text)?));
        };
        let two = |separator: &str| {
            let both = parameters.split_once(separator);
            let (a, b) = both.ok_or_else(|| {
                InvalidPace(format!("{name} needs two times with {separator:?} between them"))
            })?;
            Ok((time(a)?, time(b)?))
        };
        match name {
            "uniform" => match two("..")? {
                (from, to) if from <= to => Ok(Self::Uniform(from, to)),
                _ => Err(InvalidPace("uniform needs the shorter time first".to_owned())),
            },
            "exp" => Ok(Self::Exponential(time(parameters)?)),
            "normal" => two(",").map(|(mean, deviation)| Self::Normal(mean, deviation)),
            _ => Err(InvalidPace(format!("{name:?} is no distribution: write uniform, exp or normal"))),
        }
    }
}

impl FromStr for Stall {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, InvalidPace> {
        let both = text.split_once('+');
        let (after, length) = both.ok_or_else(|| {
            InvalidPace("write when it begins and how long it takes, such as 4s+2s".to_owned())
        })?;
        Ok(Self { after: time(after)?, length: time(length)? })
    }
}

impl Delay {
    fn draw(self, random: &mut impl RngExt) -> Duration {
        let seconds = match self {
            Self::Fixed(time) => return time,
            Self::Uniform(from, to) => random.random_range(from.as_secs_f64()..=to.as_secs_f64()),
            Self::Exponential(mean) => -mean.as_secs_f64() * unit(random).ln(),
            Self::Normal(mean, deviation) => {
                // Box and Muller's way from two uniform numbers to a normal one.
                let radius = (-2.0 * unit(random).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * unit(random)).cos();
                mean.as_secs_f64() + normal * deviation.as_secs_f64()
            }
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
    }
}

/// A number above 0, up to 1, so that it has a logarithm.
fn unit(random: &mut impl RngExt) -> f64 {
    1.0 - random.random::<f64>()
}

/// What holds answers back.
pub(crate) struct Pace {
    delay: Option<Delay>,
    stall: Option<Stall>,
    chaos: Option<Chaos>,
    random: Mutex<ChaCha8Rng>,
    first_message: OnceLock<Instant>,
}

impl Pace {
    /// None where nothing is held back.
    pub(crate) fn new(config: &Config) -> Option<Box<Self>> {
        let Config { delay, stall, chaos, .. } = config;
        let any = delay.is_some() || stall.is_some() || chaos.is_some();
        any.then(|| {
            Box::new(Self {
                delay: *delay,
                stall: *stall,
                chaos: chaos.map(Chaos::new),
                random: Mutex::new(ChaCha8Rng::seed_from_u64(chaos.unwrap_or_default())),
                first_message: OnceLock::new(),
            })
        })
    }

    pub(crate) fn chaos(&self) -> Option<&Chaos> {
        self.chaos.as_ref()
    }

    /// Notes that there are messages now.
    fn begin(&self) {
        self.first_message.get_or_init(Instant::now);
    }

    /// How long an answer may be held back, within reason: nobody waits longer for the last ones.
    pub(crate) fn longest(&self) -> Duration {
        /// So many times the mean, or the deviation from it, is as good as never exceeded.
        const FAR: u32 = 10;
        const WITHIN_REASON: Duration = Duration::from_secs(60);
        let delay = match self.delay {
            None => Duration::ZERO,
            Some(Delay::Fixed(time) | Delay::Uniform(_, time)) => time,
            Some(Delay::Exponential(mean)) => mean.saturating_mul(FAR),
            Some(Delay::Normal(mean, deviation)) => mean.saturating_add(deviation.saturating_mul(FAR)),
        };
        let stall = self.stall.map_or(Duration::ZERO, |stall| stall.length);
        delay.saturating_add(stall).min(WITHIN_REASON)
    }

    async fn pause(&self, answer: &str) {
        let delay = self.delay.map(|delay| delay.draw(&mut *lock(&self.random)));
        let chaos = self.chaos.as_ref().map(|chaos| chaos.delay(answer));
        tokio::time::sleep(delay.unwrap_or_default() + chaos.unwrap_or_default()).await;
        if let (Some(stall), Some(first)) = (self.stall, self.first_message.get()) {
            let begins = *first + stall.after;
            let ends = begins + stall.length;
            if (begins..ends).contains(&Instant::now()) {
                tokio::time::sleep_until(ends).await;
            }
        }
    }
}

/// Holds an answer back for as long as it is due; not at all in the usual server.
pub(crate) async fn pause(server: &Server, answer: &str) {
    if let Some(pace) = server.pace() {
        pace.begin();
        pace.pause(answer).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Delay, LONGEST, Stall};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn distributions_are_read() {
        for (text, delay) in [
            ("20ms", Delay::Fixed(20 * MS)),
            ("0.5s", Delay::Fixed(500 * MS)),
            ("300us", Delay::Fixed(MS * 3 / 10)),
            ("uniform:1ms..5ms", Delay::Uniform(MS, 5 * MS)),
            ("uniform:1.5ms..5ms", Delay::Uniform(MS * 3 / 2, 5 * MS)),
            ("exp:3ms", Delay::Exponential(3 * MS)),
            ("normal:20ms,5ms", Delay::Normal(20 * MS, 5 * MS)),
        ] {
            assert_eq!(text.parse(), Ok(delay), "{text}");
        }
        for text in ["", "20", "ms", "-1ms", "+1ms", "1h", "NaNs", "infs", "1e9s", "uniform:5ms..1ms"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
        for text in ["uniform:1ms", "normal:1ms", "exp:", "gamma:1ms", "exp:1ms,2ms", "1ms:2ms", "20ms "] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }

    #[test]
    fn stalls_are_read() {
        let stall = Stall { after: 4000 * MS, length: 2000 * MS };
        assert_eq!("4s+2s".parse(), Ok(stall));
        for text in ["4s", "4s+", "+2s", "4s+2s+1s", "4s-2s"] {
            assert!(text.parse::<Stall>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_drawn_has_the_mean_that_was_asked_for() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for delay in
            [Delay::Uniform(MS, 39 * MS), Delay::Exponential(20 * MS), Delay::Normal(20 * MS, 5 * MS)]
        {
            let sum: Duration = (0..4000).map(|_| delay.draw(&mut random)).sum();
            let mean = sum / 4000;
            assert!((19 * MS..21 * MS).contains(&mean), "{delay:?}: {mean:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}", number in any::<f64>()) {
            let _ = (text.parse::<Delay>(), text.parse::<Stall>());
            for text in [format!("{number}ms"), format!("exp:{number}s"), format!("uniform:0s..{number}us")] {
                if let Ok(Delay::Fixed(time) | Delay::Exponential(time) | Delay::Uniform(_, time)) = text.parse() {
                    prop_assert!(time <= LONGEST);
                }
            }
        }

        #[test]
        fn whole_times_come_back(after in 0_u32..80_000_000, length in 0_u32..80_000_000) {
            let stall: Stall = format!("{after}us+{length}ms").parse().unwrap();
            prop_assert_eq!(stall.after.as_micros(), u128::from(after));
            prop_assert_eq!(stall.length.as_millis(), u128::from(length));
        }

        #[test]
        fn draws_stay_in_bounds(seed: u64, from in 0_u64..1000, width in 0_u64..1000, mean in 0_u64..1000) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let (from, to) = (Duration::from_micros(from), Duration::from_micros(from + width));
            let drawn = Delay::Uniform(from, to).draw(&mut random);
            prop_assert!(drawn + Duration::from_nanos(1) >= from && drawn <= to + Duration::from_nanos(1));
            let mean = Duration::from_micros(mean);
            prop_assert!(Delay::Exponential(mean).draw(&mut random) <= mean * 40);
            prop_assert!(Delay::Normal(mean, mean).draw(&mut random) <= mean * 40);
        }
    }
}
