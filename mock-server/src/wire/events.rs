//! An answer as server-sent events.

use super::anthropic::messages;
use super::chunks::Chunks;
use super::content::Choices;
use super::dialect::Dialect;
use super::openai::{responses, stream, text};
use super::reply::Reply;

/// Writes the events of one answer, in order: a beginning, the content in chunks, an end.
///
/// A chunk is written when its last token is due. Whoever knows when tokens are due asks [`next_chunk`](Self::next_chunk) how many
/// more complete one, and writes it then.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    form: Form,
    choices: Choices,
    chunks: Chunks,
    /// How many tokens complete the next chunk.
    next: Option<u32>,
}

/// How the events look.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Chat(stream::Form),
    // In boxes, so that streams of chat, of which there are thousands, need no room for them.
    Text(Box<text::Form>),
    Responses(Box<responses::Form>),
    Messages(Box<messages::Form>),
}

impl Events {
    pub(super) fn new(form: Form, choices: Choices, chunks: Chunks) -> Self {
        // The first chunk is a single token, so that it leaves when the first token is due.
        Self { form, choices, chunks, next: Some(1) }
    }

    /// How many more tokens of every choice complete the next chunk: at least 1, and none after the last chunk. An answer without
    /// tokens has one chunk, which is due when its first token would have been.
    pub(crate) fn next_chunk(&self) -> Option<u32> {
        self.next
    }

    /// The events of the next chunk, at least one, for each choice.
    pub(crate) fn write_chunk(&mut self, out: &mut Vec<u8>) {
        let first = self.choices.first();
        let tokens = self.next.map_or(0, |next| next.min(first.remaining()));
        if first.is_untouched() {
            self.form.write_beginning(self.choices.count(), out);
        }
        for (choice, content) in self.choices.iter_mut().enumerate() {
            if content.is_silent(tokens) {
                content.pass(tokens);
            } else {
                self.form.open_piece(choice, out);
                let begin = out.len();
                content.write(tokens, out);
                self.form.close_piece(begin, out);
            }
        }
        let first = self.choices.first();
        self.next = match first.remaining() {
            0 => None,
            _ => Some(first.at_least(self.chunks.next())),
        };
    }

    /// The events after the last chunk: why it ended, the usage, and the mark of the end.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) {
        match &self.form {
            Form::Chat(form) => form.write_end(self.choices.count(), out),
            Form::Text(form) => form.write_end(self.choices.count(), out),
            Form::Responses(form) => form.write_end(out),
            Form::Messages(form) => form.write_end(out),
        }
    }

    /// Leaves out whatever is still to come.
    pub(crate) fn abandon(&mut self) {
        self.next = None;
    }

    /// An error instead of what is still to come: the stream ends with it.
    pub(crate) fn write_error(&self, dialect: Dialect, error: &Reply, out: &mut Vec<u8>) {
        match &self.form {
            Form::Chat(form) if dialect.tells_errors_in_chunks() => form.write_error(error, out),
            Form::Text(form) if dialect.tells_errors_in_chunks() => form.write_error(error, out),
            Form::Responses(form) => form.write_error(error, out),
            Form::Chat(_) | Form::Text(_) | Form::Messages(_) => {
                if dialect.names_error_events() {
                    out.extend_from_slice(b"event: error\n");
                }
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&error.body);
                out.extend_from_slice(b"\n\n");
                if dialect.marks_the_end_behind_errors() {
                    out.extend_from_slice(b"data: [DONE]\n\n");
                }
            }
        }
    }
}

impl Form {
    /// The events before the first piece of so many choices.
    fn write_beginning(&mut self, choices: usize, out: &mut Vec<u8>) {
        match self {
            Self::Chat(form) => form.write_beginning(choices, out),
            Self::Text(_) => {}
            Self::Responses(form) => form.write_beginning(out),
            Self::Messages(form) => form.write_beginning(out),
        }
    }

    /// An event up to the quote that opens its piece of text.
    fn open_piece(&mut self, choice: usize, out: &mut Vec<u8>) {
        match self {
            Self::Chat(form) => form.open_piece(choice, out),
            Self::Text(form) => form.open_piece(choice, out),
            Self::Responses(form) => form.open_piece(out),
            Self::Messages(_) => messages::Form::open_piece(out),
        }
    }

    /// The rest of that event. The piece begins at `begin`.
    fn close_piece(&mut self, begin: usize, out: &mut Vec<u8>) {
        match self {
            Self::Chat(form) => form.close_piece(out),
            Self::Text(form) => form.close_piece(out),
            Self::Responses(form) => form.close_piece(begin, out),
            Self::Messages(_) => messages::Form::close_piece(out),
        }
    }
}

/// The keys of an object beside those of another: its text but for the first brace.
pub(super) fn without_brace(object: &[u8]) -> &[u8] {
    object.strip_prefix(b"{").unwrap_or(object)
}
