//! A completion as server-sent events.

use super::{Answer, Usage};
use crate::wire::content::Content;

/// Writes the events of one completion, in order: a role, the tokens, an end.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// What every event begins with, up to the choices.
    beginning: Vec<u8>,
    content: Content,
    finish_reason: &'static [u8],
    /// Sent with the end, if the caller asked for it.
    usage: Option<Usage>,
}

/// Whether the caller asked for the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsageChunk {
    Included,
    Omitted,
}

impl Events {
    pub(crate) fn new(answer: &Answer, content: Content, usage: UsageChunk) -> Self {
        let mut beginning = Vec::with_capacity(192);
        beginning.extend_from_slice(b"data: ");
        answer.write_head("chat.completion.chunk", &mut beginning);
        answer.write_fingerprint(&mut beginning);
        let usage = (usage == UsageChunk::Included).then_some(answer.usage);
        Self { beginning, content, finish_reason: answer.finish_reason(), usage }
    }

    /// How many tokens are to come.
    pub(crate) fn remaining(&self) -> u32 {
        self.content.remaining()
    }

    /// The first event: who speaks.
    pub(crate) fn write_role(&self, out: &mut Vec<u8>) {
        self.open_choice(out);
        out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
        self.close_choice(b"null", out);
    }

    /// The event of the next token.
    pub(crate) fn write_token(&mut self, out: &mut Vec<u8>) {
        self.open_choice(out);
        out.extend_from_slice(b"{\"content\":\"");
        self.content.write_token(out);
        out.extend_from_slice(b"\"}");
        self.close_choice(b"null", out);
    }

    /// The events after the last token: why it ended, the usage if it was asked for, and the mark of the end.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) {
        self.open_choice(out);
        out.extend_from_slice(b"{}");
        self.close_choice(self.finish_reason, out);
        if let Some(usage) = self.usage {
            out.extend_from_slice(&self.beginning);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            usage.write(out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn open_choice(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":");
    }

    fn close_choice(&self, finish_reason: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(finish_reason);
        out.extend_from_slice(b"}]");
        if self.usage.is_some() {
            out.extend_from_slice(b",\"usage\":null");
        }
        out.extend_from_slice(b"}\n\n");
    }
}
