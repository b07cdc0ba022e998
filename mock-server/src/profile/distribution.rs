//! Distributions as they are written: `{ dist = "lognormal", median = "639ms", sigma = 0.31 }`.

mod empirical;
mod fields;
mod mixture;
mod quantiles;
mod sample_file;
mod value;
mod written;

use toml::Spanned;

use crate::config::{Problem, nearest};
use crate::dist::{Distribution, Gamma, MOST_TOKENS, SHAPES, TruncatedNormal};
use fields::Fields;
pub(super) use quantiles::quantiles;
pub(super) use sample_file::Directory;
use value::RawTable;
pub use written::Written;

/// Keys and values in any combination: which of them belong together depends on `dist`.
pub(super) type RawDistribution = Spanned<RawTable>;

/// What the numbers of a distribution count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Written as durations, kept as nanoseconds.
    Time,
    /// Whole numbers from 1.
    Count {
        /// What is counted, such as `tokens`.
        of: &'static str,
        /// The largest that may be written.
        most: u32,
    },
}

impl Unit {
    /// Lengths of prompts and answers.
    pub const TOKENS: Self = Self::Count { of: "tokens", most: MOST_TOKENS };
}

const KINDS: [&str; 11] =
    ["fixed", "uniform", "normal", "lognormal", "exponential", "gamma", "pareto", "weibull", "quantiles", "empirical", "mixture"];

const LOGNORMAL: &str = "write either median and sigma, or mean and p95";

/// `directory` is where the files that a distribution may name are.
pub(super) fn valid(raw: &RawDistribution, unit: Unit, directory: Directory<'_>) -> Result<Distribution, Problem> {
    let fields = Fields { raw, unit };
    let dist = fields.required("dist")?;
    match dist.get_ref().as_str() {
        Some("fixed") => fixed(&fields),
        Some("uniform") => uniform(&fields),
        Some("normal") => normal(&fields),
        Some("lognormal") => lognormal(&fields),
        Some("exponential") => exponential(&fields),
        Some("gamma") => gamma(&fields),
        Some("pareto") => pareto(&fields),
        Some("weibull") => weibull(&fields),
        Some("quantiles") => quantiles(raw, unit).map(Distribution::Quantiles),
        Some("empirical") => empirical::samples(&fields, directory).map(Distribution::Empirical),
        Some("mixture") => mixture::mixture(&fields, directory).map(Distribution::Mixture),
        written => {
            let hint = nearest(written.unwrap_or_default(), KINDS.into_iter());
            Err(Problem::at(dist, format!("{} is no distribution, {hint}", dist.get_ref())))
        }
    }
}

fn fixed(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["value"])?;
    Ok(Distribution::Fixed(fields.quantity("value")?))
}

fn uniform(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["min", "max"])?;
    let (min, max) = (fields.quantity("min")?, fields.quantity("max")?);
    if max < min {
        let (smallest, largest) = (fields.required("min")?, fields.required("max")?);
        let message = format!("{} is below min, which is {}; write at least that", largest.get_ref(), smallest.get_ref());
        return Err(Problem::at(largest, message));
    }
    Ok(Distribution::Uniform { min, max })
}

fn normal(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["mean", "sd"])?;
    Ok(Distribution::Normal(TruncatedNormal::new(fields.parameter("mean")?, fields.positive("sd")?)))
}

fn lognormal(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["median", "sigma", "mean", "p95"])?;
    let first_of = |names: [&str; 2]| names.iter().find_map(|name| fields.optional(name));
    match (first_of(["median", "sigma"]), first_of(["mean", "p95"])) {
        // At 10 one draw in a million is already e^47 times the median, more than a century for any delay.
        (Some(_), None) => {
            Ok(Distribution::Lognormal { median: fields.positive("median")?, sigma: fields.number("sigma", 0.0..=10.0)? })
        }
        (None, Some(_)) => lognormal_by_mean(fields),
        (Some(_), Some(other)) => Err(Problem::at(other, format!("median or sigma is given as well; {LOGNORMAL}"))),
        (None, None) => Err(Problem::at(fields.raw, format!("it has no parameter; {LOGNORMAL}"))),
    }
}

fn lognormal_by_mean(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    let (mean, p95) = (fields.positive("mean")?, fields.positive("p95")?);
    let written = fields.required("p95")?;
    Distribution::lognormal_with(mean, p95).ok_or_else(|| {
        let (written_p95, ratio) = (written.get_ref(), p95 / mean);
        let right = "a lognormal distribution has its p95 from 1 to 3.868 times its mean";
        Problem::at(written, format!("{written_p95} is {ratio} times the mean; {right}"))
    })
}

fn exponential(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["mean"])?;
    Ok(Distribution::Exponential { mean: fields.positive("mean")? })
}

fn gamma(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["shape", "scale"])?;
    Ok(Distribution::Gamma(Gamma::new(fields.number("shape", SHAPES)?, fields.positive("scale")?)))
}

fn pareto(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["min", "shape"])?;
    Ok(Distribution::Pareto { min: fields.positive_quantity("min")?, shape: fields.number("shape", SHAPES)? })
}

fn weibull(fields: &Fields<'_>) -> Result<Distribution, Problem> {
    fields.only(&["shape", "scale"])?;
    Ok(Distribution::Weibull { shape: fields.number("shape", SHAPES)?, scale: fields.positive("scale")? })
}
