//! What a response repeats of its request.

use serde_json::Value;

use crate::relay::Refusal;
use crate::wire::fields::{Fields, wrong_type};

/// The parameters of a request as its response has them, each behind a comma: those that were sent, as they were sent, and what holds
/// where they were not.
#[derive(Debug)]
pub(crate) struct Echo {
    before_model: Box<[u8]>,
    behind_output: Box<[u8]>,
    at_end: Box<[u8]>,
}

/// A parameter with what holds where it is not sent; none for one of which a response then says nothing.
type Parameter = (&'static str, Option<&'static str>);

const BEFORE_MODEL: [Parameter; 2] = [("instructions", Some("null")), ("max_output_tokens", Some("null"))];

const BEHIND_OUTPUT: [Parameter; 7] = [
    ("parallel_tool_calls", Some("true")),
    ("previous_response_id", Some("null")),
    ("temperature", Some("1.0")),
    ("tool_choice", Some("\"auto\"")),
    ("tools", Some("[]")),
    ("top_p", Some("1.0")),
    ("truncation", Some("\"disabled\"")),
];

const AT_END: [Parameter; 10] = [
    ("metadata", Some("{}")),
    ("background", None),
    ("max_tool_calls", None),
    ("prompt_cache_key", None),
    ("reasoning", None),
    ("safety_identifier", None),
    ("store", None),
    ("text", None),
    ("top_logprobs", None),
    ("user", None),
];

impl Echo {
    /// Those that the relay does not look at are echoed as they are, but for what no client could read.
    pub(super) fn of(fields: &Fields) -> Result<Self, Refusal> {
        fields.flag("parallel_tool_calls")?;
        fields.text("previous_response_id")?;
        fields.text("truncation")?;
        if let Some(wrong) = fields.value("metadata").filter(|metadata| !metadata.is_object()) {
            return Err(wrong_type("metadata", "an object", wrong).into());
        }
        if let Some(wrong) = fields.value("tools").filter(|tools| !tools.is_array()) {
            return Err(wrong_type("tools", "an array", wrong).into());
        }
        Ok(Self {
            before_model: written(fields, &BEFORE_MODEL),
            behind_output: written(fields, &BEHIND_OUTPUT),
            at_end: written(fields, &AT_END),
        })
    }

    pub(super) fn write_before_model(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before_model);
    }

    pub(super) fn write_behind_output(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.behind_output);
    }

    pub(super) fn write_at_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at_end);
    }
}

fn written(fields: &Fields, parameters: &[Parameter]) -> Box<[u8]> {
    let mut out = String::new();
    for (key, default) in parameters {
        let sent = fields.value(key).map(Value::to_string);
        if let Some(value) = sent.as_deref().or(*default) {
            for part in [",\"", key, "\":", value] {
                out.push_str(part);
            }
        }
    }
    out.into_bytes().into()
}
