//! Groq: OpenAI's errors without `param`, in Groq's words.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::Enveloped;
use super::limits::{REQUESTS, TOKENS, scarcest, write};
use super::openai::error::{WireError, go_duration};
use super::reply::{Reply, Subject};
use crate::relay::limits::{LimitReached, Period, Resource, Standing};
use crate::relay::{INJECTED_WAIT, Refusal};

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("x-request-id", request_id);
    headers.insert("x-groq-region", HeaderValue::from_static("dls"));
}

/// The requests are those of a day, and the tokens those of a minute, where both are limited.
pub(super) fn write_limits(standings: &[Standing], headers: &mut HeaderMap) {
    let preferred = [(Resource::Requests, Period::Day, REQUESTS), (Resource::Tokens, Period::Minute, TOKENS)];
    for (resource, period, names) in preferred {
        let of_period = standings.iter().find(|standing| standing.resource == resource && standing.period == period);
        if let Some(standing) = of_period.or_else(|| scarcest(standings, resource)) {
            write(standing, names, go_duration, headers);
        }
    }
}

/// What is limited, as its messages name it.
fn per_period(resource: Resource, period: Period) -> (&'static str, &'static str) {
    match (resource, period) {
        (Resource::Requests, Period::Minute) => ("requests", "requests per minute (RPM)"),
        (Resource::Requests, Period::Day) => ("requests", "requests per day (RPD)"),
        (Resource::Tokens, Period::Minute) => ("tokens", "tokens per minute (TPM)"),
        (Resource::Tokens, Period::Day) => ("tokens", "tokens per day (TPD)"),
        (Resource::InputTokens, Period::Minute) => ("tokens", "input tokens per minute (ITPM)"),
        (Resource::InputTokens, Period::Day) => ("tokens", "input tokens per day (ITPD)"),
        (Resource::OutputTokens, Period::Minute) => ("tokens", "output tokens per minute (OTPM)"),
        (Resource::OutputTokens, Period::Day) => ("tokens", "output tokens per day (OTPD)"),
    }
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let model = subject.model;
    let owner = "in organization `org_relaybench` service tier `on_demand`";
    let words: Option<(u16, &str, Option<&str>, Cow<'_, str>)> = match &refusal {
        Refusal::KeyMissing | Refusal::KeyWrong { .. } | Refusal::Injected(401) => {
            Some((401, "invalid_request_error", Some("invalid_api_key"), "Invalid API Key".into()))
        }
        Refusal::RouteUnknown => Some((
            404,
            "invalid_request_error",
            Some("unknown_url"),
            format!(
                "Unknown request URL: {} {}. Please check the URL for typos, or see the docs at https://console.groq.com/docs/",
                subject.method, subject.path
            )
            .into(),
        )),
        Refusal::RateLimited { resource, retry_after } => {
            let ((kind, on), wait) = (per_period(*resource, Period::Minute), go_duration(*retry_after));
            let message = format!("Rate limit reached for model `{model}` {owner} on {on}. Please try again in {wait}.");
            Some((429, kind, Some("rate_limit_exceeded"), message.into()))
        }
        Refusal::LimitReached(LimitReached::Rate { resource, period, limit, used, requested, wait }) => {
            let ((kind, on), wait) = (per_period(*resource, *period), go_duration(*wait));
            let message = format!(
                "Rate limit reached for model `{model}` {owner} on {on}: Limit {limit}, Used {used}, Requested {requested}. Please try \
                 again in {wait}."
            );
            Some((429, kind, Some("rate_limit_exceeded"), message.into()))
        }
        Refusal::LimitReached(LimitReached::TooLarge { resource, period, limit, requested }) => {
            let (kind, on) = per_period(*resource, *period);
            let message = format!(
                "Request too large for model `{model}` {owner} on {on}: Limit {limit}, Requested {requested}, please reduce your \
                 message size and try again."
            );
            Some((413, kind, Some("rate_limit_exceeded"), message.into()))
        }
        Refusal::LimitReached(LimitReached::Concurrency { limit }) => {
            let message = format!(
                "Rate limit reached for model `{model}` {owner} on concurrent requests: Limit {limit}, Used {limit}, Requested 1. Please \
                 try again when one of them has ended."
            );
            Some((429, "requests", Some("rate_limit_exceeded"), message.into()))
        }
        Refusal::Injected(429) => {
            return error(Refusal::RateLimited { resource: Resource::Requests, retry_after: INJECTED_WAIT }, subject);
        }
        Refusal::Injected(498) => {
            Some((498, "capacity_exceeded", Some("capacity_exceeded"), "Flex tier capacity exceeded".into()))
        }
        Refusal::Overloaded | Refusal::Injected(503) => {
            let message = format!("{model} is currently over capacity. Please try again and back off exponentially.");
            Some((503, "internal_server_error", None, message.into()))
        }
        Refusal::Injected(status @ 500..) => {
            let message = hyper::StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
            Some((*status, "internal_server_error", None, message.unwrap_or("Internal Server Error").into()))
        }
        _ => None,
    };
    let WireError { status, retry_after, allow, kind, code, message, .. } = WireError::new(refusal.clone(), subject);
    let (status, kind, code, message) = words.unwrap_or((status, kind, code, message));
    let error = Error { message: &message, r#type: kind, code };
    Reply::json(status, &Enveloped { error }).retry_after(retry_after).allow(allow)
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}
