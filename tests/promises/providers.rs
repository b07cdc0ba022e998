//! Providers: what is known of them, and the same scenario at each.

use std::fs;
use std::path::Path;

use relaybench::client::Catalog;
use relaybench::provider::{Provider, Providers};
use relaybench::target::Target;
use serde_json::Value;

use crate::support::process::{Ended, MockProcess, ended, relaybench};
use crate::support::runs::{play, run, scenario};

const KEY: &str = "sk-live-do-not-print-me";
const ALL: &str = "holysheep,openai,cloudflare,groq";

fn named(name: &str) -> Provider {
    Providers::built_in().named(name).unwrap().clone()
}

#[test]
fn the_comparison_of_the_tutorial_is_what_the_providers_say() {
    let price = |provider: &str, model: &str| {
        let provider = named(provider);
        let quote = provider.model(model)?.quote.clone()?;
        assert_eq!(quote.price.input_usd_per_mtok, quote.price.output_usd_per_mtok);
        Some(quote.price.output_usd_per_mtok)
    };
    let row = |model: &str| ["holysheep", "openai", "cloudflare", "groq"].map(|provider| price(provider, model));
    assert_eq!(row("gpt-4.1"), [Some(8.0), Some(15.0), None, None]);
    assert_eq!(row("claude-sonnet-4-20250514"), [Some(15.0), Some(15.0), None, None]);
    assert_eq!(row("gemini-2.5-flash"), [Some(2.5), Some(1.25), Some(0.6), None]);
    assert_eq!(row("deepseek-v3.2"), [Some(0.42), None, None, None]);
    let published = [
        ("holysheep", 847.0, 1200.0, ["none", "local card, PayPal", "15+", "at sign-up", "cost, several models"]),
        ("openai", 1203.0, 850.0, ["RPM", "foreign card", "OpenAI only", "$5", "one model"]),
        ("cloudflare", 620.0, 2100.0, ["100 req/min", "foreign card", "few", "none", "edge"]),
        ("groq", 380.0, 3500.0, ["TPM", "foreign card", "few", "none", "lowest latency"]),
    ];
    for (name, mean_ms, throughput_rps, words) in published {
        let published = named(name).published.unwrap();
        assert_eq!((published.mean_ms, published.throughput_rps), (Some(mean_ms), Some(throughput_rps)), "{name}");
        let said = [published.limit, published.payment, published.models, published.credit, published.fit];
        assert_eq!(said.map(Option::unwrap), words, "{name}");
    }
}

#[test]
fn every_mock_answers_as_fast_as_its_provider_publishes() {
    for name in ["openai", "cloudflare", "groq"] {
        let provider = named(name);
        // Below every limit: one a second, for a thousand seconds.
        let (scenario, _) = provider
            .play(&scenario("[[stage]]\nload = { kind = \"constant\", rate = \"1/s\" }\nrequests = 1000\n"), &Catalog::default());
        let played = play(run(scenario, "none", Target::Virtual(provider.profile.clone())));
        let stage = &played.report.stages[0];
        assert_eq!(stage.requests.succeeded, 1000, "{name}: {:?}", stage.errors);
        // The standard deviation is a quarter of the mean, so that five standard errors are 4 %.
        let (mean, published) = (stage.latency_ms.mean.unwrap(), provider.published.unwrap().mean_ms.unwrap());
        assert!((mean / published - 1.0).abs() < 0.04, "{name}: {mean} for {published}");
        let p95 = stage.latency_ms.p95.unwrap();
        assert!((p95 / published / 1.457 - 1.0).abs() < 0.08, "{name}: {p95}");
    }
}

#[test]
fn the_limits_of_the_mocks_are_those_that_the_providers_tell() {
    let told = |name: &str| named(name).limits.map(|limits| limits.figures.to_string());
    assert_eq!(told("holysheep"), None);
    assert_eq!(told("openai").as_deref(), Some("500 requests a minute"));
    assert_eq!(told("cloudflare").as_deref(), Some("100 requests a minute"));
    assert_eq!(told("groq").as_deref(), Some("12,000 tokens a minute"));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn whatever_a_provider_costs_or_limits_has_a_source_and_a_date() {
    let providers = json(&ended(&mut relaybench(&["providers", "--format", "json"])).stdout);
    for provider in providers["providers"].as_array().unwrap() {
        let offers = provider["models"].as_array().unwrap().iter().map(|model| &model["price"]);
        let limits = Some(&provider["limits"]).filter(|limits| !limits.is_null());
        for figure in offers.chain([&provider["published"]]).chain(limits) {
            assert!(figure["source"].is_string() && figure["date"].is_string(), "{figure} of {}", provider["name"]);
        }
    }
}

#[test]
fn the_comparison_fits_a_terminal_and_one_provider_is_shown_whole() {
    let table = ended(&mut relaybench(&["providers"])).stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    for said in ["HolySheep", "OpenAI official", "1,203", "3,500", "100 req/min", "local card", "lowest latency", "(15.00"] {
        assert!(table.contains(said), "{said} is not in {table}");
    }
    let groq = ended(&mut relaybench(&["providers", "groq"])).stdout;
    for said in ["https://api.groq.com/openai/v1", "GROQ_API_KEY", "12,000 tokens a minute (Groq's documentation", "input 0.59"] {
        assert!(groq.contains(said), "{said} is not in {groq}");
    }
    let unknown = ended(&mut relaybench(&["providers", "grok"]));
    assert!(unknown.code == Some(1) && unknown.stderr.contains("did you mean \"groq\"?"), "{}", unknown.stderr);
}

/// A run at providers, into a directory of its own.
fn at(providers: &str, arguments: &[&str], directory: &Path) -> Ended {
    let mut run = relaybench(&["run", "--provider", providers, "--out", directory.join("out").to_str().unwrap()]);
    ended(run.args(arguments))
}

#[test]
fn one_command_plays_the_scenario_at_all_four_and_shows_published_beside_measured() {
    let directory = tempfile::tempdir().unwrap();
    let run = at(ALL, &["--virtual"], directory.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let table = &run.stdout;
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let lines = |start: &str| table.lines().filter(|line| line.trim_start().starts_with(start)).collect::<Vec<_>>().join("\n");
    assert!(
        lines("HolySheep").contains("published") && lines("HolySheep").contains("847") && lines("HolySheep").contains("1,200")
    );
    assert!(lines("Cloudflare").contains("limit 100 req/min") && lines("Groq").contains("limit TPM"));
    assert_eq!(table.matches("closed-50 ").count(), 4);

    let comparison = json(&fs::read_to_string(directory.path().join("out/comparison.json")).unwrap());
    let provider = |name: &str| {
        let all = comparison["providers"].as_array().unwrap();
        all.iter().find(|provider| provider["name"] == name).unwrap()
    };
    let errors = |name: &str| {
        let stages = provider(name)["stages"].as_array().unwrap().iter();
        stages.map(|stage| stage["errors"]["rate-limited"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(errors("holysheep"), 0);
    // At most 100 in any minute, and all of it takes a few seconds.
    assert_eq!(errors("cloudflare"), 3900);
    assert!(errors("groq") > 3800, "{}", errors("groq"));
    for (name, limit) in [("cloudflare", "100 requests a minute"), ("groq", "12,000 tokens a minute")] {
        let notes = provider(name)["notes"].to_string();
        assert!(notes.contains(&format!("limit reached: {limit}")), "{notes}");
        assert!(table.contains(&format!("{name}: limit reached: {limit}")), "{table}");
    }
    assert!(provider("groq")["notes"].to_string().contains("gpt-4.1 is not served there; llama-3.3-70b-versatile was asked"));
    assert!(provider("holysheep")["notes"].to_string().contains("1,016 in flight (Little's law), and at most 500 were"));
    assert!(provider("cloudflare")["notes"].to_string().contains("2,100 req/s cannot pass that limit: it allows 1.67 req/s"));
    for file in ["comparison.md", "comparison.csv", "groq/report.json", "cloudflare/report.html", "openai/samples.jsonl"] {
        assert!(fs::exists(directory.path().join("out").join(file)).unwrap(), "{file}");
    }
    let again = at(ALL, &["--virtual"], directory.path());
    assert!(again.code == Some(1) && again.stderr.contains("holds a run already"), "{}", again.stderr);
}

#[test]
fn the_comparison_is_the_same_to_the_byte_and_each_report_is_that_of_its_samples() {
    let compared = || {
        let directory = tempfile::tempdir().unwrap();
        let run = at(ALL, &["--virtual", "--requests", "150", "--format", "json"], directory.path());
        assert_eq!(run.stdout, fs::read_to_string(directory.path().join("out/comparison.json")).unwrap());
        let openai = directory.path().join("out/openai");
        let rebuilt = ended(&mut relaybench(&["report", openai.to_str().unwrap(), "--format", "json"])).stdout;
        assert_eq!(rebuilt, fs::read_to_string(openai.join("report.json")).unwrap());
        run.stdout
    };
    assert!(compared() == compared());
}

#[test]
fn each_is_asked_for_the_model_that_it_serves_at_its_own_price() {
    let directory = tempfile::tempdir().unwrap();
    let run =
        at("holysheep,openai", &["--virtual", "--concurrency", "2", "--requests", "20", "--format", "json"], directory.path());
    let comparison = json(&run.stdout);
    for (provider, usd_per_mtok) in comparison["providers"].as_array().unwrap().iter().zip([8.0, 15.0]) {
        assert_eq!(provider["models"], serde_json::json!(["gpt-4.1"]));
        let name = provider["name"].as_str().unwrap();
        let report = json(&fs::read_to_string(directory.path().join("out").join(name).join("report.json")).unwrap());
        let usage = &report["stages"][0]["usage"];
        let tokens = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
        let cost = provider["stages"][0]["cost_usd"].as_f64().unwrap();
        assert!((cost / (tokens as f64 * usd_per_mtok / 1e6) - 1.0).abs() < 1e-12, "{name}: {cost} for {tokens}");
    }
}

#[test]
fn the_limit_that_is_told_is_that_of_the_model_asked() {
    let directory = tempfile::tempdir().unwrap();
    let asked = ["--virtual", "--model", "llama-3.1-8b-instant", "--concurrency", "50", "--requests", "100"];
    let run = at("groq", &asked, directory.path());
    assert!(run.stdout.contains("groq: limit reached: 6,000 tokens a minute"), "{}", run.stdout);
}

#[test]
fn a_model_that_nobody_knows_is_refused_with_the_nearest_and_a_provider_too() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |providers: &str, arguments: &[&str], says: &str| {
        let run = at(providers, arguments, directory.path());
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(!fs::exists(directory.path().join("out")).unwrap(), "nothing is half done");
    };
    refused(ALL, &["--virtual", "--model", "gpt-4.l"], "did you mean \"gpt-4.1\"?");
    refused("holysheep,grok", &["--virtual"], "there is no provider \"grok\", did you mean \"groq\"?");
    refused("groq,groq", &["--virtual"], "groq is named twice");
    let both = at("groq", &["--virtual", "--profile", "groq"], directory.path());
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}

#[test]
fn a_file_of_one_s_own_wins_and_may_add_a_provider_with_its_profile() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(
        path("slow.toml"),
        "name = \"slow\"\nmodels = [\"x/gpt-4.1\"]\nlatency.total = { dist = \"fixed\", value = \"2s\" }\n",
    )
    .unwrap();
    let price = "{ input_usd_per_mtok = 1000, output_usd_per_mtok = 1000, source = \"us\", date = \"2025\" }";
    let mine = "base_url = \"https://mine/v1\"\nkey_variable = \"MY_KEY\"\ndialect = \"openai\"\nprofile = \"./slow.toml\"\ndefault_model = \"gpt-4.1\"";
    let model = "[[provider.model]]\nname = \"gpt-4.1\"";
    let text = format!(
        "[[provider]]\nname = \"openai\"\n{model}\nprice = {price}\n[[provider]]\nname = \"mine\"\n{mine}\n{model}\nown_name = \"x/gpt-4.1\"\n"
    );
    fs::write(path("providers.toml"), text).unwrap();
    let arguments =
        ["--virtual", "--concurrency", "1", "--requests", "30", "--format", "json", "--providers", &path("providers.toml")];
    let run = at("openai,mine", &arguments, directory.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let comparison = json(&run.stdout);
    let [openai, mine] = [0, 1].map(|place| &comparison["providers"][place]);
    assert!(openai["stages"][0]["cost_usd"].as_f64().unwrap() > 30.0 * 0.02, "{openai}");
    assert_eq!((&mine["models"][0], &mine["stages"][0]["mean_ms"]), (&Value::from("x/gpt-4.1"), &Value::from(2000.0)));

    let shown = ended(relaybench(&["providers", "openai"]).env("RELAYBENCH_PROVIDERS_FILE", path("providers.toml"))).stdout;
    assert!(shown.contains("gpt-4.1: input 1000.00, output 1000.00 (us, 2025)"), "{shown}");
    fs::write(
        path("providers.toml"),
        format!("[[provider]]\nname = \"openai\"\n{model}\nprice = {}\n", price.replace("= 1000,", "= -1,")),
    )
    .unwrap();
    let refused = ended(&mut relaybench(&["providers", "--providers", &path("providers.toml")]));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("providers.toml:5: provider.model.price.input_usd_per_mtok: -1 is no price"),
        "{}",
        refused.stderr
    );
}

#[test]
fn nothing_is_sent_to_a_provider_merely_because_its_key_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = relaybench(&["run", "--provider", "openai", "--concurrency", "1", "--requests", "2", "--format", "json"]);
    run.args(["--out", directory.path().join("out").to_str().unwrap()]).env("OPENAI_API_KEY", KEY);
    let run = ended(&mut run);
    let comparison = json(&run.stdout);
    assert_eq!(
        (&comparison["providers"][0]["target"], &comparison["run"]["virtual"]),
        (&Value::from("mock"), &Value::from(false))
    );
    assert_eq!(comparison["providers"][0]["stages"][0]["requests"]["succeeded"], 2);
}

#[test]
fn a_live_run_needs_what_the_provider_says_and_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |providers: &str, variables: &[(&str, &str)], more: &[&str], says: &str| {
        let mut run = relaybench(&["run", "--provider", providers, "--out", directory.path().join("out").to_str().unwrap()]);
        let run = ended(run.args(more).envs(variables.iter().copied()));
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        assert!(run.stderr.contains(says) && !run.stderr.contains(KEY), "{}", run.stderr);
    };
    refused("openai", &[], &["--live"], "openai: OPENAI_API_KEY is not set, which its live endpoint needs");
    refused("cloudflare", &[("CLOUDFLARE_API_TOKEN", KEY)], &["--live"], "CLOUDFLARE_ACCOUNT_ID is not set");
    let endpoint = [("RELAYBENCH_BASE_URL", "http://127.0.0.1:9/v1"), ("RELAYBENCH_API_KEY", KEY)];
    refused("openai,groq", &endpoint, &[], "which is one endpoint and not 2");
    refused("openai", &endpoint, &["--live"], "drop the flag");
    refused("openai", &endpoint, &["--virtual"], "drop the flag");
}

#[test]
fn a_live_run_asks_each_provider_s_endpoint_with_its_own_key_within_shared_caps() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let relay = |key: &str| {
        let profile = path(&format!("{key}.toml"));
        fs::write(&profile, format!("[auth]\nkeys = [\"{key}\"]\n")).unwrap();
        MockProcess::start(&["--profile", &profile])
    };
    let [first, second] = ["sk-first", "sk-second"].map(relay);
    let urls = format!(
        "[[provider]]\nname = \"holysheep\"\nbase_url = \"http://${{FIRST_HOST}}/v1\"\n[[provider]]\nname = \"openai\"\nbase_url = \"{}\"\n",
        second.base_url()
    );
    fs::write(path("providers.toml"), urls).unwrap();
    let mut run = relaybench(&["run", "--provider", "holysheep,openai", "--live", "--providers", &path("providers.toml")]);
    run.args(["--out", &path("out"), "--concurrency", "2", "--requests", "30", "--format", "json"]);
    run.env("HOLYSHEEP_API_KEY", "sk-first").env("OPENAI_API_KEY", "sk-second").env("FIRST_HOST", &first.addr);
    let run = ended(run.env("RELAYBENCH_MAX_REQUESTS", "20"));
    let comparison = json(&run.stdout);
    for provider in comparison["providers"].as_array().unwrap() {
        let requests = &provider["stages"][0]["requests"];
        assert_eq!((&requests["succeeded"], &requests["unsent"]), (&Value::from(10), &Value::from(20)), "{provider}");
        assert_eq!(provider["profile"], Value::Null);
    }
    assert_eq!(run.stderr.matches("live: at most 10 requests").count(), 2, "{}", run.stderr);
    let mut written = run.stdout + &run.stderr;
    for file in ["comparison.json", "holysheep/samples.jsonl", "holysheep/report.json", "openai/run.json", "openai/samples.jsonl"]
    {
        written += &fs::read_to_string(directory.path().join("out").join(file)).unwrap();
    }
    assert!(!written.contains("sk-first") && !written.contains("sk-second"));
}

#[test]
fn the_endpoint_of_the_environment_stands_for_one_provider() {
    let directory = tempfile::tempdir().unwrap();
    let relay = MockProcess::start(&["--profile", "groq"]);
    let mut run = relaybench(&["run", "--provider", "groq", "--concurrency", "1", "--requests", "3", "--format", "json"]);
    run.args(["--out", directory.path().join("out").to_str().unwrap()]);
    let run = ended(run.env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", KEY));
    let groq = &json(&run.stdout)["providers"][0];
    assert_eq!((&groq["target"], &groq["models"][0]), (&Value::from(relay.base_url()), &Value::from("llama-3.3-70b-versatile")));
    assert_eq!(groq["stages"][0]["requests"]["succeeded"], 3, "{groq}");
}

#[test]
fn the_files_that_the_documentation_shows_are_read_and_refused_as_it_says() {
    let documentation = include_str!("../../docs/providers.md");
    let block = |language: &str, place: usize| {
        let blocks = documentation.split(&format!("```{language}\n")).nth(place).unwrap();
        blocks.split("```").next().unwrap()
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("mine.toml"), "models = [\"openai/gpt-4.1\"]\n").unwrap();
    let read = |text: &str| {
        fs::write(path("providers.toml"), text).unwrap();
        let mut providers = Providers::built_in();
        providers.extend_from_file(&path("providers.toml"), &Catalog::default()).map(|_| providers)
    };
    let shown = block("toml", 1);
    let providers = read(shown).unwrap();
    assert_eq!(providers.named("mine").unwrap().asked_for("gpt-4.1").offer.own_name, "openai/gpt-4.1");
    assert_eq!(
        providers.named("openai").unwrap().model("gpt-4.1").unwrap().quote.as_ref().unwrap().price.input_usd_per_mtok,
        2.0
    );
    let arguments = ["--virtual", "--concurrency", "1", "--requests", "30", "--providers", &path("providers.toml")];
    let run = at("mine", &arguments, directory.path());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let catalog = Catalog::from_toml(block("toml", 2), "models.toml").unwrap();
    assert_eq!(catalog.resolve("mine").unwrap(), "my-model");
    let refusals = documentation.lines().filter_map(|line| line.strip_prefix("error: mine.toml"));
    let wrong = [("output_usd_per_mtok = 8.00", "output_usd_per_mtok = -8"), ("dialect = \"openai\"", "dialect = \"opnai\"")];
    assert_eq!(refusals.clone().count(), wrong.len());
    for (refusal, (right, wrong)) in refusals.zip(wrong) {
        let error = read(&shown.replacen(right, wrong, 1)).unwrap_err().to_string();
        assert_eq!(error.strip_prefix(&path("providers.toml")), Some(refusal));
    }
}

#[test]
fn a_cap_that_is_not_one_request_for_each_stage_at_each_provider_is_told_whole() {
    let mut run = relaybench(&["run", "--provider", "holysheep,openai", "--live"]);
    let run = ended(run.env("HOLYSHEEP_API_KEY", "k").env("OPENAI_API_KEY", "k").env("RELAYBENCH_MAX_REQUESTS", "3"));
    let says =
        "RELAYBENCH_MAX_REQUESTS: 3 requests are not even one for each of 4 stages at each of 2 providers; write 8 or more";
    assert!(run.code == Some(1) && run.stderr.contains(says), "{}", run.stderr);
}

#[test]
fn hints_say_what_the_file_did_and_name_each_model_once() {
    let read = |text: &str| {
        let mut providers = Providers::built_in();
        providers.extend_from_toml(&format!("[[provider]]\nname = \"openai\"\n{text}"), "p.toml", &Catalog::default())
    };
    let (slip, named) =
        ("[[provider.model]]\nname = \"gpt-4.l\"\n", "[[provider.model]]\nname = \"gpt-4.1\"\nown_name = \"gpt-4.1-ours\"\n");
    assert!(read(slip).unwrap()[0].ends_with("did you mean \"gpt-4.1\", which is unchanged?"));
    assert!(read(&[slip, named].concat()).unwrap()[0].ends_with("did you mean \"gpt-4.1\", which is changed as well?"));
    let refusal = read("default_model = \"zzz\"\n").unwrap_err().to_string();
    assert_eq!(refusal.matches("gpt-4o-mini").count(), 1, "{refusal}");
}
