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

/// More of anything is counted by nobody, and sums of it might not fit.
const MOST_COUNTED: u64 = 1 << 53;

impl TryFrom<Stored> for Histogram {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let total = stored.counts.iter().try_fold(0_u64, |total, (_, count)| total.checked_add(*count));
        let total = total.filter(|total| *total <= MOST_COUNTED).ok_or("a histogram counts more than anybody can")?;
        if stored.clipped > total || u128::from(stored.sum_ns) > u128::from(stored.max_ns) * u128::from(total) {
            return Err("a histogram's sum_ns, max_ns, clipped and counts contradict each other".to_owned());
        }
        let mut histogram = Self {
            sum_ns: stored.sum_ns.into(),
            max: Duration::from_nanos(stored.max_ns),
            clipped: stored.clipped,
            ..Self::default()
        };
        for (value_ns, count) in stored.counts {
            histogram.counts.saturating_record_n(value_ns, count);
        }
        let is_max = histogram.counts.lowest_equivalent(histogram.counts.max()) <= stored.max_ns;
        if is_max { Ok(histogram) } else { Err(format!("a histogram's max_ns, {}, is less than what it counts", stored.max_ns)) }
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

    #[test]
    fn one_that_cannot_be_is_refused() {
        let read = |text: &str| serde_json::from_str::<Histogram>(text).map_err(|error| error.to_string());
        assert!(read(r#"{"sum_ns":5000,"max_ns":3000,"counts":[[2000,1],[3000,1]]}"#).is_ok());
        for (text, says) in [
            (
                r#"{"sum_ns":0,"max_ns":0,"counts":[[4611686018427387904,9223372036854775808],[5,9223372036854775808]]}"#,
                "more than",
            ),
            (r#"{"sum_ns":0,"max_ns":9,"counts":[[5,9007199254740993]]}"#, "more than"),
            (r#"{"sum_ns":7000,"max_ns":3000,"counts":[[2000,1],[3000,1]]}"#, "contradict"),
            (r#"{"sum_ns":5000,"max_ns":3000,"clipped":3,"counts":[[2000,1],[3000,1]]}"#, "contradict"),
            (r#"{"sum_ns":5000,"max_ns":3000,"counts":[[2000,1],[900000,1]]}"#, "is less than"),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{text}");
        }
    }
}
