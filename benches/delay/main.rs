//! How exactly the mock relay keeps its delays, over real sockets: served minus requested, beside bare hyper with tokio's sleep.
//!
//! Lateness by the server's own record counts from the instant at which a part was due to the one at which it was handed to hyper.
//! What the driver sees beyond the delay has the round trip in it, and whatever both ends wait for a core.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's result is what it prints")]

mod case;
mod cores;
mod driver;
mod figures;
mod servers;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime::Builder;

use self::case::Case;
use self::cores::{Cores, Role};
use self::figures::Figures;
use self::table::Row;

type Failure = Box<dyn std::error::Error>;

/// Both servers take turns so often; of each figure the median counts.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let cases = Case::all().into_iter().filter(|case| filter.is_none_or(|part| case.name.contains(part.as_str())));
    if has("--list") {
        cases.for_each(|case| println!("delay/{}: benchmark", case.name));
        return Ok(());
    }
    let (cases, rounds): (Vec<Case>, usize) =
        if has("--test") { (cases.map(Case::tiny).collect(), 1) } else { (cases.collect(), ROUNDS) };
    let cores = Cores::of_this_machine();
    let rows = cases.iter().map(|case| row(case, rounds, cores)).collect::<Result<Vec<_>, _>>()?;
    println!("{}", table::text(&rows, rounds, cores));
    if has("--test") { Ok(()) } else { write(&rows, cores) }
}

fn row(case: &Case, rounds: usize, cores: Cores) -> Result<Row, Failure> {
    let (mut ours, mut tokio) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(round(case, cores, servers::mock)?);
        tokio.push(round(case, cores, servers::bare)?);
    }
    Ok(Row::new(case, ours, tokio))
}

fn round(case: &Case, cores: Cores, start: fn(&Case) -> Result<servers::Running, Failure>) -> Result<Figures, Failure> {
    cores.take(Role::Server)?;
    let server = start(case)?;
    cores.take(Role::Driver)?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let seen = runtime.block_on(driver::play(case, server.addr))?;
    drop(runtime);
    Ok(Figures::of(case, &seen, &(server.end)()))
}

fn write(rows: &[Row], cores: Cores) -> Result<(), Failure> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../relaybench");
    fs::create_dir_all(&directory)?;
    let file = directory.canonicalize()?.join("delay.json");
    fs::write(&file, serde_json::to_string_pretty(&table::json(rows, cores))? + "\n")?;
    println!("report: {}", file.display());
    Ok(())
}
