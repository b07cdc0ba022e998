//! A histogram as a line of records has it: the buckets that are not empty.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// Each bucket by its highest value, with its count.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    sum_ns: u64,
    max_ns: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    clipped: u64,
    counts: Vec<(u64, u64)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<Histogram> for Stored {
    fn from(histogram: Histogram) -> Self {
        Self {
            sum_ns: u64::try_from(histogram.sum_ns).unwrap_or(u64::MAX),
            max_ns: u64::try_from(histogram.max.as_nanos()).unwrap_or(u64::MAX),
            clipped: histogram.clipped,
            counts: histogram.counts.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect(),
        }
    }
}

impl From<Stored> for Histogram {
    fn from(stored: Stored) -> Self {
        let mut histogram = Self {
            sum_ns: stored.sum_ns.into(),
            max: Duration::from_nanos(stored.max_ns),
            clipped: stored.clipped,
            ..Self::default()
        };
        for (value_ns, count) in stored.counts {
            histogram.counts.saturating_record_n(value_ns, count);
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_its_line() {
        let mut histogram = Histogram::default();
        assert_eq!(serde_json::from_str::<Histogram>(&serde_json::to_string(&histogram).unwrap()).unwrap(), histogram);
        for ns in [0, 1, 511, 512, 1_000, 77_777_777, 3_600_000_000_001] {
            histogram.record(Duration::from_nanos(ns));
        }
        let line = serde_json::to_string(&histogram).unwrap();
        let read: Histogram = serde_json::from_str(&line).unwrap();
        assert_eq!((&read, read.summary()), (&histogram, histogram.summary()), "{line}");
    }
}
