//! The demonstration's figures as Markdown, which reads well on a terminal too.

use std::fmt::Write as _;

use super::{Level, Measuring, Way};
use crate::report::figures::{count, milliseconds, percent, rate};

impl Measuring {
    /// Both tables as Markdown, the one of the levels first, with a blank line between them.
    pub fn markdown(&self) -> String {
        format!("{}\n{}", self.levels_table(), self.ways_table())
    }

    fn levels_table(&self) -> String {
        let mut text = "\
| in flight | mean ms | most by Little's law, req/s | closed loop, req/s | waves, req/s | waves of the closed loop |
|---|---|---|---|---|---|
"
        .to_owned();
        for Level { concurrency, mean_ms, most_rps, closed_rps, waves_rps } in &self.levels {
            let share = percent(waves_rps / closed_rps);
            let [mean, most, closed, waves] = [milliseconds(*mean_ms), rate(*most_rps), rate(*closed_rps), rate(*waves_rps)];
            // Writing to a text cannot fail.
            let _ = writeln!(text, "| {concurrency} | {mean} | {most} | {closed} | {waves} | {share} |");
        }
        text
    }

    fn ways_table(&self) -> String {
        let mut text = "\
| way | requests | mean ms | p50 | p95 | p99 | longest | longer than 1 s |
|---|---|---|---|---|---|---|---|
"
        .to_owned();
        for Way { name, requests, latency_ms, above_1s, .. } in &self.ways {
            let shown = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), milliseconds);
            let figures =
                [latency_ms.mean, latency_ms.p50, latency_ms.p95, latency_ms.p99, latency_ms.max].map(shown).join(" | ");
            let _ = writeln!(text, "| {name} | {} | {figures} | {} |", count(*requests), percent(*above_1s));
        }
        text
    }
}
