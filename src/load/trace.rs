//! Recorded traces: when requests came to somebody else's servers, and how long they were.

mod azure;
mod burstgpt;
mod lines;
mod mooncake;
mod read;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use read::{TimeUnit, TraceError, TraceOptions};

/// The arrivals of a trace, as they are replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceLoad {
    /// The file they were read from.
    pub file: PathBuf,
    /// Its format.
    pub format: TraceFormat,
    /// What the trace's times were multiplied by: 0.5 replays it twice as fast.
    pub time_scale: f64,
    /// How many requests are replayed.
    pub requests: u64,
    /// When the last of them comes, from the beginning of the stage.
    pub span_s: f64,
    /// Whether prompts and answers have the lengths of the trace.
    pub lengths: bool,
    /// The most in flight; arrivals beyond it wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<NonZeroUsize>,
    /// The arrivals, by time. Records do not hold them.
    #[serde(skip)]
    pub arrivals: Arc<Vec<TraceArrival>>,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceFormat {
    /// Azure LLM inference 2023 and 2024: CSV with `TIMESTAMP` (UTC), `ContextTokens` and `GeneratedTokens`.
    Azure,
    /// Mooncake: JSON Lines with `timestamp` (milliseconds), `input_length` and `output_length`.
    Mooncake,
    /// BurstGPT: CSV with `Timestamp` (seconds), `Request tokens` and `Response tokens`.
    Burstgpt,
}

/// One request of a trace, in 16 bytes: ten million are held in 160 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceArrival {
    /// When it comes, in nanoseconds from the beginning of the stage.
    pub at_ns: u64,
    /// The length of its prompt.
    pub prompt_tokens: u32,
    /// The length of its answer.
    pub completion_tokens: u32,
}

impl TraceLoad {
    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or the first line that is wrong: no arrival, out of order, or at a time that its unit makes
    /// implausible.
    pub fn read(file: PathBuf, options: &TraceOptions) -> Result<Self, TraceError> {
        let (format, arrivals) = read::read(&file, options)?;
        Ok(Self {
            file,
            format,
            time_scale: options.time_scale,
            requests: arrivals.len() as u64,
            span_s: arrivals.last().map_or(0.0, |last| Duration::from_nanos(last.at_ns).as_secs_f64()),
            lengths: options.lengths,
            max_in_flight: options.max_in_flight,
            arrivals: Arc::new(arrivals),
        })
    }

    /// The file's name without its ending.
    pub(super) fn name(&self) -> String {
        self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}
