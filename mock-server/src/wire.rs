//! What goes over the wire: one file a dialect.

mod anthropic;
mod azure;
pub(crate) mod chunks;
mod cloudflare;
pub(crate) mod content;
pub(crate) mod dialect;
mod groq;
pub(crate) mod identity;
mod litellm;
mod one_api;
pub(crate) mod openai;
mod openrouter;
pub(crate) mod reply;

use serde::Serialize;

/// `{"error":…}`, which most dialects have in common.
#[derive(Serialize)]
struct Enveloped<T> {
    error: T,
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes whatever is written, and a string is always JSON");
}
