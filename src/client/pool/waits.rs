//! A histogram of waits: fixed buckets, so that recording is one addition without a lock.
//!
//! Up to 16 µs a bucket is a microsecond; above, each doubling has eight, so that a bucket is at most an eighth of its value wide.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to a doubling, as a power of two.
const BITS: u32 = 3;
const PER_DOUBLING: usize = 1 << BITS;
/// Up to 2³² µs, 71 minutes: longer than any total timeout makes sense.
const LONGEST_US: u64 = u32::MAX as u64;
const BUCKETS: usize = (32 - BITS as usize + 1) * PER_DOUBLING;

/// The histogram, running: two kilobytes.
#[derive(Debug)]
pub(crate) struct WaitsCounter {
    buckets: [AtomicU64; BUCKETS],
    total_ns: AtomicU64,
    longest_ns: AtomicU64,
}

impl Default for WaitsCounter {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), total_ns: AtomicU64::new(0), longest_ns: AtomicU64::new(0) }
    }
}

impl WaitsCounter {
    pub(crate) fn record(&self, wait: Duration) {
        let wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(wait_us)].fetch_add(1, Ordering::Relaxed);
        if !wait.is_zero() {
            let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
            self.total_ns.fetch_add(wait_ns, Ordering::Relaxed);
            self.longest_ns.fetch_max(wait_ns, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> Waits {
        Waits {
            buckets: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            total: Duration::from_nanos(self.total_ns.load(Ordering::Relaxed)),
            longest: Duration::from_nanos(self.longest_ns.load(Ordering::Relaxed)),
        }
    }
}

/// How long attempts waited for a place in the pool. Buckets are at most an eighth of their value wide, and never narrower than
/// 1 µs.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    buckets: Vec<u64>,
    total: Duration,
    longest: Duration,
}

impl Waits {
    /// How many attempts were sent.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How many of them had waited, for 1 µs at least.
    pub fn waited(&self) -> u64 {
        self.buckets[1..].iter().sum()
    }

    /// The sum of all waits.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The longest wait, exactly.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The wait that the share `q` (0 to 1) of all attempts did not exceed, as the end of its bucket; never above
    /// [`longest`](Self::longest). Zero when nothing was sent.
    pub fn quantile(&self, q: f64) -> Duration {
        let rank = (q.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        match bucket {
            None | Some(0) => Duration::ZERO,
            Some(bucket) => Duration::from_micros(end_us(bucket)).min(self.longest),
        }
    }

    /// The buckets that hold anything, the shortest wait first: where each ends (exclusive), and how many waits it holds.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let held = self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        held.map(|(bucket, count)| (Duration::from_micros(end_us(bucket)), count))
    }
}

fn bucket_of(wait_us: u64) -> usize {
    let wait_us = wait_us.min(LONGEST_US);
    let doubling = (64 - BITS).saturating_sub(wait_us.leading_zeros() + 1);
    doubling as usize * PER_DOUBLING + (wait_us >> doubling) as usize
}

/// The first microsecond that is no longer in the bucket.
fn end_us(bucket: usize) -> u64 {
    let doubling = (bucket / PER_DOUBLING).saturating_sub(1);
    ((bucket - doubling * PER_DOUBLING + 1) as u64) << doubling
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_holds_its_wait_and_is_at_most_an_eighth_of_it_wide(wait_us in 0..=LONGEST_US) {
            let bucket = bucket_of(wait_us);
            let start = if bucket == 0 { 0 } else { end_us(bucket - 1) };
            prop_assert!(bucket < BUCKETS);
            prop_assert!(start <= wait_us && wait_us < end_us(bucket), "{wait_us} in {start}..{}", end_us(bucket));
            prop_assert!((end_us(bucket) - start).saturating_sub(1) <= start / 8, "{start}..{}", end_us(bucket));
        }
    }

    #[test]
    fn waits_are_counted_summed_and_ranked() {
        let counter = WaitsCounter::default();
        for wait_ms in [0, 0, 10, 20, 30] {
            counter.record(Duration::from_millis(wait_ms));
        }
        let waits = counter.snapshot();
        assert_eq!((waits.count(), waits.waited()), (5, 3));
        assert_eq!((waits.total(), waits.longest()), (Duration::from_millis(60), Duration::from_millis(30)));
        assert_eq!(waits.quantile(0.4), Duration::ZERO);
        let median = waits.quantile(0.5);
        assert!(median > Duration::from_millis(10) && median <= Duration::from_micros(11_250), "{median:?}");
        assert_eq!(waits.quantile(1.0), Duration::from_millis(30));
        assert_eq!(waits.buckets().map(|(_, count)| count).collect::<Vec<_>>(), [2, 1, 1, 1]);
    }

    #[test]
    fn nothing_waited_for_nothing() {
        let waits = WaitsCounter::default().snapshot();
        assert_eq!((waits.count(), waits.quantile(0.99), waits.longest()), (0, Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn waits_beyond_the_last_bucket_are_kept_with_their_length() {
        let counter = WaitsCounter::default();
        counter.record(Duration::from_secs(10_000));
        assert_eq!(counter.snapshot().longest(), Duration::from_secs(10_000));
        assert_eq!(counter.snapshot().count(), 1);
    }
}
