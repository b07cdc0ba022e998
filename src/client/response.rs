//! What is answered: a completion, parsed as far as the client needs it and kept whole.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::attempt::Attempt;
use super::request::{Message, RequestId};
use super::tools::ToolCall;

/// A complete answer.
#[derive(Clone, Debug)]
pub struct ChatResponse {
    pub(crate) completion: Completion,
    pub(crate) raw: Bytes,
    pub(crate) request_id: RequestId,
    pub(crate) attempts: Vec<Attempt>,
}

impl ChatResponse {
    /// The text of the first choice; empty when it is no text, as with tool calls.
    pub fn content(&self) -> &str {
        self.completion.choices.first().and_then(|choice| choice.message.content.as_deref()).unwrap_or_default()
    }

    /// The texts of all choices.
    pub fn contents(&self) -> impl Iterator<Item = &str> {
        self.completion.choices.iter().map(|choice| choice.message.content.as_deref().unwrap_or_default())
    }

    /// The tools that the first choice calls; most often none.
    pub fn tool_calls(&self) -> &[ToolCall] {
        self.completion.choices.first().map_or(&[], |choice| &choice.message.tool_calls)
    }

    /// The first choice as a message, to go on with the conversation.
    pub fn message(&self) -> Message {
        match self.tool_calls() {
            [] => Message::new("assistant", self.content()),
            calls => Message::tool_calls(calls),
        }
    }

    /// Why the first choice ended.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.completion.choices.first().and_then(|choice| choice.finish_reason.as_ref())
    }

    /// What was counted.
    pub fn usage(&self) -> Option<&Usage> {
        self.completion.usage.as_ref()
    }

    /// What the server calls the completion.
    pub fn id(&self) -> Option<&str> {
        self.completion.id.as_deref()
    }

    /// The model that answered, as the server names it.
    pub fn model(&self) -> Option<&str> {
        self.completion.model.as_deref()
    }

    /// The response's body as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// All fields of the body, the unknown ones too. Parsed at each call.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap_or_default()
    }

    /// What the request was called.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Every attempt that was made; the last one succeeded.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The attempts, when the answer is no longer needed.
    pub fn into_attempts(self) -> Vec<Attempt> {
        self.attempts
    }
}

/// What was counted, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Of the question.
    #[serde(deserialize_with = "or_default")]
    pub prompt_tokens: u64,
    /// Of the answer.
    #[serde(deserialize_with = "or_default")]
    pub completion_tokens: u64,
    /// Of both.
    #[serde(deserialize_with = "or_default")]
    pub total_tokens: u64,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// It reached the longest length allowed.
    Length,
    /// It calls tools.
    ToolCalls,
    /// It was cut by a filter.
    ContentFilter,
    /// Another word of the server's.
    Other(Box<str>),
}

impl FinishReason {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other(word) => word,
        }
    }
}

impl<'de> Deserialize<'de> for FinishReason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl serde::de::Visitor<'_> for Word {
            type Value = FinishReason;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a finish reason")
            }

            fn visit_str<E>(self, word: &str) -> Result<FinishReason, E> {
                Ok(match word {
                    "stop" => FinishReason::Stop,
                    "length" => FinishReason::Length,
                    "tool_calls" => FinishReason::ToolCalls,
                    "content_filter" => FinishReason::ContentFilter,
                    other => FinishReason::Other(other.into()),
                })
            }
        }
        deserializer.deserialize_str(Word)
    }
}

/// The body of a whole answer, as far as it is looked at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Completion {
    #[serde(default)]
    id: Option<Box<str>>,
    #[serde(default)]
    pub(crate) model: Option<Box<str>>,
    pub(crate) choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
    /// Some gateways put one beside empty choices.
    #[serde(default)]
    pub(crate) error: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Choice {
    message: Said,
    #[serde(default)]
    pub(crate) finish_reason: Option<FinishReason>,
}

impl Completion {
    /// Why each choice ended, of those that say.
    pub(crate) fn finish_reasons(&self) -> impl Iterator<Item = &FinishReason> {
        self.choices.iter().filter_map(|choice| choice.finish_reason.as_ref())
    }

    /// Whether anything was said, or counted.
    pub(crate) fn has_content(&self) -> bool {
        let says = |choice: &Choice| {
            choice.message.content.as_deref().is_some_and(|text| !text.is_empty()) || !choice.message.tool_calls.is_empty()
        };
        self.choices.iter().any(says) || self.usage.is_some()
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<Box<str>>,
    #[serde(default, deserialize_with = "or_default")]
    tool_calls: Vec<ToolCall>,
}

/// A model that an endpoint offers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Model {
    /// Its name.
    pub id: String,
    /// Who owns it.
    #[serde(default)]
    pub owned_by: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ModelList {
    pub(crate) data: Vec<Model>,
}

/// `null` counts as absent: some relays write one where they have nothing to say.
pub(crate) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
