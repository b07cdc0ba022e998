//! Durations as people write them.

use std::fmt;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::de::{self, Deserialize, Deserializer, Visitor};

const EXAMPLE: &str = "write a duration such as \"250ms\" or \"1.5s\"";

/// A duration that was written with its unit, such as `"639ms"`, `"4.5s"`, `"250us"` or `"1m 30s"`.
///
/// A number without a unit, a negative duration and one beyond a century are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// A century: longer than any run, and every instant within it still fits 64 bits of nanoseconds.
    pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

    /// Reads the written form.
    ///
    /// # Errors
    ///
    /// A sentence that names the text and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().parse::<f64>().is_ok() {
            return Err(Self::without_unit(format_args!("\"{text}\"")));
        }
        let signed = SpanParser::new().parse_duration(text.trim()).map_err(|_| {
            format!("\"{text}\" is not a duration; {EXAMPLE}; the units are ns, us, ms, s, m and h, and 876000h is the most")
        })?;
        match Duration::try_from(signed) {
            Err(_) => Err(format!("\"{text}\" is negative; {EXAMPLE}")),
            Ok(duration) if duration > Self::LONGEST => Err(format!("\"{text}\" is more than a century; {EXAMPLE}")),
            Ok(duration) => Ok(Self(duration)),
        }
    }

    /// The sentence that refuses a bare number.
    pub(crate) fn without_unit(number: impl fmt::Display) -> String {
        format!("{number} has no unit; {EXAMPLE}")
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenTime)
    }
}

struct WrittenTime;

impl Visitor<'_> for WrittenTime {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"250ms\" or \"1.5s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        Time::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Time, E> {
        Err(E::custom(Time::without_unit(number)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Time, E> {
        Err(E::custom(Time::without_unit(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_down_to_the_nanosecond_is_read_exactly() {
        let cases = [
            ("0s", Duration::ZERO),
            ("250us", Duration::from_micros(250)),
            ("1ns", Duration::from_nanos(1)),
            ("4.5s", Duration::from_millis(4500)),
            ("639ms", Duration::from_millis(639)),
            ("1m 30s", Duration::from_secs(90)),
            ("2h", Duration::from_secs(7200)),
        ];
        for (text, expected) in cases {
            assert_eq!(Time::parse(text), Ok(Time(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_text() {
        for text in ["612", "1.5", "", "fast", "5 parsecs", "-3s", "3s ago", "2000000h"] {
            let message = Time::parse(text).unwrap_err();
            assert!(message.starts_with(&format!("\"{text}\"")) && message.contains("250ms"), "{message}");
        }
    }
}
