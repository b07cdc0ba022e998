//! What retries may cost: a storm passes, and does not become one's own.

use std::sync::Arc;
use std::time::Duration;

use relaybench::Client;
use relaybench::client::{ErrorKind, Policy, Stop, connector};
use relaybench_clock::{now, run_virtual, sleep_until};
use relaybench_mock::{MockServer, Profile};

use crate::support::raw_relay::question;

const SECOND: Duration = Duration::from_secs(1);

/// 200 new requests a second at a relay that takes a second for each: 200 in flight.
const GAP: Duration = Duration::from_millis(5);

/// The relay serves 300 at once, half more than it usually has.
const HEALTHY: &str = r#"
latency.total = { dist = "fixed", value = "1s" }
capacity = { model = "queue", servers = 300 }
"#;

/// What became of a request.
struct Fate {
    asked: Duration,
    ended: Duration,
    attempts: usize,
    failure: Option<(ErrorKind, Option<Stop>)>,
}

/// Asks so many times, at a steady pace whatever comes of it.
fn storm(toml: String, policy: Policy, requests: u32) -> Vec<Fate> {
    run_virtual(async move {
        let server = MockServer::new(Profile::parse(&toml, "storm.toml").unwrap());
        let dial = move || {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(server.serve_connection(far));
            Ok(near)
        };
        let client = Client::builder().base_url("http://mock/v1").api_key("sk-test").seed(1).policy(policy);
        let client = Arc::new(client.connector(connector::memory(dial, Duration::ZERO)).build().unwrap());
        let start = now();
        let ask = |index| {
            let client = Arc::clone(&client);
            async move {
                sleep_until(start + GAP * index).await;
                let answer = client.chat(question()).await;
                let failure = answer.as_ref().err().map(|error| (error.kind(), error.stop()));
                let attempts = answer.map_or_else(|error| error.into_attempts(), |answer| answer.into_attempts());
                Fate { asked: GAP * index, ended: start.elapsed(), attempts: attempts.len(), failure }
            }
        };
        let asked: Vec<_> = (0..requests).map(|index| tokio::spawn(ask(index))).collect();
        let mut fates = Vec::new();
        for fate in asked {
            fates.push(fate.await.unwrap());
        }
        fates
    })
}

fn attempts(fates: &[Fate]) -> usize {
    fates.iter().map(|fate| fate.attempts).sum()
}

#[test]
fn when_everything_fails_ten_thousand_requests_cause_at_most_twelve_thousand_attempts() {
    let down = |status| format!("{HEALTHY}\n[[phase]]\nfault = {{ fault = \"status={status}\", probability = 1.0 }}");
    for status in [503, 429] {
        let fates = storm(down(status), Policy::resilient(), 10_000);
        assert!((10_001..=12_000).contains(&attempts(&fates)), "{} attempts", attempts(&fates));
        assert!(fates.iter().all(|fate| fate.failure.is_some()));
        assert!(fates.last().unwrap().failure.unwrap().1 == Some(Stop::Budget));
    }
    // What the others make of it: the SDKs three times the load, the tutorial five times.
    assert_eq!(attempts(&storm(down(503), Policy::openai_sdk(), 2_000)), 6_000);
    assert_eq!(attempts(&storm(down(429), Policy::tutorial_retry(), 2_000)), 10_000);
}

#[test]
fn a_storm_costs_little_and_is_over_ten_seconds_after_the_fault() {
    const BROKE: Duration = Duration::from_secs(10);
    const HEALED: Duration = Duration::from_secs(20);
    let outage =
        format!("{HEALTHY}\n[[phase]]\nfrom = \"10s\"\nfor = \"10s\"\nfault = {{ fault = \"status=429\", probability = 1.0 }}");
    let tries_while_down = |policy| {
        let fates = storm(outage.clone(), policy, 10_000);
        let hit: Vec<_> = fates.iter().filter(|fate| fate.asked >= BROKE && fate.asked < HEALED).collect();
        (hit.iter().map(|fate| fate.attempts).sum::<usize>() as f64 / hit.len() as f64, fates)
    };
    let (resilient, fates) = tries_while_down(Policy::resilient());
    assert!(resilient < 1.1, "{resilient} tries a request while the relay was down");
    for fate in fates.iter().filter(|fate| fate.asked >= HEALED + 10 * SECOND) {
        assert_eq!((fate.failure, fate.attempts), (None, 1), "asked after {:?}", fate.asked);
        assert_eq!(fate.ended - fate.asked, SECOND, "asked after {:?}", fate.asked);
    }
    // The same storm under the others. The tutorial's retries keep the relay down that they wait for: it never recovers.
    let (sdk, _) = tries_while_down(Policy::openai_sdk());
    let (tutorial, fates) = tries_while_down(Policy::tutorial_retry());
    assert!(sdk > 2.5 && tutorial > 3.5, "{sdk} and {tutorial} tries a request while the relay was down");
    assert!(fates.iter().any(|fate| fate.asked >= HEALED + 10 * SECOND && fate.failure.is_some()));
}
