//! How long before a deadline to wake, so that the deadline finds its thread awake.

use std::time::Duration;

/// How long waking takes this thread on this machine: the median, learned from wake to wake. The rest of the wait is spent awake.
///
/// It tells nothing about a machine beforehand: an idle core of the virtual machine it was written on wakes 15 to 50 microseconds
/// after its timer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lead(Duration);

/// Large enough to be learned within a hundred wakes, small enough to stay there.
const STEP: Duration = Duration::from_nanos(500);

/// What waking early may cost at most, each time. A thread that takes longer is held up by other work, and it would not help.
const MAX: Duration = Duration::from_micros(50);

impl Lead {
    pub(crate) fn get(self) -> Duration {
        self.0
    }

    /// A wake took so long.
    pub(crate) fn learn(&mut self, took: Duration) {
        self.0 = if took > self.0 { (self.0 + STEP).min(MAX) } else { self.0.saturating_sub(STEP) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_learned_and_unlearned() {
        let mut lead = Lead::default();
        for usual in [20, 5] {
            for wake in 0..300 {
                let took = if wake % 3 == 0 { 9 * usual } else { usual };
                lead.learn(Duration::from_micros(took));
            }
            assert!(lead.get().abs_diff(Duration::from_micros(usual)) <= 2 * STEP, "{lead:?}");
        }
    }

    #[test]
    fn a_machine_that_is_slow_to_wake_does_not_keep_a_core_busy() {
        let mut lead = Lead::default();
        (0..10_000).for_each(|_| lead.learn(Duration::from_millis(3)));
        assert_eq!(lead.get(), MAX);
    }
}
