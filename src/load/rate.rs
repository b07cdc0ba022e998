//! Rates as people write them.

use std::fmt;

use serde::{Deserialize, Serialize};

const EXAMPLE: &str = "write a rate such as \"100/s\" or \"30/min\"";

/// A second, a minute and an hour.
const UNITS: [(&str, f64); 3] = [("s", 1.0), ("min", 60.0), ("h", 3600.0)];

/// How many requests come in a second on average: from [`Rate::LEAST`] to [`Rate::MOST`]. Records hold the number alone.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

impl Rate {
    /// One request in eleven days.
    pub const LEAST: f64 = 1e-6;
    /// A request each microsecond, far more than one machine sends.
    pub const MOST: f64 = 1e6;

    /// A rate in requests a second; none outside [`Rate::LEAST`] and [`Rate::MOST`].
    pub fn per_second(requests: f64) -> Option<Self> {
        (Self::LEAST..=Self::MOST).contains(&requests).then_some(Self(requests))
    }

    /// The number of requests in a second.
    pub fn rps(self) -> f64 {
        self.0
    }

    /// Reads the written form: a number, a slash and `s`, `min` or `h`.
    ///
    /// # Errors
    ///
    /// A sentence that names the text and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((number, unit)) = text.split_once('/') else { return Err(format!("\"{text}\" has no unit; {EXAMPLE}")) };
        let seconds = UNITS.into_iter().find(|(name, _)| *name == unit.trim()).map(|(_, seconds)| seconds);
        let requests = number.trim().parse::<f64>().ok().zip(seconds).map(|(number, seconds)| number / seconds);
        requests.and_then(Self::per_second).ok_or_else(|| {
            format!("\"{text}\" is no rate; {EXAMPLE}; the units are /s, /min and /h, from 0.000001/s to 1000000/s")
        })
    }
}

/// In requests a second, without the unit, as it becomes part of a name.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_in_each_of_its_units() {
        let rates = ["100/s", "0.5/s", "30/min", "7200 / h"].map(|text| Rate::parse(text).unwrap().rps());
        assert_eq!(rates, [100.0, 0.5, 0.5, 2.0]);
    }

    #[test]
    fn what_is_no_rate_is_refused_with_the_text() {
        for text in ["100", "", "fast", "0/s", "-1/s", "nan/s", "1e9/s", "5/day", "/s"] {
            let message = Rate::parse(text).unwrap_err();
            assert!(message.starts_with(&format!("\"{text}\"")) && message.contains("\"100/s\""), "{message}");
        }
    }
}
