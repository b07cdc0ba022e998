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
mod tests;
