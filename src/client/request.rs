//! What is asked: a chat request as the caller writes it, and the same prepared for sending.

mod id;
mod message;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::policy::{Overrides, Timeout, Timeouts};
use super::tools::{Tool, ToolChoice};

pub use self::id::RequestId;
pub use self::message::{Message, Part};

/// A chat completion to ask for.
///
/// ```
/// use relaybench::ChatRequest;
///
/// let request = ChatRequest::new("gpt-4.1")
///     .system("You are terse.")
///     .user("Explain quantum computing in 2 sentences.")
///     .max_tokens(500)
///     .temperature(0.7)
///     .seed(7)
///     .extra("user", "customer-12");
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

    /// Any other field of the body, such as `top_p`. The last value of a name counts. `model`, `messages`, `max_tokens`,
    /// `temperature`, `stream` and `stream_options` are refused when sent: they have methods, or are the client's.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// The tools that the model may call (`tools`). Default: none.
    pub fn tools(self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.extra("tools", tools.into_iter().map(Tool::into_json).collect::<Vec<_>>())
    }

    /// Whether the model calls a tool, and which (`tool_choice`). Default: the server's.
    pub fn tool_choice(self, choice: &ToolChoice) -> Self {
        self.extra("tool_choice", choice.json())
    }

    /// Asks for an answer that is JSON (`response_format` `json_object`). Most servers want the word JSON in the prompt too.
    pub fn json_mode(self) -> Self {
        self.response_format(json!({"type": "json_object"}))
    }

    /// Asks for an answer that follows a JSON Schema strictly (`response_format` `json_schema`).
    pub fn json_schema(self, name: &str, schema: impl Into<Value>) -> Self {
        let schema = schema.into();
        self.response_format(json!({"type": "json_schema", "json_schema": {"name": name, "strict": true, "schema": schema}}))
    }

    /// The form of the answer, as the API describes it (`response_format`). Default: text.
    pub fn response_format(self, format: Value) -> Self {
        self.extra("response_format", format)
    }

    /// How many answers (`n`), all of them billed: [`ChatResponse::contents`](super::ChatResponse::contents). Default: 1.
    pub fn n(self, answers: u32) -> Self {
        self.extra("n", answers)
    }

    /// Texts at which the answer ends, without them (`stop`). Most servers take four at most. Default: none.
    pub fn stop<T: Into<String>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        self.extra("stop", texts.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// Asks for the same answer to the same request, as far as the server can (`seed`). Default: none.
    pub fn seed(self, seed: i64) -> Self {
        self.extra("seed", seed)
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

    pub(crate) fn rename(&mut self, model: &str) {
        model.clone_into(&mut self.model);
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
    pub(crate) fn stream_body(&self) -> Result<StreamBody, Error> {
        let json = self.body(Some(self.include_usage.then_some(StreamOptions { include_usage: true })))?;
        Ok(StreamBody { json, choices: self.choices() })
    }

    /// How many answers are asked for, however that was set; what is no number is the server's to refuse.
    fn choices(&self) -> usize {
        let asked = self.fields.get("n").and_then(Value::as_u64).unwrap_or(1);
        usize::try_from(asked.max(1)).unwrap_or(usize::MAX)
    }

    fn body(&self, streamed: Option<Option<StreamOptions>>) -> Result<Bytes, Error> {
        const OWN: [&str; 6] = ["model", "messages", "max_tokens", "temperature", "stream", "stream_options"];
        if let Some(name) = OWN.iter().find(|name| self.fields.contains_key(**name)) {
            return Err(Error::config(format!("field {name:?} is set by the request itself; use its method instead")));
        }
        if self.messages.is_empty() {
            return Err(Error::config("the request has no message; add one with user()"));
        }
        if let Some(name) = self.messages.iter().find_map(Message::twice) {
            return Err(Error::config(format!("a message has {name:?} twice; give it to Message::new alone")));
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

/// A request whose model was checked and whose body was written, once for any number of sends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PreparedRequest {
    pub(crate) model: Arc<str>,
    pub(crate) whole: Bytes,
    pub(crate) stream: StreamBody,
    pub(crate) timeouts: Timeouts,
}

/// The body of a streamed request.
#[derive(Clone, Debug)]
pub(crate) struct StreamBody {
    pub(crate) json: Bytes,
    /// How many answers it asks for, at least 1.
    pub(crate) choices: usize,
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
        let request = ChatRequest::new("gpt-4.1").user("Hi").max_tokens(500).temperature(0.7).extra("seed", 7);
        assert_eq!(
            json_of(request.whole_body()),
            json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 500, "temperature": 0.7, "seed": 7})
        );
        let streamed = json_of(request.clone().include_usage().stream_body().map(|body| body.json));
        assert_eq!(streamed["stream"], json!(true));
        assert_eq!(streamed["stream_options"], json!({"include_usage": true}));
        assert_eq!(json_of(request.stream_body().map(|body| body.json)).get("stream_options"), None);
    }

    #[test]
    fn a_stream_knows_how_many_answers_were_asked_for_however_that_was_set() {
        let request = || ChatRequest::new("m").user("Hi");
        for (request, choices) in [
            (request(), 1),
            (request().n(3), 3),
            (request().extra("n", 2), 2),
            (request().extra("n", 0), 1),
            (request().extra("n", "two"), 1),
        ] {
            assert_eq!(request.stream_body().unwrap().choices, choices, "{request:?}");
        }
    }

    #[test]
    fn a_field_that_would_appear_twice_is_refused() {
        let error = ChatRequest::new("m").user("Hi").extra("stream", true).whole_body().unwrap_err();
        assert_eq!(error.to_string(), "field \"stream\" is set by the request itself; use its method instead");
    }

    #[test]
    fn what_has_a_method_is_written_as_the_api_has_it() {
        let request = ChatRequest::new("m")
            .message(Message::parts("user", [Part::text("What is this?"), Part::image_url("https://host/cat.png")]))
            .tools([Tool::function("weather", "Of a city.", json!({"type": "object"}))])
            .tool_choice(&ToolChoice::Function("weather".to_owned()))
            .json_mode()
            .n(2)
            .stop(["END"])
            .seed(7);
        assert_eq!(
            json_of(request.whole_body()),
            json!({
                "model": "m",
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "https://host/cat.png"}},
                ]}],
                "tools": [{"type": "function", "function": {
                    "name": "weather", "description": "Of a city.", "parameters": {"type": "object"},
                }}],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
                "response_format": {"type": "json_object"},
                "n": 2,
                "stop": ["END"],
                "seed": 7,
            })
        );
    }

    #[test]
    fn a_message_with_a_field_twice_is_refused() {
        let message = Message::new("user", "Hi").extra("content", "Ho");
        let error = ChatRequest::new("m").message(message).whole_body().unwrap_err();
        assert_eq!(error.to_string(), "a message has \"content\" twice; give it to Message::new alone");
    }
}
