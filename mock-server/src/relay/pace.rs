//! When each token of a completion is due.

use std::sync::Arc;
use std::time::Duration;

use rand_pcg::Pcg64Mcg;

use crate::config::Time;
use crate::dist::{self, Distribution};
use crate::draw;

/// When the tokens of a completion are due, as delays from the instant from which it is served. They are asked for in order.
///
/// The last token's delay is the [`total`](Self::total), to the nanosecond. A completion without tokens is due as if it had one.
#[derive(Clone, Debug)]
pub struct Pace {
    // 64 bits of nanoseconds hold the century that a delay may last, and thousands of streams are open at once.
    first_ns: u64,
    total_ns: u64,
    tokens: u32,
    gaps: Gaps,
}

/// How long an answer takes, as its caller told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To the end: of an answer in one piece.
    Total(Duration),
    /// To the first token, after which the gaps are what they would have been: of a stream.
    First(Duration),
}

impl Told {
    /// When the first of the answer is due.
    pub(super) fn first(self) -> Duration {
        match self {
            Self::Total(delay) | Self::First(delay) => delay,
        }
    }
}

#[derive(Clone, Debug)]
enum Gaps {
    /// As equal as whole nanoseconds can be.
    Even,
    /// Each drawn anew, and multiplied. The generator is where the next gap comes from; `at_ns` is when the token of this `number` is
    /// due, the last that was asked for.
    Drawn { gap: Arc<Distribution>, factor: f64, stream: Pcg64Mcg, number: u32, at_ns: u64 },
}

const LONGEST_NS: u64 = Time::LONGEST.as_nanos() as u64;

impl Pace {
    /// Tokens spread evenly over the whole time, a century at most, the last at its end.
    pub fn even(total: Duration, tokens: u32) -> Self {
        let (total_ns, tokens) = (total.min(Time::LONGEST).as_nanos() as u64, tokens.max(1));
        Self { first_ns: part_ns(total_ns, 1, tokens), total_ns, tokens, gaps: Gaps::Even }
    }

    /// As told, where the tokens would have been spread evenly over a time.
    pub(super) fn told(told: Told, otherwise: Duration, tokens: u32) -> Self {
        match told {
            Told::Total(total) => Self::even(total, tokens),
            Told::First(first) => {
                let gap_ns = part_ns(otherwise.min(Time::LONGEST).as_nanos() as u64, 1, tokens.max(1));
                // Nothing is drawn from a fixed gap.
                Self::drawn(first, &Arc::new(Distribution::Fixed(gap_ns as f64)), 1.0, Pcg64Mcg::new(1), tokens)
            }
        }
    }

    /// A first token, and a gap before each further one, multiplied by `factor`; a century at most.
    pub(super) fn drawn(first: Duration, gap: &Arc<Distribution>, factor: f64, mut stream: Pcg64Mcg, tokens: u32) -> Self {
        let (first_ns, tokens) = (first.min(Time::LONGEST).as_nanos() as u64, tokens.max(1));
        let gaps = Gaps::Drawn { gap: Arc::clone(gap), factor, stream: stream.clone(), number: 1, at_ns: first_ns };
        let total_ns = match **gap {
            Distribution::Fixed(value) => first_ns.saturating_add(gap_ns(value, factor).saturating_mul((tokens - 1).into())),
            _ => (1..tokens).fold(first_ns, |sum, _| sum.saturating_add(drawn_gap_ns(gap, factor, &mut stream))),
        };
        Self { first_ns, total_ns: total_ns.min(LONGEST_NS), tokens, gaps }
    }

    /// The delay of a token by its number, from 1. It is not before the last that was asked for.
    pub fn token(&mut self, number: u32) -> Duration {
        let wanted = number.clamp(1, self.tokens);
        Duration::from_nanos(match &mut self.gaps {
            _ if wanted == self.tokens => self.total_ns,
            Gaps::Even => part_ns(self.total_ns, wanted, self.tokens),
            Gaps::Drawn { gap, factor, stream, number, at_ns } => {
                while *number < wanted {
                    *number += 1;
                    *at_ns = at_ns.saturating_add(drawn_gap_ns(gap, *factor, stream));
                }
                (*at_ns).min(self.total_ns)
            }
        })
    }

    /// The delay of the first token.
    pub fn first(&self) -> Duration {
        Duration::from_nanos(self.first_ns)
    }

    /// The delay of the last.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.total_ns)
    }
}

fn drawn_gap_ns(gap: &Distribution, factor: f64, stream: &mut Pcg64Mcg) -> u64 {
    gap_ns(gap.draw(draw::uniform(stream)), factor)
}

fn gap_ns(drawn: f64, factor: f64) -> u64 {
    dist::duration(drawn * factor).as_nanos() as u64
}

fn part_ns(total_ns: u64, numerator: u32, denominator: u32) -> u64 {
    match total_ns.checked_mul(u64::from(numerator)) {
        // Dividing 128 bits takes ten times as long, and every token of a stream divides.
        Some(product) => product / u64::from(denominator),
        // A part of what was 64 bits before still is.
        None => (u128::from(total_ns) * u128::from(numerator) / u128::from(denominator)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Draws, Purpose};

    fn drawn(gap: Distribution, factor: f64, tokens: u32) -> Pace {
        Pace::drawn(Duration::from_millis(300), &Arc::new(gap), factor, Draws::new(1, 2, 3).stream(Purpose::Gaps), tokens)
    }

    fn tokens(mut pace: Pace) -> Vec<Duration> {
        (1..=pace.tokens).map(|number| pace.token(number)).collect()
    }

    #[test]
    fn the_last_token_is_due_exactly_at_the_total() {
        let lognormal = Distribution::Lognormal { median: 13e6, sigma: 0.5 };
        for pace in [
            Pace::even(Duration::from_nanos(1_000_003), 7),
            Pace::even(Duration::ZERO, 3),
            Pace::even(Duration::from_millis(5), 0),
            drawn(lognormal.clone(), 1.0, 200),
            drawn(lognormal, 0.7, 200),
            drawn(Distribution::Fixed(13e6), 1.0, 200),
            drawn(Distribution::Fixed(13e6), 1.5, 1),
        ] {
            let due = tokens(pace.clone());
            assert_eq!((due.first(), due.last()), (Some(&pace.first()), Some(&pace.total())));
            assert!(due.is_sorted());
        }
    }

    #[test]
    fn tokens_that_are_passed_over_do_not_change_when_the_others_are_due() {
        let lognormal = Distribution::Lognormal { median: 13e6, sigma: 0.5 };
        for pace in [Pace::even(Duration::from_nanos(1_000_003), 100), drawn(lognormal, 2.0, 100)] {
            let (due, mut leaping) = (tokens(pace.clone()), pace);
            for number in (3..=100).step_by(7) {
                assert_eq!(leaping.token(number), due[number as usize - 1]);
                assert_eq!(leaping.token(number), due[number as usize - 1]);
            }
        }
    }

    #[test]
    fn a_fixed_gap_is_the_same_between_all_tokens() {
        let due: Vec<u128> = tokens(drawn(Distribution::Fixed(13e6), 2.0, 4)).iter().map(Duration::as_millis).collect();
        assert_eq!(due, [300, 326, 352, 378]);
    }

    #[test]
    fn an_even_pace_is_even_to_the_nanosecond() {
        let due: Vec<u128> = tokens(Pace::even(Duration::from_nanos(10), 4)).iter().map(Duration::as_nanos).collect();
        assert_eq!(due, [2, 5, 7, 10]);
    }
}
