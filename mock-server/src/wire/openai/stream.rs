//! A chat completion as events: who speaks, what is said, why it ended.

use super::write_number;
use crate::wire::answer::{Answer, Usage};
use crate::wire::events::without_brace;
use crate::wire::reply::Reply;

/// What all events of a completion have in common.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// What every event of the first choice begins with, up to its delta.
    beginning: Box<[u8]>,
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

impl UsageChunk {
    pub(super) fn of(self, answer: &Answer) -> Option<Usage> {
        (self == Self::Included).then_some(answer.usage)
    }
}

impl Form {
    pub(crate) fn new(answer: &Answer, usage: UsageChunk) -> Self {
        let mut beginning = Vec::with_capacity(224);
        beginning.extend_from_slice(b"data: ");
        answer.write_head("chatcmpl-", "chat.completion.chunk", &mut beginning);
        answer.write_fingerprint(&mut beginning);
        beginning.extend_from_slice(CHOICE);
        Self { beginning: beginning.into(), finish_reason: answer.finish_reason(), usage: usage.of(answer) }
    }

    /// For each choice, who speaks.
    pub(crate) fn write_beginning(&self, choices: usize, out: &mut Vec<u8>) {
        for choice in 0..choices {
            self.open(choice, out);
            out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
            self.end_event(out);
        }
    }

    pub(crate) fn open_piece(&self, choice: usize, out: &mut Vec<u8>) {
        self.open(choice, out);
        out.extend_from_slice(b"{\"content\":\"");
    }

    pub(crate) fn close_piece(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.end_event(out);
    }

    /// For each choice why it ended, the usage if it was asked for, and the mark of the end.
    pub(crate) fn write_end(&self, choices: usize, out: &mut Vec<u8>) {
        for choice in 0..choices {
            self.open(choice, out);
            out.extend_from_slice(b"{},\"logprobs\":null,\"finish_reason\":");
            out.extend_from_slice(self.finish_reason);
            out.extend_from_slice(if self.usage.is_some() { b"}],\"usage\":null}\n\n" } else { b"}]}\n\n" });
        }
        if let Some(usage) = self.usage {
            out.extend_from_slice(self.head());
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            usage.write(out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// A chunk that ends for the reason `error`, with the error beside its choices.
    pub(crate) fn write_error(&self, error: &Reply, out: &mut Vec<u8>) {
        self.open(0, out);
        out.extend_from_slice(b"{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":\"error\"}],");
        out.extend_from_slice(without_brace(&error.body));
        out.extend_from_slice(b"\n\n");
    }

    /// An event up to the delta of a choice.
    fn open(&self, choice: usize, out: &mut Vec<u8>) {
        if choice == 0 {
            out.extend_from_slice(&self.beginning);
        } else {
            out.extend_from_slice(self.head());
            out.extend_from_slice(b",\"choices\":[{\"index\":");
            write_number(choice as u64, out);
            out.extend_from_slice(b",\"delta\":");
        }
    }

    /// What every event begins with, up to its choices.
    fn head(&self) -> &[u8] {
        &self.beginning[..self.beginning.len() - CHOICE.len()]
    }

    /// Ends a delta that is not the last, and its event.
    fn end_event(&self, out: &mut Vec<u8>) {
        match self.usage {
            None => out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"),
            Some(_) => out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"),
        }
    }
}
