//! Quantiles as they are written: `{ p50 = "400ms", p95 = "612ms" }`.

use toml::Spanned;

use super::fields::quantity;
use super::value::RawValue;
use super::{RawDistribution, Unit};
use crate::config::Problem;
use crate::dist::{QuantileError, QuantileTable};

/// A table of quantiles alone; `dist` may be left out where nothing else is possible.
pub(in crate::profile) fn quantiles(raw: &RawDistribution, unit: Unit) -> Result<QuantileTable, Problem> {
    let other = |dist: &Spanned<RawValue>| dist.get_ref().as_str() != Some("quantiles");
    if let Some((_, dist)) = raw.get_ref().iter().find(|(key, dist)| key.get_ref() == "dist" && other(dist)) {
        return Err(Problem::at(dist, format!("{} is not possible here; only \"quantiles\" is", dist.get_ref())));
    }
    let mut points = Vec::new();
    for (key, value) in raw.get_ref().iter().filter(|(key, _)| key.get_ref() != "dist") {
        let Some(share) = share_of(key.get_ref()) else {
            return Err(Problem::at(
                key,
                "unknown key; quantiles are called p0, p12.5, p50, p95, p99, p999 (99.9 %), p100 and the like",
            ));
        };
        points.push((share, quantity(value, unit)?, key, value));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let table: Vec<(f64, f64)> = points.iter().map(|(share, value, ..)| (*share, *value)).collect();
    QuantileTable::new(&table).map_err(|error| match error {
        QuantileError::Falling(i) => {
            let ((_, _, lower_key, lower), (_, _, _, value)) = (points[i - 1], points[i]);
            let message = format!(
                "{} is below {}, which is {}; quantiles may not fall",
                value.get_ref(),
                lower_key.get_ref(),
                lower.get_ref()
            );
            Problem::at(value, message)
        }
        QuantileError::Empty | QuantileError::OutOfRange => {
            Problem::at(raw, format!("{error}; write p50, p95, p99 and the like"))
        }
    })
}

/// `p5` is 5 %, `p95` 95 %, `p100` all. From the third digit on they are decimals, so that `p999` is 99.9 %; but only nines are read
/// in this way, since who writes `p101` or `p1000` means something else: `p12.5` has a point.
fn share_of(key: &str) -> Option<f64> {
    let has_point = key.contains('.');
    let digits = key.strip_prefix('p')?.replacen('.', "", 1);
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    match digits.len() {
        1 | 2 => Some(f64::from(number) / 100.0),
        3 if number == 100 => Some(1.0),
        _ if !has_point && !digits.starts_with('9') => None,
        length => Some(f64::from(number) / libm::pow(10.0, length as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_named_by_their_digits() {
        let cases = [
            ("p0", 0.0),
            ("p5", 0.05),
            ("p50", 0.5),
            ("p95", 0.95),
            ("p99", 0.99),
            ("p999", 0.999),
            ("p99.9", 0.999),
            ("p9999", 0.9999),
            ("p100", 1.0),
        ];
        for (key, share) in cases {
            assert_eq!(share_of(key), Some(share), "{key}");
        }
        assert_eq!(share_of("p12.5"), Some(0.125));
        for key in ["p101", "p1000", "p050", "p", "q50", "p-5", "p9x", "median", "p1234567890"] {
            assert_eq!(share_of(key), None, "{key}");
        }
    }
}
