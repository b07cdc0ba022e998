//! The gamma distribution.
//!
//! Its quantile function has no closed form, and solving an equation for every draw would take a microsecond or more. It is
//! solved once, at evenly spaced normal deviates z = Φ⁻¹(u), and interpolated: the logarithm of the quantile is a smooth function of
//! z whatever the shape is.
//!
//! With P the regularized incomplete gamma function, y = ln x, g = dP/dy and φ the normal density, P(e^y) = Φ(z) gives y' = φ/g,
//! and from it all further derivatives, so that between two nodes the polynomial of degree 7 that has the value and three
//! derivatives of both is known exactly (Hermite interpolation).

mod incomplete;

use std::fmt;
use std::sync::Arc;

use super::standard_normal::{self, polynomial};
use incomplete::{IncompleteGamma, Tail};

/// Nodes to a unit of z. At 8 a draw differs from the solution by less than 3e-11 of it at a shape of 0.05, where it is worst, and
/// by less than 1e-13 from a shape of 0.5 on.
const PER_UNIT: i32 = 8;
/// The number of nodes on either side of the median.
const SIDE: i32 = 66;
/// The outermost nodes: a number that was drawn, at least 2⁻⁵³ away from 0 and 1, lies within 8.21 deviations.
const EDGE: f64 = SIDE as f64 / PER_UNIT as f64;

/// A gamma distribution, ready to be drawn from: 8 KB, shared by its clones.
#[derive(Clone, PartialEq)]
pub struct Gamma {
    shape: f64,
    scale: f64,
    /// For each interval between nodes the polynomial of the place in it, from 0 to 1.
    pieces: Arc<[[f64; 8]]>,
}

impl Gamma {
    /// `shape` from 0.05 to 1000, `scale` above 0: the mean is their product.
    pub fn new(shape: f64, scale: f64) -> Self {
        let gamma = IncompleteGamma::new(shape);
        let median = Node::at(&gamma, 0.0, gamma.start(standard_normal::cdf(0.0)));
        let side = |direction: i32| {
            let next = move |last: &Node| {
                Some(Node::at(&gamma, last.z + f64::from(direction) / f64::from(PER_UNIT), last.next(direction)))
            };
            std::iter::successors(Some(median), next).skip(1).take(SIDE as usize)
        };
        let mut nodes: Vec<Node> = side(-1).collect();
        nodes.reverse();
        nodes.push(median);
        nodes.extend(side(1));
        Self { shape, scale, pieces: nodes.windows(2).map(|pair| between(pair[0], pair[1])).collect() }
    }

    /// The value that a share `u` (above 0 and below 1) of the distribution does not exceed.
    pub fn quantile(&self, u: f64) -> f64 {
        let place = (standard_normal::quantile(u) + EDGE) * f64::from(PER_UNIT);
        if place < 0.0 {
            let gamma = IncompleteGamma::new(self.shape);
            return self.scale * libm::exp(gamma.solve(Tail::Lower, libm::log(u), gamma.start(u)));
        }
        // The cast cuts off the fraction.
        let piece = (place as usize).min(self.pieces.len() - 1);
        self.scale * libm::exp(polynomial(&self.pieces[piece], place - piece as f64))
    }
}

impl fmt::Debug for Gamma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gamma").field("shape", &self.shape).field("scale", &self.scale).finish_non_exhaustive()
    }
}

/// The logarithm of the quantile of scale 1 at a normal deviate, with the coefficients of its Taylor series for steps of one node.
#[derive(Clone, Copy)]
struct Node {
    z: f64,
    taylor: [f64; 4],
}

impl Node {
    /// Solved from nearby, and derived: y'' = y'·s with s = −z − (a − x)·y', since (ln g)' is a − x by y.
    fn at(gamma: &IncompleteGamma, z: f64, nearby: f64) -> Self {
        let tail = if z <= 0.0 { Tail::Lower } else { Tail::Upper };
        let y = gamma.solve(tail, libm::log(standard_normal::cdf(-z.abs())), nearby);
        let x = libm::exp(y);
        let beyond = gamma.shape() - x;
        let first = standard_normal::density(z) / libm::exp(gamma.ln_density(y));
        let s = -z - beyond * first;
        let second = first * s;
        let third = second * s + first * (x * first * first - beyond * second - 1.0);
        let h = 1.0 / f64::from(PER_UNIT);
        Self { z, taylor: [y, first * h, second * h * h / 2.0, third * h * h * h / 6.0] }
    }

    /// About where the next node is.
    fn next(&self, direction: i32) -> f64 {
        let [y, first, second, _] = self.taylor;
        y + f64::from(direction) * first + second
    }
}

/// The polynomial that has the values and derivatives of both nodes: the Taylor polynomial of the left one, and four terms more
/// that make up for what it lacks at the right one.
fn between(left: Node, right: Node) -> [f64; 8] {
    let [a, b, c, d] = left.taylor;
    let lacking = [
        right.taylor[0] - (a + b + c + d),
        right.taylor[1] - (b + 2.0 * c + 3.0 * d),
        right.taylor[2] - (c + 3.0 * d),
        right.taylor[3] - d,
    ];
    // The inverse of the matrix of the binomial coefficients that t⁴ to t⁷ have at 1.
    let term = |row: [f64; 4]| row.iter().zip(lacking).map(|(factor, lack)| factor * lack).sum::<f64>();
    let fourth = term([35.0, -15.0, 5.0, -1.0]);
    let fifth = term([-84.0, 39.0, -14.0, 3.0]);
    let sixth = term([70.0, -34.0, 13.0, -3.0]);
    let seventh = term([-20.0, 10.0, -4.0, 1.0]);
    [a, b, c, d, fourth, fifth, sixth, seventh]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (shape, u, quantile): by a root finder on the incomplete gamma functions in 40 digits.
    #[rustfmt::skip]
    #[expect(clippy::excessive_precision, clippy::approx_constant, reason = "as they were computed")]
    const SOLVED: [(f64, f64, f64); 42] = [
        (0.05, END, 4.731_096_124_764_693_7e-320), (0.05, 9.536_743_164_062_5e-7, 2.263_387_485_031_718_5e-121), (0.05, 0.031_25, 4.610_601_735_394_790_4e-31), (0.05, 0.5, 5.573_878_440_746_247_5e-7),
        (0.05, 0.875, 0.042_087_933_469_796_294), (0.05, 0.999_999_046_325_683_6, 8.740_007_899_054_182), (0.05, 1.0 - END, 30.491_569_905_169_089),
        (0.38, END, 7.571_348_045_292_229_9e-43), (0.38, 9.536_743_164_062_5e-7, 1.050_151_075_367_044_7e-16), (0.38, 0.031_25, 8.017_519_031_135_197e-5), (0.38, 0.5, 0.129_644_969_166_991_75),
        (0.38, 0.875, 0.923_694_160_155_172_74), (0.38, 0.999_999_046_325_683_6, 11.452_822_041_999_64), (0.38, 1.0 - END, 33.689_011_563_704_004),
        (1.0, END, 1.110_223_024_625_156_6e-16), (1.0, 9.536_743_164_062_5e-7, 9.536_747_711_538_900_1e-7), (1.0, 0.031_25, 0.031_748_698_314_580_301), (1.0, 0.5, 0.693_147_180_559_945_31),
        (1.0, 0.875, 2.079_441_541_679_835_9), (1.0, 0.999_999_046_325_683_6, 13.862_943_611_198_906), (1.0, 1.0 - END, 36.736_800_569_677_101),
        (2.5, END, 6.711_114_655_705_428_7e-7), (2.5, 9.536_743_164_062_5e-7, 0.006_326_673_174_663_092_5), (2.5, 0.031_25, 0.460_046_267_404_732), (2.5, 0.5, 2.175_730_095_547_763_7),
        (2.5, 0.875, 4.312_382_661_218_593_8), (2.5, 0.999_999_046_325_683_6, 17.995_593_211_734_137), (2.5, 1.0 - END, 42.097_516_118_260_656),
        (30.0, END, 4.029_979_447_767_458_9), (30.0, 9.536_743_164_062_5e-7, 10.685_237_397_208_516), (30.0, 0.031_25, 20.651_986_314_429_123), (30.0, 0.5, 29.667_333_138_221_231),
        (30.0, 0.875, 36.375_420_183_639_96), (30.0, 0.999_999_046_325_683_6, 63.633_496_189_083_791), (30.0, 1.0 - END, 99.111_328_401_108_439),
        (1000.0, END, 762.070_537_026_186_56), (1000.0, 9.536_743_164_062_5e-7, 856.541_658_488_826_17), (1000.0, 0.031_25, 941.924_223_575_039_41), (1000.0, 0.5, 999.666_686_426_965_18),
        (1000.0, 0.875, 1_036.479_274_943_957_6), (1000.0, 0.999_999_046_325_683_6, 1_157.911_629_123_430_2), (1000.0, 1.0 - END, 1_282.159_038_424_714_6),
    ];

    /// 2⁻⁵³: the smallest number that is drawn, and the distance of the largest from 1.
    const END: f64 = f64::EPSILON / 2.0;

    #[test]
    fn it_agrees_with_solutions_in_many_digits_from_end_to_end() {
        for (shape, u, solved) in SOLVED {
            // Scaled up, since the smallest of them is smaller than a number with all its digits.
            let drawn = Gamma::new(shape, 1e100).quantile(u);
            let error = (drawn / (solved * 1e100) - 1.0).abs();
            assert!(error < 1e-10, "{shape} {u}: {drawn} is off by {error}");
        }
    }

    #[test]
    fn it_is_solved_anew_below_the_smallest_number_that_is_drawn() {
        // With a shape of 1 it is exponential, and near 0 as good as uniform.
        for u in [1e-16, 1e-100, 1e-300] {
            assert!((Gamma::new(1.0, 1.0).quantile(u) / u - 1.0).abs() < 1e-10, "{u}");
        }
    }
}
