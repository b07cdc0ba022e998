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
use super::response;
use crate::draw::{Draws, Purpose};
use crate::profile::Profile;
use crate::relay::{Decision, Finish, Grant, Outcome, Pace, Plan, Refusal, Request, decide};
use crate::wire::content::Content;
use crate::wire::openai::request::ChatRequest;
use crate::wire::openai::stream::{Events, UsageChunk};
use crate::wire::openai::{Answer, Identity, Usage, completion};

/// A caller who stays longer with a request that hangs is cut off: in virtual time somebody must move the clock.
const LONGEST_HANG: Duration = Duration::from_secs(3600);

pub(super) async fn answer(mut attempt: Attempt, head: &Parts, body: Incoming) -> Result<Response<AnswerBody>, Cut> {
    if let Err(refusal) = attempt.authorize(&head.headers) {
        return Ok(refuse(attempt, head, refusal, &[]));
    }
    let body = match read(body, attempt.server().profile.body_limit).await {
        Ok(body) => body,
        Err(Unread::TooLarge(refusal)) => return Ok(refuse(attempt, head, refusal, &[])),
        Err(Unread::CallerLeft) => return Err(Cut),
    };
    let (request, model) = match ChatRequest::parse(&body).and_then(|request| {
        let model = model(&attempt.server().profile, &request.model)?;
        Ok((request, model))
    }) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refuse(attempt, head, refusal, &body)),
    };
    let is_stream = request.stream == Some(true);
    attempt.asked(&model, is_stream);
    let draws = attempt.draws(&body);
    let facts = Request { max_tokens: request.max_tokens() };
    let demand = match decide(&attempt.server().profile, facts, draws, attempt.arrived()) {
        Decision::Refuse(refusal) => return Ok(response::error(attempt, head, &Identity::new(draws), refusal, Duration::ZERO)),
        Decision::Serve(demand) => demand,
    };
    let (Plan { outcome, pace }, grant) = attempt.enter(demand);
    let mut play = Play { attempt, head, draws, grant };
    match outcome {
        Outcome::Hang => Err(play.hang().await),
        Outcome::Overloaded => Ok(play.overloaded(pace.total()).await),
        Outcome::Completion { tokens, finish } => {
            let usage = Usage { prompt_tokens: request.messages.tokens(), completion_tokens: tokens };
            let answer = play.begin(model, usage, finish);
            if is_stream {
                let usage = if request.wants_usage() { UsageChunk::Included } else { UsageChunk::Omitted };
                Ok(play.stream(answer, usage, pace).await)
            } else {
                Ok(play.whole(answer, pace.total()).await)
            }
        }
    }
}

fn refuse(mut attempt: Attempt, head: &Parts, refusal: Refusal, body: &[u8]) -> Response<AnswerBody> {
    let identity = Identity::new(attempt.draws(body));
    response::error(attempt, head, &identity, refusal, Duration::ZERO)
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

/// An attempt in the course of getting what was planned for it.
struct Play<'a> {
    attempt: Attempt,
    head: &'a Parts,
    draws: Draws,
    grant: Grant,
}

impl Play<'_> {
    /// Waits until this long after the grant.
    async fn due(&self, delay: Duration) {
        relaybench_clock::sleep_until(self.attempt.server().instant(self.grant.from + delay)).await;
    }

    async fn hang(&self) -> Cut {
        self.due(LONGEST_HANG).await;
        Cut
    }

    async fn overloaded(self, total: Duration) -> Response<AnswerBody> {
        self.due(total).await;
        response::error(self.attempt, self.head, &Identity::new(self.draws), Refusal::Overloaded, total)
    }

    fn begin(&mut self, model: Arc<str>, usage: Usage, finish: Finish) -> Answer {
        let created = relaybench_clock::wall_now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Answer { identity: Identity::new(self.draws), created, model, usage, finish }
    }

    fn content(&self, answer: &Answer) -> Content {
        Content::new(self.draws.stream(Purpose::Content), answer.usage.completion_tokens)
    }

    async fn whole(self, answer: Answer, total: Duration) -> Response<AnswerBody> {
        self.due(total).await;
        let body = completion::body(&answer, self.content(&answer));
        let body = AnswerBody::whole(self.attempt, body);
        response::success(body, &answer.identity, total, response::JSON)
    }

    async fn stream(self, answer: Answer, usage: UsageChunk, pace: Pace) -> Response<AnswerBody> {
        let first = pace.first();
        self.due(first).await;
        let events = Events::new(&answer, self.content(&answer), usage);
        let body = AnswerBody::stream(self.attempt, events, pace, self.grant);
        response::success(body, &answer.identity, first, response::EVENT_STREAM)
    }
}
