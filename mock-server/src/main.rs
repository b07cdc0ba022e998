//! The mock relay as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use relaybench_mock::cli::{self, MockArgs};

/// A mock LLM relay: deterministic latency, saturation, rate limits and faults over real HTTP
#[derive(Parser)]
#[command(name = "relaybench-mock", version, after_help = cli::EXAMPLES)]
struct Command {
    #[command(flatten)]
    args: MockArgs,
}

fn main() -> ExitCode {
    match cli::run(&Command::parse().args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one line that says why")]
            {
                eprintln!("relaybench-mock: {}", cli::chain(&error));
            }
            ExitCode::FAILURE
        }
    }
}
