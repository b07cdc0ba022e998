//! Processor time of this process.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Processor time that the process used during a stage. The embedded mock is part of the process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CpuUse {
    /// By all threads, in the program and in the system on its behalf.
    pub used_ns: u64,
    /// How many cores it can keep busy: the harness one, the embedded mock another, and no more than the system lets it have.
    pub cores: u32,
}

impl CpuUse {
    /// The share of those cores that was used over a time.
    pub fn share(&self, over: Duration) -> Option<f64> {
        let available = over.as_secs_f64() * f64::from(self.cores);
        (available > 0.0).then(|| self.used_ns as f64 / 1e9 / available)
    }
}

/// Processor time from its making on.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuMeter {
    begin: Duration,
    cores: u32,
}

impl CpuMeter {
    /// For a process of so many threads that work. None where the system does not tell.
    pub(super) fn start(threads: u32) -> Option<Self> {
        let available = thread::available_parallelism().map_or(1, usize::from);
        Some(Self { begin: process_time()?, cores: threads.min(u32::try_from(available).unwrap_or(u32::MAX)) })
    }

    pub(super) fn so_far(&self) -> Option<CpuUse> {
        let used = process_time()?.saturating_sub(self.begin);
        Some(CpuUse { used_ns: u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), cores: self.cores })
    }
}

#[cfg(unix)]
fn process_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
fn process_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_cores_that_could_work() {
        let used = CpuUse { used_ns: 1_500_000_000, cores: 2 };
        assert_eq!(used.share(Duration::from_secs(1)), Some(0.75));
        assert_eq!(used.share(Duration::ZERO), None);
    }

    #[cfg(unix)]
    #[test]
    fn work_takes_processor_time() {
        let meter = CpuMeter::start(2).unwrap();
        assert!((1..=2).contains(&meter.cores));
        let mut sum = 0_u64;
        while meter.so_far().unwrap().used_ns < 1_000_000 {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0, "it was counted while this went on");
    }
}
