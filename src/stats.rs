//! Arithmetic on measurements: histograms, what a sample can support, Little's law.

mod histogram;
mod little;
mod support;

pub use histogram::{Histogram, Summary};
pub use little::{LittlesLaw, closed_loop_ceiling_rps, in_flight_needed};
pub use support::{samples_needed, supports};
