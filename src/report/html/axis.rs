//! An axis of a plot: how values become places, and where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear,
    Log,
    /// By the logarithm of the odds: p50 is the middle, and p90, p99, p99.9 follow in about equal steps.
    Logit,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.ln(),
            Self::Logit => (value / (1.0 - value)).ln(),
        }
    }
}

/// An axis with its ticks.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(super) label: &'static str,
    scale: Scale,
    range: Range<f64>,
    ticks: Vec<f64>,
    /// Where ticks have texts that their values do not tell.
    texts: Vec<String>,
}

impl Axis {
    /// From zero, for amounts.
    pub(crate) fn from_zero(label: &'static str, most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = step(most / 6.0);
        let count = (most / step).ceil();
        let ticks = (0..=count as u32).map(|tick| f64::from(tick) * step).collect();
        Self { label, scale: Scale::Linear, range: 0.0..count * step, ticks, texts: Vec::new() }
    }

    /// The time of stages that lasted so many seconds, side by side and of equal width: the long ones would leave the others no room. The
    /// first goes from 0 to 1, the second from 1 to 2.
    pub(super) fn of_stages(label: &'static str, seconds: &[f64]) -> Self {
        // As many ticks in each as there is room for.
        let ticks_a_stage = 12.0 / seconds.len() as f64;
        let of_stage = |(place, seconds): (usize, &f64)| {
            let step = step(seconds / ticks_a_stage.max(1.0));
            let count = if ticks_a_stage < 1.0 { 0 } else { (seconds * 0.9 / step) as u32 };
            let tick = |tick| (place as f64 + f64::from(tick) * step / seconds, f64::from(tick) * step);
            (0..=count).map(tick).collect::<Vec<_>>()
        };
        let (ticks, texts): (Vec<f64>, Vec<f64>) = seconds.iter().enumerate().flat_map(of_stage).unzip();
        let range = 0.0..seconds.len() as f64;
        let bare = Self { label, scale: Scale::Linear, range, ticks, texts: Vec::new() };
        Self { texts: texts.into_iter().map(|text| bare.text(text)).collect(), ..bare }
    }

    /// From zero to just there: for levels of load.
    fn until(label: &'static str, end: f64) -> Self {
        let axis = Self::from_zero(label, end);
        let ticks = axis.ticks.into_iter().filter(|tick| *tick <= end).collect();
        Self { range: 0.0..end.max(f64::MIN_POSITIVE), ticks, ..axis }
    }

    /// Levels of load, from zero to just beyond the highest, or logarithmic.
    pub(crate) fn of_levels(label: &'static str, levels: &[f64]) -> Self {
        let axis = Self::of_values(label, levels.iter().copied());
        let most = levels.iter().copied().fold(0.0, f64::max);
        if axis.scale == Scale::Log { axis } else { Self::until(label, most * 1.03) }
    }

    /// Linear from zero, or logarithmic where values differ so much that the small ones would not be seen.
    pub(crate) fn of_values(label: &'static str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let (least, most) = (positive.clone().fold(f64::INFINITY, f64::min), positive.fold(0.0, f64::max));
        if most < 20.0 * least || most <= 0.0 {
            return Self::from_zero(label, most);
        }
        let one_two_five = |decade: i32| [1.0, 2.0, 5.0].map(|digit| digit * 10.0_f64.powi(decade));
        let decades = least.log10().floor() as i32..=most.log10().floor() as i32;
        let few = decades.clone().count() <= 4;
        let all: Vec<f64> = decades.flat_map(one_two_five).collect();
        let low = all.iter().copied().filter(|tick| *tick <= least).fold(0.0, f64::max);
        let range = low..most * 1.1;
        let is_decade = |tick: f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
        let ticks = all.into_iter().filter(|tick| range.contains(tick) && (few || is_decade(*tick))).collect();
        Self { label, scale: Scale::Log, range, ticks, texts: Vec::new() }
    }

    /// Quantiles, from 0 to 1, on a logit scale.
    pub(crate) fn of_quantiles(label: &'static str, range: Range<f64>) -> Self {
        let named = [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];
        // A hair beyond the ends, so that a curve that ends at a named one has it.
        let ticks = named.into_iter().filter(|tick| *tick >= range.start && *tick <= range.end).collect();
        Self { label, scale: Scale::Logit, range, ticks, texts: Vec::new() }
    }

    pub(super) fn range(&self) -> Range<f64> {
        self.range.clone()
    }

    /// A tick's text: a percentile's number, or the value without digits that say nothing.
    pub(super) fn text(&self, value: f64) -> String {
        if let Some(text) = self.ticks.iter().position(|tick| *tick == value).and_then(|place| self.texts.get(place)) {
            return text.clone();
        }
        match self.scale {
            Scale::Logit => format!("p{}", (value * 1e4).round() / 100.0),
            Scale::Linear | Scale::Log if value >= 1000.0 => super::super::figures::grouped(value),
            Scale::Linear | Scale::Log => ((value * 1e6).round() / 1e6).to_string(),
        }
    }
}

/// The least of 1, 2 or 5 times a power of ten that is at least this.
fn step(least: f64) -> f64 {
    let decade = 10.0_f64.powf(least.log10().floor());
    let digits = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * decade);
    digits.into_iter().find(|step| *step >= least * 0.999_999).unwrap_or(decade)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let [low, high, place] = [self.range.start, self.range.end, *value].map(|value| self.scale.place(value));
        let share = ((place - low) / (high - low)).clamp(0.0, 1.0);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.text(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let texts = |axis: Axis| axis.ticks.iter().map(|tick| axis.text(*tick)).collect::<Vec<_>>().join(" ");
        assert_eq!(texts(Axis::from_zero("", 423.0)), "0 100 200 300 400 500");
        assert_eq!(texts(Axis::from_zero("", 0.0)), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(texts(Axis::until("", 8.49)), "0 2 4 6 8");
        assert_eq!(texts(Axis::of_values("", [3.0, 2_500.0].into_iter())), "2 5 10 20 50 100 200 500 1,000 2,000");
        assert_eq!(texts(Axis::of_values("", [300.0, 900.0].into_iter())), "0 200 400 600 800 1,000");
        assert_eq!(texts(Axis::of_quantiles("", 0.01..0.9991)), "p1 p10 p25 p50 p75 p90 p95 p99 p99.9");
    }

    #[test]
    fn stages_side_by_side_have_ticks_of_their_own() {
        let axis = Axis::of_stages("", &[8.5, 600.0]);
        let texts: Vec<String> = axis.ticks.iter().map(|tick| axis.text(*tick)).collect();
        assert_eq!(texts.join(" "), "0 2 4 6 0 100 200 300 400 500");
        assert_eq!(axis.map(&1.5, (0, 1000)), 750);
        assert_eq!(Axis::of_stages("", &[1.0; 20]).ticks.len(), 20);
    }

    #[test]
    fn the_median_is_in_the_middle_of_a_logit_axis_and_what_lies_outside_at_its_end() {
        let axis = Axis::of_quantiles("", 0.01..0.99);
        assert_eq!([0.01, 0.5, 0.99, 0.999].map(|quantile| axis.map(&quantile, (0, 1000))), [0, 500, 1000, 1000]);
    }
}
