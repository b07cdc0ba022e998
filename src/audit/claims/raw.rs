//! Claims as they are written. Figures are read from the text itself: how many digits they have is part of what they say.

use std::fmt;

use relaybench_mock::config::{Problem, Spanned, nearest};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::{
    AvailabilityOf, Claims, Headline, LoadClaims, Method, PriceClaim, Protocol, ProviderClaim, Row, SavingClaim, SuccessClaim,
    ThroughputCounts, ThroughputOver,
};
use crate::audit::figure::Figure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClaims {
    name: Spanned<String>,
    source: Option<String>,
    load: Option<RawLoad>,
    headline: Option<RawHeadline>,
    availability_percent: Option<Spanned<Number>>,
    #[serde(default)]
    availability_of: AvailabilityOf,
    #[serde(default)]
    all_models_priced: bool,
    #[serde(default)]
    price: Vec<RawPrice>,
    #[serde(default)]
    saving: Vec<RawSaving>,
    #[serde(default)]
    provider: Vec<RawProvider>,
    #[serde(default)]
    others: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLoad {
    #[serde(default)]
    method: Method,
    connections: Option<Spanned<u64>>,
    #[serde(default)]
    protocol: Protocol,
    requests: Option<Spanned<u64>>,
    repeats: Option<Spanned<u64>>,
    #[serde(default)]
    success: SuccessClaim,
    #[serde(default)]
    throughput_over: ThroughputOver,
    #[serde(default)]
    throughput_counts: ThroughputCounts,
    row: Spanned<Vec<RawRow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    concurrency: Option<Spanned<u64>>,
    requests: Option<Spanned<u64>>,
    mean_ms: Option<Spanned<Number>>,
    p50_ms: Option<Spanned<Number>>,
    p95_ms: Option<Spanned<Number>>,
    p99_ms: Option<Spanned<Number>>,
    max_ms: Option<Spanned<Number>>,
    throughput_rps: Option<Spanned<Number>>,
    success_percent: Option<Spanned<Number>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeadline {
    concurrency: Option<Spanned<u64>>,
    mean_ms: Option<Spanned<Number>>,
    p50_ms: Option<Spanned<Number>>,
    p95_ms: Option<Spanned<Number>>,
    p99_ms: Option<Spanned<Number>>,
    max_ms: Option<Spanned<Number>>,
    throughput_rps: Option<Spanned<Number>>,
    success_percent: Option<Spanned<Number>>,
    cheaper_percent: Option<Spanned<Number>>,
    cheaper_model: Option<Spanned<String>>,
    #[serde(default)]
    all_cheaper: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrice {
    model: Spanned<String>,
    official_usd_per_mtok: Option<Spanned<Number>>,
    relay_usd_per_mtok: Option<Spanned<Number>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSaving {
    name: String,
    model: Option<Spanned<String>>,
    mtok: Option<Spanned<Number>>,
    official_usd: Option<Spanned<Number>>,
    relay_usd: Option<Spanned<Number>>,
    saved_usd: Option<Spanned<Number>>,
    saved_percent: Option<Spanned<Number>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProvider {
    name: String,
    concurrency: Option<Spanned<u64>>,
    requests: Option<Spanned<u64>>,
    mean_ms: Option<Spanned<Number>>,
    throughput_rps: Option<Spanned<Number>>,
    success_percent: Option<Spanned<Number>>,
    limit: Option<String>,
    requests_per_minute: Option<Spanned<Number>>,
    tokens_per_minute: Option<Spanned<Number>>,
    tokens_per_request: Option<Spanned<Number>>,
}

impl RawClaims {
    /// The claims, with their figures as they are written in this text.
    pub(super) fn validate(self, text: &str) -> Result<Claims, Problem> {
        let read = Reader { text };
        if self.name.get_ref().trim().is_empty() {
            return Err(Problem::at(&self.name, "a name of nothing; write what the claims are called, like \"holysheep-2025\""));
        }
        let mut prices: Vec<PriceClaim> = Vec::new();
        for raw in self.price {
            let model = raw.model.get_ref();
            if prices.iter().any(|price| price.model == *model) {
                return Err(Problem::at(&raw.model, format!("\"{model}\" has a price above; write each model once")));
            }
            prices.push(PriceClaim {
                model: model.clone(),
                official: read.amount(raw.official_usd_per_mtok)?,
                relay: read.amount(raw.relay_usd_per_mtok)?,
            });
        }
        let savings = self.saving.into_iter().map(|raw| read.saving(raw, &prices)).collect::<Result<_, _>>()?;
        Ok(Claims {
            name: self.name.into_inner(),
            source: self.source,
            load: self.load.map(|raw| read.load(raw)).transpose()?,
            headline: self.headline.map(|raw| read.headline(raw, &prices)).transpose()?,
            availability_percent: read.percent(self.availability_percent)?,
            availability_of: self.availability_of,
            are_all_models_priced: self.all_models_priced,
            savings,
            providers: self.provider.into_iter().map(|raw| read.provider(raw)).collect::<Result<_, _>>()?,
            prices,
            others: self.others,
        })
    }
}

/// Reads figures as they stand in a text.
#[derive(Clone, Copy)]
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn load(self, raw: RawLoad) -> Result<LoadClaims, Problem> {
        if raw.row.get_ref().is_empty() {
            return Err(Problem::at(&raw.row, "no rows; write a [[load.row]] for each level, or no [load]"));
        }
        let requests = count(raw.requests)?;
        let rows = raw.row.into_inner().into_iter().map(|row| self.row(row, requests)).collect::<Result<_, _>>()?;
        Ok(LoadClaims {
            method: raw.method,
            connections: count(raw.connections)?,
            protocol: raw.protocol,
            repeats: count(raw.repeats)?,
            success: raw.success,
            throughput_over: raw.throughput_over,
            throughput_counts: raw.throughput_counts,
            rows,
        })
    }

    fn row(self, raw: RawRow, requests: Option<u64>) -> Result<Row, Problem> {
        Ok(Row {
            concurrency: count(raw.concurrency)?,
            requests: count(raw.requests)?.or(requests),
            mean_ms: self.amount(raw.mean_ms)?,
            p50_ms: self.amount(raw.p50_ms)?,
            p95_ms: self.amount(raw.p95_ms)?,
            p99_ms: self.amount(raw.p99_ms)?,
            max_ms: self.amount(raw.max_ms)?,
            throughput_rps: self.amount(raw.throughput_rps)?,
            success_percent: self.percent(raw.success_percent)?,
        })
    }

    fn headline(self, raw: RawHeadline, prices: &[PriceClaim]) -> Result<Headline, Problem> {
        raw.cheaper_model.as_ref().map_or(Ok(()), |model| is_priced(model, prices))?;
        let row = Row {
            concurrency: count(raw.concurrency)?,
            requests: None,
            mean_ms: self.amount(raw.mean_ms)?,
            p50_ms: self.amount(raw.p50_ms)?,
            p95_ms: self.amount(raw.p95_ms)?,
            p99_ms: self.amount(raw.p99_ms)?,
            max_ms: self.amount(raw.max_ms)?,
            throughput_rps: self.amount(raw.throughput_rps)?,
            success_percent: self.percent(raw.success_percent)?,
        };
        Ok(Headline {
            row,
            cheaper_percent: self.percent(raw.cheaper_percent)?,
            cheaper_model: raw.cheaper_model.map(Spanned::into_inner),
            is_all_cheaper: raw.all_cheaper,
        })
    }

    fn saving(self, raw: RawSaving, prices: &[PriceClaim]) -> Result<SavingClaim, Problem> {
        raw.model.as_ref().map_or(Ok(()), |model| is_priced(model, prices))?;
        Ok(SavingClaim {
            name: raw.name,
            model: raw.model.map(Spanned::into_inner),
            mtok: self.amount(raw.mtok)?,
            official: self.amount(raw.official_usd)?,
            relay: self.amount(raw.relay_usd)?,
            saved: self.amount(raw.saved_usd)?,
            saved_percent: self.percent(raw.saved_percent)?,
        })
    }

    fn provider(self, raw: RawProvider) -> Result<ProviderClaim, Problem> {
        let row = Row {
            concurrency: count(raw.concurrency)?,
            requests: count(raw.requests)?,
            mean_ms: self.amount(raw.mean_ms)?,
            throughput_rps: self.amount(raw.throughput_rps)?,
            success_percent: self.percent(raw.success_percent)?,
            ..Row::default()
        };
        Ok(ProviderClaim {
            name: raw.name,
            row,
            limit: raw.limit,
            requests_per_minute: self.amount(raw.requests_per_minute)?,
            tokens_per_minute: self.amount(raw.tokens_per_minute)?,
            tokens_per_request: self.amount(raw.tokens_per_request)?,
        })
    }

    fn amount(self, number: Option<Spanned<Number>>) -> Result<Option<Figure>, Problem> {
        let Some(number) = number else { return Ok(None) };
        let written = self.text.get(number.span()).unwrap_or_default().trim();
        let wrong =
            |_| Problem::at(&number, format!("{written} is no figure; write a decimal number from 0 to 1e15, as it was printed"));
        Figure::parse(written).map(Some).map_err(wrong)
    }

    fn percent(self, number: Option<Spanned<Number>>) -> Result<Option<Figure>, Problem> {
        let place = number.as_ref().map(|number| Spanned::new(number.span(), ()));
        let figure = self.amount(number)?;
        match (place, figure) {
            (Some(place), Some(figure)) if figure.value() > 100.0 => {
                Err(Problem::at(&place, format!("{figure} % is more than all; write a number from 0 to 100")))
            }
            (_, figure) => Ok(figure),
        }
    }
}

fn is_priced(model: &Spanned<String>, prices: &[PriceClaim]) -> Result<(), Problem> {
    if prices.iter().any(|price| price.model == *model.get_ref()) {
        return Ok(());
    }
    let hint = nearest(model.get_ref(), prices.iter().map(|price| price.model.as_str()));
    Err(Problem::at(model, format!("no [[price]] has the model \"{}\", {hint}", model.get_ref())))
}

fn count(number: Option<Spanned<u64>>) -> Result<Option<u64>, Problem> {
    match number {
        Some(number) if *number.get_ref() == 0 => {
            Err(Problem::at(&number, "0 measures nothing; write a whole number from 1, or nothing where it is not told"))
        }
        number => Ok(number.map(Spanned::into_inner)),
    }
}

/// A number, whose digits are read from its place.
struct Number;

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNumber)
    }
}

struct AnyNumber;

impl Visitor<'_> for AnyNumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, as it was printed but without commas")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Number, E> {
        Ok(Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Number, E> {
        Ok(Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Number, E> {
        Ok(Number)
    }
}
