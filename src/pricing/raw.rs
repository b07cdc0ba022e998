//! Prices as files write them.

use relaybench_mock::config::{Problem, Spanned};
use serde::Deserialize;

use super::{Price, Quote};

/// More than any model was ever sold for; beyond it somebody wrote the price of a token or of a year.
const DEAREST: f64 = 100_000.0;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawQuote {
    input_usd_per_mtok: Spanned<f64>,
    cached_input_usd_per_mtok: Option<Spanned<f64>>,
    output_usd_per_mtok: Spanned<f64>,
    source: Spanned<String>,
    date: Spanned<String>,
}

impl RawQuote {
    pub(crate) fn valid(&self) -> Result<Quote, Problem> {
        let price = Price {
            input_usd_per_mtok: usd(&self.input_usd_per_mtok)?,
            cached_input_usd_per_mtok: self.cached_input_usd_per_mtok.as_ref().map(usd).transpose()?,
            output_usd_per_mtok: usd(&self.output_usd_per_mtok)?,
        };
        if let Some(cached) = &self.cached_input_usd_per_mtok
            && *cached.get_ref() > price.input_usd_per_mtok
        {
            let message = format!("{} is above the price of input, {}", cached.get_ref(), price.input_usd_per_mtok);
            return Err(Problem::at(cached, format!("{message}; write what cached input costs, or leave it out")));
        }
        Ok(Quote { price, source: words(&self.source)?, date: date(&self.date)? })
    }
}

fn usd(raw: &Spanned<f64>) -> Result<f64, Problem> {
    match *raw.get_ref() {
        // Not the other zero, which would be printed with its sign.
        0.0 => Ok(0.0),
        usd if usd > 0.0 && usd <= DEAREST => Ok(usd),
        usd => {
            let right = "write US dollars for a million tokens, from 0 to 100000";
            Err(Problem::at(raw, format!("{usd} is no price; {right}")))
        }
    }
}

/// A text that says something.
pub(crate) fn words(raw: &Spanned<String>) -> Result<String, Problem> {
    match raw.get_ref().trim() {
        "" => Err(Problem::at(raw, "\"\" says nothing; write a text, or leave the key out where it may be")),
        text => Ok(text.to_owned()),
    }
}

pub(crate) fn date(raw: &Spanned<String>) -> Result<String, Problem> {
    let text = raw.get_ref();
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &str, digits: usize, most: u32| {
        part.len() == digits
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|number: u32| (1..=most).contains(&number))
    };
    let is_date = match parts.as_slice() {
        [year] => is_number(year, 4, 9999),
        [year, month] => is_number(year, 4, 9999) && is_number(month, 2, 12),
        [year, month, day] => is_number(year, 4, 9999) && is_number(month, 2, 12) && is_number(day, 2, 31),
        _ => false,
    };
    match is_date {
        true => Ok(text.clone()),
        false => Err(Problem::at(raw, format!("\"{text}\" is no date; write it like \"2025\", \"2025-04\" or \"2025-04-14\""))),
    }
}
