//! The answer to `POST /v1/chat/completions`.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;

use super::Cut;
use super::attempt::Attempt;
use super::body::AnswerBody;
use super::limited::Need;
use super::production::Production;
use super::response;
use crate::draw::Draws;
use crate::profile::Profile;
use crate::relay::{Decision, Finish, Grant, Pace, Plan, Refusal, Timing, decide};
use crate::wire::chunks::Chunks;
use crate::wire::identity::Identity;
use crate::wire::openai::request::ChatRequest;
use crate::wire::openai::script::Script;
use crate::wire::openai::stream::{Events, UsageChunk};
use crate::wire::openai::{Answer, Usage, completion};

/// A caller who stays longer with a request that hangs is cut off: in virtual time somebody must move the clock.
const LONGEST_HANG: Duration = Duration::from_secs(3600);

pub(super) async fn answer(mut attempt: Box<Attempt>, head: &Parts, body: Incoming) -> Result<Response<AnswerBody>, Cut> {
    if let Err(refusal) = attempt.authorize(&head.headers) {
        let identity = Identity::new(attempt.draws(&[]));
        return Ok(response::refused(attempt, head, &identity, refusal));
    }
    let entered = match read(body, attempt.term().profile.body_limit).await {
        // The body is dropped here, so that whoever waits does not hold it.
        Ok(body) => enter(&mut attempt, &body),
        Err(Unread::TooLarge(refusal)) => Err((Identity::new(attempt.draws(&[])), refusal)),
        Err(Unread::CallerLeft) => return Err(Cut),
    };
    let (asked, plan, grant) = match entered {
        Ok(entered) => entered,
        Err((identity, refusal)) => return Ok(response::refused(attempt, head, &identity, refusal)),
    };
    let (outcome, timing) = match plan {
        Plan::Hang => return Err(hang(&mut attempt, grant).await),
        Plan::Overloaded { after } => (Outcome::Overloaded, Timing::Paced(Pace::even(after, 1))),
        Plan::Completion { tokens, finish, timing } => (Outcome::Completion { tokens, finish }, timing),
    };
    let mut production = Production::new(timing, grant, &mut attempt);
    let created = relaybench_clock::wall_now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // An answer begins with its last token, a stream and a failure with the first.
    let awaited = match outcome {
        Outcome::Completion { tokens, .. } if !attempt.is_stream() => tokens.max(1),
        Outcome::Completion { .. } | Outcome::Overloaded => 1,
    };
    let due = production.token(awaited, &mut attempt).await;
    let took = due.saturating_sub(attempt.arrived());
    Ok(match outcome {
        Outcome::Overloaded => response::failed(attempt, head, &Identity::new(asked.draws), Refusal::Overloaded, took),
        Outcome::Completion { tokens, finish } => asked.completed(attempt, production, created, (tokens, finish), took),
    })
}

/// What an attempt that waits for its answer will get.
#[derive(Clone, Copy)]
enum Outcome {
    Completion { tokens: u32, finish: Finish },
    Overloaded,
}

/// What was asked for.
struct Asked {
    draws: Draws,
    model: Arc<str>,
    script: Script,
    prompt_tokens: u32,
    usage: UsageChunk,
}

/// Reads the request, decides, and takes the attempt's place; or why it has none.
fn enter(attempt: &mut Attempt, body: &[u8]) -> Result<(Asked, Plan, Option<Grant>), (Identity, Refusal)> {
    let read = ChatRequest::parse(body).and_then(|request| {
        let profile = &attempt.term().profile;
        let model = model(profile, &request.model)?;
        let script = Script::new(&profile.completion, &model, &request, body)?;
        Ok((request, model, script))
    });
    if let Ok((request, model, _)) = &read {
        attempt.asked(model, request.stream == Some(true));
    }
    let draws = attempt.draws(body);
    let refused = |refusal| (Identity::new(draws), refusal);
    let (request, model, script) = read.map_err(refused)?;
    let facts = script.request(request.max_tokens());
    attempt.admit(|term| Need::of_completion(term, request.max_tokens(), facts, draws)).map_err(refused)?;
    let (plan, grant) = match decide(&attempt.term().profile, facts, draws, attempt.arrived()) {
        Decision::Refuse(refusal) => return Err(refused(refusal)),
        Decision::Serve(demand) => attempt.enter(demand).map_err(refused)?,
    };
    let usage = if request.wants_usage() { UsageChunk::Included } else { UsageChunk::Omitted };
    Ok((Asked { draws, model, script, prompt_tokens: facts.prompt_tokens, usage }, plan, grant))
}

impl Asked {
    /// The answer, or its beginning, which is due.
    fn completed(
        self,
        mut attempt: Box<Attempt>,
        production: Production,
        created: Duration,
        (tokens, finish): (u32, Finish),
        took: Duration,
    ) -> Response<AnswerBody> {
        let usage = Usage { prompt_tokens: self.prompt_tokens, completion_tokens: tokens };
        let answer = Answer { identity: Identity::new(self.draws), created, model: self.model, usage, finish };
        let content = self.script.content(self.draws, tokens);
        let dialect = attempt.dialect();
        if attempt.is_stream() {
            let chunks = Chunks::new(&attempt.term().profile.completion.chunk_tokens, self.draws);
            let events = Events::new(&answer, content, chunks, self.usage);
            return response::stream(AnswerBody::stream(attempt, events, production), dialect, &answer.identity, took);
        }
        attempt.sent(tokens);
        attempt.settle();
        response::success(AnswerBody::whole(attempt, completion::body(&answer, content)), dialect, &answer.identity, took)
    }
}

fn model(profile: &Profile, name: &str) -> Result<Arc<str>, Refusal> {
    let found = profile.models.iter().find(|model| &***model == name);
    found.cloned().ok_or_else(|| Refusal::ModelUnknown { model: name.to_owned() })
}

enum Unread {
    TooLarge(Refusal),
    CallerLeft,
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    let too_large = || Unread::TooLarge(Refusal::BodyTooLarge { limit });
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::CallerLeft)?.into_data() else { continue };
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
