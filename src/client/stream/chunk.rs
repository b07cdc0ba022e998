//! One piece of a streamed answer, in types, with every field that has none.

use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::client::response::{FinishReason, Usage, or_default};
use crate::client::tools::ToolCallDelta;

/// One piece of a streamed answer.
#[derive(Clone, Debug)]
pub struct ChatChunk {
    pub(crate) body: ChunkBody,
    pub(crate) raw: Box<str>,
    pub(crate) restarts: bool,
    /// The fields that `body` has not, once they were asked for.
    fields: OnceLock<Map<String, Value>>,
}

impl ChatChunk {
    pub(crate) fn new(body: ChunkBody, raw: Box<str>) -> Self {
        Self { body, raw, restarts: false, fields: OnceLock::new() }
    }

    /// The text this chunk adds to the first choice; empty when it adds none.
    pub fn content(&self) -> &str {
        self.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or_default()
    }

    /// The pieces of tool calls this chunk adds to the first choice; [`ToolCalls`](crate::client::ToolCalls) puts them together.
    pub fn tool_calls(&self) -> &[ToolCallDelta] {
        self.first().map_or(&[], |choice| &choice.delta.tool_calls)
    }

    fn first(&self) -> Option<&ChunkChoice> {
        self.body.choices.iter().find(|choice| choice.index == 0)
    }

    /// What it adds to each choice. Empty in the chunk of the usage, and in the one that some servers send before the answer.
    pub fn choices(&self) -> &[ChunkChoice] {
        &self.body.choices
    }

    /// Why the answer ended, in the chunk that ends it.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.body.choices.iter().find_map(|choice| choice.finish_reason.as_ref())
    }

    /// What was counted, in the one chunk that tells it, if asked for.
    pub fn usage(&self) -> Option<&Usage> {
        self.body.usage.as_ref()
    }

    /// What the server calls the completion.
    pub fn id(&self) -> Option<&str> {
        self.body.id.as_deref()
    }

    /// The model that answers, as the server names it.
    pub fn model(&self) -> Option<&str> {
        self.body.model.as_deref()
    }

    /// The fields that have no method here, such as `system_fingerprint`. Parsed at the first call: every chunk has some, and hardly
    /// anybody asks.
    pub fn fields(&self) -> &Map<String, Value> {
        const TYPED: [&str; 5] = ["id", "model", "choices", "usage", "error"];
        self.fields.get_or_init(|| {
            let mut fields: Map<String, Value> = serde_json::from_str(&self.raw).unwrap_or_default();
            fields.retain(|name, _| !TYPED.contains(&name.as_str()));
            fields
        })
    }

    /// Whether it brings anything of the answer: text, reasoning, a tool call. A role alone is nothing.
    pub fn has_content(&self) -> bool {
        self.body.choices.iter().any(|choice| choice.delta.has_content())
    }

    /// Whether the answer begins anew with this chunk, since the stream broke and was asked for again: what came before is void.
    /// Only under [`BrokenStreams::Restart`](crate::client::BrokenStreams::Restart).
    pub fn restarts(&self) -> bool {
        self.restarts
    }

    /// The JSON of this chunk as it came.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// All its fields as they came. Parsed at each call.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or_default()
    }
}

/// The JSON of a chunk, without what is rarely asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChunkBody {
    #[serde(default)]
    id: Option<Box<str>>,
    #[serde(default)]
    model: Option<Box<str>>,
    pub(crate) choices: Vec<ChunkChoice>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
    #[serde(default)]
    pub(crate) error: Option<IgnoredAny>,
}

/// What a chunk adds to one choice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ChunkChoice {
    /// Which choice, from 0.
    #[serde(default)]
    pub index: u32,
    /// What is added.
    #[serde(default, deserialize_with = "or_default")]
    pub delta: Delta,
    /// Why the choice ended, in the chunk that ends it.
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
    /// The other fields, such as `logprobs`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// An addition to a choice.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Delta {
    /// Who speaks, in the first chunk.
    #[serde(default)]
    pub role: Option<Box<str>>,
    /// Text.
    #[serde(default)]
    pub content: Option<Box<str>>,
    /// Pieces of tool calls.
    #[serde(default, deserialize_with = "or_default")]
    pub tool_calls: Vec<ToolCallDelta>,
    /// The other fields, such as `refusal` or `reasoning_content`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Delta {
    /// Whether it brings anything beyond a role: a text, a list or an object that is not empty.
    pub fn has_content(&self) -> bool {
        let brings = |value: &Value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(object) => !object.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        };
        let text = self.content.as_deref().unwrap_or_default();
        !text.is_empty() || !self.tool_calls.is_empty() || self.fields.values().any(brings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delta(json: Value) -> Delta {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn roles_and_empty_deltas_are_no_content_and_reasoning_and_tool_calls_are() {
        for nothing in [
            json!({}),
            json!({"role": "assistant"}),
            json!({"role": "assistant", "content": "", "refusal": null, "tool_calls": [], "function_call": {}, "padding": 7}),
        ] {
            assert!(!delta(nothing.clone()).has_content(), "{nothing}");
        }
        for something in [
            json!({"content": " "}),
            json!({"content": null, "reasoning_content": "Hm"}),
            json!({"tool_calls": [{"index": 0}]}),
            json!({"refusal": "No."}),
        ] {
            assert!(delta(something.clone()).has_content(), "{something}");
        }
    }

    #[test]
    fn unknown_fields_are_kept_where_they_stood() {
        let raw = r#"{"id":"c","x":1,"choices":[{"index":0,"y":[2],"delta":{"role":"assistant","z":{"w":3}}}],"usage":null}"#;
        let chunk = ChatChunk::new(serde_json::from_str(raw).unwrap(), raw.into());
        assert_eq!(Value::from(chunk.fields().clone()), json!({"x": 1}));
        assert_eq!(Value::from(chunk.choices()[0].fields.clone()), json!({"y": [2]}));
        assert_eq!(Value::from(chunk.choices()[0].delta.fields.clone()), json!({"z": {"w": 3}}));
    }
}
