//! Requests in flight, counted apart from the samples: the other side of Little's law.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use relaybench_clock::{Instant, now};

/// How many requests of a run are in flight, now and on average. Clones count the same run.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    count: usize,
    since: Option<Instant>,
    sum_ns: u64,
}

impl InFlight {
    /// The number at this moment.
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// One more, until what this gives is dropped.
    pub(super) fn enter(&self) -> Entered {
        self.lock().change(now(), 1);
        Entered(self.clone())
    }

    /// The number summed over time since the last call, in nanoseconds.
    pub(super) fn take_sum_ns(&self) -> u64 {
        let mut count = self.lock();
        count.change(now(), 0);
        std::mem::take(&mut count.sum_ns)
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        // Nothing in here panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn change(&mut self, now: Instant, by: isize) {
        let lasted = now - self.since.unwrap_or(now);
        let lasted_ns = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns = self.sum_ns.saturating_add(lasted_ns.saturating_mul(self.count as u64));
        self.since = Some(now);
        self.count = self.count.saturating_add_signed(by);
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Entered(InFlight);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.lock().change(now(), -1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use relaybench_clock::{run_virtual, sleep};

    use super::*;

    #[test]
    fn the_sum_is_the_number_in_flight_times_how_long() {
        run_virtual(async {
            let in_flight = InFlight::default();
            let first = in_flight.enter();
            sleep(Duration::from_nanos(10)).await;
            let second = in_flight.enter();
            assert_eq!(in_flight.count(), 2);
            sleep(Duration::from_nanos(5)).await;
            drop((first, second));
            sleep(Duration::from_nanos(100)).await;
            assert_eq!((in_flight.count(), in_flight.take_sum_ns(), in_flight.take_sum_ns()), (0, 20, 0));
        });
    }
}
