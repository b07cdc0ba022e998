//! A comparison as Markdown.

use super::Comparison;
use super::table::{headline, measured_cells, notes, published_cells};
use crate::report::markdown::escaped;
use crate::report::table::errors;

pub(super) fn markdown(comparison: &Comparison) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("### {}\n\n", escaped(&headline(comparison)));
    text += "| provider | load | sent | mean ms | p95 | req/s | success | cost $ | errors |\n";
    text += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
    for compared in &comparison.providers {
        let cells: Vec<String> = published_cells(compared).iter().map(|cell| escaped(cell)).collect();
        text += &line(&cells);
        for (stage, own) in compared.stages.iter().zip(&compared.report.stages) {
            let cells = measured_cells(stage).into_iter().chain([errors(own).join(", ")]);
            let cells: Vec<String> = [String::new()].into_iter().chain(cells.map(|cell| escaped(&cell))).collect();
            text += &line(&cells);
        }
    }
    text.push('\n');
    notes(comparison).iter().for_each(|note| text += &format!("- {}\n", escaped(note)));
    text
}
