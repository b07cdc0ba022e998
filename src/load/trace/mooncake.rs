//! Mooncake's traces: JSON Lines with milliseconds. Which blocks of a prompt are cached (`hash_ids`) is not replayed.

use serde::Deserialize;

use super::read::{TimeUnit, Written, whole_tokens};

#[derive(Deserialize)]
struct Line {
    timestamp: f64,
    input_length: f64,
    output_length: f64,
}

pub(super) fn written(line: &str, unit: TimeUnit) -> Result<Written, String> {
    let Line { timestamp, input_length, output_length } = serde_json::from_str(line)
        .map_err(|error| format!("{error}; a line has the numbers timestamp, input_length and output_length"))?;
    // Mooncake's own are whole; a part of a millisecond tells of a trace in seconds.
    if unit == TimeUnit::Milliseconds && timestamp.trunc() != timestamp {
        return Err(format!(
            "timestamp: {timestamp} is no whole number of milliseconds; if these are seconds write unit = \"s\""
        ));
    }
    Ok(Written {
        at_ns: unit.nanoseconds(timestamp).ok_or_else(|| format!("timestamp: {timestamp} is no number of {}", unit.words()))?,
        prompt_tokens: whole_tokens("input_length", input_length)?,
        completion_tokens: whole_tokens("output_length", output_length)?,
    })
}
