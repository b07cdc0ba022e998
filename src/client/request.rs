//! What is asked: a chat request as the caller writes it, and the same prepared for sending.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::Error;
use super::policy::{Overrides, Timeout, Timeouts};

/// A chat completion to ask for.
///
/// ```
/// use relaybench::ChatRequest;
/// use serde_json::json;
///
/// let request = ChatRequest::new("gpt-4.1")
///     .system("You are terse.")
///     .user("Explain quantum computing in 2 sentences.")
///     .max_tokens(500)
///     .temperature(0.7)
///     .field("response_format", json!({"type": "json_object"}));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatRequest {
    model: String,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip)]
    include_usage: bool,
    #[serde(skip)]
    request_id: Option<RequestId>,
    #[serde(skip)]
    timeouts: Overrides,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    role: String,
    content: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl ChatRequest {
    /// A request to this model, with no message yet.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            messages: Vec::new(),
            max_tokens: None,
            temperature: None,
            fields: Map::new(),
            include_usage: false,
            request_id: None,
            timeouts: Overrides::default(),
        }
    }

    /// Adds a message.
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds what the user says.
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::new("user", text.into()))
    }

    /// Adds an instruction.
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::new("system", text.into()))
    }

    /// Adds an earlier answer.
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Message::new("assistant", text.into()))
    }

    /// The longest answer, in tokens. Default: the server's.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// How freely tokens are chosen, usually 0 to 2. Default: the server's.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Any other field of the body, such as `tools`. A name that has a method of its own here is refused when sent.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Asks for the usage at the end of a stream. Not every relay knows the option, so it is off by default.
    pub fn include_usage(mut self) -> Self {
        self.include_usage = true;
        self
    }

    /// What this request is called (`x-client-request-id`), the same in all its attempts. Default: one of the client's own.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The total timeout of this request, instead of its client's; see [`Timeouts::total`](crate::client::Timeouts::total).
    pub fn total_timeout(mut self, figure: Duration) -> Self {
        self.timeouts.total(figure);
        self
    }

    /// Another timeout of this request, instead of its client's; `None` lifts it. See [`Timeouts`](crate::client::Timeouts).
    ///
    /// ```
    /// use std::time::Duration;
    /// use relaybench::{ChatRequest, client::Timeout};
    ///
    /// let thinking = ChatRequest::new("gpt-4.1")
    ///     .user("Prove it.")
    ///     .total_timeout(Duration::from_secs(300))
    ///     .timeout(Timeout::FirstToken, Duration::from_secs(120))
    ///     .timeout(Timeout::Read, None);
    /// ```
    pub fn timeout(mut self, which: Timeout, figure: impl Into<Option<Duration>>) -> Self {
        self.timeouts.set(which, figure.into());
        self
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// The figures that rule this request.
    pub(crate) fn timeouts(&self, defaults: &Timeouts) -> Result<Timeouts, Error> {
        self.timeouts.applied_to(defaults)
    }

    /// The body of a request that is not streamed.
    pub(crate) fn whole_body(&self) -> Result<Bytes, Error> {
        self.body(None)
    }

    /// The body of a streamed request.
    pub(crate) fn stream_body(&self) -> Result<Bytes, Error> {
        self.body(Some(self.include_usage.then_some(StreamOptions { include_usage: true })))
    }

    fn body(&self, streamed: Option<Option<StreamOptions>>) -> Result<Bytes, Error> {
        const OWN: [&str; 6] = ["model", "messages", "max_tokens", "temperature", "stream", "stream_options"];
        if let Some(name) = OWN.iter().find(|name| self.fields.contains_key(**name)) {
            return Err(Error::config(format!("field {name:?} is set by the request itself; use its method instead")));
        }
        if self.messages.is_empty() {
            return Err(Error::config("the request has no message; add one with user()"));
        }
        let body = Body { request: self, stream: streamed.as_ref().map(|_| true), stream_options: streamed.flatten() };
        let json = serde_json::to_vec(&body).map_err(|source| Error::config("the request is no JSON").with_source(source))?;
        Ok(json.into())
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    request: &'a ChatRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Message {
    /// A message of this role. The content is a text, or a list of parts such as images.
    pub fn new(role: impl Into<String>, content: impl Into<Value>) -> Self {
        Self { role: role.into(), content: content.into(), fields: Map::new() }
    }

    /// Any other field, such as `tool_call_id`.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }
}

/// A request whose model was checked and whose body was written, once for any number of sends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PreparedRequest {
    pub(crate) model: Arc<str>,
    pub(crate) whole: Bytes,
    pub(crate) stream: Bytes,
    pub(crate) timeouts: Timeouts,
}

/// What a logical request is called, in the header `x-client-request-id`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    ///
    /// Anything else, of kind [`Config`](crate::client::ErrorKind::Config).
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        const LONGEST: usize = 128;
        let text = text.into();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || !(1..=LONGEST).contains(&text.len()) {
            return Err(Error::config(format!("request id {text:?} must be 1 to {LONGEST} visible ASCII characters")));
        }
        let header = HeaderValue::try_from(text);
        header.map(Self).map_err(|source| Error::config("the request id is no header").with_source(source))
    }

    /// The id of a request that was given none.
    pub(crate) fn numbered(seed: u64, count: u64) -> Self {
        let text = format!("rb-{seed:016x}-{count}");
        Self(HeaderValue::try_from(text).expect("hexadecimal digits and hyphens fit into a header"))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_of(body: Result<Bytes, Error>) -> Value {
        serde_json::from_slice(&body.unwrap()).unwrap()
    }

    #[test]
    fn the_body_is_what_the_api_expects() {
        let request = ChatRequest::new("gpt-4.1").user("Hi").max_tokens(500).temperature(0.7).field("seed", 7);
        assert_eq!(
            json_of(request.whole_body()),
            json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 500, "temperature": 0.7, "seed": 7})
        );
        let streamed = json_of(request.clone().include_usage().stream_body());
        assert_eq!(streamed["stream"], json!(true));
        assert_eq!(streamed["stream_options"], json!({"include_usage": true}));
        assert_eq!(json_of(request.stream_body()).get("stream_options"), None);
    }

    #[test]
    fn a_field_that_would_appear_twice_is_refused() {
        let error = ChatRequest::new("m").user("Hi").field("stream", true).whole_body().unwrap_err();
        assert_eq!(error.to_string(), "field \"stream\" is set by the request itself; use its method instead");
    }

    #[test]
    fn a_request_id_fits_into_a_header() {
        assert_eq!(RequestId::new("run-1/7").unwrap().as_str(), "run-1/7");
        for wrong in ["", "a b", "a\r\nb", "é", &"x".repeat(129)] {
            assert!(RequestId::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
