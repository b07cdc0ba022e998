//! `POST /v1/messages`: read, and answered whole or as events.

use serde_json::Value;

use crate::relay::{Finish, Invalid, Refusal};
use crate::wire::answer::{Answer, Usage};
use crate::wire::content::Choices;
use crate::wire::endpoint::{Ask, Manner};
use crate::wire::fields::{Fields, Range, empty_array, texts, wrong_type};
use crate::wire::prompt::{Prompt, Turn};
use crate::wire::{write_number, write_string};

pub(in crate::wire) fn ask(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let fields = Fields::parse(body)?;
    let model = fields.model()?;
    if model.is_empty() {
        return Err(Invalid::missing("model").into());
    }
    let Some(max_tokens) = fields.count("max_tokens")? else { return Err(Invalid::missing("max_tokens").into()) };
    let mut turns = Vec::new();
    if let Some(system) = fields.value("system") {
        turns.push(Turn { role: "system".to_owned(), text: texts("system", system)? });
    }
    match fields.value("messages") {
        None => return Err(Invalid::missing("messages").into()),
        Some(Value::Array(messages)) if messages.is_empty() => return Err(empty_array("messages", "message").into()),
        Some(Value::Array(messages)) => {
            for (i, message) in messages.iter().enumerate() {
                turns.push(turn(&format!("messages.{i}"), message)?);
            }
        }
        Some(other) => return Err(wrong_type("messages", "an array of objects", other).into()),
    }
    if let Some(invalid) = RANGES.iter().find_map(|range| invalid(*range, fields.value(range.param)?)) {
        return Err(invalid.into());
    }
    Ok(Ask {
        model: model.into(),
        stream: fields.flag("stream")?,
        max_tokens: Some(max_tokens),
        choices: 1,
        prompt: Prompt::Said(turns),
        manner: Manner::Messages,
    })
}

/// The numbers that have bounds.
const RANGES: [Range; 3] = [
    Range { param: "temperature", least: 0.0, most: 1.0 },
    Range { param: "top_p", least: 0.0, most: 1.0 },
    Range { param: "top_k", least: 0.0, most: f64::INFINITY },
];

/// What is wrong with a number, in Anthropic's words.
fn invalid(range: Range, value: &Value) -> Option<Invalid> {
    let Range { param, least, most } = range;
    let (code, wrong) = match value.as_f64() {
        Some(number) if range.holds(number) => return None,
        Some(number) if number < least => {
            ("decimal_below_min_value", format!("Input should be greater than or equal to {least}"))
        }
        Some(_) => ("decimal_above_max_value", format!("Input should be less than or equal to {most}")),
        None => ("invalid_type", "Input should be a valid number".to_owned()),
    };
    Some(Invalid { param: Some(param.to_owned()), code, message: format!("{param}: {wrong}") })
}

fn turn(place: &str, message: &Value) -> Result<Turn, Invalid> {
    let Value::Object(message) = message else { return Err(wrong_type(place, "an object", message)) };
    let role = match message.get("role") {
        Some(Value::String(role)) if role == "user" || role == "assistant" => role.clone(),
        Some(Value::String(other)) => {
            return Err(Invalid::unknown_value(&format!("{place}.role"), other, "'user' or 'assistant'"));
        }
        None => return Err(Invalid::missing(&format!("{place}.role"))),
        Some(other) => return Err(wrong_type(&format!("{place}.role"), "a string", other)),
    };
    match message.get("content") {
        None => Err(Invalid::missing(&format!("{place}.content"))),
        Some(content) => Ok(Turn { role, text: texts(&format!("{place}.content"), content)? }),
    }
}

/// The body of a message.
pub(crate) fn body(answer: &Answer, mut choices: Choices) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + choices.size());
    write_head(answer, &mut out);
    out.extend_from_slice(b"[{\"type\":\"text\",\"text\":\"");
    for content in choices.iter_mut() {
        content.write(content.remaining(), &mut out);
    }
    out.extend_from_slice(b"\"}],\"stop_reason\":\"");
    out.extend_from_slice(stop_reason(answer.finish));
    out.extend_from_slice(b"\",\"stop_sequence\":null,\"usage\":");
    write_usage(answer.usage, &mut out);
    out.push(b'}');
    out
}

/// A message up to its content.
fn write_head(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"msg_");
    answer.identity.write_answer_letters(out);
    out.extend_from_slice(b"\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    write_string(&answer.model, out);
    out.extend_from_slice(b",\"content\":");
}

fn write_usage(usage: Usage, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"input_tokens\":");
    write_number(usage.prompt_tokens.into(), out);
    out.extend_from_slice(b",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":");
    write_number(usage.completion_tokens.into(), out);
    out.push(b'}');
}

fn stop_reason(finish: Finish) -> &'static [u8] {
    match finish {
        Finish::Stop => b"end_turn",
        Finish::Length => b"max_tokens",
    }
}

/// A message in the course of being streamed.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// The message as it begins.
    message: Box<[u8]>,
    finish: Finish,
    output_tokens: u32,
}

impl Form {
    pub(crate) fn new(answer: &Answer) -> Self {
        let mut message = Vec::with_capacity(256);
        write_head(answer, &mut message);
        message.extend_from_slice(b"[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
        // The first token is there when the message begins.
        let completion_tokens = answer.usage.completion_tokens.min(1);
        write_usage(Usage { completion_tokens, ..answer.usage }, &mut message);
        message.push(b'}');
        Self { message: message.into(), finish: answer.finish, output_tokens: answer.usage.completion_tokens }
    }

    /// The message and its block begin.
    pub(crate) fn write_beginning(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
        out.extend_from_slice(&self.message);
        out.extend_from_slice(
            b"}\n\nevent: content_block_start\n\
              data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
              event: ping\ndata: {\"type\":\"ping\"}\n\n",
        );
    }

    pub(crate) fn open_piece(out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_delta\n\
              data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"",
        );
    }

    pub(crate) fn close_piece(out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"}}\n\n");
    }

    /// Block and message end.
    pub(crate) fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
              event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"",
        );
        out.extend_from_slice(stop_reason(self.finish));
        out.extend_from_slice(b"\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":");
        write_number(self.output_tokens.into(), out);
        out.extend_from_slice(b"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}
