//! A fault that cannot be played is an entry in the ledger, and the answer is what it would have been.

use relaybench_clock::run_virtual;
use relaybench_mock::{Ending, FaultName, FaultOutcome, MockServer, Outcome};

use super::seen::{PROFILE, ordinary, seen};
use crate::support::{chat, connect, exchange, http2, profile, server, text};

#[test]
fn faults_of_streams_need_one_and_those_of_whole_answers_need_one() {
    for (fault, is_stream, outcome) in [
        ("malformed-json", true, FaultOutcome::NeedsWhole),
        ("malformed-chunk", false, FaultOutcome::NeedsStream),
        ("error-event", false, FaultOutcome::NeedsStream),
        ("no-done", false, FaultOutcome::NeedsStream),
        ("truncate=1c", false, FaultOutcome::NeedsStream),
        ("stall=99c", true, FaultOutcome::NothingThere),
        ("reset-mid-body=9999b", false, FaultOutcome::NothingThere),
    ] {
        let (seen, entry) = seen(fault, is_stream);
        assert_eq!(seen, ordinary(is_stream), "{fault}");
        assert_eq!((entry.fault.unwrap().outcome, entry.ending), (outcome, Ending::Served), "{fault}");
        assert_eq!(format!("{}", entry.fault.unwrap().name), fault.split('=').next().unwrap());
    }
}

#[test]
fn a_connection_that_cannot_be_reset_is_not() {
    run_virtual(async {
        let server = server(PROFILE);
        for fault in ["reset", "reset-mid-body"] {
            // The connections of these tests are those of tokio, which know no reset.
            let answer = text(&server, &chat(&format!("x-mock-fault: {fault}\r\n"), "")).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with('}'), "{answer}");
        }
        assert!(server.ledger().entries().iter().all(|entry| entry.fault.unwrap().outcome == FaultOutcome::NeedsReset));
    });
}

#[test]
fn a_fault_whose_time_does_not_come_was_planned_all_the_same() {
    run_virtual(async {
        let failing =
            "[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"90ms\" }\nfailure_share = 1.0";
        let server = server(failing);
        exchange(&server, &chat("x-mock-fault: reset\r\n", "")).await;
        let entry = server.ledger().drain().remove(0);
        assert_eq!((entry.status, entry.fault.unwrap().outcome), (Some(503), FaultOutcome::NotReached));

        server.swap_profile(profile("latency.total = { dist = \"fixed\", value = \"1s\" }"));
        let mut connection = connect(&server);
        tokio::io::AsyncWriteExt::write_all(&mut connection, &chat("x-mock-fault: truncate\r\n", "")).await.unwrap();
        relaybench_clock::sleep(crate::support::ms(500)).await;
        drop(connection);
        relaybench_clock::sleep(crate::support::ms(500)).await;
        let entry = server.ledger().drain().remove(0);
        assert_eq!((entry.ending, entry.fault.unwrap().outcome), (Ending::CallerLeft, FaultOutcome::NotReached));
    });
}

#[test]
fn the_ledgers_lines_name_the_fault_and_its_outcome() {
    run_virtual(async {
        let server = MockServer::new(profile(PROFILE));
        server.script(["error-in-200".parse().unwrap(), Outcome::Ordinary]);
        exchange(&server, &chat("", "")).await;
        exchange(&server, &chat("", "")).await;
        let lines: Vec<_> = server.ledger().drain().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        assert!(lines[0].contains(r#""fault":{"name":"error-in-200","outcome":"played"}"#), "{}", lines[0]);
        assert!(lines[1].contains(r#""fault":null"#), "{}", lines[1]);
    });
}

#[test]
fn bytes_of_http1_need_it_and_all_else_befalls_http2_as_well() {
    run_virtual(async {
        let server = server(PROFILE);
        let (mut sender, _connection) = http2::handshake(connect(&server)).await;
        let mut outcomes = Vec::new();
        for (fault, is_whole) in
            [("truncate", true), ("reset", true), ("close", true), ("no-done", false), ("error-event", false)]
        {
            server.queue_faults(1, fault.parse().unwrap());
            let (_, answer) = http2::exchange(&mut sender, http2::chat(",\"stream\":true")).await.unwrap();
            assert_eq!(answer.ends_with("data: [DONE]\n\n"), is_whole, "{fault}: {answer}");
            outcomes.push(server.ledger().entries().last().unwrap().fault.unwrap().outcome);
        }
        let (needs, played) = (FaultOutcome::NeedsHttp1, FaultOutcome::Played);
        assert_eq!(outcomes, [needs, needs, needs, played, played]);
    });
}

#[test]
fn a_fault_that_was_asked_for_is_in_the_entry_of_an_attempt_that_is_refused_before_it() {
    run_virtual(async {
        let server = server("auth.keys = [\"sk-test\"]\nlimits.requests_per_minute = 1\nlimits.body_bytes = 400");
        let (key, path, body) = (crate::support::KEY, "/v1/chat/completions", crate::support::chat_body("gpt-4.1", ""));
        let large = format!("{body}{}", " ".repeat(400));
        let marked = body.replace("Explain", "[[mock fault=stall]] Explain");
        exchange(&server, &chat("", "")).await;
        for (method, path, headers, body, expected) in [
            ("POST", path, "x-mock-fault: stall\r\n".to_owned(), body.as_str(), 401),
            ("POST", path, format!("{key}x-mock-fault: stall\r\n"), "{}", 400),
            ("POST", path, format!("{key}x-mock-fault: stall\r\n"), &body.replace("gpt-4.1", "gpt-0"), 404),
            ("POST", path, format!("{key}x-mock-fault: stall\r\n"), &large, 413),
            ("POST", path, format!("{key}x-mock-fault: stall\r\n"), &body, 429),
            ("POST", path, key.to_owned(), &marked, 429),
            ("POST", path, key.to_owned(), &marked.replace("gpt-4.1", "gpt-0"), 404),
            ("GET", "/v1/models", "x-mock-fault: stall\r\n".to_owned(), "", 401),
        ] {
            let answer = text(&server, &crate::support::request(method, path, &headers, body)).await;
            assert_eq!(crate::support::status(&answer), expected, "{answer}");
            let entry = server.ledger().entries().pop().unwrap();
            let fault = entry.fault.map(|fault| (fault.name, fault.outcome));
            assert_eq!(fault, Some((FaultName::Stall, FaultOutcome::NotReached)), "{expected} {headers}");
        }
    });
}

/// What is asked of a server, the status that is answered, and the fault in its entry.
async fn refused(server: &MockServer, request: &[u8], expected: u16) -> Option<(FaultName, FaultOutcome)> {
    let answer = text(server, request).await;
    assert_eq!(crate::support::status(&answer), expected, "{answer}");
    server.ledger().entries().pop().unwrap().fault.map(|fault| (fault.name, fault.outcome))
}

#[test]
fn a_fault_of_the_profile_that_a_refusal_forestalls_is_in_the_entry() {
    run_virtual(async {
        let stalled = Some((FaultName::Stall, FaultOutcome::NotReached));
        let limits = "auth.keys = [\"sk-test\"]\nlimits.requests_per_minute = 1\nlimits.body_bytes = 400\n";
        let stall = "[[fault]]\nfault = \"stall\"\nmodels = [\"gpt-4.1\"]\n";
        let server = server(&format!("{limits}{stall}[[fault]]\nfault = \"no-done\""));
        let (key, path, body) = (crate::support::KEY, "/v1/chat/completions", crate::support::chat_body("gpt-4.1", ""));
        let hot = crate::support::chat_body("gpt-4.1", r#","temperature":9"#);
        let large = format!("{body}{}", " ".repeat(400));
        let of_all = Some((FaultName::NoDone, FaultOutcome::NotReached));
        server.script([Outcome::Ordinary]);
        assert_eq!(refused(&server, &chat("", ""), 200).await, None);
        for (method, path, headers, body, status, fault) in [
            ("POST", path, key, body.as_str(), 429, stalled),
            ("POST", path, key, hot.as_str(), 400, stalled),
            // Its model is not known, so that only those for all models would have befallen it.
            ("POST", path, "", body.as_str(), 401, of_all),
            ("POST", path, key, large.as_str(), 413, of_all),
            ("POST", path, key, &body.replace("gpt-4.1", "gpt-0"), 404, of_all),
            ("GET", "/v1/models/gpt-0", key, "", 404, of_all),
            ("GET", "/v1/models", "", "", 401, of_all),
            // No rule is about routes.
            ("GET", "/v1/nothing", key, "", 404, None),
        ] {
            let request = crate::support::request(method, path, headers, body);
            assert_eq!(refused(&server, &request, status).await, fault, "{method} {path} {status}");
        }
        // What is queued would have befallen it, and waits for the next.
        server.script([Outcome::Ordinary]);
        assert_eq!(refused(&server, &chat("", ""), 429).await, None);
        assert_eq!(server.queued(), 1);
    });
}

#[test]
fn a_refusal_takes_no_turn_from_a_fault_of_the_first_and_names_it_while_it_lasts() {
    run_virtual(async {
        let burst = "[[burst]]\nevery = \"10s\"\nfor = \"1s\"\nshare = 1.0\nretry_after = \"1s\"\n";
        let server = server(&format!("{burst}[[fault]]\nfault = \"status=503\"\nfirst = 1"));
        let missed = Some((FaultName::Status, FaultOutcome::NotReached));
        for _ in 0..3 {
            assert_eq!(refused(&server, &chat("", ""), 429).await, missed);
        }
        relaybench_clock::sleep(crate::support::ms(2_000)).await;
        assert_eq!(refused(&server, &chat("", ""), 503).await, Some((FaultName::Status, FaultOutcome::Played)));
        assert_eq!(refused(&server, &chat("", ""), 200).await, None);
        relaybench_clock::sleep(crate::support::ms(8_000)).await;
        assert_eq!(refused(&server, &chat("", ""), 429).await, None);
    });
}

#[test]
fn whoever_is_refused_for_what_it_tells_takes_nothing_from_the_queue() {
    run_virtual(async {
        let server = server("[capacity]\nmodel = \"batch\"\nmax_batch = 4\nstep = \"1ms\"");
        server.script(["status=500".parse().unwrap()]);
        let answer = text(&server, &chat("x-mock-latency: 1s\r\n", "")).await;
        assert_eq!((crate::support::status(&answer), server.queued()), (400, 1), "{answer}");
    });
}
