//! What retries may cost, counted over all requests of a client: counters without a lock, and permits that return what they hold.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::error::Stop;
use super::policy::{BillingRisk, Retry, RetryBudget};

/// The budgets of a client, running. Its clones share them.
#[derive(Debug)]
pub(crate) struct Budgets {
    load: Option<Load>,
    risk: Option<Risk>,
    requests: AtomicU64,
}

#[derive(Debug)]
struct Load {
    terms: RetryBudget,
    purse: Purse,
    retries: AtomicU64,
}

#[derive(Debug)]
struct Risk {
    per_request: u32,
    purse: Purse,
}

/// What a retry is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plea {
    /// Whether the server named the time.
    pub(crate) invited: bool,
    /// Which one it is of those after which the caller may pay twice, counted from 1; `None` when it is none of them.
    pub(crate) risk: Option<u32>,
}

impl Budgets {
    pub(crate) fn new(retry: &Retry) -> Self {
        let load = |terms: RetryBudget| Load { terms, purse: Purse::new(terms.start, terms.deposit), retries: AtomicU64::new(0) };
        let risk = |terms: BillingRisk| Risk { per_request: terms.per_request, purse: Purse::new(terms.start, terms.share) };
        Self { load: retry.budget.map(load), risk: retry.billing_risk.map(risk), requests: AtomicU64::new(0) }
    }

    /// Counts a logical request, until it is dropped.
    pub(crate) fn ask(&self) -> Asked<'_> {
        self.requests.fetch_add(1, Relaxed);
        if let Some(risk) = &self.risk {
            risk.purse.earn();
        }
        Asked(self)
    }
}

/// A logical request in flight.
#[derive(Debug)]
pub(crate) struct Asked<'a>(&'a Budgets);

impl<'a> Asked<'a> {
    /// The request was answered.
    pub(crate) fn succeeded(&self) {
        if let Some(load) = &self.0.load {
            load.purse.earn();
        }
    }

    /// A retry, if the budgets have one left. Never waits.
    pub(crate) fn retry(&self, plea: Plea) -> Result<Permit<'a>, Stop> {
        // What is granted in part returns by the permit's own end.
        let mut permit = Permit { budgets: self.0, in_flight: false, paid: false, risked: false, is_begun: false };
        if let Some(load) = &self.0.load {
            permit.in_flight = !plea.invited && load.begin(self.0.requests.load(Relaxed));
            permit.paid = (plea.invited || permit.in_flight) && load.purse.spend();
            if !permit.paid {
                return Err(Stop::Budget);
            }
        }
        if let (Some(risk), Some(number)) = (&self.0.risk, plea.risk) {
            permit.risked = number <= risk.per_request && risk.purse.spend();
            if !permit.risked {
                return Err(Stop::BillingRisk);
            }
        }
        Ok(permit)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

impl Load {
    /// Counts a retry, unless too many are in flight already.
    fn begin(&self, requests: u64) -> bool {
        let share = (requests as f64 * self.terms.share_in_flight) as u64;
        let most = share.max(self.terms.least_in_flight.into());
        self.retries.fetch_update(Relaxed, Relaxed, |retries| (retries < most).then_some(retries + 1)).is_ok()
    }
}

/// A retry that was granted. Dropped before it has begun, as when its caller goes away while it waits, it costs nothing.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    budgets: &'a Budgets,
    in_flight: bool,
    paid: bool,
    risked: bool,
    is_begun: bool,
}

impl Permit<'_> {
    /// The wait is over, and the retry is sent.
    pub(crate) fn begin(&mut self) {
        self.is_begun = true;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(load) = &self.budgets.load {
            if self.in_flight {
                load.retries.fetch_sub(1, Relaxed);
            }
            if self.paid && !self.is_begun {
                load.purse.refund();
            }
        }
        if let Some(risk) = self.budgets.risk.as_ref().filter(|_| self.risked && !self.is_begun) {
            risk.purse.refund();
        }
    }
}

/// A token bucket that fills by events and not by time, counted in thousandths.
#[derive(Debug)]
struct Purse {
    balance: AtomicU64,
    most: u64,
    earning: u64,
}

/// In thousandths, the price of one retry.
const PRICE: u64 = 1000;

impl Purse {
    /// With `start` in it, which is also the most it holds; `earning` comes in for each event.
    fn new(start: f64, earning: f64) -> Self {
        let thousandths = |amount: f64| (amount * PRICE as f64).round() as u64;
        // One that could not hold the price of a retry would earn in vain.
        let most = thousandths(start).max(PRICE);
        Self { balance: AtomicU64::new(thousandths(start)), most, earning: thousandths(earning) }
    }

    fn earn(&self) {
        self.put(self.earning);
    }

    fn refund(&self) {
        self.put(PRICE);
    }

    fn put(&self, amount: u64) {
        // A full one is the usual case, and is only read.
        let filled = |balance: u64| (balance < self.most).then(|| (balance + amount).min(self.most));
        let _ = self.balance.fetch_update(Relaxed, Relaxed, filled);
    }

    fn spend(&self) -> bool {
        self.balance.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(PRICE)).is_ok()
    }
}

#[cfg(test)]
mod tests {
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
}
