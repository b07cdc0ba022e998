//! An attempt is given its own time or what is left of the total, whichever is less.

use std::time::Duration;

use relaybench::client::{ErrorKind, Policy, Timeout};
use relaybench_clock::run_virtual;

use crate::support::raw_relay::{RawRelay, Step, error, question};

const SECOND: Duration = Duration::from_secs(1);

/// The only one set of an attempt's own timeouts.
fn only(which: Timeout, own: Option<Duration>, mut policy: Policy) -> Policy {
    for timeout in Timeout::ALL {
        *match timeout {
            Timeout::Queue => &mut policy.timeouts.queue,
            Timeout::Connect => &mut policy.timeouts.connect,
            Timeout::Headers => &mut policy.timeouts.headers,
            Timeout::FirstToken => &mut policy.timeouts.first_token,
            Timeout::Stall => &mut policy.timeouts.stall,
            Timeout::ContentStall => &mut policy.timeouts.content_stall,
            _ => &mut policy.timeouts.read,
        } = own.filter(|_| timeout == which);
    }
    policy
}

/// The rule of gax's `effective_timeout`. There is always a total, and what is left of it when nobody chose one is all of the ten
/// minutes of policy `none`.
#[test]
fn the_effective_time_of_an_attempt_is_its_own_or_what_is_left() {
    const NO_CHOICE: u32 = 600;
    for (own, left, expected) in
        [(None, None, NO_CHOICE), (None, Some(4), 4), (Some(4), None, 4), (Some(4), Some(2), 2), (Some(2), Some(4), 2)]
    {
        for which in [Timeout::Headers, Timeout::Read, Timeout::FirstToken] {
            run_virtual(async move {
                // The first is refused and a second waited, so that less is left for the second than for the request.
                let relay = RawRelay::start([error("429 Too Many Requests", "busy", &[]), Step::Hang]);
                let mut policy = only(which, own.map(|own| own * SECOND), Policy::tutorial_retry());
                policy.timeouts.total = left.map_or(Policy::none().timeouts.total, |left| left * SECOND) + SECOND;
                policy.retry.attempts = 2;
                let client = relay.client().policy(policy).build().unwrap();
                let failure = match which {
                    Timeout::FirstToken => client.chat_stream(question()).await.map(drop).unwrap_err(),
                    _ => client.chat(question()).await.map(drop).unwrap_err(),
                };
                let [_, second] = failure.attempts() else { panic!("{failure:?}") };
                let row = format!("{which:?}: own {own:?}, left {left:?}");
                assert_eq!(second.ended - second.started, expected * SECOND, "{row}");
                let is_own = own.is_some_and(|own| left.is_none_or(|left| own < left));
                assert_eq!(failure.kind(), if is_own { which.kind() } else { ErrorKind::TotalTimeout }, "{row}");
            });
        }
    }
}
