//! Tools: those a model may call, and the calls it makes, whole or in pieces.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::response::or_default;
use super::stream::ChatChunk;

/// A tool that the model may call.
///
/// ```
/// use relaybench::client::Tool;
/// use serde_json::json;
///
/// let weather = Tool::function(
///     "weather",
///     "The weather of a city, now.",
///     json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tool(Value);

impl Tool {
    /// A function of this name, with its parameters as a JSON Schema.
    pub fn function(name: impl Into<String>, description: impl Into<String>, parameters: impl Into<Value>) -> Self {
        let (name, description, parameters) = (name.into(), description.into(), parameters.into());
        Self(json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}))
    }

    /// Any other kind, as the API describes it.
    pub fn other(tool: Value) -> Self {
        Self(tool)
    }

    pub(crate) fn into_json(self) -> Value {
        self.0
    }
}

/// Whether the model calls a tool, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// As the model sees fit. The server's default when there are tools.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// The function of this name.
    Function(String),
}

impl ToolChoice {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::None => json!("none"),
            Self::Required => json!("required"),
            Self::Function(name) => json!({"type": "function", "function": {"name": name}}),
        }
    }
}

/// A call of a tool, in a whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolCall {
    /// What the answer to it must quote, with [`Message::tool`](super::Message::tool). Some relays leave it empty.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// What is called.
    #[serde(deserialize_with = "or_default")]
    pub function: FunctionCall,
}

/// A function, and the arguments it is called with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FunctionCall {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// JSON, as the model wrote it: it may be wrong.
    #[serde(deserialize_with = "or_default")]
    pub arguments: String,
}

impl FunctionCall {
    /// The arguments as a type of one's own.
    ///
    /// # Errors
    ///
    /// When the model wrote something else.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.arguments)
    }
}

impl ToolCall {
    /// As an earlier answer in a conversation has it.
    pub(crate) fn json(&self) -> Value {
        let FunctionCall { name, arguments } = &self.function;
        json!({"id": self.id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }
}

/// A piece of a call, in a streamed answer. The first piece of a call has its id and name, the others add to its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolCallDelta {
    /// Which call it belongs to.
    #[serde(deserialize_with = "or_default")]
    pub index: u32,
    /// The call's id, in its first piece; else empty.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// The function's name, in the first piece; and what is added to the arguments.
    #[serde(deserialize_with = "or_default")]
    pub function: FunctionCall,
}

/// Puts the calls of a streamed answer together.
///
/// ```no_run
/// # use relaybench::{ChatStream, client::ToolCalls};
/// # async fn example(mut stream: ChatStream) -> Result<(), relaybench::Error> {
/// let mut calls = ToolCalls::default();
/// while let Some(chunk) = stream.next().await {
///     calls.add(&chunk?);
/// }
/// for call in calls.finish() {
///     println!("{}({})", call.function.name, call.function.arguments);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCalls(BTreeMap<u32, ToolCall>);

impl ToolCalls {
    /// Takes the pieces that a chunk has for the first choice.
    pub fn add(&mut self, chunk: &ChatChunk) {
        self.add_pieces(chunk.tool_calls());
    }

    pub(crate) fn add_pieces(&mut self, pieces: &[ToolCallDelta]) {
        for ToolCallDelta { index, id, function } in pieces {
            let call = self.0.entry(*index).or_default();
            // Some relays repeat id and name in each piece, so that they are not text to be added.
            for (known, piece) in [(&mut call.id, id), (&mut call.function.name, &function.name)] {
                if known.is_empty() {
                    known.clone_from(piece);
                }
            }
            call.function.arguments.push_str(&function.arguments);
        }
    }

    /// The calls, in their order.
    pub fn finish(self) -> Vec<ToolCall> {
        self.0.into_values().collect()
    }
}
