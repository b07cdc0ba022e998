//! `relaybench run`: offer a scenario's load to a target and report what came of it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use relaybench::client::{ErrorKind, Policy, TransportKind};
use relaybench::load::{Extent, InFlight, Load, Models, Objective, Record, Run, RunError, Scenario, Sink, Stage, Stop};
use relaybench::report::{Collector, Report, SloVerdict, Verdict, csv, markdown, table};
use relaybench::target::{BASE_URL, Live, MAX_REQUESTS, Target, spending};
use relaybench_clock::wall_now;
use relaybench_mock::Profile;
use relaybench_mock::config::Time;

use super::interrupt;
use super::known::KnownArgs;
use super::open_loop::OpenLoopArgs;
use super::output::{Export, Output};
use super::progress::Progress;
use super::provenance::Provenance;
use super::wrong_command_line;

/// Offer a scenario's load to the embedded mock, or to a live relay, and report latency, throughput and errors at each level
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// A built-in scenario (tutorial, tutorial-waves, open-loop, shapes) or a TOML file
    #[arg(value_name = "SCENARIO", default_value = "tutorial")]
    scenario_name: String,
    /// The base URL of a live relay, like https://host/v1, instead of the embedded mock; its key in RELAYBENCH_API_KEY
    /// [env: RELAYBENCH_BASE_URL]
    #[arg(long, value_name = "URL", conflicts_with_all = ["profile", "virtual"])]
    target: Option<String>,
    /// What the embedded mock is like: a built-in profile or a TOML file [default: the scenario's]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The same scenario at each of these providers, against its mock: holysheep, openai, cloudflare, groq, those of --providers, or
    /// all; a run each, below --out, and a comparison
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with_all = ["target", "profile"])]
    pub(super) provider: Vec<String>,
    /// Ask the providers' own live endpoints, with the key that the environment has for each, like OPENAI_API_KEY; the caps are shared
    #[arg(long, requires = "provider", conflicts_with = "virtual")]
    pub(super) live: bool,
    #[command(flatten)]
    pub(super) known: KnownArgs,
    /// How the client behaves: resilient, tutorial-bench, tutorial-pool, tutorial-retry, openai-sdk, none
    /// [default: the scenario's]
    #[arg(long, value_name = "NAME")]
    pub(super) policy: Option<String>,
    /// Run in virtual time: exact to the nanosecond, the same on every machine, and as fast as it computes
    #[arg(long)]
    pub(super) r#virtual: bool,
    /// Which HTTP client sends: network (reqwest) or hyper (hyper-util, an exact cap on connections); virtual time uses hyper
    #[arg(long, value_enum, default_value_t = TransportArg::Network)]
    pub(super) transport: TransportArg,
    /// Ask for streamed answers, and report the time to the first token and the gaps between tokens
    #[arg(long)]
    stream: bool,
    /// Requests in flight, one stage for each number, instead of the scenario's stages
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = at_least_one::<NonZeroUsize>)]
    concurrency: Vec<NonZeroUsize>,
    #[command(flatten)]
    open_loop: OpenLoopArgs,
    /// Requests in each stage
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = at_least_one::<NonZeroU64>)]
    requests: Option<NonZeroU64>,
    /// How long each stage sends, like 30s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Time>,
    /// How often the stages are played, one after another and then again, for intervals over the repeats [default: the scenario's, else 1]
    #[arg(long, value_name = "N", value_parser = repeats)]
    repeat: Option<NonZeroU32>,
    /// Objectives that each stage must meet, like p99<2s,ttft_p95<800ms,success>99.5% [default: the scenario's, else none]
    #[arg(long, value_name = "LIST", value_parser = objectives)]
    slo: Option<Arc<[Objective]>>,
    /// The model to ask [default: RELAYBENCH_MODEL for a live relay, else the scenario's]
    #[arg(long)]
    model: Option<String>,
    /// Ask for a model that is not in the catalog
    #[arg(long)]
    pub(super) any_model: bool,
    /// Keys the request ids, and by them all that the mock draws [default: the scenario's]
    #[arg(long)]
    seed: Option<u64>,
    /// Where report.html, .json, .csv and .md, run.json and samples.jsonl go [default: relaybench-out/SCENARIO-TIME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Files for other tools there: hlog (HdrHistogram: latency.hlog), aiperf (NVIDIA AIPerf: aiperf/STAGE/profile_export*)
    #[arg(long, value_enum, value_name = "FORMAT,…", value_delimiter = ',')]
    pub(super) export: Vec<Export>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
    /// No progress, no note where the files are; what a live run may spend is still told
    #[arg(long, short)]
    pub(super) quiet: bool,
}

const EXAMPLES: &str = "\
Exit codes: 0 done · 1 could not run · 2 wrong command line · 3 an objective was missed · 4 the run is invalid

Examples:
  relaybench run                                       the tutorial's levels: 50, 100, 200, 500 in flight
  relaybench run --virtual --requests 20000            enough for every percentile, in seconds
  relaybench run tutorial-waves --virtual              the way the tutorial measured
  relaybench run --profile flaky --policy resilient    what retries cost and save
  relaybench run --rate 50,100 --arrivals poisson --duration 60s
                                                       callers who do not wait for each other
  relaybench run --trace requests.csv --virtual        what a recorded day would have been like
  relaybench run --repeat 5 --slo 'p99<2s,success>99.5%'
                                                       a gate, with intervals over five repeats
  relaybench run my-scenario.toml --out results --format json
  relaybench run --virtual --format markdown >> $GITHUB_STEP_SUMMARY
  relaybench run --virtual --out results --export hlog,aiperf     and open results/report.html
  relaybench run --provider holysheep,openai,cloudflare,groq --virtual
                                                       the same load at four providers, beside what they publish

A live relay (at most RELAYBENCH_MAX_REQUESTS=200 requests and RELAYBENCH_MAX_COST_USD=1):
  RELAYBENCH_BASE_URL=https://host/v1 RELAYBENCH_API_KEY=… relaybench run
  OPENAI_API_KEY=… GROQ_API_KEY=… relaybench run --provider openai,groq --live --concurrency 1";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
    Markdown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TransportArg {
    Network,
    Hyper,
}

impl From<TransportArg> for TransportKind {
    fn from(arg: TransportArg) -> Self {
        match arg {
            TransportArg::Network => Self::Network,
            TransportArg::Hyper => Self::Hyper,
        }
    }
}

pub(super) fn at_least_one<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number of at least 1".to_owned())
}

fn repeats(text: &str) -> Result<NonZeroU32, String> {
    let most = Scenario::MOST_REPEATS;
    text.parse().ok().filter(|times: &NonZeroU32| times.get() <= most).ok_or_else(|| format!("write a number from 1 to {most}"))
}

pub(super) fn objectives(text: &str) -> Result<Arc<[Objective]>, String> {
    Objective::list(text).map(Into::into).map_err(|error| error.to_string())
}

pub(super) fn duration(text: &str) -> Result<Time, String> {
    match Time::parse(text)? {
        time if time.0.is_zero() => Err("a stage of no time sends nothing".to_owned()),
        time => Ok(time),
    }
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<u8> {
    if !args.provider.is_empty() {
        return super::run_providers::run(args);
    }
    let run = plan(args)?;
    run.check().map_err(|error| refused(error, args))?;
    let output = Output::create(args.out.clone().unwrap_or_else(|| default_directory(&run.scenario)), &args.export)?;
    let stop = Stop::default();
    interrupt::ends(&stop)?;
    announce(&run, output.directory(), args);
    let (report, played) = play(run, output, &stop, args.quiet)?;
    let code = match report {
        Some(report) => {
            print(&report, args.format).context("cannot print the report")?;
            exit_code(&report.verdict, report.slo.as_ref())
        }
        None => super::INVALID,
    };
    played?;
    Ok(code)
}

/// Plays a run into its directory. One that broke off still has what it measured until then.
pub(super) fn play(
    run: Run,
    output: Output,
    stop: &Stop,
    is_quiet: bool,
) -> anyhow::Result<(Option<Report>, Result<(), RunError>)> {
    let (provenance, in_flight) = (Provenance::begin(), InFlight::default());
    let progress = Progress::new(&run.scenario, &in_flight, is_quiet);
    let (recorder, played) = run.play(stop, &in_flight, Recorder { progress, output, collector: Collector::default() });
    let Recorder { output, collector, .. } = recorder;
    let report = collector.report();
    if let Some(report) = &report {
        output.finish(report, &provenance.end())?;
    }
    Ok((report, played))
}

/// Of an invalid run nobody can tell whether it met its objectives.
pub(super) fn exit_code(verdict: &Verdict, slo: Option<&SloVerdict>) -> u8 {
    match slo {
        _ if !verdict.valid => super::INVALID,
        Some(slo) if !slo.met => super::FAILED,
        _ => super::DONE,
    }
}

/// What becomes of the records: kept, counted, shown.
struct Recorder {
    output: Output,
    collector: Collector,
    progress: Progress,
}

impl Sink for Recorder {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.output.write(record)?;
        self.collector.record(record)?;
        self.progress.show(record);
        Ok(())
    }
}

impl RunArgs {
    /// The scenario as it is written, each stage once, and how often they are played.
    pub(super) fn scenario(&self) -> anyhow::Result<(Scenario, NonZeroU32)> {
        let distinct: BTreeSet<_> = self.concurrency.iter().collect();
        if distinct.len() < self.concurrency.len() {
            return Err(wrong_command_line("--concurrency: each level can be measured once in a run; two are the same"));
        }
        let mut scenario = Scenario::load(&self.scenario_name)?;
        // What flags say of stages they say of each once.
        let written = scenario.once();
        self.open_loop.override_stages(&mut scenario)?;
        Ok((scenario, self.repeat.unwrap_or(written)))
    }
}

/// Flags, environment and files become one valid run.
fn plan(args: &RunArgs) -> anyhow::Result<Run> {
    let known = args.known.load()?;
    let (mut scenario, repeats) = args.scenario()?;
    let live = Live::from_environment(args.target.as_deref(), |name| std::env::var(name).ok())?;
    if let (Some(live), true) = (&live, args.r#virtual || args.profile.is_some()) {
        bail!(
            "{} is set, but --virtual and --profile are for the embedded mock: unset it or drop them ({})",
            BASE_URL,
            live.base_url
        );
    }
    override_scenario(&mut scenario, args, live.as_ref())?;
    scenario.repeat(repeats);
    some_for_each(live.as_ref(), &scenario, 1)?;
    let policy = Policy::named(args.policy.as_deref().unwrap_or(&scenario.policy))?;
    let target = match live {
        Some(live) => Target::Live(live),
        None => {
            let profile = Profile::load(args.profile.as_deref().unwrap_or(&scenario.profile))?;
            if args.r#virtual { Target::Virtual(profile) } else { Target::Mock(profile) }
        }
    };
    let catalog = target.catalog_within(&known.catalog);
    scenario.request.models = scenario.request.models.renamed(|model| catalog.resolve(model).unwrap_or(model));
    scenario.request.prices = known.prices();
    Ok(Run { scenario, policy, target, transport: args.transport.into(), catalog: (!args.any_model).then_some(catalog) })
}

/// Refuses a cap under which a stage of a live run would send nothing, when so many endpoints have equal shares of it.
pub(super) fn some_for_each(live: Option<&Live>, scenario: &Scenario, endpoints: usize) -> anyhow::Result<()> {
    let (Some(live), stages) = (live, scenario.stages.len()) else { return Ok(()) };
    if live.max_requests / endpoints.max(1) as u64 / stages.max(1) as u64 > 0 {
        return Ok(());
    }
    let (requests, least) = (live.max_requests, stages * endpoints);
    let each = if endpoints > 1 { format!(" at each of {endpoints} providers") } else { String::new() };
    bail!(
        "{MAX_REQUESTS}: {requests} requests are not even one for each of {stages} stages{each}; write {least} or more, or play less"
    )
}

pub(super) fn override_scenario(scenario: &mut Scenario, args: &RunArgs, live: Option<&Live>) -> anyhow::Result<()> {
    if let Some(model) = args.model.clone().or_else(|| live.and_then(|live| live.model.clone())) {
        scenario.request.models = Models::only(&model);
    }
    scenario.request.stream |= args.stream;
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    if let (Some(first), false) = (scenario.stages.first().cloned(), args.concurrency.is_empty()) {
        scenario.stages = args.concurrency.iter().map(|concurrency| at(&scenario.stages, &first, *concurrency)).collect();
    }
    for stage in &mut scenario.stages {
        if let Some(requests) = args.requests {
            if matches!(stage.load, Load::Ramp { .. } | Load::Sessions(_)) {
                let name = &stage.name;
                return Err(wrong_command_line(format!(
                    "--requests: stage \"{name}\" does not count requests; write --duration"
                )));
            }
            stage.extent = Extent::Requests(requests.get());
        }
        if let Some(duration) = args.duration {
            stage.extent = Extent::Duration(duration.into());
        }
        if let Some(objectives) = &args.slo {
            stage.slo = objectives.to_vec();
        }
    }
    Ok(())
}

/// The scenario's stage at that level, with what was published for it, or else its first stage at another level.
fn at(stages: &[Stage], first: &Stage, concurrency: NonZeroUsize) -> Stage {
    let load = first.load.at(concurrency);
    let known = stages.iter().find(|stage| stage.load == load);
    known.cloned().unwrap_or_else(|| Stage { name: load.stage_name(), load, published: None, ..first.clone() })
}

/// The refusal, with the flag that lifts it.
pub(super) fn refused(error: RunError, args: &RunArgs) -> anyhow::Error {
    match error {
        RunError::Client(error) if error.kind() == ErrorKind::UnknownModel && !args.any_model => {
            anyhow::anyhow!("{error}; --any-model asks for it all the same")
        }
        error => error.into(),
    }
}

pub(super) fn default_directory(scenario: &Scenario) -> PathBuf {
    let stamp = Timestamp::try_from(wall_now()).map(|time| time.strftime("%Y%m%dT%H%M%S%.3fZ").to_string());
    // A name is for people; as part of a path it must not lead elsewhere.
    let name: String = scenario.name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    PathBuf::from("relaybench-out").join(format!("{name}-{}", stamp.unwrap_or_else(|_| "undated".to_owned())))
}

/// What is about to happen, and what it may cost.
#[expect(clippy::print_stderr, reason = "stdout is for the report")]
pub(super) fn announce(run: &Run, directory: &Path, args: &RunArgs) {
    let Scenario { name, stages, request, .. } = &run.scenario;
    if !args.quiet {
        eprintln!(
            "{name}: {} stage{}, model {}, target {}; files in {}",
            stages.len(),
            if stages.len() == 1 { "" } else { "s" },
            request.models.names().collect::<Vec<_>>().join(", "),
            run.target.name(),
            directory.display()
        );
        stages.iter().filter_map(shorter_trace).for_each(|note| eprintln!("{note}"));
    }
    if let Target::Live(live) = &run.target {
        eprintln!("{}", spending(live, &run.scenario, &run.policy));
    }
}

/// What to know of a stage that asks for more requests than its trace has.
fn shorter_trace(stage: &Stage) -> Option<String> {
    let (Load::Trace(trace), Extent::Requests(asked)) = (&stage.load, &stage.extent) else { return None };
    (trace.requests < *asked).then(|| {
        format!("note: {}: {asked} requests are asked, and the trace has {}: these are played", stage.name, trace.requests)
    })
}

/// Prints the report. Nobody reading on is no failure: the files are written.
pub(super) fn print(report: &Report, format: Format) -> io::Result<()> {
    let text = match format {
        Format::Table => table(report),
        Format::Json => report.to_json(),
        Format::Csv => csv(report),
        Format::Markdown => markdown(report),
    };
    print_text(&text)
}

/// Prints a result. Nobody reading on is no failure.
pub(super) fn print_text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
