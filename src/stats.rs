//! Arithmetic on measurements: histograms, what a sample can support and how far off it may be, trends, Little's law.

mod histogram;
mod interval;
mod little;
mod stored;
mod support;
mod trend;

pub use histogram::{Histogram, Summary};
pub use interval::{Repeated, ranks};
pub use little::{LittlesLaw, closed_loop_ceiling_rps, in_flight_needed};
pub use support::{samples_needed, supports};
pub use trend::{Stretches, Trend};
