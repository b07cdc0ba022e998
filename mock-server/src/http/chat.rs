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
use super::production::Production;
use super::response;
use crate::draw::Draws;
use crate::profile::Profile;
use crate::relay::{Decision, Finish, Pace, Plan, Refusal, Timing, decide};
use crate::wire::chunks::Chunks;
use crate::wire::content::Content;
use crate::wire::openai::request::ChatRequest;
use crate::wire::openai::script::Script;
use crate::wire::openai::stream::{Events, UsageChunk};
use crate::wire::openai::{Answer, Identity, Usage, completion};

/// A caller who stays longer with a request that hangs is cut off: in virtual time somebody must move the clock.
const LONGEST_HANG: Duration = Duration::from_secs(3600);

pub(super) async fn answer(mut attempt: Attempt, head: &Parts, body: Incoming) -> Result<Response<AnswerBody>, Cut> {
    if let Err(refusal) = attempt.authorize(&head.headers) {
        return Ok(refuse(attempt, head, refusal, &[]));
    }
    let body = match read(body, attempt.term().profile.body_limit).await {
        Ok(body) => body,
        Err(Unread::TooLarge(refusal)) => return Ok(refuse(attempt, head, refusal, &[])),
        Err(Unread::CallerLeft) => return Err(Cut),
    };
    let (request, model, script) = match ChatRequest::parse(&body).and_then(|request| {
        let profile = &attempt.term().profile;
        let model = model(profile, &request.model)?;
        let script = Script::new(&profile.completion, &model, &request, &body)?;
        Ok((request, model, script))
    }) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refuse(attempt, head, refusal, &body)),
    };
    let is_stream = request.stream == Some(true);
    attempt.asked(&model, is_stream);
    let draws = attempt.draws(&body);
    let facts = script.request(request.max_tokens());
    let entered = match decide(&attempt.term().profile, facts, draws, attempt.arrived()) {
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Serve(demand) => attempt.enter(demand),
    };
    let (plan, grant) = match entered {
        Ok(entered) => entered,
        Err(refusal) => return Ok(response::refused(attempt, head, &Identity::new(draws), refusal)),
    };
    match plan {
        Plan::Hang => Err(hang(&attempt).await),
        Plan::Overloaded { after } => {
            let production = Production::new(Timing::Paced(Pace::even(after, 1)), grant, &mut attempt);
            Ok(Play { attempt, head, draws, production, script }.overloaded().await)
        }
        Plan::Completion { tokens, finish, timing } => {
            let production = Production::new(timing, grant, &mut attempt);
            let play = Play { attempt, head, draws, production, script };
            let usage = Usage { prompt_tokens: facts.prompt_tokens, completion_tokens: tokens };
            let answer = play.begin(model, usage, finish);
            if is_stream {
                let usage = if request.wants_usage() { UsageChunk::Included } else { UsageChunk::Omitted };
                Ok(play.stream(answer, usage).await)
            } else {
                Ok(play.whole(answer).await)
            }
        }
    }
}

fn refuse(mut attempt: Attempt, head: &Parts, refusal: Refusal, body: &[u8]) -> Response<AnswerBody> {
    let identity = Identity::new(attempt.draws(body));
    response::refused(attempt, head, &identity, refusal)
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

async fn hang(attempt: &Attempt) -> Cut {
    relaybench_clock::sleep_until(attempt.term().instant(attempt.arrived() + LONGEST_HANG)).await;
    Cut
}

/// An attempt in the course of getting what was planned for it.
struct Play<'a> {
    attempt: Attempt,
    head: &'a Parts,
    draws: Draws,
    production: Production,
    script: Script,
}

impl Play<'_> {
    /// Waits for a token, and tells how long after the arrival it was due.
    async fn token(&mut self, number: u32) -> Duration {
        self.production.token(number, &mut self.attempt).await.saturating_sub(self.attempt.arrived())
    }

    async fn overloaded(mut self) -> Response<AnswerBody> {
        let took = self.token(1).await;
        response::failed(self.attempt, self.head, &Identity::new(self.draws), Refusal::Overloaded, took)
    }

    fn begin(&self, model: Arc<str>, usage: Usage, finish: Finish) -> Answer {
        let created = relaybench_clock::wall_now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Answer { identity: Identity::new(self.draws), created, model, usage, finish }
    }

    fn content(&self, answer: &Answer) -> Content {
        self.script.content(self.draws, answer.usage.completion_tokens)
    }

    async fn whole(mut self, answer: Answer) -> Response<AnswerBody> {
        let took = self.token(answer.usage.completion_tokens.max(1)).await;
        let body = completion::body(&answer, self.content(&answer));
        let body = AnswerBody::whole(self.attempt, body);
        response::success(body, &answer.identity, took, response::JSON)
    }

    async fn stream(mut self, answer: Answer, usage: UsageChunk) -> Response<AnswerBody> {
        let took = self.token(1).await;
        let chunks = Chunks::new(&self.attempt.term().profile.completion.chunk_tokens, self.draws);
        let events = Events::new(&answer, self.content(&answer), chunks, usage);
        let body = AnswerBody::stream(self.attempt, events, self.production);
        response::success(body, &answer.identity, took, response::EVENT_STREAM)
    }
}
