//! A load as it is written: `kind` decides which of the keys there may be.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use relaybench_mock::config::{Problem, Spanned, Time, is_path, nearest};
use relaybench_mock::dist::{Distribution, SHAPES};
use relaybench_mock::profile::{Unit, Written};
use serde::Deserialize;

use crate::load::kind::{Load, Spacing};
use crate::load::rate::Rate;
use crate::load::request::{Prompt, RequestSpec};
use crate::load::sessions::{MOST_TURNS, SessionBegin, SessionLoad};
use crate::load::trace::{TimeUnit, TraceFormat, TraceLoad, TraceOptions};

/// Keys of all kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoad {
    kind: Spanned<String>,
    concurrency: Option<Spanned<NonZeroUsize>>,
    rate: Option<Spanned<String>>,
    rates: Option<Spanned<Vec<Spanned<String>>>>,
    from: Option<Spanned<String>>,
    to: Option<Spanned<String>>,
    spacing: Option<Spanned<String>>,
    shape: Option<Spanned<f64>>,
    cv: Option<Spanned<f64>>,
    max_in_flight: Option<Spanned<NonZeroUsize>>,
    file: Option<Spanned<String>>,
    format: Option<Spanned<TraceFormat>>,
    unit: Option<Spanned<TimeUnit>>,
    time_scale: Option<Spanned<f64>>,
    r#for: Option<Spanned<Time>>,
    lengths: Option<Spanned<bool>>,
    check_span: Option<Spanned<bool>>,
    turns: Option<Spanned<Written>>,
    think_time: Option<Spanned<Written>>,
}

/// One load, or several stages' loads.
pub(super) enum Shape {
    One(Load),
    Steps(Vec<Load>),
}

/// What a kind is called, with the keys that it takes.
const KINDS: [(&str, &[&str]); 9] = [
    ("closed", &["concurrency"]),
    ("waves", &["concurrency"]),
    ("constant", &["rate", "max_in_flight"]),
    ("poisson", &["rate", "max_in_flight"]),
    ("gamma", &["rate", "shape", "cv", "max_in_flight"]),
    ("ramp", &["from", "to", "spacing", "shape", "cv", "max_in_flight"]),
    ("steps", &["rates", "spacing", "shape", "cv", "max_in_flight"]),
    ("trace", &["file", "format", "unit", "time_scale", "from", "for", "lengths", "check_span", "max_in_flight"]),
    ("sessions", &["concurrency", "rate", "spacing", "shape", "cv", "turns", "think_time", "max_in_flight"]),
];

/// So much faster or slower a trace may be replayed.
const TIME_SCALES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

impl RawLoad {
    /// `place` is where the table stands; files are found from the directory of `origin`.
    pub(super) fn validate(&self, place: &Spanned<Self>, request: &RequestSpec, origin: &str) -> Result<Shape, Problem> {
        self.only_the_kind_s_keys()?;
        let missing = |key: &str| Problem::at(place, format!("the key \"{key}\" is missing"));
        let max_in_flight = self.max_in_flight.as_ref().map(|most| *most.get_ref());
        let concurrency = || self.concurrency.as_ref().map(|given| *given.get_ref()).ok_or_else(|| missing("concurrency"));
        let rate_of = |written: &Option<Spanned<String>>, key| rate(written.as_ref().ok_or_else(|| missing(key))?);
        let load = match self.kind.get_ref().as_str() {
            "closed" => Load::Closed { concurrency: concurrency()? },
            "waves" => Load::Waves { concurrency: concurrency()? },
            "constant" => Load::Constant { rate: rate_of(&self.rate, "rate")?, max_in_flight },
            "poisson" => Load::Poisson { rate: rate_of(&self.rate, "rate")?, max_in_flight },
            "gamma" => {
                let shape = self.shape()?.ok_or_else(|| {
                    Problem::at(place, "the burstiness is missing; write shape = 0.5, or cv = 1.4, of the gaps between requests")
                })?;
                Load::Gamma { rate: rate_of(&self.rate, "rate")?, shape, max_in_flight }
            }
            "ramp" => Load::Ramp {
                from: rate_of(&self.from, "from")?,
                to: rate_of(&self.to, "to")?,
                spacing: self.spacing(Spacing::Constant)?,
                max_in_flight,
            },
            "steps" => {
                let rates = self.rates.as_ref().ok_or_else(|| missing("rates"))?;
                if rates.get_ref().is_empty() {
                    return Err(Problem::at(rates, "there is no step; write rates such as [\"100/s\", \"200/s\"]"));
                }
                let spacing = self.spacing(Spacing::Constant)?;
                let loads = rates.get_ref().iter().map(|step| Ok(Load::open(rate(step)?, spacing, max_in_flight)));
                return loads.collect::<Result<_, _>>().map(Shape::Steps);
            }
            "trace" => self.trace(self.file.as_ref().ok_or_else(|| missing("file"))?, origin)?,
            // The names were checked.
            _ => self.sessions(place, request, origin)?,
        };
        Ok(Shape::One(load))
    }

    fn only_the_kind_s_keys(&self) -> Result<(), Problem> {
        let written = self.kind.get_ref().as_str();
        let Some((name, keys)) = KINDS.into_iter().find(|(name, _)| *name == written) else {
            let hint = nearest(written, KINDS.into_iter().map(|(name, _)| name));
            return Err(Problem::at(&self.kind, format!("\"{written}\" is no kind of load, {hint}")));
        };
        let wrong = |key: &str| -> Option<String> {
            (!keys.contains(&key)).then(|| format!("a load of kind \"{name}\" has no such key; it has {}", keys.join(", ")))
        };
        macro_rules! refuse_others {
            ($($key:ident $name:literal),*) => {$(
                if let (Some(given), Some(message)) = (&self.$key, wrong($name)) {
                    return Err(Problem::at(given, message));
                }
            )*};
        }
        refuse_others!(concurrency "concurrency", rate "rate", rates "rates", from "from", to "to", spacing "spacing");
        refuse_others!(shape "shape", cv "cv", max_in_flight "max_in_flight", file "file", format "format", unit "unit");
        refuse_others!(time_scale "time_scale", r#for "for", lengths "lengths", check_span "check_span", turns "turns");
        refuse_others!(think_time "think_time");
        Ok(())
    }

    fn spacing(&self, default: Spacing) -> Result<Spacing, Problem> {
        const NAMES: [&str; 3] = ["constant", "poisson", "gamma"];
        let shape = self.shape()?;
        let spacing = match (&self.spacing, shape) {
            (Some(written), shape) => match (written.get_ref().as_str(), shape) {
                ("constant", _) => Spacing::Constant,
                ("poisson", _) => Spacing::Poisson,
                ("gamma", Some(shape)) => return Ok(Spacing::Gamma(shape)),
                ("gamma", None) => return Err(Problem::at(written, "a gamma distribution has a shape; write shape or cv")),
                (other, _) => {
                    let message = format!("\"{other}\" is no spacing, {}", nearest(other, NAMES.into_iter()));
                    return Err(Problem::at(written, message));
                }
            },
            (None, _) => default,
        };
        match self.shape.as_ref().or(self.cv.as_ref()) {
            Some(given) => Err(Problem::at(given, "only spacing = \"gamma\" has a shape; write that or leave this out")),
            None => Ok(spacing),
        }
    }

    /// The shape of a gamma distribution, which may be written as the coefficient of variation of its gaps.
    fn shape(&self) -> Result<Option<f64>, Problem> {
        let (written, shape) = match (&self.shape, &self.cv) {
            (None, None) => return Ok(None),
            (Some(shape), None) => (shape, *shape.get_ref()),
            // Squared, one below 0 would be one above.
            (None, Some(cv)) => (cv, if *cv.get_ref() > 0.0 { 1.0 / (cv.get_ref() * cv.get_ref()) } else { f64::NAN }),
            (Some(_), Some(cv)) => return Err(Problem::at(cv, "the shape is given as well; remove one of them")),
        };
        if !SHAPES.contains(&shape) {
            let (least, most) = (SHAPES.start(), SHAPES.end());
            let message = format!(
                "{} is out of range; write a shape from {least} to {most}, or a cv from {:.4} to {:.4}",
                written.get_ref(),
                1.0 / most.sqrt(),
                1.0 / least.sqrt()
            );
            return Err(Problem::at(written, message));
        }
        Ok(Some(shape))
    }

    fn trace(&self, file: &Spanned<String>, origin: &str) -> Result<Load, Problem> {
        let given = |written: &Option<Spanned<bool>>| written.as_ref().is_none_or(|written| *written.get_ref());
        if let Some(scale) = self.time_scale.as_ref().filter(|scale| !TIME_SCALES.contains(scale.get_ref())) {
            let message = format!("{} is out of range; write a number from 0.000001 to 1000000", scale.get_ref());
            return Err(Problem::at(scale, message));
        }
        let from = self.from.as_ref().map(|from| Time::parse(from.get_ref()).map_err(|message| Problem::at(from, message)));
        let options = TraceOptions {
            format: self.format.as_ref().map(|format| *format.get_ref()),
            unit: self.unit.as_ref().map(|unit| *unit.get_ref()),
            time_scale: self.time_scale.as_ref().map_or(1.0, |scale| *scale.get_ref()),
            from: from.transpose()?.map_or(Duration::ZERO, Duration::from),
            length: self.r#for.as_ref().map(|length| length.get_ref().0),
            lengths: given(&self.lengths),
            max_in_flight: self.max_in_flight.as_ref().map(|most| *most.get_ref()),
            check_span: given(&self.check_span),
        };
        let read = TraceLoad::read(beside(origin, file.get_ref()), &options);
        read.map(Load::Trace).map_err(|error| Problem::at(file, error.to_string()))
    }

    fn sessions(&self, place: &Spanned<Self>, request: &RequestSpec, origin: &str) -> Result<Load, Problem> {
        let begin = match (&self.concurrency, &self.rate) {
            (Some(concurrency), None) => SessionBegin::Concurrency { concurrency: *concurrency.get_ref() },
            (None, Some(written)) => SessionBegin::Rate { rate: rate(written)?, spacing: self.spacing(Spacing::Poisson)? },
            (Some(_), Some(rate)) => return Err(Problem::at(rate, "concurrency is given as well; remove one of them")),
            (None, None) => {
                let right = "write concurrency = 20, or rate = \"5/s\" with which conversations begin";
                return Err(Problem::at(place, format!("nothing says when a conversation begins; {right}")));
            }
        };
        if let (SessionBegin::Concurrency { .. }, Some(spacing)) = (begin, &self.spacing) {
            return Err(Problem::at(spacing, "conversations that begin when another ends have no spacing; write a rate instead"));
        }
        let (turns, most_turns) = self.turns(place, request, origin)?;
        let think_time = match &self.think_time {
            Some(written) => written.get_ref().valid(Unit::Time, origin)?,
            None => Distribution::Fixed(0.0),
        };
        let max_in_flight = self.max_in_flight.as_ref().map(|most| *most.get_ref());
        Ok(Load::Sessions(SessionLoad::new(begin, turns, most_turns, think_time, max_in_flight)))
    }

    /// How many turns, and the most there can be.
    fn turns(&self, place: &Spanned<Self>, request: &RequestSpec, origin: &str) -> Result<(Distribution, u32), Problem> {
        let written = match (&self.turns, &request.prompt) {
            (Some(written), _) => written,
            (None, Prompt::File(file)) if file.most_turns() > 1 => {
                let most = file.most_turns().min(MOST_TURNS);
                return Ok((Distribution::Fixed(most.into()), most));
            }
            (None, _) => {
                let message = "the key \"turns\" is missing; only conversations of a file say themselves how long they are";
                return Err(Problem::at(place, message));
            }
        };
        let turns = written.get_ref().valid(Unit::Count { of: "turns", most: MOST_TURNS }, origin)?;
        let most = turns.most_count().clamp(1, MOST_TURNS);
        Ok((turns, most))
    }
}

fn rate(written: &Spanned<String>) -> Result<Rate, Problem> {
    Rate::parse(written.get_ref()).map_err(|message| Problem::at(written, message))
}

/// Where a scenario that is a file finds another; one that is compiled in, or text alone, from where it is run.
pub(super) fn beside(origin: &str, name: &str) -> PathBuf {
    match Path::new(origin).parent().filter(|_| is_path(origin)) {
        Some(directory) => directory.join(name),
        None => PathBuf::from(name),
    }
}

#[cfg(test)]
mod tests {
    use crate::load::Scenario;

    fn refusal(load: &str, extent: &str) -> String {
        let text = format!("name = \"x\"\n[[stage]]\nload = {{ {load} }}\n{extent}\n");
        Scenario::parse(&text, "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_load_that_is_wrong_is_refused_by_line_and_key_with_what_would_be_right() {
        let cases = [
            ("kind = \"poison\", rate = \"1/s\"", "stage.load.kind: \"poison\" is no kind of load, did you mean \"poisson\"?"),
            (
                "kind = \"constant\", concurrency = 5",
                "stage.load.concurrency: a load of kind \"constant\" has no such key; it has rate, max_in_flight",
            ),
            ("kind = \"constant\"", "stage.load: the key \"rate\" is missing"),
            (
                "kind = \"constant\", rate = \"100\"",
                "stage.load.rate: \"100\" has no unit; write a rate such as \"100/s\" or \"30/min\"",
            ),
            (
                "kind = \"gamma\", rate = \"1/s\"",
                "stage.load: the burstiness is missing; write shape = 0.5, or cv = 1.4, of the gaps between requests",
            ),
            (
                "kind = \"sessions\", concurrency = 3, turns = 0",
                "stage.load.turns: 0 is no number of turns; write a whole number from 1 to 1000",
            ),
            (
                "kind = \"sessions\", concurrency = 3, turns = { dist = \"uniform\", min = 1, max = 1001 }",
                "stage.load.turns.max: 1001 is no number of turns; write a whole number from 1 to 1000",
            ),
            (
                "kind = \"gamma\", rate = \"1/s\", shape = 0.01",
                "stage.load.shape: 0.01 is out of range; write a shape from 0.05 to 1000, or a cv from 0.0316 to 4.4721",
            ),
            (
                "kind = \"gamma\", rate = \"1/s\", cv = -2",
                "stage.load.cv: -2 is out of range; write a shape from 0.05 to 1000, or a cv from 0.0316 to 4.4721",
            ),
            (
                "kind = \"gamma\", rate = \"1/s\", shape = 1, cv = 1",
                "stage.load.cv: the shape is given as well; remove one of them",
            ),
            (
                "kind = \"ramp\", from = \"1/s\", to = \"2/s\", cv = 2",
                "stage.load.cv: only spacing = \"gamma\" has a shape; write that or leave this out",
            ),
            ("kind = \"steps\", rates = []", "stage.load.rates: there is no step; write rates such as [\"100/s\", \"200/s\"]"),
            (
                "kind = \"sessions\", turns = 3",
                "stage.load: nothing says when a conversation begins; write concurrency = 20, or rate = \"5/s\" with which \
                 conversations begin",
            ),
            (
                "kind = \"sessions\", concurrency = 3",
                "stage.load: the key \"turns\" is missing; only conversations of a file say themselves how long they are",
            ),
            (
                "kind = \"sessions\", concurrency = 3, turns = 3, think_time = 2",
                "stage.load.think_time: 2 has no unit; write a duration such as \"250ms\" or \"1.5s\"",
            ),
        ];
        for (load, expected) in cases {
            assert_eq!(refusal(load, "duration = \"1s\""), format!("x.toml:3: {expected}"));
        }
    }

    #[test]
    fn a_load_says_how_long_it_is_in_its_own_way() {
        let sessions = "kind = \"sessions\", concurrency = 3, turns = 3";
        assert!(refusal(sessions, "requests = 5").contains("does not count requests; write sessions = 100 or a duration"));
        assert!(refusal("kind = \"poisson\", rate = \"1/s\"", "sessions = 5").contains("has no sessions"));
        assert!(refusal("kind = \"ramp\", from = \"1/s\", to = \"2/s\"", "requests = 5").contains("over which the rate changes"));
        assert!(refusal("kind = \"trace\", file = \"none.csv\"", "").contains("stage.load.file: cannot read the trace none.csv"));
    }
}
