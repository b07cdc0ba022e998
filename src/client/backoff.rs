//! How long to wait before another try, when the server says nothing.

use std::time::Duration;

use rand::Rng;

use super::policy::{Jitter, Retry};

/// The wait before retry number `retry`, counted from 0, after the one before was waited `previous` for.
pub(crate) fn delay(policy: &Retry, retry: u32, previous: Duration, rng: &mut impl Rng) -> Duration {
    let least_share = match policy.jitter {
        Jitter::None => return unjittered(policy, retry),
        Jitter::Full => 0.0,
        Jitter::Equal => 0.5,
        Jitter::Quarter => 0.75,
        Jitter::Decorrelated => return decorrelated(policy, previous, rng),
    };
    unjittered(policy, retry).mul_f64(between(least_share, 1.0, rng))
}

/// base · factor^retry, no longer than the cap.
pub(crate) fn unjittered(policy: &Retry, retry: u32) -> Duration {
    let cap = policy.cap.as_secs_f64();
    let mut wait = policy.base.as_secs_f64();
    // By repeated products, which are the same on every platform, as powers are not.
    for _ in 0..retry {
        if wait >= cap {
            break;
        }
        wait *= policy.factor;
    }
    Duration::from_secs_f64(wait.min(cap))
}

/// Brooker, "Exponential backoff and jitter" (2015).
fn decorrelated(policy: &Retry, previous: Duration, rng: &mut impl Rng) -> Duration {
    let base = policy.base.as_secs_f64();
    let longest = 3.0 * previous.as_secs_f64().max(base);
    Duration::from_secs_f64(between(base, longest, rng).min(policy.cap.as_secs_f64()))
}

/// A server's hint, with up to `spread` of it added, but 1 s at most.
pub(crate) fn spread(hint: Duration, spread: f64, rng: &mut impl Rng) -> Duration {
    if spread <= 0.0 {
        return hint;
    }
    hint + Duration::from_secs_f64((hint.as_secs_f64() * spread).min(1.0) * uniform(rng))
}

fn between(low: f64, high: f64, rng: &mut impl Rng) -> f64 {
    low + (high - low) * uniform(rng)
}

/// In [0, 1), with the 53 bits that a double holds.
fn uniform(rng: &mut impl Rng) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * STEP
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::client::policy::Policy;

    fn waits(policy: &Retry, count: u32) -> Vec<Duration> {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut previous = Duration::ZERO;
        let next = |retry| {
            previous = delay(policy, retry, previous, &mut rng);
            previous
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn without_jitter_the_waits_double_up_to_the_cap() {
        let retry = Policy::tutorial_retry().retry;
        assert_eq!(waits(&retry, 6), [1, 2, 4, 8, 16, 16].map(Duration::from_secs));
    }

    #[test]
    fn each_jitter_has_the_mean_of_its_range() {
        for (jitter, mean_ms) in [
            (Jitter::None, 500.0),
            (Jitter::Full, 250.0),
            (Jitter::Equal, 375.0),
            (Jitter::Quarter, 437.5),
            (Jitter::Decorrelated, 1000.0),
        ] {
            let policy = Retry { jitter, ..Policy::resilient().retry };
            let mut rng = Pcg64Mcg::seed_from_u64(1);
            let sum: Duration = (0..10_000).map(|_| delay(&policy, 0, Duration::ZERO, &mut rng)).sum();
            let found_ms = sum.as_secs_f64() / 10.0;
            // Three standard errors of the widest.
            assert!((found_ms - mean_ms).abs() < 9.0, "{jitter:?}: {found_ms} ms");
        }
    }

    proptest! {
        #[test]
        fn jitter_only_ever_shortens_the_wait_and_only_to_its_bound(
            retry in 0_u32..100, seed: u64,
            (jitter, least) in prop_oneof![Just((Jitter::Full, 0.0)), Just((Jitter::Equal, 0.5)), Just((Jitter::Quarter, 0.75))],
        ) {
            let policy = Retry { jitter, ..Policy::resilient().retry };
            let whole = unjittered(&policy, retry);
            let wait = delay(&policy, retry, Duration::ZERO, &mut Pcg64Mcg::seed_from_u64(seed));
            prop_assert!(wait <= whole && wait >= whole.mul_f64(least), "{wait:?} of {whole:?}");
            prop_assert!(whole <= policy.cap);
        }

        #[test]
        fn decorrelated_waits_are_between_the_base_and_three_times_the_wait_before(previous_ms in 0_u64..100_000, seed: u64) {
            let policy = Retry { jitter: Jitter::Decorrelated, ..Policy::resilient().retry };
            let previous = Duration::from_millis(previous_ms);
            let wait = delay(&policy, 0, previous, &mut Pcg64Mcg::seed_from_u64(seed));
            prop_assert!(wait >= policy.base && wait <= policy.cap, "{wait:?}");
            prop_assert!(wait <= 3 * previous.max(policy.base), "{wait:?} after {previous:?}");
        }

        #[test]
        fn a_hint_is_never_shortened_and_gains_a_tenth_at_most(hint_ms in 0_u64..120_000, seed: u64) {
            let hint = Duration::from_millis(hint_ms);
            let wait = spread(hint, 0.1, &mut Pcg64Mcg::seed_from_u64(seed));
            prop_assert!(wait >= hint && wait <= hint + (hint / 10).min(Duration::from_secs(1)));
        }
    }
}
