//! Whom faults befall: by share, by count, by key, by model, by order and by request.

use relaybench_clock::{now, run_virtual};
use relaybench_mock::relay::{Tally, Welcome, welcome};
use relaybench_mock::{FaultKind, FaultName, FaultOutcome, MockServer, Outcome};

use crate::support::{KEY, chat, chat_body, exchange, ms, profile, request, server, status, text};

async fn statuses(server: &MockServer, requests: &[Vec<u8>]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(status(&text(server, request).await));
    }
    statuses
}

fn asked_by(key: &str, model: &str) -> Vec<u8> {
    request("POST", "/v1/chat/completions", &format!("authorization: Bearer {key}\r\n"), &chat_body(model, ""))
}

fn with_prompt(prompt: &str) -> Vec<u8> {
    let body =
        format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"{prompt}"}},{{"role":"user","content":"b"}}]}}"#);
    request("POST", "/v1/chat/completions", KEY, &body)
}

#[test]
fn the_first_so_many_are_counted_by_rule_among_those_that_match() {
    run_virtual(async {
        let server = server(
            "[[fault]]\nfault = \"status=503\"\nfirst = 2\nmodels = [\"gpt-4o\"]
             [[fault]]\nfault = \"status=500\"\nfirst = 1\nkeys = [\"b\"]",
        );
        let requests = [("a", "gpt-4.1"), ("a", "gpt-4o"), ("b", "gpt-4o"), ("b", "gpt-4o"), ("b", "gpt-4o"), ("a", "gpt-4o")];
        let answers = statuses(&server, &requests.map(|(key, model)| asked_by(key, model))).await;
        assert_eq!(answers, [200, 503, 503, 500, 200, 200]);
        // A profile that comes anew counts anew.
        server.swap_profile(profile("[[fault]]\nfault = \"status=503\"\nfirst = 1"));
        assert_eq!(statuses(&server, &[chat("", ""), chat("", "")]).await, [503, 200]);
    });
}

#[test]
fn a_fault_of_a_phase_is_limited_in_the_same_ways() {
    run_virtual(async {
        let server = server("[[phase]]\nfor = \"10s\"\nfault = { fault = \"status=503\", first = 1, models = [\"gpt-4o\"] }");
        let requests = [asked_by("a", "gpt-4.1"), asked_by("a", "gpt-4o"), asked_by("a", "gpt-4o")];
        assert_eq!(statuses(&server, &requests).await, [200, 503, 200]);
    });
}

#[test]
fn queued_outcomes_come_before_all_else_in_the_order_of_arrival() {
    run_virtual(async {
        let server = server("[[burst]]\nevery = \"1h\"\nfor = \"1h\"");
        server.queue_faults(2, FaultKind::Status(500));
        server.script([Outcome::Ordinary, FaultKind::Html(502).into()]);
        assert_eq!(server.queued(), 4);
        let nobody = request("POST", "/v1/chat/completions", "", &chat_body("gpt-4.1", ""));
        let mut requests = vec![chat("", ""), nobody, chat("x-mock-fault: status=418\r\n", "")];
        requests.extend((0..4).map(|_| chat("", "")));
        assert_eq!(statuses(&server, &requests).await, [500, 401, 418, 500, 200, 502, 429]);
        server.queue_faults(1, FaultKind::Hang);
        server.clear_queue();
        assert_eq!((server.queued(), statuses(&server, &[chat("", "")]).await), (0, vec![429]));
    });
}

#[test]
fn a_request_says_what_befalls_it_in_headers_or_in_its_prompt() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"900ms\" }");
        for (request, expected, took) in [
            (chat("x-mock-latency: 250ms\r\n", ""), 200, 250),
            (chat("x-mock-fault: status=503\r\n", ""), 503, 0),
            (chat("x-mock-fault: status=503\r\nx-mock-latency: 1.5s\r\n", ""), 503, 1_500),
            (with_prompt("a [[mock latency=250ms]] b"), 200, 250),
            (with_prompt("[[mock fault=html=502 latency=20ms]]"), 502, 20),
            (with_prompt("[[mock fault=status=500]] [[mock latency=1s]]"), 200, 1_000),
            (with_prompt("[[mocking]]"), 200, 900),
            // As JSON escapes them.
            (with_prompt(r"[[mock\nfault=status=503\r\n\tlatency=20ms\n]]"), 503, 20),
            (with_prompt("[[MOCK fault=status=503]]"), 200, 900),
            (with_prompt(r"\u005b[mock fault=status=503]]"), 200, 900),
        ] {
            let start = now();
            let parts = exchange(&server, &request).await;
            assert_eq!((status(&parts[0].text), parts[0].at - start), (expected, ms(took)));
        }
        let headers_first = String::from_utf8(with_prompt("[[mock latency=250ms]]")).unwrap();
        let headers_first = headers_first.replace("\r\n\r\n", "\r\nx-mock-latency: 70ms\r\n\r\n").into_bytes();
        let start = now();
        assert_eq!(exchange(&server, &headers_first).await[0].at - start, ms(70));
    });
}

#[test]
fn a_streams_latency_is_that_of_its_first_token_and_the_gaps_stay_its_own() {
    let profiles = [
        "latency.first_token = { dist = \"fixed\", value = \"900ms\" }\nlatency.inter_token = { dist = \"fixed\", value = \"10ms\" }",
        "latency.total = { dist = \"fixed\", value = \"30ms\" }",
        "[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"30ms\" }",
    ];
    for toml in profiles {
        run_virtual(async move {
            let server = server(&format!("completion.tokens = {{ dist = \"fixed\", value = 3 }}\n{toml}"));
            let start = now();
            let parts = exchange(&server, &chat("x-mock-latency: 250ms\r\n", ",\"stream\":true")).await;
            let times: Vec<_> = parts.iter().map(|part| part.at - start).collect();
            assert_eq!(times, [ms(250), ms(260), ms(270)]);
            let start = now();
            assert_eq!(exchange(&server, &chat("x-mock-latency: 250ms\r\n", "")).await[0].at - start, ms(250));
        });
    }
}

#[test]
fn a_wrong_request_is_answered_with_what_would_be_right() {
    run_virtual(async {
        let server = server("");
        for (request, expected) in [
            (chat("x-mock-fault: resett\r\n", ""), r#"\"resett\" is no fault, did you mean \"reset\"?"#),
            (chat("x-mock-fault: refuse\r\n", ""), r#"\"refuse\" befalls connections, before there is an attempt"#),
            (chat("x-mock-latency: 250\r\n", ""), r#"\"250\" has no unit; write a duration such as \"250ms\""#),
            (
                with_prompt("[[mock fault=slow-headers]]"),
                r#"slow-headers takes a duration above 0, of a century at most: \"slow-headers=2s\""#,
            ),
            (with_prompt("[[mock lateny=1s]]"), r#"\"lateny=1s\" in a marker is unknown, did you mean \"latency\"?"#),
            (with_prompt("[[mock lag=1s]]"), r#"\"lag=1s\" in a marker is unknown, known here: fault, latency. Write [[mock"#),
            (with_prompt(r"[[mock fault=resett\n]]"), r#"\"resett\" is no fault, did you mean \"reset\"?"#),
            (with_prompt("[[mock]]"), "A marker in the prompt asks for nothing. Write [[mock"),
            (with_prompt("[[mock ]]"), "A marker in the prompt asks for nothing. Write [[mock"),
            (with_prompt("[[mock fault=reset fault=close]]"), "fault is twice in a marker."),
            (chat("x-mock-fault: reset\r\nx-mock-fault: close\r\n", ""), "x-mock-fault is sent twice; send it once."),
            (with_prompt("[[mock reset"), "write [[mock fault=reset latency=250ms]]"),
        ] {
            let answer = text(&server, &request).await;
            assert!(status(&answer) == 400 && answer.contains(expected), "{answer}");
        }
        // What only begins like a marker is none.
        assert_eq!(status(&text(&server, &with_prompt("[[mockingbird]]")).await), 200);
        let behind = text(&server, &with_prompt("[[mock fault=status=503]] [[mockingbird]]")).await;
        assert_eq!(status(&behind), 503);
        server.swap_profile(profile("[capacity]\nmodel = \"batch\"\nmax_batch = 1\nstep = \"1ms\""));
        let answer = text(&server, &chat("x-mock-latency: 250ms\r\n", "")).await;
        assert!(status(&answer) == 400 && answer.contains("whatever its batch makes it"), "{answer}");
    });
}

#[test]
fn the_ledger_has_what_was_planned_and_what_came_of_it() {
    run_virtual(async {
        let server = server("");
        exchange(&server, &chat("x-mock-fault: status=503\r\n", "")).await;
        exchange(&server, &chat("x-mock-fault: html=502\r\n", "")).await;
        exchange(&server, &chat("", "")).await;
        let faults: Vec<_> = server.ledger().entries().iter().map(|e| e.fault.map(|fault| (fault.name, fault.outcome))).collect();
        let played = |name| Some((name, FaultOutcome::Played));
        assert_eq!(faults, [played(FaultName::Status), played(FaultName::Html), None]);
    });
}

#[test]
fn connections_get_what_the_profile_says_of_the_listener() {
    let profile = profile(
        "[[fault]]\nfault = \"refuse\"\nfirst = 2
         [[fault]]\nfault = \"close-idle=5s\"
         [[phase]]\nfrom = \"10s\"\nfor = \"10s\"\nfault = { fault = \"slow-accept=1s\", probability = 0.5 }",
    );
    let tally = Tally::new(&profile);
    let refused: Vec<bool> = (0..4).map(|number| welcome(&profile, number, ms(0), &tally).is_refused).collect();
    assert_eq!(refused, [true, true, false, false]);
    let ordinary = Welcome { is_refused: false, served_after: ms(0), closes_idle_after: Some(ms(5_000)) };
    assert_eq!(welcome(&profile, 9, ms(0), &tally), ordinary);
    let slow = (0..1_000).filter(|number| welcome(&profile, *number, ms(15_000), &tally).served_after == ms(1_000)).count();
    // Three standard errors are 47.
    assert!((453..547).contains(&slow), "{slow}");
}

#[test]
fn a_list_of_models_has_what_its_headers_ask_for() {
    run_virtual(async {
        let server = server("");
        let list = |headers: &str| request("GET", "/v1/models", &format!("{KEY}{headers}"), "");
        let whole = text(&server, &list("")).await;
        for (headers, expected, at) in [
            ("x-mock-fault: status=503\r\n", "HTTP/1.1 503 ", 0),
            ("x-mock-latency: 2s\r\n", "HTTP/1.1 200 ", 2_000),
            ("x-mock-fault: truncate=3b\r\nx-mock-latency: 1s\r\n", "HTTP/1.1 200 ", 1_000),
            ("x-mock-fault: no-done\r\n", "HTTP/1.1 200 ", 0),
            ("x-mock-fault: drop\r\n", "HTTP/1.1 400 ", 0),
        ] {
            let start = now();
            let parts = exchange(&server, &list(headers)).await;
            let answer: String = parts.iter().map(|part| part.text.as_str()).collect();
            assert!(answer.starts_with(expected) && parts[0].at - start == ms(at), "{headers}: {answer}");
            assert_eq!(answer.ends_with("\r\n\r\n{\"o"), headers.contains("truncate"), "{answer}");
            assert!(!headers.contains("no-done") || answer.len() == whole.len(), "{answer}");
        }
        let start = now();
        assert!(exchange(&server, &list("x-mock-fault: hang\r\n")).await.is_empty() && now() - start == ms(3_600_000));
        let outcomes: Vec<_> = server.ledger().entries().iter().map(|e| e.fault.map(|fault| fault.outcome)).collect();
        let (played, not) = (Some(FaultOutcome::Played), Some(FaultOutcome::NeedsStream));
        assert_eq!(outcomes, [None, played, None, played, not, None, played]);
    });
}
