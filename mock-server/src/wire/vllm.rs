//! vLLM's own server: errors that are no longer within an object, and a mark of the end behind an error in mid-stream.
//!
//! This is the shape that it has had longest, and that other servers took over; since 0.10.1 it puts errors into an object, as OpenAI
//! does. It refuses nobody for being too many, so that the words for that are made up.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use crate::relay::Refusal;

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("server", HeaderValue::from_static("uvicorn"));
    headers.insert("x-request-id", request_id);
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    #[derive(Serialize)]
    struct Unauthorized {
        error: &'static str,
    }
    #[derive(Serialize)]
    struct Detail {
        detail: &'static str,
    }
    let words: Option<(u16, Cow<'static, str>)> = match &refusal {
        Refusal::KeyMissing | Refusal::KeyWrong { .. } | Refusal::Injected(401) => {
            return Reply::json(401, &Unauthorized { error: "Unauthorized" });
        }
        Refusal::RouteUnknown => return Reply::json(404, &Detail { detail: "Not Found" }),
        Refusal::MethodWrong { allowed } => {
            return Reply::json(405, &Detail { detail: "Method Not Allowed" }).allow(Some(allowed));
        }
        Refusal::ModelUnknown { model } => Some((404, format!("The model `{model}` does not exist.").into())),
        Refusal::Injected(404) => Some((404, format!("The model `{}` does not exist.", subject.model).into())),
        Refusal::Injected(500) => Some((500, "Internal server error".into())),
        _ => None,
    };
    let WireError { status, retry_after, allow, param, message, .. } = WireError::new(refusal, subject);
    let (status, message) = words.unwrap_or((status, message));
    let error = Error { object: "error", message: &message, r#type: kind(status), param: param.as_deref(), code: status };
    Reply::json(status, &error).retry_after(retry_after).allow(allow)
}

fn kind(status: u16) -> &'static str {
    match status {
        404 => "NotFoundError",
        429 => "RateLimitError",
        503 => "ServiceUnavailableError",
        500.. => "InternalServerError",
        _ => "BadRequestError",
    }
}

#[derive(Serialize)]
struct Error<'a> {
    object: &'static str,
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: u16,
}
