//! Recorded traces: every arrival at its time, and what is no such trace refused with its line.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use relaybench::load::Scenario;
use tempfile::TempDir;

use crate::support::runs::{Played, play_virtual};

/// A trace in the format of Azure's, 3,000 requests in ten minutes and 1,000 after; with the times it must be replayed at, in
/// nanoseconds, and the lengths.
fn azure() -> (String, Vec<(u64, u64)>) {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    let mut expected = Vec::new();
    // Uneven on purpose, and some at the same instant: steps of 0 to 400 ms in hundreds of nanoseconds.
    let (mut at, mut state) = (0_u64, 1_u64);
    for _ in 0..4000 {
        let (seconds, fraction) = (at / 10_000_000, at % 10_000_000);
        let tokens = 7 + state % 1000;
        // From 18:15:46 on.
        let of_day = 18 * 3600 + 15 * 60 + 46 + seconds;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let _ = writeln!(text, "2023-11-16 {hour:02}:{minute:02}:{second:02}.{fraction:07},{tokens},{}", 1 + tokens % 50);
        expected.push((at * 100, tokens));
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        at += if state >> 62 == 0 { 0 } else { (state >> 40) % 5_000_000 };
    }
    (text, expected)
}

fn written(name: &str, text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    fs::write(&file, text).unwrap();
    (directory, file)
}

fn load(file: &PathBuf, keys: &str) -> String {
    format!("load = {{ kind = \"trace\", file = {file:?}{keys} }}")
}

fn refusal(name: &str, text: impl AsRef<[u8]>, keys: &str) -> String {
    let (_directory, file) = written(name, text);
    let error = Scenario::parse(&format!("name = \"x\"\n[[stage]]\n{}\n", load(&file, keys)), "x.toml").unwrap_err();
    let message = error.to_string();
    let at = format!("x.toml:3: stage.load.file: {}", file.display());
    message.strip_prefix(&at).unwrap_or_else(|| panic!("{message}")).trim_start_matches(':').to_owned()
}

/// What was replayed: times and prompt lengths.
fn replayed(played: &Played) -> Vec<(u64, u64)> {
    let mut samples: Vec<_> = played.samples().collect();
    samples.sort_unstable_by_key(|sample| sample.index);
    samples.iter().map(|sample| (sample.sent.unwrap().as_nanos() as u64, sample.prompt_tokens.unwrap())).collect()
}

#[test]
fn ten_minutes_of_an_azure_trace_keep_every_arrival_time_and_length() {
    let (text, expected) = azure();
    let (_directory, file) = written("azure.csv", &text);
    let played = play_virtual(&load(&file, ", for = \"10m\""), "");
    played.assert_accounted_for();
    let expected: Vec<_> = expected.into_iter().filter(|(at_ns, _)| *at_ns < 600_000_000_000).collect();
    assert!(expected.len() > 2000 && expected.len() < 4000);
    assert_eq!(replayed(&played), expected);
    // At the mock too, whose clock begins with the first.
    assert_eq!(played.arrivals_ns(), expected.iter().map(|(at_ns, _)| *at_ns).collect::<Vec<_>>());
    assert_eq!(played.report.stages[0].name, "trace-azure");
}

#[test]
fn answers_of_another_length_than_the_trace_s_are_counted() {
    let (text, expected) = azure();
    let (_directory, file) = written("azure.csv", &text);
    let told = |tokens: u32| {
        let mock = format!(
            "[latency]\ntotal = {{ dist = \"fixed\", value = \"9ms\" }}\n[completion]\ntokens = {{ dist = \"fixed\", value = {tokens} }}"
        );
        let report = play_virtual(&load(&file, ""), &mock).report;
        report.warnings.into_iter().find(|warning| warning.contains("another length than the trace"))
    };
    assert_eq!(told(100_000), None);
    let cut = told(1).unwrap();
    assert!(cut.contains(&format!(" of {} answers have another length", expected.len())), "{cut}");
}

#[test]
fn a_trace_is_cut_and_scaled() {
    let (text, expected) = azure();
    let (_directory, file) = written("azure.csv", &text);
    let played = play_virtual(&load(&file, ", from = \"1m\", for = \"1m\", time_scale = 0.5"), "");
    let cut = expected.into_iter().filter(|(at_ns, _)| (60_000_000_000..120_000_000_000).contains(at_ns));
    let halved: Vec<_> = cut.map(|(at_ns, tokens)| ((at_ns - 60_000_000_000) / 2, tokens)).collect();
    assert_eq!(replayed(&played), halved);
}

#[test]
fn every_format_is_known_by_its_first_line() {
    let mooncake = "{\"timestamp\": 0, \"input_length\": 20, \"output_length\": 5, \"hash_ids\": [0]}\n\
                    {\"timestamp\": 1500, \"input_length\": 30, \"output_length\": 6, \"hash_ids\": [0, 1]}\n";
    let burstgpt = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                    5,0,0.1,ChatGPT,20,5,25,Conversation log\n\n6.5,0,0.1,GPT-4,30,6,36,API log\n";
    let azure =
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,20,5\n2024-05-10 00:00:01.509930+00:00,30,6\n";
    for (name, text) in [("m.jsonl", mooncake), ("b.csv", burstgpt), ("a.csv", azure)] {
        let (_directory, file) = written(name, text);
        assert_eq!(replayed(&play_virtual(&load(&file, ""), "")), [(0, 20), (1_500_000_000, 30)], "{name}");
    }
}

#[test]
fn a_trace_out_of_order_is_refused_with_the_line() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n\n2023-11-16 18:15:45.00,396,109\n";
    assert_eq!(refusal("a.csv", text, ""), "4: this request comes 1.68 s before the one above it; sort the trace by time");
}

#[test]
fn times_in_another_unit_are_refused_with_the_line() {
    let line = |timestamp: f64| format!("{{\"timestamp\": {timestamp}, \"input_length\": 20, \"output_length\": 5}}\n");
    let fractions = refusal("m.jsonl", [line(0.0), line(27.482)].concat(), "");
    assert!(
        fractions.starts_with("2: timestamp: 27.482 is no whole number of milliseconds; if these are seconds"),
        "{fractions}"
    );
    // 300 requests, ten a second, in seconds: read as milliseconds all of them come within 30 ms.
    let in_seconds: String = (0..300).map(|index| line(f64::from(index / 10))).collect();
    let too_dense = refusal("m.jsonl", &in_seconds, "");
    assert!(too_dense.starts_with("300: 300 requests within 0.029 s are"), "{too_dense}");
    // And in milliseconds, read as seconds, they take eight hours.
    let in_milliseconds: String = (0..300).map(|index| line(f64::from(index * 100))).collect();
    let too_sparse = refusal("m.jsonl", &in_milliseconds, ", unit = \"s\"");
    assert!(too_sparse.starts_with("300: 300 requests within 29900 s are one in 99.7 s"), "{too_sparse}");
    let (_directory, file) = written("m.jsonl", &in_seconds);
    assert_eq!(replayed(&play_virtual(&load(&file, ", unit = \"s\""), ""))[299].0, 29_000_000_000);
}

#[test]
fn what_is_no_trace_is_refused_with_the_line() {
    let unknown = refusal("a.csv", "time,tokens\n", "");
    assert!(unknown.starts_with("1: this is the beginning of no trace that is known here"), "{unknown}");
    let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    let date = refusal("a.csv", format!("{header}yesterday,1,2\n"), "");
    assert!(date.starts_with("2: TIMESTAMP: \"yesterday\" is no date"), "{date}");
    let tokens = refusal("a.csv", format!("{header}2023-11-16 18:15:46.68,many,2\n"), "");
    assert!(tokens.starts_with("2: ContextTokens: \"many\" is no number of tokens"), "{tokens}");
    assert!(refusal("a.csv", header, "").contains("there is no request in it"));
    assert_eq!(
        refusal("a.csv", [header.as_bytes(), b"2023-11-16 \x1f\x8b,1,2\n"].concat(), ""),
        "2: its byte 13 is no text (UTF-8); a trace is CSV or JSON Lines, not compressed"
    );
    let endless = refusal("a.csv", [header.as_bytes(), &vec![b'1'; 2 << 20]].concat(), "");
    assert_eq!(endless, "2: this line is longer than a mebibyte; a trace has a request in each");
    assert!(
        refusal("a.csv", format!("{header}2023-11-16 18:15:46.68,1,2\n"), ", unit = \"s\"")
            .starts_with("1: Azure's traces have dates")
    );
}
