//! A response as events.

use std::sync::Arc;

use super::{Echo, Response, State, write_part};
use crate::relay::Finish;
use crate::wire::answer::Answer;
use crate::wire::events::without_brace;
use crate::wire::openai::write_number;
use crate::wire::reply::Reply;

/// A response in the course of being streamed.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    response: Response,
    /// The number of the next event.
    sequence: u64,
    /// What was said so far, which the last events repeat: JSON without its quotes.
    said: Vec<u8>,
}

impl Form {
    pub(crate) fn new(answer: &Answer, echo: &Arc<Echo>) -> Self {
        Self { response: Response::new(answer, echo), sequence: 0, said: Vec::new() }
    }

    /// The response and its message begin.
    pub(crate) fn write_beginning(&mut self, out: &mut Vec<u8>) {
        for name in ["response.created", "response.in_progress"] {
            self.event(name, out);
            out.extend_from_slice(b",\"response\":");
            self.response.write(State::InProgress, b"", out);
            out.extend_from_slice(b"}\n\n");
        }
        self.event("response.output_item.added", out);
        out.extend_from_slice(b",\"output_index\":0,\"item\":");
        self.response.write_item(State::InProgress, None, out);
        out.extend_from_slice(b"}\n\n");
        self.event("response.content_part.added", out);
        self.write_place(out);
        out.extend_from_slice(b",\"part\":");
        write_part(b"", out);
        out.extend_from_slice(b"}\n\n");
    }

    pub(crate) fn open_piece(&mut self, out: &mut Vec<u8>) {
        self.event("response.output_text.delta", out);
        self.write_place(out);
        out.extend_from_slice(b",\"delta\":\"");
    }

    pub(crate) fn close_piece(&mut self, begin: usize, out: &mut Vec<u8>) {
        self.said.extend_from_slice(&out[begin..]);
        out.extend_from_slice(b"\",\"logprobs\":[]}\n\n");
    }

    /// Text, part, message and response are done, in this order.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) {
        let mut events = Self { said: Vec::new(), ..self.clone() };
        events.event("response.output_text.done", out);
        events.write_place(out);
        out.extend_from_slice(b",\"text\":\"");
        out.extend_from_slice(&self.said);
        out.extend_from_slice(b"\",\"logprobs\":[]}\n\n");
        events.event("response.content_part.done", out);
        events.write_place(out);
        out.extend_from_slice(b",\"part\":");
        write_part(&self.said, out);
        out.extend_from_slice(b"}\n\n");
        events.event("response.output_item.done", out);
        out.extend_from_slice(b",\"output_index\":0,\"item\":");
        self.response.write_item(State::Ended, Some(&self.said), out);
        out.extend_from_slice(b"}\n\n");
        events.event(
            match self.response.finish {
                Finish::Stop => "response.completed",
                Finish::Length => "response.incomplete",
            },
            out,
        );
        out.extend_from_slice(b",\"response\":");
        self.response.write(State::Ended, &self.said, out);
        out.extend_from_slice(b"}\n\n");
    }

    /// An event `error` with the error's own object.
    pub(crate) fn write_error(&self, error: &Reply, out: &mut Vec<u8>) {
        write_name("error", self.sequence, out);
        out.push(b',');
        out.extend_from_slice(without_brace(&error.body));
        out.extend_from_slice(b"\n\n");
    }

    /// The beginning of the next event, up to what is its own.
    fn event(&mut self, name: &str, out: &mut Vec<u8>) {
        write_name(name, self.sequence, out);
        self.sequence += 1;
    }

    /// Of which part an event speaks.
    fn write_place(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"item_id\":\"");
        out.extend_from_slice(&self.response.item_id);
        out.extend_from_slice(b"\",\"output_index\":0,\"content_index\":0");
    }
}

fn write_name(name: &str, sequence: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: {\"type\":\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\",\"sequence_number\":");
    write_number(sequence, out);
}
