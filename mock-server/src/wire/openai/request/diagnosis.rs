//! What is wrong with a request body, in the API's words: which parameter, and what would be right.

use serde_json::{Map, Value};

use crate::relay::{Invalid, Refusal};
use crate::wire::fields::{RANGES, empty_array, invalid_choices, invalid_count, kind, wrong_type};

/// The refusal of a body that the fast path could not read because of `error`.
pub(super) fn refusal(body: &[u8], error: &serde_json::Error) -> Refusal {
    match serde_json::from_slice(body) {
        Err(error) => Refusal::Malformed { reason: error.to_string() },
        Ok(Value::Object(request)) => Refusal::Invalid(of_request(&request).unwrap_or_else(|| Invalid {
            param: None,
            code: "invalid_type",
            message: error.to_string(),
        })),
        Ok(other) => Refusal::Malformed { reason: format!("the body is {}, not an object", kind(&other)) },
    }
}

fn of_request(request: &Map<String, Value>) -> Option<Invalid> {
    match request.get("model") {
        // The path may name it.
        None | Some(Value::String(_)) => {}
        Some(other) => return Some(wrong_type("model", "a string", other)),
    }
    match request.get("messages") {
        None => return Some(Invalid::missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => return Some(empty_array("messages", "message")),
        Some(Value::Array(messages)) => {
            if let Some(invalid) = messages.iter().enumerate().find_map(|(i, message)| of_message(i, message)) {
                return Some(invalid);
            }
        }
        Some(other) => return Some(wrong_type("messages", "an array of objects", other)),
    }
    let optional = |key: &str, expected, is_right: fn(&Value) -> bool| match request.get(key) {
        None | Some(Value::Null) => None,
        Some(value) if is_right(value) => None,
        Some(value) => Some(wrong_type(key, expected, value)),
    };
    let limit = |key: &str| request.get(key).and_then(|value| invalid_count(key, value));
    optional("stream", "a boolean", Value::is_boolean)
        .or_else(|| RANGES.iter().find_map(|range| request.get(range.param).and_then(|value| range.invalid(value))))
        .or_else(|| optional("stream_options", "an object", Value::is_object))
        .or_else(|| limit("max_tokens"))
        .or_else(|| limit("max_completion_tokens"))
        .or_else(|| request.get("n").and_then(invalid_choices))
        .or_else(|| match request.get("stream_options").and_then(|options| options.get("include_usage")) {
            None | Some(Value::Null | Value::Bool(_)) => None,
            Some(other) => Some(wrong_type("stream_options.include_usage", "a boolean", other)),
        })
}

fn of_message(i: usize, message: &Value) -> Option<Invalid> {
    let Value::Object(message) = message else { return Some(wrong_type(&format!("messages[{i}]"), "an object", message)) };
    match message.get("role") {
        None => return Some(Invalid::missing(&format!("messages[{i}].role"))),
        Some(Value::String(_)) => {}
        Some(other) => return Some(wrong_type(&format!("messages[{i}].role"), "a string", other)),
    }
    let name = || match message.get("name") {
        None | Some(Value::Null | Value::String(_)) => None,
        // Nobody looks at it but who counts it: whatever else is wrong comes first.
        Some(other) => Some(wrong_type(&format!("messages[{i}].name"), "a string", other)),
    };
    let content = match message.get("content") {
        // It may be a call of tools.
        None | Some(Value::Null) if message.get("role").is_some_and(|role| role == "assistant") => None,
        None => Some(Invalid::missing(&format!("messages[{i}].content"))),
        Some(Value::String(_)) => None,
        Some(Value::Array(parts)) => parts.iter().enumerate().find_map(|(j, part)| of_part(i, j, part)),
        Some(other) => Some(wrong_type(&format!("messages[{i}].content"), "a string or an array of parts", other)),
    };
    content.or_else(name)
}

fn of_part(i: usize, j: usize, part: &Value) -> Option<Invalid> {
    let Value::Object(part) = part else { return Some(wrong_type(&format!("messages[{i}].content[{j}]"), "an object", part)) };
    match part.get("text") {
        None | Some(Value::Null | Value::String(_)) => None,
        Some(other) => Some(wrong_type(&format!("messages[{i}].content[{j}].text"), "a string", other)),
    }
}

#[cfg(test)]
mod tests {
    use crate::relay::{Invalid, Refusal};
    use crate::wire::openai::request::ChatRequest;

    const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

    fn param(body: &str) -> String {
        match ChatRequest::parse(body.as_bytes()) {
            Err(Refusal::Invalid(Invalid { param: Some(param), .. })) => param,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn the_parameter_that_is_missing_or_wrong_is_named() {
        let cases = [
            (format!("{{\"model\":4,{MESSAGES}}}"), "model"),
            (r#"{"model":"m"}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":"hi"}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":["hi"]}"#.to_owned(), "messages[0]"),
            (r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"content":"hi"}]}"#.to_owned(), "messages[1].role"),
            (r#"{"model":"m","messages":[{"role":"user"}]}"#.to_owned(), "messages[0].content"),
            (r#"{"model":"m","messages":[{"role":"user","content":null}]}"#.to_owned(), "messages[0].content"),
            (r#"{"model":"m","messages":[{"role":"user","content":5}]}"#.to_owned(), "messages[0].content"),
            (r#"{"model":"m","messages":[{"role":"user","content":[{"text":5}]}]}"#.to_owned(), "messages[0].content[0].text"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"stream\":\"yes\"}}"), "stream"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"temperature\":\"hot\"}}"), "temperature"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"temperature\":2.1}}"), "temperature"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"temperature\":-1}}"), "temperature"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"top_p\":1.1}}"), "top_p"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"presence_penalty\":-2.1}}"), "presence_penalty"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"frequency_penalty\":3}}"), "frequency_penalty"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"temperature\":2,\"max_tokens\":0}}"), "max_tokens"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"max_tokens\":-5}}"), "max_tokens"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"max_completion_tokens\":1.5}}"), "max_completion_tokens"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"n\":0}}"), "n"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"n\":129}}"), "n"),
            (
                format!("{{\"model\":\"m\",{MESSAGES},\"stream_options\":{{\"include_usage\":1}}}}"),
                "stream_options.include_usage",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(param(&body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_malformed() {
        for body in ["", "{", "[]", "null", "{\"model\":\"m\"", "{\"model\":\"m\"} x"] {
            let outcome = ChatRequest::parse(body.as_bytes());
            assert!(matches!(outcome, Err(Refusal::Malformed { .. })), "{body}: {outcome:?}");
        }
    }
}
