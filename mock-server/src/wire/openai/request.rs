//! A chat request: what matters of it, borrowed from the body, and what is wrong with it.

mod conversation;
mod diagnosis;

pub(crate) use conversation::Conversation;

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::stream::UsageChunk;
use crate::relay::Refusal;
use crate::wire::endpoint::{Ask, Manner};
use crate::wire::fields::{MOST_CHOICES, RANGES};
use crate::wire::prompt::Prompt;

/// What matters of a request. Keys that are not named here are accepted, whatever they hold.
#[derive(Debug, serde::Deserialize)]
struct ChatRequest<'a> {
    /// Empty where none is named.
    #[serde(borrow, default)]
    model: Cow<'a, str>,
    messages: Messages,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<Tokens>,
    #[serde(default)]
    max_completion_tokens: Option<Tokens>,
    #[serde(default)]
    n: Option<Choices>,
    #[serde(default)]
    #[expect(dead_code, reason = "read to be checked")]
    temperature: Option<InRange<0>>,
    #[serde(default)]
    #[expect(dead_code, reason = "read to be checked")]
    top_p: Option<InRange<1>>,
    #[serde(default)]
    #[expect(dead_code, reason = "read to be checked")]
    presence_penalty: Option<InRange<2>>,
    #[serde(default)]
    #[expect(dead_code, reason = "read to be checked")]
    frequency_penalty: Option<InRange<3>>,
}

#[derive(Clone, Copy, Debug, serde::Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Reads a request body.
pub(in crate::wire) fn ask(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let request = ChatRequest::parse(body)?;
    let usage = if request.wants_usage() { UsageChunk::Included } else { UsageChunk::Omitted };
    Ok(Ask {
        stream: request.stream == Some(true),
        max_tokens: request.max_tokens(),
        choices: request.n.map_or(1, |Choices(n)| n),
        prompt: Prompt::Measured(request.messages),
        manner: Manner::Chat(usage),
        model: request.model,
    })
}

impl<'a> ChatRequest<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        // To check all of it at once is faster than string by string. A body may still be good that is no UTF-8 where nobody looks.
        let parsed = match std::str::from_utf8(body) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(body),
        };
        // The fast path says whether a body is good, the slow one what is wrong with one that is not.
        parsed.map_err(|error| diagnosis::refusal(body, &error))
    }

    /// The lower of the two limits to the completion.
    fn max_tokens(&self) -> Option<u32> {
        let limits = [self.max_tokens, self.max_completion_tokens];
        limits.into_iter().flatten().map(|Tokens(limit)| limit).min()
    }

    /// Whether a stream ends with its usage.
    fn wants_usage(&self) -> bool {
        self.stream_options.and_then(|options| options.include_usage).unwrap_or(false)
    }
}

/// A limit in tokens, at least 1.
#[derive(Clone, Copy, Debug)]
struct Tokens(u32);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            0 => Err(de::Error::custom("at least 1 token")),
            limit => Ok(Self(u32::try_from(limit).unwrap_or(u32::MAX))),
        }
    }
}

/// A number within the bounds of one of [`RANGES`].
#[derive(Clone, Copy, Debug)]
struct InRange<const WHICH: usize>;

impl<'de, const WHICH: usize> Deserialize<'de> for InRange<WHICH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match f64::deserialize(deserializer)? {
            number if RANGES[WHICH].holds(number) => Ok(Self),
            _ => Err(de::Error::custom("a number within its bounds")),
        }
    }
}

/// How many answers there are to be, from 1 to [`MOST_CHOICES`].
#[derive(Clone, Copy, Debug)]
struct Choices(u32);

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            n @ 1..=MOST_CHOICES => Ok(Self(n as u32)),
            _ => Err(de::Error::custom("as many choices as may be had")),
        }
    }
}

/// The conversation: at least one message, each an object with a role. Only its length matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Messages {
    count: u32,
    /// Of all text in all messages.
    text_bytes: u64,
}

impl Messages {
    /// An approximation to what a tokenizer would count: a token for every four bytes begun of all text together, three more for
    /// each message and three for the answer's own beginning.
    pub(crate) fn tokens(self) -> u32 {
        let tokens = self.text_bytes.div_ceil(4) + 3 * u64::from(self.count) + 3;
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MessagesVisitor)
    }
}

struct MessagesVisitor;

impl<'de> Visitor<'de> for MessagesVisitor {
    type Value = Messages;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Messages, A::Error> {
        let mut messages = Messages { count: 0, text_bytes: 0 };
        while let Some(Message { role, content }) = sequence.next_element()? {
            if content.is_none() && role != Role::Assistant {
                return Err(de::Error::missing_field("content"));
            }
            messages.count += 1;
            messages.text_bytes += content.map_or(0, |content| content.bytes);
        }
        if messages.count == 0 { Err(de::Error::custom("at least one message")) } else { Ok(messages) }
    }
}

#[derive(serde::Deserialize)]
struct Message {
    role: Role,
    #[serde(default)]
    content: Option<Text>,
}

/// Who speaks. Only an assistant may say nothing: its message may be a call of tools.
#[derive(PartialEq, Eq)]
enum Role {
    Assistant,
    Other,
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(RoleVisitor)
    }
}

struct RoleVisitor;

impl Visitor<'_> for RoleVisitor {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, role: &str) -> Result<Role, E> {
        Ok(if role == "assistant" { Role::Assistant } else { Role::Other })
    }
}

/// The length of a message's content: a string, or an array of parts of which some have a text.
struct Text {
    bytes: u64,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of parts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text { bytes: text.len() as u64 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Text, A::Error> {
        #[derive(serde::Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default)]
            text: Option<Cow<'a, str>>,
        }
        let mut bytes = 0;
        while let Some(part) = sequence.next_element::<Part<'de>>()? {
            bytes += part.text.map_or(0, |text| text.len() as u64);
        }
        Ok(Text { bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> ChatRequest<'_> {
        ChatRequest::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_model_without_escapes_is_borrowed() {
        let request = parse(r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#);
        assert!(matches!(request.model, Cow::Borrowed("gpt-4.1")));
        assert_eq!((request.stream, request.max_tokens(), request.wants_usage()), (None, None, false));
    }

    #[test]
    fn prompt_tokens_count_text_in_every_form_of_content() {
        let tokens = |messages: &str| parse(&format!(r#"{{"model":"m","messages":{messages}}}"#)).messages.tokens();
        assert_eq!(tokens(r#"[{"role":"user","content":"12345678"}]"#), 2 + 3 + 3);
        assert_eq!(tokens(r#"[{"role":"user","content":[{"type":"text","text":"12345678"},{"type":"image_url"}]}]"#), 8);
        assert_eq!(tokens(r#"[{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"1"}]"#), 1 + 6 + 3);
    }

    #[test]
    fn the_lower_limit_holds() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":""}],"max_tokens":500,"max_completion_tokens":20}"#;
        assert_eq!(parse(body).max_tokens(), Some(20));
    }

    #[test]
    fn each_number_has_its_own_bounds_and_both_ends_are_within() {
        for range in RANGES {
            let body = |value: f64| {
                let param = range.param;
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":""}}],"{param}":{value}}}"#)
            };
            for (value, is_good) in
                [(range.least, true), (range.most, true), (range.least - 0.1, false), (range.most + 0.1, false)]
            {
                match ChatRequest::parse(body(value).as_bytes()) {
                    Ok(_) => assert!(is_good, "{} {value}", range.param),
                    Err(Refusal::Invalid(invalid)) => {
                        assert_eq!((is_good, invalid.param.as_deref()), (false, Some(range.param)), "{value}");
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn unknown_keys_are_accepted() {
        parse(r#"{"model":"m","tools":[{"a":[1,2]}],"messages":[{"role":"user","content":"","name":"x"}],"n":1}"#);
    }
}
