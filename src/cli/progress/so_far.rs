//! What is known of a run that goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use relaybench::load::{Outcome, Sample};
use relaybench::pricing::Prices;
use relaybench::stats::Histogram;

/// Latency and errors of the stage that goes on, and what the run has spent.
#[derive(Debug)]
pub(super) struct SoFar {
    /// What the samples name no model for was asked of this one.
    model: Arc<str>,
    prices: Prices,
    latency: Histogram,
    errors: BTreeMap<String, u64>,
    /// At list price; none once a model without a known price was asked.
    spent_usd: Option<f64>,
}

impl SoFar {
    pub(super) fn new(model: &str, prices: Prices) -> Self {
        Self { model: model.into(), prices, latency: Histogram::default(), errors: BTreeMap::new(), spent_usd: Some(0.0) }
    }

    pub(super) fn begin_stage(&mut self) {
        self.latency = Histogram::default();
        self.errors.clear();
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        match &sample.outcome {
            Outcome::Succeeded => sample.latency().into_iter().for_each(|latency| self.latency.record(latency)),
            Outcome::Failed { error } => *self.errors.entry(error.clone()).or_default() += 1,
            Outcome::Unsent { .. } => return,
        }
        let tokens = (sample.prompt_tokens.unwrap_or(0), sample.completion_tokens.unwrap_or(0));
        let price = self.prices.of(sample.model.as_ref().unwrap_or(&self.model));
        self.spent_usd = self.spent_usd.zip(price).map(|(spent, price)| spent + price.cost_usd(tokens.0, tokens.1));
    }

    /// All of it in a line that goes on from another figure. A percentile that too few samples support is not there, and of errors only
    /// the kinds that there is room for: the most frequent.
    pub(super) fn line(&self) -> String {
        const KINDS: usize = 3;
        let percentiles = [("p50", 0.5), ("p99", 0.99)].into_iter().filter_map(|(name, quantile)| {
            let value = self.latency.quantile(quantile)?;
            Some(format!("{name} {:.0} ms", value.as_secs_f64() * 1e3))
        });
        let mut errors: Vec<_> = self.errors.iter().map(|(kind, count)| (*count, kind)).collect();
        errors.sort_by(|(a, _), (b, _)| b.cmp(a));
        let others: u64 = errors.iter().skip(KINDS).map(|(count, _)| count).sum();
        let errors = errors.iter().take(KINDS).map(|(count, kind)| format!("{kind} {count}"));
        let others = (others > 0).then(|| format!("other errors {others}"));
        let spent = self.spent_usd.map(|spent| format!("${spent:.4} spent"));
        percentiles.chain(spent).chain(errors).chain(others).map(|part| format!(" · {part}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use relaybench::load::Unsent;

    use super::*;

    fn ended(outcome: Outcome, model: Option<&str>) -> Sample {
        Sample {
            outcome,
            sent: Some(Duration::ZERO),
            ended: Some(Duration::from_millis(400)),
            prompt_tokens: Some(1_000_000),
            completion_tokens: Some(0),
            model: model.map(Into::into),
            ..Sample::unsent(0, 0, Unsent::Interrupted)
        }
    }

    #[test]
    fn the_line_tells_latency_spending_and_errors_by_kind_as_far_as_they_are_known() {
        let mut so_far = SoFar::new("gpt-4.1", Prices::built_in().clone());
        assert_eq!(so_far.line(), " · $0.0000 spent");
        so_far.add(&ended(Outcome::Failed { error: "reset".to_owned() }, None));
        (0..20).for_each(|_| so_far.add(&ended(Outcome::Succeeded, None)));
        so_far.add(&Sample::unsent(0, 0, Unsent::CostCap));
        let price = Prices::built_in().of("gpt-4.1").unwrap().cost_usd(1_000_000, 0);
        assert_eq!(so_far.line(), format!(" · p50 400 ms · ${:.4} spent · reset 1", 21.0 * price));
        so_far.begin_stage();
        so_far.add(&ended(Outcome::Succeeded, Some("no-such-model")));
        assert_eq!(so_far.line(), "", "what it costs cannot be told");
        for (kind, count) in [("closed", 1), ("connect", 4), ("reset", 2), ("status-429", 9), ("truncated", 1)] {
            (0..count).for_each(|_| so_far.add(&ended(Outcome::Failed { error: kind.to_owned() }, Some("no-such-model"))));
        }
        assert_eq!(so_far.line(), " · status-429 9 · connect 4 · reset 2 · other errors 2");
    }
}
