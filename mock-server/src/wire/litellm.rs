//! LiteLLM's proxy: OpenAI's messages behind the names of Python's exceptions.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use super::{Enveloped, header_number};
use crate::relay::Refusal;

pub(super) fn write_headers(request_id: HeaderValue, took: Duration, headers: &mut HeaderMap) {
    headers.insert("x-litellm-call-id", request_id);
    headers.insert("x-litellm-response-duration-ms", header_number(took.as_millis() as u64));
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let (status, kind, param, message) = match &refusal {
        Refusal::KeyMissing => (401, Some("auth_error"), Some("None"), "Authentication Error, No api key passed in.".to_owned()),
        Refusal::KeyWrong { masked } => (
            401,
            Some("token_not_found_in_db"),
            Some("key"),
            format!(
                "Authentication Error, Invalid proxy server token passed. Received API Key = {masked}. Unable to find token in cache \
                 or `LiteLLM_VerificationTokenTable`"
            ),
        ),
        Refusal::RouteUnknown => {
            #[derive(Serialize)]
            struct Detail {
                detail: &'static str,
            }
            return Reply::json(404, &Detail { detail: "Not Found" });
        }
        Refusal::ModelUnknown { model } => (
            400,
            Some("invalid_request_error"),
            Some("model"),
            format!(
                "{}: Invalid model name passed in model={model}. Call `/v1/models` to view available models for your key.",
                subject.path.trim_start_matches("/v1")
            ),
        ),
        _ => {
            let error = WireError::new(refusal.clone(), subject);
            let kind = if error.status == 429 { Some("throttling_error") } else { None };
            (error.status, kind, None, format!("{} - {}", exception(error.status), error.message))
        }
    };
    let WireError { retry_after, allow, .. } = WireError::new(refusal, subject);
    let code = status.to_string();
    let error = Error { message: &message, r#type: kind, param, code: &code };
    Reply::json(status, &Enveloped { error }).retry_after_and_ms(retry_after).allow(allow)
}

/// The exception, with the one of OpenAI's own library that it was made of.
fn exception(status: u16) -> &'static str {
    match status {
        400 | 413 | 422 => "litellm.BadRequestError: OpenAIException",
        401 => "litellm.AuthenticationError: AuthenticationError: OpenAIException",
        403 => "litellm.PermissionDeniedError: PermissionDeniedError: OpenAIException",
        404 => "litellm.NotFoundError: NotFoundError: OpenAIException",
        408 | 504 => "litellm.Timeout: APITimeoutError: OpenAIException",
        429 => "litellm.RateLimitError: RateLimitError: OpenAIException",
        502 => "litellm.BadGatewayError: BadGatewayError: OpenAIException",
        503 => "litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException",
        500.. => "litellm.InternalServerError: InternalServerError: OpenAIException",
        _ => "litellm.APIError: APIError: OpenAIException",
    }
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: Option<&'a str>,
    param: Option<&'a str>,
    code: &'a str,
}
