//! What a response means: an answer, or which failure.

use std::time::SystemTime;

use bytes::Bytes;
use hyper::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::ApiKey;
use super::error::{ErrorKind, Failure};
use super::hint;
use super::response::{Completion, FinishReason};
use super::stream::ChunkBody;

/// How much of a response's body an error keeps: an error's JSON is below 1 KiB, and a page of HTML tells enough in four.
const KEPT_BYTES: usize = 4 * 1024;

/// The failure that a status other than success stands for.
pub(crate) fn status(status: u16, headers: &HeaderMap, body: &[u8], wall: SystemTime) -> Failure {
    let told = Told::of(body);
    let quota = told.as_ref().is_some_and(Told::is_quota);
    let kind = match status {
        402 => ErrorKind::InsufficientQuota,
        429 if quota => ErrorKind::InsufficientQuota,
        429 => ErrorKind::RateLimited,
        other => ErrorKind::Status(other),
    };
    let message = match told {
        Some(Told { message, .. }) if !message.is_empty() => format!("status {status}: {message}"),
        _ => format!("status {status}"),
    };
    let mut failure = Failure::new(kind, message);
    failure.status = Some(status);
    failure.body = Some(beginning(body));
    failure.hint = hint::wait(headers, wall);
    failure.should_retry = hint::should_retry(headers);
    failure
}

/// The completion in a body, or why it is none.
pub(crate) fn completion(body: &Bytes) -> Result<Completion, Failure> {
    let completion: Completion = parse(body)?;
    let failed = completion.choices.iter().any(|choice| is_failure(choice.finish_reason.as_ref()));
    match () {
        () if failed || completion.error.is_some() => Err(in_band(body)),
        () if completion.choices.is_empty() => Err(malformed("the completion has no choices", body)),
        () => Ok(completion),
    }
}

/// The chunk in an event's data, or why it is none.
pub(crate) fn chunk(event: Option<&str>, data: &str) -> Result<ChunkBody, Failure> {
    if event == Some("error") {
        return Err(in_band(data.as_bytes()));
    }
    let chunk: ChunkBody = parse(data.as_bytes())?;
    let failed = chunk.choices.iter().any(|choice| is_failure(choice.finish_reason.as_ref()));
    if failed || chunk.error.is_some() { Err(in_band(data.as_bytes())) } else { Ok(chunk) }
}

/// JSON of the expected shape; a body that tells of an error instead is one in band.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    // Whole texts are validated faster than their parts.
    let Ok(text) = str::from_utf8(body) else { return Err(malformed("the response is not UTF-8", body)) };
    serde_json::from_str(text).map_err(|error| match Told::of(body) {
        Some(_) => in_band(body),
        None if error.is_eof() => Failure { kind: ErrorKind::Truncated, ..malformed("the response ends within its JSON", body) },
        None => malformed(format!("the response is not what was asked for: {error}"), body),
    })
}

/// An error in a response that has a status of success.
pub(crate) fn in_band(body: &[u8]) -> Failure {
    let message = Told::of(body).map(|told| told.message).filter(|message| !message.is_empty());
    let mut failure = Failure::new(ErrorKind::InBand, message.unwrap_or_else(|| "the response tells of an error".to_owned()));
    // Quota and faulty requests do not mend; a gateway that says so in a 200 means it no less.
    if Told::of(body).is_some_and(|told| told.is_quota() || told.is_request_fault()) {
        failure.should_retry = Some(false);
    }
    failure.body = Some(beginning(body));
    failure
}

/// Whether a body is JSON that tells of an error.
pub(crate) fn tells_of_error(body: &[u8]) -> bool {
    Told::of(body).is_some()
}

pub(crate) fn malformed(message: impl Into<String>, body: &[u8]) -> Failure {
    let mut failure = Failure::new(ErrorKind::Malformed, message.into());
    failure.body = Some(beginning(body));
    failure
}

/// Blots out the key, should the server have echoed it.
pub(crate) fn redact(mut failure: Failure, key: Option<&ApiKey>) -> Failure {
    if let Some(key) = key {
        failure.message = key.redact(failure.message.into_owned()).into();
        failure.body = failure.body.map(|body| key.redact(body));
    }
    failure
}

fn is_failure(reason: Option<&FinishReason>) -> bool {
    matches!(reason, Some(FinishReason::Other(word)) if &**word == "error")
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(KEPT_BYTES)]).into_owned()
}

/// What a body tells of an error, in whichever dialect: `{"error": {…}}`, `{"error": "…"}`, `{"object": "error", …}`,
/// `{"type": "error", …}`.
struct Told {
    message: String,
    kind: String,
    code: String,
}

impl Told {
    fn of(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let error = match &body["error"] {
            Value::Null if body["object"] == "error" || body["type"] == "error" => &body,
            Value::Null => return None,
            error => error,
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let message = if error.is_string() { text(error) } else { text(&error["message"]) };
        Some(Self { message, kind: text(&error["type"]), code: text(&error["code"]) })
    }

    fn is_quota(&self) -> bool {
        const QUOTA: [&str; 3] = ["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"];
        [&self.kind, &self.code].into_iter().any(|word| QUOTA.contains(&word.as_str()))
    }

    fn is_request_fault(&self) -> bool {
        const FAULT: [&str; 3] = ["invalid_request_error", "authentication_error", "permission_error"];
        FAULT.contains(&self.kind.as_str())
    }
}
