//! A relay that changes over time, and one whose profile is swapped.

use relaybench_clock::{now, run_virtual, sleep, sleep_until};
use relaybench_mock::MockServer;

use crate::support::{chat, exchange, ms, profile, server, status};

/// When an answer came after it was asked for in ms, and its status.
async fn ask(server: &MockServer) -> (u64, u16) {
    let start = now();
    let parts = exchange(server, &chat("", "")).await;
    ((parts[0].at - start).as_millis() as u64, status(&parts[0].text))
}

async fn ask_at(server: &MockServer, times_ms: &[u64]) -> Vec<(u64, u16)> {
    let (start, mut answers) = (now(), Vec::new());
    for at in times_ms {
        sleep_until(start + ms(*at)).await;
        answers.push(ask(server).await);
    }
    answers
}

#[test]
fn a_phase_slows_answers_down_while_it_lasts_and_comes_again() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"fixed\", value = \"100ms\" }
             [[phase]]\nfrom = \"10s\"\nfor = \"5s\"\nevery = \"60s\"\nlatency_factor = 4.0",
        );
        let answers = ask_at(&server, &[9_000, 10_000, 14_900, 15_000, 70_000, 75_000]).await;
        assert_eq!(answers.iter().map(|(took, _)| *took).collect::<Vec<_>>(), [100, 400, 400, 100, 400, 100]);
    });
}

#[test]
fn a_ramp_rises_and_abates() {
    run_virtual(async {
        let server = server(
            "latency.first_token = { dist = \"fixed\", value = \"100ms\" }
             latency.inter_token = { dist = \"fixed\", value = \"10ms\" }
             completion.tokens = { dist = \"fixed\", value = 11 }
             [[phase]]\nfrom = \"10s\"\nfor = \"40s\"\nramp_up = \"20s\"\nramp_down = \"10s\"\nlatency_factor = 3.0",
        );
        let answers = ask_at(&server, &[0, 20_000, 30_000, 39_000, 45_000, 50_000]).await;
        assert_eq!(answers.iter().map(|(took, _)| *took).collect::<Vec<_>>(), [200, 400, 600, 600, 400, 200]);
    });
}

#[test]
fn phases_that_overlap_multiply_also_on_a_curve() {
    run_virtual(async {
        let server = server(
            "[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"100ms\" }
             [[phase]]\nfrom = \"10s\"\nlatency_factor = 2.0\n[[phase]]\nfrom = \"20s\"\nfor = \"10s\"\nlatency_factor = 1.5",
        );
        let answers = ask_at(&server, &[0, 10_000, 20_000, 30_000]).await;
        assert_eq!(answers.iter().map(|(took, _)| *took).collect::<Vec<_>>(), [100, 200, 300, 200]);
    });
}

#[test]
fn a_phase_slows_the_steps_of_a_batch_that_begin_in_it() {
    run_virtual(async {
        let server = server(
            "completion.tokens = { dist = \"fixed\", value = 4 }
             [capacity]\nmodel = \"batch\"\nmax_batch = 8\nstep = \"10ms\"
             [[phase]]\nfrom = \"15ms\"\nfor = \"10ms\"\nlatency_factor = 5.0",
        );
        // Two steps of 10 ms, one of 50 ms that began in the phase, and one of 10 ms.
        assert_eq!(ask(&server).await.0, 80);
    });
}

#[test]
fn an_outage_heals_by_itself() {
    run_virtual(async {
        let server = server("[[phase]]\nfrom = \"30s\"\nfor = \"10s\"\nfault = { fault = \"status=503\", probability = 1.0 }");
        let answers = ask_at(&server, &[0, 29_999, 30_000, 39_999, 40_000]).await;
        assert_eq!(answers.iter().map(|(_, status)| *status).collect::<Vec<_>>(), [200, 200, 503, 503, 200]);
    });
}

#[test]
fn a_relay_that_recovers_fails_less_and_less() {
    run_virtual(async {
        let server =
            server("[[phase]]\nfor = \"100s\"\nramp_down = \"100s\"\nfault = { fault = \"status=500\", probability = 0.8 }");
        let mut failures = [0; 4];
        for quarter in &mut failures {
            for _ in 0..1_000 {
                *quarter += u32::from(ask(&server).await.1 == 500);
                sleep(ms(25)).await;
            }
        }
        // 0.7, 0.5, 0.3 and 0.1 on average; three standard errors are 0.048.
        for (failed, expected) in failures.into_iter().zip([700.0_f64, 500.0, 300.0, 100.0]) {
            assert!((f64::from(failed) - expected).abs() < 48.0, "{failures:?}");
        }
    });
}

#[test]
fn a_fault_in_a_phase_does_not_change_what_else_an_attempt_draws() {
    let latencies = |extra: &str| {
        let server = profile(&format!("latency.total = {{ dist = \"uniform\", min = \"1ms\", max = \"9ms\" }}\n{extra}"));
        run_virtual(async move {
            let server = MockServer::new(server);
            for id in 0..50 {
                exchange(&server, &chat(&format!("x-client-request-id: {id}\r\n"), "")).await;
            }
            server.ledger().drain().iter().map(|entry| (entry.status, entry.latency_ns)).collect::<Vec<_>>()
        })
    };
    let (calm, failing) = (latencies(""), latencies("[[phase]]\nfault = { fault = \"status=503\", probability = 0.4 }"));
    let served: Vec<_> = failing.iter().enumerate().filter(|(_, (status, _))| *status == Some(200)).collect();
    assert!((20..40).contains(&served.len()), "{}", served.len());
    assert!(served.into_iter().all(|(index, drawn)| calm[index] == *drawn));
}

#[test]
fn whoever_is_in_flight_when_the_profile_is_swapped_ends_under_the_one_it_began_with() {
    run_virtual(async {
        let server =
            server("latency.total = { dist = \"fixed\", value = \"500ms\" }\n[capacity]\nmodel = \"queue\"\nservers = 1");
        let old: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { ask(&server).await })
            })
            .collect();
        sleep(ms(200)).await;
        server.swap_profile(profile("name = \"new\"\nlatency.total = { dist = \"fixed\", value = \"50ms\" }"));
        assert_eq!(server.profile().name(), "new");
        assert_eq!(server.in_flight(), 0);
        assert_eq!(ask(&server).await, (50, 200));
        for (turn, answer) in (1..).zip(old) {
            assert_eq!(answer.await.unwrap(), (500 * turn, 200));
        }
        let entries = server.ledger().entries();
        // The ledger goes on: its instants are those of the server.
        assert_eq!((entries[3].arrived_ns, entries[3].due_end_ns), (200_000_000, Some(250_000_000)));
        assert_eq!(entries[2].end_written_ns, Some(1_500_000_000));
    });
}

#[test]
fn the_time_of_a_new_profile_begins_with_it() {
    run_virtual(async {
        let server = server("");
        sleep(ms(60_000)).await;
        server.swap_profile(profile("[[phase]]\nfor = \"10s\"\nfault = { fault = \"status=503\", probability = 1.0 }"));
        assert_eq!(ask(&server).await.1, 503);
        sleep(ms(10_000)).await;
        assert_eq!(ask(&server).await.1, 200);
        let entries = server.ledger().entries();
        assert_eq!((entries[0].arrived_ns, entries[0].end_written_ns), (60_000_000_000, Some(60_000_000_000)));
    });
}
