//! The OpenAI dialect: chat completions, streamed or not, the list of models, and errors.

pub(crate) mod completion;
pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod models;
pub(crate) mod request;
pub(crate) mod script;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use hyper::http::HeaderValue;

use super::identity::{Identity, letters};
use super::write_string;
use crate::draw;
use crate::relay::Finish;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const OPENAI_VERSION: HeaderName = HeaderName::from_static("openai-version");

/// What the header `openai-version` says: the only version there is.
const VERSION: HeaderValue = HeaderValue::from_static("2020-10-01");

pub(super) fn write_headers(request_id: HeaderValue, took: Duration, headers: &mut HeaderMap) {
    headers.insert(REQUEST_ID, request_id);
    headers.insert(PROCESSING_MS, (took.as_millis() as u64).into());
    headers.insert(OPENAI_VERSION, VERSION);
}

/// What all chunks of an answer, and the whole one, have in common.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) identity: Identity,
    /// When it was begun, since 1970.
    pub(crate) created: Duration,
    /// As the profile spells it.
    pub(crate) model: Arc<str>,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u32,
    pub(crate) completion_tokens: u32,
}

impl Answer {
    /// `"id":…,"object":…,"created":…,"model":…`: how every object begins.
    fn write_head(&self, object: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"chatcmpl-");
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

fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
