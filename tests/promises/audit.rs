//! Published claims that cannot be true are found, each by a general rule; those that can are not called otherwise.

use std::fs;

use relaybench::audit::{Audit, Claims, Rule, Verdict, audit, table};
use relaybench::load::{Extent, Outcome, Scenario};
use relaybench::target::Target;
use relaybench_mock::Profile;

use crate::support::process::{ended, relaybench};
use crate::support::runs::{play, run};

fn of(toml: &str) -> Audit {
    audit(&Claims::parse(toml, "claims.toml").unwrap())
}

fn rules(audit: &Audit, verdict: Verdict) -> Vec<Rule> {
    audit.with(verdict).map(|finding| finding.rule).collect()
}

/// The lines of a finding that are as bad as it is: what they are about, and why.
fn worst(audit: &Audit, rule: Rule) -> Vec<(&str, &str)> {
    let finding = audit.findings.iter().find(|finding| finding.rule == rule).unwrap();
    let worst = finding.lines.iter().filter(|line| line.verdict == finding.verdict);
    worst.map(|line| (line.about.as_str(), line.why.as_str())).collect()
}

#[test]
fn the_tutorials_nine_inconsistencies_and_its_weakness_are_found_and_no_more() {
    let audit = audit(&Claims::load("holysheep-2025").unwrap());
    let found = |rule, expected: &[(&str, &str)]| assert_eq!(worst(&audit, rule), expected);
    // 1. More than Little's law lets through.
    found(
        Rule::LittlesLaw,
        &[
            ("50 in flight", "890 req/s need 376 in flight; 50 / 0.423 s = 118 req/s at most, in waves about 64"),
            ("100 in flight", "1,180 req/s need 722 in flight; 100 / 0.612 s = 163 req/s at most, in waves about 83"),
            ("200 in flight", "1,200 req/s need 1,016 in flight; 200 / 0.847 s = 236 req/s at most, in waves about 109"),
            ("500 in flight", "1,195 req/s need 1,740 in flight; 500 / 1.456 s = 343 req/s at most, in waves about 134"),
        ],
    );
    // 2. The headline is of another level.
    found(
        Rule::Headline,
        &[
            ("500 in flight", "mean 847 ms, which is that of 200 in flight; its row says 1,456 ms"),
            ("500 in flight", "throughput 1,200 req/s, which is that of 200 in flight; its row says 1,195 req/s"),
        ],
    );
    // 3. By how much cheaper.
    found(Rule::Discount, &[("45 % cheaper", "gpt-4.1: $15.00 to $8.00 is 46.7 %")]);
    // 4. Costs that the tokens and prices do not give.
    found(
        Rule::Costs,
        &[("scale-up, 50 M tokens a month", "official 50 × $15.00 = $750, not $1,400; relay 50 × $8.00 = $400, not $700")],
    );
    // 5. What is not cheaper.
    found(
        Rule::Cheaper,
        &[
            ("claude-sonnet-4.5", "$15.00 where the official price is $15.00: the same"),
            ("gemini-2.5-flash", "$2.50 where the official price is $1.25: 2 times as much"),
        ],
    );
    // 6. Beyond a rate limit.
    found(Rule::Limits, &[("Cloudflare Workers AI", "2,100 req/s are 126,000 requests a minute, of 100")]);
    // 7. Less served than promised.
    found(Rule::Availability, &[("99.9 % available", "98.7 to 99.8 % succeeded: 26 of 4,000 failed, where 4 would")]);
    // 8. What counted as a success.
    found(
        Rule::Success,
        &[("success of 98.7 to 99.8 %", "any body that is JSON counts: a 429 or a 500 with one counts as a success")],
    );
    // 9. More in flight than connections.
    let too_few = "the client had 100 connections: never more than 100 were in flight";
    found(Rule::Connections, &[("200 in flight", too_few), ("500 in flight", too_few)]);
    // 10. The weakness.
    let few = "p99 of 1,000 rests on 10 samples: it may be p98.3 to p99.8; no repeats are told";
    found(
        Rule::Samples,
        &["50", "100", "200", "500"].map(|level| (format!("{level} in flight"), few)).each_ref().map(|(a, b)| (a.as_str(), *b)),
    );

    assert_eq!(audit.with(Verdict::Inconsistent).count(), 9);
    assert_eq!(rules(&audit, Verdict::Weak), [Rule::Samples]);
}

#[test]
fn the_tutorials_other_claims_are_consistent_or_cannot_be_told() {
    let audit = audit(&Claims::load("holysheep-2025").unwrap());
    assert_eq!(rules(&audit, Verdict::Consistent), [Rule::Percentiles, Rule::Savings]);
    assert_eq!(rules(&audit, Verdict::CannotTell), [Rule::Providers, Rule::Others]);
    let costs = audit.findings.iter().find(|finding| finding.rule == Rule::Costs).unwrap();
    let verdicts: Vec<Verdict> = costs.lines.iter().map(|line| line.verdict).collect();
    assert_eq!(verdicts, [Verdict::Consistent, Verdict::CannotTell, Verdict::Inconsistent]);
}

/// A row as a run gave it, printed as the tutorial prints its own: whole milliseconds and requests a second, tenths of a percent.
struct Measured {
    concurrency: u64,
    mean_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    throughput_rps: f64,
    success: f64,
}

impl Measured {
    /// The rows of a virtual run, of all its samples and all its time.
    fn levels(scenario: &str, requests: u64) -> Vec<Self> {
        let mut scenario = Scenario::load(scenario).unwrap();
        scenario.stages.iter_mut().for_each(|stage| stage.extent = Extent::Requests(requests));
        let played = play(run(scenario, "none", Target::Virtual(Profile::load("holysheep").unwrap())));
        let row = |(number, stage): (u32, &relaybench::report::StageReport)| {
            let samples = || played.samples().filter(move |sample| sample.stage == number);
            let mut ms: Vec<f64> =
                samples().filter(|s| s.outcome == Outcome::Succeeded).map(|s| s.latency().unwrap().as_secs_f64() * 1e3).collect();
            ms.sort_by(f64::total_cmp);
            let at = |share: f64| ms[(ms.len() as f64 * share) as usize];
            Self {
                concurrency: stage.load.concurrency().unwrap() as u64,
                mean_ms: ms.iter().sum::<f64>() / ms.len() as f64,
                p95_ms: at(0.95),
                p99_ms: at(0.99),
                throughput_rps: requests as f64 / stage.duration_s,
                success: ms.len() as f64 / requests as f64,
            }
        };
        (0..).zip(&played.report.stages).map(row).collect()
    }
}

/// A file like the tutorial's whose figures are true: measured, and calculated from its prices.
fn twin(method: &str, scenario: &str, requests: u64) -> String {
    // What the scenario counts as a success.
    let counts = if scenario == "tutorial-waves" { "any-json" } else { "complete" };
    let levels = Measured::levels(scenario, requests);
    let served = levels.iter().map(|level| level.success).sum::<f64>() / levels.len() as f64;
    let mut toml = format!(
        "name = \"twin\"\navailability_percent = {:.1}\navailability_of = \"requests\"\n[load]\nmethod = \"{method}\"\nrequests = {requests}\n\
         connections = 500\nprotocol = \"http/1.1\"\nsuccess = \"{counts}\"\n",
        served * 100.0,
    );
    for Measured { concurrency, mean_ms, p95_ms, p99_ms, throughput_rps, success } in &levels {
        toml += &format!(
            "[[load.row]]\nconcurrency = {concurrency}\nmean_ms = {mean_ms:.0}\np95_ms = {p95_ms:.0}\np99_ms = {p99_ms:.0}\n\
             throughput_rps = {throughput_rps:.0}\nsuccess_percent = {:.1}\n",
            success * 100.0
        );
    }
    let last = levels.last().unwrap();
    toml +=
        &format!("[headline]\nconcurrency = 500\nmean_ms = {:.0}\nthroughput_rps = {:.0}\n", last.mean_ms, last.throughput_rps);
    toml + r#"cheaper_percent = 46
cheaper_model = "gpt-4.1"
all_cheaper = true
[[price]]
model = "gpt-4.1"
official_usd_per_mtok = 15.00
relay_usd_per_mtok = 8.00
[[price]]
model = "claude-sonnet-4.5"
official_usd_per_mtok = 15.00
relay_usd_per_mtok = 14.25
[[saving]]
name = "GPT-4.1, 10 M tokens a month"
model = "gpt-4.1"
mtok = 10
official_usd = 150
relay_usd = 80
saved_usd = 70
saved_percent = 46
[[saving]]
name = "scale-up, 50 M tokens a month"
model = "gpt-4.1"
mtok = 50
official_usd = 750
relay_usd = 400
saved_usd = 350
saved_percent = 47
[[provider]]
name = "Cloudflare Workers AI"
concurrency = 1
mean_ms = 620
requests = 10_000
throughput_rps = 1.6
success_percent = 100
requests_per_minute = 100
"#
}

#[test]
fn a_consistent_twin_with_enough_requests_is_consistent_throughout() {
    let audit = of(&twin("closed", "tutorial", 20_000));
    assert_eq!(audit.verdict, Some(Verdict::Consistent), "{}", table(&audit));
    // All that the tutorial's claims are held to, but what cannot be checked.
    assert_eq!(audit.findings.len(), Rule::ALL.len() - 1);
}

#[test]
fn a_consistent_twin_of_a_thousand_requests_is_weak_and_nothing_worse() {
    for (method, scenario) in [("closed", "tutorial"), ("waves", "tutorial-waves")] {
        let audit = of(&twin(method, scenario, 1000));
        // Whose waves count any JSON body, and says so, is found by that alone.
        let wrong: &[Rule] = if method == "waves" { &[Rule::Success] } else { &[] };
        assert_eq!(rules(&audit, Verdict::Inconsistent), wrong, "{}", table(&audit));
        assert_eq!(rules(&audit, Verdict::Weak), [Rule::Samples], "{}", table(&audit));
    }
}

#[test]
fn one_wrong_figure_in_the_twin_is_found_by_its_rule_alone() {
    let twin = twin("closed", "tutorial", 10_000);
    let row = |key: &str| {
        let line = twin.lines().find(|line| line.starts_with(key)).unwrap();
        line.to_owned()
    };
    let wrong: [(Rule, String, &str); 11] = [
        (Rule::LittlesLaw, row("throughput_rps"), "throughput_rps = 121"),
        (Rule::Percentiles, row("p95_ms"), "p95_ms = 900"),
        (Rule::Connections, "connections = 500".to_owned(), "connections = 499"),
        (Rule::Success, "success = \"complete\"".to_owned(), "success = \"any-json\""),
        (Rule::Availability, row("availability_percent"), "availability_percent = 99.9"),
        (Rule::Headline, "[headline]\nconcurrency = 500".to_owned(), "[headline]\nconcurrency = 200"),
        (Rule::Discount, "cheaper_percent = 46".to_owned(), "cheaper_percent = 45"),
        (Rule::Cheaper, "relay_usd_per_mtok = 14.25".to_owned(), "relay_usd_per_mtok = 15.01"),
        (Rule::Savings, "saved_percent = 47".to_owned(), "saved_percent = 48"),
        (Rule::Costs, "mtok = 50".to_owned(), "mtok = 60"),
        (Rule::Limits, "requests_per_minute = 100".to_owned(), "requests_per_minute = 80"),
    ];
    for (rule, right, wrong) in wrong {
        assert!(twin.contains(&right), "{right}");
        let audit = of(&twin.replacen(&right, wrong, 1));
        assert_eq!(rules(&audit, Verdict::Inconsistent), [rule], "{wrong}: {}", table(&audit));
    }
}

#[test]
fn closed_loop_throughput_in_waves_needs_slow_answers_that_come_together() {
    let row = |throughput: u32| {
        let load = "[load]\nmethod = \"waves\"\nrequests = 10000\n[[load.row]]\nsuccess_percent = 100.000\nconcurrency = 50";
        of(&format!(
            "name = \"x\"\n{load}\nmean_ms = 423\np50_ms = 387\np95_ms = 612\np99_ms = 789\nthroughput_rps = {throughput}\n"
        ))
    };
    assert_eq!(row(70).verdict(Rule::LittlesLaw), Some(Verdict::Consistent));
    assert_eq!(row(117).verdict(Rule::LittlesLaw), Some(Verdict::Weak));
    assert_eq!(row(120).verdict(Rule::LittlesLaw), Some(Verdict::Inconsistent));
}

#[test]
fn few_waves_are_bounded_by_their_slowest_however_mixed() {
    // Two waves: one lasts p99 or longer, the other has the rest of the mean.
    let row = |throughput: u32| {
        let load = "[load]\nmethod = \"waves\"\nrequests = 1000\n[[load.row]]\nsuccess_percent = 100.000\nconcurrency = 500";
        of(&format!("name = \"x\"\n{load}\nmean_ms = 1456\np95_ms = 2123\np99_ms = 2789\nthroughput_rps = {throughput}\n"))
    };
    let audit = row(300);
    assert_eq!(
        worst(&audit, Rule::LittlesLaw),
        [("500 in flight", "300 req/s; each wave waits for its slowest: 286 at most, however slow and fast are mixed")]
    );
    assert_ne!(row(284).verdict(Rule::LittlesLaw), Some(Verdict::Inconsistent));
}

#[test]
fn costs_of_models_that_are_not_named_lie_between_the_prices() {
    let saving = |official: u32, are_all: bool| {
        of(&format!(
            "name = \"x\"\nall_models_priced = {are_all}\n[[price]]\nmodel = \"a\"\nofficial_usd_per_mtok = 15.00\n[[price]]\nmodel = \"b\"\nofficial_usd_per_mtok = 1.25\n\
             [[saving]]\nname = \"mixed\"\nmtok = 50\nofficial_usd = {official}\n"
        ))
    };
    for (official, verdict) in [(750, Verdict::CannotTell), (1400, Verdict::Inconsistent), (60, Verdict::Inconsistent)] {
        assert_eq!(saving(official, true).verdict(Rule::Costs), Some(verdict), "{official}");
        // There may be dearer and cheaper ones.
        assert_eq!(saving(official, false).verdict(Rule::Costs), Some(Verdict::CannotTell), "{official}");
    }
}

#[test]
fn a_limit_lets_a_few_requests_pass_at_once() {
    let provider = |requests: &str| {
        of(&format!("name = \"x\"\n[[provider]]\nname = \"p\"\nthroughput_rps = 2100\nrequests_per_minute = 100\n{requests}\n"))
    };
    assert_eq!(provider("requests = 200\nsuccess_percent = 100.00").verdict(Rule::Limits), Some(Verdict::CannotTell));
    assert_eq!(provider("requests = 1000\nsuccess_percent = 100.00").verdict(Rule::Limits), Some(Verdict::Inconsistent));
    // Of a second at least.
    assert_eq!(provider("").verdict(Rule::Limits), Some(Verdict::Inconsistent));
    // What was refused passed no limit.
    assert_eq!(provider("requests = 1000").verdict(Rule::Limits), Some(Verdict::CannotTell));
    assert_eq!(provider("requests = 1000\nsuccess_percent = 15").verdict(Rule::Limits), Some(Verdict::CannotTell));
}

#[test]
fn a_limit_is_only_passed_by_more_than_its_windows_let_through() {
    let provider = |requests: u32, rps: f64| {
        of(&format!(
            "name = \"x\"\n[[provider]]\nname = \"p\"\nrequests = {requests}\nsuccess_percent = 100.00\nthroughput_rps = {rps:.2}\n\
             requests_per_minute = 100\n"
        ))
    };
    // 300 in two minutes: 100 at once, and as many at each of two boundaries.
    assert_eq!(provider(300, 2.5).verdict(Rule::Limits), Some(Verdict::CannotTell));
    assert_eq!(provider(1000, 2.0).verdict(Rule::Limits), Some(Verdict::CannotTell));
    assert_eq!(provider(1000, 2.5).verdict(Rule::Limits), Some(Verdict::Inconsistent));
    assert_eq!(provider(1000, 1.6).verdict(Rule::Limits), Some(Verdict::Consistent));
}

#[test]
fn every_limit_is_checked() {
    let provider = |limits: &str| {
        let audit = of(&format!("name = \"x\"\n[[provider]]\nname = \"p\"\nthroughput_rps = 10\n{limits}"));
        let finding = audit.findings.iter().find(|finding| finding.rule == Rule::Limits).unwrap();
        finding.lines.iter().map(|line| line.verdict).collect::<Vec<_>>()
    };
    let (requests, tokens) = ("requests_per_minute = 6000\n", "tokens_per_minute = 100\n");
    assert_eq!(provider(&[requests, tokens, "tokens_per_request = 50\n"].concat()), [Verdict::Consistent, Verdict::Inconsistent]);
    assert_eq!(provider(&[requests, tokens].concat()), [Verdict::Consistent, Verdict::CannotTell]);
    assert_eq!(provider(&[tokens, "tokens_per_request = 0.1\n"].concat()), [Verdict::Consistent]);
}

#[test]
fn without_a_success_rate_the_law_cannot_be_told_unless_the_throughput_is_of_what_succeeded() {
    let load = |load: &str, row: &str| {
        of(&format!(
            "name = \"x\"\n[load]\nmethod = \"closed\"\n{load}\n[[load.row]]\nconcurrency = 50\nmean_ms = 423\nthroughput_rps = 890\n{row}\n"
        ))
    };
    let verdict = |audit: &Audit| audit.verdict(Rule::LittlesLaw);
    let untold = load("", "");
    assert_eq!(verdict(&untold), Some(Verdict::CannotTell), "{}", table(&untold));
    assert!(table(&untold).contains("unless 86.7 % failed at once"), "{}", table(&untold));
    assert_eq!(verdict(&load("throughput_counts = \"succeeded\"", "")), Some(Verdict::Inconsistent));
    assert_eq!(verdict(&load("", "success_percent = 99.8")), Some(Verdict::Inconsistent));
    assert_eq!(verdict(&load("", "success_percent = 13")), Some(Verdict::Consistent));
}

#[test]
fn a_failure_that_hung_makes_the_longest_of_the_succeeded_say_nothing_of_ramp_and_drain() {
    let row = |success: &str| {
        of(&format!(
            "name = \"x\"\n[load]\nmethod = \"closed\"\nrequests = 400\nthroughput_over = \"window\"\n[[load.row]]\nconcurrency = 20\n\
             mean_ms = 100.49\nmax_ms = 101.00\nthroughput_rps = 265.4\nsuccess_percent = {success}\n"
        ))
    };
    assert_eq!(row("99.75").verdict(Rule::LittlesLaw), Some(Verdict::CannotTell));
    assert_eq!(row("100.00").verdict(Rule::LittlesLaw), Some(Verdict::Inconsistent));
}

#[test]
fn a_headline_is_of_any_row_of_its_level() {
    let headline = |mean: u32, throughput: u32| {
        let row = |mean: u32, throughput: u32| {
            format!("[[load.row]]\nconcurrency = 500\nmean_ms = {mean}\nthroughput_rps = {throughput}\n")
        };
        let rows = row(1000, 400) + &row(1200, 390);
        of(&format!(
            "name = \"x\"\n[load]\n{rows}[headline]\nconcurrency = 500\nmean_ms = {mean}\nthroughput_rps = {throughput}\n"
        ))
    };
    assert_eq!(headline(1000, 400).verdict(Rule::Headline), Some(Verdict::Consistent));
    assert_eq!(headline(1200, 390).verdict(Rule::Headline), Some(Verdict::Consistent));
    assert_eq!(headline(1000, 390).verdict(Rule::Headline), Some(Verdict::Inconsistent), "of two rows");
}

#[test]
fn a_percent_of_no_model_in_particular_may_be_that_of_a_mix() {
    let discount = |headline: &str, are_all: bool| {
        let price = |model: &str, official: u32, relay: u32| {
            format!("[[price]]\nmodel = \"{model}\"\nofficial_usd_per_mtok = {official}\nrelay_usd_per_mtok = {relay}\n")
        };
        let prices = price("a", 15, 8) + &price("b", 15, 15);
        of(&format!("name = \"x\"\nall_models_priced = {are_all}\n[headline]\n{headline}\n{prices}"))
    };
    let verdict = |headline: &str, are_all| discount(headline, are_all).verdict(Rule::Discount);
    assert_eq!(verdict("cheaper_percent = 46", true), Some(Verdict::Consistent));
    assert_eq!(verdict("cheaper_percent = 45", true), Some(Verdict::CannotTell));
    assert_eq!(verdict("cheaper_percent = 50", true), Some(Verdict::Inconsistent));
    assert_eq!(verdict("cheaper_percent = 50", false), Some(Verdict::CannotTell));
    assert_eq!(verdict("cheaper_percent = 45\ncheaper_model = \"a\"", false), Some(Verdict::Inconsistent));
    // Which models are cheaper is as open.
    assert_eq!(discount("cheaper_percent = 45", true).verdict(Rule::Cheaper), Some(Verdict::CannotTell));
    assert_eq!(discount("all_cheaper = true", true).verdict(Rule::Cheaper), Some(Verdict::Inconsistent));
}

#[test]
fn only_connections_that_carry_one_request_at_a_time_bound_what_is_in_flight() {
    let load = |load: &str| {
        let audit = of(&format!("name = \"x\"\n[load]\nconnections = 10\n{load}\n[[load.row]]\nconcurrency = 50\n"));
        audit.verdict(Rule::Connections)
    };
    assert_eq!(load("protocol = \"http/1.1\""), Some(Verdict::Inconsistent));
    for unclear in ["", "protocol = \"http/2\"", "protocol = \"http/1.1\"\nmethod = \"open\""] {
        assert_eq!(load(unclear), Some(Verdict::CannotTell), "{unclear}");
    }
}

#[test]
fn an_outage_may_explain_what_the_share_of_the_time_leaves() {
    let available = |of_what: &str| {
        let audit = of(&format!(
            "name = \"x\"\navailability_percent = 99.9\n{of_what}\n[load]\nrequests = 1000\n[[load.row]]\nsuccess_percent = 50\n"
        ));
        audit.verdict(Rule::Availability)
    };
    assert_eq!(available("availability_of = \"requests\""), Some(Verdict::Inconsistent));
    assert_eq!(available("availability_of = \"time\""), Some(Verdict::CannotTell));
    assert_eq!(available(""), Some(Verdict::CannotTell));
}

#[test]
fn of_nothing_no_percent_is_calculated() {
    let audit = of(
        "name = \"x\"\n[headline]\ncheaper_percent = 10\n[[price]]\nmodel = \"a\"\nofficial_usd_per_mtok = 0\nrelay_usd_per_mtok = 5\n\
         [[saving]]\nname = \"s\"\nofficial_usd = 0\nrelay_usd = 5\nsaved_percent = 10\n",
    );
    let text = table(&audit);
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    assert_eq!(audit.verdict, Some(Verdict::CannotTell), "{text}");
}

#[test]
fn the_command_says_by_its_exit_code_whether_something_is_inconsistent() {
    let tutorial = ended(&mut relaybench(&["audit", "holysheep-2025"]));
    assert_eq!(tutorial.code, Some(3), "{}", tutorial.stderr);
    assert!(tutorial.stdout.contains("9 inconsistent, 1 weak, 2 cannot tell, 2 consistent"), "{}", tutorial.stdout);
    assert!(tutorial.stdout.lines().all(|line| line.chars().count() <= 100), "{}", tutorial.stdout);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("claims.toml");
    fs::write(
        &file,
        "name = \"mine\"\n[load]\nrepeats = 1\n[[load.row]]\nconcurrency = 50\nmean_ms = 423\nthroughput_rps = 117.9\n",
    )
    .unwrap();
    let mine = ended(&mut relaybench(&["audit", file.to_str().unwrap(), "--format", "json"]));
    assert_eq!(mine.code, Some(0), "{}", mine.stderr);
    let json: serde_json::Value = serde_json::from_str(&mine.stdout).unwrap();
    assert_eq!(json["schema"], "relaybench.audit/1");
    assert_eq!(json["findings"][0]["rule"], "littles-law");
    assert_eq!(json["findings"][0]["lines"][0]["verdict"], "consistent");
}

#[test]
fn claims_that_cannot_be_read_are_refused_by_file_line_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("claims.toml");
    let refused = |toml: &str, says: &str| {
        fs::write(&file, toml).unwrap();
        let ended = ended(&mut relaybench(&["audit", file.to_str().unwrap()]));
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.lines().count()), (Some(1), "", 1), "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("claims.toml:{says}")), "{}", ended.stderr);
    };
    refused("name = \"x\"\n[headline]\nmean = 3\n", "3: headline.mean: unknown key, did you mean \"mean_ms\"?");
    refused(
        "name = \"x\"\n[headline]\nmean_ms = -3\n",
        "3: headline.mean_ms: -3 is no figure; write a decimal number from 0 to 1e15",
    );
    refused("name = \"x\"\n[headline]\nmean_ms = \"3\"\n", "3: headline.mean_ms: invalid type: string \"3\"");
    refused("name = \"x\"\navailability_percent = 101\n", "2: availability_percent: 101 % is more than all");
    refused("name = \"x\"\n[load]\nrow = []\n", "3: load.row: no rows");
    refused("name = \"x\"\n[load]\nmethod = \"wave\"\n", "3: load.method: \"wave\" is not known, did you mean \"waves\"?");
    refused("name = \"x\"\n[load]\n[[load.row]]\nconcurrency = 0\n", "4: load.row.concurrency: 0 measures nothing");
    refused("name = \"x\"\n[[price]]\nmodel = \"a\"\n[[price]]\nmodel = \"a\"\n", "5: price.model: \"a\" has a price above");
    refused("name = \"x\"\n[[saving]]\nname = \"s\"\nmodel = \"a\"\n", "4: saving.model: no [[price]] has the model \"a\"");
    let unknown = ended(&mut relaybench(&["audit", "holysheep-2052"]));
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("did you mean \"holysheep-2025\"?"), "{}", unknown.stderr);
}

/// The verdict of a rule on claims that have a name already.
fn verdict(rule: Rule, toml: &str) -> Option<Verdict> {
    of(&format!("name = \"x\"\n{toml}")).verdict(rule)
}

#[test]
fn means_over_repeats_are_bounded_by_no_law_of_one_run() {
    // One repeat at 1,000 req/s and 10 ms, one at 25.6 req/s and 390 ms.
    for (method, repeats, expected) in [
        ("closed", "repeats = 2", Verdict::CannotTell),
        ("waves", "repeats = 2", Verdict::CannotTell),
        ("closed", "repeats = 1", Verdict::Inconsistent),
        ("closed", "", Verdict::Inconsistent),
    ] {
        let toml = format!(
            "[load]\nmethod = \"{method}\"\nrequests = 1000\n{repeats}\n[[load.row]]\nconcurrency = 10\nmean_ms = 200\n\
             throughput_rps = 513\nsuccess_percent = 100.00\n"
        );
        assert_eq!(verdict(Rule::LittlesLaw, &toml), Some(expected), "{toml}");
    }
}

#[test]
fn availability_counts_the_requests_of_all_repeats() {
    let rows = "[[load.row]]\nsuccess_percent = 99.9\n".repeat(20);
    let available = |repeats: u32| {
        let load = format!("[load]\nrequests = 1000\nrepeats = {repeats}\n");
        verdict(Rule::Availability, &format!("availability_percent = 99.99\navailability_of = \"requests\"\n{load}{rows}"))
    };
    assert_eq!(available(10), Some(Verdict::Consistent));
    assert_eq!(available(1), Some(Verdict::Inconsistent));
}

#[test]
fn models_with_one_price_leave_open_what_a_mix_costs() {
    let toml = |second: &str| {
        format!(
            "all_models_priced = true\n[headline]\ncheaper_percent = 60\n[[price]]\nmodel = \"a\"\nofficial_usd_per_mtok = 15.00\n\
             relay_usd_per_mtok = 8.00\n[[price]]\nmodel = \"b\"\nrelay_usd_per_mtok = 0.42\n{second}\n\
             [[saving]]\nname = \"s\"\nmtok = 10\nofficial_usd = 300\nrelay_usd = 10\n"
        )
    };
    for (second, expected) in [("", Verdict::CannotTell), ("official_usd_per_mtok = 0.50", Verdict::Inconsistent)] {
        assert_eq!(verdict(Rule::Discount, &toml(second)), Some(expected));
        assert_eq!(verdict(Rule::Costs, &toml(second)), Some(expected));
    }
}

#[test]
fn no_run_is_shorter_than_its_longest_request_or_has_more_in_flight_than_requests() {
    let row = |requests: u32, row: &str| {
        format!(
            "[load]\nmethod = \"closed\"\nrequests = {requests}\nthroughput_counts = \"succeeded\"\n[[load.row]]\nconcurrency = 500\n\
             success_percent = 100.00\n{row}\n"
        )
    };
    let law = |requests, of: &str| verdict(Rule::LittlesLaw, &row(requests, of));
    assert_eq!(law(100, "mean_ms = 1000\nthroughput_rps = 300"), Some(Verdict::Inconsistent));
    assert_eq!(law(1000, "mean_ms = 1000\nthroughput_rps = 300"), Some(Verdict::Consistent));
    assert_eq!(law(1000, "mean_ms = 100\nmax_ms = 60000\nthroughput_rps = 3000"), Some(Verdict::Inconsistent));
    assert_eq!(law(1000, "mean_ms = 100\nmax_ms = 60000\nthroughput_rps = 16.6"), Some(Verdict::Consistent));
    assert_eq!(law(1000, "mean_ms = 100\np99_ms = 2000\nthroughput_rps = 600"), Some(Verdict::Inconsistent));
    // One of a thousand that takes a thousand seconds makes a mean of a second.
    let order = |mean: &str| verdict(Rule::Percentiles, &row(1000, &format!("{mean}\nmax_ms = 1000000")));
    assert_eq!(order("mean_ms = 1"), Some(Verdict::Inconsistent));
    assert_eq!(order("mean_ms = 1001"), Some(Verdict::Consistent));
    assert_eq!(verdict(Rule::Percentiles, &row(1000, "p50_ms = 105\np95_ms = 1.0e2\np99_ms = 100")), Some(Verdict::Inconsistent));
}

#[test]
fn what_a_histogram_makes_of_mean_and_longest_is_left_room_for() {
    let row =
        |row: &str| format!("[load]\nrequests = 1000\nthroughput_counts = \"succeeded\"\n{row}\nsuccess_percent = 100.00\n");
    let closed = "method = \"closed\"\n[[load.row]]\nconcurrency = 50\nmean_ms = 1499.6\nthroughput_rps = 33.35";
    let waves = "method = \"waves\"\n[[load.row]]\nconcurrency = 1000\nmean_ms = 700.0\nmax_ms = 1500.2\nthroughput_rps = 667.1";
    for of in [closed, waves] {
        assert_eq!(verdict(Rule::LittlesLaw, &row(of)), Some(Verdict::Consistent), "{of}");
    }
    assert!(table(&of(&format!("name = \"x\"\n{}", row(closed)))).contains("50 / 1.4996 s"));
}

#[test]
fn ten_times_the_failures_that_are_promised_are_suspect_and_of_the_time_cannot_be_told() {
    let available = |of: &str, requests: &str, rate: &str| {
        let load = format!("[load]\n{requests}\n[[load.row]]\nsuccess_percent = {rate}\n");
        verdict(Rule::Availability, &format!("availability_percent = 99.9\navailability_of = \"{of}\"\n{load}"))
    };
    assert_eq!(available("requests", "requests = 1000", "99.0"), Some(Verdict::Weak));
    assert_eq!(available("requests", "requests = 1000", "99.8"), Some(Verdict::Consistent));
    assert_eq!(available("time", "requests = 1000", "99.0"), Some(Verdict::CannotTell));
    assert_eq!(available("time", "", "99.0"), Some(Verdict::CannotTell));
    assert_eq!(available("requests", "", "99.0"), Some(Verdict::Weak));
}

#[test]
fn a_model_that_is_said_to_be_cheaper_is_checked_without_a_percent() {
    let cheaper = |relay: &str| {
        let price = format!("[[price]]\nmodel = \"a\"\nofficial_usd_per_mtok = 1.00\nrelay_usd_per_mtok = {relay}\n");
        verdict(Rule::Cheaper, &format!("[headline]\ncheaper_model = \"a\"\n{price}"))
    };
    assert_eq!(cheaper("2.00"), Some(Verdict::Inconsistent));
    assert_eq!(cheaper("0.50"), Some(Verdict::Consistent));
}

#[test]
fn what_is_saved_agrees_with_its_percent() {
    let saving = |saved: u32, percent: u32| {
        let saved = format!("saved_usd = {saved}\nsaved_percent = {percent}\n");
        verdict(Rule::Savings, &format!("[[saving]]\nname = \"s\"\nofficial_usd = 10\nrelay_usd = 5\n{saved}"))
    };
    assert_eq!(saving(6, 40), Some(Verdict::Inconsistent));
    assert_eq!(saving(5, 50), Some(Verdict::Consistent));
}

#[test]
fn no_figure_is_shown_that_is_none() {
    let rows = "[[load.row]]\nconcurrency = 50\nmean_ms = 0\nthroughput_rps = 100\nsuccess_percent = 100\n";
    for method in ["closed", "waves"] {
        let text = table(&of(&format!("name = \"x\"\n[load]\nmethod = \"{method}\"\nrequests = 1000\n{rows}")));
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
    }
    let limit = "[[provider]]\nname = \"p\"\nthroughput_rps = 10\nlimit = \"unlimited\"\n";
    assert_eq!(verdict(Rule::Limits, limit), None);
}
