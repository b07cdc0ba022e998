//! `relaybench check`: what it finds, in whose words, and what it never does.

use relaybench_mock::Entry;
use tokio::runtime::Builder;
use wiremock::matchers::method;
use wiremock::{Mock, ResponseTemplate};

use crate::support::process::{Ended, MockProcess, ended, relaybench};

const KEY: &str = "sk-check-do-not-print-me";

fn check(arguments: &[&str]) -> Ended {
    let run = ended(relaybench(&["check"]).args(arguments));
    assert!(!(run.stdout.clone() + &run.stderr).contains(KEY));
    run
}

fn check_live(url: &str, arguments: &[&str]) -> Ended {
    let run = ended(relaybench(&["check"]).args(arguments).env("RELAYBENCH_BASE_URL", url).env("RELAYBENCH_API_KEY", KEY));
    assert!(!(run.stdout.clone() + &run.stderr).contains(KEY), "{} {}", run.stdout, run.stderr);
    run
}

/// The line of a check, and the hint below it.
fn line<'a>(run: &'a Ended, subject: &str) -> (&'a str, Option<&'a str>) {
    let mut lines = run.stdout.lines().skip_while(|line| !line.starts_with(subject));
    let found = lines.next().unwrap_or_else(|| panic!("no {subject} in {}", run.stdout));
    (found, lines.next().and_then(|next| next.trim_start().strip_prefix("→ ")))
}

fn assert_failed(run: &Ended, subject: &str, why: &str, hint: &str) {
    let (found, hinted) = line(run, subject);
    assert!(found.contains("FAILED") && found.contains(why), "{why:?} is not in {found:?}: {}", run.stderr);
    assert!(hinted.is_some_and(|hinted| hinted.contains(hint)), "{hint:?} is not in {hinted:?}");
    assert_eq!(run.code, Some(3), "{}", run.stderr);
}

#[test]
fn a_good_relay_and_a_good_policy_pass_every_check() {
    // Over sockets so short an answer that no machine is too slow for it.
    for arguments in [&["--max-tokens", "32"][..], &["--virtual"]] {
        let run = check(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
        let subjects: Vec<_> = run.stdout.lines().map(|line| line[..10].trim_end()).collect();
        assert_eq!(
            subjects,
            ["base URL", "key", "model", "answer", "streaming", "timeouts", "stalls", "retries", "budgets", "pool"]
        );
        assert!(run.stdout.lines().all(|line| line[12..].starts_with("ok ")), "{}", run.stdout);
        assert!(line(&run, "streaming").0.contains("ended by [DONE]"), "{}", run.stdout);
    }
}

#[test]
fn in_virtual_time_the_list_is_the_same_each_time() {
    assert_eq!(check(&["--virtual"]).stdout, check(&["--virtual"]).stdout);
}

#[test]
fn a_model_that_is_not_there_is_answered_with_the_nearest() {
    assert_failed(&check(&["--virtual", "--model", "gpt-4.l"]), "model", "\"gpt-4.l\" is not among", "did you mean \"gpt-4.1\"?");
}

#[test]
fn a_policy_is_judged_by_what_the_relay_needs() {
    assert_failed(&check(&["--virtual", "--policy", "tutorial-retry"]), "retries", "Retry-After is ignored", "resilient");
    let tutorial = check(&["--virtual", "--policy", "tutorial-retry"]);
    assert_failed(&tutorial, "stalls", "never begins, but sends comments, is waited for until the total, 30s", "first-token");
    assert_failed(&tutorial, "budgets", "gets 5 times the load", "retry budget");
    assert_failed(&tutorial, "pool", "common servers close idle connections after 5 s", "4 s");
    // Of 100,000 tokens none is done in 30 s.
    let slow = check(&["--virtual", "--max-tokens", "100000"]);
    assert_failed(&slow, "timeouts", "100000 tokens takes about", "timeout of at least");
}

#[test]
fn a_relay_that_fails_is_told_from_a_wrong_address() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("down.toml");
    let down = |only: &str| {
        std::fs::write(&file, format!("[[fault]]\nfault = \"status=503\"\nprobability = 1.0\n{only}")).unwrap();
        check(&["--virtual", "--profile", file.to_str().unwrap()])
    };
    assert_failed(&down(""), "base URL", "not working at present (status 503", "try again later");
    // The list of models is still there.
    let run = down("models = [\"gpt-4.1\"]\n");
    assert!(line(&run, "base URL").0.contains("ok"), "{}", run.stdout);
    assert_failed(&run, "answer", "status 503", "retries are for it");
    assert_failed(&run, "streaming", "status 503", "");
    assert!(line(&run, "timeouts").0.contains("not checked"), "{}", run.stdout);
}

#[test]
fn a_live_check_says_what_it_sends_and_sends_no_more_though_all_fails() {
    let directory = tempfile::tempdir().unwrap();
    let down = directory.path().join("down.toml");
    std::fs::write(&down, "[[fault]]\nfault = \"status=503\"\nprobability = 1.0\n").unwrap();
    for (profile, code) in [("instant", 0), (down.to_str().unwrap(), 3)] {
        let ledger = directory.path().join(format!("ledger-{code}.jsonl"));
        let relay = MockProcess::start(&["--profile", profile, "--ledger", ledger.to_str().unwrap()]);
        let run = check_live(&relay.base_url(), &["--model", "gpt-4o"]);
        assert_eq!(run.code, Some(code), "{}", run.stdout);
        let announced = "live: at most 3 requests to http://127.0.0.1";
        assert!(run.stderr.starts_with(announced) && run.stderr.contains("at most $"), "{}", run.stderr);
        assert_eq!(relay.interrupt(), Some(0));
        let entries = std::fs::read_to_string(&ledger).unwrap();
        let entries: Vec<Entry> = entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(entries.len(), 3, "{entries:?}");
    }
}

#[test]
fn a_refused_key_a_wrong_path_and_nobody_there_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.toml");
    std::fs::write(&file, "[auth]\nkeys = [\"sk-another\"]\n").unwrap();
    let relay = MockProcess::start(&["--profile", file.to_str().unwrap()]);
    let run = check_live(&relay.base_url(), &[]);
    assert!(line(&run, "base URL").0.contains("ok"), "{}", run.stdout);
    assert_failed(&run, "key", "status-401", "RELAYBENCH_API_KEY");

    let elsewhere = format!("http://{}/api", relay.addr);
    assert_failed(&check_live(&elsewhere, &[]), "base URL", "status 404", "most often in /v1");
    assert_failed(&check_live(&format!("http://{}", relay.addr), &[]), "base URL", "lacks the path", "/v1");
    drop(relay);
    assert_failed(&check_live(&elsewhere, &[]), "base URL", "not reachable", "port");
}

#[test]
fn a_check_that_cannot_run_exits_1_and_says_why() {
    let refused = |run: Ended, says: &str| {
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    };
    refused(check(&["--target", "https://relay.example/v1"]), "RELAYBENCH_API_KEY");
    refused(check(&["--policy", "tutorial"]), "tutorial-bench");
    refused(check(&["--profile", "hollysheep"]), "did you mean \"holysheep\"?");
    refused(check_live("http://127.0.0.1:9/v1", &["--virtual"]), "--virtual");
    let capped = |name: &str, value: &str| {
        let mut run = relaybench(&["check"]);
        run.env("RELAYBENCH_BASE_URL", "http://127.0.0.1:9/v1").env("RELAYBENCH_API_KEY", KEY).env(name, value);
        ended(&mut run)
    };
    refused(capped("RELAYBENCH_MAX_REQUESTS", "2"), "RELAYBENCH_MAX_REQUESTS");
    refused(capped("RELAYBENCH_MAX_COST_USD", "0"), "RELAYBENCH_MAX_COST_USD");
}

/// A relay that answers these words to requests for models and for answers.
async fn wordy(models: ResponseTemplate, answer: ResponseTemplate) -> wiremock::MockServer {
    let server = wiremock::MockServer::start().await;
    Mock::given(method("GET")).respond_with(models).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// What a check says of such a relay.
fn check_wordy(models: ResponseTemplate, answer: ResponseTemplate) -> Ended {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(wordy(models, answer));
    check_live(&format!("{}/v1", server.uri()), &[])
}

fn said(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

#[test]
fn a_key_that_is_refused_with_400_is_a_refused_key() {
    let gemini =
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#;
    let run = check_wordy(said(400, gemini), said(400, gemini));
    assert!(line(&run, "base URL").0.contains("ok"), "{}", run.stdout);
    assert_failed(&run, "key", "status-400", "RELAYBENCH_API_KEY");
    assert_failed(&run, "answer", "API key not valid", "see the key");
}

#[test]
fn a_list_of_models_that_everybody_may_read_proves_no_key() {
    let models = r#"{"object":"list","data":[{"id":"gpt-4.1","object":"model"}]}"#;
    for status in [402, 503] {
        let run = check_wordy(said(200, models), said(status, r#"{"error":{"message":"no"}}"#));
        assert!(line(&run, "base URL").0.contains("ok"), "{}", run.stdout);
        assert!(line(&run, "key").0.contains("not checked"), "{}", run.stdout);
        assert!(line(&run, "model").0.contains("is listed"), "{}", run.stdout);
    }
}

#[test]
fn another_model_than_was_asked_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cheap.toml");
    std::fs::write(&file, "[[fault]]\nfault = \"wrong-model\"\nprobability = 1.0\n").unwrap();
    let run = check(&["--virtual", "--profile", file.to_str().unwrap(), "--model", "gpt-4.1"]);
    assert_failed(&run, "model", "\"gpt-4.1\" was asked, and \"gpt-4o\" answers", "no version");
}

#[test]
fn a_key_that_no_header_may_hold_is_a_wrong_key_and_nothing_is_sent() {
    let mut run = relaybench(&["check"]);
    let run = ended(run.env("RELAYBENCH_BASE_URL", "http://127.0.0.1:9/v1").env("RELAYBENCH_API_KEY", "sk-one\nsk-two"));
    assert!(!(run.stdout.clone() + &run.stderr).contains("sk-one"), "{} {}", run.stdout, run.stderr);
    assert_failed(&run, "key", "line break", "RELAYBENCH_API_KEY to the key alone");
    assert!(line(&run, "base URL").0.contains("not checked"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn what_is_no_base_url_is_told_and_nothing_is_announced() {
    for (url, says) in [("", "is missing"), ("ftp://host/v1", "neither http nor https"), ("http://127.0.0.1:9", "lacks the path")]
    {
        let mut run = relaybench(&["check", "--target", url]);
        let run = ended(run.env("RELAYBENCH_API_KEY", KEY));
        assert_failed(&run, "base URL", says, "/v1");
        assert_eq!(run.stderr, "", "{url}");
    }
    let run = check_live("http://127.0.0.1:9/v1?key=sk-in-the-query", &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("without a query") && !run.stderr.contains("sk-in-the-query"), "{}", run.stderr);
}

#[test]
fn a_policy_that_retries_nothing_is_told_what_it_lacks() {
    assert_failed(&check(&["--virtual", "--policy", "none"]), "retries", "nothing is retried", "tries again what may pass");
}

#[test]
fn each_example_of_the_help_shows_what_it_says() {
    let help = ended(&mut relaybench(&["check", "--help"])).stdout;
    for (example, says, code) in [
        ("check  ", "what a good relay looks like", 0),
        ("check --policy tutorial-retry  ", "the tutorial's own retries lack", 3),
        ("check --max-tokens 8000 --virtual  ", "timeouts are too short for long answers", 3),
    ] {
        let shown = help.lines().find(|line| line.contains(&format!("relaybench {example}")));
        assert!(shown.is_some_and(|line| line.contains(says)), "{example}: {help}");
        let arguments: Vec<_> = example.split_whitespace().skip(1).collect();
        let run = check(&[&arguments[..], if arguments.contains(&"--virtual") { &[] } else { &["--virtual"] }].concat());
        assert_eq!(run.code, Some(code), "{example}: {}", run.stdout);
    }
    let long = check(&["--max-tokens", "8000", "--virtual"]);
    assert_failed(&long, "timeouts", "8000 tokens takes about", "timeout of at least");
}
