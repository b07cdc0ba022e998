//! What virtual time promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use relaybench_clock::{Elapsed, is_virtual, now, run_virtual, sleep, sleep_until, timeout_at, wall_now};

#[test]
fn virtual_sleeps_end_at_their_deadline_to_the_nanosecond() {
    run_virtual(async {
        for nanoseconds in [1, 999, 1_000_001, 7_777_777_777] {
            let deadline = now() + Duration::from_nanos(nanoseconds);
            sleep_until(deadline).await;
            assert_eq!(now(), deadline);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn virtual_sleeps_of_many_tasks_end_in_order_and_on_time(delays in prop::collection::vec(0_u64..5_000_000, 1..200)) {
        let mut expected: Vec<(u64, usize)> = delays.iter().copied().enumerate().map(|(task, delay)| (delay, task)).collect();
        expected.sort_unstable();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&woken);
        run_virtual(async move {
            let start = now();
            let tasks: Vec<_> = delays.into_iter().enumerate().map(|(task, delay)| {
                let record = Arc::clone(&record);
                tokio::spawn(async move {
                    sleep_until(start + Duration::from_nanos(delay)).await;
                    record.lock().unwrap().push((start.elapsed().as_nanos() as u64, task));
                })
            }).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let mut woken = woken.lock().unwrap().clone();
        // A delay of zero never waits, so it ends before any other; among equal delays the order is that of registration.
        woken.sort_by_key(|&(at, _)| at);
        prop_assert_eq!(woken, expected);
    }
}

#[test]
fn a_dropped_sleep_does_not_hold_time_back() {
    let elapsed = run_virtual(async {
        let start = now();
        let outcome = timeout_at(start + Duration::from_secs(3600), sleep(Duration::from_millis(3))).await;
        assert_eq!(outcome, Ok(()));
        sleep(Duration::from_millis(1)).await;
        start.elapsed()
    });
    assert_eq!(elapsed, Duration::from_millis(4));
}

#[test]
fn a_timeout_ends_what_takes_longer_exactly_at_its_deadline() {
    run_virtual(async {
        let start = now();
        let outcome = timeout_at(start + Duration::from_nanos(1_500_000_001), std::future::pending::<()>()).await;
        assert_eq!(outcome, Err(Elapsed));
        assert_eq!(start.elapsed(), Duration::from_nanos(1_500_000_001));
    });
}

#[test]
fn a_future_ready_at_the_deadline_beats_the_timeout() {
    run_virtual(async {
        let deadline = now() + Duration::from_secs(1);
        assert_eq!(timeout_at(deadline, sleep_until(deadline)).await, Ok(()));
    });
}

#[test]
fn the_last_word_of_a_task_is_heard_before_time_moves_on() {
    let at = run_virtual(async {
        let start = now();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            sender.send(()).unwrap();
        });
        let _later = tokio::spawn(sleep(Duration::from_secs(60)));
        receiver.await.unwrap();
        start.elapsed()
    });
    assert_eq!(at, Duration::from_secs(1));
}

#[test]
fn virtual_dates_are_the_same_in_every_run() {
    let date = || {
        run_virtual(async {
            sleep(Duration::from_secs(86_400)).await;
            wall_now().duration_since(std::time::UNIX_EPOCH).unwrap()
        })
    };
    assert_eq!(date(), Duration::from_secs(1_767_225_600 + 86_400));
    assert_eq!(date(), date());
}

#[test]
#[should_panic(expected = "virtual time stands still")]
fn a_run_in_which_nothing_can_happen_any_more_panics_and_does_not_hang() {
    run_virtual(std::future::pending::<()>());
}

#[test]
fn a_panic_inside_reaches_the_caller_and_leaves_the_thread_usable() {
    let outcome = std::panic::catch_unwind(|| run_virtual(async { panic!("inside") }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"inside"));
    assert!(!is_virtual());
    run_virtual(sleep(Duration::from_secs(1)));
}

#[test]
fn a_sleep_can_be_moved_to_another_instant() {
    run_virtual(async {
        let start = now();
        let mut sleep = std::pin::pin!(sleep(Duration::from_secs(9)));
        let early = timeout_at(start + Duration::from_secs(1), sleep.as_mut()).await;
        assert_eq!(early, Err(Elapsed));
        sleep.as_mut().get_mut().reset(start + Duration::from_secs(2));
        sleep.await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    });
}
