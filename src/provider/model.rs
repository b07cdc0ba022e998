//! What a provider offers.

use serde::Serialize;

use crate::pricing::Quote;

/// A model that a provider serves, or is said to charge for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// The catalog's name, or the provider's own where the catalog has none.
    pub name: String,
    /// As it is asked for there.
    pub own_name: String,
    /// Whether it can be asked for there. A comparison may have a price of what cannot.
    #[serde(rename = "served")]
    pub is_served: bool,
    /// What the provider takes; none: as its vendor.
    #[serde(rename = "price")]
    pub quote: Option<Quote>,
}

impl Offer {
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.own_name == name
    }
}

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked<'a> {
    /// What is asked.
    pub offer: &'a Offer,
    /// Whether it is what was wanted; else it stands in for it.
    pub is_wanted: bool,
}
