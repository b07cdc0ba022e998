//! What holds for every sequence of requests, whatever they cost and whenever they end.

mod reference;

use std::time::Duration;

use proptest::prelude::*;

use self::reference::Reference;
use super::*;
use crate::profile::{Caps, LimitWindow};

/// Something happens, so long after what happened before.
#[derive(Clone, Debug)]
struct Step {
    gap: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Ask {
        who: Who,
        cost: Cost,
    },
    /// One of those that are open ends, and has used a part (of 16) of its tokens of either kind. Whoever leaves or fails may have
    /// used none.
    End {
        which: prop::sample::Index,
        used: (u64, u64),
    },
}

#[derive(Clone, Copy, Debug)]
struct Who {
    key: usize,
    model: usize,
}

impl Who {
    fn caller(self) -> Caller {
        Caller::new(["sk-a", "sk-b", "sk-c"][self.key], Some(self.key))
    }
}

fn gap() -> impl Strategy<Value = Duration> {
    prop_oneof![
        2 => Just(Duration::ZERO),
        2 => (0..1_000_u64).prop_map(Duration::from_nanos),
        6 => (0..20_000_000_000_u64).prop_map(Duration::from_nanos),
        2 => (0..200_000_000_000_u64).prop_map(Duration::from_nanos),
        1 => (0..200_000_u64).prop_map(Duration::from_secs),
        // Onto the very ends of windows.
        1 => prop::sample::select(&[20, 30, 60, 24 * 60 * 60][..]).prop_map(Duration::from_secs),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = (0..3_usize, 0..2_usize).prop_map(|(key, model)| Who { key, model });
    // Mostly one and the same, so that limits are reached.
    let who = prop_oneof![3 => Just(Who { key: 0, model: 0 }), 1 => who];
    let ask = (who, cost()).prop_map(|(who, cost)| What::Ask { who, cost });
    let end = (any::<prop::sample::Index>(), (0..=16_u64, 0..=16_u64)).prop_map(|(which, used)| What::End { which, used });
    (gap(), prop_oneof![2 => ask, 1 => end]).prop_map(|(gap, what)| Step { gap, what })
}

fn cost() -> impl Strategy<Value = Cost> {
    let few = || prop_oneof![0..20_u64, 0..200_u64];
    (few(), few()).prop_map(|(input, output)| Cost { input, output })
}

/// So many sixteenths of a cost.
fn part(cost: Cost, (input, output): (u64, u64)) -> Cost {
    Cost { input: cost.input * input / 16, output: cost.output * output / 16 }
}

fn caps() -> impl Strategy<Value = Caps> {
    let few = || prop::option::of(1..6_u64);
    let tokens = || prop::option::of(1..400_u64);
    let concurrency = prop::option::weighted(0.3, 1..4_u32);
    let one_kind = || prop::option::weighted(0.3, 1..300_u64);
    let rates = (few(), prop::option::of(1..20_u64), tokens(), prop::option::of(1..2_000_u64), one_kind(), one_kind());
    (rates, concurrency).prop_map(|((a, b, c, d, e, f), concurrency)| Caps { rates: [a, b, c, d, e, f], concurrency })
}

fn window() -> impl Strategy<Value = LimitWindow> {
    prop_oneof![Just(LimitWindow::Bucket), Just(LimitWindow::Fixed), Just(LimitWindow::Sliding)]
}

prop_compose! {
    fn limits()(
        window in window(),
        all in caps(),
        models in prop::collection::vec((0..2_usize, caps()), 0..2),
        keys in prop::collection::vec((0..3_usize, caps()), 0..2),
        per_key in any::<bool>(),
        per_model in any::<bool>(),
    ) -> Limits {
        // As profiles are refused that say otherwise.
        let keys = if per_key { keys } else { Vec::new() };
        let models = if per_model { models } else { Vec::new() };
        Limits { window, per_key, per_model, assumed_completion_tokens: 0, all, models, keys }
    }
}

/// What one run leaves: who was admitted when, and what it cost in the end.
#[derive(Debug)]
struct Admitted {
    who: Who,
    at: Duration,
    cost: Cost,
    reservation: Option<Reservation>,
}

/// Plays all steps.
fn play(limiter: &mut Limiter, steps: Vec<Step>) -> Vec<Admitted> {
    let mut admitted: Vec<Admitted> = Vec::new();
    let mut now = Duration::ZERO;
    for Step { gap, what } in steps {
        now += gap;
        match what {
            What::Ask { who, cost } => {
                if let Ok(reservation) = limiter.admit(who.caller(), who.model, cost, now) {
                    admitted.push(Admitted { who, at: now, cost, reservation: Some(reservation) });
                }
            }
            What::End { which, used } => {
                let mut open: Vec<_> = admitted.iter_mut().filter(|admitted| admitted.reservation.is_some()).collect();
                if let Some(ending) = (!open.is_empty()).then(|| open.swap_remove(which.index(open.len()))) {
                    ending.cost = part(ending.cost, used);
                    limiter.settle(ending.reservation.take().unwrap(), ending.cost, now);
                }
            }
        }
    }
    admitted
}

/// What was used in the end within a time, by those who share the limits of `who`.
fn used(admitted: &[Admitted], limits: &Limits, who: Who, resource: Resource, within: impl Fn(Duration) -> bool) -> u64 {
    let scope = |who: Who| limits.scope(who.caller(), who.model);
    let theirs = admitted.iter().filter(|admitted| scope(admitted.who) == scope(who) && within(admitted.at));
    theirs.map(|admitted| admitted.cost.of(resource)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_answer_and_every_standing_is_what_a_replay_of_all_that_was_used_gives(
        limits in limits(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut limiter = Limiter::of(limits.clone());
        let mut reference = Reference::new(limits);
        let mut open: Vec<(Reservation, reference::Charge)> = Vec::new();
        let mut now = Duration::ZERO;
        for Step { gap, what } in steps {
            now += gap;
            match what {
                What::Ask { who, cost } => {
                    match (limiter.admit(who.caller(), who.model, cost, now), reference.admit(who, cost, now)) {
                        (Ok(reservation), Ok(charge)) => open.push((reservation, charge)),
                        (actual, expected) => prop_assert_eq!(actual.err(), expected.err()),
                    }
                    let standings = limiter.standings(who.caller(), who.model, now);
                    prop_assert_eq!(standings, reference.standings(who, now));
                }
                What::End { which, used } if !open.is_empty() => {
                    let (reservation, charge) = open.swap_remove(which.index(open.len()));
                    let (who, used) = (charge.who, part(charge.cost, used));
                    limiter.settle(reservation, used, now);
                    reference.settle(charge, used);
                    let standings = limiter.standings(who.caller(), who.model, now);
                    prop_assert_eq!(standings, reference.standings(who, now));
                }
                What::End { .. } => {}
            }
        }
    }

    #[test]
    fn whoever_waits_as_long_as_told_is_admitted_and_not_a_nanosecond_earlier(
        limits in limits(),
        steps in prop::collection::vec(step(), 1..40),
        (who, cost) in (0..3_usize, 0..2_usize, cost()).prop_map(|(key, model, cost)| (Who { key, model }, cost)),
    ) {
        let mut limiter = Limiter::of(limits);
        let last = steps.iter().map(|step| step.gap).sum();
        play(&mut limiter, steps);
        if let Err(LimitReached::Rate { wait, .. }) = limiter.admit(who.caller(), who.model, cost, last) {
            prop_assert!(!wait.is_zero());
            let early = limiter.admit(who.caller(), who.model, cost, last + wait - Duration::from_nanos(1));
            let is_told_again =
                matches!(early, Err(LimitReached::Rate { wait, .. }) if wait == Duration::from_nanos(1));
            prop_assert!(is_told_again, "{:?}", early);
            let retry = limiter.admit(who.caller(), who.model, cost, last + wait);
            prop_assert!(matches!(retry, Ok(_) | Err(LimitReached::Concurrency { .. })), "{:?}", retry);
        }
    }

    #[test]
    fn no_more_is_used_in_any_window_than_its_rule_allows(
        limits in limits(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut limiter = Limiter::of(limits.clone());
        let admitted = play(&mut limiter, steps);
        for first in &admitted {
            let caps = limits.caps(first.who.caller(), first.who.model);
            for (limit, (resource, period)) in caps.rates.into_iter().zip(RATES) {
                let (Some(limit), period) = (limit, period.duration()) else { continue };
                let used = |within: &dyn Fn(Duration) -> bool| used(&admitted, &limits, first.who, resource, within);
                match limits.window {
                    // What was there at the most, and what was refilled.
                    LimitWindow::Bucket => {
                        for last in admitted.iter().filter(|last| last.at >= first.at) {
                            let used = used(&|at| at >= first.at && at <= last.at);
                            let refilled = u128::from(limit) * (last.at - first.at).as_nanos();
                            let most = u128::from(limit) * period.as_nanos() + refilled;
                            prop_assert!(u128::from(used) * period.as_nanos() <= most, "{} of {}", used, limit);
                        }
                    }
                    LimitWindow::Fixed => {
                        let window = |at: Duration| at.as_nanos() / period.as_nanos();
                        prop_assert!(used(&|at| window(at) == window(first.at)) <= limit);
                    }
                    LimitWindow::Sliding => {
                        prop_assert!(used(&|at| at >= first.at && at < first.at + period) <= limit);
                    }
                }
            }
        }
    }

    #[test]
    fn never_are_more_answered_at_once_than_the_limit(
        limit in 1..4_u32,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let caps = Caps { concurrency: Some(limit), ..Caps::default() };
        let mut limiter = Limiter::of(unshared(LimitWindow::Bucket, caps));
        let mut open = [0; 6];
        let mut reservations: Vec<(usize, Reservation)> = Vec::new();
        for Step { what, .. } in steps {
            match what {
                What::Ask { who, cost } => {
                    let account = 2 * who.key + who.model;
                    match limiter.admit(who.caller(), who.model, cost, Duration::ZERO) {
                        Ok(reservation) => {
                            open[account] += 1;
                            reservations.push((account, reservation));
                            prop_assert!(open[account] <= limit);
                        }
                        refused => {
                            prop_assert_eq!(refused.unwrap_err(), LimitReached::Concurrency { limit });
                            prop_assert_eq!(open[account], limit);
                        }
                    }
                }
                What::End { which, .. } if !reservations.is_empty() => {
                    let (account, reservation) = reservations.swap_remove(which.index(reservations.len()));
                    limiter.settle(reservation, Cost::default(), Duration::ZERO);
                    open[account] -= 1;
                }
                What::End { .. } => {}
            }
        }
    }
}

fn unshared(window: LimitWindow, all: Caps) -> Limits {
    let (models, keys) = (Vec::new(), Vec::new());
    Limits { window, per_key: true, per_model: true, assumed_completion_tokens: 0, all, models, keys }
}

fn caps_of(limits: &[((Resource, Period), u64)]) -> Caps {
    let limit = |rate| limits.iter().find(|(limited, _)| *limited == rate).map(|(_, limit)| *limit);
    Caps { rates: RATES.map(limit), concurrency: None }
}

#[test]
fn the_figures_are_those_of_openais_own_example() {
    let caps = caps_of(&[((Resource::Tokens, Period::Minute), 30_000)]);
    let mut limiter = Limiter::of(unshared(LimitWindow::Bucket, caps));
    let (caller, now) = (Caller::new("sk-a", None), Duration::from_secs(5));
    let _ = limiter.admit(caller, 0, Cost { input: 13, output: 29_924 }, now).unwrap();
    let expected = LimitReached::Rate {
        resource: Resource::Tokens,
        period: Period::Minute,
        limit: 30_000,
        used: 29_937,
        requested: 385,
        wait: Duration::from_millis(644),
    };
    assert_eq!(limiter.admit(caller, 0, Cost { input: 13, output: 372 }, now).unwrap_err(), expected);
}

#[test]
fn callers_who_used_nothing_that_is_still_missing_take_no_memory() {
    let caps = caps_of(&[((Resource::Requests, Period::Minute), 10), ((Resource::Tokens, Period::Minute), 10_000)]);
    let caps = Caps { concurrency: Some(3), ..caps };
    for window in [LimitWindow::Bucket, LimitWindow::Fixed, LimitWindow::Sliding] {
        let mut limiter = Limiter::of(unshared(window, caps));
        let mut most = 0;
        for number in 0..20_000 {
            // A request is missing for 6 s, or until the window has passed: there are never more than 120 such callers.
            let now = Duration::from_millis(500 * number);
            let reservation =
                limiter.admit(Caller::new(&format!("sk-{number}"), None), 0, Cost { input: 500, output: 0 }, now).unwrap();
            limiter.settle(reservation, Cost::default(), now);
            most = most.max(limiter.accounts());
        }
        assert!(most <= 2 * 121 + 1, "{window:?}: {most}");
    }
}

#[test]
fn beyond_ten_thousand_accounts_newcomers_share_one_until_others_are_as_good_as_new() {
    let caps = caps_of(&[((Resource::Requests, Period::Day), 10)]);
    let mut limiter = Limiter::of(unshared(LimitWindow::Fixed, caps));
    let mut ask = |number: u32, place, now| {
        let admitted = limiter.admit(Caller::new(&format!("sk-{number}"), place), 0, Cost::default(), now);
        let is_admitted = admitted.map(|reservation| limiter.settle(reservation, Cost::default(), now)).is_ok();
        (is_admitted, limiter.accounts())
    };
    let early = Duration::from_secs(5);
    for number in 0..10_000 {
        assert!(ask(number, None, early).0);
    }
    for number in 10_000..30_000 {
        assert_eq!(ask(number, None, early), (number < 10_010, 10_001), "{number}");
    }
    // Those who have an account keep it, and those whom the profile names get one.
    assert_eq!(ask(7, None, early), (true, 10_001));
    assert_eq!(ask(90_000, Some(0), early), (true, 10_002));
    assert_eq!(ask(90_001, None, Duration::from_secs(100_000)), (true, 1));
}
