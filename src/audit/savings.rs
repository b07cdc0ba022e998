//! Savings: differences and percents of amounts, and amounts of tokens and prices.

use super::claims::{Claims, PriceClaim, SavingClaim};
use super::figure::{Figure, Interval};
use super::finding::{Line, Verdict};
use crate::report::figures::amount;

/// What is saved by the two costs, and the percent by both.
pub(super) fn amounts(claims: &Claims) -> Vec<Line> {
    claims.savings.iter().filter_map(amount_of).collect()
}

fn amount_of(saving: &SavingClaim) -> Option<Line> {
    if saving.saved.is_none() && saving.saved_percent.is_none() {
        return None;
    }
    let (Some(official), Some(relay)) = (&saving.official, &saving.relay) else {
        return Some(Line::cannot_tell(&saving.name, "only one of the two costs is told"));
    };
    let difference = official.interval().minus(relay.interval());
    let percent = relay.interval().percent_below(official.interval());
    if official.value() == 0.0 {
        return Some(Line::cannot_tell(&saving.name, format!("of $0 nothing can be saved, and ${relay} are no percent of it")));
    }
    let is_off = |figure: &Option<Figure>, truth: Interval| figure.as_ref().is_some_and(|figure| !figure.interval().meets(truth));
    // Both may agree with the costs and not with each other.
    let of_saved = saving.saved.as_ref().map(|saved| {
        let (saved, official) = (saved.interval(), official.interval());
        let percent = |saved: f64, official: f64| if official > 0.0 { saved / official * 100.0 } else { f64::INFINITY };
        Interval::new(percent(saved.low, official.high), percent(saved.high, official.low))
    });
    let is_wrong = is_off(&saving.saved, difference)
        || is_off(&saving.saved_percent, percent)
        || of_saved.is_some_and(|percent| is_off(&saving.saved_percent, percent));
    let (saved, true_percent) = (official.value() - relay.value(), (1.0 - relay.value() / official.value()) * 100.0);
    let mut why = format!("${official} − ${relay} = ${}, {} %", amount(saved), amount(true_percent));
    if is_wrong {
        let claimed =
            [saving.saved.as_ref().map(|saved| format!("${saved}")), saving.saved_percent.as_ref().map(|p| format!("{p} %"))];
        why = format!("{why}, not {}", claimed.into_iter().flatten().collect::<Vec<_>>().join(", "));
    }
    Some(Line::inconsistent_if(is_wrong, &saving.name, why))
}

/// The costs by tokens and prices.
pub(super) fn costs(claims: &Claims) -> Vec<Line> {
    claims
        .savings
        .iter()
        .filter(|saving| saving.official.is_some() || saving.relay.is_some())
        .map(|saving| cost_of(claims, saving))
        .collect()
}

fn cost_of(claims: &Claims, saving: &SavingClaim) -> Line {
    let Some(mtok) = &saving.mtok else {
        return Line::cannot_tell(&saving.name, "of which models, and how many tokens, is not told");
    };
    let sides = [("official", &saving.official, official as Side), ("relay", &saving.relay, relay as Side)];
    let mut lines = Vec::new();
    for (side, claimed, price) in sides {
        let Some(claimed) = claimed else { continue };
        lines.push(match &saving.model {
            Some(model) => of_model(claims.price(model).and_then(price), mtok, claimed, side),
            None => of_any_mix(claims.prices.iter().filter_map(price), are_all(claims, price), mtok, claimed, side),
        });
    }
    let verdict = lines.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::CannotTell);
    Line::new(&saving.name, verdict, lines.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("; "))
}

/// Whether every model that there is has a price on this side.
fn are_all(claims: &Claims, side: Side) -> bool {
    claims.are_all_models_priced && claims.prices.iter().all(|price| side(price).is_some())
}

type Side = fn(&PriceClaim) -> Option<&Figure>;

fn official(price: &PriceClaim) -> Option<&Figure> {
    price.official.as_ref()
}

fn relay(price: &PriceClaim) -> Option<&Figure> {
    price.relay.as_ref()
}

/// Tokens × price, of one model.
fn of_model(price: Option<&Figure>, mtok: &Figure, claimed: &Figure, side: &str) -> (Verdict, String) {
    let Some(price) = price else { return (Verdict::CannotTell, format!("{side} ${claimed}: no {side} price is told")) };
    let cost = mtok.value() * price.value();
    let by_hand = format!("{side} {mtok} × ${price} = ${}", amount(cost));
    if claimed.interval().meets(possible(mtok, Interval::new(price.value(), price.value()))) {
        (Verdict::Consistent, by_hand)
    } else {
        (Verdict::Inconsistent, format!("{by_hand}, not ${claimed}"))
    }
}

/// Tokens × something between the lowest and the highest price, of models that are not named.
fn of_any_mix<'a>(
    prices: impl Iterator<Item = &'a Figure>,
    are_all: bool,
    mtok: &Figure,
    claimed: &Figure,
    side: &str,
) -> (Verdict, String) {
    let exact = prices.map(|price| Interval::new(price.value(), price.value()));
    let Some(range) = exact.reduce(Interval::hull) else {
        return (Verdict::CannotTell, format!("{side} ${claimed}: no {side} price is told"));
    };
    let [low, high] = [range.low, range.high].map(|price| amount(price * mtok.value()));
    let by_hand = format!("{side} {mtok} at ${} to ${} are ${low} to ${high}", amount(range.low), amount(range.high));
    if claimed.interval().meets(possible(mtok, range)) {
        (Verdict::CannotTell, format!("{by_hand}: ${claimed} for some mix"))
    } else if !are_all {
        (Verdict::CannotTell, format!("{by_hand}: ${claimed} for a mix with models that are not priced here"))
    } else {
        (Verdict::Inconsistent, format!("{by_hand}, not ${claimed}"))
    }
}

/// What so many tokens, as they are printed, may cost.
fn possible(mtok: &Figure, price: Interval) -> Interval {
    mtok.interval().times(price)
}
