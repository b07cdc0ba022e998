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
    first: Duration,
    total: Duration,
    tokens: u32,
    gaps: Gaps,
}

#[derive(Clone, Debug)]
enum Gaps {
    /// As equal as whole nanoseconds can be.
    Even,
    /// Each drawn anew, and multiplied. The generator is where the next gap comes from.
    /// `at` is when the token of this `number` is due, the last that was asked for.
    Drawn { gap: Arc<Distribution>, factor: f64, stream: Pcg64Mcg, number: u32, at: Duration },
}

impl Pace {
    /// Tokens spread evenly over the whole time, the last at its end.
    pub fn even(total: Duration, tokens: u32) -> Self {
        let tokens = tokens.max(1);
        Self { first: part(total, 1, tokens), total, tokens, gaps: Gaps::Even }
    }

    /// A first token, and a gap before each further one, multiplied by `factor`.
    pub(super) fn drawn(first: Duration, gap: &Arc<Distribution>, factor: f64, mut stream: Pcg64Mcg, tokens: u32) -> Self {
        let tokens = tokens.max(1);
        let gaps = Gaps::Drawn { gap: Arc::clone(gap), factor, stream: stream.clone(), number: 1, at: first };
        let total = match **gap {
            Distribution::Fixed(value) => first + dist::duration(value * factor) * (tokens - 1),
            _ => (1..tokens).fold(first, |sum, _| sum + drawn_gap(gap, factor, &mut stream)),
        };
        Self { first, total: total.min(Time::LONGEST), tokens, gaps }
    }

    /// The delay of a token by its number, from 1. It is not before the last that was asked for.
    pub fn token(&mut self, number: u32) -> Duration {
        let wanted = number.clamp(1, self.tokens);
        match &mut self.gaps {
            _ if wanted == self.tokens => self.total,
            Gaps::Even => part(self.total, wanted, self.tokens),
            Gaps::Drawn { gap, factor, stream, number, at } => {
                while *number < wanted {
                    *number += 1;
                    *at += drawn_gap(gap, *factor, stream);
                }
                (*at).min(self.total)
            }
        }
    }

    /// The delay of the first token.
    pub fn first(&self) -> Duration {
        self.first
    }

    /// The delay of the last.
    pub fn total(&self) -> Duration {
        self.total
    }
}

fn drawn_gap(gap: &Distribution, factor: f64, stream: &mut Pcg64Mcg) -> Duration {
    dist::duration(gap.draw(draw::uniform(stream)) * factor)
}

fn part(total: Duration, numerator: u32, denominator: u32) -> Duration {
    let total = total.as_nanos();
    let nanoseconds = match u64::try_from(total).ok().and_then(|total| total.checked_mul(u64::from(numerator))) {
        // Dividing 128 bits takes ten times as long, and every token of a stream divides.
        Some(product) => product / u64::from(denominator),
        // A part of what was 64 bits before still is.
        None => (total * u128::from(numerator) / u128::from(denominator)) as u64,
    };
    Duration::from_nanos(nanoseconds)
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
