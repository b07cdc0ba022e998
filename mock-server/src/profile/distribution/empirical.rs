//! Samples as they are written: `{ dist = "empirical", file = "samples.csv", column = "latency_ms" }`, or
//! `{ dist = "empirical", samples = ["12ms", "15ms"] }`.

use toml::Spanned;

use super::fields::{Fields, quantity};
use super::sample_file::Directory;
use super::value::RawValue;
use crate::config::Problem;
use crate::dist::Samples;

const RIGHT: &str = "write either file, with the column, or samples";

pub(super) fn samples(fields: &Fields<'_>, directory: Directory<'_>) -> Result<Samples, Problem> {
    match (fields.optional("file"), fields.optional("samples")) {
        (Some(file), None) => from_file(fields, file, directory),
        (None, Some(array)) => inline(fields, array),
        (Some(_), Some(array)) => Err(Problem::at(array, format!("a file is given as well; {RIGHT}"))),
        (None, None) => {
            fields.only(&["file", "column", "samples"])?;
            Err(Problem::at(fields.raw, format!("there is nothing to draw from; {RIGHT}")))
        }
    }
}

fn inline(fields: &Fields<'_>, array: &Spanned<RawValue>) -> Result<Samples, Problem> {
    fields.only(&["samples"])?;
    let Some(items) = array.get_ref().as_array() else {
        return Err(Problem::at(array, format!("{} is no array of samples", array.get_ref())));
    };
    let values = items.iter().map(|item| quantity(item, fields.unit)).collect::<Result<_, _>>()?;
    Samples::new(values).ok_or_else(|| Problem::at(array, "the array has no sample"))
}

fn from_file(fields: &Fields<'_>, file: &Spanned<RawValue>, directory: Directory<'_>) -> Result<Samples, Problem> {
    fields.only(&["file", "column"])?;
    let wanted = fields.optional("column");
    let name = wanted.map(text).transpose()?;
    let path = text(file)?;
    let mut opened = directory.open(path).map_err(|message| Problem::at(file, message))?;
    let column = opened.column(name, fields.unit).map_err(|message| Problem::at(wanted.unwrap_or(file), message))?;
    let values = opened.samples(&column).map_err(|message| Problem::at(file, message))?;
    Samples::new(values).ok_or_else(|| Problem::at(file, format!("{path} has no sample below its first line")))
}

fn text(raw: &Spanned<RawValue>) -> Result<&str, Problem> {
    raw.get_ref().as_str().ok_or_else(|| Problem::at(raw, format!("{} is no name; write it in quotes", raw.get_ref())))
}
