//! From a place in a text to its line and key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of a byte, counted from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The innermost key whose name or value is at this byte, with the tables it is in.
pub(crate) fn key(text: &str, at: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut search = Search { at, path: Vec::new(), best: None };
    search.table(document.get_ref());
    search.best.map(|(_, key)| key)
}

struct Search<'a> {
    at: usize,
    path: Vec<&'a str>,
    /// The length of the narrowest place found, and its key.
    best: Option<(usize, String)>,
}

impl<'a> Search<'a> {
    // Every value is visited, since the span of a table may leave out what is written under another header.
    fn table(&mut self, table: &'a DeTable<'_>) {
        for (key, value) in table {
            self.path.push(key.get_ref());
            self.candidate(key.span());
            self.value(value);
            self.path.pop();
        }
    }

    fn value(&mut self, value: &'a Spanned<DeValue<'_>>) {
        self.candidate(value.span());
        match value.get_ref() {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(items) => items.iter().for_each(|item| self.value(item)),
            _ => {}
        }
    }

    fn candidate(&mut self, span: Range<usize>) {
        let is_narrower = self.best.as_ref().is_none_or(|(length, _)| span.len() <= *length);
        if span.contains(&self.at) && is_narrower {
            self.best = Some((span.len(), self.path.join(".")));
        }
    }
}
