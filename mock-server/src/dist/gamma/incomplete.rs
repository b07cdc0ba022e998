//! The regularized incomplete gamma functions P and Q, and their inverse.
//!
//! Below the shape P is a power series, above it Q is a continued fraction: NIST Digital Library of Mathematical Functions, 8.11.4
//! and 8.9.2, the latter by the method of Lentz. All functions take y = ln x, since a quantile of a small shape may be e⁻⁷⁰⁰.

/// Terms of either at most. At a shape of 1000, where they are slowest, 400 are enough.
const TERMS: i32 = 2000;
/// Steps to a solution at most; 10 are enough from the farthest start.
const STEPS: i32 = 60;
/// Each step of Newton's method squares the error: after one as small as this what is left is rounding.
const CLOSE: f64 = 1e-10;

/// Which end a share is counted from. Each keeps its digits near its own end only.
#[derive(Clone, Copy)]
pub(super) enum Tail {
    Lower,
    Upper,
}

#[derive(Clone, Copy)]
pub(super) struct IncompleteGamma {
    shape: f64,
    ln_gamma: f64,
}

impl IncompleteGamma {
    pub(super) fn new(shape: f64) -> Self {
        Self { shape, ln_gamma: libm::lgamma(shape) }
    }

    pub(super) fn shape(&self) -> f64 {
        self.shape
    }

    /// Where to begin to look for the quantile `p`: P(x) is at most x^a / Γ(a + 1), so that the solution is not below.
    pub(super) fn start(&self, p: f64) -> f64 {
        (libm::log(p) + self.ln_gamma + libm::log(self.shape)) / self.shape
    }

    /// The y at which the logarithm of a tail's share is `ln_share`.
    ///
    /// Newton's method on that logarithm, which is concave: from below the solution of the lower tail it never overshoots.
    pub(super) fn solve(&self, tail: Tail, ln_share: f64, start: f64) -> f64 {
        let mut y = start;
        for _ in 0..STEPS {
            let step = match tail {
                Tail::Lower => {
                    let (ln_p, over_density) = self.lower(y);
                    (ln_share - ln_p) * over_density
                }
                Tail::Upper => {
                    let (ln_q, over_density) = self.upper(y);
                    (ln_q - ln_share) * over_density
                }
            };
            y += step;
            if step.abs() < CLOSE {
                break;
            }
        }
        y
    }

    /// The logarithm of dP/dy: x^a e⁻ˣ / Γ(a).
    pub(super) fn ln_density(&self, y: f64) -> f64 {
        self.shape * y - libm::exp(y) - self.ln_gamma
    }

    /// The logarithm of P, and P over its derivative.
    fn lower(&self, y: f64) -> (f64, f64) {
        let over_density = self.series(libm::exp(y));
        (self.ln_density(y) + libm::log(over_density), over_density)
    }

    /// The logarithm of Q, and Q over its derivative, without the sign.
    fn upper(&self, y: f64) -> (f64, f64) {
        let x = libm::exp(y);
        if x < self.shape + 1.0 {
            let q = 1.0 - libm::exp(self.lower(y).0);
            return (libm::log(q), q / libm::exp(self.ln_density(y)));
        }
        let over_density = self.fraction(x);
        (self.ln_density(y) + libm::log(over_density), over_density)
    }

    fn series(&self, x: f64) -> f64 {
        let mut term = 1.0 / self.shape;
        let mut sum = term;
        for n in 1..TERMS {
            term *= x / (self.shape + f64::from(n));
            sum += term;
            if term < sum * f64::EPSILON / 2.0 {
                break;
            }
        }
        sum
    }

    fn fraction(&self, x: f64) -> f64 {
        let mut denominator = x + 1.0 - self.shape;
        let mut over = 1.0 / denominator;
        let mut value = over;
        // What Lentz's method calls C begins as infinite.
        let mut under = f64::INFINITY;
        for n in 1..TERMS {
            let n = f64::from(n);
            let numerator = n * (self.shape - n);
            denominator += 2.0;
            over = 1.0 / (denominator + numerator * over);
            under = denominator + numerator / under;
            value *= over * under;
            if (over * under - 1.0).abs() <= f64::EPSILON {
                break;
            }
        }
        value
    }
}
