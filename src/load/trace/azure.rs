//! Azure's traces of LLM inference: CSV with dates.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::lines::Fields;
use super::read::{Columns, Written, tokens};

/// The columns' names.
pub(super) const NAMES: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

pub(super) fn written(fields: &Fields, columns: Columns) -> Result<Written, String> {
    let text = fields.at(columns[0]).unwrap_or_default();
    let at = date(text).ok_or_else(|| {
        format!("TIMESTAMP: \"{text}\" is no date; Azure's traces have such as \"2023-11-16 18:15:46.6805900\" (UTC)")
    })?;
    Ok(Written {
        at_ns: at.as_nanosecond(),
        prompt_tokens: tokens(NAMES[1], fields.at(columns[1]))?,
        completion_tokens: tokens(NAMES[2], fields.at(columns[2]))?,
    })
}

/// The trace of 2023 leaves the zone out, that of 2024 writes it.
fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}
