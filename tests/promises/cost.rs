//! Costs equal the calculation by hand, and what cannot be had is not free.

use std::fs;

use relaybench::audit::Claims;
use relaybench::client::Catalog;
use relaybench::cost::{Cost, Demand, Missing, Savings};
use relaybench::provider::Providers;
use serde_json::Value;

use crate::support::process::{Ended, ended, relaybench};

fn cost(toml: &str) -> Cost {
    let demand = Demand::parse(toml, "mix.toml").unwrap();
    Cost::of(demand, Providers::built_in().iter(), &Catalog::default())
}

fn command(arguments: &[&str]) -> Ended {
    ended(relaybench(&["cost"]).args(arguments))
}

fn json(arguments: &[&str]) -> Value {
    let ended = command(&[arguments, &["--format", "json"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn a_month_of_one_model_costs_tokens_times_price_where_it_is_served() {
    let cost = json(&["--model", "gpt-4.1", "--input", "10M", "--output", "2M"]);
    let totals: Vec<&Value> = cost["providers"].as_array().unwrap().iter().map(|provider| &provider["total_usd"]).collect();
    // 12 million at $8, 12 million at $15; the others do not serve it.
    assert_eq!(totals, [&Value::from(96.0), &Value::from(180.0), &Value::Null, &Value::Null]);
    assert_eq!(cost["providers"][3]["models"][0]["missing"], "not-served");
    let price = &cost["providers"][0]["models"][0]["price"];
    assert_eq!((&price["date"], price["source"].as_str().unwrap().is_empty()), (&Value::from("2025"), false));
}

#[test]
fn a_mix_is_the_sum_of_its_models_and_cannot_be_told_where_one_is_missing() {
    let mix = "name = \"mix\"\n[[use]]\nmodel = \"gpt-4.1\"\ninput = \"8M\"\noutput = \"1M\"\n\
               [[use]]\nmodel = \"deepseek-v3.2\"\ninput = \"40M\"\noutput = \"9M\"\n";
    let cost = cost(mix);
    let [relay, openai, ..] = cost.providers.as_slice() else { panic!("{cost:?}") };
    // 9 × 8 + 49 × 0.42.
    assert!((relay.total_usd.unwrap() - 92.58).abs() < 1e-9);
    assert_eq!(openai.models[0].usd, Some(135.0));
    assert_eq!((openai.models[1].usd, openai.models[1].missing), (None, Some(Missing::NotServed)));
    assert_eq!((openai.total_usd, openai.most_usd), (None, None));
    assert!(cost.table().contains("not served") && cost.table().contains("cannot be told"), "{}", cost.table());
}

#[test]
fn cached_input_costs_its_own_price_where_there_is_one() {
    let mix = "name = \"mix\"\ncached_share = 0.5\n[[use]]\nmodel = \"gpt-4o\"\ninput = \"8M\"\noutput = \"1M\"\n";
    let cost = cost(mix);
    // No price of the relay's own: OpenAI's list, 4 × 2.5 + 4 × 1.25 + 1 × 10.
    assert_eq!(cost.providers[0].total_usd, Some(25.0));
    assert!(cost.providers[0].models[0].is_list_price);
    assert!(cost.assumptions.iter().any(|line| line.contains("list price")), "{:?}", cost.assumptions);
    // One price for both directions tells none for cached input.
    let full = mix.replace("gpt-4o", "gpt-4.1");
    assert_eq!(self::cost(&full).providers[0].total_usd, Some(72.0));
    assert!(self::cost(&full).assumptions.iter().any(|line| line.contains("paid in full")));
}

#[test]
fn the_tutorials_three_savings_are_shown_claimed_and_calculated() {
    let providers = Providers::built_in();
    let [official, relay] = ["openai", "holysheep"].map(|name| providers.named(name).unwrap());
    let savings = Savings::of(&Claims::load("holysheep-2025").unwrap(), official, relay, &Catalog::default()).savings;
    let figures: Vec<_> = savings
        .iter()
        .map(|saving| {
            [saving.official, saving.relay, saving.saved].map(|side| {
                (
                    side.claimed.unwrap(),
                    side.calculated.map(|[low, high]| {
                        assert_eq!(low, high, "one price for both directions");
                        low
                    }),
                )
            })
        })
        .collect();
    assert_eq!(
        figures,
        [
            [(150.0, Some(150.0)), (80.0, Some(80.0)), (70.0, Some(70.0))],
            [(280.0, None), (145.0, None), (135.0, None)],
            [(1400.0, Some(750.0)), (700.0, Some(400.0)), (700.0, Some(350.0))],
        ]
    );
    let percents: Vec<_> = savings.iter().map(|saving| saving.saved_percent.claimed).collect();
    assert_eq!(percents, [Some(46.0), Some(48.0), Some(50.0)]);
    let shown = command(&[]).stdout;
    for row in ["$1,400", "$750", "$700, 50 %", "$350, 46.7 %", "is not told"] {
        assert!(shown.contains(row), "{row}: {shown}");
    }
}

#[test]
fn prices_of_ones_own_hold_in_costs_and_savings() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prices.toml");
    let price = "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0, source = \"the invoice\", date = \"2025-11\" }";
    fs::write(&file, format!("[[provider]]\nname = \"openai\"\n[[provider.model]]\nname = \"gpt-4.1\"\n{price}\n")).unwrap();
    let mine = ["--providers", file.to_str().unwrap()];
    let cost = json(&[&mine[..], &["--model", "gpt-4.1", "--input", "10M", "--output", "2M", "--provider", "openai"]].concat());
    assert_eq!(cost["providers"][0]["total_usd"], 36.0);
    // Ten million tokens: from all input to all output.
    let savings = json(&mine);
    assert_eq!(savings["savings"][0]["official"]["calculated"], serde_json::json!([20.0, 80.0]));
}

#[test]
fn what_a_run_used_is_scaled_to_a_month_and_failed_attempts_are_its_most() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let out = out.to_str().unwrap();
    let arguments = ["run", "--virtual", "--quiet", "--profile", "flaky", "--policy", "tutorial-retry", "--concurrency", "50"];
    let ran = ended(relaybench(&arguments).args(["--requests", "2000", "--out", out]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&fs::read_to_string(format!("{out}/report.json")).unwrap()).unwrap();
    let stage = &report["stages"][0];
    let figure = |value: &Value| value.as_f64().unwrap();
    let tokens = figure(&stage["usage"]["prompt_tokens"]) + figure(&stage["usage"]["completion_tokens"]);
    let (attempts, succeeded) = (figure(&stage["attempts"]), figure(&stage["requests"]["succeeded"]));
    assert!(attempts > succeeded);

    let cost = json(&["--run", out, "--requests-per-month", "1M"]);
    let relay = &cost["providers"][0];
    let usd = tokens * 500.0 / 1e6 * 8.0;
    assert!((figure(&relay["total_usd"]) / usd - 1.0).abs() < 1e-9, "{relay:#} for {usd}");
    assert!((figure(&relay["most_usd"]) / (usd * attempts / succeeded) - 1.0).abs() < 1e-9, "{relay:#}");
    let shown = command(&["--run", out, "--requests-per-month", "1M"]).stdout;
    assert!(shown.contains("1,000,000 requests a month") && shown.contains("at most"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

#[test]
fn what_cannot_be_calculated_is_refused() {
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let ended = command(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    };
    refused(&["--model", "gpt-4.l", "--input", "1M", "--output", "1M"], 1, "did you mean \"gpt-4.1\"?");
    refused(&["--model", "gpt-4.1", "--input", "much", "--output", "1M"], 2, "no number of tokens");
    refused(&["--model", "gpt-4.1", "--input", "1M"], 2, "--output");
    refused(&["--model", "gpt-4.1", "--input", "1M", "--input", "1M", "--output", "1M"], 1, "one of each for each model");
    refused(&["--requests-per-month", "1M"], 2, "--run");
    refused(&["--run", "no-such-run"], 1, "no-such-run: cannot be read");
    refused(&["--run", "Cargo.toml"], 1, "Cargo.toml:1: no record of a run");
    refused(&["--provider", "opnai", "--model", "gpt-4.1", "--input", "1M", "--output", "1M"], 1, "did you mean \"openai\"?");
    refused(&["--cached-share", "0.5"], 1, "--cached-share");
    let twice = ["--model", "gpt-4.1", "--input", "1M", "--output", "1M", "--provider", "openai,groq,openai"];
    refused(&twice, 1, "--provider: openai is named twice");
    let one = ["--input", "1M", "--output", "1M", "--model"];
    refused(
        &[&one[..], &["gpt-4.1"], &one, &["gpt-4.1-2025-04-14"]].concat(),
        1,
        "gpt-4.1-2025-04-14 is gpt-4.1, which is named twice",
    );
    refused(&[&one[..], &["llama-3.1-8b-instent"]].concat(), 1, "did you mean \"llama-3.1-8b-instant\"?");
}

#[test]
fn a_file_of_ones_own_wins_however_it_calls_the_model() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let price = |usd: f64| format!("input_usd_per_mtok = {usd}\noutput_usd_per_mtok = {usd}\nsource = \"us\"\ndate = \"2025\"\n");
    let offer = "[[provider]]\nname = \"holysheep\"\n[[provider.model]]\nname = \"claude-sonnet-4.5\"\n[provider.model.price]\n";
    let providers = file("providers.toml", format!("{offer}{}", price(2.0)));
    let listed = format!(
        "[[model]]\nname = \"claude-sonnet-4-20250514\"\naliases = [\"claude-sonnet-4.5\"]\n[model.list_price]\n{}",
        price(1.0)
    );
    let models = file("models.toml", listed);
    let usd = |arguments: &[&str]| {
        let asked = ["--model", "claude-sonnet-4.5", "--input", "1M", "--output", "1M", "--provider", "holysheep"];
        json(&[arguments, &asked].concat())["providers"][0]["total_usd"].as_f64().unwrap()
    };
    assert_eq!(usd(&[]), 30.0);
    assert_eq!(usd(&["--providers", &providers]), 4.0);
    assert_eq!(usd(&["--models", &models]), 2.0, "before the prices that are built in");
    assert_eq!(usd(&["--models", &models, "--providers", &providers]), 4.0, "what a provider takes comes first");

    let mut run = relaybench(&["run", "--virtual", "--quiet", "--provider", "holysheep", "--model", "claude-sonnet-4.5"]);
    run.args(["--providers", &providers, "--concurrency", "2", "--requests", "20", "--format", "json"]);
    let run = ended(run.args(["--out", directory.path().join("out").to_str().unwrap()]));
    let comparison: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    let report = fs::read_to_string(directory.path().join("out/holysheep/report.json")).unwrap();
    let usage = &serde_json::from_str::<Value>(&report).unwrap()["stages"][0]["usage"];
    let tokens = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    let cost = comparison["providers"][0]["stages"][0]["cost_usd"].as_f64().unwrap();
    assert!((cost / (tokens as f64 * 2.0 / 1e6) - 1.0).abs() < 1e-9, "{cost} for {tokens}");
}

#[test]
fn a_mix_of_models_that_nobody_knows_or_twice_is_refused_by_file_line_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mix.toml");
    let refused = |models: [&str; 2], says: &str| {
        let uses = models.map(|model| format!("[[use]]\nmodel = \"{model}\"\ninput = \"1M\"\noutput = 1\n"));
        fs::write(&file, format!("name = \"x\"\n{}", uses.concat())).unwrap();
        let ended = command(&[file.to_str().unwrap()]);
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("mix.toml:{says}")), "{}", ended.stderr);
    };
    refused(["gpt-4.1", "gpt-4.l"], "7: use.model: unknown model \"gpt-4.l\"; did you mean \"gpt-4.1\"?");
    refused(["gpt-4.1", "gpt-4.1-2025-04-14"], "7: use.model: \"gpt-4.1-2025-04-14\" is \"gpt-4.1\", which is used above");
    refused(["", "gpt-4.1"], "3: use.model: \"\" says nothing");
}

#[test]
fn the_price_of_cached_input_is_shown_where_it_is_used() {
    let asked = ["--model", "gpt-4o", "--input", "8M", "--output", "1M", "--provider", "openai"];
    assert!(!command(&asked).stdout.contains("cached 1.25"));
    let shown = command(&[&asked[..], &["--cached-share", "0.5"]].concat()).stdout;
    assert!(shown.contains("cached 1.25 / 2.50 / 10.00*"), "{shown}");
}

#[test]
fn a_list_price_that_is_only_repeated_changes_nothing_and_one_that_is_changed_wins_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("models.toml");
    let cost = |toml: &str| {
        fs::write(&file, toml).unwrap();
        let models = ["--models", file.to_str().unwrap(), "--provider", "holysheep"];
        json(&[&models[..], &["--model", "gpt-4.1", "--input", "1M", "--output", "1M"]].concat())
    };
    let listed = Catalog::default().to_toml();
    let (repeated, changed) = (cost(&listed), cost(&listed.replace("input_usd_per_mtok = 2.0", "input_usd_per_mtok = 3.0")));
    assert_eq!(repeated["providers"][0]["total_usd"], 16.0);
    assert!(!repeated["assumptions"].to_string().contains("list price"), "{}", repeated["assumptions"]);
    assert_eq!(changed["providers"][0]["total_usd"], 11.0);
    let said = changed["assumptions"].to_string();
    assert!(said.contains("The list price that was given of gpt-4.1") && !said.contains("names no price"), "{said}");
}
