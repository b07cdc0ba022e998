//! What Azure leaves out of its answers, as it is written.

use serde::Deserialize;
use toml::Spanned;

use super::raw::share;
use crate::config::Problem;
use crate::wire::dialect::Dialect;

/// How often answers of the dialect `azure` are vague about limits, as shares of the answers concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AzureGaps {
    /// Of answers with headers of limits those whose resets are `-1` or `0`, which do not mean what they say.
    pub(crate) vague_resets: f64,
    /// Of 429s those without `retry-after`.
    pub(crate) missing_retry_after: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAzureGaps {
    vague_resets: Option<Spanned<f64>>,
    missing_retry_after: Option<Spanned<f64>>,
}

pub(super) fn valid(raw: Option<Spanned<RawAzureGaps>>, dialect: Dialect) -> Result<AzureGaps, Problem> {
    let Some(raw) = raw else { return Ok(AzureGaps::default()) };
    if dialect != Dialect::Azure {
        return Err(Problem::at(&raw, "only the dialect \"azure\" has such gaps; write dialect = \"azure\", or leave this out"));
    }
    let RawAzureGaps { vague_resets, missing_retry_after } = raw.into_inner();
    Ok(AzureGaps {
        vague_resets: vague_resets.map_or(Ok(0.0), share)?,
        missing_retry_after: missing_retry_after.map_or(Ok(0.0), share)?,
    })
}
