//! Exact counting: what another user of the vocabularies counts in prompts and answers is what their usage says.

use proptest::prelude::*;
use relaybench_mock::Profile;

use crate::content::{any_text, ask, given};

const EXACT: &str = "models = [\"gpt-4.1\", \"gpt-4\", \"claude-sonnet-4-20250514\"]\ncompletion.counting = \"exact\"\n";
const MODELS: [&str; 3] = ["gpt-4.1", "gpt-4", "claude-sonnet-4-20250514"];

/// The tokens of a text, counted without the mock.
fn count(model: &str, text: &str) -> u64 {
    let vocabulary = match model {
        "gpt-4" => tiktoken_rs::cl100k_base_singleton(),
        _ => tiktoken_rs::o200k_base_singleton(),
    };
    vocabulary.count_ordinary(text) as u64
}

/// The prompt of [`ask`] has two messages of a user.
fn count_prompt(model: &str, prompt: &str) -> u64 {
    2 * (3 + count(model, "user")) + count(model, "an earlier one") + count(model, prompt) + 3
}

proptest! {
    #[test]
    fn usage_is_what_the_vocabulary_counts_however_a_text_was_cut_and_streamed(
        said in any_text(),
        max_tokens in proptest::option::of(1_u32..40),
        chunk in 1_u32..9,
        is_echo in any::<bool>(),
        model in proptest::sample::select(&MODELS[..]),
    ) {
        let rest = format!("{EXACT}completion.chunk_tokens = {{ dist = \"uniform\", min = 1, max = {chunk} }}\n");
        let (profile, prompt) = match is_echo {
            true => (format!("completion.content = \"echo\"\n{rest}"), said.as_str()),
            false => (given(&said, &rest), "hi"),
        };
        let answer = ask(&profile, model, prompt, max_tokens);
        let (all, text) = (count(model, &said), answer.text());
        prop_assert_eq!(answer.usage, [count_prompt(model, prompt), count(model, &text)]);
        prop_assert!(said.starts_with(&text));
        match max_tokens {
            Some(most) if u64::from(most) < all => {
                prop_assert!(answer.usage[1] <= most.into());
                prop_assert_eq!(answer.finish, "length");
            }
            _ => {
                prop_assert_eq!(text, said);
                prop_assert_eq!(answer.finish, "stop");
            }
        }
    }

    #[test]
    fn seeded_text_has_exactly_the_tokens_that_were_drawn(
        tokens in 1_u32..200,
        max_tokens in proptest::option::of(1_u32..200),
        seed in any::<u32>(),
        model in proptest::sample::select(&MODELS[..]),
    ) {
        let profile = format!("seed = {seed}\n{EXACT}completion.tokens = {{ dist = \"fixed\", value = {tokens} }}");
        let answer = ask(&profile, model, "hi", max_tokens);
        let expected = max_tokens.map_or(tokens, |most| most.min(tokens));
        prop_assert_eq!(answer.usage, [count_prompt(model, "hi"), expected.into()]);
        prop_assert_eq!(count(model, &answer.text()), u64::from(expected));
        // Every chunk is a token of the vocabulary.
        prop_assert_eq!(answer.pieces.len(), expected as usize);
        prop_assert!(answer.pieces.iter().all(|piece| count(model, piece) == 1), "{:?}", answer.pieces);
    }
}

#[test]
fn a_character_of_several_tokens_is_neither_cut_nor_sent_in_parts() {
    // Four letters of an ancient script: some tokens of each, as there is no token for them.
    const RUNES: &str = "𐌀𐌁𐌂𐌃";
    let per_rune = count("gpt-4.1", RUNES) / 4;
    assert!(per_rune >= 2);
    let profile = given(RUNES, EXACT);
    assert_eq!(ask(&profile, "gpt-4.1", "hi", None).pieces, ["𐌀", "𐌁", "𐌂", "𐌃"]);
    let cut = ask(&profile, "gpt-4.1", "hi", Some(2 * per_rune as u32 - 1));
    assert_eq!((cut.text().as_str(), cut.usage[1], cut.finish.as_str()), ("𐌀", per_rune, "length"));
    let nothing = ask(&profile, "gpt-4.1", "hi", Some(1));
    assert_eq!((nothing.text().as_str(), nothing.usage[1], nothing.finish.as_str()), ("", 0, "length"));
}

#[test]
fn each_model_is_counted_by_its_own_encoding() {
    // As published for these encodings.
    const BIRTHDAY: &str = "お誕生日おめでとう";
    let profile = format!("completion.content = \"echo\"\n{EXACT}");
    let tokens = MODELS.map(|model| ask(&profile, model, BIRTHDAY, None).usage[1]);
    assert_eq!(tokens, [8, 9, 8]);
}

#[test]
fn what_looks_like_a_special_token_is_text() {
    let profile = format!("completion.content = \"echo\"\n{EXACT}");
    assert!(ask(&profile, "gpt-4.1", "<|endoftext|>", None).usage[1] > 1);
}

#[test]
fn a_name_is_counted_and_must_be_one() {
    use crate::support::{KEY, request, server, status, text};
    let asked = |name: &str| {
        let body = format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"hi","name":{name}}}]}}"#);
        let request = request("POST", "/v1/chat/completions", KEY, &body);
        relaybench_clock::run_virtual(async move { text(&server(EXACT), &request).await })
    };
    let expected = 3 + count("gpt-4.1", "user") + count("gpt-4.1", "hi") + count("gpt-4.1", "bob") + 1 + 3;
    assert!(asked("\"bob\"").contains(&format!("\"prompt_tokens\":{expected},")));
    let refused = asked("5");
    assert_eq!(status(&refused), 400);
    assert!(refused.contains("\"param\":\"messages[0].name\""), "{refused}");
}

#[test]
fn a_profile_can_be_exact() {
    assert!(Profile::parse(EXACT, "x.toml").is_ok());
}
