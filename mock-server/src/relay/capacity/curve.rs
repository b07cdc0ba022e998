//! Latency and failures as functions of the requests in flight.

use std::time::Duration;

use crate::dist;
use crate::profile::{Curve, CurvePoint};

/// The quantile `u` of the latency with this many in flight, times `factor`.
pub(in crate::relay) fn latency(curve: &Curve, in_flight: u32, u: f64, factor: f64) -> Duration {
    dist::duration(interpolate(curve, in_flight, |point| point.latency.quantile(u)) * factor)
}

/// The share of requests that fail with this many in flight.
pub(in crate::relay) fn failure_share(curve: &Curve, in_flight: u32) -> f64 {
    interpolate(curve, in_flight, |point| point.failure_share)
}

/// Linear between the points on either side; the nearest point's value outside all of them.
fn interpolate(curve: &Curve, in_flight: u32, value: impl Fn(&CurvePoint) -> f64) -> f64 {
    let points = &curve.points;
    let above = points.partition_point(|point| point.in_flight < in_flight);
    match (above.checked_sub(1).map(|below| &points[below]), points.get(above)) {
        (Some(below), Some(above)) => {
            let share = f64::from(in_flight - below.in_flight) / f64::from(above.in_flight - below.in_flight);
            value(below) * (1.0 - share) + value(above) * share
        }
        (Some(nearest), None) | (None, Some(nearest)) => value(nearest),
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::QuantileTable;

    fn curve() -> Curve {
        let point = |in_flight, low, high, failure_share| {
            let latency = QuantileTable::new(&[(0.0, low), (1.0, high)]).unwrap();
            CurvePoint { in_flight, latency, failure_share }
        };
        Curve { points: vec![point(10, 100.0, 200.0, 0.0), point(20, 300.0, 600.0, 0.1)] }
    }

    #[test]
    fn every_quantile_is_interpolated_between_points() {
        assert_eq!(latency(&curve(), 15, 0.0, 1.0), Duration::from_nanos(200));
        assert_eq!(latency(&curve(), 15, 0.5, 2.0), Duration::from_nanos(600));
        assert!((failure_share(&curve(), 15) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_point_is_exact_and_the_outermost_hold_beyond() {
        for (in_flight, expected) in [(1, 150), (10, 150), (20, 450), (1_000, 450)] {
            assert_eq!(latency(&curve(), in_flight, 0.5, 1.0), Duration::from_nanos(expected), "{in_flight}");
        }
        assert_eq!([1, 10, 20, 1_000].map(|n| failure_share(&curve(), n)), [0.0, 0.0, 0.1, 0.1]);
    }
}
