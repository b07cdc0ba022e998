//! What arrived of a streamed answer.

use super::chunk::{ChatChunk, ChunkChoice};
use crate::client::response::{FinishReason, Usage};
use crate::client::tools::{ToolCall, ToolCalls};

/// How many choices are kept: as many as the API gives.
const MOST_CHOICES: usize = 128;

/// What had arrived of a streamed answer when it ended without proof of its end: what was billed, may be worth showing, and is
/// where a continuation would begin. Its texts are no larger than the stream, of which at most 32 MiB are read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Partial {
    /// The text of the first choice, so far.
    pub content: String,
    /// How many chunks came, those without text counted.
    pub chunks: u64,
    /// What was counted, if that was told.
    pub usage: Option<Usage>,
    /// Why the answer ended, if that was told; of the last choice that ended, when there are several.
    pub finish_reason: Option<FinishReason>,
    first: Choice,
    others: Vec<Choice>,
}

/// One of several answers, so far.
#[derive(Clone, Debug, Default, PartialEq)]
struct Choice {
    index: u32,
    /// Of the first it stands in `Partial::content`.
    content: String,
    reasoning: String,
    tool_calls: ToolCalls,
    finish_reason: Option<FinishReason>,
}

/// What had arrived of one choice.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PartialChoice<'a> {
    /// Which choice, from 0.
    pub index: u32,
    /// Its text.
    pub content: &'a str,
    /// Its reasoning, where the server shows it (`reasoning_content` or `reasoning`).
    pub reasoning: &'a str,
    /// Its calls of tools, in their order. The arguments of the last may break off.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended, if that was told.
    pub finish_reason: Option<&'a FinishReason>,
}

impl Partial {
    /// All choices that began, the first of them first, and then in the order in which they began; of more than 128 the first 128.
    pub fn choices(&self) -> impl Iterator<Item = PartialChoice<'_>> {
        let first = self.first.seen(&self.content);
        let has_first = *first.content != *"" || self.first != Choice::default();
        has_first.then_some(first).into_iter().chain(self.others.iter().map(|other| other.seen(&other.content)))
    }

    pub(super) fn add(&mut self, chunk: &ChatChunk) {
        for choice in chunk.choices() {
            self.add_choice(choice);
        }
        self.chunks += 1;
        self.usage = chunk.usage().copied().or(self.usage);
        if let Some(reason) = chunk.finish_reason() {
            self.finish_reason = Some(reason.clone());
        }
    }

    fn add_choice(&mut self, piece: &ChunkChoice) {
        let text = piece.delta.content.as_deref().unwrap_or_default();
        if piece.index == 0 {
            self.content.push_str(text);
            return self.first.add(piece);
        }
        let known = self.others.iter().position(|other| other.index == piece.index);
        if known.is_none() && self.others.len() + 1 < MOST_CHOICES {
            self.others.push(Choice { index: piece.index, ..Choice::default() });
        }
        let last = self.others.len().checked_sub(1).filter(|_| known.is_none());
        let place = known.or(last.filter(|last| self.others[*last].index == piece.index));
        if let Some(other) = place.and_then(|place| self.others.get_mut(place)) {
            other.content.push_str(text);
            other.add(piece);
        }
    }
}

impl Choice {
    fn add(&mut self, piece: &ChunkChoice) {
        let fields = &piece.delta.fields;
        let reasoning = ["reasoning_content", "reasoning"].iter().find_map(|name| fields.get(*name)?.as_str());
        self.reasoning.push_str(reasoning.unwrap_or_default());
        self.tool_calls.add_pieces(&piece.delta.tool_calls);
        if let Some(reason) = &piece.finish_reason {
            self.finish_reason = Some(reason.clone());
        }
    }

    fn seen<'a>(&'a self, content: &'a str) -> PartialChoice<'a> {
        PartialChoice {
            index: self.index,
            content,
            reasoning: &self.reasoning,
            tool_calls: self.tool_calls.clone().finish(),
            finish_reason: self.finish_reason.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(chunks: &[&str]) -> Partial {
        let mut partial = Partial::default();
        for raw in chunks {
            partial.add(&ChatChunk::new(serde_json::from_str(raw).unwrap(), (*raw).into()));
        }
        partial
    }

    #[test]
    fn each_choice_is_kept_with_its_text_its_reasoning_and_its_calls() {
        let partial = partial(&[
            r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":2,"delta":{"reasoning_content":"h"}}]}"#,
            r#"{"choices":[{"index":2,"delta":{"reasoning":"m","content":"c"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}]}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"k"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"b"}}]}"#,
        ]);
        let choices: Vec<_> = partial.choices().collect();
        let seen: Vec<_> = choices.iter().map(|choice| (choice.index, choice.content, choice.reasoning)).collect();
        assert_eq!(seen, [(0, "ab", ""), (2, "c", "hm"), (1, "", "")]);
        assert_eq!((partial.content.as_str(), choices[1].finish_reason), ("ab", Some(&FinishReason::Stop)));
        let [call] = &choices[2].tool_calls[..] else { panic!("{choices:?}") };
        assert_eq!((&*call.id, &*call.function.name, &*call.function.arguments), ("x", "f", "{\"k"));
    }

    #[test]
    fn no_stream_makes_more_choices_than_the_api_gives() {
        let chunks: Vec<String> =
            (0..1000).map(|index| format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"x"}}}}]}}"#)).collect();
        let partial = partial(&chunks.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(partial.choices().count(), MOST_CHOICES);
    }
}
