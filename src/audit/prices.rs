//! "Cheaper", by how much, and the prices.

use std::fmt;

use super::claims::{Claims, PriceClaim};
use super::figure::{Figure, Interval};
use super::finding::{Line, Verdict};
use crate::report::figures::amount;

/// Where the headline says cheaper than official: each model that has both prices.
pub(super) fn cheaper(claims: &Claims) -> Vec<Line> {
    let Some(headline) = &claims.headline else { return Vec::new() };
    let is_claimed = match &headline.cheaper_percent {
        Some(percent) => percent.value() > 0.0,
        None => headline.cheaper_model.is_some(),
    };
    if !is_claimed && !headline.is_all_cheaper {
        return Vec::new();
    }
    let is_meant = |model: &str| headline.is_all_cheaper || headline.cheaper_model.as_deref() == Some(model);
    claims.prices.iter().map(|claim| price(claim, is_meant(&claim.model))).collect()
}

fn price(price: &PriceClaim, is_meant: bool) -> Line {
    let (Some(official), Some(relay)) = (&price.official, &price.relay) else {
        return Line::cannot_tell(&price.model, "only one of the two prices is told");
    };
    let shown = format!("${relay} where the official price is ${official}");
    let how = match relay.value() / official.value() {
        _ if relay.value() < official.value() => return Line::new(&price.model, Verdict::Consistent, shown),
        _ if relay.value() == official.value() => "the same".to_owned(),
        ratio if ratio.is_finite() => format!("{} times as much", amount(ratio)),
        _ => "more than nothing".to_owned(),
    };
    if is_meant {
        return Line::new(&price.model, Verdict::Inconsistent, format!("{shown}: {how}"));
    }
    Line::cannot_tell(&price.model, format!("{shown}: {how}; whether it is said of this model is not told"))
}

/// The headline's percent by what the prices make of it: for the model it is said of, or for any mix of models.
pub(super) fn discount(claims: &Claims) -> Vec<Line> {
    let Some(headline) = &claims.headline else { return Vec::new() };
    let Some(claimed) = &headline.cheaper_percent else { return Vec::new() };
    let about = format!("{claimed} % cheaper");
    let is_meant = |model: &str| headline.cheaper_model.as_deref().is_none_or(|meant| meant == model);
    let pairs: Vec<Pair<'_>> = claims.prices.iter().filter(|price| is_meant(&price.model)).filter_map(Pair::of).collect();
    let Some(range) = pairs.iter().map(Pair::percent).reduce(Interval::hull) else {
        return vec![Line::cannot_tell(about, "no model that it is said of has two prices")];
    };
    let shown = || pairs.iter().map(Pair::to_string).collect::<Vec<_>>().join("; ");
    vec![match pairs.iter().find(|pair| claimed.interval().meets(pair.percent())) {
        Some(pair) => Line::new(about, Verdict::Consistent, pair.to_string()),
        None if headline.cheaper_model.is_some() => Line::new(about, Verdict::Inconsistent, shown()),
        None if claimed.interval().meets(range) => Line::cannot_tell(
            about,
            format!("{}; some mix of them would be it, and of which models it is said is not told", shown()),
        ),
        // What a mix may be is only known where no model lacks one of the prices.
        None if claims.are_all_models_priced && pairs.len() == claims.prices.len() => {
            Line::new(about, Verdict::Inconsistent, shown())
        }
        None => Line::cannot_tell(about, format!("{}; of models that are not priced here it may be", shown())),
    }]
}

/// Both prices of a model. A price is what is charged, not a measurement: it has no digits beyond those printed.
struct Pair<'a> {
    model: &'a str,
    official: &'a Figure,
    relay: &'a Figure,
}

impl<'a> Pair<'a> {
    /// None where one is not told, or where nothing is below the official one.
    fn of(price: &'a PriceClaim) -> Option<Self> {
        let pair = Self { model: &price.model, official: price.official.as_ref()?, relay: price.relay.as_ref()? };
        (pair.official.value() > 0.0).then_some(pair)
    }

    fn percent(&self) -> Interval {
        let exact = |figure: &Figure| Interval::new(figure.value(), figure.value());
        exact(self.relay).percent_below(exact(self.official))
    }
}

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, official, relay } = self;
        match self.percent().low {
            dearer if dearer < 0.0 => write!(f, "{model}: ${official} to ${relay} is {} % more", amount(-dearer)),
            percent => write!(f, "{model}: ${official} to ${relay} is {} %", amount(percent)),
        }
    }
}
