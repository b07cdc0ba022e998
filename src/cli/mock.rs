//! `relaybench mock`: the mock relay alone.

use relaybench_mock::cli::{self, MockArgs};

pub(super) fn run(args: &MockArgs) -> anyhow::Result<u8> {
    cli::run(args)?;
    Ok(super::DONE)
}
