//! A completion as server-sent events.

use super::{Answer, Usage};
use crate::wire::chunks::Chunks;
use crate::wire::content::Content;
use crate::wire::dialect::Dialect;
use crate::wire::reply::Reply;

/// Writes the events of one completion, in order: a role, the content in chunks, an end.
///
/// A chunk is written when its last token is due. Whoever knows when tokens are due asks [`next_chunk`](Self::next_chunk) how many
/// more complete one, and writes it then.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// What every event begins with, up to its delta.
    beginning: Box<[u8]>,
    content: Content,
    chunks: Chunks,
    /// How many tokens complete the next chunk.
    next: Option<u32>,
    finish_reason: &'static [u8],
    /// Sent with the end, if the caller asked for it.
    usage: Option<Usage>,
}

/// What stands between an event's head and its delta.
const CHOICE: &[u8] = b",\"choices\":[{\"index\":0,\"delta\":";

/// Whether the caller asked for the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsageChunk {
    Included,
    Omitted,
}

impl Events {
    pub(crate) fn new(answer: &Answer, content: Content, chunks: Chunks, usage: UsageChunk) -> Self {
        let mut beginning = Vec::with_capacity(224);
        beginning.extend_from_slice(b"data: ");
        answer.write_head("chat.completion.chunk", &mut beginning);
        answer.write_fingerprint(&mut beginning);
        beginning.extend_from_slice(CHOICE);
        let usage = (usage == UsageChunk::Included).then_some(answer.usage);
        // The first chunk is a single token, so that it leaves when the first token is due.
        Self { beginning: beginning.into(), content, chunks, next: Some(1), finish_reason: answer.finish_reason(), usage }
    }

    /// How many more tokens complete the next chunk: at least 1, and none after the last chunk. An answer without tokens has one
    /// chunk, which is due when its first token would have been.
    pub(crate) fn next_chunk(&self) -> Option<u32> {
        self.next
    }

    /// The events of the next chunk, at least one. The first says who speaks.
    pub(crate) fn write_chunk(&mut self, out: &mut Vec<u8>) {
        if self.content.is_untouched() {
            out.extend_from_slice(&self.beginning);
            out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
            self.end_event(out);
        }
        let tokens = self.next.map_or(0, |next| next.min(self.content.remaining()));
        if self.content.is_silent(tokens) {
            self.content.pass(tokens);
        } else {
            out.extend_from_slice(&self.beginning);
            out.extend_from_slice(b"{\"content\":\"");
            self.content.write(tokens, out);
            out.push(b'"');
            self.end_event(out);
        }
        self.next = match self.content.remaining() {
            0 => None,
            _ => Some(self.content.at_least(self.chunks.next())),
        };
    }

    /// The events after the last chunk: why it ended, the usage if it was asked for, and the mark of the end.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(b"{},\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(self.finish_reason);
        match self.usage {
            None => out.extend_from_slice(b"}]}\n\n"),
            Some(usage) => {
                out.extend_from_slice(b"}],\"usage\":null}\n\n");
                out.extend_from_slice(&self.beginning[..self.beginning.len() - CHOICE.len()]);
                out.extend_from_slice(b",\"choices\":[],\"usage\":");
                usage.write(out);
                out.extend_from_slice(b"}\n\n");
            }
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// An error instead of what is still to come: the stream ends with it.
    pub(crate) fn write_error(&self, dialect: Dialect, error: &Reply, out: &mut Vec<u8>) {
        dialect.write_error_event(&self.beginning, error, out);
    }

    /// Ends a delta that is not the last, and its event.
    fn end_event(&self, out: &mut Vec<u8>) {
        match self.usage {
            None => out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"),
            Some(_) => out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"),
        }
    }
}

#[cfg(all(test, feature = "exact-tokens"))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::draw::Draws;
    use crate::relay::Finish;
    use crate::tokens::{Counter, Encoding, Text};
    use crate::wire::identity::Identity;

    #[test]
    fn a_chunk_waits_for_a_whole_character() {
        let counter = Counter::Exact(Encoding::of_model("gpt-4.1").unwrap());
        let text = Arc::new(Text::new("𐌀𐌁𐌂".to_owned(), counter));
        let tokens = text.tokens();
        assert!(tokens >= 6, "there is a token for a letter of this script");
        let usage = Usage { prompt_tokens: 0, completion_tokens: tokens };
        let identity = Identity::new(Draws::new(1, 2, 3));
        let answer = Answer { identity, created: Duration::ZERO, model: "gpt-4.1".into(), usage, finish: Finish::Stop };
        let mut events = Events::new(&answer, Content::text(text, tokens), Chunks::Fixed(1), UsageChunk::Omitted);
        let (mut passed, mut said) = (0, String::new());
        while let Some(next) = events.next_chunk() {
            passed += next;
            let mut chunk = Vec::new();
            events.write_chunk(&mut chunk);
            assert!(!chunk.is_empty());
            said.extend(String::from_utf8(chunk).unwrap().chars().filter(|c| !c.is_ascii()));
        }
        assert_eq!((passed, said.as_str()), (tokens, "𐌀𐌁𐌂"));
    }
}
