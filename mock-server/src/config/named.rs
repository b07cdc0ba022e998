//! Files by path, and what is compiled in by name.

use std::path::{MAIN_SEPARATOR, Path};
use std::{fs, io};

use thiserror::Error;

use super::{ConfigError, nearest};

/// Something that could not be had by its name or from its file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Nothing of that name is compiled in.
    #[error("there is no built-in {what} \"{name}\", {hint}; a file needs a \"/\" in its path or ends in .toml")]
    UnknownName {
        /// What was looked for, such as `profile`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What may have been meant, or all names.
        hint: String,
    },
    /// The file could not be read.
    #[error("cannot read the {what} {path}")]
    Unreadable {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The file says something wrong.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

impl LoadError {
    pub(crate) fn unknown<'a>(what: &'static str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        Self::UnknownName { what, name: name.to_owned(), hint: nearest(name, known) }
    }
}

/// What is compiled in under a name (`built_in`: name and TOML), or the file at a path: whatever contains a `/` or ends in `.toml`.
///
/// # Errors
///
/// When there is none, when the file cannot be read, and when it is wrong.
pub fn load<T>(
    what: &'static str,
    name_or_path: &str,
    built_in: &[(&str, &str)],
    parse: impl FnOnce(&str, &str) -> Result<T, ConfigError>,
) -> Result<T, LoadError> {
    if is_path(name_or_path) {
        let text = fs::read_to_string(name_or_path);
        let text = text.map_err(|source| LoadError::Unreadable { what, path: name_or_path.to_owned(), source })?;
        return Ok(parse(&text, name_or_path)?);
    }
    match built_in.iter().find(|(name, _)| *name == name_or_path) {
        Some((name, toml)) => Ok(parse(toml, name)?),
        None => Err(LoadError::unknown(what, name_or_path, built_in.iter().map(|(name, _)| *name))),
    }
}

/// Whether this names a file rather than something that is compiled in.
pub fn is_path(name: &str) -> bool {
    name.contains(['/', MAIN_SEPARATOR]) || Path::new(name).extension().is_some_and(|extension| extension == "toml")
}
