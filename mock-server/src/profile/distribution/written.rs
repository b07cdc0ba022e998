//! A distribution in a file that is not a profile.

use serde::Deserialize;
use toml::Spanned;

use super::fields::quantity;
use super::value::RawValue;
use super::{Directory, Unit, valid};
use crate::config::Problem;
use crate::dist::Distribution;

/// A number (a duration, where it is one) or a [distribution](crate::profile#distributions), as a file has it. Other kinds of files
/// than profiles read theirs with this.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Written(Spanned<RawValue>);

impl Written {
    /// The distribution. `origin` is the file: samples that it names are found beside it.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn valid(&self, unit: Unit, origin: &str) -> Result<Distribution, Problem> {
        match self.0.get_ref() {
            RawValue::Table(table) => valid(&Spanned::new(self.0.span(), table.clone()), unit, Directory::of(origin)),
            RawValue::Scalar(_) | RawValue::Array(_) => quantity(&self.0, unit).map(Distribution::Fixed),
        }
    }
}
