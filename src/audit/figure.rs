//! A printed figure, and all that it may have been before it was printed.

use std::fmt;

use crate::report::figures::{amount, grouped};

/// A figure as somebody printed it: its text, and what it may stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    text: String,
    value: f64,
    unit: f64,
}

/// Why a text is no figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoFigure;

impl Figure {
    /// More than anybody counts or charges.
    const MOST: f64 = 1e15;

    /// Reads a decimal number as TOML writes it. `8.00` was printed to the hundredth, `1_200` to the unit, `1.2e3` to the hundred.
    pub(super) fn parse(text: &str) -> Result<Self, NoFigure> {
        let plain = text.replace('_', "");
        let plain = plain.strip_prefix('+').unwrap_or(&plain);
        let (digits, exponent) = plain.split_once(['e', 'E']).unwrap_or((plain, "0"));
        if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(NoFigure);
        }
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len()) as i32;
        let exponent: i32 = exponent.parse().map_err(|_| NoFigure)?;
        let value: f64 = plain.parse().map_err(|_| NoFigure)?;
        // The unit of the last digit, read as the figure itself is: powers of ten are then as exact as numbers can be.
        let unit: f64 = format!("1e{}", exponent.saturating_sub(decimals)).parse().map_err(|_| NoFigure)?;
        let is_readable = value <= Self::MOST && unit.is_finite() && unit > 0.0;
        is_readable.then(|| Self { text: plain.to_owned(), value, unit }).ok_or(NoFigure)
    }

    /// The printed number.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// What rounding (either way at the half) or truncation to the printed digits may have made it of; never below zero.
    pub(super) fn interval(&self) -> Interval {
        Interval::new((self.value - self.unit / 2.0).max(0.0), self.value + self.unit)
    }
}

impl fmt::Display for Figure {
    /// As printed, with a comma before each three digits of what is whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.contains(['e', 'E']) {
            return f.pad(&amount(self.value));
        }
        let (whole, decimals) =
            self.text.split_once('.').map_or((self.text.as_str(), ""), |(whole, _)| (whole, &self.text[whole.len()..]));
        let grouped = grouped(whole.parse().unwrap_or(self.value));
        f.pad(&format!("{grouped}{decimals}"))
    }
}

/// Between which values something lies, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// What arithmetic on either end may be off by: wide beside its errors, and nothing beside a printed digit.
    const SLACK: f64 = 1e-9;

    pub(super) fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !self.is_above(other.high) && !other.is_above(self.high)
    }

    /// Whether all of it is more than this.
    pub(super) fn is_above(self, most: f64) -> bool {
        self.low > most + Self::SLACK * most.abs().max(self.low.abs())
    }

    /// Whether all of it is less than this.
    pub(super) fn is_below(self, least: f64) -> bool {
        self.high < least - Self::SLACK * least.abs().max(self.high.abs())
    }

    pub(super) fn scaled(self, by: f64) -> Self {
        Self::new(self.low * by, self.high * by)
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self::new(self.low * other.low, self.high * other.high)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self::new(self.low - other.high, self.high - other.low)
    }

    /// By how many percent something of this size is below something of that; negative where it is above.
    pub(super) fn percent_below(self, other: Self) -> Self {
        let percent = |part: f64, whole: f64| if whole > 0.0 { (1.0 - part / whole) * 100.0 } else { f64::NEG_INFINITY };
        Self::new(percent(self.high, other.low), percent(self.low, other.high))
    }

    /// The least that has both in it.
    pub(super) fn hull(self, other: Self) -> Self {
        Self::new(self.low.min(other.low), self.high.max(other.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(text: &str) -> (f64, f64) {
        let Interval { low, high } = Figure::parse(text).unwrap().interval();
        (low, high)
    }

    #[test]
    fn a_figure_stands_for_what_rounds_or_truncates_to_its_own_digits() {
        assert_eq!(interval("46"), (45.5, 47.0));
        assert_eq!(interval("8.00"), (7.995, 8.01));
        assert_eq!(interval("1_200"), (1199.5, 1201.0));
        assert_eq!(interval("1.2e3"), (1150.0, 1300.0));
        assert_eq!(interval("0"), (0.0, 1.0));
    }

    #[test]
    fn a_figure_is_shown_with_the_digits_it_was_printed_with() {
        let shown = |text| Figure::parse(text).unwrap().to_string();
        assert_eq!(["8.00", "1_200", "1102.50", "+3", "1.2e3"].map(shown), ["8.00", "1,200", "1,102.50", "3", "1,200"]);
    }

    #[test]
    fn what_is_no_decimal_number_of_at_least_zero_is_no_figure() {
        assert!(["-1", "inf", "nan", "0x10", "1e999", ""].iter().all(|text| Figure::parse(text).is_err()));
    }

    #[test]
    fn half_of_a_price_saves_half() {
        let exact = |value| Interval::new(value, value);
        assert_eq!(exact(5.0).percent_below(exact(10.0)), exact(50.0));
        assert_eq!(exact(20.0).percent_below(exact(10.0)), exact(-100.0));
    }
}
