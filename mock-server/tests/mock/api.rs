//! What a Rust test writes: scripts, and what it expects.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use relaybench_clock::run_virtual;
use relaybench_mock::{Assertions, Ending, FaultName, FaultOutcome, LimitName, MockRelay, MockServer, Outcome};

use crate::support::{chat, exchange, profile, server};

fn ask(relay: &MockRelay, id: &str) -> Vec<u8> {
    let mut connection = TcpStream::connect(relay.addr()).unwrap();
    connection.write_all(&chat(&format!("x-client-request-id: {id}\r\n"), "")).unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    answer
}

#[test]
fn a_script_is_played_in_its_order_and_then_the_profile_goes_on() {
    let relay = MockRelay::start(profile("")).unwrap();
    relay.script([Outcome::status(429), Outcome::fault("reset"), Outcome::ok(), Outcome::status(503)]);
    for id in ["a", "a", "a", "b", "b"] {
        ask(&relay, id);
    }
    relay
        .assert()
        .attempts(5)
        .requests(2)
        .connections(5)
        .models(["gpt-4.1"; 5])
        .statuses([429, 200, 200, 503, 200])
        .endings([Ending::Served, Ending::Broken, Ending::Served, Ending::Served, Ending::Served])
        .faults([FaultName::Status, FaultName::Reset, FaultName::Status])
        .script_done();
}

/// A server that two attempts came to, of which one was refused.
async fn visited() -> MockServer {
    let server = server("");
    server.script([Outcome::status(429)]);
    exchange(&server, &chat("x-client-request-id: first\r\n", "")).await;
    exchange(&server, &chat("x-client-request-id: second\r\n", "")).await;
    server
}

#[test]
fn an_expectation_that_is_not_met_shows_all_attempts() {
    run_virtual(async {
        let seen = visited().await.assert();
        let failure = |expect: &dyn Fn(&Assertions)| {
            let panic = catch_unwind(AssertUnwindSafe(|| expect(&seen))).unwrap_err();
            *panic.downcast::<String>().unwrap()
        };
        let said = failure(&|seen| _ = seen.statuses([429, 429, 200]));
        let expected = "statuses: [429, 429, 200] expected, [429, 200] seen
  #  conn  request  try  model    status  fault   refused by  ending  arrived
  0  0     first    0    gpt-4.1  429     status  -           Served  0.000ms
  1  1     second   0    gpt-4.1  200     -       -           Served  0.000ms
";
        assert_eq!(said, expected);
        for (expect, beginning) in [
            (&(|seen: &Assertions| _ = seen.attempts(3)) as &dyn Fn(&Assertions), "attempts: 3 expected, 2 seen\n"),
            (&|seen| _ = seen.requests(1), "requests: 1 expected, 2 seen\n"),
            (&|seen| _ = seen.connections(1), "connections: 1 expected, 2 seen\n"),
            (&|seen| _ = seen.models(["gpt-4o", "gpt-4o"]), "models: [\"gpt-4o\", \"gpt-4o\"] expected, "),
            (&|seen| _ = seen.endings([Ending::Hung]), "endings: [Hung] expected, [Served, Served] seen\n"),
            (&|seen| _ = seen.faults([]), "faults: [] expected, [Status] seen\n"),
            (&|seen| _ = seen.refused_by([LimitName::Concurrency]), "refused by: [Concurrency] expected, [] seen\n"),
        ] {
            let said = failure(expect);
            assert!(said.starts_with(beginning), "{said}");
        }
        seen.attempts(2).requests(2).connections(2).statuses([429, 200]).script_done();
    });
}

#[test]
fn a_fault_that_was_not_played_is_no_fault_that_was_and_the_table_says_why() {
    run_virtual(async {
        let server = server("");
        server.script([Outcome::fault("no-done"), Outcome::status(503)]);
        for id in ["first", "second"] {
            exchange(&server, &chat(&format!("x-client-request-id: {id}\r\n"), "")).await;
        }
        let seen = server.assert();
        seen.faults([FaultName::Status]).faults_not_played([(FaultName::NoDone, FaultOutcome::NeedsStream)]);
        let panic = catch_unwind(AssertUnwindSafe(|| _ = seen.faults([FaultName::NoDone, FaultName::Status]))).unwrap_err();
        let said = panic.downcast::<String>().unwrap();
        let expected = "faults: [NoDone, Status] expected, [Status] seen
  #  conn  request  try  model    status  fault                   refused by  ending  arrived
  0  0     first    0    gpt-4.1  200     no-done (needs_stream)  -           Served  0.000ms
  1  1     second   0    gpt-4.1  503     status                  -           Served  0.000ms
";
        assert_eq!(*said, expected);
    });
}

#[test]
fn which_limit_refused_is_an_expectation_too() {
    run_virtual(async {
        let server = server("[limits]\nrequests_per_minute = 1\n");
        for id in ["first", "second"] {
            exchange(&server, &chat(&format!("x-client-request-id: {id}\r\n"), "")).await;
        }
        server.assert().statuses([200, 429]).refused_by([LimitName::RequestsPerMinute]).faults([]);
    });
}

#[test]
fn what_is_left_of_a_script_is_told() {
    run_virtual(async {
        let server = visited().await;
        server.script([Outcome::status(500), Outcome::ok()]);
        let panic = catch_unwind(AssertUnwindSafe(|| _ = server.assert().script_done())).unwrap_err();
        assert!(panic.downcast::<String>().unwrap().starts_with("outcomes left in the script: 0 expected, 2 seen\n"));
    });
}

#[test]
fn an_outcome_that_there_is_not_says_what_there_is() {
    let panic = catch_unwind(|| Outcome::fault("resett")).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), "\"resett\" is no fault, did you mean \"reset\"?");
    assert!(catch_unwind(|| Outcome::status(200)).is_err());
}
