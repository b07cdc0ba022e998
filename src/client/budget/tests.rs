//! Who is let in, and that nothing leaks.

use proptest::prelude::*;

use super::*;
use crate::client::policy::Policy;

const FREE: Plea = Plea { invited: false, risk: None };
const INVITED: Plea = Plea { invited: true, risk: None };

fn budgets(budget: RetryBudget, risk: BillingRisk) -> Budgets {
    Budgets::new(&Retry { budget: Some(budget), billing_risk: Some(risk), ..Retry::never() })
}

fn load(start: f64) -> Budgets {
    budgets(RetryBudget { start, ..RetryBudget::default() }, BillingRisk::default())
}

impl Budgets {
    /// Retries left, requests and retries in flight, risks left.
    pub(crate) fn books(&self) -> (f64, u64, u64, f64) {
        let (load, risk) = (self.load.as_ref().unwrap(), self.risk.as_ref().unwrap());
        let left = |purse: &Purse| purse.balance.load(Relaxed) as f64 / PRICE as f64;
        (left(&load.purse), self.requests.load(Relaxed), load.retries.load(Relaxed), left(&risk.purse))
    }
}

/// A retry that is sent and ends at once.
fn retry(asked: &Asked<'_>, plea: Plea) -> Result<(), Stop> {
    asked.retry(plea).map(|mut permit| permit.begin())
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

#[test]
fn a_fifth_of_the_requests_in_flight_may_be_retries_but_three_always() {
    for (requests, most) in [(1, 3), (15, 3), (19, 3), (20, 4), (200, 40)] {
        let budgets = load(500.0);
        let asked: Vec<_> = (0..requests).map(|_| budgets.ask()).collect();
        let permits: Vec<_> = std::iter::from_fn(|| asked[0].retry(FREE).ok()).collect();
        assert_eq!(permits.len(), most, "{requests} requests");
        assert_eq!(retry(&asked[0], INVITED), Ok(()), "who was invited is let in");
        drop(permits);
        assert_eq!(retry(&asked[0], FREE), Ok(()), "{requests} requests");
    }
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
            (0..1000).filter(|_| retry(&asked, INVITED).is_ok()).count()
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
        let mut asked: Vec<(Asked<'_>, Vec<Permit<'_>>)> = Vec::new();
        let (mut sent, mut risked) = (0_u32, 0_u32);
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
                        permit.begin();
                        sent += 1;
                        risked += u32::from(permit.risked);
                    }
                }
                (_, index) => drop(asked.swap_remove(index)),
            }
        }
        drop(asked);
        prop_assert_eq!(budgets.books(), (20.0 - f64::from(sent), 0, 0, 20.0 - f64::from(risked)));
    }
}
