//! OpenRouter: errors whose code is the status as a number, comments while a stream has nothing to say, and failures within it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::Enveloped;
use super::dialect::KeepAlive;
use super::limits::{Names, scarcest, write};
use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use crate::relay::Refusal;
use crate::relay::limits::{LimitReached, Resource, Standing};

/// What a stream says until its first token is due. How often the provider does is not documented.
pub(super) const KEEP_ALIVE: KeepAlive = KeepAlive { every: Duration::from_millis(500), comment: b": OPENROUTER PROCESSING\n\n" };

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("x-generation-id", request_id);
    headers.insert("server", HeaderValue::from_static("cloudflare"));
}

/// Of requests alone. The reset is a time of day, in milliseconds since 1970.
pub(super) fn write_limits(standings: &[Standing], wall: SystemTime, headers: &mut HeaderMap) {
    const REQUESTS: Names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let milliseconds =
        |reset: Duration| (wall + reset).duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().div_ceil(1_000_000);
    if let Some(standing) = scarcest(standings, Resource::Requests) {
        write(standing, REQUESTS, |reset| milliseconds(reset).to_string(), headers);
    }
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let model = subject.model;
    let (status, message, raw): (u16, Cow<'static, str>, Option<String>) = match &refusal {
        Refusal::KeyMissing => (401, "No auth credentials found".into(), None),
        Refusal::KeyWrong { .. } | Refusal::Injected(401) => (401, "User not found.".into(), None),
        Refusal::QuotaUsedUp | Refusal::Injected(402) => {
            (402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits".into(), None)
        }
        Refusal::Injected(403) => (403, "Your chosen model requires moderation and your input was flagged".into(), None),
        Refusal::RouteUnknown => (404, "Not Found".into(), None),
        Refusal::ModelUnknown { model } => (400, format!("{model} is not a valid model ID").into(), None),
        Refusal::Injected(404) => (404, format!("No endpoints found for {model}.").into(), None),
        Refusal::Injected(408) => (408, "Request timed out".into(), None),
        Refusal::LimitReached(LimitReached::Rate { resource, period, limit, .. }) => {
            let (resource, period) = (resource.words(), period.word());
            let message =
                format!("Rate limit exceeded: {model} is limited to {limit} {resource} per {period}. Please retry shortly.");
            (429, message.into(), None)
        }
        Refusal::LimitReached(LimitReached::TooLarge { resource, period, limit, requested }) => {
            let (resource, period) = (resource.words(), period.word());
            let message = format!(
                "Request too large: {model} is limited to {limit} {resource} per {period}, and {requested} were requested. Please reduce \
                 your prompt or max_tokens."
            );
            (429, message.into(), None)
        }
        Refusal::LimitReached(LimitReached::Concurrency { limit }) => {
            let message = format!(
                "Rate limit exceeded: {model} is limited to {limit} concurrent requests. Please retry when one has ended."
            );
            (429, message.into(), None)
        }
        Refusal::RateLimited { .. } | Refusal::Injected(429) => {
            let raw = format!("{model} is temporarily rate-limited upstream. Please retry shortly.");
            (429, "Provider returned error".into(), Some(raw))
        }
        Refusal::Overloaded | Refusal::Injected(503) => {
            (503, "There is no available model provider that meets your routing requirements".into(), None)
        }
        Refusal::Injected(status @ 500..) => {
            let error = WireError::new(refusal.clone(), subject);
            (*status, "Provider returned error".into(), Some(error.message.into_owned()))
        }
        _ => {
            let error = WireError::new(refusal.clone(), subject);
            (error.status, error.message, None)
        }
    };
    let metadata = raw.as_deref().map(|raw| Metadata { raw, provider_name: PROVIDER });
    let WireError { retry_after, allow, .. } = WireError::new(refusal, subject);
    let error = Error { message: &message, code: status, metadata };
    Reply::json(status, &Enveloped { error }).retry_after(retry_after).allow(allow)
}

/// Who stands behind the router.
const PROVIDER: &str = "Relaybench";

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    raw: &'a str,
    provider_name: &'static str,
}
