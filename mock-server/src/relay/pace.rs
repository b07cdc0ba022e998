//! When each token of a completion is due.

use std::sync::Arc;
use std::time::Duration;

use rand_pcg::Pcg64Mcg;

use crate::dist::{self, Distribution};
use crate::draw;

/// When the tokens of a completion are due, as delays from the instant from which it is served: an iterator over them, in order.
///
/// The last token's delay is the [`total`](Self::total), to the nanosecond.
#[derive(Clone, Debug)]
pub struct Pace {
    first: Duration,
    total: Duration,
    tokens: u32,
    /// How many tokens the iterator has passed.
    passed: u32,
    gaps: Gaps,
}

#[derive(Clone, Debug)]
enum Gaps {
    /// As equal as whole nanoseconds can be.
    Even,
    /// Each drawn anew. The generator is where the next gap comes from.
    Drawn { gap: Arc<Distribution>, stream: Pcg64Mcg, last: Duration },
}

impl Pace {
    /// Tokens spread evenly over the whole time, the last at its end.
    pub fn even(total: Duration, tokens: u32) -> Self {
        Self { first: part(total, 1, tokens), total, tokens, passed: 0, gaps: Gaps::Even }
    }

    /// A first token, and a gap before each further one.
    pub(super) fn drawn(first: Duration, gap: &Arc<Distribution>, mut stream: Pcg64Mcg, tokens: u32) -> Self {
        if let Distribution::Fixed(value) = **gap {
            let total = first + dist::duration(value) * (tokens - 1);
            let gaps = Gaps::Drawn { gap: Arc::clone(gap), stream, last: first };
            return Self { first, total, tokens, passed: 0, gaps };
        }
        let gaps = Gaps::Drawn { gap: Arc::clone(gap), stream: stream.clone(), last: first };
        let total = (1..tokens).fold(first, |sum, _| sum + gap.draw_duration(draw::uniform(&mut stream)));
        Self { first, total, tokens, passed: 0, gaps }
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

impl Iterator for Pace {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.passed == self.tokens {
            return None;
        }
        self.passed += 1;
        match &mut self.gaps {
            Gaps::Even => Some(part(self.total, self.passed, self.tokens)),
            Gaps::Drawn { .. } if self.passed == 1 => Some(self.first),
            Gaps::Drawn { gap, stream, last } => {
                *last += gap.draw_duration(draw::uniform(stream));
                Some(*last)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.tokens - self.passed) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pace {}

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

    fn drawn(gap: Distribution, tokens: u32) -> Pace {
        Pace::drawn(Duration::from_millis(300), &Arc::new(gap), Draws::new(1, 2, 3).stream(Purpose::Gaps), tokens)
    }

    #[test]
    fn the_last_token_is_due_exactly_at_the_total() {
        let lognormal = Distribution::Lognormal { median: 13e6, sigma: 0.5 };
        for pace in [
            Pace::even(Duration::from_nanos(1_000_003), 7),
            Pace::even(Duration::ZERO, 3),
            drawn(lognormal, 200),
            drawn(Distribution::Fixed(13e6), 200),
            drawn(Distribution::Fixed(13e6), 1),
        ] {
            assert_eq!(pace.clone().next(), Some(pace.first()));
            assert_eq!(pace.clone().last(), Some(pace.total()));
            assert!(pace.clone().is_sorted());
        }
    }

    #[test]
    fn a_fixed_gap_is_the_same_between_all_tokens() {
        let due: Vec<u128> = drawn(Distribution::Fixed(13e6), 4).map(|due| due.as_millis()).collect();
        assert_eq!(due, [300, 313, 326, 339]);
    }

    #[test]
    fn an_even_pace_is_even_to_the_nanosecond() {
        let due: Vec<u128> = Pace::even(Duration::from_nanos(10), 4).map(|due| due.as_nanos()).collect();
        assert_eq!(due, [2, 5, 7, 10]);
    }
}
