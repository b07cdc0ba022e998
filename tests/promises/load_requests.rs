//! What is asked: models by weight, prompts from files, lengths by distribution, each request's own by its index.

use std::collections::BTreeMap;
use std::fs;

use relaybench::load::Sample;
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::fit::assert_fits;
use crate::support::runs::{Played, play, profile, run, scenario};

/// A run of 2,000 requests, so many at once.
fn asked(request: &str, concurrency: u32) -> Played {
    let stage = format!("[[stage]]\nload = {{ kind = \"closed\", concurrency = {concurrency} }}\nrequests = 2000\n");
    // Any latency will do that lets answers overtake each other; long answers, so that what bounds them is what was asked.
    let mock = "[latency]\ntotal = { dist = \"exponential\", mean = \"50ms\" }\n[completion]\ntokens = { dist = \"fixed\", value = 100000 }";
    play(run(scenario(&format!("[request]\n{request}\n{stage}")), "none", Target::Virtual(profile(mock))))
}

fn by_index<T>(played: &Played, of: impl Fn(&Sample) -> T) -> BTreeMap<u64, T> {
    played.samples().map(|sample| (sample.index, of(sample))).collect()
}

#[test]
fn models_are_asked_by_their_weights_and_paid_by_their_prices() {
    let request = "models = [{ name = \"gpt-4.1\", weight = 3 }, { name = \"gpt-4o-mini\" }]\nmax_tokens = 20";
    let played = asked(request, 10);
    let mut at_the_mock = BTreeMap::<String, f64>::new();
    for entry in &played.ledger {
        *at_the_mock.entry(entry.model.as_deref().unwrap().to_owned()).or_default() += 1.0;
    }
    // Within four standard errors of three quarters.
    assert!((at_the_mock["gpt-4.1"] - 1500.0).abs() < 4.0 * 19.4, "{at_the_mock:?}");
    let models = by_index(&played, |sample| sample.model.as_deref().unwrap().to_owned());
    assert_eq!(models.values().filter(|model| *model == "gpt-4.1").count() as f64, at_the_mock["gpt-4.1"]);
    let prompt = played.samples().next().unwrap().prompt_tokens.unwrap() as f64;
    let cost = (at_the_mock["gpt-4.1"] * (prompt + 20.0) * 8.0 + at_the_mock["gpt-4o-mini"] * (prompt * 0.15 + 20.0 * 0.6)) / 1e6;
    assert!((played.report.stages[0].cost_usd.unwrap() - cost).abs() < 1e-9);
}

#[test]
fn synthetic_prompts_and_answers_have_the_lengths_that_are_asked() {
    let request =
        "prompt_tokens = { dist = \"uniform\", min = 100, max = 900 }\nmax_tokens = { dist = \"uniform\", min = 10, max = 50 }";
    let played = asked(request, 10);
    let lengths = |of: fn(&Sample) -> Option<u64>, spread: &mut dyn FnMut() -> f64| -> Vec<f64> {
        // Spread within their whole number, the counts are continuous.
        played.samples().map(|sample| of(sample).unwrap() as f64 + spread()).collect()
    };
    let mut spread = {
        let mut place = 0_u32;
        move || {
            place += 1;
            (f64::from(place) * 0.618_033_988_749_895).fract()
        }
    };
    let prompts = lengths(|sample| sample.prompt_tokens, &mut spread);
    assert_fits("prompts", &prompts, |tokens| ((tokens - 100.0) / 801.0).clamp(0.0, 1.0));
    let answers = lengths(|sample| sample.completion_tokens, &mut spread);
    assert_fits("answers", &answers, |tokens| ((tokens - 10.0) / 41.0).clamp(0.0, 1.0));
}

#[test]
fn what_a_request_asks_depends_on_its_index_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prompts.txt");
    fs::write(&file, (1..=20).map(|words| format!("{}\n", "word ".repeat(words * 4))).collect::<String>()).unwrap();
    let request = format!(
        "prompts = {file:?}\nmodels = [{{ name = \"gpt-4.1\" }}, {{ name = \"gpt-4o\" }}]\nmax_tokens = {{ dist = \"uniform\", min = 1, max = 90 }}"
    );
    let drawn =
        |concurrency| by_index(&asked(&request, concurrency), |s| (s.prompt_tokens, s.completion_tokens, s.model.clone()));
    let once = drawn(1);
    assert_eq!(once, drawn(50));
    let prompts: std::collections::BTreeSet<_> = once.values().map(|(prompt, ..)| *prompt).collect();
    assert_eq!(prompts.len(), 20, "every prompt is asked");
}

#[test]
fn fields_of_a_prompt_file_s_line_are_the_request_s() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prompts.jsonl");
    fs::write(&file, "{\"prompt\": \"Hi\", \"max_tokens\": 7, \"user\": \"customer-12\"}\n").unwrap();
    let played = asked(&format!("prompts = {file:?}"), 5);
    assert!(played.samples().all(|sample| sample.completion_tokens == Some(7)));
}

#[test]
fn a_shared_conversation_is_asked_by_its_first_turn_or_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.json");
    let shared = r#"[{"conversations": [{"from": "human", "value": "One?"}, {"from": "gpt", "value": "1"}, {"from": "human", "value": "Two?"}]},
                     {"conversations": [{"from": "human", "value": "Three?"}]}]"#;
    fs::write(&file, shared).unwrap();
    let single = asked(&format!("prompts = {file:?}"), 5);
    assert!(single.samples().all(|sample| sample.prompt_tokens.unwrap() <= 8));
    let sessions =
        format!("[request]\nprompts = {file:?}\n[[stage]]\nload = {{ kind = \"sessions\", concurrency = 4 }}\nsessions = 100\n");
    let whole = play(run(scenario(&sessions), "none", Target::Virtual(Profile::load("instant").unwrap())));
    whole.assert_accounted_for();
    let mut turns = BTreeMap::<u64, u32>::new();
    for sample in whole.samples() {
        *turns.entry(sample.session.unwrap().0).or_default() += 1;
    }
    let long = turns.values().filter(|turns| **turns == 2).count();
    assert!(turns.len() == 100 && (30..=70).contains(&long) && turns.values().all(|turns| (1..=2).contains(turns)), "{turns:?}");
}

#[test]
fn streamed_requests_have_their_times_from_the_intended_send() {
    let scenario = scenario(
        "[request]\nstream = true\n[[stage]]\nload = { kind = \"constant\", rate = \"100/s\", max_in_flight = 1 }\nrequests = 200\n",
    );
    let mock = "[latency]\nfirst_token = { dist = \"fixed\", value = \"30ms\" }\ninter_token = { dist = \"fixed\", value = \"1ms\" }\n\
                [completion]\ntokens = { dist = \"fixed\", value = 11 }\n";
    let played = play(run(scenario, "none", Target::Virtual(profile(mock))));
    for sample in played.samples() {
        // 40 ms each, one after another.
        let late_ms = sample.index * 30;
        assert_eq!(sample.time_to_first_token().unwrap().as_millis(), u128::from(late_ms + 30));
        assert_eq!(sample.latency().unwrap().as_millis(), u128::from(late_ms + 40));
    }
}
