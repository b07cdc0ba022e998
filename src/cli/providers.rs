//! `relaybench providers`: who sells models, compared, and one of them whole.

use clap::{Args, ValueEnum};
use relaybench::provider::table;
use serde_json::json;

use super::known::{Known, KnownArgs};
use super::run::print_text;

/// Compare providers: prices, published latency and throughput, limits, payment, models, credit; or show one whole
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProvidersArgs {
    /// One provider, to be shown whole: holysheep, openai, cloudflare, groq, or one of --providers
    name: Option<String>,
    #[command(flatten)]
    known: KnownArgs,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
}

const EXAMPLES: &str = "\
Every price, figure and limit has its source and date; nothing of it was measured here. Where a provider names no price of its own,
the vendor's list price stands in.

Exit codes: 0 done · 1 could not read a file, or there is no such provider · 2 wrong command line

Examples:
  relaybench providers                                 the comparison
  relaybench providers groq                            one, with what its mock limits and who says so
  relaybench providers --format json | jq '.providers[].models[] | {name, price}'
  relaybench providers --providers mine.toml           with prices or providers of your own (docs/providers.md)
  relaybench run --provider groq --virtual             against its mock";

/// The schema of what is printed as JSON.
const SCHEMA: &str = "relaybench.providers/1";

pub(super) fn run(args: &ProvidersArgs) -> anyhow::Result<u8> {
    let Known { providers, catalog } = args.known.load()?;
    let text = match (&args.name, args.format) {
        (None, Format::Table) => table::comparison(&providers, &catalog),
        (Some(name), Format::Table) => table::whole(providers.named(name)?, &catalog),
        (None, Format::Json) => {
            let all: Vec<_> = providers.iter().map(|provider| provider.priced(&catalog)).collect();
            format!("{:#}\n", json!({ "schema": SCHEMA, "providers": all }))
        }
        (Some(name), Format::Json) => {
            format!("{:#}\n", json!({ "schema": SCHEMA, "providers": [providers.named(name)?.priced(&catalog)] }))
        }
    };
    print_text(&text)?;
    Ok(super::DONE)
}
