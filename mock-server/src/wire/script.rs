//! What an answer is to say, before it is known how far it gets.

use std::sync::Arc;

use super::content::{Choices, Content};
use super::prompt::Prompt;
use crate::draw::{Draws, Purpose};
use crate::profile::{Completion, Source};
use crate::relay::{Refusal, Request};
use crate::tokens::{Counter, Text};

/// How the tokens of one request and its answer are counted, and the text that is to be said.
#[derive(Debug)]
pub(crate) struct Script {
    counter: Counter,
    prompt_tokens: u32,
    /// None where any text will do.
    text: Option<Arc<Text>>,
}

impl Script {
    /// `prompt` was read from `body`, and asks for `model`.
    pub(crate) fn new(profile: &Completion, model: &str, prompt: &Prompt, body: &[u8]) -> Result<Self, Refusal> {
        let counter = profile.counter(model);
        let prompt_tokens = prompt.tokens(counter, body)?;
        let text = match &profile.source {
            Source::Seeded => None,
            Source::Echo => Some(Arc::new(Text::new(prompt.last_user_text(body)?, counter))),
            Source::Given(given) => given.in_tokens(counter),
        };
        Ok(Self { counter, prompt_tokens, text })
    }

    /// What the relay must know to decide. A limit that would split a character is lowered to where the text can be cut.
    pub(crate) fn request(&self, max_tokens: Option<u32>) -> Request<'static> {
        let text = self.text.as_deref();
        Request {
            max_tokens: max_tokens.map(|most| text.map_or(most, |text| text.cut(most, self.counter))),
            prompt_tokens: self.prompt_tokens,
            text_tokens: text.map(Text::tokens),
            ..Request::default()
        }
    }

    /// The first tokens of what is said, in so many choices.
    pub(crate) fn choices(&self, draws: Draws, tokens: u32, count: u32) -> Choices {
        Choices::new(count, |choice| match &self.text {
            Some(text) => Content::text(Arc::clone(text), tokens),
            None => Content::seeded(draws.stream(Purpose::Content(choice)), tokens, self.counter),
        })
    }
}
