//! What retries may cost, counted over all requests of a client: counters without a lock, places for those in flight, and permits
//! that return what they hold.

mod places;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use self::places::{Place, Places};
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
    places: Places,
}

#[derive(Debug)]
struct Risk {
    per_request: u32,
    purse: Purse,
}

/// What a client's retries may still cost, and how many there are just now. A snapshot: what is in flight goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BudgetStats {
    /// Logical requests in flight; a streamed one until its stream has ended or was dropped.
    pub requests_in_flight: u64,
    /// Retries in flight, as the [`RetryBudget`](crate::client::RetryBudget) counts them. 0 without one.
    pub retries_in_flight: u64,
    /// Retries that are due, and wait for one of these to end.
    pub retries_waiting: u64,
    /// Retries that are paid for. `None` without a budget.
    pub retries_left: Option<f64>,
    /// Retries of what may be billed that are paid for. `None` where the policy bounds them not.
    pub risks_left: Option<f64>,
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
        let load = |terms: RetryBudget| Load { terms, purse: Purse::new(terms.start, terms.deposit), places: Places::default() };
        let risk = |terms: BillingRisk| Risk { per_request: terms.per_request, purse: Purse::new(terms.start, terms.share) };
        Self { load: retry.budget.map(load), risk: retry.billing_risk.map(risk), requests: AtomicU64::new(0) }
    }

    /// Counts a logical request, until it is dropped.
    pub(crate) fn ask(self: &Arc<Self>) -> Asked {
        self.requests.fetch_add(1, SeqCst);
        if let Some(risk) = &self.risk {
            risk.purse.earn();
        }
        // Another request in flight may be room for another retry.
        if let Some(load) = self.load.as_ref().filter(|load| load.places.is_waited_for()) {
            load.places.admit(self);
        }
        Asked(Arc::clone(self))
    }

    pub(crate) fn stats(&self) -> BudgetStats {
        let (retries_in_flight, retries_waiting) = self.load.as_ref().map_or((0, 0), |load| load.places.counts());
        BudgetStats {
            requests_in_flight: self.requests.load(Relaxed),
            retries_in_flight,
            retries_waiting,
            retries_left: self.load.as_ref().map(|load| load.purse.left()),
            risks_left: self.risk.as_ref().map(|risk| risk.purse.left()),
        }
    }

    /// How many retries may be in flight just now.
    fn most(&self, terms: &RetryBudget) -> u64 {
        let share = (self.requests.load(SeqCst) as f64 * terms.share_in_flight) as u64;
        share.max(terms.least_in_flight.into())
    }
}

/// A logical request in flight.
#[derive(Debug)]
pub(crate) struct Asked(Arc<Budgets>);

impl Asked {
    /// The request was answered, wholly.
    pub(crate) fn succeeded(&self) {
        if let Some(load) = &self.0.load {
            load.purse.earn();
        }
    }

    /// A retry, if the budgets have one left. Never waits.
    pub(crate) fn retry(&self, plea: Plea) -> Result<Permit, Stop> {
        let budgets = Arc::clone(&self.0);
        // What is granted in part returns by the permit's own end.
        let mut permit = Permit { budgets, is_booked: false, is_paid: false, is_risked: false, is_begun: false, place: None };
        if let Some(load) = &self.0.load {
            let most = self.0.most(&load.terms);
            // Nobody's end would make room: a share of so few requests is none.
            if most == 0 {
                return Err(Stop::Budget);
            }
            permit.is_booked = !plea.invited && load.places.book(most);
            permit.is_paid = (plea.invited || permit.is_booked) && load.purse.spend();
            if !permit.is_paid {
                return Err(Stop::Budget);
            }
        }
        if let (Some(risk), Some(number)) = (&self.0.risk, plea.risk) {
            permit.is_risked = number <= risk.per_request && risk.purse.spend();
            if !permit.is_risked {
                return Err(Stop::BillingRisk);
            }
        }
        Ok(permit)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, SeqCst);
    }
}

/// A retry that was granted. Dropped before it has begun, as when its caller goes away while it waits, it costs nothing.
#[derive(Debug)]
pub(crate) struct Permit {
    budgets: Arc<Budgets>,
    is_booked: bool,
    is_paid: bool,
    is_risked: bool,
    is_begun: bool,
    place: Option<Place>,
}

impl Permit {
    /// A place among the retries in flight: most often there is one at once, and else they come in the order in which they were
    /// waited for. Dropped, the wait is given up.
    pub(crate) async fn enter(&mut self) {
        if let Some(load) = &self.budgets.load {
            self.place = Some(load.places.enter(&self.budgets).await);
        }
    }

    /// How many places came free so far: whether it makes sense to wait on.
    pub(crate) fn freed(&self) -> impl Fn() -> u64 + use<> {
        let budgets = Arc::clone(&self.budgets);
        move || budgets.load.as_ref().map_or(0, |load| load.places.freed())
    }

    /// The retry is sent: from now on it costs what it costs.
    pub(crate) fn begin(&mut self) {
        self.is_begun = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(load) = &self.budgets.load {
            if self.is_booked {
                load.places.unbook();
            }
            if self.is_paid && !self.is_begun {
                load.purse.refund();
            }
        }
        if let Some(risk) = self.budgets.risk.as_ref().filter(|_| self.is_risked && !self.is_begun) {
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

    fn left(&self) -> f64 {
        self.balance.load(Relaxed) as f64 / PRICE as f64
    }

    fn spend(&self) -> bool {
        self.balance.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(PRICE)).is_ok()
    }
}

#[cfg(test)]
mod tests;
