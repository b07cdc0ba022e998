//! one-api and its descendants, which most resale relays run: their own refusals are Chinese, those of the channels behind them are
//! handed on, and every message ends with the request's name.

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::Enveloped;
use super::openai::error::WireError;
use super::reply::{Reply, Subject};
use crate::relay::Refusal;
use crate::relay::limits::{LimitReached, Period, Resource};

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("x-oneapi-request-id", request_id);
}

/// The type of what the relay itself refuses.
const OWN: &str = "one_api_error";

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    let Subject { model, request_id, .. } = subject;
    let own = |status: u16, message: &str| {
        let message = format!("{message} (request id: {request_id})");
        Reply::json(status, &Enveloped { error: Error { message: &message, r#type: OWN, param: None, code: None } })
    };
    let no_channel = |model: &str| own(503, &format!("当前分组 default 下对于模型 {model} 无可用渠道"));
    match refusal {
        Refusal::KeyMissing => own(401, "未提供令牌"),
        Refusal::KeyWrong { .. } | Refusal::Injected(401) => own(401, "无效的令牌"),
        Refusal::QuotaUsedUp | Refusal::Injected(403) => {
            let message = format!("用户额度不足 (request id: {request_id})");
            let code = Some("insufficient_user_quota");
            Reply::json(403, &Enveloped { error: Error { message: &message, r#type: OWN, param: None, code } })
        }
        Refusal::RouteUnknown => {
            let message = format!("Invalid URL ({} {})", subject.method, subject.path);
            let error = Error { message: &message, r#type: "invalid_request_error", param: Some(""), code: Some("") };
            Reply::json(404, &Enveloped { error })
        }
        Refusal::ModelUnknown { model } => no_channel(&model),
        Refusal::Overloaded | Refusal::Injected(503) => no_channel(model),
        Refusal::LimitReached(LimitReached::Rate { resource: Resource::Requests, period, limit, wait, .. }) => {
            let minutes = if period == Period::Day { 1440 } else { 1 };
            own(429, &format!("您已达到请求数限制：{minutes}分钟内最多请求{limit}次")).retry_after_and_ms(Some(wait))
        }
        // What asks for too much is told so by the channel: no wait helps.
        Refusal::LimitReached(LimitReached::Rate { .. } | LimitReached::Concurrency { .. })
        | Refusal::RateLimited { .. }
        | Refusal::TooManyInFlight
        | Refusal::Injected(429) => {
            let WireError { retry_after, .. } = WireError::new(refusal, subject);
            own(429, "当前分组上游负载已饱和，请稍后再试").retry_after_and_ms(retry_after)
        }
        // What it cannot read of an answer it describes by the status.
        Refusal::Injected(status @ 500..) => {
            let message = format!("bad response status code {status} (request id: {request_id})");
            let (param, code) = (status.to_string(), Some("bad_response_status_code"));
            let error = Error { message: &message, r#type: "upstream_error", param: Some(&param), code };
            Reply::json(status, &Enveloped { error })
        }
        other => {
            let WireError { status, kind, code, param, message, allow, .. } = WireError::new(other, subject);
            let message = format!("{message} (request id: {request_id})");
            let error = Error { message: &message, r#type: kind, param: Some(param.as_deref().unwrap_or_default()), code };
            Reply::json(status, &Enveloped { error }).allow(allow)
        }
    }
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}
