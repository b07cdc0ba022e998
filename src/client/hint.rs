//! What the server says about retrying: `retry-after-ms`, `retry-after`, `x-should-retry`.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;

/// The wait the server asks for. `None` when it asks for none, or for one that makes no sense: not above zero, in the past, not
/// a number, not a date.
pub(crate) fn wait(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    text("retry-after-ms")
        .and_then(|text| positive(text, 1e-3))
        .or_else(|| text("retry-after").and_then(|text| positive(text, 1.0).or_else(|| until(text, wall))))
}

/// Whether the server says that a retry makes sense; `None` when it does not say.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A number of units above zero that is a duration: neither infinite nor beyond what a clock counts.
fn positive(text: &str, unit: f64) -> Option<Duration> {
    let duration = Duration::try_from_secs_f64(text.parse::<f64>().ok()? * unit).ok()?;
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
    fn milliseconds_win_over_seconds() {
        assert_eq!(of(&[("retry-after", "20"), ("retry-after-ms", "644")]), Some(Duration::from_millis(644)));
        assert_eq!(of(&[("retry-after", "20"), ("retry-after-ms", "soon")]), Some(Duration::from_secs(20)));
    }
}
