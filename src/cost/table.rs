//! Costs as a person reads them in a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::savings::{Saving, Savings, Side};
use super::{Cost, Missing, ModelCost, ProviderCost};
use crate::provider::table::{Sources, figures, usd as usd_per_mtok};
use crate::report::figures::{amount, grouped};
use crate::report::table::{WIDTH, wrapped};

const NONE: &str = "–";

pub(super) fn cost(cost: &Cost) -> String {
    let has_waste = cost.demand.uses.iter().any(|usage| usage.wasted_attempts > 0.0);
    let mut sources = Sources::default();
    let mut header = vec!["provider", "model", "tokens in", "out", "$/MTok", "$ a month"];
    header.extend(has_waste.then_some("at most"));
    let mut table = table(&header, 2);
    for provider in &cost.providers {
        for (place, model) in provider.models.iter().enumerate() {
            let usage = &cost.demand.uses[place];
            let title = if place == 0 { provider.title.as_str() } else { "" };
            let mut row = vec![title.to_owned(), model.model.clone(), tokens(usage.input_tokens), tokens(usage.output_tokens)];
            row.extend([price(model, cost.demand.cached_share, &mut sources), model.usd.map_or_else(|| missing(model), usd)]);
            row.extend(has_waste.then(|| model.most_usd.map_or_else(|| NONE.to_owned(), usd)));
            table.add_row(row);
        }
        if provider.models.len() > 1 {
            table.add_row(total(provider, has_waste));
        }
    }
    let mut text = format!("{}\n{table}\n", wrapped(&cost.demand.name));
    notes(&mut text, cost.assumptions.iter().cloned());
    notes(&mut text, sources.0.iter().map(|(mark, source)| format!("{mark}: {source}")));
    text
}

fn total(provider: &ProviderCost, has_waste: bool) -> Vec<String> {
    let figure = |usd_of: Option<f64>| usd_of.map_or_else(|| "cannot be told".to_owned(), usd);
    let mut row = vec![String::new(), "all".to_owned(), String::new(), String::new(), String::new(), figure(provider.total_usd)];
    row.extend(has_waste.then(|| figure(provider.most_usd)));
    row
}

fn price(model: &ModelCost, cached_share: f64, sources: &mut Sources) -> String {
    let Some(quote) = &model.price else { return NONE.to_owned() };
    let star = if model.is_list_price { "*" } else { "" };
    let cached = quote.price.cached_input_usd_per_mtok.filter(|_| cached_share > 0.0);
    let cached = cached.map_or_else(String::new, |cached| format!("cached {} / ", usd_per_mtok(cached)));
    format!("{cached}{}{star} {}", figures(quote.price), sources.mark(&quote.source, &quote.date))
}

fn missing(model: &ModelCost) -> String {
    match model.missing {
        Some(Missing::NoPrice) => "no price known",
        Some(Missing::NotServed) | None => "not served",
    }
    .to_owned()
}

pub(super) fn savings(savings: &Savings) -> String {
    let header =
        ["case", "official\nclaimed", "\ncalculated", "relay\nclaimed", "\ncalculated", "saved\nclaimed", "\ncalculated"];
    let mut table = table(&header, 1);
    for Saving { name, official, relay, saved, saved_percent, .. } in &savings.savings {
        let [[claimed, calculated], percent] =
            [side(saved, dollars), side(saved_percent, |percent| format!("{} %", amount(percent)))];
        let saved = [claimed, calculated].into_iter().zip(percent).map(|(usd, percent)| both(usd, percent));
        table.add_row(
            [name.clone()].into_iter().chain([official, relay].into_iter().flat_map(|cost| side(cost, dollars))).chain(saved),
        );
    }
    let source = savings.source.as_ref().map_or_else(String::new, |source| format!(" by {source}"));
    let mut text = format!("{}\n{table}\n", wrapped(&format!("Savings as claimed{source}, and as tokens and prices give them")));
    let missing = savings.savings.iter().filter_map(|saving| Some(format!("{}: {}.", saving.name, saving.missing.as_ref()?)));
    notes(&mut text, missing);
    notes(&mut text, savings.assumptions.iter().cloned());
    text
}

/// Claimed and calculated.
fn side(side: &Side, shown: fn(f64) -> String) -> [String; 2] {
    let calculated = side.calculated.map(|[low, high]| match (shown(low), shown(high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    });
    [side.claimed.map(shown), calculated].map(|figure| figure.unwrap_or_else(|| NONE.to_owned()))
}

fn dollars(usd: f64) -> String {
    if usd < 0.0 { format!("-${}", amount(-usd)) } else { format!("${}", amount(usd)) }
}

fn both(usd: String, percent: String) -> String {
    if usd == NONE && percent == NONE { usd } else { format!("{usd}, {percent}") }
}

fn table(header: &[&str], texts: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.to_vec());
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn notes(text: &mut String, notes: impl Iterator<Item = String>) {
    // Writing to a text cannot fail.
    notes.for_each(|note| _ = writeln!(text, "{}", wrapped(&note)));
}

fn tokens(tokens: f64) -> String {
    grouped(tokens.round())
}

/// To the cent; below a dollar to the hundredth of one.
fn usd(usd: f64) -> String {
    if usd > 0.0 && usd < 1.0 {
        return format!("{usd:.4}");
    }
    let cents = format!("{usd:.2}");
    let (whole, rest) = cents.split_once('.').unwrap_or((&cents, "00"));
    format!("{}.{rest}", grouped(whole.parse().unwrap_or(usd)))
}
