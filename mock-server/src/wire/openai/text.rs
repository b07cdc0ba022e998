//! The older completions of `POST /v1/completions`: a text goes in, and its continuation comes out.

use super::stream::UsageChunk;
use super::write_number;
use crate::relay::{Invalid, Refusal};
use crate::wire::answer::{Answer, Usage};
use crate::wire::content::Choices;
use crate::wire::endpoint::{Ask, Manner};
use crate::wire::events::without_brace;
use crate::wire::fields::{Fields, RANGES, passages};
use crate::wire::prompt::Prompt;
use crate::wire::reply::Reply;

/// How many choices a request may ask for, of all its texts together.
const MOST_CHOICES: usize = 2048;

/// How long completions are of callers who set no limit.
const DEFAULT_MAX_TOKENS: u32 = 16;

pub(in crate::wire) fn ask(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let fields = Fields::parse(body)?;
    let prompt = match fields.value("prompt") {
        None => return Err(Invalid::missing("prompt").into()),
        Some(prompt) => passages("prompt", prompt)?,
    };
    // Each text of the prompt is continued as often as was asked for.
    let choices = prompt.len().saturating_mul(fields.choices()? as usize);
    if choices > MOST_CHOICES {
        return Err(Invalid::above_maximum("prompt", &format!("texts for at most {MOST_CHOICES} choices"), choices).into());
    }
    fields.within(&RANGES)?;
    let usage = if fields.wants_usage()? { UsageChunk::Included } else { UsageChunk::Omitted };
    Ok(Ask {
        model: fields.model()?.into(),
        stream: fields.flag("stream")?,
        max_tokens: Some(fields.count("max_tokens")?.unwrap_or(DEFAULT_MAX_TOKENS)),
        choices: choices as u32,
        prompt: Prompt::Texts(prompt),
        manner: Manner::Text(usage),
    })
}

/// The body of a completion.
pub(crate) fn body(answer: &Answer, mut choices: Choices) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + choices.size());
    answer.write_head("cmpl-", "text_completion", &mut out);
    out.extend_from_slice(b",\"choices\":[");
    for (choice, content) in choices.iter_mut().enumerate() {
        out.extend_from_slice(if choice == 0 { b"{\"text\":\"" } else { b",{\"text\":\"" });
        content.write(content.remaining(), &mut out);
        write_choice_end(choice, answer.finish_reason(), &mut out);
    }
    out.extend_from_slice(b"],\"usage\":");
    answer.usage.write(&mut out);
    answer.write_fingerprint(&mut out);
    out.push(b'}');
    out
}

/// The rest of a choice behind its text.
fn write_choice_end(choice: usize, finish_reason: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\",\"index\":");
    write_number(choice as u64, out);
    out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
    out.extend_from_slice(finish_reason);
    out.push(b'}');
}

/// What all events of a completion have in common.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// What every event begins with, up to its choices.
    head: Box<[u8]>,
    finish_reason: &'static [u8],
    usage: Option<Usage>,
    /// Whose piece is being written.
    choice: usize,
}

impl Form {
    pub(crate) fn new(answer: &Answer, usage: UsageChunk) -> Self {
        let mut head = b"data: ".to_vec();
        answer.write_head("cmpl-", "text_completion", &mut head);
        answer.write_fingerprint(&mut head);
        Self { head: head.into(), finish_reason: answer.finish_reason(), usage: usage.of(answer), choice: 0 }
    }

    pub(crate) fn open_piece(&mut self, choice: usize, out: &mut Vec<u8>) {
        self.choice = choice;
        self.open(out);
    }

    pub(crate) fn close_piece(&self, out: &mut Vec<u8>) {
        self.close(self.choice, b"null", out);
    }

    /// For each choice why it ended, the usage if it was asked for, and the mark of the end.
    pub(crate) fn write_end(&self, choices: usize, out: &mut Vec<u8>) {
        for choice in 0..choices {
            self.open(out);
            self.close(choice, self.finish_reason, out);
        }
        if let Some(usage) = self.usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            usage.write(out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// A chunk that ends for the reason `error`, with the error beside its choices.
    pub(crate) fn write_error(&self, error: &Reply, out: &mut Vec<u8>) {
        self.open(out);
        write_choice_end(0, b"\"error\"", out);
        out.extend_from_slice(b"],");
        out.extend_from_slice(without_brace(&error.body));
        out.extend_from_slice(b"\n\n");
    }

    fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"text\":\"");
    }

    fn close(&self, choice: usize, finish_reason: &[u8], out: &mut Vec<u8>) {
        write_choice_end(choice, finish_reason, out);
        out.extend_from_slice(if self.usage.is_some() { b"],\"usage\":null}\n\n" } else { b"]}\n\n" });
    }
}
