//! No throughput passes a rate limit.

use super::claims::{Claims, ProviderClaim};
use super::figure::Figure;
use super::finding::{Line, Verdict};
use crate::report::figures::grouped;

/// Each provider's throughput by its limit.
pub(super) fn providers(claims: &Claims) -> Vec<Line> {
    claims.providers.iter().filter_map(provider).collect()
}

fn provider(provider: &ProviderClaim) -> Option<Line> {
    let throughput = provider.row.throughput_rps.as_ref()?;
    let line = |verdict, why: String| Some(Line::new(&provider.name, verdict, why));
    if let Some(limit) = &provider.requests_per_minute {
        let (verdict, why) = against(throughput, limit, "requests", 1.0, provider.row.requests);
        return line(verdict, why);
    }
    match (&provider.tokens_per_minute, &provider.tokens_per_request, provider.limit.as_deref()) {
        (Some(limit), Some(tokens), _) => {
            let (verdict, why) = against(throughput, limit, "tokens", tokens.interval().low, provider.row.requests);
            line(verdict, why)
        }
        (Some(limit), None, _) => {
            line(Verdict::CannotTell, format!("{limit} tokens a minute: how many a request has is not told"))
        }
        (None, _, Some("none") | None) => None,
        (None, _, Some(limit)) => line(Verdict::CannotTell, format!("a limit by {limit} whose figure is not told")),
    }
}

/// What a minute at this throughput asks, of a limit that lets at most twice its figure through in the first: what it saved, or two of
/// its windows.
fn against(throughput: &Figure, limit: &Figure, of: &str, each: f64, requests: Option<u64>) -> (Verdict, String) {
    let asked = throughput.interval().scaled(60.0 * each);
    let why = format!("{throughput} req/s are {} {of} a minute, of {limit}", grouped((throughput.value() * 60.0 * each).round()));
    if requests.is_some_and(|requests| requests as f64 * each <= 2.0 * limit.interval().high) {
        return (Verdict::CannotTell, format!("{why}; so few requests may have passed at once"));
    }
    let verdict = if asked.is_above(limit.interval().high) { Verdict::Inconsistent } else { Verdict::Consistent };
    (verdict, why)
}
