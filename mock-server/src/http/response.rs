//! Responses: status and headers around a body.

use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};

use super::attempt::Attempt;
use super::body::AnswerBody;
use crate::draw::{self, Draws};
use crate::ledger::FaultOutcome;
use crate::relay::Refusal;
use crate::server::Term;
use crate::wire::openai::error::{Subject, WireError};
use crate::wire::openai::{Identity, VERSION, models};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const OPENAI_VERSION: HeaderName = HeaderName::from_static("openai-version");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Room for so many headers: those of the next request as well, since hyper reads them into the same map.
const KEPT: usize = 8;
/// Those of a stream, and no more: the map lives as long as it does.
const LEAST: usize = 6;

/// A good answer, for which the relay took this long.
pub(super) fn success(body: AnswerBody, identity: &Identity, took: Duration) -> Response<AnswerBody> {
    with_headers(body, headers(identity.request_id(), took, JSON, KEPT))
}

/// A stream, for whose beginning the relay took this long.
pub(super) fn stream(body: AnswerBody, identity: &Identity, took: Duration) -> Response<AnswerBody> {
    with_headers(body, headers(identity.request_id(), took, EVENT_STREAM, LEAST))
}

fn with_headers(body: AnswerBody, headers: HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The list of models, or why the caller may not see it.
pub(super) fn models(mut attempt: Box<Attempt>, head: &Parts) -> Response<AnswerBody> {
    let identity = Identity::new(attempt.draws(&[]));
    if let Err(refusal) = attempt.authorize(&head.headers) {
        return refused(attempt, head, &identity, refusal);
    }
    attempt.answered_at_once(200);
    let body = models::body(&attempt.term().profile);
    success(AnswerBody::whole(attempt, body), &identity, Duration::ZERO)
}

/// An error in answer to an attempt, at once.
pub(super) fn refused(mut attempt: Box<Attempt>, head: &Parts, identity: &Identity, refusal: Refusal) -> Response<AnswerBody> {
    if let Refusal::InjectedHtml(status) = refusal {
        return html(attempt, status);
    }
    if matches!(refusal, Refusal::Injected(_)) {
        attempt.fault_ended(FaultOutcome::Played);
    }
    let (error, request_id) = wire_error(&attempt, head, identity, refusal);
    attempt.answered_at_once(error.status);
    with_error(&error, AnswerBody::whole(attempt, error.body()), request_id, Duration::ZERO)
}

/// An error as a proxy in front of the relay would send it: nothing in it is the relay's.
fn html(mut attempt: Box<Attempt>, status: u16) -> Response<AnswerBody> {
    attempt.answered_at_once(status);
    attempt.fault_ended(FaultOutcome::Played);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let reason = status.canonical_reason().unwrap_or("Error");
    let title = format!("{} {reason}", status.as_str());
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>proxy</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(AnswerBody::whole(attempt, body.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HTML);
    response
}

/// An error in answer to an attempt, for which the relay took this long.
pub(super) fn failed(
    attempt: Box<Attempt>,
    head: &Parts,
    identity: &Identity,
    failure: Refusal,
    took: Duration,
) -> Response<AnswerBody> {
    let (error, request_id) = wire_error(&attempt, head, identity, failure);
    with_error(&error, AnswerBody::whole(attempt, error.body()), request_id, took)
}

fn wire_error(attempt: &Attempt, head: &Parts, identity: &Identity, refusal: Refusal) -> (WireError, String) {
    let request_id = identity.request_id();
    (WireError::new(refusal, subject(head, attempt.model(), &request_id)), request_id)
}

/// An error in answer to what reached no route.
pub(super) fn unrouted(term: &Term, refusal: Refusal, head: &Parts) -> Response<AnswerBody> {
    let path = draw::hash(head.uri.path().as_bytes());
    let identity = Identity::new(Draws::new(term.profile.seed, path, term.common.occurrence(path)));
    let request_id = identity.request_id();
    let error = WireError::new(refusal, subject(head, "", &request_id));
    with_error(&error, AnswerBody::unrecorded(error.body()), request_id, Duration::ZERO)
}

fn subject<'a>(head: &'a Parts, model: &'a str, request_id: &'a str) -> Subject<'a> {
    Subject { method: head.method.as_str(), path: head.uri.path(), model, request_id }
}

fn with_error(error: &WireError, body: AnswerBody, request_id: String, took: Duration) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    *headers = self::headers(request_id, took, JSON, KEPT);
    if let Some(wait) = error.retry_after {
        // Rounded up, so that a caller who waits as long is not turned away again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, seconds.into());
        headers.insert(RETRY_AFTER_MS, (wait.as_nanos().div_ceil(1_000_000) as u64).into());
    }
    if let Some(method) = error.allow {
        headers.insert(ALLOW, HeaderValue::from_static(method));
    }
    response
}

fn headers(request_id: String, took: Duration, content_type: HeaderValue, capacity: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(capacity);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(REQUEST_ID, HeaderValue::try_from(request_id).expect("letters, digits and an underscore"));
    headers.insert(PROCESSING_MS, (took.as_millis() as u64).into());
    headers.insert(OPENAI_VERSION, HeaderValue::from_static(VERSION));
    headers
}
