//! What a response means: an answer, or which failure.

mod limit;
mod model;
mod told;

use std::time::SystemTime;

use bytes::Bytes;
use hyper::HeaderMap;
use serde::de::DeserializeOwned;

use self::told::Told;
use super::config::ApiKey;
use super::error::{ErrorKind, Failure, Limit, is_passing};
use super::hint;
use super::policy::OtherModel;
use super::response::{Completion, FinishReason};
use super::stream::ChunkBody;

/// How much of a response's body an error keeps: an error's JSON is below 1 KiB, and a page of HTML tells enough in four.
const KEPT_BYTES: usize = 4 * 1024;

/// And so much more until the key is blotted out: a key that was cut would not be found.
const LONGEST_KEY_BYTES: usize = 1024;

/// The failure that a status other than success stands for.
pub(crate) fn status(status: u16, headers: &HeaderMap, body: &[u8], wall: SystemTime) -> Failure {
    let told = Told::of_refusal(body);
    let limit = limit::of(status, &told, headers);
    let kind = match (status, limit) {
        (402, _) | (400..500, Some(Limit::Quota)) => ErrorKind::InsufficientQuota,
        (429, Some(Limit::TooLarge)) => ErrorKind::TooLarge,
        (429, _) => ErrorKind::RateLimited,
        (other, _) => ErrorKind::Status(other),
    };
    let message = if told.message.is_empty() { format!("status {status}") } else { format!("status {status}: {}", told.message) };
    let mut failure = Failure::new(kind, message);
    failure.status = Some(status);
    failure.body = Some(beginning(body));
    failure.limit = limit;
    failure.hint = hint::wait(headers, wall);
    if failure.hint.is_none() && is_passing(status) {
        failure.hint = hint::in_words(&told.message);
        failure.is_hint_in_words = true;
    }
    failure.should_retry = hint::should_retry(headers);
    failure
}

/// The completion in a body, or why it is none.
pub(crate) fn completion(body: &Bytes) -> Result<Completion, Failure> {
    let completion: Completion = parse(body)?;
    let failed = completion.choices.iter().any(|choice| is_failure(choice.finish_reason.as_ref()));
    match () {
        () if failed || completion.error.is_some() => Err(Failure { has_content: completion.has_content(), ..in_band(body) }),
        () if completion.choices.is_empty() => Err(malformed("the completion has no choices", body)),
        () => Ok(completion),
    }
}

/// The chunk in an event's data, or why it is none.
pub(crate) fn chunk(event: Option<&str>, data: &str) -> Result<ChunkBody, Failure> {
    if event == Some("error") {
        return Err(in_band(data.as_bytes()));
    }
    // An event is complete when it is seen: JSON that breaks off in it was written so.
    let chunk: ChunkBody = parse(data.as_bytes()).map_err(|failure| match failure.kind {
        ErrorKind::Truncated => Failure { kind: ErrorKind::Malformed, ..failure },
        _ => failure,
    })?;
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
    /// Errors that have no status are looked at as if they had this one.
    const NO_STATUS: u16 = 500;
    let told = Told::of_refusal(body);
    let in_band_status = told.status();
    let status = in_band_status.unwrap_or(NO_STATUS);
    // Faulty requests do not mend; a gateway that says so in a 200 means it no less.
    let is_fault = !is_passing(status) || is_request_fault(&told);
    let mut failure = Failure::new(ErrorKind::InBand, "the response tells of an error");
    failure.in_band_status = in_band_status;
    failure.limit = limit::of(status, &told, &HeaderMap::new());
    failure.hint = hint::in_words(&told.message);
    failure.is_hint_in_words = true;
    if is_fault || failure.limit.is_some_and(|limit| !limit.may_pass()) {
        failure.should_retry = Some(false);
    }
    failure.body = Some(beginning(body));
    if !told.message.is_empty() {
        failure.message = told.message.into();
    }
    failure
}

fn is_request_fault(told: &Told) -> bool {
    const FAULT: [&str; 4] = ["invalid_request_error", "authentication_error", "permission_error", "not_found_error"];
    FAULT.contains(&told.kind.as_str())
}

/// The model that answered, when it is another than was asked. Fails where the policy takes that for a failure.
pub(crate) fn other_model(
    asked: &str,
    answered: Option<&str>,
    rule: OtherModel,
    key: Option<&ApiKey>,
) -> Result<Option<Box<str>>, Failure> {
    match (answered.filter(|answered| !answered.is_empty() && !model::is_same(asked, answered)), rule) {
        (None, _) => Ok(None),
        (Some(other), OtherModel::Record) => Ok(Some(match key {
            Some(key) => key.redact(other.to_owned()).into(),
            None => other.into(),
        })),
        (Some(other), OtherModel::Fail) => {
            Err(Failure::new(ErrorKind::ModelMismatch, format!("model {asked:?} was asked, and {other:?} answered")))
        }
    }
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
    if let Some(body) = &mut failure.body {
        let end = (0..=KEPT_BYTES.min(body.len())).rev().find(|end| body.is_char_boundary(*end));
        body.truncate(end.unwrap_or_default());
    }
    failure
}

fn is_failure(reason: Option<&FinishReason>) -> bool {
    matches!(reason, Some(FinishReason::Other(word)) if &**word == "error")
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(KEPT_BYTES + LONGEST_KEY_BYTES)]).into_owned()
}

#[cfg(test)]
mod tests;
