//! The command: its exit codes, what it refuses before anything is sent, and what it leaves behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use relaybench::load::Record;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::{Ended, ended, interrupt, relaybench, signal};

/// Where a test may write, and the path of something in it.
fn directory() -> (TempDir, impl Fn(&str) -> String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    (directory, move |name: &str| path.join(name).to_str().unwrap().to_owned())
}

/// Refused with this code and one line that says all of these, and nothing was made.
fn assert_refused(arguments: &[&str], code: i32, says: &[&str]) {
    let (_directory, path) = directory();
    let out = path("out");
    let run = ended(relaybench(arguments).args(["--out", &out]));
    assert_refusal(&run, code, says);
    assert!(!fs::exists(&out).unwrap(), "nothing is half done");
}

fn assert_refusal(run: &Ended, code: i32, says: &[&str]) {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(says.iter().all(|part| run.stderr.contains(part)), "{:?} is not all in: {}", says, run.stderr);
    if code == 1 {
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn wrong_command_lines_exit_2() {
    assert_refused(&["run", "--virtual", "--concurrency", "0"], 2, &["--concurrency", "0"]);
    assert_refused(&["run", "--virtual", "--requests", "0"], 2, &["--requests", "0"]);
    assert_refused(&["run", "--virtual", "--duration", "30"], 2, &["--duration", "has no unit"]);
    assert_refused(&["run", "--virtual", "--requests", "5", "--duration", "30s"], 2, &["--requests", "--duration"]);
    assert_refused(&["run", "--virtual", "--target", "http://localhost/v1"], 2, &["--virtual", "--target"]);
    assert_refused(&["run", "--no-such-flag"], 2, &["--no-such-flag"]);
    assert_refused(&["run", "--virtual", "--concurrency", "5,5"], 2, &["--concurrency", "same"]);
}

#[test]
fn names_that_do_not_exist_exit_1_and_say_what_does() {
    assert_refused(&["run", "totorial", "--virtual"], 1, &["totorial", "did you mean \"tutorial\"?"]);
    assert_refused(&["run", "--virtual", "--profile", "hollysheep"], 1, &["did you mean \"holysheep\"?"]);
    assert_refused(&["run", "--virtual", "--policy", "tutorial"], 1, &["tutorial", "resilient", "tutorial-bench"]);
    assert_refused(&["run", "--virtual", "--model", "gpt-4.l"], 1, &["gpt-4.l", "did you mean \"gpt-4.1\"?", "--any-model"]);
    assert_refused(&["run", "--virtual", "--profile", "./no-such.toml"], 1, &["./no-such.toml"]);
}

#[test]
fn a_file_that_is_wrong_is_refused_by_file_line_and_key() {
    let (_directory, path) = directory();
    let profile = path("p.toml");
    let refused = |toml: &str, says: &[&str]| {
        fs::write(&profile, toml).unwrap();
        let mut says = says.to_vec();
        says.push("p.toml:");
        assert_refused(&["run", "--virtual", "--profile", &profile], 1, &says);
    };
    refused("[latency]\ntotal = { dist = \"fixed\", value = \"10 parsecs\" }\n", &[":2: latency.total.value", "10 parsecs"]);
    refused("name = \"x\"\nlatncy = 3\n", &[":2: latncy", "did you mean \"latency\"?"]);
    let scenario = path("s.toml");
    fs::write(&scenario, "name = \"x\"\n[[stage]]\nload = { kind = \"closed\", concurrency = 0 }\nrequests = 1\n").unwrap();
    assert_refused(&["run", &scenario, "--virtual"], 1, &["s.toml:3: stage.load", "0"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let (_directory, path) = directory();
    let file = path("file");
    fs::write(&file, "mine").unwrap();
    for out in [file.clone(), format!("{file}/below")] {
        let run = ended(&mut relaybench(&["run", "--virtual", "--out", &out]));
        assert_refusal(&run, 1, &["--out", &out]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_run_is_never_written_over_another() {
    let (_directory, path) = directory();
    let out = path("out");
    let run = || ended(&mut relaybench(&["run", "--virtual", "--requests", "60", "--out", &out]));
    assert_eq!(run().code, Some(0));
    let before = fs::read(format!("{out}/samples.jsonl")).unwrap();
    assert_refusal(&run(), 1, &["--out", "holds a run already"]);
    assert_eq!(fs::read(format!("{out}/samples.jsonl")).unwrap(), before);
}

#[test]
fn a_live_run_needs_a_key_and_a_base_url_with_a_scheme() {
    assert_refused(&["run", "--target", "https://relay.example/v1"], 1, &["https://relay.example/v1", "RELAYBENCH_API_KEY"]);
    let (_directory, path) = directory();
    let refused = |url: &str, says: &[&str]| {
        let mut run = relaybench(&["run", "--target", url, "--out", &path("out")]);
        assert_refusal(&ended(run.env("RELAYBENCH_API_KEY", "sk-secret")), 1, says);
    };
    refused("relay.example/v1", &["relay.example/v1", "https://"]);
    refused("https://me:sk-secret@relay.example/v1", &["user or password"]);
    let mut run = relaybench(&["run", "--virtual", "--out", &path("out")]);
    let run = ended(run.env("RELAYBENCH_BASE_URL", "https://relay.example/v1").env("RELAYBENCH_API_KEY", "sk-secret"));
    assert_refusal(&run, 1, &["RELAYBENCH_BASE_URL", "--virtual"]);
}

#[test]
fn a_port_in_use_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    assert_refusal(&ended(&mut relaybench(&["mock", "--listen", &addr])), 1, &[&addr, "in use"]);
}

#[test]
fn the_virtual_report_is_byte_identical_from_process_to_process() {
    let (_directory, path) = directory();
    let report = |name: &str| {
        let out = path(name);
        let run = ended(&mut relaybench(&["run", "--virtual", "--requests", "700", "--out", &out]));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("In parentheses: the published figure."), "{}", run.stdout);
        ["report.json", "samples.jsonl"].map(|file| fs::read(format!("{out}/{file}")).unwrap())
    };
    assert!(report("a") == report("b"));
}

#[test]
fn what_is_printed_as_json_is_the_report_and_as_csv_a_row_a_stage() {
    let (_directory, path) = directory();
    let run = |format: &str| {
        let run = ended(&mut relaybench(&["run", "--virtual", "--requests", "60", "--format", format, "--out", &path(format)]));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };
    assert_eq!(run("json"), fs::read_to_string(path("json/report.json")).unwrap());
    let json: Value = serde_json::from_str(&fs::read_to_string(path("json/report.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], "relaybench.report/1");
    let csv = run("csv");
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.lines().all(|line| line.split(',').count() == csv.lines().next().unwrap().split(',').count()));
}

#[test]
fn a_reader_who_goes_away_does_not_cost_the_files() {
    let (_directory, path) = directory();
    let out = path("out");
    let mut run = relaybench(&["run", "--virtual", "--requests", "60", "--format", "json", "--out", &out]).spawn().unwrap();
    drop(run.stdout.take());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(["report.json", "run.json", "samples.jsonl"].iter().all(|file| fs::exists(format!("{out}/{file}")).unwrap()));
}

#[test]
fn samples_of_a_killed_run_can_be_read_though_nothing_ended_since() {
    let (_directory, path) = directory();
    let profile = path("hang.toml");
    // The first requests end at once, the others never.
    fs::write(&profile, "[[fault]]\nfault = \"hang\"\nprobability = 0.2\n").unwrap();
    let out = path("out");
    let mut run =
        relaybench(&["run", "--profile", &profile, "--concurrency", "5", "--requests", "500", "--out", &out]).spawn().unwrap();
    let samples = format!("{out}/samples.jsonl");
    while !fs::read_to_string(&samples).is_ok_and(|lines| lines.lines().count() > 1) {
        assert_eq!(run.try_wait().unwrap().map(|status| status.code()), None, "it hangs");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let lines = fs::read_to_string(&samples).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<Record>(line).is_ok()), "{lines}");
}

#[test]
fn a_load_that_needs_more_open_files_than_allowed_is_refused_and_not_left_hanging() {
    let (_directory, path) = directory();
    let run = relaybench(&["run", "--concurrency", "500", "--requests", "500", "--out", &path("out")]);
    let command = format!(
        "ulimit -n 300 && exec {:?} {}",
        run.get_program(),
        run.get_args().map(|a| format!("{a:?} ")).collect::<String>()
    );
    let run = ended(std::process::Command::new("sh").args(["-c", &command]).env_remove("RELAYBENCH_BASE_URL"));
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("open files") && run.stderr.contains("500"), "{}", run.stderr);
    assert!(!fs::exists(path("out")).unwrap(), "nothing is half done");
}

#[test]
fn ctrl_c_prints_the_partial_report_and_leaves_readable_samples() {
    let (_directory, path) = directory();
    let profile = path("slow.toml");
    // Nothing would end by itself while this test lives.
    fs::write(&profile, "[latency]\ntotal = { dist = \"fixed\", value = \"2h\" }\n").unwrap();
    let out = path("out");
    let mut run =
        relaybench(&["run", "--profile", &profile, "--concurrency", "3", "--requests", "10", "--out", &out]).spawn().unwrap();
    let mut stderr = BufReader::new(run.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("files in"), "{line}");
    // Twice: the first lets what is in flight end, which here takes two hours.
    interrupt(&run);
    line.clear();
    while !line.contains("ending") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
    }
    // What a service manager sends counts as much as Ctrl-C.
    signal("-TERM", &run);
    let run = Ended::from(run.wait_with_output().unwrap());
    assert_eq!(run.code, Some(4), "the run is invalid: {}", run.stdout);
    assert!(run.stdout.contains("INVALID: closed-3: interrupted"), "{}", run.stdout);

    let samples = fs::read_to_string(format!("{out}/samples.jsonl")).unwrap();
    let records: Vec<Record> = samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |record: &Record| if let Record::Sample(sample) = record { sample.count } else { 0 };
    assert_eq!(records.iter().map(count).sum::<u64>(), 10);
    let report: Value = serde_json::from_str(&fs::read_to_string(format!("{out}/report.json")).unwrap()).unwrap();
    let requests = &report["stages"][0]["requests"];
    assert_eq!(requests["scheduled"], 10);
    assert_eq!(requests["unsent"].as_u64().unwrap() + requests["failed"].as_u64().unwrap(), 10);
}
