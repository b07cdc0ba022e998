//! What a run leaves for people: a table that fits a terminal, Markdown, CSV, and a page that opens offline.

use std::fs;
use std::path::Path;

use relaybench::load::Scenario;
use relaybench::report::{csv, markdown, table};
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::process::{ended, interrupt, relaybench};
use crate::support::runs::{Played, play, profile, run, scenario, tutorial};

const EVERY_KIND: &str = r#"
[[stage]]
load = { kind = "closed", concurrency = 50 }
requests = 1000
[[stage]]
load = { kind = "waves", concurrency = 50 }
requests = 500
[[stage]]
load = { kind = "constant", rate = "1234.5678/min" }
duration = "30s"
[[stage]]
load = { kind = "poisson", rate = "40/s", max_in_flight = 30 }
duration = "30s"
[[stage]]
load = { kind = "gamma", rate = "40/s", cv = 2 }
duration = "30s"
[[stage]]
load = { kind = "ramp", from = "1/s", to = "50/s" }
duration = "30s"
[[stage]]
load = { kind = "sessions", rate = "5/s", turns = 3, think_time = "2s" }
duration = "30s"
[[stage]]
name = "a name that is longer than anybody would want to read, | with a pipe and <b>markup</b>"
load = { kind = "closed", concurrency = 5 }
requests = 100
"#;

const FAULTS: &str = r#"
[latency]
total = { dist = "lognormal", median = "400ms", sigma = 0.4 }
[[fault]]
fault = "status=503"
probability = 0.05
[[fault]]
fault = "status=500"
probability = 0.05
[[fault]]
fault = "status=429"
probability = 0.05
"#;

/// Every kind of stage, against a relay that fails in several ways.
fn every_kind() -> Played {
    play(run(scenario(EVERY_KIND), "none", Target::Virtual(profile(FAULTS))))
}

#[test]
fn no_line_of_the_table_is_longer_than_100_columns_whatever_the_stage() {
    let played = every_kind();
    assert!(played.report.stages.iter().map(|stage| stage.errors.len()).max() > Some(1), "there are errors to show");
    let tutorial = play(run(tutorial(300), "none", Target::Virtual(Profile::load("holysheep").unwrap())));
    for report in [&played.report, &tutorial.report] {
        let text = table(report);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}\n{text}", line.chars().count());
        }
    }
    let text = table(&played.report);
    for kind in ["closed", "waves", "constant", "poisson", "gamma", "ramp", "sessions", "a name that is"] {
        assert!(text.contains(kind), "{kind}\n{text}");
    }
}

#[test]
fn every_row_of_csv_has_a_cell_for_each_column() {
    let csv = csv(&every_kind().report);
    let mut reader = csv_rows(&csv);
    let header = reader.remove(0);
    assert_eq!(reader.len(), 8);
    assert!(reader.iter().all(|row| row.len() == header.len()));
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    assert_eq!((&*reader[0][column("concurrency")], &*reader[0][column("rate_rps")]), ("50", ""));
    assert_eq!((&*reader[3][column("concurrency")], &*reader[3][column("rate_rps")]), ("", "40"));
}

/// None of these cells has a line break or a quote.
fn csv_rows(csv: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    csv.lines().map(cells).collect()
}

#[test]
fn the_tutorials_markdown_is_this() {
    let played = play(run(tutorial(2_000), "none", Target::Virtual(Profile::load("holysheep").unwrap())));
    let expected = fs::read_to_string("fixtures/outputs/tutorial.md").unwrap();
    assert_eq!(markdown(&played.report), expected);
}

#[test]
fn markdown_keeps_names_text_and_rows_whole() {
    let text = markdown(&every_kind().report);
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 8);
    assert!(rows.iter().all(|row| cells(row) == cells(rows[0])), "{text}");
    assert!(!text.contains("<b>") && text.contains("&lt;b>"), "{text}");
}

/// Every file of the directory but what differs from day to day, by name.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if !path.ends_with("run.json") {
                files.push((path.strip_prefix(directory).unwrap().display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn two_virtual_runs_leave_the_same_bytes_in_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let left = |name: &str| {
        let out = directory.path().join(name);
        let arguments = ["run", "shapes", "--virtual", "--profile", "flaky", "--stream", "--duration", "20s", "--out"];
        let run = ended(relaybench(&arguments).arg(&out).args(["--export", "hlog,aiperf"]));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        files(&out)
    };
    let (first, second) = (left("first"), left("second"));
    for ((name, bytes), (other_name, other_bytes)) in first.iter().zip(&second) {
        assert!(name == other_name && bytes == other_bytes, "{name}");
    }
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["latency.hlog", "report.csv", "report.html", "report.json", "report.md", "samples.jsonl"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(names.iter().filter(|name| name.starts_with("aiperf/")).count(), 2 * 5, "{names:?}");
    assert!(first.iter().find(|(name, _)| name == "report.html").unwrap().1.len() < 500_000);
}

#[test]
fn the_first_ctrl_c_lets_what_is_in_flight_end_and_writes_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("slow.toml");
    fs::write(&profile, "[latency]\ntotal = { dist = \"fixed\", value = \"300ms\" }\n").unwrap();
    let out = directory.path().join("out");
    let mut command =
        relaybench(&["run", "--concurrency", "3", "--requests", "100000", "--export", "hlog,aiperf", "--format", "markdown"]);
    let running = command.arg("--profile").arg(&profile).arg("--out").arg(&out).spawn().unwrap();
    // What is kept back is written once a second: by then some requests have ended.
    while !fs::read_to_string(out.join("samples.jsonl")).is_ok_and(|lines| lines.lines().count() > 10) {
        std::thread::yield_now();
    }
    interrupt(&running);
    let run: crate::support::process::Ended = running.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(run.stdout.contains("**INVALID**") && run.stdout.contains("interrupted"), "{}", run.stdout);
    let names: Vec<String> = files(&out).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "aiperf/1-closed-3/profile_export.jsonl",
        "aiperf/1-closed-3/profile_export_aiperf.json",
        "latency.hlog",
        "report.csv",
        "report.html",
        "report.json",
        "report.md",
        "samples.jsonl",
    ];
    assert_eq!(names, expected);
    let report: serde_json::Value = serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["stages"][0]["requests"]["failed"], 0, "what was in flight has ended");
}

#[test]
fn a_run_without_a_terminal_or_told_to_be_quiet_shows_no_progress() {
    let directory = tempfile::tempdir().unwrap();
    let out = |name: &str| directory.path().join(name).display().to_string();
    let run = ended(&mut relaybench(&["run", "--virtual", "--requests", "600", "--out", &out("a")]));
    assert_eq!(run.stderr.lines().count(), 1, "where the files are: {}", run.stderr);
    let run = ended(&mut relaybench(&["run", "--virtual", "--requests", "600", "--quiet", "--out", &out("b")]));
    assert_eq!(run.stderr, "");
}

#[test]
fn built_in_scenarios_fit_the_terminal_too() {
    let mut shapes = Scenario::load("shapes").unwrap();
    shapes.request.stream = true;
    let played =
        play(run(shapes, "resilient", Target::Virtual(profile("[latency]\ntotal = { dist = \"fixed\", value = \"9ms\" }"))));
    assert!(table(&played.report).lines().all(|line| line.chars().count() <= 100));
}
