//! Whatever the policy and whatever goes wrong: the total timeout is the end.

use std::time::Duration;

use proptest::prelude::*;
use relaybench::client::{Jitter, Policy};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{RawRelay, Step, error, question, response, success};

fn any_step() -> impl Strategy<Value = Step> {
    let pieces = |ms: u64| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n".to_owned();
        let piece = (Duration::from_millis(ms), "{\"choices\": ".to_owned());
        std::iter::once((Duration::from_millis(ms), head)).chain(std::iter::repeat_n(piece, 20)).collect()
    };
    prop_oneof![
        Just(Step::Hang),
        Just(success()),
        Just(Step::WriteAndClose(String::new())),
        Just(Step::WriteAndClose("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned())),
        Just(Step::Write(response("502 Bad Gateway", "text/html", &[], "<html></html>"))),
        (1_u64..90_000).prop_map(|ms| error("429 Too Many Requests", "busy", &[("retry-after-ms", &ms.to_string())])),
        Just(error("503 Service Unavailable", "busy", &[])),
        (1_u64..3_000).prop_map(move |ms| Step::Drip(pieces(ms))),
        (1_u64..40_000).prop_map(|ms| Step::Drip(vec![(
            Duration::from_millis(ms),
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".to_owned()
        )])),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let preset = prop::sample::select(Policy::names().collect::<Vec<_>>());
    let jitter = prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Quarter, Jitter::Decorrelated]);
    let ms = |longest: u64| (1..longest).prop_map(Duration::from_millis);
    (preset, jitter, 1_u32..8, ms(60_000), ms(5_000), prop::option::of(ms(20_000)), any::<bool>()).prop_map(
        |(preset, jitter, attempts, total, base, read, is_bounded)| {
            let mut policy = Policy::named(preset).unwrap();
            policy.timeouts.total = total;
            policy.timeouts.read = read;
            let retry = &mut policy.retry;
            (retry.jitter, retry.attempts, retry.base, retry.cap) = (jitter, attempts, base, 4 * base);
            if !is_bounded {
                (retry.budget, retry.billing_risk) = (None, None);
            }
            policy
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_request_outlives_its_total_timeout_by_a_millisecond(
        policy in any_policy(),
        script in prop::collection::vec(any_step(), 1..6),
        connect_ms in 0_u64..3_000,
        is_streamed: bool,
    ) {
        let total = policy.timeouts.total;
        let took = run_virtual(async move {
            let relay = RawRelay::start(script);
            let client = relay.client_with_connect_delay(Duration::from_millis(connect_ms)).policy(policy).build().unwrap();
            let start = now();
            if is_streamed {
                if let Ok(mut stream) = client.chat_stream(question()).await {
                    while let Some(Ok(_)) = stream.next().await {}
                }
            } else {
                let _ = client.chat(question()).await;
            }
            start.elapsed()
        });
        prop_assert!(took <= total + Duration::from_millis(1), "{took:?} of {total:?}");
    }
}
