//! A report is a function of the samples: the same bytes again, and an honest report of a run that was killed.

use std::fs;

use relaybench::load::Scenario;
use relaybench::report::{Collector, rebuild};
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::process::{ended, relaybench};
use crate::support::runs::{Played, play, profile, run, scenario};

/// The file of samples that a run leaves.
fn lines(played: &Played) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in &played.records {
        serde_json::to_writer(&mut lines, record).unwrap();
        lines.push(b'\n');
    }
    lines
}

fn assert_rebuilt(played: &Played) {
    let report = rebuild(&lines(played)[..], "samples.jsonl", Collector::default()).unwrap();
    assert_eq!(report.to_json(), played.report.to_json());
}

#[test]
fn every_kind_of_load_is_rebuilt_to_the_byte() {
    for name in Scenario::built_in_names() {
        let scenario = Scenario::load(name).unwrap();
        let profile = Profile::load(&scenario.profile).unwrap();
        assert_rebuilt(&play(run(scenario, "resilient", Target::Virtual(profile))));
    }
}

#[test]
fn streams_models_objectives_repeats_and_odd_numbers_are_rebuilt_to_the_byte() {
    let text = r#"
repeat = 3
slo = "p99<2s, ttft_p95<800ms,success>99.5%"
[request]
models = [{ name = "gpt-4.1", weight = 3 }, { name = "gpt-4o" }]
stream = true
[[stage]]
load = { kind = "gamma", rate = "7/min", cv = 1.7 }
requests = 70
steady = true
[[stage]]
load = { kind = "ramp", from = "0.3/s", to = "11/s", spacing = "poisson", max_in_flight = 3 }
duration = "33s"
published = { mean_ms = 0.1, p95_ms = 0.30000000000000004, p99_ms = 5e-324, throughput_rps = 123456789.12345679, success_rate = 0.998 }
"#;
    let played = play(run(scenario(text), "resilient", Target::Virtual(Profile::load("flaky").unwrap())));
    assert_eq!(played.report.stages.len(), 6);
    assert_rebuilt(&played);
}

#[test]
fn a_run_over_sockets_is_rebuilt_to_the_byte() {
    let quick = profile("[latency]\ntotal = { dist = \"uniform\", min = \"0ms\", max = \"3ms\" }\n");
    let scenario = scenario("[[stage]]\nload = { kind = \"poisson\", rate = \"1000/s\" }\nrequests = 300\n");
    let played = play(run(scenario, "none", Target::Mock(quick)));
    assert!(played.report.stages[0].checks.contains_key("cpu_share"));
    assert_rebuilt(&played);
}

#[test]
fn wherever_a_run_is_killed_what_it_measured_is_reported_and_invalid() {
    let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 3 }\nrequests = 20\n");
    let whole = lines(&play(run(scenario, "none", Target::Virtual(Profile::load("steady").unwrap()))));
    let head = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in head..last {
        let report = rebuild(&whole[..end], "samples.jsonl", Collector::default()).unwrap();
        let samples = whole[..end].iter().filter(|byte| **byte == b'\n').count() as u64 - 1;
        let is_whole_without_newline = whole[end] == b'\n';
        assert_eq!(report.stages[0].requests.scheduled, samples + u64::from(is_whole_without_newline), "cut at {end}");
        assert!(report.verdict.reasons[0].contains("did not end"), "{:?}", report.verdict);
        let says = report.warnings.iter().any(|warning| warning.contains("cut off"));
        assert_eq!(says, whole[end - 1] != b'\n' && !is_whole_without_newline, "cut at {end}");
    }
}

#[test]
fn what_is_no_file_of_one_run_is_refused_by_its_line() {
    let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 3 }\nrequests = 5\n");
    let text = String::from_utf8(lines(&play(run(scenario, "none", Target::Virtual(profile("")))))).unwrap();
    let refusal = |text: &str| rebuild(text.as_bytes(), "x.jsonl", Collector::default()).unwrap_err().to_string();
    let rest = text.split_once('\n').unwrap().1;
    assert_eq!(refusal(""), "x.jsonl:1: the file is empty; name a samples.jsonl");
    assert!(refusal("hello").starts_with("x.jsonl:1: is no record of a run ("), "{}", refusal("hello"));
    assert_eq!(refusal(rest), "x.jsonl:1: the first line is not the head of a run; name a whole samples.jsonl");
    assert!(refusal(&format!("{text}{text}")).starts_with("x.jsonl:8: a second run begins here (\"test\")"));
    assert_eq!(
        refusal(&text.replacen("\"sample\",\"stage\":0", "\"sample\",\"stage\":7", 1)),
        "x.jsonl:2: a sample of stage 7, but the run has 1, counted from 0"
    );
    let lines: Vec<&str> = text.lines().collect();
    let swapped: Vec<&str> = lines[..1].iter().chain(lines[1..].iter().rev()).copied().collect();
    assert_eq!(
        refusal(&swapped.join("\n")),
        "x.jsonl:3: stage 0 was over before this line; keep the lines in the order in which they were written"
    );
    assert!(refusal(&text.replacen("\"index\":1", "\"index\":x", 1)).contains(": is no record of a run ("), "not the last line");
    assert!(refusal(&text.replace("samples/1", "samples/9")).contains("this version reads relaybench.samples/1"));
}

#[test]
fn what_no_run_writes_is_refused_by_its_line() {
    let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 1 }\nrequests = 3\n");
    let played =
        play(run(scenario, "none", Target::Virtual(profile("[latency]\ntotal = { dist = \"fixed\", value = \"1s\" }\n"))));
    let lines: Vec<String> = String::from_utf8(lines(&played)).unwrap().lines().map(str::to_owned).collect();
    let changed = |line: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        assert!(lines[line - 1].contains(from), "{from} is not in {}", lines[line - 1]);
        lines[line - 1] = lines[line - 1].replacen(from, to, 1);
        rebuild((lines.join("\n") + "\n").as_bytes(), "x.jsonl", Collector::default())
    };
    assert!(changed(1, "{", "{").is_ok());
    for (line, from, to, says) in [
        (3, "\"sent_ns\":1000000000", "\"sent_ns\":null", "sent_ns: a request that was sent has an instant there"),
        (3, "\"ended_ns\":2000000000", "\"ended_ns\":null", "ended_ns: a request that was sent has an instant there"),
        (
            3,
            "\"ended_ns\":2000000000",
            "\"ended_ns\":999999999",
            "ended_ns: 999999999 is before the request was sent (1000000000)",
        ),
        (3, "\"index\":1", "\"index\":1,\"count\":5", "count: 5, but each request that was sent has a sample of its own"),
        (3, "\"succeeded\"", "\"unsent\",\"reason\":\"cost-cap\"", "sent_ns, ended_ns: a request that was not sent has neither"),
        (5, "\"duration_ns\":3000000000", "\"duration_ns\":0", "duration_ns: 0 is before the last request ended (3000000000)"),
        (5, "\"duration_ns\":3000000000", "\"duration_ns\":2999999999", "duration_ns: 2999999999 is before the last request"),
        (
            5,
            "\"harness_error_ns\":{",
            "\"harness_error_ns\":{\"sum_ns\":0,\"max_ns\":0,\"counts\":[[5,9223372036854775808],[6,9223372036854775808]]},\"was\":{",
            "is no record of a run (a histogram counts more than anybody can",
        ),
        (3, "{", "\n{", "is blank; keep the lines as they were written"),
    ] {
        let refusal = changed(line, from, to).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("x.jsonl:{line}: ")) && refusal.contains(says), "{says}: {refusal}");
    }
    let unsent = |keys: &str| {
        let sample = format!(
            "{{\"record\":\"sample\",\"stage\":0,\"index\":3,\"outcome\":\"unsent\",\"reason\":\"cost-cap\",\"window\":null,\
             \"sent_ns\":null,\"ended_ns\":null,\"service_ns\":null,\"prompt_tokens\":null,\"completion_tokens\":null,{keys}}}"
        );
        let lines = [&lines[..4], &[sample], &lines[4..]].concat().join("\n");
        rebuild(lines.as_bytes(), "x.jsonl", Collector::default()).map_err(|error| error.to_string())
    };
    assert!(unsent("\"attempts\":0").is_ok());
    assert!(unsent("\"attempts\":1").unwrap_err().contains("x.jsonl:5: attempts: 1 of a request that was not sent"));
    assert!(unsent("\"attempts\":0,\"count\":0").unwrap_err().contains("x.jsonl:5: count: 0 requests"));
    assert!(unsent("\"attempts\":0,\"count\":18446744073709551615").unwrap_err().contains("are not possible"));
}

#[test]
fn the_command_prints_the_report_that_the_run_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    let arguments = ["run", "--virtual", "--requests", "300", "--repeat", "2", "--slo", "p50<10s", "--out", out];
    let run = ended(relaybench(&arguments).args(["--concurrency", "5,20"]));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let written = fs::read_to_string(format!("{out}/report.json")).unwrap();
    let again = ended(&mut relaybench(&["report", out, "--format", "json"]));
    assert_eq!((again.code, again.stdout == written), (Some(0), true), "{}", again.stderr);
    let table = ended(&mut relaybench(&["report", &format!("{out}/samples.jsonl")]));
    assert_eq!(table.stdout, run.stdout);

    let nothing = ended(&mut relaybench(&["report", &format!("{out}/nothing.jsonl")]));
    assert!(nothing.code == Some(1) && nothing.stderr.contains("nothing.jsonl: cannot be read"), "{}", nothing.stderr);
}
