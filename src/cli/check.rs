//! `relaybench check`: the migration checklist.

use anyhow::{Context, bail};
use clap::Args;
use relaybench::checklist::{Checklist, REQUESTS, Verdict, table};
use relaybench::client::Policy;
use relaybench::target::{BASE_URL, Live, MAX_COST_USD, MAX_REQUESTS, Target};
use relaybench_mock::Profile;

/// The tutorial's model.
const MODEL: &str = "gpt-4.1";

/// Check a relay before moving to it: base URL, key, model, an answer, a stream, and what the policy risks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The base URL of a live relay, like https://host/v1, instead of the embedded mock; its key in RELAYBENCH_API_KEY
    /// [env: RELAYBENCH_BASE_URL]
    #[arg(long, value_name = "URL", conflicts_with_all = ["profile", "virtual"])]
    target: Option<String>,
    /// The model that is to be used [default: RELAYBENCH_MODEL for a live relay, else gpt-4.1]
    #[arg(long)]
    model: Option<String>,
    /// The policy that is to be used: resilient, tutorial-bench, tutorial-pool, tutorial-retry, openai-sdk, none
    #[arg(long, value_name = "NAME", default_value = "resilient")]
    policy: String,
    /// The longest answer that is to be asked for, in tokens: timeouts are judged by how long it would take
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// What the embedded mock is like: a built-in profile or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "holysheep")]
    profile: String,
    /// Ask the mock in virtual time: the same figures on every machine
    #[arg(long)]
    r#virtual: bool,
}

const EXAMPLES: &str = "\
A live relay is sent three requests: the list of models, one short answer, one short stream; nothing is retried.
What they may cost is told before. The key is never printed.

Exit codes: 0 all is well · 1 could not run · 2 wrong command line · 3 a check failed

Examples:
  relaybench check                                 the embedded mock, to see what a good relay looks like
  relaybench check --policy tutorial-retry         what the tutorial's own retries lack
  relaybench check --max-tokens 8000 --virtual     which timeouts are too short for long answers, in virtual time
  RELAYBENCH_BASE_URL=https://host/v1 RELAYBENCH_API_KEY=… relaybench check --model gpt-4o";

pub(super) fn run(args: CheckArgs) -> anyhow::Result<u8> {
    let checklist = plan(args)?;
    announce(&checklist)?;
    let checks = checklist.check().context("the target could not be started")?;
    let has_failed = checks.iter().any(|check| check.verdict == Verdict::Failed);
    super::print(&table(&checks))?;
    Ok(if has_failed { super::FAILED } else { super::DONE })
}

/// Flags and environment become one valid checklist.
fn plan(args: CheckArgs) -> anyhow::Result<Checklist> {
    let policy = Policy::named(&args.policy)?;
    let live = Live::from_environment(args.target.as_deref(), |name| std::env::var(name).ok())?;
    let named = live.as_ref().and_then(|live| live.model.clone());
    let target = match live {
        Some(live) if args.r#virtual => {
            bail!("{BASE_URL} is set, but --virtual is for the embedded mock: unset it or drop the flag ({})", live.base_url)
        }
        Some(live) => Target::Live(live),
        None if args.r#virtual => Target::Virtual(Profile::load(&args.profile)?),
        None => Target::Mock(Profile::load(&args.profile)?),
    };
    let model = args.model.or(named).unwrap_or_else(|| MODEL.to_owned());
    Ok(Checklist { target, model, policy, longest_answer: args.max_tokens })
}

/// What is about to be sent, and what it may cost; refused when the caps allow less.
#[expect(clippy::print_stderr, reason = "stdout is for the checklist")]
fn announce(checklist: &Checklist) -> anyhow::Result<()> {
    let Target::Live(live) = &checklist.target else { return Ok(()) };
    if live.max_requests < REQUESTS {
        bail!("{MAX_REQUESTS}: a check sends {REQUESTS} requests, and {} are allowed", live.max_requests);
    }
    if live.max_cost_usd < checklist.most_usd() {
        bail!("{MAX_COST_USD}: a check may cost ${:.4}, and ${} are allowed", checklist.most_usd(), live.max_cost_usd);
    }
    if checklist.can_send() {
        eprintln!("{}", checklist.spending(live));
    }
    Ok(())
}
