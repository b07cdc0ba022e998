//! Playing the fault of an attempt on its answer.
//!
//! The answer is taken [in pieces](Pieces), which are [altered](alter) by a pure function as they are made, and played: over hyper where the
//! result is still HTTP ([`Altered`]), and else by hand on the connection ([`Raw`]), which hyper then gives up.

mod abort;
mod alter;
mod altered;
mod delivery;
mod edit;
mod piece;
mod raw;

pub(super) use self::abort::{can_abort, tcp};
pub(super) use self::altered::Altered;
pub(super) use self::piece::Pieces;
pub(super) use self::raw::Raw;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};

use self::alter::{Alteration, Answer, alter};
use super::body::AnswerBody;
use super::response::subject;
use crate::ledger::FaultOutcome;
use crate::profile::FaultKind;
use crate::relay::Refusal;

/// How an answer is to be given.
pub(super) enum Played {
    OverHyper(Response<AnswerBody>),
    ByHand(Box<Raw>),
}

/// An answer, after whatever befalls it. `resets` tells whether its connection can be reset.
pub(super) fn befall(mut response: Response<AnswerBody>, head: &Parts, resets: bool) -> Played {
    // An attempt that fails in another way has no answer for a fault to befall.
    let kind = response.body().attempt().and_then(|attempt| attempt.fault()).filter(|_| response.status() == StatusCode::OK);
    let Some(kind) = kind else { return Played::OverHyper(response) };
    match alteration(kind, &response, head, resets) {
        Ok(alteration) => play(kind, alteration, response, head),
        Err(outcome) => {
            if let Some(attempt) = response.body_mut().attempt_mut() {
                attempt.fault_ended(outcome);
            }
            Played::OverHyper(response)
        }
    }
}

/// What becomes of the answer, or why it stays what it is.
fn alteration(kind: FaultKind, response: &Response<AnswerBody>, head: &Parts, resets: bool) -> Result<Alteration, FaultOutcome> {
    // HTTP/1.0 has no transfer coding.
    let is_beyond_http1_0 = kind == FaultKind::BadChunkSize && head.version == Version::HTTP_10;
    if kind.is_of_http1() && head.version > Version::HTTP_11 || is_beyond_http1_0 {
        return Err(FaultOutcome::NeedsHttp1);
    }
    if matches!(kind, FaultKind::Reset | FaultKind::ResetMidBody(_)) && !resets {
        return Err(FaultOutcome::NeedsReset);
    }
    if head.method == Method::HEAD && !kind.is_of_http1() {
        // It is about a body.
        return Err(FaultOutcome::NothingThere);
    }
    let attempt = response.body().attempt().ok_or(FaultOutcome::NothingThere)?;
    let request_id = attempt.request_id();
    let subject = subject(head, attempt.model(), &request_id);
    let pieces = match kind {
        FaultKind::ErrorEvent if attempt.is_stream() => {
            response.body().pieces_up_to(attempt.dialect().stream_error(Refusal::Injected(500), subject))
        }
        FaultKind::ErrorIn200 => Pieces::whole(attempt.dialect().error(Refusal::Injected(500), subject).body),
        _ => response.body().pieces(),
    };
    alter(kind, Answer { pieces, is_stream: attempt.is_stream(), model: attempt.model(), other_model: attempt.other_model() })
}

fn play(kind: FaultKind, alteration: Alteration, response: Response<AnswerBody>, head: &Parts) -> Played {
    let (mut parts, body) = response.into_parts();
    let Some((attempt, production)) = body.into_attempt() else {
        return Played::OverHyper(Response::from_parts(parts, AnswerBody::unrecorded(Vec::new())));
    };
    if kind == FaultKind::ErrorIn200 {
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if kind.is_of_http1() {
        return Played::ByHand(Box::new(Raw::new(attempt, production, alteration, parts, head)));
    }
    let body = AnswerBody::Altered(Box::new(Altered::new(attempt, production, alteration)));
    Played::OverHyper(Response::from_parts(parts, body))
}
