//! BurstGPT's traces: CSV with seconds. The model that each request asked is not asked again.

use super::lines::Fields;
use super::read::{Columns, TimeUnit, Written, tokens};

/// The columns' names.
pub(super) const NAMES: [&str; 3] = ["Timestamp", "Request tokens", "Response tokens"];

pub(super) fn written(fields: &Fields, columns: Columns, unit: TimeUnit) -> Result<Written, String> {
    let text = fields.at(columns[0]).unwrap_or_default();
    let at = text.parse().ok().and_then(|number| unit.nanoseconds(number));
    Ok(Written {
        at_ns: at.ok_or_else(|| format!("Timestamp: \"{text}\" is no number of {}", unit.words()))?,
        prompt_tokens: tokens(NAMES[1], fields.at(columns[1]))?,
        completion_tokens: tokens(NAMES[2], fields.at(columns[2]))?,
    })
}
