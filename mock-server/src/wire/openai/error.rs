//! Errors: status, body and headers. Other dialects begin with these where they have no words of their own.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use super::limits::{self, Words};
use crate::relay::limits::{Period, Resource};
use crate::relay::{INJECTED_WAIT, Refusal};
use crate::wire::Enveloped;
use crate::wire::reply::{Reply, Subject};

/// What a caller reads who is refused, or for whom something failed.
pub(crate) fn reply(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let error = WireError::new(refusal, subject);
    let (wait, allow) = (error.retry_after, error.allow);
    Reply::from(error).retry_after_and_ms(wait).allow(allow)
}

/// An error before it is put into the shape of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WireError {
    pub(crate) status: u16,
    /// How long to stay away, in the two forms that there are.
    pub(crate) retry_after: Option<Duration>,
    /// The method that would have been right.
    pub(crate) allow: Option<&'static str>,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<String>,
    pub(crate) message: Cow<'static, str>,
}

impl WireError {
    pub(crate) fn new(refusal: Refusal, subject: Subject<'_>) -> Self {
        let Subject { method, path, model, request_id, .. } = subject;
        match refusal {
            Refusal::KeyMissing => Self::unauthorized(
                "You did not provide an API key. Send it in the header \"Authorization: Bearer YOUR_KEY\".".into(),
            ),
            Refusal::KeyWrong { masked } => Self::unauthorized(format!("Incorrect API key provided: {masked}.").into()),
            Refusal::RouteUnknown => Self::invalid(
                404,
                "unknown_url",
                format!(
                    "Invalid URL ({method} {path}). The routes are POST /v1/chat/completions, /v1/completions, /v1/embeddings, \
                     /v1/messages and /v1/responses, GET /v1/models, /v1/models/{{id}} and /healthz."
                ),
            ),
            Refusal::MethodWrong { allowed } => {
                let message = format!("Not allowed to {method} on {path}; the method is {allowed}.");
                Self { allow: Some(allowed), ..Self::invalid(405, "method_not_supported", message) }
            }
            Refusal::BodyTooLarge { limit } => {
                Self::invalid(413, "request_too_large", format!("The request body is longer than the limit of {limit} bytes."))
            }
            Refusal::Malformed { reason } => Self {
                code: None,
                ..Self::invalid(400, "", format!("We could not parse the JSON body of your request: {reason}."))
            },
            Refusal::Invalid(invalid) => Self { param: invalid.param, ..Self::invalid(400, invalid.code, invalid.message) },
            Refusal::ModelUnknown { model } => Self::invalid(
                404,
                "model_not_found",
                format!("The model `{model}` does not exist or you do not have access to it."),
            ),
            Refusal::RateLimited { resource, retry_after } => {
                let (kind, on) = (limits::kind(resource), limits::per_period(resource, Period::Minute));
                let message =
                    format!("Rate limit reached for {model} on {on}. Please try again in {}.", go_duration(retry_after));
                Self { retry_after: Some(retry_after), ..Self::other(429, kind, Some("rate_limit_exceeded"), message) }
            }
            Refusal::QuotaUsedUp => Self::other(
                429,
                "insufficient_quota",
                Some("insufficient_quota"),
                "You exceeded your current quota, please check your plan and billing details. For more information on this error, read \
                 the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            ),
            Refusal::LimitReached(reached) => {
                let Words { kind, message, wait } = limits::words(reached, model);
                Self { retry_after: wait, ..Self::other(429, kind, Some("rate_limit_exceeded"), message) }
            }
            Refusal::TooManyInFlight => Self::other(
                429,
                "rate_limit_error",
                Some("slow_down"),
                format!("Too many requests for {model} are in flight. Please slow down and try again (request {request_id})."),
            ),
            Refusal::Overloaded | Refusal::Injected(503) => Self::other(
                503,
                "service_unavailable_error",
                Some("server_is_overloaded"),
                format!("The server is overloaded or not ready yet (request {request_id})."),
            ),
            Refusal::Injected(401) => Self::unauthorized("Incorrect API key provided: ****.".into()),
            Refusal::Injected(404) => Self::invalid(
                404,
                "model_not_found",
                format!("The model `{model}` does not exist or you do not have access to it."),
            ),
            Refusal::Injected(429) => {
                Self::new(Refusal::RateLimited { resource: Resource::Requests, retry_after: INJECTED_WAIT }, subject)
            }
            Refusal::Injected(status @ 500..) => {
                let message = format!("The server had an error while processing your request (request {request_id}).");
                Self::other(status, "server_error", None, message)
            }
            Refusal::Injected(status) | Refusal::InjectedHtml(status) => {
                let message = format!("The request was answered {status}.");
                Self::other(status, "invalid_request_error", None, message)
            }
        }
    }

    fn unauthorized(message: Cow<'static, str>) -> Self {
        Self::invalid(401, "invalid_api_key", message)
    }

    fn invalid(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::other(status, "invalid_request_error", Some(code), message)
    }

    fn other(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, retry_after: None, allow: None, kind, code, param: None, message: message.into() }
    }
}

impl From<WireError> for Reply {
    fn from(error: WireError) -> Self {
        #[derive(Serialize)]
        struct Error<'a> {
            message: &'a str,
            r#type: &'a str,
            param: Option<&'a str>,
            code: Option<&'a str>,
        }
        let WireError { status, kind, code, param, message, .. } = &error;
        Self::json(*status, &Enveloped { error: Error { message, r#type: kind, param: param.as_deref(), code: *code } })
    }
}

/// As much of a key as an error may show: what every key begins with.
pub(crate) fn masked(key: &str) -> String {
    if key.starts_with("sk-") { "sk-****".to_owned() } else { "****".to_owned() }
}

/// A wait as Go prints durations: `644ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`. Rounded up to the millisecond, so that waiting is enough.
pub(crate) fn go_duration(wait: Duration) -> String {
    let ms = wait.as_nanos().div_ceil(1_000_000);
    let seconds = |ms: u128| match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        fraction => format!("{}.{}s", ms / 1_000, format!("{fraction:03}").trim_end_matches('0')),
    };
    match ms {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ms}ms"),
        1_000..60_000 => seconds(ms),
        60_000..3_600_000 => format!("{}m{}", ms / 60_000, seconds(ms % 60_000)),
        _ => format!("{}h{}m{}", ms / 3_600_000, ms / 60_000 % 60, seconds(ms % 60_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_written_as_go_writes_them() {
        let cases = [
            (0, "0s"),
            (644_000, "644ms"),
            (644_001, "645ms"),
            (1_000_000, "1s"),
            (1_500_000, "1.5s"),
            (360_000_000, "6m0s"),
            (179_560_000, "2m59.56s"),
            (3_600_000_000, "1h0m0s"),
        ];
        for (us, expected) in cases {
            assert_eq!(go_duration(Duration::from_micros(us)), expected);
        }
    }

    #[test]
    fn a_masked_key_shows_nothing_of_its_own() {
        assert_eq!([masked("sk-secret"), masked("secret"), masked("")], ["sk-****", "****", "****"]);
    }
}
