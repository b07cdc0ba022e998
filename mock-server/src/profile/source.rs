//! A profile as it is written.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

/// A profile's text. It is not printed, since it may have keys in it.
#[derive(Clone, Default)]
pub(super) struct Source(pub(super) Arc<str>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The same text, with a seed written into it. Whatever else it says stays as it is, comments too.
pub(super) fn with_seed(toml: &str, seed: u64) -> String {
    #[derive(Deserialize)]
    struct Written {
        seed: Option<Spanned<u64>>,
    }
    let written = toml::from_str::<Written>(toml).ok().and_then(|written| written.seed);
    match written {
        Some(written) => {
            let mut text = toml.to_owned();
            text.replace_range(written.span(), &seed.to_string());
            text
        }
        // Before all tables, where every key belongs to the file itself.
        None => format!("seed = {seed}\n{toml}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_written_where_the_old_one_was_or_first() {
        assert_eq!(with_seed("a = 1 # one\nseed = 12 # two\n[b]\nseed = 3\n", 7), "a = 1 # one\nseed = 7 # two\n[b]\nseed = 3\n");
        assert_eq!(with_seed("[b]\nseed = 3\n", 7), "seed = 7\n[b]\nseed = 3\n");
    }
}
