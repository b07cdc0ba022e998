//! The OpenAI dialect: whatever is generated, streamed or not, the models, and errors.

pub(crate) mod completion;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod models;
pub(crate) mod request;
pub(crate) mod responses;
pub(crate) mod stream;
pub(crate) mod text;

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::http::HeaderValue;

use super::answer::{Answer, Usage};
use super::identity::letters;
use super::{header_number, write_number, write_string};
use crate::draw;
use crate::relay::Finish;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const OPENAI_VERSION: HeaderName = HeaderName::from_static("openai-version");

/// What the header `openai-version` says: the only version there is.
const VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");

pub(super) fn write_headers(request_id: HeaderValue, took: Duration, headers: &mut HeaderMap) {
    headers.insert(REQUEST_ID, request_id);
    headers.insert(PROCESSING_MS, header_number(took.as_millis() as u64));
    headers.insert(OPENAI_VERSION, VERSION);
}

impl Answer {
    /// `"id":…,"object":…,"created":…,"model":…`: how every object begins.
    fn write_head(&self, prefix: &str, object: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(prefix.as_bytes());
        self.identity.write_answer_letters(out);
        out.extend_from_slice(b"\",\"object\":\"");
        out.extend_from_slice(object.as_bytes());
        out.extend_from_slice(b"\",\"created\":");
        write_number(self.created.as_secs(), out);
        out.extend_from_slice(b",\"model\":");
        write_string(&self.model, out);
    }

    /// `,"system_fingerprint":"fp_…"`: the same for all answers of a model.
    fn write_fingerprint(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"system_fingerprint\":\"fp_");
        out.extend_from_slice(&letters(draw::hash(self.model.as_bytes())));
        out.push(b'"');
    }

    fn finish_reason(&self) -> &'static [u8] {
        match self.finish {
            Finish::Stop => b"\"stop\"",
            Finish::Length => b"\"length\"",
        }
    }
}

impl Usage {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"prompt_tokens\":");
        write_number(self.prompt_tokens.into(), out);
        out.extend_from_slice(b",\"completion_tokens\":");
        write_number(self.completion_tokens.into(), out);
        out.extend_from_slice(b",\"total_tokens\":");
        write_number(u64::from(self.prompt_tokens) + u64::from(self.completion_tokens), out);
        out.push(b'}');
    }
}
