//! Requests that wait for each other, over HTTP, to the nanosecond.

use std::time::Duration;

use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{Ending, Entry, MockServer};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::support::{Part, chat, connect, exchange, ms, server, status};

/// Sends so many at once, each on a connection of its own.
fn send(server: &MockServer, count: u64, extra: &'static str) -> Vec<JoinHandle<Vec<Part>>> {
    let one = |id: u64| {
        let (server, head) = (server.clone(), format!("x-client-request-id: {id}\r\nx-stainless-retry-count: 0\r\n"));
        tokio::spawn(async move { exchange(&server, &chat(&head, extra)).await })
    };
    (0..count).map(one).collect()
}

async fn all(sent: Vec<JoinHandle<Vec<Part>>>) -> Vec<Vec<Part>> {
    let mut answers = Vec::new();
    for answer in sent {
        answers.push(answer.await.unwrap());
    }
    answers
}

fn statuses(answers: &[Vec<Part>]) -> Vec<u16> {
    answers.iter().map(|parts| status(&parts[0].text)).collect()
}

fn ms_of(entries: &[Entry], of: impl Fn(&Entry) -> u64) -> Vec<f64> {
    entries.iter().map(|entry| of(entry) as f64 / 1e6).collect()
}

fn end(entry: &Entry) -> u64 {
    entry.end_written_ns.unwrap()
}

#[test]
fn a_queue_serves_as_many_as_it_has_servers_and_then_the_next() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"fixed\", value = \"100ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 2\nwaiting_room = 10",
        );
        assert_eq!(statuses(&all(send(&server, 5, "")).await), [200; 5]);
        let entries = server.ledger().drain();
        assert_eq!(ms_of(&entries, end), [100.0, 100.0, 200.0, 200.0, 300.0]);
        assert_eq!(ms_of(&entries, |entry| entry.waited_ns), [0.0, 0.0, 100.0, 100.0, 200.0]);
        assert!(entries.iter().all(|entry| entry.latency_ns == 100_000_000 && entry.end_written_ns == entry.due_end_ns));
        assert_eq!(entries.iter().map(|entry| entry.in_flight).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn whoever_finds_the_waiting_room_full_is_turned_away_at_once_with_the_status_asked_for() {
    for (overflow, expected, code) in [("", 429, "slow_down"), ("overflow = 503", 503, "server_is_overloaded")] {
        let profile = format!(
            "latency.total = {{ dist = \"fixed\", value = \"100ms\" }}\n[capacity]\nmodel = \"queue\"\nservers = 1\nwaiting_room = 1\n{overflow}"
        );
        run_virtual(async move {
            let server = server(&profile);
            let answers = all(send(&server, 3, "")).await;
            assert_eq!(statuses(&answers), [200, 200, expected]);
            assert!(answers[2][0].text.contains(code), "{}", answers[2][0].text);
            let entry = &server.ledger().entries()[2];
            assert_eq!((entry.in_flight, entry.status, entry.end_written_ns), (0, Some(expected), Some(0)));
            assert_eq!(server.in_flight(), 0);
        });
    }
}

#[test]
fn the_others_move_up_when_a_caller_goes_away_served_or_not() {
    run_virtual(async {
        let server =
            server("latency.total = { dist = \"fixed\", value = \"100ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 1\n");
        let (mut served, mut waiting) = (connect(&server), connect(&server));
        served.write_all(&chat("", "")).await.unwrap();
        sleep(ms(1)).await;
        waiting.write_all(&chat("", "")).await.unwrap();
        sleep(ms(1)).await;
        let rest = send(&server, 2, "");
        sleep(ms(8)).await;
        drop(waiting);
        sleep(ms(20)).await;
        drop(served);
        all(rest).await;
        let entries = server.ledger().entries();
        assert_eq!(ms_of(&entries[..2], |entry| entry.waited_ns), [0.0, 9.0]);
        // The first left at 30 ms, and the third was served from then on.
        assert_eq!(entries.iter().map(|entry| entry.ending).collect::<Vec<_>>()[..2], [Ending::CallerLeft; 2]);
        assert_eq!(ms_of(&entries[2..], end), [130.0, 230.0]);
    });
}

#[test]
fn whoever_sends_slowly_has_its_place_when_all_is_sent_and_not_before() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"fixed\", value = \"1s\" }\n[capacity]\nmodel = \"queue\"\nservers = 1\nwaiting_room = 1",
        );
        let request = chat("", "");
        let (head, body) = request.split_at(request.len() - 10);
        let mut slow: Vec<_> = (0..3).map(|_| connect(&server)).collect();
        for connection in &mut slow {
            connection.write_all(head).await.unwrap();
            sleep(ms(100)).await;
        }
        sleep(ms(2_700)).await;
        for connection in &mut slow {
            connection.write_all(body).await.unwrap();
            sleep(ms(1)).await;
        }
        sleep(ms(5_000)).await;
        let entries = server.ledger().entries();
        assert_eq!(entries.iter().map(|entry| entry.status.unwrap()).collect::<Vec<_>>(), [200, 200, 429]);
        assert_eq!(ms_of(&entries[..2], end), [4_000.0, 5_000.0]);
        assert_eq!(ms_of(&entries[..2], |entry| entry.waited_ns), [3_000.0, 3_900.0]);
    });
}

#[test]
fn a_slow_reader_does_not_hold_a_server() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"fixed\", value = \"100ms\" }\ncompletion.tokens = { dist = \"fixed\", value = 10000 }
             [capacity]\nmodel = \"queue\"\nservers = 1\n",
        );
        // Its answer is longer than what fits into the connection, and it never reads.
        let (mut slow, far) = tokio::io::duplex(1000);
        tokio::spawn(server.serve_connection(far));
        slow.write_all(&chat("", ",\"stream\":true")).await.unwrap();
        sleep(ms(1)).await;
        all(send(&server, 1, "")).await;
        assert_eq!(ms_of(&server.ledger().entries(), end), [200.0]);
        drop(slow);
    });
}

#[test]
fn a_hang_holds_its_server_until_its_caller_goes_away() {
    run_virtual(async {
        let server = server(
            "[capacity]\nmodel = \"queue\"\nservers = 1\n[[phase]]\nfor = \"10ms\"\nfault = { fault = \"hang\", probability = 1.0 }",
        );
        let mut hanging = connect(&server);
        hanging.write_all(&chat("", "")).await.unwrap();
        sleep(ms(20)).await;
        let waiting = send(&server, 1, "");
        sleep(ms(500)).await;
        assert_eq!(server.in_flight(), 2);
        drop(hanging);
        all(waiting).await;
        assert_eq!(ms_of(&server.ledger().entries()[1..], end), [520.0]);
    });
}

#[test]
fn a_rate_spaces_requests_evenly_and_names_the_wait_to_those_it_turns_away() {
    const RATE: &str = "[capacity]\nmodel = \"rate\"\nrequests_per_second = 100\n";
    run_virtual(async {
        let server = server(RATE);
        all(send(&server, 5, "")).await;
        assert_eq!(ms_of(&server.ledger().drain(), end), [0.0, 10.0, 20.0, 30.0, 40.0]);
        sleep(ms(1_000)).await;
        all(send(&server, 2, "")).await;
        let ends = ms_of(&server.ledger().drain(), end);
        assert_eq!(ends[1] - ends[0], 10.0, "a pause is not saved up");
    });
    run_virtual(async {
        let server = server(&format!("{RATE}waiting_room = 0"));
        let answers = all(send(&server, 2, "")).await;
        assert_eq!(statuses(&answers), [200, 429]);
        assert!(answers[1][0].text.contains("\r\nretry-after-ms: 10\r\n"), "{}", answers[1][0].text);
        sleep(ms(10)).await;
        assert_eq!(statuses(&all(send(&server, 1, "")).await), [200]);
    });
}

const BATCH: &str = "
    completion.tokens = { dist = \"fixed\", value = 3 }
    [capacity]
    model = \"batch\"
    max_batch = 2
    step = \"10ms\"
";

#[test]
fn a_batch_gives_everyone_in_it_a_token_a_step_and_lets_others_join_between_steps() {
    run_virtual(async {
        let server = server(BATCH);
        let start = now();
        let first = send(&server, 1, ",\"stream\":true");
        sleep(ms(5)).await;
        let others = send(&server, 2, ",\"stream\":true");
        let mut answers = all(first).await;
        answers.extend(all(others).await);
        let seen = |parts: &Vec<Part>| parts.iter().map(|part| (part.at - start).as_millis()).collect::<Vec<_>>();
        let seen: Vec<_> = answers.iter().map(seen).collect();
        // The second joins at 10 ms, when a step begins; the third when the first is done.
        assert_eq!(seen, [vec![10, 20, 30], vec![20, 30, 40], vec![40, 50, 60]]);
        let entries = server.ledger().entries();
        assert_eq!(ms_of(&entries, |entry| entry.waited_ns), [0.0, 5.0, 25.0]);
        assert_eq!(ms_of(&entries, |entry| entry.latency_ns), [30.0; 3]);
        assert!(
            entries.iter().all(|entry| (entry.due_first_ns, entry.due_end_ns) == (entry.first_written_ns, entry.end_written_ns))
        );
    });
}

#[test]
fn a_whole_answer_of_a_batch_comes_with_its_last_token() {
    run_virtual(async {
        let server = server(BATCH);
        let start = now();
        let answers = all(send(&server, 3, "")).await;
        let seen: Vec<_> = answers.iter().map(|parts| (parts[0].at - start).as_millis()).collect();
        // The second comes when the first step has begun.
        assert_eq!(seen, [30, 40, 60]);
    });
}

/// Mean TTFT and mean gap between tokens in ms, and completion tokens a second, of so many callers in a closed loop.
fn under_load(callers: u64) -> (f64, f64, f64) {
    const SATURATING: &str = "
        completion.tokens = { dist = \"fixed\", value = 20 }
        [capacity]
        model = \"batch\"
        max_batch = 16
        step = \"10ms\"
        step_per_request = \"500us\"
        prefill_tokens_per_second = 5000
        collapse_above = 64
        collapse_per_request = 0.02
    ";
    run_virtual(async move {
        let server = server(SATURATING);
        let caller = |caller: u64| {
            let server = server.clone();
            tokio::spawn(async move {
                for turn in 0..10 {
                    let head = format!("x-client-request-id: {caller}-{turn}\r\n");
                    exchange(&server, &chat(&head, ",\"stream\":true")).await;
                }
            })
        };
        let start = now();
        for caller in (0..callers).map(caller).collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        let elapsed_s = start.elapsed().as_secs_f64();
        let entries = server.ledger().drain();
        let mean =
            |of: &dyn Fn(&Entry) -> u64| entries.iter().map(|entry| of(entry) as f64 / 1e6).sum::<f64>() / entries.len() as f64;
        let ttft = mean(&|entry| entry.due_first_ns.unwrap() - entry.arrived_ns);
        let gap = mean(&|entry| (entry.due_end_ns.unwrap() - entry.due_first_ns.unwrap()) / 19);
        (ttft, gap, entries.len() as f64 * 20.0 / elapsed_s)
    })
}

#[test]
fn under_load_first_tokens_and_gaps_grow_and_throughput_has_a_knee_and_collapses() {
    let [alone, half, full, over, far_over] = [1, 8, 16, 64, 256].map(under_load);
    assert!(alone.0 < half.0 && half.0 < full.0 && full.0 < over.0, "TTFT: {alone:?} {half:?} {full:?} {over:?}");
    assert!(alone.1 < half.1 && half.1 < full.1, "gaps: {alone:?} {half:?} {full:?}");
    // Up to a full batch throughput rises, then it stays, and beyond its limit it falls.
    assert!(full.2 > 1.5 * half.2 && half.2 > 3.0 * alone.2, "{alone:?} {half:?} {full:?}");
    assert!((over.2 / full.2 - 1.0).abs() < 0.2, "{full:?} {over:?}");
    assert!(far_over.2 < 0.5 * over.2, "{over:?} {far_over:?}");
}

#[test]
fn a_caller_who_leaves_a_batch_makes_room_for_the_next_step() {
    run_virtual(async {
        let server = server(BATCH);
        let mut leaving = connect(&server);
        leaving.write_all(&chat("", ",\"stream\":true")).await.unwrap();
        sleep(ms(1)).await;
        let others = send(&server, 2, "");
        sleep(ms(14)).await;
        drop(leaving);
        all(others).await;
        // The second joined at 10 ms; the third at 20 ms, when the next step began after the first had left.
        assert_eq!(ms_of(&server.ledger().entries()[1..], end), [40.0, 50.0]);
    });
}

#[test]
fn whoever_waits_is_served_although_the_runtime_that_drove_the_queue_has_ended() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let driving = runtime();
    let server = driving.block_on(async {
        let server =
            server("latency.total = { dist = \"fixed\", value = \"20ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 1\n");
        // One is served and one waits: whoever saw to it that the second gets its turn is of this runtime.
        drop(send(&server, 2, ""));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        server
    });
    let waiting = runtime();
    waiting.block_on(async {
        let behind = send(&server, 2, "");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.in_flight(), 4);
        driving.shutdown_background();
        assert_eq!(statuses(&all(behind).await), [200; 2]);
    });
    assert_eq!(server.in_flight(), 0);
}

#[test]
fn waiting_is_as_exact_after_an_hour() {
    run_virtual(async {
        let server =
            server("latency.total = { dist = \"fixed\", value = \"7ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 1\n");
        sleep(Duration::from_secs(3600)).await;
        all(send(&server, 3, "")).await;
        let entries = server.ledger().entries();
        assert_eq!(ms_of(&entries, |entry| end(entry) - 3_600_000_000_000), [7.0, 14.0, 21.0]);
    });
}
