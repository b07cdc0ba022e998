//! `relaybench run --provider`: the same scenario at several providers, a run each, and what comes of it side by side.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use relaybench::client::{Catalog, Policy};
use relaybench::load::{Run, Scenario, Stop};
use relaybench::provider::{Provider, StandIn};
use relaybench::report::{Compared, Comparison};
use relaybench::target::{BASE_URL, Live, Target};

use super::interrupt;
use super::known::Known;
use super::output::{COMPARISON, COMPARISON_CSV, COMPARISON_MARKDOWN, Output, refuse_a_run};
use super::run::{
    Format, RunArgs, announce, default_directory, exit_code, override_scenario, play, print_text, refused, some_for_each,
};

/// All providers that are known.
const ALL: &str = "all";

/// A run at one provider.
struct Planned {
    provider: Provider,
    stand_ins: Vec<StandIn>,
    run: Run,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    let planned = plan(args)?;
    for Planned { provider, run, .. } in &planned {
        run.check().map_err(|error| refused(error, args).context(provider.name.clone()))?;
    }
    let directory = args.out.clone().unwrap_or_else(|| default_directory(&planned[0].run.scenario));
    refuse_a_run(&directory)?;
    let outputs = planned.iter().map(|planned| Output::create(directory.join(&planned.provider.name), &args.export));
    let outputs = outputs.collect::<anyhow::Result<Vec<_>>>()?;
    let stop = Stop::default();
    interrupt::ends(&stop)?;
    planned.iter().zip(&outputs).for_each(|(planned, output)| announce(&planned.run, output.directory(), args));

    let (mut compared, mut missing, mut code) = (Vec::new(), Vec::new(), super::DONE);
    for (Planned { provider, stand_ins, run }, output) in planned.into_iter().zip(outputs) {
        if stop.is_requested() {
            missing.push(provider.name.clone());
            continue;
        }
        let models = run.scenario.request.models.names().map(str::to_owned).collect();
        let (report, played) = play(run, output, &stop, args.quiet)?;
        if let Some(report) = report {
            let of_provider = Compared::new(&provider, &stand_ins, models, report);
            code = code.max(exit_code(&of_provider.verdict, of_provider.report.slo.as_ref()));
            compared.push(of_provider);
        }
        if let Err(error) = played {
            write(&directory, compared, &missing, args.format)?;
            return Err(anyhow::Error::from(error).context(provider.name));
        }
    }
    if !missing.is_empty() {
        code = super::INVALID;
    }
    write(&directory, compared, &missing, args.format)?;
    Ok(code)
}

/// Keeps and prints what there is.
fn write(directory: &Path, compared: Vec<Compared>, missing: &[String], format: Format) -> anyhow::Result<()> {
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    let Some(comparison) = Comparison::new(compared, &missing) else { return Ok(()) };
    let forms = [
        (COMPARISON, comparison.to_json()),
        (COMPARISON_MARKDOWN, comparison.to_markdown()),
        (COMPARISON_CSV, comparison.to_csv()),
    ];
    for (file, text) in &forms {
        let path = directory.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let [json, markdown, csv] = forms.map(|(_, text)| text);
    let text = match format {
        Format::Table => comparison.to_table(),
        Format::Json => json,
        Format::Csv => csv,
        Format::Markdown => markdown,
    };
    Ok(print_text(&text)?)
}

/// Flags, environment and files become a valid run for each provider.
fn plan(args: &RunArgs) -> anyhow::Result<Vec<Planned>> {
    let known = args.known.load()?;
    let providers = named(&args.provider, &known)?;
    let (scenario, repeats) = args.scenario()?;
    let environment = |name: &str| std::env::var(name).ok();
    let endpoint = Live::from_environment(None, environment)?;
    if let Some(live) = &endpoint {
        only_one(args, live, providers.len())?;
    }
    let (mut planned, count) = (Vec::new(), providers.len());
    let all_models = known.all_models();
    for provider in providers {
        let live = match &endpoint {
            Some(live) => Some(live.clone()),
            None if args.live => Some(Live::at(provider, environment)?),
            None => None,
        };
        let mut scenario = scenario.clone();
        override_scenario(&mut scenario, args, live.as_ref())?;
        scenario.repeat(repeats);
        some_for_each(live.as_ref(), &scenario, count)?;
        let live = live.map(|live| live.shared_by(count));
        planned.push(at(provider, scenario, live, &known, &all_models, args)?);
    }
    Ok(planned)
}

/// An endpoint that the environment names is one, and live.
fn only_one(args: &RunArgs, live: &Live, providers: usize) -> anyhow::Result<()> {
    let url = &live.base_url;
    if args.r#virtual {
        bail!("{BASE_URL} is set, but --virtual is for the embedded mock: unset it or drop the flag ({url})");
    }
    if args.live {
        bail!("{BASE_URL} is set, and --live is for the providers' own endpoints: unset it or drop the flag ({url})");
    }
    if providers > 1 {
        bail!("{BASE_URL} is set, which is one endpoint and not {providers}: unset it, or name one provider ({url})");
    }
    Ok(())
}

fn named<'a>(names: &[String], known: &'a Known) -> anyhow::Result<Vec<&'a Provider>> {
    if names.iter().any(|name| name == ALL) {
        return Ok(known.providers.iter().collect());
    }
    let mut providers: Vec<&Provider> = Vec::new();
    for name in names {
        let provider = known.providers.named(name)?;
        if providers.iter().any(|other| other.name == provider.name) {
            bail!("--provider: {name} is named twice");
        }
        providers.push(provider);
    }
    Ok(providers)
}

/// The scenario as it is played there.
fn at(
    provider: &Provider,
    mut scenario: Scenario,
    live: Option<Live>,
    known: &Known,
    all_models: &Catalog,
    args: &RunArgs,
) -> anyhow::Result<Planned> {
    let wanted = |model: &str| {
        let is_offered = known.providers.iter().any(|provider| provider.model(model).is_some());
        if is_offered || args.any_model { Ok(()) } else { all_models.resolve(model).map(drop) }
    };
    scenario.request.models.names().try_for_each(wanted)?;
    scenario.request.models = scenario.request.models.renamed(|model| known.catalog.resolve(model).unwrap_or(model));
    let (scenario, stand_ins) = provider.play(&scenario, &known.catalog);
    let policy = Policy::named(args.policy.as_deref().unwrap_or(&scenario.policy))?;
    let (target, catalog) = match live {
        Some(live) => (Target::Live(live), provider.catalog(&known.catalog)),
        None => {
            let profile = provider.profile.clone();
            let target = if args.r#virtual { Target::Virtual(profile) } else { Target::Mock(profile) };
            let catalog = target.catalog_within(&known.catalog);
            (target, catalog)
        }
    };
    let catalog = (!args.any_model).then_some(catalog);
    let run = Run { scenario, policy, target, transport: args.transport.into(), catalog };
    Ok(Planned { provider: provider.clone(), stand_ins, run })
}
