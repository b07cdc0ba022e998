//! `relaybench audit`: whether published claims agree with arithmetic.

use clap::{Args, ValueEnum};
use relaybench::audit::{Claims, Verdict, audit, table};

/// Check published claims (load tables, prices, savings, limits, availability) against arithmetic and against each other
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    /// Built-in claims (holysheep-2025) or a TOML file; docs/audit.md has its keys
    #[arg(value_name = "NAME|FILE")]
    claims: String,
    /// What is printed
    #[arg(long, value_enum, default_value_t = AuditFormat::Table)]
    format: AuditFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AuditFormat {
    Table,
    Json,
}

const EXAMPLES: &str = "\
Each claim is INCONSISTENT (with the calculation), weak (it stands on too little), \"cannot tell\" (what it would be
checked against is not told) or consistent.

Exit codes: 0 nothing is inconsistent · 1 could not read · 2 wrong command line · 3 something is inconsistent

Examples:
  relaybench audit holysheep-2025                    the claims of the tutorial that this project started from
  relaybench audit claims.toml                       your own: what a vendor, or you, are about to publish
  relaybench audit claims.toml --format json | jq '.findings[] | select(.verdict == \"inconsistent\")'";

pub(super) fn run(args: &AuditArgs) -> anyhow::Result<u8> {
    let audit = audit(&Claims::load(&args.claims)?);
    let text = match args.format {
        AuditFormat::Table => table(&audit),
        AuditFormat::Json => audit.to_json(),
    };
    super::print(&text)?;
    let is_inconsistent = audit.verdict == Some(Verdict::Inconsistent);
    Ok(if is_inconsistent { super::FAILED } else { super::DONE })
}
