//! The two files that NVIDIA's AIPerf writes for a run, for tools that read those: one for each stage.
//!
//! Times are of relaybench's own definitions: latency and the time to the first token count from the intended send, the inter-token latency
//! is (latency − time to first token) / (completion tokens − 1), and the aggregates are of the steady window.

mod record;
mod summary;

use std::collections::BTreeMap;

pub use record::record;
use serde::Serialize;
pub use summary::summary;

/// What AIPerf calls the files.
pub const SUMMARY_FILE: &str = "profile_export_aiperf.json";
/// What AIPerf calls the files.
pub const RECORDS_FILE: &str = "profile_export.jsonl";

/// An error as both files name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ErrorDetails {
    /// The HTTP status; none where no answer came.
    code: Option<u16>,
    r#type: String,
    message: String,
}

impl ErrorDetails {
    /// Of the client's name for a kind of error, like `status-503`.
    fn of(kind: &str) -> Self {
        let code = kind.strip_prefix("status-").and_then(|status| status.parse().ok());
        let message = code.map_or_else(|| kind.replace('-', " "), |status: u16| format!("HTTP status {status}"));
        Self { code, r#type: kind.to_owned(), message }
    }
}

/// The directory of a stage's files, below the run's: its place in the run, from 1, and its name.
pub fn directory(place: usize, stage: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{}-{}", place + 1, stage.chars().map(safe).collect::<String>())
}

/// Failures by kind, as AIPerf lists them.
fn error_summary(errors: &BTreeMap<String, u64>) -> Vec<serde_json::Value> {
    let one = |(kind, count): (&String, &u64)| serde_json::json!({ "error_details": ErrorDetails::of(kind), "count": count });
    errors.iter().map(one).collect()
}
