//! Anthropic: messages, and errors of a type for each status.

pub(super) mod messages;

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use crate::relay::{Invalid, Refusal};

const OVERLOADED: u16 = 529;

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("request-id", request_id);
    headers.insert("anthropic-organization-id", HeaderValue::from_static("00000000-0000-4000-8000-000000000000"));
}

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
        Refusal::RateLimited { .. } | Refusal::Injected(429) => {
            (429, "Number of requests has exceeded your per-minute rate limit. Please try again later.".into())
        }
        Refusal::TooManyInFlight => {
            (429, "Number of concurrent connections has exceeded your rate limit. Please try again later.".into())
        }
        Refusal::Overloaded | Refusal::Injected(OVERLOADED) => (OVERLOADED, "Overloaded".into()),
        Refusal::Injected(500) => (500, "Internal server error".into()),
        Refusal::Injected(504) => (504, "Request timed out".into()),
        _ => {
            let error = WireError::new(refusal.clone(), subject);
            (error.status, error.message)
        }
    };
    let WireError { retry_after, allow, .. } = WireError::new(refusal, subject);
    let reply = body(status, &message, subject.request_id).retry_after(retry_after).allow(allow);
    reply.with("x-should-retry", if matches!(status, 408 | 409 | 429 | 500..) { "true" } else { "false" })
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
