//! The rows, for a person and for a program.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use crate::case::Case;
use crate::cores::Cores;
use crate::figures::{Figures, Late};

/// A load, and what both servers made of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    name: &'static str,
    load: String,
    #[serde(skip)]
    is_stream: bool,
    relaybench: Side,
    tokio: Side,
}

#[derive(Clone, Debug, Serialize)]
struct Side {
    median: Figures,
    rounds: Vec<Figures>,
}

impl Side {
    fn new(rounds: Vec<Figures>) -> Self {
        Self { median: Figures::median(&rounds), rounds }
    }
}

impl Row {
    pub(crate) fn new(case: &Case, relaybench: Vec<Figures>, tokio: Vec<Figures>) -> Self {
        let (relaybench, tokio) = (Side::new(relaybench), Side::new(tokio));
        Self { name: case.name, load: case.title(), is_stream: case.is_stream(), relaybench, tokio }
    }

    /// A line for each server.
    fn lines(&self, line: impl Fn(&Figures) -> String) -> String {
        format!("{}\n{}", line(&self.relaybench.median), line(&self.tokio.median))
    }

    /// What the driver sees beyond the delay, beside what it sees of the other.
    fn ratio(&self) -> Option<f64> {
        Some(self.relaybench.median.seen.p50_us? / self.tokio.median.seen.p50_us?)
    }
}

pub(crate) fn text(rows: &[Row], rounds: usize, cores: Cores) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "delays",
        "sleeps of",
        "answers",
        "late: p50\nµs",
        "p99\nµs",
        "end: p50\nµs",
        "p99\nµs",
        "seen: p50\nµs",
        "p99\nµs",
        "of\ntokio's",
    ]);
    for row in rows {
        let end = |figures: &Figures| if row.is_stream { figures.end } else { Late::default() };
        table.add_row([
            row.load.clone(),
            "relaybench\ntokio".to_owned(),
            row.lines(|figures| figures.requests.to_string()),
            row.lines(|figures| microseconds(figures.first.p50_us)),
            row.lines(|figures| microseconds(figures.first.p99_us)),
            row.lines(|figures| microseconds(end(figures).p50_us)),
            row.lines(|figures| microseconds(end(figures).p99_us)),
            row.lines(|figures| microseconds(figures.seen.p50_us)),
            row.lines(|figures| microseconds(figures.seen.p99_us)),
            row.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n{}", legend(rounds, cores))
}

fn microseconds(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.0}")).unwrap_or_default()
}

fn legend(rounds: usize, cores: Cores) -> String {
    let turns = if rounds == 1 { "One round".to_owned() } else { format!("{rounds} rounds in turns, of each figure the median") };
    format!(
        "late: by the server's record, the answer or its first chunk beyond its instant; end: the last chunk; seen: by a driver\n\
         of raw sockets, every chunk beyond the delay that was asked for, the round trip included. relaybench is the mock relay,\n\
         tokio bare hyper with tokio's sleep. {turns}; server and driver are threads, {}.\n",
        cores.describe()
    )
}

pub(crate) fn json(rows: &[Row], cores: Cores) -> Value {
    json!({ "schema": "relaybench.delay/1", "cores": cores.describe(), "rows": rows })
}
