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

/// How the relay fails: it is busy, it is down, or it takes requests and never answers.
const FAULTS: [&str; 3] = ["status=429", "status=503", "hang"];

/// Under a policy whose every attempt ends: a hang is waited for two seconds.
fn impatient(mut policy: Policy) -> Policy {
    policy.timeouts.read = Some(2 * SECOND);
    policy
}

fn failing(fault: &str, when: &str) -> String {
    format!("{HEALTHY}\n[[phase]]\n{when}\nfault = {{ fault = \"{fault}\", probability = 1.0 }}")
}

#[test]
fn when_everything_fails_ten_thousand_requests_cause_at_most_twelve_thousand_attempts() {
    // The SDKs come three times. The tutorial comes five times after a 429, and gives up after anything else.
    for (fault, sdk, tutorial) in [("status=429", 30_000, 50_000), ("status=503", 30_000, 10_000), ("hang", 30_000, 10_000)] {
        let under = |policy| storm(failing(fault, ""), impatient(policy), 10_000);
        let fates = under(Policy::resilient());
        assert!((10_001..=12_000).contains(&attempts(&fates)), "{fault}: {} attempts", attempts(&fates));
        assert!(fates.iter().all(|fate| fate.failure.is_some()), "{fault}");
        let stop = fates.last().unwrap().failure.unwrap().1;
        assert!(matches!(stop, Some(Stop::Budget | Stop::BillingRisk)), "{fault}: {stop:?}");
        assert_eq!(attempts(&under(Policy::openai_sdk())), sdk, "{fault}");
        assert_eq!(attempts(&under(Policy::tutorial_retry())), tutorial, "{fault}");
    }
}

#[test]
fn a_storm_costs_little_and_is_over_ten_seconds_after_the_fault_when_hangs_are_cut_after_two() {
    const BROKE: Duration = Duration::from_secs(10);
    const HEALED: Duration = Duration::from_secs(20);
    // In vain: who was told to come back in a second may do so when the relay has healed.
    let tries_while_down = |fault, policy| {
        let fates = storm(failing(fault, "from = \"10s\"\nfor = \"10s\""), impatient(policy), 10_000);
        let hit: Vec<_> = fates.iter().filter(|fate| fate.asked >= BROKE && fate.asked < HEALED).collect();
        let in_vain: usize = hit.iter().map(|fate| fate.attempts - usize::from(fate.failure.is_none())).sum();
        (in_vain as f64 / hit.len() as f64, fates)
    };
    for fault in FAULTS {
        let (resilient, fates) = tries_while_down(fault, Policy::resilient());
        // These 429s name a wait, and whoever is invited may spend all that was saved: 500 retries, for 2,000 requests.
        let most = if fault == "status=429" { 1.27 } else { 1.2 };
        assert!(resilient < most, "{fault}: {resilient} tries in vain for a request while the relay was down");
        for fate in fates.iter().filter(|fate| fate.asked >= HEALED + 10 * SECOND) {
            assert_eq!((fate.failure, fate.attempts), (None, 1), "{fault}: asked after {:?}", fate.asked);
            assert_eq!(fate.ended - fate.asked, SECOND, "{fault}: asked after {:?}", fate.asked);
        }
        let (sdk, _) = tries_while_down(fault, Policy::openai_sdk());
        assert!(sdk > 2.0, "{fault}: {sdk} tries in vain for a request while the relay was down");
    }
    // The tutorial's retries keep the relay down that they wait for: it never recovers.
    let (tutorial, fates) = tries_while_down("status=429", Policy::tutorial_retry());
    assert!(tutorial > 3.0, "{tutorial} tries in vain for a request while the relay was down");
    assert!(fates.iter().any(|fate| fate.asked >= HEALED + 10 * SECOND && fate.failure.is_some()));
}

/// A request that hangs holds its place in the relay until its caller gives up, so that hangs outlast the fault by the read timeout.
#[test]
fn the_preset_as_it_is_has_recovered_from_hangs_ten_seconds_after_its_read_timeout() {
    const HEALED: Duration = Duration::from_secs(20);
    let policy = Policy::resilient();
    let recovered = HEALED + policy.timeouts.read.unwrap() + 10 * SECOND;
    let fates = storm(failing("hang", "from = \"10s\"\nfor = \"10s\""), policy, 16_000);
    let after: Vec<_> = fates.iter().filter(|fate| fate.asked >= recovered).collect();
    assert!(after.len() > 1000);
    let last = fates.iter().filter(|fate| fate.failure.is_some() || fate.attempts > 1).map(|fate| fate.asked).max();
    assert!(last < Some(recovered), "the last that the hangs harmed was asked after {last:?}");
}
