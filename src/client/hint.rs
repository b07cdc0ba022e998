//! What the server says about retrying: `retry-after-ms`, `retry-after`, `x-should-retry`, or in words.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;

/// The wait the server asks for. `None` when it asks for none, or for one that makes no sense: not above zero, in the past, not
/// a number, not a date.
pub(crate) fn wait(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    text("retry-after-ms").and_then(|text| positive(text.parse().ok()?, 1e-3)).or_else(|| {
        text("retry-after").and_then(|text| text.parse().map_or_else(|_| until(text, wall), |count| positive(count, 1.0)))
    })
}

/// Whether the server says that a retry makes sense; `None` when it does not say.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The wait that an error's message names: "Please try again in 6m0s", "Please retry after 20 seconds".
pub(crate) fn in_words(message: &str) -> Option<Duration> {
    const BEFORE: [&str; 4] = ["try again in ", "try again after ", "retry after ", "retry in "];
    let message = message.to_ascii_lowercase();
    let rest = BEFORE.iter().find_map(|before| message.split_once(before)).map(|(_, rest)| rest)?;
    let seconds = spelled_seconds(rest)?;
    positive(seconds, 1.0)
}

/// The sum of the numbers with units that a text begins with, like `1h6m0.5s` or `20 seconds`.
fn spelled_seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = None;
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(number_end);
        let behind = behind.trim_start_matches(' ');
        let (unit, behind) = behind.split_at(behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len()));
        let unit = match unit {
            "ms" | "millisecond" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return sum,
        };
        sum = Some(sum.unwrap_or(0.0) + number.parse::<f64>().ok()? * unit);
        rest = behind;
    }
    sum
}

/// A number of units above zero that is a duration: neither infinite nor beyond what a clock counts.
fn positive(count: f64, unit: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(count * unit).ok()?;
    (!duration.is_zero()).then_some(duration)
}

/// An HTTP date in the future, in any of its three forms.
fn until(text: &str, wall: SystemTime) -> Option<Duration> {
    let wait = httpdate::parse_http_date(text).ok()?.duration_since(wall).ok()?;
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    /// Fri, 29 Sep 2023 16:26:37 GMT
    fn wall() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_696_004_797)
    }

    fn of(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect();
        wait(&headers, wall())
    }

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let seconds = |count| Some(Duration::from_secs(count));
        for (value, expected) in [
            ("20", seconds(20)),
            ("0", None),
            ("-10", None),
            ("60", seconds(60)),
            ("61", seconds(61)),
            ("120", seconds(120)),
            ("121", seconds(121)),
            (" 20 ", seconds(20)),
            ("0.5", Some(Duration::from_millis(500))),
            ("Fri, 29 Sep 2023 16:26:57 GMT", seconds(20)),
            ("Friday, 29-Sep-23 16:26:57 GMT", seconds(20)),
            ("Fri Sep 29 16:26:57 2023", seconds(20)),
            ("Fri, 29 Sep 2023 16:26:27 GMT", None),
            ("Fri, 29 Sep 2023 16:28:38 GMT", seconds(121)),
            ("99999999999999999999999999999999999", None),
            ("inf", None),
            ("nan", None),
            ("Zun, 29 Sep 2023 16:26:27 GMT", None),
            ("", None),
        ] {
            assert_eq!(of(&[("retry-after", value)]), expected, "{value:?}");
        }
    }

    #[test]
    fn a_wait_is_read_from_words() {
        for (message, expected_ms) in [
            ("Rate limit reached. Please try again in 644ms.", Some(644)),
            ("Please try again in 1.5s. Visit https://example.com", Some(1500)),
            ("Please try again in 6m0s.", Some(360_000)),
            ("Please try again in 1h2m3s", Some(3_723_000)),
            ("Please retry after 20 seconds. Please contact us", Some(20_000)),
            ("please try again after 1 seconds", Some(1000)),
            ("Please try again in 2m59.56s", Some(179_560)),
            ("Please try again in 0s", None),
            ("Please try again in a moment", None),
            ("Please try again in 5 parsecs", None),
            ("Please try again in 1.2.3s", None),
            ("Please try again in 99999999999999999999999h", None),
            ("Please try again in ", None),
            ("no", None),
        ] {
            assert_eq!(in_words(message), expected_ms.map(Duration::from_millis), "{message:?}");
        }
    }

    #[test]
    fn milliseconds_win_over_seconds() {
        assert_eq!(of(&[("retry-after", "20"), ("retry-after-ms", "644")]), Some(Duration::from_millis(644)));
        assert_eq!(of(&[("retry-after", "20"), ("retry-after-ms", "soon")]), Some(Duration::from_secs(20)));
    }
}
