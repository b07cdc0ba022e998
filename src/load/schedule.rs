//! When each request of a stage may be sent: pure, known before anything is sent.

use std::time::Duration;

use super::sample::Window;
use super::scenario::{Extent, Load, Stage};

/// What an arrival waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Fewer requests in flight than the schedule's limit: the next turn of a slot.
    SlotFree,
    /// Nothing in flight: every request of the wave before has ended.
    AllEnded,
}

/// One scheduled request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the stage, from 0. The request's id, and with it the mock's draws, come from this.
    pub index: u64,
    /// What it waits for.
    pub release: Release,
}

/// The schedule of a stage. Every kind of load is one of these; the loop that plays it is always the same.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    load: Load,
    extent: Extent,
    warm_up: Duration,
}

impl Schedule {
    /// The schedule of a stage.
    pub fn new(stage: &Stage) -> Self {
        Self { load: stage.load, extent: stage.extent, warm_up: stage.warm_up }
    }

    /// The most requests this schedule has in flight.
    pub fn in_flight_limit(&self) -> usize {
        self.load.concurrency()
    }

    /// All arrivals in order: as many as asked for, or without end where a duration limits them.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival> + Send + use<> {
        let load = self.load;
        let end = match self.extent {
            Extent::Requests(requests) => requests,
            Extent::Duration(_) => u64::MAX,
        };
        (0..end).map(move |index| Arrival { index, release: release(load, index) })
    }

    /// How many requests are scheduled, where that is known before the run.
    pub fn scheduled(&self) -> Option<u64> {
        match self.extent {
            Extent::Requests(requests) => Some(requests),
            Extent::Duration(_) => None,
        }
    }

    /// Whether a request may still be sent so long after the stage began.
    pub fn is_open_at(&self, since_start: Duration) -> bool {
        match self.extent {
            Extent::Requests(_) => true,
            Extent::Duration(duration) => since_start < duration,
        }
    }

    /// The window of a request, by when it was sent alone: finishing late does not move it.
    pub fn window(&self, index: u64, sent: Duration) -> Window {
        let is_first_of_its_slot = index < self.in_flight_limit() as u64;
        if is_first_of_its_slot || sent < self.warm_up { Window::Ramp } else { Window::Steady }
    }
}

fn release(load: Load, index: u64) -> Release {
    match load {
        Load::Waves { concurrency } if index.is_multiple_of(concurrency.get() as u64) => Release::AllEnded,
        Load::Closed { .. } | Load::Waves { .. } => Release::SlotFree,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn schedule(load: fn(NonZeroUsize) -> Load, extent: Extent) -> Schedule {
        let concurrency = NonZeroUsize::new(3).unwrap();
        Schedule { load: load(concurrency), extent, warm_up: Duration::from_secs(1) }
    }

    #[test]
    fn a_closed_loop_sends_whenever_a_slot_is_free() {
        let schedule = schedule(|concurrency| Load::Closed { concurrency }, Extent::Requests(4));
        let arrivals: Vec<_> = schedule.arrivals().map(|arrival| (arrival.index, arrival.release)).collect();
        assert_eq!(arrivals, [0, 1, 2, 3].map(|index| (index, Release::SlotFree)));
    }

    #[test]
    fn a_wave_waits_for_the_whole_wave_before() {
        let schedule = schedule(|concurrency| Load::Waves { concurrency }, Extent::Requests(7));
        let starts: Vec<_> = schedule.arrivals().filter(|a| a.release == Release::AllEnded).map(|a| a.index).collect();
        assert_eq!(starts, [0, 3, 6]);
    }

    #[test]
    fn a_duration_ends_the_sending_and_not_the_count() {
        let schedule = schedule(|concurrency| Load::Closed { concurrency }, Extent::Duration(Duration::from_secs(5)));
        assert_eq!(schedule.scheduled(), None);
        assert!(schedule.is_open_at(Duration::from_nanos(4_999_999_999)));
        assert!(!schedule.is_open_at(Duration::from_secs(5)));
    }

    #[test]
    fn the_ramp_is_the_first_of_each_slot_and_the_warm_up() {
        let schedule = schedule(|concurrency| Load::Closed { concurrency }, Extent::Requests(9));
        let window = |index, sent_s| schedule.window(index, Duration::from_secs(sent_s));
        assert_eq!([window(2, 7), window(3, 0), window(3, 1)], [Window::Ramp, Window::Ramp, Window::Steady]);
    }
}
