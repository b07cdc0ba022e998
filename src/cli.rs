//! Subcommands, a file each: flags → typed config → library → renderer. Only here is anything printed.

mod aiperf;
mod audit;
mod check;
mod cost;
mod demo;
mod interrupt;
mod known;
mod mock;
mod models;
mod open_loop;
mod output;
mod progress;
mod provenance;
mod providers;
mod report;
mod run;
mod run_providers;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Done.
const DONE: u8 = 0;
/// It could not run: a file, a name, the environment, the network.
const COULD_NOT_RUN: u8 = 1;
/// The command line itself is wrong.
const WRONG: u8 = 2;
/// A gate failed.
const FAILED: u8 = 3;
/// The run is invalid: its numbers may not be quoted.
const INVALID: u8 = 4;

/// Find out how an LLM relay, and your own client, behave before production tells you.
#[derive(Debug, Parser)]
#[command(name = "relaybench", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 could not run · 2 wrong command line · 3 a gate failed · 4 the run is invalid

Examples:
  relaybench run                     the tutorial's four levels against the embedded mock, over real sockets
  relaybench run --virtual           the same in virtual time: a second, and the same figures on every machine
  relaybench report samples.jsonl    the report of a run, rebuilt from its samples
  relaybench check                   whether a relay, and a client's policy, are ready to be moved to
  relaybench audit holysheep-2025    whether published figures can be true
  relaybench cost                    what a month costs, by provider
  relaybench providers               who sells models, at which prices, within which limits
  relaybench models                  the catalog by which model names are checked
  relaybench mock --profile flaky    the mock alone, for any OpenAI client";

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Report(report::ReportArgs),
    Check(check::CheckArgs),
    Audit(audit::AuditArgs),
    Cost(Box<cost::CostArgs>),
    Demo(demo::DemoArgs),
    Providers(providers::ProvidersArgs),
    Models(models::ModelsArgs),
    /// Serve the mock relay alone, for any OpenAI client: what the relaybench-mock binary does
    #[command(after_help = relaybench_mock::cli::EXAMPLES)]
    Mock(relaybench_mock::cli::MockArgs),
}

pub(crate) fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Report(args) => report::run(args),
        Command::Check(args) => check::run(args),
        Command::Audit(args) => audit::run(&args),
        Command::Cost(args) => cost::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Providers(args) => providers::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Mock(args) => mock::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error);
            ExitCode::from(if error.is::<WrongCommandLine>() { WRONG } else { COULD_NOT_RUN })
        }
    }
}

/// Flags that do not go together, or not with the scenario: what is wrong, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongCommandLine(String);

fn wrong_command_line(message: impl Into<String>) -> anyhow::Error {
    WrongCommandLine(message.into()).into()
}

/// One line on stderr, whatever the error wraps.
#[expect(clippy::print_stderr, reason = "the one place that reports an error")]
fn complain(error: &anyhow::Error) {
    eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
}

/// Nobody reading on is no failure: the exit code tells.
fn print(text: &str) -> std::io::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
