//! The page of reports made for one test each.

use super::*;
use crate::load::{Load, Outcome, Record, RunHeader, RunInfo, Sample, Sink as _, StageEnd, StageHeader, Unsent, Window};
use crate::report::Collector;
use std::num::NonZeroUsize;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn header(stages: &[&str]) -> RunHeader {
    let load = Load::Closed { concurrency: NonZeroUsize::new(2).unwrap() };
    let stages = stages.iter().map(|name| StageHeader {
        name: (*name).to_owned(),
        load: load.clone(),
        published: None,
        repeat: None,
        steady: false,
        slo: Vec::new(),
    });
    RunHeader {
        schema: RunHeader::SCHEMA.to_owned(),
        run: RunInfo {
            scenario: "<script>alert(1)</script>".to_owned(),
            target: "http://relay/v1?a=1&b=\"2\"".to_owned(),
            profile: None,
            policy: "none".to_owned(),
            seed: 1,
            r#virtual: true,
            version: "0".to_owned(),
        },
        model: "gpt-4.1".to_owned(),
        prices: None,
        stages: stages.collect(),
    }
}

fn page(records: impl IntoIterator<Item = Record>) -> String {
    let (mut collector, mut details) = (Collector::default(), Details::default());
    for record in records {
        collector.record(&record).unwrap();
        details.record(&record).unwrap();
    }
    html(&collector.report().unwrap(), &details.finish())
}

fn sample(stage: u32, index: u64, outcome: Outcome) -> Record {
    let sent = MS * index as u32;
    Record::Sample(Sample {
        outcome,
        window: Some(Window::Steady),
        sent: Some(sent),
        ended: Some(sent + MS * (10 + index % 7) as u32),
        service: Some(MS),
        attempts: 1,
        ..Sample::unsent(stage, index, Unsent::Interrupted)
    })
}

fn end(stage: u32, scheduled: u64) -> Record {
    let duration = MS * (scheduled + 17) as u32;
    Record::Stage(StageEnd {
        stage,
        duration,
        scheduled,
        interrupted: false,
        in_flight_ns: 0,
        ledger: None,
        ledger_lost: None,
        harness_error: None,
        cpu: None,
    })
}

#[test]
fn names_from_files_and_servers_are_text() {
    let hostile = "<img src=x onerror=alert(1)>";
    let failed = Outcome::Failed { error: hostile.to_owned() };
    let succeeded = (0..700).map(|index| sample(0, index, Outcome::Succeeded));
    let records = [Record::Run(header(&[hostile, "\"><b>"]))].into_iter().chain(succeeded);
    let records = records.chain([sample(0, 700, failed.clone()), end(0, 701), sample(1, 0, failed), end(1, 1)]);
    let page = page(records);
    assert!(!page.contains("<img") && !page.contains("<script") && !page.contains("\"><b>"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && page.contains("&lt;script&gt;"));
}

#[test]
fn a_run_of_which_there_is_nothing_to_plot_has_no_empty_plots() {
    let records = [Record::Run(header(&["a", "b"])), Record::Sample(Sample::unsent(0, 0, Unsent::Interrupted)), end(0, 1)];
    let page = page(records);
    assert!(!page.contains("<polyline") && !page.contains("NaN") && page.contains("Nothing was sent"));
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_every_plot_says_what_it_shows() {
    let samples = (0..700).map(|index| sample(0, index, Outcome::Succeeded));
    let page = page([Record::Run(header(&["a"]))].into_iter().chain(samples).chain([end(0, 700)]));
    for loads in ["src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(loads), "{loads}");
    }
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("role=\"img\""), 3);
    assert_eq!((count("<title"), count("<desc")), (4, 3), "the page has a title too");
    assert!(!page.contains("NaN") && !page.contains("inf"));
}
