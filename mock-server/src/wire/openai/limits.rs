//! What is said of limits: the words of a refusal, and the headers of every answer.

use std::time::Duration;

use hyper::HeaderMap;

use super::error::go_duration;
use crate::relay::limits::{LimitReached, Period, Resource, Standing};
use crate::wire::limits::{REQUESTS, TOKENS, scarcest, write};

/// Whose limits they are. One for all: a name that belongs to a key would tell something of it.
const ORGANIZATION: &str = "org-relaybench";

/// Appends the three headers of each resource that is limited.
pub(crate) fn write_headers(standings: &[Standing], headers: &mut HeaderMap) {
    for (resource, names) in [(Resource::Requests, REQUESTS), (Resource::Tokens, TOKENS)] {
        if let Some(standing) = scarcest(standings, resource) {
            write(standing, names, go_duration, headers);
        }
    }
}

/// What a refusal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The limited resource.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// None where no wait helps, or nobody knows one.
    pub(crate) wait: Option<Duration>,
}

/// What whoever is refused for a model reads.
pub(crate) fn words(reached: LimitReached, model: &str) -> Words {
    match reached {
        LimitReached::Rate { resource, period, limit, used, requested, wait } => {
            let on = per_period(resource, period);
            let message = format!(
                "Rate limit reached for {model} in organization {ORGANIZATION} on {on}: \
                 Limit {limit}, Used {used}, Requested {requested}. Please try again in {}.",
                go_duration(wait)
            );
            Words { kind: kind(resource), message, wait: Some(wait) }
        }
        LimitReached::TooLarge { resource, period, limit, requested } => {
            let on = per_period(resource, period);
            let message = format!(
                "Request too large for {model} in organization {ORGANIZATION} on {on}: Limit {limit}, Requested {requested}. \
                 The input or output tokens must be reduced in order to run successfully."
            );
            Words { kind: kind(resource), message, wait: None }
        }
        LimitReached::Concurrency { limit } => {
            let message = format!(
                "Rate limit reached for {model} in organization {ORGANIZATION} on concurrent requests: \
                 Limit {limit}, Used {limit}, Requested 1. Please try again when one of them has ended."
            );
            Words { kind: kind(Resource::Requests), message, wait: None }
        }
    }
}

pub(super) fn kind(resource: Resource) -> &'static str {
    match resource {
        Resource::Requests => "requests",
        Resource::Tokens | Resource::InputTokens | Resource::OutputTokens => "tokens",
    }
}

pub(super) fn per_period(resource: Resource, period: Period) -> &'static str {
    match (resource, period) {
        (Resource::Requests, Period::Minute) => "requests per min (RPM)",
        (Resource::Requests, Period::Day) => "requests per day (RPD)",
        (Resource::Tokens, Period::Minute) => "tokens per min (TPM)",
        (Resource::Tokens, Period::Day) => "tokens per day (TPD)",
        (Resource::InputTokens, Period::Minute) => "input tokens per min (ITPM)",
        (Resource::InputTokens, Period::Day) => "input tokens per day (ITPD)",
        (Resource::OutputTokens, Period::Minute) => "output tokens per min (OTPM)",
        (Resource::OutputTokens, Period::Day) => "output tokens per day (OTPD)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_openai_uses() {
        let wait = Duration::from_millis(644);
        let reached =
            |resource, period| LimitReached::Rate { resource, period, limit: 30_000, used: 29_937, requested: 385, wait };
        assert_eq!(
            words(reached(Resource::Tokens, Period::Minute), "gpt-4.1"),
            Words {
                kind: "tokens",
                message: "Rate limit reached for gpt-4.1 in organization org-relaybench on tokens per min (TPM): \
                          Limit 30000, Used 29937, Requested 385. Please try again in 644ms."
                    .to_owned(),
                wait: Some(wait),
            }
        );
        let day = words(reached(Resource::Requests, Period::Day), "gpt-4.1");
        assert!(day.kind == "requests" && day.message.contains("on requests per day (RPD): Limit 30000,"), "{day:?}");
    }

    #[test]
    fn of_two_limits_the_headers_show_the_scarcer() {
        let standing = |resource, period, limit, remaining, secs| {
            let reset = Duration::from_secs(secs);
            Standing { resource, period, limit, remaining, reset }
        };
        let standings = [
            standing(Resource::Requests, Period::Minute, 600, 599, 1),
            standing(Resource::Requests, Period::Day, 1_000, 7, 85_795),
            standing(Resource::Tokens, Period::Minute, 90_000, 90_000, 0),
        ];
        let mut headers = HeaderMap::new();
        write_headers(&standings, &mut headers);
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        let expected = [
            "x-ratelimit-limit-requests: 1000",
            "x-ratelimit-remaining-requests: 7",
            "x-ratelimit-reset-requests: 23h49m55s",
            "x-ratelimit-limit-tokens: 90000",
            "x-ratelimit-remaining-tokens: 90000",
            "x-ratelimit-reset-tokens: 0s",
        ];
        assert_eq!(headers, expected);
    }
}
