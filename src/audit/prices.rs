//! "Cheaper", by how much, and the prices.

use super::claims::{Claims, PriceClaim};
use super::figure::{Figure, Interval};
use super::finding::{Line, Verdict};
use crate::report::figures::amount;

/// Where the headline says cheaper than official: each model that has both prices.
pub(super) fn cheaper(claims: &Claims) -> Vec<Line> {
    let claimed = claims.headline.as_ref().and_then(|headline| headline.cheaper_percent.as_ref());
    if claimed.is_none_or(|percent| percent.value() == 0.0) {
        return Vec::new();
    }
    claims.prices.iter().map(price).collect()
}

fn price(price: &PriceClaim) -> Line {
    let (Some(official), Some(relay)) = (&price.official, &price.relay) else {
        return Line::cannot_tell(&price.model, "only one of the two prices is told");
    };
    let shown = format!("${relay} where the official price is ${official}");
    let (verdict, how) = match relay.value() / official.value() {
        ratio if ratio > 1.0 => (Verdict::Inconsistent, format!(": {} times as much", amount(ratio))),
        1.0 => (Verdict::Inconsistent, ": the same".to_owned()),
        _ => (Verdict::Consistent, String::new()),
    };
    Line::new(&price.model, verdict, shown + &how)
}

/// The headline's percent by what the prices make of it: some model must be cheaper by as much.
pub(super) fn discount(claims: &Claims) -> Vec<Line> {
    let Some(claimed) = claims.headline.as_ref().and_then(|headline| headline.cheaper_percent.as_ref()) else {
        return Vec::new();
    };
    let about = format!("{claimed} % cheaper");
    let pairs: Vec<(&str, &Figure, &Figure)> = claims
        .prices
        .iter()
        .filter_map(|price| Some((price.model.as_str(), price.official.as_ref()?, price.relay.as_ref()?)))
        .filter(|(_, official, relay)| relay.value() < official.value())
        .collect();
    if pairs.is_empty() {
        return vec![Line::cannot_tell(about, "no model has two prices of which the relay's is the lower")];
    }
    // A price is what is charged, not a measurement: it has no digits beyond those printed.
    let exact = |figure: &Figure| Interval::new(figure.value(), figure.value());
    let percent = |official: &Figure, relay: &Figure| exact(relay).percent_below(exact(official));
    let is_one = |(_, official, relay): &&(&str, &Figure, &Figure)| claimed.interval().meets(percent(official, relay));
    let shown = |(model, official, relay): &(&str, &Figure, &Figure)| {
        format!("{model}: ${official} to ${relay} is {} %", amount(percent(official, relay).low))
    };
    match pairs.iter().find(is_one) {
        Some(pair) => vec![Line::new(about, Verdict::Consistent, shown(pair))],
        None => vec![Line::new(about, Verdict::Inconsistent, pairs.iter().map(shown).collect::<Vec<_>>().join("; "))],
    }
}
