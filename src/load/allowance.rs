//! How much a live run may still send: a request cap and a money cap.

use super::sample::Unsent;

/// What may still be sent, in requests for a stage and in money for the whole run.
///
/// Money is reserved at its worst before a request is sent, and settled when the answer says what it used: the cap holds even
/// when every answer is as long as it may be.
#[derive(Clone, Debug)]
pub struct Allowance {
    requests_per_stage: u64,
    requests_left: u64,
    money_left_usd: f64,
    worst_case_usd: f64,
}

impl Allowance {
    /// No bounds: the target is a mock of ours and costs nothing.
    pub fn unlimited() -> Self {
        Self { requests_per_stage: u64::MAX, requests_left: u64::MAX, money_left_usd: f64::INFINITY, worst_case_usd: 0.0 }
    }

    /// At most `requests` in each stage and `money_usd` in all, each request costing `worst_case_usd` at most with its retries.
    pub fn new(requests: u64, money_usd: f64, worst_case_usd: f64) -> Self {
        Self { requests_per_stage: requests, requests_left: requests, money_left_usd: money_usd, worst_case_usd }
    }

    /// Another stage begins, with as many requests and the money that is left.
    pub fn begin_stage(&mut self) {
        self.requests_left = self.requests_per_stage;
    }

    /// Takes one request out, with the money it may cost.
    ///
    /// # Errors
    ///
    /// The cap that forbids it.
    pub fn reserve(&mut self) -> Result<(), Unsent> {
        if self.requests_left == 0 {
            return Err(Unsent::RequestCap);
        }
        if self.worst_case_usd > self.money_left_usd {
            return Err(Unsent::CostCap);
        }
        self.requests_left -= 1;
        self.money_left_usd -= self.worst_case_usd;
        Ok(())
    }

    /// Gives back what a reserved request did not cost. None, when nobody can say what it cost: then it counts at its worst.
    pub fn settle(&mut self, cost_usd: Option<f64>) {
        if let Some(cost_usd) = cost_usd {
            self.money_left_usd += self.worst_case_usd - cost_usd;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_money_cap_holds_when_every_answer_costs_the_most() {
        let mut allowance = Allowance::new(100, 1.0, 0.3);
        let sent = std::iter::from_fn(|| allowance.reserve().ok()).count();
        assert_eq!(sent, 3);
        assert_eq!(allowance.reserve(), Err(Unsent::CostCap));
    }

    #[test]
    fn what_was_not_used_pays_for_more() {
        let mut allowance = Allowance::new(100, 1.0, 0.5);
        for _ in 0..9 {
            assert_eq!(allowance.reserve(), Ok(()));
            allowance.settle(Some(0.0625));
        }
        assert_eq!(allowance.reserve(), Err(Unsent::CostCap));
    }

    #[test]
    fn the_request_cap_is_one_stage_s() {
        let mut allowance = Allowance::new(2, 1.0, 0.0);
        assert_eq!([allowance.reserve(), allowance.reserve(), allowance.reserve()], [Ok(()), Ok(()), Err(Unsent::RequestCap)]);
        allowance.begin_stage();
        assert_eq!(allowance.reserve(), Ok(()));
    }
}
