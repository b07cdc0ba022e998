//! The headers that say how far limits are used up, as far as dialects have something in common.

use std::cmp::Reverse;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::http::HeaderValue;

use super::header_number;
use crate::relay::limits::{Resource, Standing};

/// The names of the three headers of a resource: its limit, what remains, and when all of it is there again.
pub(super) type Names = [&'static str; 3];

/// Those that OpenAI chose, and most others took over.
pub(super) const REQUESTS: Names = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
pub(super) const TOKENS: Names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

/// Appends three headers, the last of which is written as the dialect writes it.
pub(super) fn write(
    standing: &Standing,
    [limit, remaining, reset]: Names,
    written: impl FnOnce(Duration) -> String,
    headers: &mut HeaderMap,
) {
    headers.insert(limit, header_number(standing.limit));
    headers.insert(remaining, header_number(standing.remaining));
    headers.insert(reset, HeaderValue::try_from(written(standing.reset)).expect("digits, letters and signs"));
}

/// Of the limits to a resource that of which the least is left, and of several such the one that takes longest. Those to tokens of one
/// kind are limits to tokens, for dialects that do not tell kinds apart.
pub(super) fn scarcest(standings: &[Standing], resource: Resource) -> Option<&Standing> {
    let is_requests = resource == Resource::Requests;
    scarcest_of(standings, |limited| (limited == Resource::Requests) == is_requests)
}

/// The same, of the limits to these resources.
pub(super) fn scarcest_of(standings: &[Standing], is_meant: impl Fn(Resource) -> bool) -> Option<&Standing> {
    let meant = standings.iter().filter(|standing| is_meant(standing.resource));
    meant.min_by_key(|standing| (standing.remaining, Reverse(standing.reset)))
}

/// A number with a comma between its thousands.
pub(super) fn in_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([7, 999, 1_000, 40_000, 1_234_567].map(in_thousands), ["7", "999", "1,000", "40,000", "1,234,567"]);
    }
}
