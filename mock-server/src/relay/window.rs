//! When bursts and phases are.

use std::time::Duration;

use crate::profile::{Burst, Phase, Window};

/// A place within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Within {
    since: Duration,
    /// None: it never ends.
    left: Option<Duration>,
}

impl Window {
    /// Where in the window an instant after the profile's start lies; none outside of it.
    fn at(&self, now: Duration) -> Option<Within> {
        let since_first = now.checked_sub(self.from)?;
        let since = match self.every {
            // What is left of a division by 64 bits fits them: durations in profiles are at most a century.
            Some(every) => Duration::from_nanos((since_first.as_nanos() % every.as_nanos()) as u64),
            None => since_first,
        };
        match self.length {
            None => Some(Within { since, left: None }),
            Some(length) => {
                let left = length.checked_sub(since).filter(|left| !left.is_zero())?;
                Some(Within { since, left: Some(left) })
            }
        }
    }
}

impl Burst {
    /// What is left of the burst at an instant after the profile's start; none between bursts.
    pub(super) fn remaining(&self, now: Duration) -> Option<Duration> {
        self.window.at(now)?.left
    }
}

impl Phase {
    /// How much of the phase is felt at an instant after the profile's start: 0 outside of it, 1 at its full strength.
    pub(super) fn strength(&self, now: Duration) -> f64 {
        let Some(Within { since, left }) = self.window.at(now) else { return 0.0 };
        let rising = share(since, self.ramp_up);
        left.map_or(rising, |left| rising.min(share(left, self.ramp_down)))
    }

    /// The next instant at which it begins, is at full strength, begins to abate or ends.
    pub(super) fn next_change(&self, now: Duration) -> Option<Duration> {
        let Window { from, length, every } = self.window;
        let round = match every {
            // What is left of a division by 64 bits fits them.
            Some(every) => {
                now.checked_sub(from).map(|since| now - Duration::from_nanos((since.as_nanos() % every.as_nanos()) as u64))
            }
            None => Some(from),
        };
        let round = round.unwrap_or(from);
        let changes = [
            Some(round),
            Some(round + self.ramp_up),
            length.map(|length| round + length - self.ramp_down),
            length.map(|length| round + length),
            every.map(|every| round + every),
        ];
        changes.into_iter().flatten().filter(|change| *change > now).min()
    }

    /// What delays are multiplied by at an instant after the profile's start.
    pub(super) fn latency_factor(&self, now: Duration) -> f64 {
        1.0 + self.strength(now) * (self.latency_factor - 1.0)
    }
}

/// What all phases together multiply delays by.
pub(super) fn latency_factor(phases: &[Phase], now: Duration) -> f64 {
    phases.iter().map(|phase| phase.latency_factor(now)).product()
}

fn share(of: Duration, whole: Duration) -> f64 {
    if of >= whole { 1.0 } else { of.as_nanos() as f64 / whole.as_nanos() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const NANOSECOND: Duration = Duration::from_nanos(1);

    fn burst(from: u64, every: u64, length: u64) -> Burst {
        let window = Window { from: ms(from), every: Some(ms(every)), length: Some(ms(length)) };
        Burst { window, share: 1.0, retry_after: None }
    }

    #[test]
    fn a_burst_begins_with_each_period_and_ends_to_the_nanosecond() {
        let burst = burst(5_000, 20_000, 2_000);
        assert_eq!(burst.remaining(ms(0)), None);
        assert_eq!(burst.remaining(ms(4_999)), None);
        assert_eq!(burst.remaining(ms(5_000)), Some(ms(2_000)));
        assert_eq!(burst.remaining(ms(7_000) - NANOSECOND), Some(NANOSECOND));
        assert_eq!(burst.remaining(ms(7_000)), None);
        assert_eq!(burst.remaining(ms(45_500)), Some(ms(1_500)));
    }

    #[test]
    fn a_burst_as_long_as_its_period_never_ends() {
        assert!((0..100).all(|t| burst(0, 10, 10).remaining(ms(t)).is_some()));
    }

    fn phase(every: Option<u64>, length: Option<u64>, ramp_up: u64, ramp_down: u64) -> Phase {
        let window = Window { from: ms(1_000), every: every.map(ms), length: length.map(ms) };
        Phase { window, ramp_up: ms(ramp_up), ramp_down: ms(ramp_down), latency_factor: 5.0, fault: None }
    }

    #[test]
    fn a_phase_rises_holds_and_abates_in_straight_lines() {
        let phase = phase(Some(1_000_000), Some(10_000), 2_000, 4_000);
        let expected = [(999, 0.0), (1_000, 0.0), (2_000, 0.5), (3_000, 1.0), (7_000, 1.0), (9_000, 0.5), (11_000, 0.0)];
        for (at, strength) in expected {
            for round in 0..3 {
                assert_eq!(phase.strength(ms(at + round * 1_000_000)), strength, "{at}");
            }
        }
        assert_eq!(phase.latency_factor(ms(2_000)), 3.0);
    }

    #[test]
    fn a_phase_tells_when_it_changes_next() {
        let phase = phase(Some(20_000), Some(10_000), 2_000, 4_000);
        let mut now = Duration::ZERO;
        let mut changes = Vec::new();
        while changes.len() < 6 {
            now = phase.next_change(now).unwrap();
            changes.push(now);
        }
        assert_eq!(changes, [1_000, 3_000, 7_000, 11_000, 21_000, 23_000].map(ms));
        let once = self::phase(None, Some(10), 0, 0);
        assert_eq!(
            [0, 1_000, 1_009, 1_010].map(|at| once.next_change(ms(at))),
            [Some(ms(1_000)), Some(ms(1_010)), Some(ms(1_010)), None]
        );
    }

    #[test]
    fn a_phase_without_ramps_is_felt_whole_from_its_first_instant_to_its_last() {
        let once = phase(None, Some(10), 0, 0);
        assert_eq!([999, 1_000, 1_009, 1_010, 9_000].map(|at| once.strength(ms(at))), [0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(once.strength(ms(1_010) - NANOSECOND), 1.0);
        let for_ever = phase(None, None, 0, 0);
        assert_eq!([999, 1_000, 1_000_000_000].map(|at| for_ever.strength(ms(at))), [0.0, 1.0, 1.0]);
    }
}
