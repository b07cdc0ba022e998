//! What moving is said to save, beside what tokens and prices make of it.

use serde::Serialize;

use super::{json, table};
use crate::audit::{Claims, Figure, SavingClaim};
use crate::client::Catalog;
use crate::provider::Provider;

/// Claims of savings, each with its calculation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Savings {
    /// [`Savings::SCHEMA`].
    pub schema: &'static str,
    /// Who published the claims.
    pub source: Option<String>,
    /// What is taken to be so.
    pub assumptions: Vec<String>,
    /// A row for each claim.
    pub savings: Vec<Saving>,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saving {
    /// Which case.
    pub name: String,
    /// The cost without the relay.
    pub official: Side,
    /// The cost through the relay.
    pub relay: Side,
    /// What is saved, in US dollars.
    pub saved: Side,
    /// What is saved, in percent of the official cost.
    pub saved_percent: Side,
    /// Why nothing is calculated.
    pub missing: Option<String>,
}

/// A figure, claimed and calculated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// As claimed.
    pub claimed: Option<f64>,
    /// As calculated, at least and at most: how the tokens are split into input and output is not told.
    pub calculated: Option<[f64; 2]>,
}

impl Savings {
    /// The schema of the JSON.
    pub const SCHEMA: &str = "relaybench.savings/1";

    /// The claimed savings by the prices of two providers.
    pub fn of(claims: &Claims, official: &Provider, relay: &Provider, catalog: &Catalog) -> Self {
        let savings = claims.savings.iter().map(|claim| saving(claim, official, relay, catalog)).collect();
        let assumptions = vec![
            format!("Official is {}, the relay is {}, at the prices that `relaybench providers` lists.", official.title, relay.title),
            "How tokens are split into input and output is not told: where their prices differ, from all of the cheaper to all of the dearer."
                .to_owned(),
        ];
        Self { schema: Self::SCHEMA, source: claims.source.clone(), assumptions, savings }
    }

    /// As JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        json(self)
    }

    /// As text for a terminal, ending in a newline. No line is longer than 100 columns.
    pub fn table(&self) -> String {
        table::savings(self)
    }
}

fn saving(claim: &SavingClaim, official: &Provider, relay: &Provider, catalog: &Catalog) -> Saving {
    let claimed = |figure: &Option<Figure>| Side { claimed: figure.as_ref().map(Figure::value), calculated: None };
    let mut saving = Saving {
        name: claim.name.clone(),
        official: claimed(&claim.official),
        relay: claimed(&claim.relay),
        saved: claimed(&claim.saved),
        saved_percent: claimed(&claim.saved_percent),
        missing: None,
    };
    let (Some(model), Some(mtok)) = (&claim.model, &claim.mtok) else {
        saving.missing = Some("which models, and how many tokens of each, is not told".to_owned());
        return saving;
    };
    let price = |provider: &Provider| provider.quote(model, catalog).map(|quote| quote.price);
    let (Some(without), Some(with)) = (price(official), price(relay)) else {
        saving.missing = Some(format!("{model} has no price at one of the two"));
        return saving;
    };
    let cost = |usd_per_mtok: f64| mtok.value() * usd_per_mtok;
    // All input, and all output.
    let ends = [
        (cost(without.input_usd_per_mtok), cost(with.input_usd_per_mtok)),
        (cost(without.output_usd_per_mtok), cost(with.output_usd_per_mtok)),
    ];
    let range = |of: fn((f64, f64)) -> f64| {
        let [a, b] = ends.map(of);
        Some([a.min(b), a.max(b)])
    };
    saving.official.calculated = range(|(without, _)| without);
    saving.relay.calculated = range(|(_, with)| with);
    saving.saved.calculated = range(|(without, with)| without - with);
    let is_free = ends.iter().any(|(without, _)| *without <= 0.0);
    saving.saved_percent.calculated = range(|(without, with)| (1.0 - with / without) * 100.0).filter(|_| !is_free);
    saving
}
