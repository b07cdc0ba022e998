//! What is wrong with a request body, in the API's words: which parameter, and what would be right.

use serde_json::{Map, Value};

use crate::relay::{Invalid, Refusal};

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
        None => return Some(missing("model")),
        Some(Value::String(_)) => {}
        Some(other) => return Some(wrong_type("model", "a string", other)),
    }
    match request.get("messages") {
        None => return Some(missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => {
            return Some(Invalid {
                param: Some("messages".to_owned()),
                code: "empty_array",
                message: "Invalid 'messages': empty array. Expected an array with at least one message.".to_owned(),
            });
        }
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
    optional("stream", "a boolean", Value::is_boolean)
        .or_else(|| optional("temperature", "a number", Value::is_number))
        .or_else(|| optional("top_p", "a number", Value::is_number))
        .or_else(|| optional("stream_options", "an object", Value::is_object))
        .or_else(|| limit("max_tokens", request.get("max_tokens")))
        .or_else(|| limit("max_completion_tokens", request.get("max_completion_tokens")))
        .or_else(|| match request.get("stream_options").and_then(|options| options.get("include_usage")) {
            None | Some(Value::Null | Value::Bool(_)) => None,
            Some(other) => Some(wrong_type("stream_options.include_usage", "a boolean", other)),
        })
}

fn of_message(i: usize, message: &Value) -> Option<Invalid> {
    let Value::Object(message) = message else { return Some(wrong_type(&format!("messages[{i}]"), "an object", message)) };
    match message.get("role") {
        None => return Some(missing(&format!("messages[{i}].role"))),
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
        None => Some(missing(&format!("messages[{i}].content"))),
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

fn limit(param: &str, value: Option<&Value>) -> Option<Invalid> {
    match value {
        None | Some(Value::Null) => None,
        Some(value) if value.is_i64() || value.is_u64() => (value.as_u64().unwrap_or(0) == 0).then(|| Invalid {
            param: Some(param.to_owned()),
            code: "integer_below_min_value",
            message: format!("Invalid '{param}': expected an integer of at least 1, but got {value}."),
        }),
        Some(other) => Some(wrong_type(param, "an integer", other)),
    }
}

fn missing(param: &str) -> Invalid {
    let message = format!("Missing required parameter: '{param}'.");
    Invalid { param: Some(param.to_owned()), code: "missing_required_parameter", message }
}

fn wrong_type(param: &str, expected: &str, value: &Value) -> Invalid {
    let message = format!("Invalid type for '{param}': expected {expected}, but got {}.", kind(value));
    Invalid { param: Some(param.to_owned()), code: "invalid_type", message }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
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
            (format!("{{{MESSAGES}}}"), "model"),
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
            (format!("{{\"model\":\"m\",{MESSAGES},\"max_tokens\":0}}"), "max_tokens"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"max_tokens\":-5}}"), "max_tokens"),
            (format!("{{\"model\":\"m\",{MESSAGES},\"max_completion_tokens\":1.5}}"), "max_completion_tokens"),
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
