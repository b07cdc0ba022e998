//! Arrival processes: times at a rate that is steady or changes in a straight line.
//!
//! Gaps are drawn for a rate of one, and summed up to a number x of expected arrivals; the arrival is where the integral of the rate,
//! H(t) = bt + at²/2, reaches x. For a steady rate that is the renewal process with these gaps (the inversion: Çinlar,
//! Introduction to Stochastic Processes, 1975).

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use relaybench_mock::dist::{Distribution, Gamma};
use relaybench_mock::draw;

use crate::load::draw::{Key, Purpose};
use crate::load::kind::Spacing;

/// The intended times of an open loop, in order, without end.
#[derive(Clone, Debug)]
pub(super) struct Process {
    gaps: Gaps,
    expected: f64,
    from: f64,
    /// By how much the rate grows in a second.
    growth: f64,
}

#[derive(Clone, Debug)]
enum Gaps {
    /// The next arrival is this one. The first comes at once.
    Even(u64),
    /// With a mean of one.
    Drawn(Distribution, Pcg64Mcg),
}

impl Process {
    /// Rates are in requests a second; `over` is how long the change from one to the other takes.
    pub(super) fn new(spacing: Spacing, from: f64, to: f64, over: Duration, key: Key) -> Self {
        let drawn = |distribution| Gaps::Drawn(distribution, key.stream(Purpose::Arrivals, 0));
        let gaps = match spacing {
            Spacing::Constant => Gaps::Even(0),
            Spacing::Poisson => drawn(Distribution::Exponential { mean: 1.0 }),
            Spacing::Gamma(shape) => drawn(Distribution::Gamma(Gamma::new(shape, 1.0 / shape))),
        };
        Self { gaps, expected: 0.0, from, growth: (to - from) / over.as_secs_f64() }
    }

    /// Where the integral of the rate reaches `expected`, in seconds; none where a falling rate never does.
    fn reached(&self, expected: f64) -> Option<f64> {
        if self.growth == 0.0 {
            return Some(expected / self.from);
        }
        let squared = self.from * self.from + 2.0 * self.growth * expected;
        // The form without cancellation where the rate changes slowly.
        (squared >= 0.0).then(|| 2.0 * expected / (self.from + squared.sqrt()))
    }
}

impl Iterator for Process {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.expected = match &mut self.gaps {
            Gaps::Even(next) => {
                *next += 1;
                (*next - 1) as f64
            }
            Gaps::Drawn(distribution, stream) => self.expected + distribution.draw(draw::uniform(stream)),
        };
        let seconds = self.reached(self.expected)?;
        // The cast saturates at 584 years.
        Some(Duration::from_nanos((seconds * 1e9).round() as u64))
    }
}
