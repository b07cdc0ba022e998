//! Distributions as they are written: `{ dist = "lognormal", median = "639ms", sigma = 0.31 }`.

use std::collections::BTreeMap;

use toml::{Spanned, Value};

use crate::config::{Problem, Time, nearest};
use crate::dist::{Distribution, QuantileError, QuantileTable};

/// Keys and values in any combination: which of them belong together depends on `dist`.
pub(super) type RawDistribution = Spanned<BTreeMap<Spanned<String>, Spanned<Value>>>;

/// What the numbers of a distribution count.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// Written as durations, kept as nanoseconds.
    Time,
    /// Whole numbers from 1.
    Tokens,
}

pub(super) fn valid(raw: &RawDistribution, unit: Unit) -> Result<Distribution, Problem> {
    const KINDS: [&str; 4] = ["fixed", "uniform", "lognormal", "quantiles"];
    let fields = Fields { raw, unit };
    let dist = fields.required("dist")?;
    match dist.get_ref().as_str() {
        Some("fixed") => {
            fields.only(&["value"])?;
            Ok(Distribution::Fixed(fields.quantity("value")?))
        }
        Some("uniform") => {
            fields.only(&["min", "max"])?;
            let (min, max) = (fields.quantity("min")?, fields.quantity("max")?);
            if max < min {
                return Err(Problem::at(fields.required("max")?, "the largest value is below the smallest"));
            }
            Ok(Distribution::Uniform { min, max })
        }
        Some("lognormal") => {
            fields.only(&["median", "sigma"])?;
            let median = fields.quantity("median")?;
            if median <= 0.0 {
                return Err(Problem::at(fields.required("median")?, "the median of a lognormal distribution is above 0"));
            }
            Ok(Distribution::Lognormal { median, sigma: fields.sigma()? })
        }
        Some("quantiles") => Ok(Distribution::Quantiles(quantiles(raw, unit)?)),
        _ => {
            let written = dist.get_ref().as_str().unwrap_or_default();
            Err(Problem::at(dist, format!("{} is no distribution, {}", dist.get_ref(), nearest(written, KINDS.into_iter()))))
        }
    }
}

/// A table of quantiles alone; `dist` may be left out where nothing else is possible.
pub(super) fn quantiles(raw: &RawDistribution, unit: Unit) -> Result<QuantileTable, Problem> {
    let other = |dist: &Spanned<Value>| dist.get_ref().as_str() != Some("quantiles");
    if let Some((_, dist)) = raw.get_ref().iter().find(|(key, dist)| key.get_ref() == "dist" && other(dist)) {
        return Err(Problem::at(dist, format!("{} is not possible here; only \"quantiles\" is", dist.get_ref())));
    }
    let mut points = Vec::new();
    for (key, value) in raw.get_ref().iter().filter(|(key, _)| key.get_ref() != "dist") {
        let Some(share) = share_of(key.get_ref()) else {
            return Err(Problem::at(
                key,
                "unknown key; quantiles are called p0, p50, p95, p99, p999 (99.9 %), p100 and the like",
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

/// `p5` is 5 %, `p95` 95 %, `p100` all; from the third digit on they are decimals, so that `p999` is 99.9 %.
fn share_of(key: &str) -> Option<f64> {
    let digits = key.strip_prefix('p')?.replacen('.', "", 1);
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    match digits.len() {
        1 | 2 => Some(f64::from(number) / 100.0),
        _ if number == 100 => Some(1.0),
        length => Some(f64::from(number) / libm::pow(10.0, length as f64)),
    }
}

struct Fields<'a> {
    raw: &'a RawDistribution,
    unit: Unit,
}

impl<'a> Fields<'a> {
    fn required(&self, name: &str) -> Result<&'a Spanned<Value>, Problem> {
        let found = self.raw.get_ref().iter().find(|(key, _)| key.get_ref() == name);
        found.map(|(_, value)| value).ok_or_else(|| Problem::at(self.raw, format!("the key \"{name}\" is missing")))
    }

    fn only(&self, names: &[&str]) -> Result<(), Problem> {
        let known = |key: &str| key == "dist" || names.contains(&key);
        match self.raw.get_ref().keys().find(|key| !known(key.get_ref())) {
            Some(key) => Err(Problem::at(key, format!("unknown key, {}", nearest(key.get_ref(), names.iter().copied())))),
            None => Ok(()),
        }
    }

    fn quantity(&self, name: &str) -> Result<f64, Problem> {
        quantity(self.required(name)?, self.unit)
    }

    fn sigma(&self) -> Result<f64, Problem> {
        let raw = self.required("sigma")?;
        let number = raw.get_ref().as_float().or_else(|| raw.get_ref().as_integer().map(|integer| integer as f64));
        match number {
            // At 10 one draw in a million is already e^47 times the median, more than a century for any delay.
            Some(sigma) if (0.0..=10.0).contains(&sigma) => Ok(sigma),
            _ => Err(Problem::at(raw, format!("{} is no sigma; write a number from 0 to 10", raw.get_ref()))),
        }
    }
}

fn quantity(raw: &Spanned<Value>, unit: Unit) -> Result<f64, Problem> {
    match (unit, raw.get_ref()) {
        (Unit::Time, Value::String(text)) => match Time::parse(text) {
            Ok(time) => Ok(time.0.as_nanos() as f64),
            Err(message) => Err(Problem::at(raw, message)),
        },
        (Unit::Time, other) => Err(Problem::at(raw, Time::without_unit(other))),
        (Unit::Tokens, Value::Integer(tokens)) if (1..=i64::from(u32::MAX)).contains(tokens) => Ok(*tokens as f64),
        (Unit::Tokens, other) => Err(Problem::at(raw, format!("{other} is no number of tokens; write a whole number from 1"))),
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
        for key in ["p", "q50", "p-5", "p9x", "median", "p1234567890"] {
            assert_eq!(share_of(key), None, "{key}");
        }
    }
}
