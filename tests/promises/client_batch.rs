//! Batches: bounded, lazy, in either order, and resumable.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use relaybench::ChatRequest;
use relaybench_clock::{run_virtual, sleep};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response, success};

/// Answers that say their number, the first after the longest wait.
fn ever_faster(count: u64) -> RawRelay {
    let step = |index: u64| {
        let body = COMPLETION.replace("Hello.", &format!("answer {index}"));
        Step::Drip(vec![(Duration::from_millis(100 * (count - index)), response("200 OK", "application/json", &[], &body))])
    };
    RawRelay::start((0..count).map(step).collect::<Vec<_>>())
}

#[test]
fn answers_come_as_they_complete_or_in_the_order_of_the_requests() {
    run_virtual(async {
        let order_of = async |in_order: bool| {
            let client = ever_faster(5).client().build().unwrap();
            let batch = client.batch_iter((0..5).map(|_| question())).concurrency(5);
            let answers: Vec<_> = match in_order {
                true => batch.in_order().collect().await,
                false => batch.as_completed().collect().await,
            };
            let told = answers.into_iter().map(|(index, answer)| {
                assert_eq!(answer.unwrap().content(), format!("answer {index}"));
                index
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(order_of(true).await, [0, 1, 2, 3, 4]);
        assert_eq!(order_of(false).await, [4, 3, 2, 1, 0]);
    });
}

#[test]
fn requests_are_taken_from_their_source_only_when_there_is_room() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let taken = AtomicUsize::new(0);
        let endless = std::iter::repeat_with(|| {
            taken.fetch_add(1, Ordering::Relaxed);
            question()
        });
        let mut answers = std::pin::pin!(client.batch_iter(endless).concurrency(8).as_completed());
        for answered in 1..=100 {
            answers.next().await.unwrap().1.unwrap();
            let taken = taken.load(Ordering::Relaxed);
            assert!(taken <= answered + 8, "{taken} taken, {answered} answered");
        }
        assert!(relay.connections_live_peak() <= 8);
    });
}

#[test]
fn a_slow_source_holds_nothing_up() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let slow = stream::unfold(0, |index| async move {
            sleep(Duration::from_secs(index)).await;
            Some((question(), index + 1))
        });
        let mut answers = std::pin::pin!(client.batch_stream(slow).as_completed());
        for second in [0, 1, 3] {
            answers.next().await.unwrap().1.unwrap();
            assert_eq!(relay.times().last().unwrap().as_secs(), second, "an answer does not wait for the next request");
        }
    });
}

#[test]
fn a_batch_is_resumed_by_skipping_what_is_done() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let requests = || (0..10).map(|index| ChatRequest::new("gpt-4.1").user(format!("question {index}")));
        let first: Vec<usize> =
            client.batch_iter(requests()).concurrency(2).as_completed().take(4).map(|(index, _)| index).collect().await;
        assert_eq!(first.len(), 4);

        let sent_before = relay.attempts().len();
        let progress = Mutex::new(Vec::new());
        let rest = client.batch_iter(requests()).concurrency(2).skip(|index| first.contains(&index));
        let rest: Vec<_> = rest.on_progress(|now| progress.lock().unwrap().push(now)).in_order().collect().await;
        let mut all: Vec<usize> = first.into_iter().chain(rest.into_iter().map(|(index, _)| index)).collect();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(relay.attempts().len() - sent_before, 6, "nothing is asked twice");

        let progress = progress.into_inner().unwrap();
        assert_eq!(progress.len(), 6);
        assert!(progress.iter().all(|now| now.in_flight() <= 2), "{progress:?}");
        let last = progress.last().unwrap();
        assert_eq!((last.skipped, last.started, last.succeeded, last.failed), (4, 6, 6, 0));
    });
}

#[test]
fn progress_counts_failures_and_is_told_in_the_order_of_completion() {
    run_virtual(async {
        let client = ever_faster(3).client().build().unwrap();
        let model = |index| if index == 1 { "no-such-model" } else { "gpt-4.1" };
        let requests = (0..3).map(|index| ChatRequest::new(model(index)).user("Hi"));
        let told = Mutex::new(Vec::new());
        let batch = client.batch_iter(requests).on_progress(|now| told.lock().unwrap().push((now.succeeded, now.failed)));
        let answers: Vec<_> = batch.in_order().collect().await;
        assert!(answers[0].1.is_ok() && answers[1].1.is_err() && answers[2].1.is_ok());
        assert_eq!(told.into_inner().unwrap(), [(0, 1), (1, 1), (2, 1)]);
    });
}

#[test]
fn dropping_the_answers_ends_what_is_in_flight() {
    run_virtual(async {
        let relay = RawRelay::start([success(), Step::Hang]);
        let client = relay.client().build().unwrap();
        {
            let mut answers = std::pin::pin!(client.batch_iter((0..9).map(|_| question())).concurrency(3).as_completed());
            answers.next().await.unwrap().1.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(relay.connections_live(), 1, "that of the one that was answered, which is kept");
    });
}
