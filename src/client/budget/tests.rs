//! Who is let in, and that nothing leaks.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::client::policy::Policy;

const FREE: Plea = Plea { invited: false, risk: None };
const INVITED: Plea = Plea { invited: true, risk: None };

fn budgets(budget: RetryBudget, risk: BillingRisk) -> Arc<Budgets> {
    Arc::new(Budgets::new(&Retry { budget: Some(budget), billing_risk: Some(risk), ..Retry::never() }))
}

fn load(start: f64) -> Arc<Budgets> {
    budgets(RetryBudget { start, ..RetryBudget::default() }, BillingRisk::default())
}

impl Budgets {
    /// Retries left, requests in flight, retries in flight or decided on, risks left.
    pub(crate) fn books(&self) -> (f64, u64, u64, f64) {
        let BudgetStats { requests_in_flight, retries_in_flight, retries_left, risks_left, .. } = self.stats();
        let booked = self.load.as_ref().unwrap().places.booked();
        (retries_left.unwrap(), requests_in_flight, retries_in_flight.max(booked), risks_left.unwrap())
    }
}

/// Begins a retry; `None` while it waits.
fn begin(permit: &mut Permit) -> Option<()> {
    permit.enter().now_or_never()?;
    permit.begin();
    Some(())
}

/// A retry that is sent and ends at once.
fn retry(asked: &Asked, plea: Plea) -> Result<(), Stop> {
    asked.retry(plea).map(|mut permit| begin(&mut permit).unwrap())
}

#[test]
fn an_empty_budget_refuses_and_ten_successes_pay_for_a_retry() {
    let budgets = load(2.0);
    let asked = budgets.ask();
    assert_eq!([retry(&asked, FREE), retry(&asked, FREE)], [Ok(()), Ok(())]);
    assert_eq!(retry(&asked, FREE), Err(Stop::Budget));
    (0..9).for_each(|_| asked.succeeded());
    assert_eq!(retry(&asked, INVITED), Err(Stop::Budget));
    asked.succeeded();
    assert_eq!([retry(&asked, FREE), retry(&asked, FREE)], [Ok(()), Err(Stop::Budget)]);
}

#[test]
fn successes_save_up_no_more_than_the_start() {
    let budgets = load(1.0);
    let asked = budgets.ask();
    (0..1000).for_each(|_| asked.succeeded());
    assert_eq!([retry(&asked, FREE), retry(&asked, FREE)], [Ok(()), Err(Stop::Budget)]);
}

#[test]
fn one_that_starts_empty_earns_its_first_retry() {
    let budgets = load(0.0);
    let asked = budgets.ask();
    assert_eq!(retry(&asked, FREE), Err(Stop::Budget));
    (0..100).for_each(|_| asked.succeeded());
    assert_eq!([retry(&asked, FREE), retry(&asked, FREE)], [Ok(()), Err(Stop::Budget)]);
}

const SHARES: [(usize, usize); 5] = [(1, 3), (15, 3), (19, 3), (20, 4), (200, 40)];

#[test]
fn a_fifth_of_the_requests_in_flight_may_be_retries_but_three_always() {
    for (requests, most) in SHARES {
        let budgets = load(500.0);
        let asked: Vec<_> = (0..requests).map(|_| budgets.ask()).collect();
        let permits: Vec<_> = std::iter::from_fn(|| asked[0].retry(FREE).ok()).collect();
        assert_eq!(permits.len(), most, "{requests} requests");
        drop(permits);
        assert_eq!(retry(&asked[0], FREE), Ok(()), "{requests} requests");
    }
}

#[test]
fn who_was_invited_is_not_turned_away_but_waits_for_a_place_in_the_order_of_arrival() {
    for (requests, most) in SHARES {
        let budgets = load(500.0);
        let asked: Vec<_> = (0..requests).map(|_| budgets.ask()).collect();
        let mut in_flight: Vec<_> = (0..most).map(|_| asked[0].retry(INVITED).unwrap()).collect();
        assert!(in_flight.iter_mut().all(|permit| begin(permit).is_some()), "{requests} requests");
        let (mut first, mut second) = (asked[0].retry(INVITED).unwrap(), asked[0].retry(FREE).unwrap());
        {
            let (mut first, mut second) = (Box::pin(first.enter()), Box::pin(second.enter()));
            assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
            assert_eq!(budgets.stats().retries_waiting, 2);
            in_flight.pop();
            assert!(second.as_mut().now_or_never().is_none(), "{requests} requests: the first is first");
            assert!(first.as_mut().now_or_never().is_some(), "{requests} requests");
            in_flight.pop();
            assert!(second.as_mut().now_or_never().is_some(), "{requests} requests");
        }
        drop((first, second, in_flight));
        let BudgetStats { retries_in_flight, retries_waiting, .. } = budgets.stats();
        assert_eq!((retries_in_flight, retries_waiting), (0, 0));
    }
}

#[test]
fn more_requests_in_flight_make_room_for_a_retry_that_waits() {
    let budgets = load(500.0);
    let mut asked: Vec<_> = (0..19).map(|_| budgets.ask()).collect();
    let mut permits: Vec<_> = (0..4).map(|_| asked[0].retry(INVITED).unwrap()).collect();
    let mut beginning: Vec<_> = permits.iter_mut().map(|permit| Box::pin(permit.enter())).collect();
    let begun: Vec<_> = beginning.iter_mut().map(|begin| begin.as_mut().now_or_never().is_some()).collect();
    assert_eq!(begun, [true, true, true, false]);
    asked.push(budgets.ask());
    assert!(beginning[3].as_mut().now_or_never().is_some());
}

#[test]
fn who_gives_up_waiting_keeps_no_place_and_pays_nothing() {
    let budgets = load(500.0);
    let asked = budgets.ask();
    let mut permits: Vec<_> = (0..3).map(|_| asked.retry(INVITED).unwrap()).collect();
    permits.iter_mut().for_each(|permit| begin(permit).unwrap());
    let (mut granted, mut waiting) = (asked.retry(INVITED).unwrap(), asked.retry(INVITED).unwrap());
    {
        let (mut granted, mut waiting) = (Box::pin(granted.enter()), Box::pin(waiting.enter()));
        assert!(granted.as_mut().now_or_never().is_none() && waiting.as_mut().now_or_never().is_none());
        permits.clear();
        // Both were given a place, and go away before they know.
    }
    drop((granted, waiting));
    let (left, _, in_flight, _) = budgets.books();
    assert_eq!((left, in_flight, budgets.stats().retries_waiting), (497.0, 0, 0));
}

#[test]
fn where_no_place_can_come_nobody_waits_for_one() {
    let budgets = budgets(RetryBudget { least_in_flight: 0, ..RetryBudget::default() }, BillingRisk::default());
    let mut asked: Vec<_> = (0..4).map(|_| budgets.ask()).collect();
    assert_eq!([asked[0].retry(INVITED).err(), asked[0].retry(FREE).err()], [Some(Stop::Budget); 2]);
    asked.push(budgets.ask());
    assert_eq!(retry(&asked[0], INVITED), Ok(()));
}

#[test]
fn who_went_away_is_not_kept_while_all_places_are_taken() {
    let budgets = load(500.0);
    let asked = budgets.ask();
    let mut taken: Vec<_> = (0..3).map(|_| asked.retry(INVITED).unwrap()).collect();
    taken.iter_mut().for_each(|permit| begin(permit).unwrap());
    for _ in 0..100 {
        assert!(begin(&mut asked.retry(INVITED).unwrap()).is_none());
    }
    assert_eq!(budgets.load.as_ref().unwrap().places.kept(), 1);
}

#[test]
fn paying_twice_is_risked_once_a_request_and_within_the_share() {
    let budgets = budgets(RetryBudget::default(), BillingRisk { per_request: 1, share: 0.5, start: 2.0 });
    let risky = |number| Plea { invited: false, risk: Some(number) };
    let asked = budgets.ask();
    assert_eq!(retry(&asked, risky(2)), Err(Stop::BillingRisk));
    assert_eq!([retry(&asked, risky(1)), retry(&asked, risky(1))], [Ok(()), Ok(())]);
    assert_eq!(retry(&asked, risky(1)), Err(Stop::BillingRisk));
    assert_eq!(retry(&asked, FREE), Ok(()));
    let _two = (budgets.ask(), budgets.ask());
    assert_eq!([retry(&asked, risky(1)), retry(&asked, risky(1))], [Ok(()), Err(Stop::BillingRisk)]);
}

#[test]
fn what_one_budget_refuses_costs_the_other_nothing() {
    let budgets =
        budgets(RetryBudget { start: 5.0, ..RetryBudget::default() }, BillingRisk { start: 0.0, ..BillingRisk::default() });
    let asked = budgets.ask();
    let (left, ..) = budgets.books();
    assert_eq!(retry(&asked, Plea { invited: false, risk: Some(2) }), Err(Stop::BillingRisk));
    assert_eq!(budgets.books(), (left, 1, 0, 0.05));
}

#[test]
fn presets_other_than_resilient_have_no_budget() {
    for name in Policy::names() {
        let retry = Policy::named(name).unwrap().retry;
        assert_eq!(retry.budget.is_some() && retry.billing_risk.is_some(), name == "resilient", "{name}");
        assert_eq!(retry.budget.is_some() || retry.billing_risk.is_some(), name == "resilient", "{name}");
    }
}

#[test]
fn threads_together_get_no_more_than_there_is() {
    let budgets = load(1000.0);
    let granted: usize = std::thread::scope(|scope| {
        let spend = || {
            let asked = budgets.ask();
            // Another thread may have counted a place for this one, and not have handed it over yet: it has to be waited for.
            let runtime = relaybench_clock::Runtime::new().unwrap();
            let sent = |mut permit: Permit| {
                runtime.block_on(permit.enter());
                permit.begin();
            };
            (0..1000).filter(|_| asked.retry(INVITED).map(sent).is_ok()).count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(spend)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 1000);
    let (left, requests, retries, _) = budgets.books();
    assert_eq!((left, requests, retries), (0.0, 0, 0));
}

proptest! {
    /// Requests come, are granted retries, send them or are cancelled while they wait, and go, in any order.
    #[test]
    fn the_books_balance_whatever_is_cancelled(steps in prop::collection::vec((0_u8..6, any::<bool>(), 0_usize..8), 0..200)) {
        let budgets = budgets(RetryBudget { start: 20.0, deposit: 0.0, ..RetryBudget::default() },
            BillingRisk { per_request: 8, share: 0.0, start: 20.0 });
        let mut asked: Vec<(Asked, Vec<Permit>)> = Vec::new();
        let (mut sent, mut risked, mut in_flight) = (0_u32, 0_u32, Vec::new());
        let mut flown = 0;
        for (step, flag, which) in steps {
            match (step, which % asked.len().max(1)) {
                (0 | 1, _) => asked.push((budgets.ask(), Vec::new())),
                (_, index) if index >= asked.len() => {}
                (2 | 3, index) => {
                    let (asked, permits) = &mut asked[index];
                    permits.extend(asked.retry(Plea { invited: which > 3, risk: flag.then_some(1) }));
                }
                (4, index) => {
                    if let Some(mut permit) = asked[index].1.pop() {
                        // One that finds no place is given up.
                        if begin(&mut permit).is_some() {
                            sent += 1;
                            risked += u32::from(permit.is_risked);
                            if flag {
                                in_flight.push(permit);
                            } else {
                                in_flight.pop();
                            }
                        }
                    }
                }
                (_, index) => drop(asked.swap_remove(index)),
            }
            let most = (asked.len() / 5).max(3);
            prop_assert!(in_flight.len() <= most.max(flown) && budgets.stats().retries_in_flight == in_flight.len() as u64);
            flown = in_flight.len();
        }
        drop((asked, in_flight));
        prop_assert_eq!(budgets.books(), (20.0 - f64::from(sent), 0, 0, 20.0 - f64::from(risked)));
    }
}
