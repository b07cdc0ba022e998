//! Service-level objectives as they are written: `p99<2s`, `ttft_p95<800ms`, `success>99.5%`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use relaybench_mock::config::{Time, nearest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rate::Rate;

/// One objective: a figure of a stage and the bound it keeps.
///
/// | figure | unit | what it is of |
/// |---|---|---|
/// | `mean`, `p50`, `p90`, `p95`, `p99`, `p999` (or `p99.9`), `max` | a duration like `2s` or `800ms` | latency |
/// | `latency_…`, `service_…`, `ttft_…`, `inter_token_…` and one of these | a duration | what the report has by that name |
/// | `success` | a share like `99.5%` or `0.995` | succeeded of sent requests |
/// | `throughput` | a rate like `100/s` or `30/min` | succeeded requests |
///
/// Durations are bounded by `<` or `<=`, the others by `>` or `>=`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Objective {
    text: String,
    /// What is bounded.
    pub figure: SloFigure,
    /// Where the bound is: in milliseconds, requests a second, or as a share from 0 to 1.
    pub limit: f64,
    /// Whether the bound itself is still within.
    pub allows_limit: bool,
}

/// What an objective bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SloFigure {
    /// A figure of a distribution, from above.
    Time(SloMetric, SloStatistic),
    /// The share of requests that succeeded, from below.
    Success,
    /// Succeeded requests a second, from below.
    Throughput,
}

/// Which distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SloMetric {
    /// What the caller felt.
    Latency,
    /// What the attempt that answered took.
    Service,
    /// The time to the first token.
    TimeToFirstToken,
    /// The gaps between tokens.
    InterToken,
}

/// Which figure of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its name")]
pub enum SloStatistic {
    Mean,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
}

const METRICS: [(&str, SloMetric); 4] = [
    ("latency", SloMetric::Latency),
    ("service", SloMetric::Service),
    ("ttft", SloMetric::TimeToFirstToken),
    ("inter_token", SloMetric::InterToken),
];

const STATISTICS: [(&str, SloStatistic); 8] = [
    ("mean", SloStatistic::Mean),
    ("p50", SloStatistic::P50),
    ("p90", SloStatistic::P90),
    ("p95", SloStatistic::P95),
    ("p99", SloStatistic::P99),
    ("p99.9", SloStatistic::P999),
    ("p999", SloStatistic::P999),
    ("max", SloStatistic::Max),
];

/// Why a text is no objective: which, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("objective \"{text}\": {problem}")]
pub struct SloError {
    text: String,
    problem: String,
}

impl Objective {
    /// Reads objectives with commas between them, at least one: a variable that is not set must not switch a gate off.
    ///
    /// # Errors
    ///
    /// The first that is none, and what would be right.
    pub fn list(text: &str) -> Result<Vec<Self>, SloError> {
        text.split(',').map(str::parse).collect()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a figure keeps it.
    pub fn is_met_by(&self, figure: f64) -> bool {
        let is_within = if self.figure.is_bounded_from_above() { figure < self.limit } else { figure > self.limit };
        is_within || (self.allows_limit && figure == self.limit)
    }
}

impl SloFigure {
    /// Times are to be short, shares and rates to be high.
    pub fn is_bounded_from_above(self) -> bool {
        matches!(self, Self::Time(..))
    }
}

impl SloStatistic {
    /// The quantile, where it is one that needs enough samples.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::Mean | Self::Max => None,
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
        }
    }
}

impl FromStr for Objective {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let text = text.trim();
        let refused = |problem: String| SloError { text: text.to_owned(), problem };
        let Some(sign) = text.find(['<', '>', '=']) else {
            return Err(refused("write a figure and its bound, like p99<2s or success>99.5%".to_owned()));
        };
        let (name, bound) = text.split_at(sign);
        let value = bound.trim_start_matches(['<', '>', '=']);
        let operator = &bound[..bound.len() - value.len()];
        let figure = figure(name.trim()).map_err(refused)?;
        let right = if figure.is_bounded_from_above() { ["<", "<="] } else { [">", ">="] };
        if !right.contains(&operator) {
            return Err(refused(format!("{} is bounded by {} or {}, not by {operator}", name.trim(), right[0], right[1])));
        }
        let limit = limit(figure, value.trim()).map_err(refused)?;
        let allows_limit = operator.ends_with('=');
        if figure == SloFigure::Success && limit >= 1.0 && !allows_limit {
            return Err(refused("no share is above all; write success>=100%".to_owned()));
        }
        Ok(Self { text: text.to_owned(), figure, limit, allows_limit })
    }
}

fn figure(name: &str) -> Result<SloFigure, String> {
    match name {
        "success" => return Ok(SloFigure::Success),
        "throughput" => return Ok(SloFigure::Throughput),
        _ => {}
    }
    let (metric, statistic) = METRICS
        .iter()
        .find_map(|(prefix, metric)| Some((*metric, name.strip_prefix(prefix)?.strip_prefix('_')?)))
        .unwrap_or((SloMetric::Latency, name));
    match STATISTICS.iter().find(|(known, _)| *known == statistic) {
        Some((_, statistic)) => Ok(SloFigure::Time(metric, *statistic)),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    let alone = STATISTICS.iter().map(|(statistic, _)| (*statistic).to_owned());
    let of_metrics = METRICS.iter().flat_map(|(metric, _)| STATISTICS.iter().map(move |(name, _)| format!("{metric}_{name}")));
    // Whoever wrote no metric is not shown them all.
    let of_metrics = of_metrics.filter(|_| name.contains('_'));
    let names: Vec<String> = alone.chain(["success".to_owned(), "throughput".to_owned()]).chain(of_metrics).collect();
    format!("no figure is called \"{name}\"; {}", nearest(name, names.iter().map(String::as_str)))
}

fn limit(figure: SloFigure, value: &str) -> Result<f64, String> {
    match figure {
        SloFigure::Time(..) => {
            let time = Time::parse(value)?;
            if time.0 > Duration::ZERO { Ok(time.0.as_nanos() as f64 / 1e6) } else { Err("no time is shorter than 0".to_owned()) }
        }
        SloFigure::Success => {
            let (number, whole) = value.strip_suffix('%').map_or((value, 1.0), |percent| (percent.trim_end(), 100.0));
            let share = number.parse::<f64>().ok().map(|number| number / whole).filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| format!("\"{value}\" is no share; write 99.5% or 0.995"))
        }
        SloFigure::Throughput => Ok(Rate::parse(value)?.rps()),
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Objective> for String {
    fn from(objective: Objective) -> Self {
        objective.text
    }
}

impl TryFrom<String> for Objective {
    type Error = SloError;

    fn try_from(text: String) -> Result<Self, SloError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Objective::list(text).unwrap_err().to_string()
    }

    #[test]
    fn objectives_are_read_with_their_units() {
        let read = Objective::list("p99<2s, ttft_p95<=800ms,success>99.5%,throughput>=30/min,inter_token_p99.9<1s").unwrap();
        let seen: Vec<_> = read.iter().map(|objective| (objective.figure, objective.limit, objective.allows_limit)).collect();
        assert_eq!(
            seen,
            [
                (SloFigure::Time(SloMetric::Latency, SloStatistic::P99), 2000.0, false),
                (SloFigure::Time(SloMetric::TimeToFirstToken, SloStatistic::P95), 800.0, true),
                (SloFigure::Success, 0.995, false),
                (SloFigure::Throughput, 0.5, true),
                (SloFigure::Time(SloMetric::InterToken, SloStatistic::P999), 1000.0, false),
            ]
        );
        for nothing in ["", " ", "p99<2s,"] {
            assert!(refusal(nothing).contains("write a figure and its bound"), "a gate is not switched off by {nothing:?}");
        }
        assert!(refusal("success>100%").contains("success>=100%"));
    }

    #[test]
    fn the_bound_itself_is_within_only_where_the_sign_says_so() {
        let is_met = |text: &str, figure| text.parse::<Objective>().unwrap().is_met_by(figure);
        assert!(is_met("p99<2s", 1999.9) && !is_met("p99<2s", 2000.0) && is_met("p99<=2s", 2000.0) && !is_met("p99<=2s", 2000.1));
        assert!(!is_met("success>99%", 0.99) && is_met("success>=99%", 0.99) && is_met("success>99%", 1.0));
    }

    #[test]
    fn what_is_none_is_refused_with_what_would_be_right() {
        assert_eq!(refusal("p99"), "objective \"p99\": write a figure and its bound, like p99<2s or success>99.5%");
        assert_eq!(
            refusal("p50<1s,tftt_p95<1s"),
            "objective \"tftt_p95<1s\": no figure is called \"tftt_p95\"; did you mean \"ttft_p95\"?"
        );
        assert_eq!(refusal("p99>2s"), "objective \"p99>2s\": p99 is bounded by < or <=, not by >");
        assert_eq!(refusal("success<1%"), "objective \"success<1%\": success is bounded by > or >=, not by <");
        assert!(refusal("p99<2").contains("unit"), "{}", refusal("p99<2"));
        assert!(refusal("success>995").ends_with("\"995\" is no share; write 99.5% or 0.995"));
        assert!(refusal("p97<1s").contains("p97"));
    }

    #[test]
    fn an_objective_is_its_text_in_a_line() {
        let objective: Objective = "p99 < 2s".parse().unwrap();
        let line = serde_json::to_string(&objective).unwrap();
        assert_eq!(line, "\"p99 < 2s\"");
        assert_eq!(serde_json::from_str::<Objective>(&line).unwrap(), objective);
        assert!(serde_json::from_str::<Objective>("\"p99\"").is_err());
    }
}
