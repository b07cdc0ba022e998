//! The three requests.

use std::time::Duration;

use relaybench_clock::now;

use crate::client::{ChatRequest, Client, Error, Model, OtherModel, Policy, Retry, StreamEnd};

use super::{ANSWER_TOKENS, PROMPT};

/// What the requests were answered with.
pub(super) struct Probed {
    pub(super) models: Result<Vec<Model>, Error>,
    pub(super) answer: Result<Answer, Error>,
    pub(super) stream: Result<Streamed, Error>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) took: Duration,
    pub(super) tokens: Option<u64>,
    pub(super) model: Option<String>,
    /// The same, if it is another than was asked and no version of it.
    pub(super) other_model: Option<String>,
}

/// A stream that was proved complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streamed {
    /// Until the first piece of text, or the end when there was none.
    pub(super) first: Duration,
    pub(super) took: Duration,
    /// With text.
    pub(super) pieces: u32,
    pub(super) end: Option<StreamEnd>,
}

/// The policy, without retries: what is sent is counted beforehand, and a failure is to be seen.
pub(super) fn once(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.retry = Retry::never();
    // Which model answers is one of the checks.
    policy.other_model = OtherModel::Record;
    policy
}

/// Sends them, each whatever became of those before: a relay need not list its models, nor a list need a key.
pub(super) async fn all(client: &Client, model: &str) -> Probed {
    let models = client.models().await;
    let asked = || ChatRequest::new(model).user(PROMPT).max_tokens(ANSWER_TOKENS);
    Probed { models, answer: answer(client, asked()).await, stream: stream(client, asked()).await }
}

async fn answer(client: &Client, request: ChatRequest) -> Result<Answer, Error> {
    let start = now();
    let answer = client.chat(request).await?;
    let tokens = answer.usage().map(|usage| usage.completion_tokens);
    let took = start.elapsed();
    let other = answer.attempts().last().and_then(|attempt| attempt.other_model.as_deref());
    Ok(Answer { took, tokens, model: answer.model().map(str::to_owned), other_model: other.map(str::to_owned) })
}

async fn stream(client: &Client, request: ChatRequest) -> Result<Streamed, Error> {
    let start = now();
    let mut stream = client.chat_stream(request).await?;
    let (mut first, mut pieces) = (None, 0);
    while let Some(chunk) = stream.next().await {
        if !chunk?.content().is_empty() {
            first.get_or_insert_with(|| start.elapsed());
            pieces += 1;
        }
    }
    let took = start.elapsed();
    Ok(Streamed { first: first.unwrap_or(took), took, pieces, end: stream.ended_by() })
}
