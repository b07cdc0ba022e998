//! Figures as people read them.

/// In the place of a figure that is not known.
pub(super) const NOTHING: &str = "–";

/// A figure, if it is known.
pub(super) fn shown(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), text)
}

/// Whole milliseconds where they are many, and microseconds where they are few.
pub(crate) fn milliseconds(value: f64) -> String {
    match value {
        100.0.. => grouped(value.round()),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

pub(crate) fn rate(value: f64) -> String {
    if value >= 10.0 { grouped(value.round()) } else { format!("{value:.2}") }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A whole number with a comma before each three digits.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of any size, with as many digits as mean something, and no zeros behind the point.
pub(crate) fn amount(value: f64) -> String {
    let decimals: usize = match value.abs() {
        100.0.. => return if value < 0.0 { format!("-{}", grouped(-value)) } else { grouped(value) },
        10.0.. => 1,
        1.0.. => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number of requests, attempts or tokens.
pub(crate) fn count(value: u64) -> String {
    grouped(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_mean_something() {
        assert_eq!([1456.4, 97.26, 0.0641].map(milliseconds), ["1,456", "97.3", "0.064"]);
        assert_eq!([1_234_567.0, 118.2, 3.25].map(rate), ["1,234,567", "118", "3.25"]);
        assert_eq!(percent(0.998), "99.8 %");
        assert_eq!([1_456.4, 46.666, 8.0, 0.42, -1000.0, 0.0].map(amount), ["1,456", "46.7", "8", "0.42", "-1,000", "0"]);
    }
}
