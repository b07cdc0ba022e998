//! Requests that make nothing: faults befall those for models too, and those that reach no route are entries.

use relaybench_clock::run_virtual;
use relaybench_mock::{Ending, FaultName, FaultOutcome, MockServer};
use tokio::io::AsyncWriteExt;

use crate::support::{KEY, chat, connect, ms, request, server, status, text};

fn models(path: &str) -> Vec<u8> {
    request("GET", path, KEY, "")
}

async fn asked(server: &MockServer, path: &str) -> u16 {
    status(&text(server, &models(path)).await)
}

#[test]
fn what_a_profile_or_the_queue_plans_befalls_lists_of_models_as_well() {
    run_virtual(async {
        let faults = "[[fault]]\nfault = \"status=503\"\nfirst = 2\n[[fault]]\nfault = \"status=418\"\nmodels = [\"gpt-4.1\"]\n";
        let server = server(&format!("{faults}[[phase]]\nfrom = \"10s\"\nfor = \"10s\"\nfault = {{ fault = \"status=500\" }}"));
        server.queue_faults(1, "status=502".parse().unwrap());
        let mut seen = Vec::new();
        for path in ["/v1/models", "/v1/models", "/v1/models/gpt-4.1", "/v1/models/gpt-4.1", "/v1/models"] {
            seen.push(asked(&server, path).await);
        }
        assert_eq!(seen, [502, 503, 503, 418, 200]);
        relaybench_clock::sleep(ms(10_000)).await;
        assert_eq!(asked(&server, "/v1/models").await, 500);
        let entries = server.ledger().drain();
        let played: Vec<_> = entries.iter().map(|entry| entry.fault.map(|fault| (fault.name, fault.outcome))).collect();
        let status = Some((FaultName::Status, FaultOutcome::Played));
        assert_eq!(played, [status, status, status, status, None, status]);
    });
}

#[test]
fn a_fault_that_models_cannot_play_is_an_entry_and_an_unknown_model_takes_none() {
    run_virtual(async {
        let server = server("");
        server.queue_faults(1, "error-event".parse().unwrap());
        assert_eq!((asked(&server, "/v1/models/gpt-0").await, server.queued()), (404, 1));
        assert_eq!((asked(&server, "/v1/models").await, server.queued()), (200, 0));
        let fault = server.ledger().entries().pop().unwrap().fault.unwrap();
        assert_eq!((fault.name, fault.outcome), (FaultName::ErrorEvent, FaultOutcome::NeedsStream));
    });
}

#[test]
fn a_hang_of_models_has_no_status() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"hang\"");
        let mut connection = connect(&server);
        connection.write_all(&models("/v1/models")).await.unwrap();
        relaybench_clock::sleep(ms(1_000)).await;
        drop(connection);
        relaybench_clock::sleep(ms(10)).await;
        let entry = server.ledger().drain().remove(0);
        assert_eq!((entry.status, entry.ending, entry.due_end_ns), (None, Ending::Hung, None));
        assert_eq!(entry.fault.unwrap().outcome, FaultOutcome::Played);
    });
}

#[test]
fn a_request_to_no_route_is_an_entry_with_the_fault_that_it_asked_for() {
    run_virtual(async {
        let server = server("");
        let lost = request("POST", "/chat/completions", &format!("{KEY}x-mock-fault: reset\r\n"), "{}");
        assert_eq!(status(&text(&server, &lost).await), 404);
        assert_eq!(status(&text(&server, &request("GET", "/v1/chat/completions", KEY, "")).await), 405);
        text(&server, &chat("", "")).await;
        let entries = server.ledger().drain();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.status, entry.ending, entry.model.is_some())).collect();
        assert_eq!(
            seen,
            [(Some(404), Ending::Served, false), (Some(405), Ending::Served, false), (Some(200), Ending::Served, true)]
        );
        let fault = entries[0].fault.unwrap();
        assert_eq!((fault.name, fault.outcome), (FaultName::Reset, FaultOutcome::NotReached));
    });
}
