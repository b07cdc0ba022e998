//! From records to a report, and from a report to what people and programs read.

mod completions;
mod csv;
mod stage;
mod summary;
mod table;

pub use csv::csv;
pub use stage::{RequestCounts, StageReport, ThroughputOver, Usage, WindowCounts};
pub use summary::{Collector, Report, Verdict};
pub use table::table;
