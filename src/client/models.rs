//! Which models there are, so that a misspelt name fails before it is sent.

use super::error::{Error, ErrorKind};

/// The models of the tutorial's relay.
const TUTORIAL: [&str; 8] = [
    "gpt-4.1",
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-20250514",
    "claude-3-5-sonnet-20241022",
    "gemini-2.5-flash",
    "deepseek-v3.2",
    "deepseek-chat",
];

/// How alike (0 to 1) a known name must be to be suggested; below, names share little but hyphens and digits.
const ALIKE: f64 = 0.7;

/// A list of model names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog(Vec<String>);

impl Catalog {
    /// These names.
    pub fn new<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The names, in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn check(&self, model: &str) -> Result<(), Error> {
        if self.0.iter().any(|known| known == model) {
            return Ok(());
        }
        let hint = match self.nearest(model) {
            Some(name) => format!("; did you mean {name:?}?"),
            None => String::new(),
        };
        Err(Error::of(ErrorKind::UnknownModel, format!("unknown model {model:?}{hint} (known: {})", self.0.join(", "))))
    }

    pub(crate) fn nearest(&self, model: &str) -> Option<&str> {
        let likeness = |name: &str| strsim::normalized_damerau_levenshtein(name, model);
        let nearest = self.names().map(|name| (likeness(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
        nearest.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, name)| name)
    }
}

/// The models of the tutorial's relay.
impl Default for Catalog {
    fn default() -> Self {
        Self::new(TUTORIAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_model_is_answered_with_the_nearest_name() {
        let catalog = Catalog::new(["gpt-4.1", "gpt-4o"]);
        assert_eq!(
            catalog.check("gpt-4.l").unwrap_err().to_string(),
            "unknown model \"gpt-4.l\"; did you mean \"gpt-4.1\"? (known: gpt-4.1, gpt-4o)"
        );
        assert!(!catalog.check("llama").unwrap_err().to_string().contains("did you mean"));
        assert!(catalog.check("gpt-4o").is_ok());
    }

    #[test]
    fn the_catalog_has_the_tutorials_eight_models() {
        assert_eq!(Catalog::default().names().count(), 8);
    }
}
