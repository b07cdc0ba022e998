//! The kinds of generation. They are read and written in different ways; whatever is between is the same for all.

use std::borrow::Cow;
use std::sync::Arc;

use super::answer::Answer;
use super::anthropic::messages;
use super::chunks::Chunks;
use super::dialect::Dialect;
use super::events::{Events, Form};
use super::openai::embeddings::Embeddings;
use super::openai::responses::Echo;
use super::openai::stream::UsageChunk;
use super::openai::{completion, embeddings, request, responses, stream, text};
use super::prompt::Prompt;
use super::script::Script;
use crate::draw::Draws;
use crate::profile::Profile;
use crate::relay::{Invalid, Refusal, Request};

/// What a caller may ask to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Text,
    /// `/v1/responses`
    Responses,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/messages`
    Messages,
}

impl Endpoint {
    /// The dialect of its errors and headers, in a profile that speaks `of_profile`.
    pub(crate) fn dialect(self, of_profile: Dialect) -> Dialect {
        match self {
            Self::Messages => Dialect::Anthropic,
            _ => of_profile,
        }
    }

    /// Reads a request. `deployment` is the model, where the path names it.
    pub(crate) fn read(self, body: &[u8], deployment: Option<&str>, profile: &Profile) -> Result<Asked, Refusal> {
        match self {
            Self::Chat => request::ask(body),
            Self::Text => text::ask(body),
            Self::Responses => responses::ask(body),
            Self::Embeddings => embeddings::ask(body),
            Self::Messages => messages::ask(body),
        }
        .and_then(|ask| ask.of(body, deployment, profile))
    }
}

/// The model that a request is about which cannot be read for another reason. `deployment` is the model, where the path names it.
pub(crate) fn named_model<'a>(body: &'a [u8], deployment: Option<&'a str>) -> Option<Cow<'a, str>> {
    #[derive(serde::Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        model: Cow<'a, str>,
    }
    let named = || serde_json::from_slice(body).ok().map(|Named { model }| model);
    deployment.map(Cow::Borrowed).or_else(named)
}

/// A request as it was read.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Empty where none is named.
    pub(super) model: Cow<'a, str>,
    pub(super) stream: bool,
    pub(super) max_tokens: Option<u32>,
    /// How many answers there are to be, at least 1.
    pub(super) choices: u32,
    pub(super) prompt: Prompt,
    pub(super) manner: Manner,
}

/// How an answer is to be written.
#[derive(Debug)]
pub(super) enum Manner {
    Chat(UsageChunk),
    Text(UsageChunk),
    Responses(Arc<Echo>),
    Embeddings(Embeddings),
    Messages,
}

impl Ask<'_> {
    fn of(self, body: &[u8], deployment: Option<&str>, profile: &Profile) -> Result<Asked, Refusal> {
        let Self { model, stream, max_tokens, choices, prompt, manner } = self;
        let name = deployment.unwrap_or(&model);
        if name.is_empty() {
            return Err(Refusal::Invalid(Invalid::missing("model")));
        }
        let model = profile.model(name).ok_or_else(|| Refusal::ModelUnknown { model: name.to_owned() })?;
        let script = Script::new(&profile.completion, &model, &prompt, body)?;
        let (request, max_tokens) = match manner {
            // Nothing is said.
            Manner::Embeddings(_) => (Request { text_tokens: Some(0), ..script.request(None) }, Some(0)),
            _ => (script.request(max_tokens), max_tokens),
        };
        Ok(Asked { model, stream, choices, max_tokens, script, request, manner })
    }
}

/// What was asked for, of a model that exists.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: Arc<str>,
    pub(crate) stream: bool,
    /// How many answers there are to be, at least 1.
    pub(crate) choices: u32,
    /// How many tokens each may have; none where its caller does not say.
    pub(crate) max_tokens: Option<u32>,
    /// What the relay must know to decide.
    pub(crate) request: Request<'static>,
    script: Script,
    manner: Manner,
}

impl Asked {
    /// The answer, each of whose choices has so many tokens. `chunks` are those of a stream, and `seed` is the profile's.
    pub(crate) fn written(&self, answer: &Answer, tokens: u32, draws: Draws, chunks: Chunks, seed: u64) -> Written {
        let choices = || self.script.choices(draws, tokens, self.choices);
        let form = match (&self.manner, self.stream) {
            (Manner::Chat(_), false) => return Written::Whole(completion::body(answer, choices())),
            (Manner::Text(_), false) => return Written::Whole(text::body(answer, choices())),
            (Manner::Responses(echo), false) => return Written::Whole(responses::body(answer, echo, choices())),
            (Manner::Messages, false) => return Written::Whole(messages::body(answer, choices())),
            (Manner::Embeddings(embeddings), _) => return Written::Whole(embeddings.body(answer, seed)),
            (Manner::Chat(usage), true) => Form::Chat(stream::Form::new(answer, *usage)),
            (Manner::Text(usage), true) => Form::Text(Box::new(text::Form::new(answer, *usage))),
            (Manner::Responses(echo), true) => Form::Responses(Box::new(responses::Form::new(answer, echo))),
            (Manner::Messages, true) => Form::Messages(Box::new(messages::Form::new(answer))),
        };
        Written::Stream(Events::new(form, choices(), chunks))
    }
}

/// An answer: bytes, or events to come.
#[derive(Debug)]
pub(crate) enum Written {
    Whole(Vec<u8>),
    Stream(Events),
}
