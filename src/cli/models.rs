//! `relaybench models`: the catalog by which model names are checked.

use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use relaybench::client::{Catalog, KnownModel};
use relaybench::pricing::Price;
use serde_json::json;

use super::known::KnownArgs;
use super::run::print_text;

/// List the models that names are checked against: vendor, context window, list price, aliases
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ModelsArgs {
    #[command(flatten)]
    known: KnownArgs,
    /// What is printed; toml is a file for --models
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Toml,
}

const EXAMPLES: &str = "\
Exit codes: 0 done · 1 could not read a file · 2 wrong command line

Examples:
  relaybench models
  relaybench models --format toml > models.toml        to be changed, and given to --models
  relaybench models --models models.toml               the catalog with a file of your own
  relaybench run --model gpt-4.l                       a misspelt name is answered with the nearest";

/// The widest table that a terminal of 100 columns shows whole.
const WIDTH: u16 = 100;

pub(super) fn run(args: &ModelsArgs) -> anyhow::Result<u8> {
    let catalog = args.known.load()?.catalog;
    let text = match args.format {
        Format::Table => table(&catalog),
        Format::Json => {
            let models: Vec<&KnownModel> = catalog.models().collect();
            format!("{:#}\n", json!({ "schema": "relaybench.models/1", "models": models }))
        }
        Format::Toml => catalog.to_toml(),
    };
    print_text(&text)?;
    Ok(super::DONE)
}

fn table(catalog: &Catalog) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["model", "vendor", "context", "$/MTok in/cached/out", "aliases"]);
    for model in catalog.models() {
        table.add_row([
            model.name.clone(),
            model.vendor.clone().unwrap_or_default(),
            model.context_window.map(|tokens| tokens.to_string()).unwrap_or_default(),
            model.list_price.as_ref().map(|quote| figures(quote.price)).unwrap_or_default(),
            model.aliases.join("\n"),
        ]);
    }
    for column in table.column_iter_mut().skip(2).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let sources = "Prices are the vendors' own lists; --format json has the source and the date of each.";
    format!("{table}\n{sources}\n")
}

fn figures(price: Price) -> String {
    let cached = price.cached_input_usd_per_mtok.map_or_else(|| "–".to_owned(), |usd| usd.to_string());
    format!("{} / {cached} / {}", price.input_usd_per_mtok, price.output_usd_per_mtok)
}
