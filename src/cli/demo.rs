//! `relaybench demo`: what a way of measuring hides, shown.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use relaybench::measuring::Measuring;

/// Show what a way of measuring hides: one relay as a closed loop, in waves and as an open loop, in virtual time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// What is shown: measuring, of which docs/measuring.md tells
    #[arg(value_enum, default_value_t = Demo::Measuring)]
    demo: Demo,
    /// What is printed
    #[arg(long, value_enum, default_value_t = DemoFormat::Markdown)]
    format: DemoFormat,
    /// Also write the plots, throughput.svg and stall.svg, into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Demo {
    Measuring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DemoFormat {
    Markdown,
    Json,
}

const EXAMPLES: &str = "\
The first table: at each level, what waves complete beside a closed loop. The second: a relay that stalls for ten seconds
of sixty, as closed loop and waves see it, and as users do who come at times of their own.

Exit codes: 0 done · 1 could not run · 2 wrong command line

Examples:
  relaybench demo                            the figures, the same on every machine
  relaybench demo measuring --out plots      and open plots/stall.svg";

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<u8> {
    let Demo::Measuring = args.demo;
    let measuring = Measuring::play()?;
    if let Some(directory) = &args.out {
        fs::create_dir_all(directory).with_context(|| format!("--out {}: cannot create this directory", directory.display()))?;
        for (file, svg) in [("throughput.svg", measuring.throughput_svg()), ("stall.svg", measuring.stall_svg())] {
            let path = directory.join(file);
            fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    super::print(&match args.format {
        DemoFormat::Markdown => measuring.markdown(),
        DemoFormat::Json => measuring.to_json(),
    })?;
    Ok(super::DONE)
}
