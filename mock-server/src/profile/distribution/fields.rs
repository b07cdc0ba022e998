//! The keys of a distribution, and the numbers that they may have.

use std::ops::RangeInclusive;

use toml::{Spanned, Value};

use super::value::RawValue;
use super::{RawDistribution, Unit};
use crate::config::{Problem, Time, nearest};

pub(super) struct Fields<'a> {
    pub(super) raw: &'a RawDistribution,
    pub(super) unit: Unit,
}

impl<'a> Fields<'a> {
    pub(super) fn optional(&self, name: &str) -> Option<&'a Spanned<RawValue>> {
        self.raw.get_ref().value(name)
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Spanned<RawValue>, Problem> {
        self.optional(name).ok_or_else(|| Problem::at(self.raw, format!("the key \"{name}\" is missing")))
    }

    /// Refuses all other keys.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Problem> {
        let known = |key: &str| key == "dist" || names.contains(&key);
        match self.raw.get_ref().iter().find(|(key, _)| !known(key.get_ref())) {
            Some((key, _)) => Err(Problem::at(key, format!("unknown key, {}", nearest(key.get_ref(), names.iter().copied())))),
            None => Ok(()),
        }
    }

    /// What may itself be drawn.
    pub(super) fn quantity(&self, name: &str) -> Result<f64, Problem> {
        quantity(self.required(name)?, self.unit)
    }

    /// What is only computed with: a length may be decimal, since it is what is drawn that becomes whole.
    pub(super) fn parameter(&self, name: &str) -> Result<f64, Problem> {
        let raw = self.required(name)?;
        match self.unit {
            Unit::Time => time(raw),
            Unit::Count { of, most } => match raw.get_ref().as_number() {
                Some(count) if (0.0..=f64::from(most)).contains(&count) => Ok(count),
                _ => {
                    let message =
                        format!("{} is no number of {of}; write a number from 0 to {most}, such as 120.5", raw.get_ref());
                    Err(Problem::at(raw, message))
                }
            },
        }
    }

    /// As [`parameter`](Self::parameter), and above 0.
    pub(super) fn positive(&self, name: &str) -> Result<f64, Problem> {
        self.above_zero(name, self.parameter(name)?)
    }

    /// As [`quantity`](Self::quantity), and above 0.
    pub(super) fn positive_quantity(&self, name: &str) -> Result<f64, Problem> {
        self.above_zero(name, self.quantity(name)?)
    }

    fn above_zero(&self, name: &str, value: f64) -> Result<f64, Problem> {
        if value > 0.0 {
            return Ok(value);
        }
        let raw = self.required(name)?;
        Err(Problem::at(raw, format!("{} is no {name}; write one above 0", raw.get_ref())))
    }

    /// A number without a unit.
    pub(super) fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<f64, Problem> {
        let raw = self.required(name)?;
        raw.get_ref().as_number().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Problem::at(raw, format!("{} is no {name}; write a number from {least} to {most}", raw.get_ref()))
        })
    }
}

/// A delay or a length.
pub(super) fn quantity(raw: &Spanned<RawValue>, unit: Unit) -> Result<f64, Problem> {
    match (unit, raw.get_ref()) {
        (Unit::Time, _) => time(raw),
        (Unit::Count { most, .. }, RawValue::Scalar(Value::Integer(count))) if (1..=i64::from(most)).contains(count) => {
            Ok(*count as f64)
        }
        (Unit::Count { of, most }, other) => {
            Err(Problem::at(raw, format!("{other} is no number of {of}; write a whole number from 1 to {most}")))
        }
    }
}

fn time(raw: &Spanned<RawValue>) -> Result<f64, Problem> {
    match raw.get_ref().as_str() {
        Some(text) => Time::parse(text).map(|time| time.0.as_nanos() as f64).map_err(|message| Problem::at(raw, message)),
        None => Err(Problem::at(raw, Time::without_unit(raw.get_ref()))),
    }
}
