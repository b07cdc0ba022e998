//! Providers side by side, and one of them whole, as a person reads them in a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Provider, Providers, Published};
use crate::client::Catalog;
use crate::pricing::{Price, Quote};
use crate::report::figures::{milliseconds, rate};
use crate::report::table::{WIDTH, wrapped};

const NONE: &str = "–";

/// The providers side by side, with a footnote for each source. No line is longer than 100 columns.
pub fn comparison(providers: &Providers, catalog: &Catalog) -> String {
    let mut sources = Sources::default();
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header([String::new()].into_iter().chain(providers.iter().map(|provider| provider.title.clone())));
    for model in priced_models(providers) {
        let label = catalog.model(model).and_then(|known| known.label.clone()).unwrap_or_else(|| model.to_owned());
        let cells: Vec<String> = providers.iter().map(|provider| price(provider, model, catalog, &mut sources)).collect();
        table.add_row([format!("{label} $/MTok")].into_iter().chain(cells));
    }
    for (name, figure) in PUBLISHED {
        let figure = |provider: &Provider| provider.published.as_ref().and_then(figure).unwrap_or_else(|| NONE.to_owned());
        table.add_row([name.to_owned()].into_iter().chain(providers.iter().map(figure)));
    }
    let limits = providers.iter().map(|provider| match &provider.limits {
        Some(limits) => format!("{} {}", limits.figures, sources.mark(&limits.source, &limits.date)),
        None => NONE.to_owned(),
    });
    table.add_row(["limit of its mock".to_owned()].into_iter().chain(limits.collect::<Vec<_>>()));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    publications(providers).iter().for_each(|line| _ = writeln!(text, "{}", wrapped(line)));
    let rules =
        "Prices: one figure for both directions, else input / output. In parentheses: a price of what cannot be asked there.";
    let _ = writeln!(text, "{}", wrapped(rules));
    sources.0.iter().for_each(|(mark, source)| _ = writeln!(text, "{}", wrapped(&format!("{mark}: {source}"))));
    text
}

type Figure = fn(&Published) -> Option<String>;

const PUBLISHED: [(&str, Figure); 7] = [
    ("mean latency ms", |published| published.mean_ms.map(milliseconds)),
    ("throughput req/s", |published| published.throughput_rps.map(rate)),
    ("limit", |published| published.limit.clone()),
    ("payment", |published| published.payment.clone()),
    ("models", |published| published.models.clone()),
    ("free credit", |published| published.credit.clone()),
    ("suits", |published| published.fit.clone()),
];

/// Who published latency, throughput and what is said in words, a line for each source.
fn publications(providers: &Providers) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (provider, published) in providers.iter().filter_map(|provider| Some((provider, provider.published.as_ref()?))) {
        let source = format!("{}, {}", published.source, published.date);
        match lines.iter_mut().find(|(known, _)| *known == source) {
            Some((_, names)) => names.push(&provider.name),
            None => lines.push((source, vec![&provider.name])),
        }
    }
    let line =
        |(source, names): (String, Vec<&str>)| format!("Published, from latency to suits, of {}: {source}.", names.join(", "));
    lines.into_iter().map(line).collect()
}

/// What anybody offers, in the order in which it is first offered.
fn priced_models(providers: &Providers) -> Vec<&str> {
    let mut models: Vec<&str> = Vec::new();
    for offer in providers.iter().flat_map(|provider| &provider.models) {
        if !models.contains(&offer.name.as_str()) {
            models.push(&offer.name);
        }
    }
    models
}

fn price(provider: &Provider, model: &str, catalog: &Catalog, sources: &mut Sources) -> String {
    let Some(offer) = provider.model(model) else { return NONE.to_owned() };
    let Some(quote) = provider.quote(model, catalog) else { return "?".to_owned() };
    let cell = format!("{} {}", figures(quote.price), sources.mark(&quote.source, &quote.date));
    if offer.is_served { cell } else { format!("({cell})") }
}

/// One price for both directions as one figure.
pub(crate) fn figures(price: Price) -> String {
    let Price { input_usd_per_mtok: input, output_usd_per_mtok: output, .. } = price;
    if input == output { usd(input) } else { format!("{} / {}", usd(input), usd(output)) }
}

/// At least two decimals.
pub(crate) fn usd(usd: f64) -> String {
    let shortest = usd.to_string();
    let decimals = shortest.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{usd:.*}", decimals.max(2))
}

/// Who said what, each with a letter.
#[derive(Default)]
pub(crate) struct Sources(pub(crate) Vec<(String, String)>);

impl Sources {
    pub(crate) fn mark(&mut self, source: &str, date: &str) -> String {
        let source = format!("{source}, {date}");
        if let Some((mark, _)) = self.0.iter().find(|(_, known)| *known == source) {
            return mark.clone();
        }
        let mark = letters(self.0.len());
        self.0.push((mark.clone(), source));
        mark
    }
}

/// a to z, then aa, ab, …
fn letters(place: usize) -> String {
    let last = char::from(b'a' + (place % 26) as u8);
    if place < 26 { last.to_string() } else { format!("{}{last}", letters(place / 26 - 1)) }
}

/// All that is known of one provider, a line each. No line is longer than 100 columns.
pub fn whole(provider: &Provider, catalog: &Catalog) -> String {
    let mut lines = vec![
        ("name", provider.name.clone()),
        ("title", provider.title.clone()),
        ("base URL", provider.base_url.clone()),
        ("key in", provider.key_variable.clone()),
        ("dialect", provider.dialect.clone()),
        ("mock profile", provider.profile_name.clone()),
        ("default model", provider.default_model.clone()),
    ];
    if let Some(limits) = &provider.limits {
        lines.push(("limit of its mock", format!("{} ({}, {})", limits.figures, limits.source, limits.date)));
    }
    if let Some(published) = &provider.published {
        let figures = [
            ("mean latency", published.mean_ms.map(|mean| format!("{} ms", milliseconds(mean)))),
            ("throughput", published.throughput_rps.map(|throughput| format!("{} req/s", rate(throughput)))),
            ("limit", published.limit.clone()),
            ("payment", published.payment.clone()),
            ("models", published.models.clone()),
            ("free credit", published.credit.clone()),
            ("suits", published.fit.clone()),
        ];
        lines.push(("published", format!("{}, {}", published.source, published.date)));
        lines.extend(figures.into_iter().filter_map(|(name, figure)| Some((name, figure?))));
    }
    let mut text = String::new();
    lines.iter().for_each(|(name, value)| _ = writeln!(text, "{}", wrapped(&format!("{name:18} {value}"))));
    let _ = writeln!(text, "\nmodels, in US dollars for a million tokens:");
    provider.models.iter().for_each(|offer| _ = writeln!(text, "{}", wrapped(&offered(provider, offer, catalog))));
    text
}

fn offered(provider: &Provider, offer: &super::Offer, catalog: &Catalog) -> String {
    let own_name = if offer.own_name == offer.name { String::new() } else { format!(" (there {})", offer.own_name) };
    let served = if offer.is_served { "" } else { ", not served there" };
    let price = match provider.quote(&offer.name, catalog) {
        Some(Quote { price, source, date }) => {
            let cached =
                price.cached_input_usd_per_mtok.map(|cached| format!(", cached input {}", usd(cached))).unwrap_or_default();
            let (input, output) = (usd(price.input_usd_per_mtok), usd(price.output_usd_per_mtok));
            format!("input {input}{cached}, output {output} ({source}, {date})")
        }
        None => "price unknown".to_owned(),
    };
    format!("  {}{own_name}{served}: {price}", offer.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_their_cents_and_more_where_they_have_more() {
        assert_eq!([8.0, 0.6, 0.028, 15.0, 0.0].map(usd), ["8.00", "0.60", "0.028", "15.00", "0.00"]);
        assert_eq!(figures(Price::flat(8.0)), "8.00");
    }

    #[test]
    fn sources_are_lettered_without_end() {
        assert_eq!([0, 25, 26, 27, 52].map(letters), ["a", "z", "aa", "ab", "ba"]);
    }
}
