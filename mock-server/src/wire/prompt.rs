//! What is to be answered: who said what.

use super::openai::request::{Conversation, Messages};
use crate::relay::Refusal;
use crate::tokens::Counter;

/// What is to be answered, read as far as it must be.
#[derive(Debug)]
pub(crate) enum Prompt {
    /// Messages of which only the length is known. The rest is read when it is needed, since it hardly ever is.
    Measured(Messages),
    /// Everything that was said.
    Said(Vec<Turn>),
    /// Texts that belong to no conversation, each with the tokens that it was given in, if it was.
    Texts(Vec<Passage>),
}

/// What somebody said.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) role: String,
    pub(crate) text: String,
}

/// A text, or the tokens of one that nobody knows.
#[derive(Clone, Debug)]
pub(crate) enum Passage {
    Text(String),
    Tokens(Vec<u32>),
}

/// What frames every message, and the beginning of the answer, in tokens.
const FRAME: u32 = 3;

impl Prompt {
    /// How many tokens it has. `body` is what it was read from.
    pub(crate) fn tokens(&self, counter: Counter, body: &[u8]) -> Result<u32, Refusal> {
        Ok(match (self, counter) {
            (Self::Measured(messages), Counter::Approximate) => messages.tokens(),
            (Self::Measured(_), Counter::Exact(_)) => Conversation::parse(body)?.tokens(counter),
            (Self::Said(turns), Counter::Approximate) => {
                let bytes: usize = turns.iter().map(|turn| turn.text.len()).sum();
                let frames = FRAME as usize * (turns.len() + 1);
                u32::try_from(bytes.div_ceil(4) + frames).unwrap_or(u32::MAX)
            }
            (Self::Said(turns), Counter::Exact(_)) => {
                let of_turn = |turn: &Turn| FRAME + counter.count(&turn.role).saturating_add(counter.count(&turn.text));
                turns.iter().map(of_turn).fold(FRAME, u32::saturating_add)
            }
            (Self::Texts(texts), _) => texts.iter().map(|text| text.tokens(counter)).fold(0, u32::saturating_add),
        })
    }

    /// What is to be repeated: all that the user said last.
    pub(crate) fn last_user_text(&self, body: &[u8]) -> Result<String, Refusal> {
        Ok(match self {
            Self::Measured(_) => Conversation::parse(body)?.last_user_text(),
            Self::Said(turns) => {
                turns.iter().rev().find(|turn| turn.role == "user").map(|turn| turn.text.clone()).unwrap_or_default()
            }
            Self::Texts(texts) => match texts.last() {
                Some(Passage::Text(text)) => text.clone(),
                Some(Passage::Tokens(_)) | None => String::new(),
            },
        })
    }
}

impl Passage {
    pub(crate) fn tokens(&self, counter: Counter) -> u32 {
        match self {
            Self::Text(text) => counter.count(text),
            Self::Tokens(tokens) => u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        }
    }
}
