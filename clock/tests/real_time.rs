//! What sleeps in real time promise, on whichever runtime and thread they are polled: they end, and never early. How late they end
//! is for the benchmarks to tell.

#![allow(clippy::unwrap_used, reason = "what a test needs and cannot have fails it")]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use relaybench_clock::{Runtime, Sleep, is_virtual, now, run_virtual, sleep, sleep_until};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(3600);

/// Tasks that sleep one after the other for times between nothing and some milliseconds; each checks that none ended early.
async fn many_sleeps(tasks: u64, each: u64) -> usize {
    assert!(!is_virtual());
    let tasks: JoinSet<()> = (0..tasks).map(|task| sleeps(task, each)).collect();
    tasks.join_all().await.len()
}

async fn sleeps(task: u64, each: u64) {
    for turn in 0..each {
        let deadline = now() + Duration::from_micros((task * 97 + turn * 31) % 5_000);
        sleep_until(deadline).await;
        assert!(now() >= deadline);
    }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// A runtime that tokio built, without any driver.
fn bare() -> tokio::runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Runs a test whose failure would be that it never ends.
fn ends(test: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        let _ = ended.send(());
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => running.join().unwrap(),
    }
}

/// Registers a sleep where this is polled, unless it is due by now.
async fn register(sleep: &mut Sleep) {
    poll_fn(|cx| {
        let _ = Pin::new(&mut *sleep).poll(cx);
        Poll::Ready(())
    })
    .await;
}

#[test]
fn thousands_of_sleeps_all_end_and_none_early() {
    ends(|| {
        assert_eq!(runtime().block_on(many_sleeps(5_000, 5)), 5_000);
    });
}

#[test]
fn a_runtime_without_io_will_do() {
    ends(|| {
        assert_eq!(bare().block_on(many_sleeps(500, 5)), 500);
    });
}

#[test]
fn a_multi_threaded_runtime_will_do() {
    ends(|| {
        let runtime = Builder::new_multi_thread().worker_threads(4).build().unwrap();
        assert_eq!(runtime.block_on(many_sleeps(500, 5)), 500);
    });
}

#[test]
fn many_runtimes_on_many_threads_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || match number % 2 {
                0 => runtime().block_on(many_sleeps(100, 10)),
                _ => bare().block_on(many_sleeps(100, 10)),
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 100);
    }
}

#[test]
fn one_runtime_serves_several_threads_and_several_calls() {
    let runtime = runtime();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(runtime.block_on(many_sleeps(20, 5)), 20);
                }
            });
        }
    });
}

#[test]
fn a_task_that_never_rests_does_not_keep_sleeps_from_ending() {
    ends(|| {
        runtime().block_on(async {
            let busy = tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
            assert_eq!(many_sleeps(100, 10).await, 100);
            busy.abort();
        });
    });
}

#[test]
fn a_sleep_that_came_last_is_due_first() {
    ends(|| {
        runtime().block_on(async {
            let far = tokio::spawn(sleep(LONG));
            sleep(Duration::from_millis(5)).await;
            let nearer = tokio::spawn(sleep(Duration::from_millis(10)));
            sleep(Duration::from_millis(1)).await;
            nearer.await.unwrap();
            far.abort();
        });
    });
}

#[test]
fn a_sleep_ends_on_the_runtime_that_awaits_it_wherever_it_was_first_polled() {
    ends(|| {
        let (ours, other) = (runtime(), runtime());
        let theirs = bare();
        let until = || sleep(Duration::from_millis(20));
        // From one of ours to another, to one of tokio's, and to none; and back.
        let mut sleep = until();
        ours.block_on(register(&mut sleep));
        other.block_on(sleep);
        let mut sleep = until();
        ours.block_on(register(&mut sleep));
        theirs.block_on(sleep);
        let mut sleep = until();
        theirs.block_on(register(&mut sleep));
        ours.block_on(sleep);
        let mut sleep = until();
        ours.block_on(register(&mut sleep));
        block_on(&mut sleep);
        assert!(now() >= sleep.deadline());
    });
}

#[test]
fn a_sleep_outlives_the_runtime_that_polled_it() {
    ends(|| {
        let mut sleeps: Vec<Sleep> = (0..100).map(|_| sleep(Duration::from_millis(10))).collect();
        let ended = runtime();
        for sleep in &mut sleeps {
            ended.block_on(register(sleep));
        }
        drop(ended);
        // Half of them are dropped where they have nothing left to leave.
        sleeps.truncate(50);
        runtime().block_on(async move {
            for sleep in sleeps {
                sleep.await;
            }
        });
    });
}

/// A collection such as `FuturesUnordered` polls again only what was woken, so that it must be told.
#[test]
fn whoever_awaits_a_sleep_is_woken_when_the_runtime_that_polled_it_no_longer_runs() {
    let waits = |stop: fn(Runtime) -> Option<Runtime>| {
        let (woken, wakes) = mpsc::channel();
        let mut sleep = sleep(LONG);
        let runtime = runtime();
        runtime.block_on(async {
            assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&Waker::from(Arc::new(Tell(woken))))).is_pending());
        });
        let _kept = stop(runtime);
        wakes.recv_timeout(Duration::from_secs(60)).unwrap();
    };
    waits(Some);
    waits(|runtime| {
        drop(runtime);
        None
    });
}

#[test]
fn tasks_that_sleep_go_on_when_their_runtime_runs_again() {
    ends(|| {
        let runtime = runtime();
        let ended = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            for _ in 0..100 {
                let ended = Arc::clone(&ended);
                tokio::spawn(async move {
                    sleep(Duration::from_millis(5)).await;
                    ended.fetch_add(1, SeqCst);
                });
            }
            tokio::task::yield_now().await;
        });
        runtime.block_on(async {
            while ended.load(SeqCst) < 100 {
                sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn sleeps_may_be_dropped_by_another_thread() {
    let mut sleeps: Vec<Sleep> = (0..1_000).map(|_| sleep(LONG)).collect();
    runtime().block_on(async move {
        for sleep in &mut sleeps {
            register(sleep).await;
        }
        let dropping = thread::spawn(move || drop(sleeps));
        assert_eq!(many_sleeps(100, 10).await, 100);
        dropping.join().unwrap();
    });
}

#[test]
fn a_sleep_moved_to_another_instant_ends_then() {
    runtime().block_on(async {
        let mut sleep = sleep(LONG);
        register(&mut sleep).await;
        let sooner = now() + Duration::from_millis(10);
        sleep.reset(sooner);
        sleep.await;
        assert!(now() >= sooner);
    });
}

#[test]
fn a_thread_keeps_virtual_and_real_time_apart() {
    runtime().block_on(sleeps(1, 3));
    run_virtual(sleep(LONG));
    runtime().block_on(sleeps(2, 3));
}

#[test]
fn a_waker_that_panics_harms_nobody_else() {
    ends(|| {
        async fn beside_a_panic() -> usize {
            let mut poisoned = sleep(Duration::from_millis(1));
            let panics = Waker::from(Arc::new(Panics));
            let _ = Pin::new(&mut poisoned).poll(&mut Context::from_waker(&panics));
            many_sleeps(100, 3).await
        }
        assert_eq!(runtime().block_on(beside_a_panic()), 100);
        assert_eq!(bare().block_on(beside_a_panic()), 100);
    });
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker of somebody else's");
    }
}

struct Tell(mpsc::Sender<()>);

impl Wake for Tell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

/// Awaits a sleep on a thread that has no runtime.
fn block_on(sleep: &mut Sleep) {
    let (woken, wakes) = mpsc::channel();
    let waker = Waker::from(Arc::new(Tell(woken)));
    while Pin::new(&mut *sleep).poll(&mut Context::from_waker(&waker)).is_pending() {
        wakes.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
