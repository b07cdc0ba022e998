//! What goes over the wire: one file a dialect.

pub(crate) mod answer;
mod anthropic;
mod azure;
pub(crate) mod chunks;
mod cloudflare;
pub(crate) mod content;
pub(crate) mod dialect;
pub(crate) mod endpoint;
pub(crate) mod events;
mod fields;
mod groq;
pub(crate) mod identity;
mod limits;
mod litellm;
mod one_api;
pub(crate) mod openai;
mod openrouter;
mod prompt;
pub(crate) mod reply;
mod script;
mod vllm;

use hyper::http::HeaderValue;
use serde::Serialize;

/// `{"error":…}`, which most dialects have in common.
#[derive(Serialize)]
struct Enveloped<T> {
    error: T,
}

pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes whatever is written, and a string is always JSON");
}

/// A whole number as the value of a header. As made by `http` itself it would take two allocations.
fn header_number(number: u64) -> HeaderValue {
    HeaderValue::from_str(itoa::Buffer::new().format(number)).expect("digits")
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
