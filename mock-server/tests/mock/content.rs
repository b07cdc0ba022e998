//! What answers say, in which pieces, and that their usage counts just that.

use proptest::prelude::*;
use relaybench_clock::run_virtual;
use serde_json::{Value, json};

use crate::support::{KEY, request, server, text};

/// What a caller can tell of an answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The pieces of the content, none of them empty.
    pub(crate) pieces: Vec<String>,
    pub(crate) finish: String,
    pub(crate) usage: [u64; 2],
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// Asks for an answer to one message, whole and as a stream, which must say the same.
pub(crate) fn ask(profile: &str, model: &str, prompt: &str, max_tokens: Option<u32>) -> Answer {
    let [whole, streamed] = [false, true].map(|stream| {
        let body = json!({
            "model": model,
            "messages": [{"role": "user", "content": "an earlier one"}, {"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "stream": stream,
            "stream_options": {"include_usage": true},
        });
        // Both are the same attempt of the same request.
        let headers = format!("{KEY}x-client-request-id: a\r\nx-stainless-retry-count: 0\r\n");
        let request = request("POST", "/v1/chat/completions", &headers, &body.to_string());
        let profile = profile.to_owned();
        let answer = run_virtual(async move { text(&server(&profile), &request).await });
        if stream { of_stream(&answer) } else { of_whole(&answer) }
    });
    assert_eq!((streamed.text(), &streamed.finish, streamed.usage), (whole.text(), &whole.finish, whole.usage));
    streamed
}

fn usage(usage: &Value) -> [u64; 2] {
    let [prompt, completion, total] =
        ["prompt_tokens", "completion_tokens", "total_tokens"].map(|key| usage[key].as_u64().unwrap());
    assert_eq!(prompt + completion, total);
    [prompt, completion]
}

fn of_whole(answer: &str) -> Answer {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let choice = &body["choices"][0];
    let content = choice["message"]["content"].as_str().unwrap().to_owned();
    Answer { pieces: vec![content], finish: choice["finish_reason"].as_str().unwrap().to_owned(), usage: usage(&body["usage"]) }
}

fn of_stream(answer: &str) -> Answer {
    let events = answer.split('\n').filter_map(|line| line.strip_prefix("data: "));
    let mut events: Vec<&str> = events.collect();
    assert_eq!(events.pop(), Some("[DONE]"), "{answer}");
    let mut events: Vec<Value> = events.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let usage = usage(&events.pop().unwrap()["usage"]);
    let delta = |event: &Value| event["choices"][0]["delta"].clone();
    assert_eq!(delta(&events.remove(0)), json!({"role": "assistant", "content": "", "refusal": null}));
    let last = events.pop().unwrap();
    assert_eq!(delta(&last), json!({}));
    let pieces: Vec<String> = events.iter().map(|event| delta(event)["content"].as_str().unwrap().to_owned()).collect();
    assert!(pieces.iter().all(|piece| !piece.is_empty()), "{pieces:?}");
    Answer { pieces, finish: last["choices"][0]["finish_reason"].as_str().unwrap().to_owned(), usage }
}

/// A profile whose answers say this.
pub(crate) fn given(text: &str, rest: &str) -> String {
    let table = toml::Table::from_iter([("text".to_owned(), toml::Value::from(text))]);
    format!("completion.content = {}\n{rest}", toml::Value::from(table))
}

const ECHO: &str = "completion.content = \"echo\"\n";

/// A token for every four bytes begun.
fn approximate(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}

/// The prompt of [`ask`] has two messages.
fn approximate_prompt(prompt: &str) -> u64 {
    ("an earlier one".len() + prompt.len()).div_ceil(4) as u64 + 3 * 2 + 3
}

/// Texts that are hard to cut: any characters, often of several bytes, often such as JSON escapes.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-zA-Z0-9 '.,]{1,12}",
        Just("\"\\\n\r\t\u{0}\u{7f}\u{2028}".to_owned()),
        Just("😀👩‍👩‍👧‍👦é漢字".to_owned()),
        Just("   \n  ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn usage_counts_what_was_said_however_it_was_cut_and_streamed(
        said in any_text(),
        max_tokens in proptest::option::of(1_u32..40),
        chunk in 1_u32..9,
        is_echo in any::<bool>(),
    ) {
        let chunks = format!("completion.chunk_tokens = {{ dist = \"uniform\", min = 1, max = {chunk} }}\n");
        let (profile, prompt) = match is_echo {
            true => (format!("{ECHO}{chunks}"), said.as_str()),
            false => (given(&said, &chunks), "hi"),
        };
        let answer = ask(&profile, "gpt-4.1", prompt, max_tokens);
        let all = approximate(&said);
        let expected = max_tokens.map_or(all, |most| all.min(most.into()));
        prop_assert_eq!(answer.usage, [approximate_prompt(prompt), expected]);
        prop_assert_eq!(approximate(&answer.text()), expected);
        prop_assert!(said.starts_with(&answer.text()));
        prop_assert_eq!(answer.finish.as_str(), if expected < all { "length" } else { "stop" });
        prop_assert!(expected < all || answer.text() == said);
    }

    #[test]
    fn seeded_text_has_as_many_words_as_its_usage_has_tokens(
        tokens in 1_u32..60,
        max_tokens in proptest::option::of(1_u32..60),
        chunk in 1_u32..9,
        seed in any::<u32>(),
    ) {
        let profile = format!(
            "seed = {seed}\n[completion]\ntokens = {{ dist = \"fixed\", value = {tokens} }}\n\
             chunk_tokens = {{ dist = \"fixed\", value = {chunk} }}"
        );
        let answer = ask(&profile, "gpt-4.1", "hi", max_tokens);
        let expected = max_tokens.map_or(tokens, |most| most.min(tokens));
        prop_assert_eq!(answer.text().split(' ').count(), expected as usize);
        prop_assert_eq!(answer.usage, [approximate_prompt("hi"), expected.into()]);
        prop_assert_eq!(answer.finish.as_str(), if expected < tokens { "length" } else { "stop" });
        // One token first, then full chunks, then what is left.
        let lengths: Vec<u32> = answer.pieces.iter().map(|piece| piece.trim_start().split(' ').count() as u32).collect();
        let (first, rest) = lengths.split_first().unwrap();
        prop_assert_eq!(*first, 1);
        if let Some((last, full)) = rest.split_last() {
            prop_assert!(full.iter().all(|length| *length == chunk) && (1..=chunk).contains(last), "{:?}", lengths);
        }
    }
}

#[test]
fn an_echo_of_nothing_is_an_answer_of_no_tokens() {
    for most in [None, Some(5)] {
        let answer = ask(ECHO, "gpt-4.1", "", most);
        assert_eq!(answer, Answer { pieces: vec![], finish: "stop".to_owned(), usage: [approximate_prompt(""), 0] });
    }
}

#[test]
fn the_length_of_chunks_is_drawn_and_belongs_to_the_request() {
    const DRAWN: &str =
        "completion = { tokens = { dist = \"fixed\", value = 400 }, chunk_tokens = { dist = \"uniform\", min = 1, max = 6 } }";
    let lengths = |seed: u32| {
        let answer = ask(&format!("seed = {seed}\n{DRAWN}"), "gpt-4.1", "hi", None);
        answer.pieces.iter().map(|piece| piece.trim_start().split(' ').count()).collect::<Vec<_>>()
    };
    let (first, again, other) = (lengths(1), lengths(1), lengths(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    for length in 1..=6 {
        assert!(first[1..].contains(&length), "{first:?}");
    }
}
