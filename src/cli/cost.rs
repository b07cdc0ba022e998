//! `relaybench cost`: what a month costs, by provider.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use relaybench::audit::Claims;
use relaybench::cost::{Cost, Demand, Savings, Tokens, Use};
use relaybench::provider::Provider;

use super::known::{Known, KnownArgs};
use super::output::{COMPARISON, SAMPLES};
use super::run::print_text;

/// The claims whose savings are shown where nothing else is asked, and the two providers that they compare.
const SAVINGS: (&str, &str, &str) = ("holysheep-2025", "openai", "holysheep");

/// What a month costs by provider: of tokens, of a mix of models, or of requests as a run measured them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CostArgs {
    /// A TOML file with a mix of models (docs/cost.md); without anything the tutorial's savings, claimed and calculated
    #[arg(value_name = "FILE", conflicts_with_all = ["model", "input", "output", "run"])]
    mix: Option<String>,
    /// A model that is used; several with an --input and an --output each, in their order
    #[arg(long, value_name = "NAME", requires_all = ["input", "output"], conflicts_with = "run")]
    model: Vec<String>,
    /// Tokens of prompts a month, like 10M
    #[arg(long, value_name = "TOKENS", value_parser = tokens, requires = "model")]
    input: Vec<Tokens>,
    /// Tokens of answers a month, like 2M
    #[arg(long, value_name = "TOKENS", value_parser = tokens, requires = "model")]
    output: Vec<Tokens>,
    /// The directory of a run, or its samples.jsonl: what it used, and what its failed attempts may have cost
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Requests a month, like 1M, of the kind that the run measured [default: as many as it sent]
    #[arg(long, value_name = "N", value_parser = tokens, requires = "run")]
    requests_per_month: Option<Tokens>,
    /// Which share of the input (0 to 1) is read from the provider's cache [default: that of the file, else 0]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    cached_share: Option<f64>,
    /// Which providers are compared [default: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    provider: Vec<String>,
    #[command(flatten)]
    known: KnownArgs,
    /// What is printed
    #[arg(long, value_enum, default_value_t = CostFormat::Table)]
    format: CostFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CostFormat {
    Table,
    Json,
}

const EXAMPLES: &str = "\
Every price has its source and date, and every assumption is printed. What a provider does not serve has no cost there,
and so has its sum none.

Exit codes: 0 done · 1 could not read a file, or no such model or provider · 2 wrong command line

Examples:
  relaybench cost                                                 the tutorial's savings, claimed and calculated
  relaybench cost --model gpt-4.1 --input 10M --output 2M         by provider
  relaybench cost --model gpt-4.1 --input 8M --output 1M --model deepseek-v3.2 --input 40M --output 9M
  relaybench cost --run relaybench-out/tutorial-… --requests-per-month 1M
  relaybench cost mix.toml --providers mine.toml --format json    with prices of your own (docs/providers.md)";

pub(super) fn run(args: &CostArgs) -> anyhow::Result<u8> {
    let known = args.known.load()?;
    let Some(mut demand) = demand(args, &known)? else {
        return savings(args, &known);
    };
    demand.cached_share = args.cached_share.unwrap_or(demand.cached_share);
    let cost = Cost::of(demand, chosen(args, &known)?, &known.catalog);
    print_text(&match args.format {
        CostFormat::Table => cost.table(),
        CostFormat::Json => cost.to_json(),
    })?;
    Ok(super::DONE)
}

/// The demand of a file, of flags or of a run; none where nothing is asked.
fn demand(args: &CostArgs, known: &Known) -> anyhow::Result<Option<Demand>> {
    if let Some(path) = &args.mix {
        return Ok(Some(Demand::from_file(path, |model| name(model, known).map_err(|error| error.to_string()))?));
    }
    if let Some(directory) = &args.run {
        let path = if directory.is_dir() { directory.join(SAMPLES) } else { directory.clone() };
        if !path.exists() && directory.join(COMPARISON).exists() {
            let like = a_run_in(directory).map(|run| format!(", like {}", run.display())).unwrap_or_default();
            bail!("{}: a comparison of several runs; name one of them{like}", directory.display());
        }
        let file = File::open(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let requests = args.requests_per_month.map(|requests| requests.0);
        let mut demand = Demand::of_run(BufReader::new(file), &path.display().to_string(), requests)?;
        for usage in &mut demand.uses {
            usage.model = name(&usage.model, known)?;
        }
        return Ok(Some(demand));
    }
    if args.model.is_empty() {
        return Ok(None);
    }
    let [models, inputs, outputs] = [args.model.len(), args.input.len(), args.output.len()];
    if inputs != models || outputs != models {
        bail!("--model: {models} models have {inputs} --input and {outputs} --output; write one of each for each model");
    }
    let mut uses: Vec<Use> = Vec::new();
    for (written, (input, output)) in args.model.iter().zip(args.input.iter().zip(&args.output)) {
        let model = name(written, known)?;
        if uses.iter().any(|usage| usage.model == model) {
            bail!("--model: {written} is {model}, which is named twice; write each model once");
        }
        uses.push(Use { model, input_tokens: input.0, output_tokens: output.0, wasted_attempts: 0.0 });
    }
    Ok(Some(Demand { name: args.model.join(" and "), uses, cached_share: 0.0, measured: None }))
}

fn savings(args: &CostArgs, known: &Known) -> anyhow::Result<u8> {
    if args.cached_share.is_some() || !args.provider.is_empty() {
        bail!("--cached-share and --provider: of what? Name a file, --model with --input and --output, or --run");
    }
    let (claims, official, relay) = SAVINGS;
    let [official, relay] = [official, relay].map(|name| known.providers.named(name));
    let savings = Savings::of(&Claims::load(claims)?, official?, relay?, &known.catalog);
    print_text(&match args.format {
        CostFormat::Table => savings.table(),
        CostFormat::Json => savings.to_json(),
    })?;
    Ok(super::DONE)
}

/// The first run in a directory of several, by name.
fn a_run_in(directory: &Path) -> Option<PathBuf> {
    let entries = directory.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    entries.filter(|path| path.join(SAMPLES).exists()).min()
}

fn chosen<'a>(args: &CostArgs, known: &'a Known) -> anyhow::Result<Vec<&'a Provider>> {
    if args.provider.is_empty() {
        return Ok(known.providers.iter().collect());
    }
    if let Some((_, twice)) = (1..).zip(&args.provider).find(|(after, name)| args.provider[*after..].contains(name)) {
        bail!("--provider: {twice} is named twice");
    }
    args.provider.iter().map(|name| Ok(known.providers.named(name)?)).collect()
}

/// The name of a model, given that or an alias, in the catalog or at a provider.
fn name(model: &str, known: &Known) -> anyhow::Result<String> {
    if let Some(known) = known.catalog.model(model) {
        return Ok(known.name.clone());
    }
    match known.providers.iter().find_map(|provider| provider.model(model)) {
        Some(offer) => Ok(offer.name.clone()),
        None => Ok(known.all_models().resolve(model)?.to_owned()),
    }
}

fn tokens(text: &str) -> Result<Tokens, String> {
    Tokens::parse(text)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("\"{text}\" is no share; write a number from 0 to 1"))
}
