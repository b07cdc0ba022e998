//! A distribution given by some of its quantiles.

use thiserror::Error;

/// Quantiles, and between them the straight line. Where the lowest (p0) or the highest (p100) is not given, the outermost
/// segment goes on to it, though never below zero.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileTable {
    /// From 0 to 1, strictly increasing, with values that never decrease.
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    share: f64,
    value: f64,
}

/// What a table of quantiles may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuantileError {
    /// There is nothing to draw from.
    #[error("no quantile is given")]
    Empty,
    /// A share outside 0 to 1, or a value that is negative or not a number.
    #[error("a quantile is out of range")]
    OutOfRange,
    /// Shares that do not rise, or values that fall. The index is that of the later point.
    #[error("quantile number {} is below the one before it", .0 + 1)]
    Falling(usize),
}

impl QuantileTable {
    /// A table of (share, value), in rising order: `(0.95, 612e6)` says that 95 % are at most 612 ms.
    ///
    /// # Errors
    ///
    /// When the points are none, out of range, or not rising.
    pub fn new(points: &[(f64, f64)]) -> Result<Self, QuantileError> {
        let in_range = |&(share, value): &(f64, f64)| (0.0..=1.0).contains(&share) && (0.0..f64::INFINITY).contains(&value);
        if !points.iter().all(in_range) {
            return Err(QuantileError::OutOfRange);
        }
        if let Some(i) = points.windows(2).position(|pair| pair[1].0 <= pair[0].0 || pair[1].1 < pair[0].1) {
            return Err(QuantileError::Falling(i + 1));
        }
        let mut points: Vec<Point> = points.iter().map(|&(share, value)| Point { share, value }).collect();
        let (Some(&first), Some(&last)) = (points.first(), points.last()) else { return Err(QuantileError::Empty) };
        let second = points.get(1).copied().unwrap_or(first);
        let second_to_last = points.iter().rev().nth(1).copied().unwrap_or(last);
        if first.share > 0.0 {
            points.insert(0, Point { share: 0.0, value: line(first, second, 0.0).max(0.0) });
        }
        if last.share < 1.0 {
            points.push(Point { share: 1.0, value: line(second_to_last, last, 1.0) });
        }
        Ok(Self { points })
    }

    /// The value that a share `u` (0 to 1) of the distribution does not exceed.
    pub fn quantile(&self, u: f64) -> f64 {
        let above = self.points.partition_point(|point| point.share <= u).clamp(1, self.points.len() - 1);
        line(self.points[above - 1], self.points[above], u)
    }

    /// The mean of the distribution: the area under its quantiles.
    pub fn mean(&self) -> f64 {
        let area = |pair: &[Point]| (pair[1].share - pair[0].share) * (pair[0].value + pair[1].value) / 2.0;
        self.points.windows(2).map(area).sum()
    }
}

/// The line through two points, exact at both; flat where they are one.
fn line(a: Point, b: Point, share: f64) -> f64 {
    if share == b.share || a.share == b.share {
        return b.value;
    }
    a.value + (share - a.share) / (b.share - a.share) * (b.value - a.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_exact_at_each_given_quantile_and_linear_between() {
        let table = QuantileTable::new(&[(0.0, 100.0), (0.5, 200.0), (1.0, 600.0)]).unwrap();
        let drawn = [0.0, 0.25, 0.5, 0.75, 1.0].map(|u| table.quantile(u));
        assert_eq!(drawn, [100.0, 150.0, 200.0, 400.0, 600.0]);
        assert_eq!(table.mean(), 275.0);
    }

    #[test]
    fn its_outermost_segments_go_on_but_not_below_zero() {
        let table = QuantileTable::new(&[(0.5, 400.0), (0.9, 480.0)]).unwrap();
        assert!((table.quantile(0.0) - 300.0).abs() < 1e-9 && (table.quantile(1.0) - 500.0).abs() < 1e-9);
        let steep = QuantileTable::new(&[(0.5, 100.0), (0.6, 200.0)]).unwrap();
        assert_eq!(steep.quantile(0.0), 0.0);
    }

    #[test]
    fn a_single_quantile_is_a_fixed_value() {
        let table = QuantileTable::new(&[(0.5, 400.0)]).unwrap();
        assert_eq!([0.0, 0.3, 1.0].map(|u| table.quantile(u)), [400.0; 3]);
    }

    #[test]
    fn what_does_not_rise_is_refused() {
        assert_eq!(QuantileTable::new(&[]), Err(QuantileError::Empty));
        assert_eq!(QuantileTable::new(&[(0.5, 2.0), (0.9, 1.0)]), Err(QuantileError::Falling(1)));
        assert_eq!(QuantileTable::new(&[(0.9, 2.0), (0.5, 3.0)]), Err(QuantileError::Falling(1)));
        assert_eq!(QuantileTable::new(&[(1.5, 2.0)]), Err(QuantileError::OutOfRange));
        assert_eq!(QuantileTable::new(&[(0.5, f64::NAN)]), Err(QuantileError::OutOfRange));
    }
}
