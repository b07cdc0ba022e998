use std::num::NonZeroUsize;

use super::*;
use crate::load::{INTERRUPTED, LedgerBalance, Load};
use crate::stats::Summary;

const SECOND: Duration = Duration::from_secs(1);

fn sent(index: u64, window: Window, sent: Duration, ended: Duration) -> Sample {
    Sample {
        outcome: Outcome::Succeeded,
        window: Some(window),
        sent: Some(sent),
        ended: Some(ended),
        service: Some(ended - sent),
        attempts: 1,
        ..Sample::unsent(0, index, Unsent::Interrupted)
    }
}

fn header(load: Load) -> StageHeader {
    StageHeader { name: "closed-2".to_owned(), load, published: None, repeat: None, steady: false, slo: Vec::new() }
}

/// A closed loop of two whose every request takes a second: the first two are the ramp.
fn closed_loop(requests: u64) -> (Accumulator, StageEnd) {
    let load = Load::Closed { concurrency: NonZeroUsize::new(2).unwrap() };
    let mut stage = Accumulator::new(header(load), "gpt-4.1", Prices::built_in().clone());
    for index in 0..requests {
        let start = SECOND * (index / 2) as u32;
        stage.add(&sent(index, if index < 2 { Window::Ramp } else { Window::Steady }, start, start + SECOND));
    }
    let end = StageEnd {
        stage: 0,
        duration: SECOND * requests.div_ceil(2) as u32,
        scheduled: requests,
        interrupted: false,
        in_flight_ns: requests * 1_000_000_000,
        ledger: Some(LedgerBalance { matched: requests, missing: 0, unknown: 0 }),
        ledger_lost: None,
        harness_error: None,
        cpu: None,
    };
    (stage, end)
}

fn reasons(mut stage: Accumulator, end: &StageEnd) -> Vec<String> {
    stage.end(end);
    stage.finish().1
}

#[test]
fn a_stage_whose_books_balance_is_valid() {
    let (stage, end) = closed_loop(20);
    assert_eq!(reasons(stage, &end), Vec::<String>::new());
}

#[test]
fn each_reason_against_a_stage_is_named_with_its_figure() {
    let reason = |spoil: fn(&mut Accumulator, &mut StageEnd), says: &str| {
        let (mut stage, mut end) = closed_loop(20);
        spoil(&mut stage, &mut end);
        let reasons = reasons(stage, &end);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(says), "{reasons:?}");
    };
    reason(|_, end| end.scheduled = 21, "21 requests were scheduled, but 20 samples exist");
    reason(|_, end| end.interrupted = true, "interrupted");
    reason(|_, end| end.ledger.as_mut().unwrap().missing = 3, "3 missing in the ledger");
    reason(|_, end| end.ledger.as_mut().unwrap().unknown = 4, "4 unknown to the client");
    reason(|_, end| end.in_flight_ns += end.in_flight_ns / 40, "Little's law: 2.0500 in flight by count, 2.0000 by");
    reason(|stage, _| stage.service.record(SECOND * 3601), "1 values are longer");
    reason(|stage, _| stage.requests.succeeded = 0, "none of 20 requests succeeded");
}

/// Why a stage is invalid that sent nothing, for these reasons.
fn reasons_of_nothing_sent(unsent: &[Unsent], interrupted: bool) -> Vec<String> {
    let (mut stage, end) = closed_loop(0);
    for (index, reason) in (0..).zip(unsent) {
        stage.add(&Sample::unsent(0, index, *reason));
    }
    let cpu = Some(crate::load::CpuUse { used_ns: 9_000_000_000, cores: 1 });
    reasons(stage, &StageEnd { scheduled: unsent.len() as u64, duration: SECOND, interrupted, cpu, ..end })
}

#[test]
fn a_stage_that_sent_nothing_is_invalid_for_what_kept_it_from_sending() {
    let of = reasons_of_nothing_sent;
    assert_eq!(
        of(&[Unsent::CostCap, Unsent::CostCap], false),
        ["no request was sent (cost-cap 2), so that there is nothing to measure: raise RELAYBENCH_MAX_COST_USD, or lower \
            max_tokens"]
    );
    assert!(of(&[Unsent::RequestCap], false)[0].contains("no request was sent (request-cap 1)"));
    assert!(of(&[], false)[0].contains("no request was sent (none is scheduled)"));
    assert_eq!(of(&[Unsent::Interrupted; 3], true), ["interrupted: 3 of 3 scheduled requests were not sent"]);
    assert_eq!(of(&[], true), ["interrupted: the stage was ended before its time, with 0 requests sent"]);
}

#[test]
fn what_was_given_up_in_flight_is_told_beside_what_it_counts_as() {
    let (mut stage, mut end) = closed_loop(20);
    stage.add(&Sample { outcome: Outcome::Failed { error: INTERRUPTED.to_owned() }, ..sent(20, Window::Steady, SECOND, SECOND) });
    (end.interrupted, end.scheduled, end.ledger) = (true, 21, None);
    let reasons = reasons(stage, &end);
    assert_eq!(
        reasons,
        [
            "interrupted: the stage was ended before its time, with 21 requests sent, and 1 were given up in flight, each counted as \
            one attempt whatever it had sent"
        ]
    );
}

#[test]
fn a_stage_that_did_not_end_says_so() {
    let (stage, _) = closed_loop(20);
    assert!(stage.finish().1[0].contains("did not end"));
}

#[test]
fn a_stage_that_is_all_ramp_says_what_would_give_it_latencies() {
    let (mut stage, end) = closed_loop(2);
    stage.end(&end);
    let (report, _, warnings) = stage.finish();
    assert_eq!(report.latency_ms, Summary::default());
    assert!(warnings.len() == 1 && warnings[0].contains("more than 2"), "{warnings:?}");
}

#[test]
fn throughput_is_the_steady_window_s_when_that_spans_five_mean_latencies() {
    let throughput = |requests| {
        let (mut stage, end) = closed_loop(requests);
        stage.end(&end);
        let report = stage.finish().0;
        (report.throughput_rps.unwrap(), report.throughput_over)
    };
    // The ramp ends at 1 s; the last send is at 6 s, or at 5 s.
    assert_eq!(throughput(14), (2.0, ThroughputOver::Steady));
    assert_eq!(throughput(12), (2.0, ThroughputOver::Stage));
}

#[test]
fn latency_is_that_of_succeeded_steady_requests_and_counts_are_of_all() {
    let (mut stage, end) = closed_loop(20);
    let failed = Outcome::Failed { error: "reset".to_owned() };
    stage.add(&Sample { outcome: failed, ..sent(20, Window::Steady, SECOND, SECOND * 9) });
    stage.add(&sent(21, Window::Ramp, SECOND, SECOND * 7));
    stage.add(&Sample::unsent(0, 22, Unsent::RequestCap));
    stage.end(&end);
    let report = stage.finish().0;
    assert_eq!((report.latency_ms.mean, report.latency_ms.max), (Some(1000.0), Some(1000.0)));
    let RequestCounts { scheduled, sent, unsent, succeeded, failed } = report.requests;
    assert_eq!((scheduled, sent, unsent, succeeded, failed), (23, 22, 1, 21, 1));
    assert_eq!((report.windows.ramp, report.windows.steady), (3, 19));
    assert_eq!((report.errors["reset"], report.unsent["request-cap"]), (1, 1));
}
