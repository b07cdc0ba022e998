//! From records to a report, and from a report to what people and programs read. `docs/report.md` defines every figure.

pub mod aiperf;
mod comparison;
mod completions;
mod csv;
mod details;
pub(crate) mod figures;
mod hlog;
pub(crate) mod html;
mod markdown;
mod rebuild;
mod repeats;
mod sends;
mod slo;
mod stage;
mod summary;
pub(crate) mod table;
mod verdict;

pub use comparison::{Compared, ComparedRun, ComparedStage, Comparison, MeanOver};
pub use csv::csv;
pub use details::Details;
pub use hlog::hlog;
pub use html::html;
pub use markdown::markdown;
pub use rebuild::{RebuildError, Records, rebuild, rebuild_with_details};
pub use repeats::RepeatReport;
pub use slo::{ObjectiveReport, SloVerdict};
pub use stage::{RequestCounts, StageReport, ThroughputOver, Usage, WindowCounts};
pub use summary::{Collector, Report, Verdict};
pub use table::table;
pub use verdict::{Check, Checks, Side};
