//! How long to wait before another try, when the server says nothing.

use std::time::Duration;

use rand::Rng;

use super::policy::{Jitter, Retry};

/// The wait before retry number `retry`, counted from 0: base · factor^retry, no longer than the cap, then jittered.
pub(crate) fn delay(policy: &Retry, retry: u32, rng: &mut impl Rng) -> Duration {
    let cap = policy.cap.as_secs_f64();
    let mut wait = policy.base.as_secs_f64();
    // By repeated products, which are the same on every platform, as powers are not.
    for _ in 0..retry {
        if wait >= cap {
            break;
        }
        wait *= policy.factor;
    }
    Duration::from_secs_f64(wait.min(cap) * share(policy.jitter, rng))
}

/// A server's hint, with up to `spread` of it added, but 1 s at most.
pub(crate) fn spread(hint: Duration, spread: f64, rng: &mut impl Rng) -> Duration {
    if spread <= 0.0 {
        return hint;
    }
    hint + Duration::from_secs_f64((hint.as_secs_f64() * spread).min(1.0) * uniform(rng))
}

/// Which share of the wait is waited.
fn share(jitter: Jitter, rng: &mut impl Rng) -> f64 {
    let least = match jitter {
        Jitter::None => return 1.0,
        Jitter::Full => 0.0,
        Jitter::Equal => 0.5,
        Jitter::Quarter => 0.75,
    };
    least + (1.0 - least) * uniform(rng)
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
        (0..count).map(|retry| delay(policy, retry, &mut rng)).collect()
    }

    #[test]
    fn without_jitter_the_waits_double_up_to_the_cap() {
        let retry = Policy::tutorial_retry().retry;
        assert_eq!(waits(&retry, 6), [1, 2, 4, 8, 16, 16].map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn jitter_only_ever_shortens_the_wait_and_only_to_its_bound(
            retry in 0_u32..100, seed: u64,
            (jitter, least) in prop_oneof![Just((Jitter::Full, 0.0)), Just((Jitter::Equal, 0.5)), Just((Jitter::Quarter, 0.75))],
        ) {
            let policy = Retry { jitter, ..Policy::resilient().retry };
            let whole = delay(&Retry { jitter: Jitter::None, ..policy.clone() }, retry, &mut Pcg64Mcg::seed_from_u64(seed));
            let wait = delay(&policy, retry, &mut Pcg64Mcg::seed_from_u64(seed));
            prop_assert!(wait <= whole && wait >= whole.mul_f64(least), "{wait:?} of {whole:?}");
            prop_assert!(whole <= policy.cap);
        }

        #[test]
        fn a_hint_is_never_shortened_and_gains_a_tenth_at_most(hint_ms in 0_u64..120_000, seed: u64) {
            let hint = Duration::from_millis(hint_ms);
            let wait = spread(hint, 0.1, &mut Pcg64Mcg::seed_from_u64(seed));
            prop_assert!(wait >= hint && wait <= hint + (hint / 10).min(Duration::from_secs(1)));
        }
    }
}
