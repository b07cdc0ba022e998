//! The answer to whoever asks for something to be made: read, decided, waited for, written.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::http::request::Parts;
use hyper::{Response, Version};

use super::Cut;
use super::attempt::{Attempt, LONGEST_HANG};
use super::body::AnswerBody;
use super::connection::RequestBody;
use super::headers::Headers;
use super::limited::Need;
use super::patience::Patience;
use super::production::Production;
use super::response;
use crate::draw::Draws;
use crate::relay::{Finish, Grant, Pace, Plan, Refusal, Request, Timing};
use crate::wire::answer::{Answer, Usage};
use crate::wire::chunks::Chunks;
use crate::wire::endpoint::{Asked, Endpoint, Written, named_model};
use crate::wire::identity::Identity;

/// What is to be made.
#[derive(Clone, Debug)]
pub(super) struct Generation<'a> {
    pub(super) endpoint: Endpoint,
    /// The model, where the path names it.
    pub(super) deployment: Option<Cow<'a, str>>,
}

pub(super) async fn answer(
    mut attempt: Box<Attempt>,
    generation: Generation<'_>,
    head: &Parts,
    headers: &Headers<'_>,
    body: RequestBody,
) -> Result<Response<AnswerBody>, Cut> {
    // What is wrong with them is said to those who may call.
    let _ = attempt.overrides(headers, &[]);
    if let Err(refusal) = attempt.authorize(headers) {
        let draws = attempt.draws(&[]);
        attempt.misses(headers.key.unwrap_or_default(), "", draws);
        return Ok(response::refused(attempt, head, &Identity::new(draws), refusal));
    }
    let entered = match read(body, attempt.term().profile.body_limit).await {
        // The body is dropped here, so that whoever waits does not hold it.
        Ok(body) => enter(&mut attempt, &generation, headers, &body),
        Err(Unread::Refused(refusal)) => {
            let draws = attempt.draws(&[]);
            attempt.misses(headers.key.unwrap_or_default(), "", draws);
            Err(Box::new((Identity::new(draws), refusal)))
        }
        Err(Unread::CallerLeft) => return Err(Cut),
        Err(Unread::TooSlow) => {
            // Over HTTP/2 nothing is said: the stream is reset.
            attempt.is_given_up((head.version != Version::HTTP_2).then_some(408));
            return Err(Cut);
        }
    };
    let mut served = match entered {
        Ok(Entered::Served(served)) => served,
        Ok(Entered::Held(grant)) => return Err(hang(&mut attempt, grant).await),
        Err(refused) => {
            attempt.may_answer().await;
            let (identity, refusal) = *refused;
            return Ok(response::refused(attempt, head, &identity, refusal));
        }
    };
    let created = relaybench_clock::wall_now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // An answer begins with its last token, a stream and a failure with the first.
    let awaited = match served.outcome {
        Outcome::Completion { tokens, .. } if !attempt.is_stream() => tokens.max(1),
        Outcome::Completion { .. } | Outcome::Overloaded => 1,
    };
    let (took, patience) = match attempt.keep_alive() {
        None => (served.production.token(awaited, &mut attempt).await.saturating_sub(attempt.arrived()), None),
        // In a box of its own, since few need the room.
        Some(keep_alive) => match Box::pin(within(keep_alive.every, &mut served.production, &mut attempt)).await {
            Some(due) => (due.saturating_sub(attempt.arrived()), None),
            None => (keep_alive.every, Some(keep_alive)),
        },
    };
    let begun = Begun { created, took };
    let Served { asked, draws, outcome, production } = *served;
    Ok(match (outcome, patience) {
        (Outcome::Overloaded, None) => response::failed(attempt, head, &Identity::new(draws), Refusal::Overloaded, took),
        (Outcome::Overloaded, Some(keep_alive)) => {
            let (failure, _) = response::error(&attempt, head, &Identity::new(draws), Refusal::Overloaded);
            let patience = Patience::new(keep_alive, Some(failure));
            completed(attempt, &asked, draws, production, (0, Finish::Stop), begun, Some(patience))
        }
        (Outcome::Completion { tokens, finish }, keep_alive) => {
            let patience = keep_alive.map(|keep_alive| Patience::new(keep_alive, None));
            completed(attempt, &asked, draws, production, (tokens, finish), begun, patience)
        }
    })
}

/// When the first token is due, if that is before so long a time after the request.
async fn within(patience: Duration, production: &mut Production, attempt: &mut Attempt) -> Option<Duration> {
    let end = attempt.term().instant(attempt.arrived() + patience);
    tokio::select! {
        biased;
        due = production.token(1, attempt) => Some(due),
        () = relaybench_clock::sleep_until(end) => None,
    }
}

/// When an answer was begun, by the time of day, and how long that took.
#[derive(Clone, Copy)]
struct Begun {
    created: Duration,
    took: Duration,
}

/// What an attempt that waits for its answer will get.
#[derive(Clone, Copy)]
enum Outcome {
    Completion { tokens: u32, finish: Finish },
    Overloaded,
}

/// An attempt that was read and not refused.
enum Entered {
    /// It waits for its answer: in a box, since much of it would be held twice by the future that waits.
    Served(Box<Served>),
    /// It waits in vain.
    Held(Option<Grant>),
}

struct Served {
    asked: Asked,
    draws: Draws,
    outcome: Outcome,
    production: Production,
}

/// Reads the request, decides, and takes the attempt's place; or why it has none.
fn enter(
    attempt: &mut Attempt,
    generation: &Generation<'_>,
    headers: &Headers<'_>,
    body: &[u8],
) -> Result<Entered, Box<(Identity, Refusal)>> {
    let overrides = attempt.overrides(headers, body);
    let asked = generation.endpoint.read(body, generation.deployment.as_deref(), &attempt.term().profile);
    let named = match &asked {
        Ok(asked) => {
            attempt.asked(asked);
            None
        }
        Err(_) => named_model(body, generation.deployment.as_deref()).and_then(|model| {
            attempt.concerns(&model);
            attempt.term().profile.model(&model)
        }),
    };
    let draws = attempt.draws(body);
    let refused = |refusal| Box::new((Identity::new(draws), refusal));
    let key = headers.key.unwrap_or_default();
    let admitted = asked.and_then(|asked| {
        let overrides = overrides?;
        attempt.admit(|term| Need::of(&asked, term, draws))?;
        Ok((asked, overrides))
    });
    let (asked, overrides) = admitted.map_err(|refusal| {
        let model = named.as_deref().unwrap_or_else(|| attempt.model()).to_owned();
        attempt.misses(key, &model, draws);
        refused(refusal)
    })?;
    let request = Request { key, model: &asked.model, ..asked.request };
    let (plan, grant) = attempt.decide(request, overrides, draws).map_err(refused)?;
    let (outcome, timing) = match plan {
        Plan::Hang => return Ok(Entered::Held(grant)),
        Plan::Overloaded { after } => (Outcome::Overloaded, Timing::Paced(Pace::even(after, 1))),
        Plan::Completion { tokens, finish, timing } => (Outcome::Completion { tokens, finish }, timing),
    };
    let production = Production::new(timing, grant, attempt);
    Ok(Entered::Served(Box::new(Served { asked, draws, outcome, production })))
}

/// The answer, or its beginning, which is due unless there is patience.
fn completed(
    mut attempt: Box<Attempt>,
    asked: &Asked,
    draws: Draws,
    production: Production,
    (tokens, finish): (u32, Finish),
    Begun { created, took }: Begun,
    patience: Option<Box<Patience>>,
) -> Response<AnswerBody> {
    let completion_tokens = tokens.saturating_mul(asked.choices);
    let usage = Usage { prompt_tokens: asked.request.prompt_tokens, completion_tokens };
    let answer = Answer { identity: Identity::new(draws), created, model: Arc::clone(&asked.model), usage, finish };
    let profile = &attempt.term().profile;
    let chunks = Chunks::new(&profile.completion.chunk_tokens, draws);
    let (written, dialect) = (asked.written(&answer, tokens, draws, chunks, profile.seed), attempt.dialect());
    match written {
        Written::Stream(events) => {
            response::stream(AnswerBody::stream(attempt, events, production, patience), dialect, &answer.identity, took)
        }
        Written::Whole(bytes) => {
            attempt.sent(tokens);
            response::success(AnswerBody::whole(attempt, bytes), dialect, &answer.identity, took)
        }
    }
}

/// Why there is no body.
enum Unread {
    Refused(Refusal),
    CallerLeft,
    TooSlow,
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TooSlow,
            io::ErrorKind::InvalidData => {
                Self::Refused(Refusal::Malformed { reason: "its transfer coding is broken".to_owned() })
            }
            _ => Self::CallerLeft,
        }
    }
}

async fn read(mut body: RequestBody, limit: usize) -> Result<Bytes, Unread> {
    let too_large = || Unread::Refused(Refusal::BodyTooLarge { limit });
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large());
        }
        // Nearly every body comes in one piece, and need not be copied.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn hang(attempt: &mut Attempt, grant: Option<Grant>) -> Cut {
    let from = match grant {
        Some(Grant { from }) => from,
        None => {
            let Grant { from } = std::future::poll_fn(|cx| attempt.poll_grant(cx)).await;
            attempt.granted(from);
            from
        }
    };
    relaybench_clock::sleep_until(attempt.term().instant(from + LONGEST_HANG)).await;
    Cut
}
