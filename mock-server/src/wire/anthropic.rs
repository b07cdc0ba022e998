//! Anthropic: messages, and errors of a type for each status.

pub(super) mod messages;
pub(super) mod models;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::limits::{Names, in_thousands, scarcest_of, write};
use super::openai::error::WireError;
use super::reply::{Reply, Subject, seconds};
use crate::relay::limits::{LimitReached, Period, Resource, Standing};
use crate::relay::{Invalid, Refusal};

const OVERLOADED: u16 = 529;

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("request-id", request_id);
    headers.insert("anthropic-organization-id", HeaderValue::from_static("00000000-0000-4000-8000-000000000000"));
}

/// Resets are times of day. Tokens of prompts, of answers and of both together have headers of their own.
pub(super) fn write_limits(standings: &[Standing], wall: SystemTime, headers: &mut HeaderMap) {
    const REQUESTS: Names =
        ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"];
    const TOKENS: Names =
        ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"];
    const INPUT: Names = [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ];
    const OUTPUT: Names = [
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ];
    let of = |resource| scarcest_of(standings, |limited| limited == resource).copied();
    let together = || Some(sum(of(Resource::InputTokens)?, of(Resource::OutputTokens)?));
    for (standing, names) in [
        (of(Resource::Requests), REQUESTS),
        (of(Resource::Tokens).or_else(together), TOKENS),
        (of(Resource::InputTokens), INPUT),
        (of(Resource::OutputTokens), OUTPUT),
    ] {
        if let Some(standing) = standing {
            write(&standing, names, |reset| timestamp(wall + reset), headers);
        }
    }
}

/// What the limits of both kinds are together, as the provider has it: <https://docs.anthropic.com/en/api/rate-limits>, "Response
/// headers".
fn sum(input: Standing, output: Standing) -> Standing {
    Standing {
        resource: Resource::Tokens,
        period: input.period,
        limit: input.limit + output.limit,
        remaining: input.remaining + output.remaining,
        reset: input.reset.max(output.reset),
    }
}

/// RFC 3339, in whole seconds, rounded up.
fn timestamp(wall: SystemTime) -> String {
    let seconds = seconds(wall.duration_since(UNIX_EPOCH).unwrap_or_default());
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn reached(limit: &LimitReached) -> String {
    let of = |resource: Resource, period: Period, limit: u64| {
        let (resource, period, limit) = (resource.words(), period.word(), in_thousands(limit));
        format!("This request would exceed your organization's rate limit of {limit} {resource} per {period}.")
    };
    match limit {
        LimitReached::Rate { resource, period, limit, .. } | LimitReached::TooLarge { resource, period, limit, .. } => {
            of(*resource, *period, *limit)
        }
        LimitReached::Concurrency { .. } => CONCURRENT.to_owned(),
    }
}

const CONCURRENT: &str = "Number of concurrent connections has exceeded your rate limit. Please try again later.";

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let (status, message): (u16, Cow<'static, str>) = match &refusal {
        Refusal::KeyMissing => (401, "x-api-key header is required".into()),
        Refusal::KeyWrong { .. } | Refusal::Injected(401) => (401, "invalid x-api-key".into()),
        Refusal::RouteUnknown => (404, "Not Found".into()),
        Refusal::MethodWrong { .. } => (405, "Method Not Allowed".into()),
        Refusal::BodyTooLarge { .. } | Refusal::Injected(413) => (413, "Request exceeds the maximum size".into()),
        Refusal::ModelUnknown { model } => (404, format!("model: {model}").into()),
        Refusal::Injected(404) => (404, format!("model: {}", subject.model).into()),
        Refusal::Invalid(Invalid { param: Some(param), code: "missing_required_parameter", .. }) => {
            (400, format!("{param}: Field required").into())
        }
        Refusal::RateLimited { resource, .. } if *resource != Resource::Requests => {
            (429, "Number of request tokens has exceeded your per-minute rate limit. Please try again later.".into())
        }
        Refusal::RateLimited { .. } | Refusal::Injected(429) => {
            (429, "Number of requests has exceeded your per-minute rate limit. Please try again later.".into())
        }
        Refusal::LimitReached(limit) => (429, reached(limit).into()),
        Refusal::QuotaUsedUp => {
            let message = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
                           purchase credits.";
            (400, message.into())
        }
        Refusal::TooManyInFlight => (429, CONCURRENT.into()),
        Refusal::Overloaded | Refusal::Injected(OVERLOADED) => (OVERLOADED, "Overloaded".into()),
        Refusal::Injected(500) => (500, "Internal server error".into()),
        Refusal::Injected(504) => (504, "Request timed out".into()),
        _ => {
            let error = WireError::new(refusal.clone(), subject);
            (error.status, error.message)
        }
    };
    let may_pass =
        matches!(status, 408 | 409 | 429 | 500..) && !matches!(refusal, Refusal::LimitReached(LimitReached::TooLarge { .. }));
    let WireError { retry_after, allow, .. } = WireError::new(refusal, subject);
    let reply = body(status, &message, subject.request_id).retry_after(retry_after).allow(allow);
    reply.with("x-should-retry", if may_pass { "true" } else { "false" })
}

fn body(status: u16, message: &str, request_id: &str) -> Reply {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'static str,
        error: Error<'a>,
        request_id: &'a str,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        r#type: &'static str,
        message: &'a str,
    }
    Reply::json(status, &Body { r#type: "error", error: Error { r#type: kind(status), message }, request_id })
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        OVERLOADED => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
