//! Embeddings: texts in, vectors out.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attempt::Attempt;
use super::classify;
use super::error::{Error, Failure};
use super::policy::{Overrides, Timeout, Timeouts};
use super::request::RequestId;
use super::response::Usage;

/// Texts to be embedded.
///
/// ```no_run
/// # use relaybench::{Client, EmbeddingsRequest};
/// # async fn example(client: Client) -> Result<(), relaybench::Error> {
/// let answer = client.embeddings(EmbeddingsRequest::new("text-embedding-3-small").input("one").input("two")).await?;
/// let [one, two] = answer.vectors() else { return Ok(()) };
/// println!("{}", one.iter().zip(two).map(|(a, b)| a * b).sum::<f32>());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingsRequest {
    model: String,
    input: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<EncodingFormat>,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip)]
    request_id: Option<RequestId>,
    #[serde(skip)]
    timeouts: Overrides,
}

/// How numbers travel. What comes out is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EncodingFormat {
    /// As JSON numbers, which every relay knows.
    Float,
    /// As base64 of little-endian 32-bit floats: about a quarter of the size.
    Base64,
}

impl EmbeddingsRequest {
    /// A request to this model, with no text yet. The client's catalog is of models that chat, so this name is not looked up.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            input: Vec::new(),
            encoding_format: None,
            fields: Map::new(),
            request_id: None,
            timeouts: Overrides::default(),
        }
    }

    /// Adds a text.
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input.push(text.into());
        self
    }

    /// Adds several texts.
    pub fn inputs<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.input.extend(texts.into_iter().map(Into::into));
        self
    }

    /// How numbers travel. Default: the server's, which is numbers.
    pub fn encoding_format(mut self, format: EncodingFormat) -> Self {
        self.encoding_format = Some(format);
        self
    }

    /// Any other field of the body, such as `dimensions`. The last value of a name counts; `model`, `input` and
    /// `encoding_format` are refused when sent.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// What this request is called (`x-client-request-id`), the same in all its attempts. Default: one of the client's own.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The total timeout of this request, instead of its client's; see [`Timeouts::total`](super::Timeouts::total).
    pub fn total_timeout(mut self, figure: Duration) -> Self {
        self.timeouts.total(figure);
        self
    }

    /// Another timeout of this request, instead of its client's; `None` lifts it. See [`Timeouts`](super::Timeouts).
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

    /// How many texts.
    pub(crate) fn count(&self) -> usize {
        self.input.len()
    }

    pub(crate) fn body(&self) -> Result<Bytes, Error> {
        const OWN: [&str; 3] = ["model", "input", "encoding_format"];
        if let Some(name) = OWN.iter().find(|name| self.fields.contains_key(**name)) {
            return Err(Error::config(format!("field {name:?} is set by the request itself; use its method instead")));
        }
        if self.input.is_empty() {
            return Err(Error::config("the request has no text; add one with input()"));
        }
        let json = serde_json::to_vec(self).map_err(|source| Error::config("the request is no JSON").with_source(source))?;
        Ok(json.into())
    }
}

/// The vectors of the texts.
#[derive(Clone, Debug)]
pub struct Embeddings {
    pub(crate) list: EmbeddingList,
    pub(crate) raw: Bytes,
    pub(crate) request_id: RequestId,
    pub(crate) attempts: Vec<Attempt>,
}

impl Embeddings {
    /// One for each text, in the order of the texts.
    pub fn vectors(&self) -> &[Vec<f32>] {
        &self.list.vectors
    }

    /// The vectors, when the rest is no longer needed.
    pub fn into_vectors(self) -> Vec<Vec<f32>> {
        self.list.vectors
    }

    /// The model that answered, as the server names it.
    pub fn model(&self) -> Option<&str> {
        self.list.model.as_deref()
    }

    /// What was counted.
    pub fn usage(&self) -> Option<&Usage> {
        self.list.usage.as_ref()
    }

    /// The response's body as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// What the request was called.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Every attempt that was made; the last one succeeded.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

/// A body that holds a vector for each text.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddingList {
    vectors: Vec<Vec<f32>>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) usage: Option<Usage>,
}

impl EmbeddingList {
    /// The vectors in a body, or why it does not hold `count` of them.
    pub(crate) fn parse(body: &Bytes, count: usize) -> Result<Self, Failure> {
        let Body { mut data, model, usage } = classify::parse(body)?;
        // The order is the index's, whatever the order on the wire.
        data.sort_by_key(|item| item.index);
        let complete = data.iter().map(|item| item.index).eq(0..count);
        let vectors: Option<Vec<_>> = data.into_iter().map(|item| item.embedding.floats()).collect();
        match vectors {
            _ if !complete => {
                Err(classify::malformed(format!("the response has not one vector for each of {count} texts"), body))
            }
            None => Err(classify::malformed("a vector in the response is not base64 of 32-bit floats", body)),
            Some(vectors) => Ok(Self { vectors, model, usage }),
        }
    }
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Item>,
    #[serde(default)]
    model: Option<Box<str>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Numbers,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Floats(Vec<f32>),
    Base64(String),
}

impl Numbers {
    fn floats(self) -> Option<Vec<f32>> {
        match self {
            Self::Floats(floats) => Some(floats),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).ok()?;
                let (floats, rest) = bytes.as_chunks::<4>();
                rest.is_empty().then(|| floats.iter().copied().map(f32::from_le_bytes).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
        let list = EmbeddingList::parse(&Bytes::copy_from_slice(body.as_bytes()), count);
        list.map(|list| list.vectors).map_err(|failure| failure.message.into_owned())
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_in_either_encoding() {
        // 1.0 and -2.5, little-endian.
        let body = r#"{"data":[{"index":1,"embedding":"AACAPwAAIMA="},{"index":0,"embedding":[0.5,0.25]}]}"#;
        assert_eq!(parse(body, 2).unwrap(), [[0.5, 0.25], [1.0, -2.5]]);
    }

    #[test]
    fn a_body_without_a_vector_for_each_text_is_malformed() {
        for (body, why) in [
            (r#"{"data":[{"index":0,"embedding":[1.0]}]}"#, "one vector for each of 2 texts"),
            (r#"{"data":[{"index":0,"embedding":[1.0]},{"index":0,"embedding":[1.0]}]}"#, "one vector for each of 2 texts"),
            (r#"{"data":[{"index":0,"embedding":"AACAPw="},{"index":1,"embedding":[]}]}"#, "not base64"),
            (r#"{"data":[{"index":0,"embedding":"AACA"},{"index":1,"embedding":[]}]}"#, "not base64"),
            (r#"{"error":{"message":"busy"}}"#, "busy"),
        ] {
            let error = parse(body, 2).unwrap_err();
            assert!(error.contains(why), "{body}: {error}");
        }
    }

    #[test]
    fn the_body_is_what_the_api_expects() {
        let request = EmbeddingsRequest::new("m").input("a").inputs(["b"]).encoding_format(EncodingFormat::Base64);
        let json: Value = serde_json::from_slice(&request.extra("dimensions", 8).body().unwrap()).unwrap();
        assert_eq!(json, serde_json::json!({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 8}));
        assert!(EmbeddingsRequest::new("m").body().unwrap_err().to_string().contains("no text"));
    }
}
