//! What a conversation says, word for word: read by those who need more than its length.

use std::borrow::Cow;

use serde::Deserialize;

use super::diagnosis;
use crate::relay::Refusal;
use crate::tokens::Counter;

/// Messages, in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Conversation<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<Words<'a>>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(#[serde(borrow)] Words<'a>),
    Parts(#[serde(borrow)] Vec<Part<'a>>),
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Words<'a>>,
}

/// Borrowed where nothing in it is escaped, which serde does for no `Cow` inside of something else.
#[derive(Debug, Deserialize)]
struct Words<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Conversation<'a> {
    /// Reads the messages of a request that was found to be good.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| diagnosis::refusal(body, &error))
    }

    /// What the API counts: the tokens of each message's role, name and texts, three more for the message itself and one for a
    /// name, and three for the answer's own beginning. Calls of tools are not counted. From the OpenAI cookbook, "How to count
    /// tokens with tiktoken".
    pub(crate) fn tokens(&self, counter: Counter) -> u32 {
        let of_message = |message: &Message<'_>| {
            let name = message.name.as_ref().map_or(0, |Words(name)| counter.count(name).saturating_add(1));
            let texts = message.texts().map(|text| counter.count(text));
            texts.fold(3 + counter.count(&message.role), u32::saturating_add).saturating_add(name)
        };
        self.messages.iter().map(of_message).fold(3, u32::saturating_add)
    }

    /// All text of the last message whose role is `user`; empty when there is none.
    pub(crate) fn last_user_text(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.role == "user");
        last.into_iter().flat_map(Message::texts).collect()
    }
}

impl Message<'_> {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match &self.content {
            None => (None, [].as_slice()),
            Some(Content::Text(text)) => (Some(text), [].as_slice()),
            Some(Content::Parts(parts)) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().filter_map(|part| part.text.as_ref())).map(|Words(text)| &**text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(messages: &str) -> (u32, String) {
        let body = format!(r#"{{"model":"m","messages":{messages}}}"#);
        let conversation = Conversation::parse(body.as_bytes()).unwrap();
        (conversation.tokens(Counter::Approximate), conversation.last_user_text())
    }

    #[test]
    fn roles_names_and_texts_are_counted_with_what_frames_them() {
        assert_eq!(parse(r#"[{"role":"user","content":"12345"}]"#).0, 3 + 1 + 2 + 3);
        assert_eq!(parse(r#"[{"role":"user","content":"12345","name":"bob"}]"#).0, 9 + 1 + 1);
        assert_eq!(parse(r#"[{"role":"user","content":[{"text":"12345"},{"image_url":{"url":"x"}},{"text":"1"}]}]"#).0, 9 + 1);
        assert_eq!(parse(r#"[{"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":""}]"#).0, 6 + 4 + 3);
    }

    #[test]
    fn the_last_user_is_heard_in_every_form() {
        assert_eq!(
            parse(r#"[{"role":"user","content":"a"},{"role":"user","content":"\u00e9\n"},{"role":"tool","content":"c"}]"#).1,
            "é\n"
        );
        assert_eq!(parse(r#"[{"role":"user","content":[{"text":"a"},{"type":"image_url"},{"text":"b"}]}]"#).1, "ab");
        assert_eq!(parse(r#"[{"role":"system","content":"a"}]"#).1, "");
    }
}
