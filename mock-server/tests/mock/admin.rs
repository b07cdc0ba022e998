//! Control of a running relay.

use std::io::{Read, Write};
use std::net::TcpStream;

use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::{AdminToken, MockRelay, MockServer, Profile, Settings};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{KEY, chat, connect, ms, profile, request, server, status, text};

const SLOW: &str = "name = \"slow\"\nlatency.total = { dist = \"fixed\", value = \"2s\" }\n";

async fn admin(server: &MockServer, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = text(server, &request(method, path, "", body)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (status(head), body.to_owned())
}

async fn json(server: &MockServer, path: &str) -> Value {
    let (status, body) = admin(server, "GET", path, "").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_profile_is_swapped_whole_or_not_at_all() {
    run_virtual(async {
        let server = server("name = \"first\"\n# a remark\n");
        assert_eq!(admin(&server, "GET", "/__admin/profile", "").await, (200, "name = \"first\"\n# a remark\n".to_owned()));
        assert_eq!(admin(&server, "PUT", "/__admin/profile", SLOW).await, (200, "{\"profile\":\"slow\"}\n".to_owned()));
        let start = now();
        assert_eq!(status(&text(&server, &chat("", "")).await), 200);
        assert_eq!(now() - start, ms(2_000));
        for (wrong, why) in [
            ("name = \"third\"\nlatncy = 1\n", "profile:2: latncy: unknown key, did you mean \\\"latency\\\"?"),
            ("latency.total = { dist = \"empirical\", file = \"./samples.csv\" }", "profile:1: latency.total.file: "),
            ("= =", "profile:1: "),
            ("", "the body says nothing"),
            ("\n# latency\n", "the body says nothing"),
        ] {
            let (status, body) = admin(&server, "PUT", "/__admin/profile", wrong).await;
            assert!(status == 400 && body.lines().count() == 1 && body.starts_with(&format!("{{\"error\":\"{why}")), "{body}");
        }
        assert_eq!(admin(&server, "GET", "/__admin/profile", "").await.1, SLOW);
        assert_eq!(server.profile().name(), "slow");
    });
}

#[test]
fn the_profile_that_is_shown_has_the_seed_in_force_and_can_be_put_back() {
    run_virtual(async {
        for name in Profile::builtin_names() {
            let server = MockServer::new(Profile::load(name).unwrap().with_seed(4711));
            let (_, shown) = admin(&server, "GET", "/__admin/profile", "").await;
            let (status, answer) = admin(&server, "PUT", "/__admin/profile", &shown).await;
            assert_eq!((status, server.profile().seed()), (200, 4711), "{answer}");
        }
    });
}

#[test]
fn those_in_flight_end_under_the_profile_they_began_with() {
    run_virtual(async {
        let server = server(SLOW);
        let started = now();
        let before = tokio::spawn({
            let server = server.clone();
            async move { (text(&server, &chat("", "")).await, now()) }
        });
        sleep(ms(500)).await;
        admin(&server, "PUT", "/__admin/profile", "auth.keys = [\"other\"]").await;
        assert_eq!(status(&text(&server, &chat("", "")).await), 401);
        let (answer, ended) = before.await.unwrap();
        assert_eq!((status(&answer), ended - started), (200, ms(2_000)));
    });
}

#[test]
fn the_ledger_is_filtered_and_read_in_pages_that_miss_nothing() {
    run_virtual(async {
        let server = server("");
        for id in 0..25 {
            text(&server, &chat(&format!("x-client-request-id: id {id}\r\n"), "")).await;
        }
        text(&server, &request("POST", "/v1/chat/completions", KEY, "{}")).await;
        let page = json(&server, "/__admin/ledger?status=400").await;
        assert_eq!((page["entries"].as_array().unwrap().len(), &page["more"]), (1, &Value::Bool(false)));
        let page = json(&server, "/__admin/ledger?request_id=id+7&model=gpt-4.1&ending=served").await;
        assert_eq!(page["entries"][0]["request_id"], "id 7");
        let page = json(&server, "/__admin/ledger?since=20&status=200").await;
        assert_eq!(page["entries"].as_array().unwrap().len(), 5);

        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            let page = json(&server, &format!("/__admin/ledger?status=200&limit=10&cursor={cursor}")).await;
            seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()));
            cursor = page["next"].as_u64().unwrap();
            if page["more"] == false {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        let (status, body) = admin(&server, "GET", "/__admin/ledger?stauts=400", "").await;
        assert!(status == 400 && body.contains("did you mean \\\"status\\\"?"), "{body}");
        // None of this was an attempt.
        assert_eq!(server.ledger().entries().len(), 26);
    });
}

#[test]
fn after_a_reset_all_happens_as_it_did_the_first_time() {
    run_virtual(async {
        let server = server(
            "latency.total = { dist = \"uniform\", min = \"1ms\", max = \"9s\" }\n[[fault]]\nfault = \"status=503\"\nfirst = 2\n
             [[phase]]\nfrom = \"20s\"\nfault = { fault = \"status=500\" }",
        );
        let mut runs = Vec::new();
        for _ in 0..2 {
            for _ in 0..5 {
                text(&server, &chat("", "")).await;
            }
            sleep(ms(20_000)).await;
            text(&server, &chat("", "")).await;
            server.queue_faults(7, "reset".parse().unwrap());
            let run: Vec<_> =
                server.ledger().entries().iter().map(|entry| (entry.status, entry.latency_ns, entry.attempt)).collect();
            runs.push(run);
            assert_eq!(admin(&server, "POST", "/__admin/reset", "").await.0, 200);
            assert_eq!((server.ledger().entries().len(), server.queued()), (0, 0));
        }
        let statuses: Vec<_> = runs[0].iter().map(|entry| entry.0.unwrap()).collect();
        assert_eq!(statuses, [503, 503, 200, 200, 200, 500]);
        assert_eq!(runs[0], runs[1]);
    });
}

#[test]
fn the_next_attempts_get_what_was_queued_for_them() {
    run_virtual(async {
        let server = server("");
        let queue = r#"[{"fault":"status=429","count":2},{"fault":"ordinary"},{"fault":"status=500"}]"#;
        let (_, body) = admin(&server, "POST", "/__admin/faults", queue).await;
        assert_eq!(body, "{\"queued\":4}\n");
        assert_eq!(admin(&server, "POST", "/__admin/faults", r#"{"fault":"hang","count":100}"#).await.1, "{\"queued\":104}\n");
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(status(&text(&server, &chat("", "")).await));
        }
        assert_eq!(statuses, [429, 429, 200, 500]);
        let left = json(&server, "/__admin/faults").await;
        assert_eq!(left.to_string(), r#"{"faults":[{"count":100,"fault":"hang"}],"queued":100}"#);
        assert_eq!(admin(&server, "DELETE", "/__admin/faults", "").await.1, "{\"queued\":0}\n");
        assert_eq!(status(&text(&server, &chat("", "")).await), 200);
    });
}

#[test]
fn faults_that_cannot_be_queued_are_refused_and_none_of_them_is() {
    run_virtual(async {
        let server = server("");
        for (body, why) in [
            (r#"[{"fault":"status=429"},{"fault":"resett"}]"#, "\\\"resett\\\" is no fault, did you mean \\\"reset\\\"?"),
            (r#"[{"fault":"status=429"},{"fault":"resett"}]"#, "order 2: "),
            (
                r#"[{"fault":"reset"},{"fault":"reset","count":0}]"#,
                "order 2: count: 0 queues no reset; write a whole number from 1",
            ),
            (r#"{"fault":"reset","count":-1}"#, "expected a whole number that is not negative; write {"),
            ("3", "expected a table"),
            (r#"{"fault":"reset","count":0}"#, "count"),
            (r#"{"fault":"refuse"}"#, "\\\"refuse\\\" befalls connections"),
            (r#"{"fault":"reset","times":3}"#, "times"),
            ("reset", "line 1"),
        ] {
            let (status, answer) = admin(&server, "POST", "/__admin/faults", body).await;
            assert!(status == 400 && answer.contains(why), "{body}: {answer}");
        }
        assert_eq!(server.queued(), 0);
    });
}

#[test]
fn metrics_count_what_happened() {
    run_virtual(async {
        let server = server(
            "name = \"of \\\"mine\\\"\"\ncapacity = { model = \"queue\", servers = 1 }\nlatency.total = { dist = \"fixed\", value = \"10s\" }",
        );
        for _ in 0..2 {
            text(&server, &chat("", "")).await;
        }
        text(&server, &request("POST", "/v1/chat/completions", KEY, "{}")).await;
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move { text(&server, &chat("", "")).await })
            })
            .collect();
        sleep(ms(1)).await;
        let answer = text(&server, &request("GET", "/metrics", "", "")).await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4"));
        for line in [
            "relaybench_mock_attempts_total{model=\"gpt-4.1\",status=\"200\",ending=\"served\"} 2",
            "relaybench_mock_attempts_total{model=\"\",status=\"400\",ending=\"served\"} 1",
            "relaybench_mock_lateness_seconds_bucket{le=\"0.00001\"} 3",
            "relaybench_mock_lateness_seconds_bucket{le=\"+Inf\"} 3",
            "relaybench_mock_lateness_seconds_sum 0",
            "relaybench_mock_attempts_open 3",
            "relaybench_mock_in_flight 3",
            "relaybench_mock_waiting 2",
            "relaybench_mock_connections_opened_total 7",
            "relaybench_mock_connections_live 4",
            "relaybench_mock_queued_faults 0",
            "relaybench_mock_profile_info{name=\"of \\\"mine\\\"\"} 1",
        ] {
            assert!(answer.lines().any(|found| found == line), "{line} is not in {answer}");
        }
        for task in waiting {
            task.await.unwrap();
        }
    });
}

#[test]
fn metrics_count_faults_by_what_came_of_them_those_of_connections_too() {
    run_virtual(async {
        let rules = ["slow-accept=3s\"\nfirst = 1", "refuse\"\nfirst = 1", "close-idle=5s\""];
        let server = server(&rules.map(|rule| format!("[[fault]]\nfault = \"{rule}\n")).concat());
        assert!(server.connect().is_err());
        let mut idle = server.connect().unwrap();
        sleep(ms(20_000)).await;
        assert_eq!(idle.read(&mut [0; 10]).await.unwrap(), 0);
        server.script(["no-done".parse().unwrap(), "status=503".parse().unwrap()]);
        for _ in 0..2 {
            text(&server, &chat("", "")).await;
        }
        let answer = text(&server, &request("GET", "/metrics", "", "")).await;
        let counted: Vec<&str> = answer.lines().filter(|line| line.starts_with("relaybench_mock_faults_total{")).collect();
        let once = [
            ("refuse", "played"),
            ("slow-accept", "played"),
            ("close-idle", "played"),
            ("no-done", "needs_stream"),
            ("status", "played"),
        ];
        let line = |(fault, outcome)| format!("relaybench_mock_faults_total{{fault=\"{fault}\",outcome=\"{outcome}\"}} 1");
        assert_eq!(counted, once.map(line));
    });
}

#[test]
fn what_is_no_way_of_control_says_what_is() {
    run_virtual(async {
        let server = server("");
        for (method, path, expected, why) in [
            ("GET", "/__admin/nothing", 404, "/__admin/profile"),
            ("DELETE", "/__admin/profile", 405, "GET, PUT"),
            ("GET", "/__admin/reset", 405, "POST"),
            ("POST", "/metrics", 405, "GET"),
        ] {
            let (status, body) = admin(&server, method, path, "").await;
            assert!(status == expected && body.contains(why), "{path}: {status} {body}");
        }
    });
}

fn with_token(token: &str) -> Settings {
    let mut settings = Settings::default();
    settings.admin_token = AdminToken::new(token);
    settings
}

#[test]
fn with_a_token_only_who_sends_it_may_control_and_anyone_may_ask_whether_it_lives() {
    run_virtual(async {
        let server = MockServer::with_settings(profile(""), with_token("secret"));
        for (headers, expected) in [
            ("", 401),
            ("authorization: Bearer other\r\n", 401),
            ("authorization: Bearer secre\r\n", 401),
            ("authorization: Basic secret\r\n", 401),
            ("authorization: Bearer secret\r\n", 200),
            ("authorization: bearer secret\r\norigin: https://example.com\r\n", 200),
        ] {
            for path in ["/__admin/profile", "/__admin/ledger", "/__admin/faults", "/metrics"] {
                let answer = text(&server, &request("GET", path, headers, "")).await;
                assert_eq!(status(&answer), expected, "{headers} {path}");
                assert!(!answer.contains("secret"));
            }
        }
        let put = text(&server, &request("PUT", "/__admin/profile", "", SLOW)).await;
        assert_eq!((status(&put), server.profile().name()), (401, "unnamed"));
        assert_eq!(status(&text(&server, &request("GET", "/healthz", "", "")).await), 200);
    });
}

#[test]
fn without_a_token_a_page_in_a_browser_may_not() {
    run_virtual(async {
        let server = server("");
        let pages = ["origin: https://example.com", "sec-fetch-site: cross-site", "sec-fetch-site: same-site"];
        for (headers, expected) in pages.map(|page| (page, 403)).into_iter().chain([("sec-fetch-site: none", 200)]) {
            let answer = text(&server, &request("POST", "/__admin/reset", &format!("{headers}\r\n"), "")).await;
            assert_eq!(status(&answer), expected, "{headers}");
        }
    });
}

#[test]
fn without_a_token_a_name_that_others_can_give_to_this_machine_may_not() {
    run_virtual(async {
        let server = server("");
        for (host, expected) in [
            ("host: localhost", 200),
            ("host: LOCALHOST:8080", 200),
            ("host: 127.0.0.1:8080", 200),
            ("host: [::1]:8080", 200),
            ("host: evil.example:8080", 403),
            ("host: 192.0.2.1", 403),
            ("host: localhost.evil.example", 403),
            ("host: ", 403),
            ("accept: */*", 403),
        ] {
            let ask = format!("GET /metrics HTTP/1.1\r\nconnection: close\r\n{host}\r\n\r\n");
            assert_eq!(status(&text(&server, ask.as_bytes()).await), expected, "{host}");
        }
        assert_eq!(status(&text(&server, b"GET /metrics HTTP/1.0\r\n\r\n").await), 200);
    });
}

/// An address of this machine that is not its loopback: the one from which it would reach others. Nothing is sent.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn callers_from_elsewhere_may_not_control_without_a_token() {
    let Some(outer) = outer_address() else { return };
    for (settings, expected) in [(Settings::default(), 403), (with_token("secret"), 200)] {
        let relay = MockRelay::builder(profile("")).listen("0.0.0.0:0".parse().unwrap()).settings(settings).start().unwrap();
        let ask = |host: std::net::IpAddr| {
            let mut connection = TcpStream::connect((host, relay.addr().port())).unwrap();
            connection.write_all(&request("GET", "/__admin/profile", "authorization: Bearer secret\r\n", "")).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            status(&answer)
        };
        assert_eq!((ask(outer), ask("127.0.0.1".parse().unwrap())), (expected, 200));
    }
}

#[test]
fn control_over_a_connection_that_is_kept_disturbs_no_attempt_on_it() {
    run_virtual(async {
        let server = server("");
        let keep_alive = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("connection: close\r\n", "");
        let mut connection = connect(&server);
        for _ in 0..3 {
            for (bytes, expected) in [(request("PUT", "/__admin/profile", "", SLOW), 200), (chat("", ""), 200)] {
                connection.write_all(keep_alive(bytes).as_bytes()).await.unwrap();
                let mut answer = vec![0; 9_000];
                let length = connection.read(&mut answer).await.unwrap();
                assert_eq!(status(&String::from_utf8_lossy(&answer[..length])), expected);
            }
        }
        assert!(server.ledger().entries().iter().all(|entry| entry.connection == 0));
    });
}
