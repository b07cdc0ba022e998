//! Little's law: what is in flight, how fast it leaves and how long it stays cannot be chosen apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Mean in flight, counted apart from the samples, beside what the samples say it must have been.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LittlesLaw {
    /// From a counter that went up at each send and down at each end, averaged over time.
    pub mean_in_flight: f64,
    /// Ended requests × their mean latency / time.
    pub throughput_times_latency: f64,
}

impl LittlesLaw {
    /// How far the two sides may lie apart before the numbers cannot be trusted.
    pub const TOLERANCE: f64 = 0.02;

    /// Whether both sides agree within 2 %.
    pub fn holds(&self) -> bool {
        self.difference() <= Self::TOLERANCE
    }

    /// How far they lie apart, as a share of what the counter says; 1 where only the samples say that anything was in flight.
    pub fn difference(&self) -> f64 {
        let apart = (self.mean_in_flight - self.throughput_times_latency).abs();
        if self.mean_in_flight > 0.0 { apart / self.mean_in_flight } else { f64::from(apart > 0.0) }
    }
}

/// The most a closed loop of `in_flight` requests with this mean latency can complete in a second.
pub fn closed_loop_ceiling_rps(in_flight: usize, mean_latency: Duration) -> f64 {
    in_flight as f64 / mean_latency.as_secs_f64()
}

/// How many requests must be in flight for `throughput_rps` at this mean latency.
pub fn in_flight_needed(throughput_rps: f64, mean_latency: Duration) -> f64 {
    throughput_rps * mean_latency.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_rows_need_more_in_flight_than_their_closed_loop_has() {
        let rows = [(50, 423, 890.0), (100, 612, 1180.0), (200, 847, 1200.0), (500, 1456, 1195.0)];
        let computed = rows.map(|(in_flight, mean_ms, rps)| {
            let mean = Duration::from_millis(mean_ms);
            (closed_loop_ceiling_rps(in_flight, mean).round(), in_flight_needed(rps, mean).round())
        });
        assert_eq!(computed, [(118.0, 376.0), (163.0, 722.0), (236.0, 1016.0), (343.0, 1740.0)]);
    }

    #[test]
    fn two_percent_apart_is_the_most_that_holds() {
        let law = |samples| LittlesLaw { mean_in_flight: 100.0, throughput_times_latency: samples };
        assert!(law(98.0).holds() && law(102.0).holds());
        assert!(!law(97.9).holds() && !law(102.1).holds());
    }
}
