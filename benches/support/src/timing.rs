//! Contestants take turns; what is told is the ratio of their shortest times.

use std::fmt;
use std::time::{Duration, Instant};

/// How long one turn lasts at least: long against a tick of 5 ms and against the clock.
const TURN: Duration = Duration::from_millis(20);

/// A ratio of two contestants' times.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    value: f64,
    min: f64,
    max: f64,
}

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
    /// Nothing is asked; the number is told.
    Stated,
}

/// The shortest times of one pair, per piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The first contestant's.
    pub first: Duration,
    /// The second one's.
    pub second: Duration,
    /// `first / second`.
    pub ratio: Ratio,
}

/// Times two contestants in turns, each turn many pieces of work.
pub fn in_turns(rounds: usize, first: &mut dyn FnMut(), second: &mut dyn FnMut()) -> Pair {
    let (pieces_first, pieces_second) = (pieces(first), pieces(second));
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds.max(1) {
        // Who begins takes turns too.
        let pair = if round % 2 == 0 {
            let one = turn(pieces_first, first);
            (one, turn(pieces_second, second))
        } else {
            let two = turn(pieces_second, second);
            (turn(pieces_first, first), two)
        };
        pairs.push(pair);
    }
    let shortest = |pick: fn(&(Duration, Duration)) -> Duration| pairs.iter().map(pick).min().unwrap_or_default();
    let (first, second) = (shortest(|pair| pair.0), shortest(|pair| pair.1));
    let ratios = pairs.iter().map(|(one, two)| one.as_secs_f64() / two.as_secs_f64());
    let (min, max) = ratios.fold((f64::INFINITY, 0.0_f64), |(min, max), ratio| (min.min(ratio), max.max(ratio)));
    Pair { first, second, ratio: Ratio { value: first.as_secs_f64() / second.as_secs_f64(), min, max } }
}

/// The shortest time of one contestant alone.
pub fn shortest(rounds: usize, work: &mut dyn FnMut()) -> Duration {
    let pieces = pieces(work);
    (0..rounds.max(1)).map(|_| turn(pieces, work)).min().unwrap_or_default()
}

/// How many pieces fill a turn. The first ones also warm caches up.
fn pieces(work: &mut dyn FnMut()) -> u32 {
    let mut pieces = 1;
    loop {
        let time = turn(pieces, work) * pieces;
        if time >= TURN || pieces >= 1 << 24 {
            return pieces;
        }
        pieces *= 2;
    }
}

/// The time of one piece of work, over so many.
fn turn(pieces: u32, work: &mut dyn FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..pieces {
        work();
    }
    begin.elapsed() / pieces
}

impl Ratio {
    /// A ratio that was measured elsewhere, once.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self { value, min: value, max: value }
    }

    /// Of what two contestants had in each round, the middle one of the first's to the middle one of the second's; the range is
    /// that of the rounds.
    #[must_use]
    pub fn of_medians(rounds: &[(f64, f64)]) -> Self {
        let sorted = |values: &mut dyn Iterator<Item = f64>| {
            let mut values: Vec<f64> = values.collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let middle = |values: Vec<f64>| values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        let first = middle(sorted(&mut rounds.iter().map(|round| round.0)));
        let second = middle(sorted(&mut rounds.iter().map(|round| round.1)));
        let ratios = sorted(&mut rounds.iter().map(|(first, second)| first / second));
        let end = |ratio: Option<&f64>| ratio.copied().unwrap_or(f64::NAN);
        Self { value: first / second, min: end(ratios.first()), max: end(ratios.last()) }
    }

    /// The ratio upside down.
    #[must_use]
    pub fn inverse(self) -> Self {
        self.scaled_inverse(1.0)
    }

    /// `factor / ratio`.
    #[must_use]
    pub fn scaled_inverse(self, factor: f64) -> Self {
        Self { value: factor / self.value, min: factor / self.max, max: factor / self.min }
    }

    /// Prints `NAME value [min–max] bar`.
    pub fn print(self, name: &str, bar: Bar) {
        // What is far below one has digits all the same.
        let digits = if self.value < 0.1 { 4 } else { 2 };
        println!("{name} {:.digits$} [{:.digits$}–{:.digits$}] {bar}", self.value, self.min, self.max);
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bar) => write!(f, "≤ {bar}"),
            Self::AtLeast(bar) => write!(f, "≥ {bar}"),
            Self::Stated => f.write_str("stated"),
        }
    }
}
