//! One message of a conversation, and the parts that its content may have.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::client::tools::ToolCall;

/// One message of a conversation.
///
/// ```
/// use relaybench::client::{Message, Part};
///
/// let question = Message::parts("user", [Part::text("What is this?"), Part::image_url("https://example.org/cat.png")]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    role: String,
    content: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Message {
    /// A message of this role. The content is a text, a list of parts, or null.
    pub fn new(role: impl Into<String>, content: impl Into<Value>) -> Self {
        Self { role: role.into(), content: content.into(), fields: Map::new() }
    }

    /// A message of several parts, such as a text and an image.
    pub fn parts(role: impl Into<String>, parts: impl IntoIterator<Item = Part>) -> Self {
        Self::new(role, Value::Array(parts.into_iter().map(|part| part.0).collect()))
    }

    /// What a tool gave back for the call of this id.
    pub fn tool(call_id: impl Into<String>, result: impl Into<Value>) -> Self {
        Self::new("tool", result).extra("tool_call_id", call_id.into())
    }

    /// An earlier answer that calls these tools; see also [`ChatResponse::message`](crate::ChatResponse::message).
    pub fn tool_calls<'a>(calls: impl IntoIterator<Item = &'a ToolCall>) -> Self {
        Self::new("assistant", Value::Null).extra("tool_calls", calls.into_iter().map(ToolCall::json).collect::<Vec<_>>())
    }

    /// Any other field, such as `name`. The last value of a name counts; `role` and `content` are refused when sent.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// A field that would be written twice.
    pub(super) fn twice(&self) -> Option<&'static str> {
        ["role", "content"].into_iter().find(|name| self.fields.contains_key(*name))
    }
}

/// One part of a message's content. The server decides which kinds it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Part(Value);

impl Part {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(json!({"type": "text", "text": text.into()}))
    }

    /// An image that the server fetches itself, or a `data:` URL. It is passed on as it is.
    pub fn image_url(url: impl Into<String>) -> Self {
        Self(json!({"type": "image_url", "image_url": {"url": url.into()}}))
    }

    /// Any other kind, as the API describes it.
    pub fn other(part: Value) -> Self {
        Self(part)
    }
}
