//! `POST /v1/responses`: one message as output, whole or as events that are named and numbered.

mod echo;
mod events;

pub(crate) use echo::Echo;
pub(crate) use events::Form;

use std::sync::Arc;

use serde_json::Value;

use super::write_number;
use crate::relay::{Finish, Invalid, Refusal};
use crate::wire::answer::{Answer, Usage};
use crate::wire::content::Choices;
use crate::wire::endpoint::{Ask, Manner};
use crate::wire::fields::{Fields, RANGES, texts, wrong_type};
use crate::wire::prompt::{Prompt, Turn};
use crate::wire::write_string;

pub(in crate::wire) fn ask(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let fields = Fields::parse(body)?;
    let mut turns = Vec::new();
    if let Some(instructions) = fields.text("instructions")? {
        turns.push(Turn { role: "developer".to_owned(), text: instructions.to_owned() });
    }
    match fields.value("input") {
        None => return Err(Invalid::missing("input").into()),
        Some(Value::String(input)) => turns.push(Turn { role: "user".to_owned(), text: input.clone() }),
        Some(Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                turns.extend(turn(&format!("input[{i}]"), item)?);
            }
        }
        Some(other) => return Err(wrong_type("input", "a string or an array of items", other).into()),
    }
    // There are no penalties here.
    fields.within(&RANGES[..2])?;
    let echo = Echo::of(&fields)?;
    Ok(Ask {
        model: fields.model()?.into(),
        stream: fields.flag("stream")?,
        max_tokens: fields.count("max_output_tokens")?,
        choices: 1,
        prompt: Prompt::Said(turns),
        manner: Manner::Responses(Arc::new(echo)),
    })
}

/// What an item of the input says; nothing where it is no message, but the call of a tool.
fn turn(place: &str, item: &Value) -> Result<Option<Turn>, Refusal> {
    let Value::Object(item) = item else { return Err(wrong_type(place, "an object", item).into()) };
    match (item.get("role"), item.get("content")) {
        (None, _) => Ok(None),
        (Some(Value::String(role)), Some(content)) => {
            Ok(Some(Turn { role: role.clone(), text: texts(&format!("{place}.content"), content)? }))
        }
        (Some(Value::String(_)), None) => Err(Invalid::missing(&format!("{place}.content")).into()),
        (Some(other), _) => Err(wrong_type(&format!("{place}.role"), "a string", other).into()),
    }
}

/// The body of a response.
pub(crate) fn body(answer: &Answer, echo: &Arc<Echo>, mut choices: Choices) -> Vec<u8> {
    let mut text = Vec::with_capacity(choices.size());
    for content in choices.iter_mut() {
        content.write(content.remaining(), &mut text);
    }
    let mut out = Vec::with_capacity(1024 + text.len());
    Response::new(answer, echo).write(State::Ended, &text, &mut out);
    out
}

/// How far a response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InProgress,
    Ended,
}

/// A response, but for what it says.
#[derive(Clone, Debug)]
struct Response {
    /// From the opening brace to the status.
    id: Box<[u8]>,
    /// The message's name, without quotes.
    item_id: Box<[u8]>,
    model: Box<[u8]>,
    finish: Finish,
    usage: Usage,
    echo: Arc<Echo>,
}

impl Response {
    fn new(answer: &Answer, echo: &Arc<Echo>) -> Self {
        let mut id = b"{\"id\":\"resp_".to_vec();
        answer.identity.write_answer_letters(&mut id);
        id.extend_from_slice(b"\",\"object\":\"response\",\"created_at\":");
        write_number(answer.created.as_secs(), &mut id);
        let mut item_id = b"msg_".to_vec();
        answer.identity.write_answer_letters(&mut item_id);
        let mut model = Vec::new();
        write_string(&answer.model, &mut model);
        Self {
            id: id.into(),
            item_id: item_id.into(),
            model: model.into(),
            finish: answer.finish,
            usage: answer.usage,
            echo: Arc::clone(echo),
        }
    }

    /// The word for how it stands.
    fn status(&self, state: State) -> &'static [u8] {
        match (state, self.finish) {
            (State::InProgress, _) => b"in_progress",
            (State::Ended, Finish::Stop) => b"completed",
            (State::Ended, Finish::Length) => b"incomplete",
        }
    }

    /// The whole object. `text` is JSON without its quotes.
    fn write(&self, state: State, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id);
        out.extend_from_slice(b",\"status\":\"");
        out.extend_from_slice(self.status(state));
        out.extend_from_slice(b"\",\"error\":null,\"incomplete_details\":");
        out.extend_from_slice(match (state, self.finish) {
            (State::Ended, Finish::Length) => b"{\"reason\":\"max_output_tokens\"}",
            _ => b"null",
        });
        self.echo.write_before_model(out);
        out.extend_from_slice(b",\"model\":");
        out.extend_from_slice(&self.model);
        out.extend_from_slice(b",\"output\":[");
        if state == State::Ended {
            self.write_item(state, Some(text), out);
        }
        out.push(b']');
        self.echo.write_behind_output(out);
        out.extend_from_slice(b",\"usage\":");
        match state {
            State::InProgress => out.extend_from_slice(b"null"),
            State::Ended => self.write_usage(out),
        }
        self.echo.write_at_end(out);
        out.push(b'}');
    }

    /// The message, with its text if it has one yet.
    fn write_item(&self, state: State, text: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(&self.item_id);
        out.extend_from_slice(b"\",\"type\":\"message\",\"status\":\"");
        out.extend_from_slice(self.status(state));
        out.extend_from_slice(b"\",\"role\":\"assistant\",\"content\":[");
        if let Some(text) = text {
            write_part(text, out);
        }
        out.extend_from_slice(b"]}");
    }

    fn write_usage(&self, out: &mut Vec<u8>) {
        let Usage { prompt_tokens, completion_tokens } = self.usage;
        out.extend_from_slice(b"{\"input_tokens\":");
        write_number(prompt_tokens.into(), out);
        out.extend_from_slice(b",\"input_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0},\"output_tokens\":");
        write_number(completion_tokens.into(), out);
        out.extend_from_slice(b",\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":");
        write_number(u64::from(prompt_tokens) + u64::from(completion_tokens), out);
        out.push(b'}');
    }
}

/// A part of a message. `text` is JSON without its quotes.
fn write_part(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"output_text\",\"text\":\"");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\",\"annotations\":[]}");
}
