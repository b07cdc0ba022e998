//! Cloudflare Workers AI: a list of errors with numbers, whose statuses are not always those of others.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use crate::relay::limits::{LimitReached, Period};
use crate::relay::{Invalid, Refusal};

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("cf-ray", request_id);
    headers.insert("server", HeaderValue::from_static("cloudflare"));
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let (status, code, message): (u16, u32, Cow<'static, str>) = match &refusal {
        Refusal::KeyMissing | Refusal::KeyWrong { .. } | Refusal::Injected(401) => (401, 10_000, "Authentication error".into()),
        Refusal::Injected(403) => (403, 10_000, "Authentication error".into()),
        Refusal::RouteUnknown => (404, 7000, "No route for that URI".into()),
        Refusal::MethodWrong { .. } => (405, 7001, format!("{} method not allowed for this endpoint", subject.method).into()),
        Refusal::Malformed { reason } => (400, 3003, format!("AiError: Request is missing headers or body: {reason}").into()),
        Refusal::Invalid(Invalid { message, .. }) => (400, 5006, format!("AiError: {message}").into()),
        Refusal::ModelUnknown { model } => (400, 5007, format!("AiError: No such model {model} or task").into()),
        Refusal::BodyTooLarge { .. } | Refusal::Injected(413) => (413, 3006, "AiError: Request is too large".into()),
        Refusal::Injected(404) => (404, 3042, "AiError: Invalid model ID".into()),
        Refusal::Injected(408) => (408, 3007, "AiError: Request timeout".into()),
        Refusal::QuotaUsedUp | Refusal::LimitReached(LimitReached::Rate { period: Period::Day, .. }) => {
            (429, 3036, "AiError: you have used up your daily free allocation of 10,000 neurons".into())
        }
        Refusal::LimitReached(LimitReached::TooLarge { .. }) => (413, 3006, "AiError: Request is too large".into()),
        Refusal::LimitReached(LimitReached::Concurrency { .. }) => {
            (429, 3040, "AiError: Capacity temporarily exceeded, please try again.".into())
        }
        Refusal::RateLimited { .. } | Refusal::LimitReached(_) => {
            (429, 971, "Please wait and consider throttling your request speed".into())
        }
        Refusal::Injected(429) | Refusal::TooManyInFlight | Refusal::Overloaded => {
            (429, 3040, "AiError: Capacity temporarily exceeded, please try again.".into())
        }
        Refusal::Injected(status @ 500..) => (*status, 3043, "AiError: Internal server error".into()),
        Refusal::Injected(status) | Refusal::InjectedHtml(status) => {
            (*status, 5004, format!("AiError: The request was answered {status}.").into())
        }
    };
    let WireError { retry_after, allow, .. } = WireError::new(refusal, subject);
    let body = Body { result: None, success: false, errors: [Error { code, message: &message }], messages: [] };
    Reply::json(status, &body).retry_after(retry_after).allow(allow)
}

#[derive(Serialize)]
struct Body<'a> {
    result: Option<()>,
    success: bool,
    errors: [Error<'a>; 1],
    messages: [(); 0],
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    code: u32,
}
