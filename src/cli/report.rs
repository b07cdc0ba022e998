//! `relaybench report`: a run's report, rebuilt from its samples.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use relaybench::load::Objective;
use relaybench::report::{Collector, Records, rebuild_with_details};

use super::aiperf::AiperfRecords;
use super::output::Export;
use super::run::{Format, exit_code, objectives, print};

/// Rebuild the report of a run from its samples: the same, to the byte, and also of a run that was killed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportArgs {
    /// A samples.jsonl, or the directory of a run that holds one
    samples: PathBuf,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Also write report.html, .json, .csv and .md and latency.hlog into this directory, which must not hold a run
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Files for other tools there too: aiperf (NVIDIA AIPerf: aiperf/STAGE/profile_export*); latency.hlog is always written
    #[arg(long, value_enum, value_name = "FORMAT,…", value_delimiter = ',', requires = "out")]
    export: Vec<Export>,
    /// Objectives instead of those of the run, like p99<2s,ttft_p95<800ms,success>99.5%
    #[arg(long, value_name = "LIST", value_parser = objectives)]
    slo: Option<Objectives>,
}

/// What one flag says.
type Objectives = std::sync::Arc<[Objective]>;

const EXAMPLES: &str = "\
Exit codes: as those of the run: 0 done · 1 could not read · 2 wrong command line · 3 an objective was missed · 4 the run is invalid

Examples:
  relaybench report relaybench-out/tutorial-20260101T000000.000Z
  relaybench report samples.jsonl --format json > report.json
  relaybench report samples.jsonl --out pages                 and open pages/report.html
  relaybench report samples.jsonl --out pages --export aiperf for AIPerf's readers too
  relaybench report samples.jsonl --slo 'p99<2s,success>99.5%'";

pub(super) fn run(args: ReportArgs) -> anyhow::Result<u8> {
    let ReportArgs { mut samples, format, out, export, slo } = args;
    if samples.is_dir() {
        samples.push(super::output::SAMPLES);
    }
    let origin = samples.display().to_string();
    let open = || File::open(&samples).map(BufReader::new).with_context(|| format!("{origin}: cannot be read"));
    let collector = slo.map_or_else(Collector::default, |slo| Collector::held_to(slo.to_vec()));
    let (report, details) = rebuild_with_details(open()?, &origin, collector)?;
    if let Some(directory) = out {
        super::output::write_report(&directory, &report, &details)?;
        if export.contains(&Export::Aiperf) {
            let mut aiperf = AiperfRecords::new(&directory);
            let failed = || format!("cannot write the files for AIPerf into {}", directory.display());
            for record in Records::new(open()?, &origin) {
                aiperf.record(&record?).with_context(failed)?;
            }
            aiperf.finish(&report, &details).with_context(failed)?;
        }
    }
    print(&report, format).context("cannot print the report")?;
    Ok(exit_code(&report.verdict, report.slo.as_ref()))
}
