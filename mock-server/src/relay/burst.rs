//! When bursts are.

use std::time::Duration;

use crate::profile::Burst;

impl Burst {
    /// What is left of the burst at an instant after the profile's start; none between bursts.
    pub(super) fn remaining(&self, now: Duration) -> Option<Duration> {
        let since_first = now.checked_sub(self.from)?;
        let into_period = since_first.as_nanos() % self.every.as_nanos();
        // What is left of a division by 64 bits fits them: durations in profiles are at most a century.
        let into_period = Duration::from_nanos(into_period as u64);
        self.length.checked_sub(into_period).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_begins_with_each_period_and_ends_to_the_nanosecond() {
        let burst = Burst { from: ms(5_000), every: ms(20_000), length: ms(2_000), share: 1.0, retry_after: None };
        assert_eq!(burst.remaining(ms(0)), None);
        assert_eq!(burst.remaining(ms(4_999)), None);
        assert_eq!(burst.remaining(ms(5_000)), Some(ms(2_000)));
        assert_eq!(burst.remaining(ms(7_000) - Duration::from_nanos(1)), Some(Duration::from_nanos(1)));
        assert_eq!(burst.remaining(ms(7_000)), None);
        assert_eq!(burst.remaining(ms(45_500)), Some(ms(1_500)));
    }

    #[test]
    fn a_burst_as_long_as_its_period_never_ends() {
        let burst = Burst { from: ms(0), every: ms(10), length: ms(10), share: 1.0, retry_after: None };
        assert!((0..100).all(|t| burst.remaining(ms(t)).is_some()));
    }
}
