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

use rand_pcg::rand_core::Rng;

use super::write_string;
use crate::draw::{self, Draws, Purpose};
use crate::relay::Finish;

/// What the header `openai-version` says: the only version there is.
pub(crate) const VERSION: &str = "2020-10-01";

/// What names an answer and its parts, drawn for each attempt.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    completion: [u64; 2],
    request: [u64; 2],
}

impl Identity {
    pub(crate) fn new(draws: Draws) -> Self {
        let mut stream = draws.stream(Purpose::Identity);
        let mut numbers = || [stream.next_u64(), stream.next_u64()];
        Self { completion: numbers(), request: numbers() }
    }

    /// The header `x-request-id`.
    pub(crate) fn request_id(&self) -> String {
        let mut id = String::with_capacity(28);
        id.push_str("req_");
        id.extend(self.request.into_iter().flat_map(letters).map(char::from));
        id
    }

    fn write_completion_id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"chatcmpl-");
        self.completion.into_iter().for_each(|number| out.extend_from_slice(&letters(number)));
    }
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
        out.extend_from_slice(b"{\"id\":\"");
        self.identity.write_completion_id(out);
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

/// Twelve letters and digits, of five bits each.
fn letters(number: u64) -> [u8; 12] {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    std::array::from_fn(|place| ALPHABET[(number >> (5 * place)) as usize % ALPHABET.len()])
}
