//! How much trying again may cost: the server in load, and the caller in money.

use serde::Serialize;

/// How much retries may add to the load, over all requests of a client and its clones. A retry that finds the budget empty is not
/// waited for: the request fails at once with [`Stop::Budget`](crate::client::Stop::Budget).
///
/// Two bounds, since each fails where the other holds. The *rate* (Brooker, "Fixing retries with token buckets and circuit
/// breakers", 2022): a success pays in `deposit`, a retry takes 1, so that when everything fails retries end after `start` of
/// them, and in the long run add no more than `deposit` to the load. The *share in flight* (after Envoy's retry budget): a slow
/// outage lets few retries end but many begin. It is never exceeded by a retry that is sent; that requests end all around it cuts
/// none off.
///
/// A retry is in flight while its attempt is, not while it is waited for. One for which the server named the time (an obeyed hint)
/// comes when the server wants it, as soon as there is a place: if there is none it waits for one, behind those who came before, as
/// long as places come free and up to the total timeout. When none came free for as long as the longest backoff (`Retry::cap`, at
/// least a second), those who have them hang; it fails then, as it does at the total timeout, with what had failed. So 20 requests that are all told to come back in a second come back
/// four at a time, and not in one burst. One that nobody invited fails at once when as many such retries are decided on as may be in
/// flight: in an outage it is better to know.
///
/// A request is in flight until its answer is complete; a streamed one until the proof of its end, which is also when it pays in,
/// or until it breaks or is dropped, which pays nothing. A streamed retry ends with its first content: what follows is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RetryBudget {
    /// Retries paid for at the start, and the most that successes can save up (but at least 1); 0 to 1,000,000, in thousandths. Default
    /// 500: about one for each connection of the pool, so that one bad second of all requests in flight is survived, while an
    /// outage costs little. Lower it where many clients share a server.
    pub start: f64,
    /// What a success pays in, in retries. Default 0.1: when a tenth of the requests needs a retry, the budget holds for ever. The
    /// share of failures to be ridden out indefinitely is the one to choose.
    pub deposit: f64,
    /// Retries in flight, as a share (0 to 1) of the requests in flight. Default 0.2, Envoy's.
    pub share_in_flight: f64,
    /// So many retries may always be in flight. Default 3, Envoy's: a share of few is none. With 0 there is no retry while the share of
    /// what is in flight is less than one; 0 of both is refused.
    pub least_in_flight: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { start: 500.0, deposit: 0.1, share_in_flight: 0.2, least_in_flight: 3 }
    }
}

/// How often a request may be repeated although the failed attempt may be billed
/// ([`Attempt::possibly_billed`](crate::client::Attempt::possibly_billed)): it was sent and then timed out, was reset, or its
/// answer broke off. The request then fails with [`Stop::BillingRisk`](crate::client::Stop::BillingRisk). Retries of what never
/// left, and of what the server refused, are free of this rule.
///
/// The bill can grow by `per_request` answers for one request, and by `share` over all (after the first `start`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BillingRisk {
    /// Such retries for one logical request. Default 1: a request that fails so twice is likely to fail so again, as one does that
    /// takes longer than the timeout. 0: never pay twice.
    pub per_request: u32,
    /// Such retries as a share (0 to 1) of all logical requests. Default 0.05: connections that break come to less than that on a bad
    /// day, and then a whole incident costs 5 % at most.
    pub share: f64,
    /// Such retries allowed before the share counts, and the most that can be saved up (but at least 1); 0 to 1,000,000. Default 10.
    pub start: f64,
}

impl Default for BillingRisk {
    fn default() -> Self {
        Self { per_request: 1, share: 0.05, start: 10.0 }
    }
}

impl RetryBudget {
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match () {
            () if !is_balance(self.start) => Some("the retry budget's start must be between 0 and 1,000,000"),
            () if !is_share(self.deposit) => Some("the retry budget's deposit must be between 0 and 1"),
            () if !is_share(self.share_in_flight) => Some("the retry budget's share in flight must be between 0 and 1"),
            () if self.least_in_flight == 0 && self.share_in_flight == 0.0 => {
                Some("the retry budget must let a retry be in flight: set its least or its share above 0, or allow one attempt")
            }
            () => None,
        }
    }
}

impl BillingRisk {
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match () {
            () if !is_balance(self.start) => Some("the billing risk's start must be between 0 and 1,000,000"),
            () if !is_share(self.share) => Some("the billing risk's share must be between 0 and 1"),
            () => None,
        }
    }
}

fn is_balance(balance: f64) -> bool {
    (0.0..=1e6).contains(&balance)
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, Policy};

    #[test]
    fn figures_that_cannot_be_are_refused() {
        let load = RetryBudget::default();
        for (budget, risk, told) in [
            (RetryBudget { start: -1.0, ..load }, BillingRisk::default(), "budget's start"),
            (RetryBudget { start: f64::NAN, ..load }, BillingRisk::default(), "budget's start"),
            (RetryBudget { deposit: 1.5, ..load }, BillingRisk::default(), "deposit"),
            (RetryBudget { share_in_flight: -0.1, ..load }, BillingRisk::default(), "share in flight"),
            (
                RetryBudget { share_in_flight: 0.0, least_in_flight: 0, ..load },
                BillingRisk::default(),
                "let a retry be in flight",
            ),
            (load, BillingRisk { share: 2.0, ..BillingRisk::default() }, "risk's share"),
            (load, BillingRisk { start: f64::INFINITY, ..BillingRisk::default() }, "risk's start"),
        ] {
            let builder = Client::builder().base_url("https://host/v1").policy(Policy::resilient());
            let error = builder.retry_budget(budget).billing_risk(risk).build().unwrap_err();
            assert!(error.is_config() && error.to_string().contains(told), "{told}: {error}");
        }
    }
}
