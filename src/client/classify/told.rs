//! What a body tells of an error, in whichever dialect.

use serde_json::Value;

/// How much of a text that is no JSON is searched for words that tell which limit was reached.
const SEARCHED_BYTES: usize = 4 * 1024;

/// What a body tells of an error. What it does not tell is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// What is wrong, for people.
    pub(super) message: String,
    /// The `type`.
    pub(super) kind: String,
    /// The `code`; a number as its digits.
    pub(super) code: String,
    /// What else it says: the words of the provider behind a gateway, or of a page of HTML. Too long or too wild for a message.
    pub(super) aside: String,
}

impl Told {
    /// Of a body that says by its shape that it is an error: `{"error": {…}}`, `{"error": "…"}`, `[{"error": {…}}]`,
    /// `{"errors": [{…}]}`, `{"object": "error", …}`, `{"type": "error", …}`, `{"success": false, …}`.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let body = first(&body);
        let error = match (first(&body["error"]), first(&body["errors"])) {
            (Value::Null, Value::Null) if tells_failure(body) => body,
            (Value::Null, Value::Null) => return None,
            (Value::Null, error) | (error, _) => error,
        };
        Some(Self::read(error))
    }

    /// Of a body that came with the status of an error, whatever it looks like.
    pub(super) fn of_refusal(body: &[u8]) -> Self {
        Self::of(body).unwrap_or_else(|| match serde_json::from_slice::<Value>(body) {
            Ok(json) => Self::read(first(&json)),
            Err(_) => {
                let aside = String::from_utf8_lossy(&body[..body.len().min(SEARCHED_BYTES)]).into_owned();
                Self { aside, ..Self::default() }
            }
        })
    }

    fn read(error: &Value) -> Self {
        let message = match error {
            Value::String(_) => text(error),
            _ => ["message", "detail", "msg"]
                .iter()
                .map(|name| text(&error[name]))
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
        };
        let aside = text(&error["metadata"]["raw"]);
        Self { message, kind: text(&error["type"]), code: text(&error["code"]), aside }
    }

    /// The status that an error in a body of status 200 has in truth, when its code is one.
    pub(super) fn status(&self) -> Option<u16> {
        self.code.parse().ok().filter(|code| (400..600).contains(code))
    }
}

fn tells_failure(body: &Value) -> bool {
    body["object"] == "error" || body["type"] == "error" || body["success"] == false
}

/// Some dialects wrap their errors in a list.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(list) => list.first().unwrap_or(&Value::Null),
        value => value,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_in_every_shape() {
        for body in [
            r#"{"error":{"message":"no","type":"t","code":"c"}}"#,
            r#"{"type":"error","error":{"message":"no","type":"t","code":"c"},"request_id":"req_1"}"#,
            r#"[{"error":{"message":"no","type":"t","code":"c"}}]"#,
            r#"{"errors":[{"message":"no","type":"t","code":"c"}],"success":false,"result":null}"#,
            r#"{"object":"error","message":"no","type":"t","code":"c"}"#,
            r#"{"success":false,"message":"no","type":"t","code":"c"}"#,
        ] {
            let told = Told::of(body.as_bytes()).unwrap_or_else(|| panic!("{body}"));
            assert_eq!((&*told.message, &*told.kind, &*told.code), ("no", "t", "c"), "{body}");
        }
        assert_eq!(Told::of(br#"{"error":"no"}"#).unwrap().message, "no");
    }

    #[test]
    fn what_is_no_error_is_none() {
        for body in [
            r#"{"choices":[]}"#,
            r#"{"choices":[],"error":null}"#,
            r#"{"errors":[],"success":true,"result":{}}"#,
            "[]",
            "null",
            "<html>",
            "",
        ] {
            assert_eq!(Told::of(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_refusal_of_any_shape_is_read_as_far_as_it_goes() {
        assert_eq!(Told::of_refusal(br#"{"detail":"no"}"#).message, "no");
        assert_eq!(Told::of_refusal(br#"{"code":20012,"message":"no","data":null}"#).code, "20012");
        assert_eq!(Told::of_refusal(b"<h1>no</h1>").aside, "<h1>no</h1>");
        assert_eq!(Told::of_refusal(b""), Told::default());
    }
}
