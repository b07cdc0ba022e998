//! Whom limits refuse, and until when.

use super::*;

#[test]
fn a_retry_is_admitted_after_exactly_what_was_told_and_not_a_millisecond_earlier() {
    let limits = [
        "requests_per_minute = 7",
        "requests_per_day = 7",
        "tokens_per_minute = 97",
        "tokens_per_day = 97",
        "requests_per_minute = 3, tokens_per_minute = 1000, requests_per_day = 4",
    ];
    for (limits, window) in limits.iter().flat_map(|limits| ["bucket", "fixed", "sliding"].map(|window| (*limits, window))) {
        run_virtual(async move {
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"{window}\" }}"));
            // So that no answer is due on a whole second.
            sleep(Duration::from_nanos(1_234_567_891)).await;
            let refusal = loop {
                let answer = ask(&server, r#","max_tokens":14"#).await;
                if status(&answer) == 429 {
                    break answer;
                }
                sleep(Duration::from_micros(123_457)).await;
            };
            let refused = now();
            let told = figure(&refusal, "retry-after-ms");
            assert_eq!(figure(&refusal, "retry-after"), told.div_ceil(1_000));
            sleep_until(refused + ms(told) - ms(1)).await;
            let early = ask(&server, r#","max_tokens":14"#).await;
            assert_eq!((status(&early), figure(&early, "retry-after-ms")), (429, 1), "{limits} {window}: {refusal}");
            sleep_until(refused + ms(told)).await;
            assert_eq!(status(&ask(&server, r#","max_tokens":14"#).await), 200, "{limits} {window}: {refusal}");
        });
    }
}

#[test]
fn after_a_429_that_a_fault_injects_a_retry_is_admitted_when_it_was_told() {
    let cases = [
        ("status=429", "requests_per_minute = 600", 1_000),
        ("status=429:requests", "requests_per_minute = 600", 1_000),
        // Of its own limits nothing is left for longer.
        ("status=429", "requests_per_minute = 1", 60_000),
        ("status=429:tokens", "tokens_per_minute = 900", 1_000),
    ];
    for (fault, limits, wait) in cases {
        run_virtual(async move {
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"sliding\" }}"));
            let refusal = text(&server, &chat(&format!("x-mock-fault: {fault}\r\n"), "")).await;
            let resource = if limits.contains("tokens") { "tokens" } else { "requests" };
            assert_eq!((status(&refusal), figure(&refusal, "retry-after-ms")), (429, wait), "{fault} {limits}");
            assert_eq!(figure(&refusal, &format!("x-ratelimit-remaining-{resource}")), 0, "{fault} {limits}");
            sleep(ms(wait)).await;
            assert_eq!(status(&ask(&server, "").await), 200, "{fault} {limits}");
        });
    }
}

#[test]
fn azure_is_vague_as_often_as_it_is_told_and_always_for_the_same_attempts() {
    const GAPS: &str =
        "dialect = \"azure\"\nauth.keys = [\"sk-test\"]\nazure = { vague_resets = 0.5, missing_retry_after = 0.25 }
                        [limits]\nrequests_per_day = 100\nwindow = \"fixed\"";
    let run = || {
        run_virtual(async {
            let server = server(GAPS);
            let mut seen = Vec::new();
            for id in 0..400 {
                let answer = text(&server, &chat(&format!("x-client-request-id: {id}\r\n"), "")).await;
                let reset = header(&answer, "x-ratelimit-reset-requests").unwrap().to_owned();
                seen.push((status(&answer), reset, header(&answer, "retry-after").is_some()));
            }
            seen
        })
    };
    let seen = run();
    let count = |is: &dyn Fn(&(u16, String, bool)) -> bool| seen.iter().filter(|answer| is(answer)).count();
    // Three standard deviations either side.
    assert!((78..=122).contains(&count(&|(_, reset, _)| reset == "-1")));
    assert!((78..=122).contains(&count(&|(_, reset, _)| reset == "0")));
    assert_eq!(count(&|(status, _, told)| *status == 200 && !told), 100);
    assert!((52..=98).contains(&count(&|(status, _, told)| *status == 429 && !told)));
    assert_eq!(run(), seen);
    // Without gaps there are none.
    let exact = run_virtual(async {
        let server = server(&GAPS.replace("0.5", "0.0").replace("0.25", "0.0").replace("100", "1"));
        let answers = [ask(&server, "").await, ask(&server, "").await];
        answers.map(|answer| (figure(&answer, "x-ratelimit-reset-requests"), header(&answer, "retry-after").is_some()))
    });
    assert_eq!(exact, [(86_400, false), (86_400, true)]);
}

#[test]
fn one_too_many_at_once_is_refused_until_another_ends() {
    run_virtual(async {
        let server = server(&format!("{ANSWERS}limits.concurrency = 3"));
        let answering: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { status(&ask(&server, "").await) })
            })
            .collect();
        sleep(ms(249)).await;
        let refusal = ask(&server, "").await;
        assert_eq!((status(&refusal), header(&refusal, "retry-after")), (429, None));
        // Other models have places of their own.
        let other = request("POST", "/v1/chat/completions", KEY, &chat_body("gpt-4o", ""));
        assert_eq!(status(&text(&server, &other).await), 200);
        assert_eq!(status(&ask(&server, "").await), 200);
        for answer in answering {
            assert_eq!(answer.await.unwrap(), 200);
        }
    });
}
