//! What a single request changes of its client's timeouts.

use std::time::Duration;

use super::{Timeout, Timeouts};
use crate::client::error::Error;

/// Changes to be applied in their order. Takes no memory of its own while there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overrides {
    total: Option<Duration>,
    others: Vec<(Timeout, Option<Duration>)>,
}

impl Overrides {
    pub(crate) fn total(&mut self, figure: Duration) {
        self.total = Some(figure);
    }

    pub(crate) fn set(&mut self, which: Timeout, figure: Option<Duration>) {
        self.others.push((which, figure));
    }

    /// The figures that rule the request.
    pub(crate) fn applied_to(&self, defaults: &Timeouts) -> Result<Timeouts, Error> {
        let mut timeouts = defaults.clone();
        if self.total.is_none() && self.others.is_empty() {
            return Ok(timeouts);
        }
        timeouts.total = self.total.unwrap_or(defaults.total);
        for (which, figure) in &self.others {
            timeouts.set(*which, *figure);
        }
        timeouts.check()?;
        Ok(timeouts)
    }
}
