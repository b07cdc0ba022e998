//! The catalog of models: what validates, what a typo is answered with, and files that extend it.

use std::fs;

use proptest::prelude::*;
use relaybench::ChatRequest;
use relaybench::client::{Catalog, Policy};
use relaybench_mock::{MockRelay, Profile, profile};

use crate::support::process::{MockProcess, ended, relaybench};

#[test]
fn the_eight_models_validate_and_the_mock_has_the_same() {
    let catalog = Catalog::default();
    assert!(catalog.names().eq(profile::CATALOG));
    for name in profile::CATALOG {
        assert_eq!(catalog.resolve(name).unwrap(), name);
    }
}

/// What the catalog suggests for a name that it does not have.
fn hint(catalog: &Catalog, asked: &str) -> Option<String> {
    let refusal = catalog.resolve(asked).err()?.to_string();
    let hint = refusal.split_once("did you mean \"")?.1;
    Some(hint.split_once('"')?.0.to_owned())
}

#[test]
fn a_typo_in_each_gets_the_right_hint() {
    let typos = [
        ("gpt-4.l", "gpt-4.1"),
        ("gpt4o", "gpt-4o"),
        ("gpt-4o-mni", "gpt-4o-mini"),
        ("claude-sonnet-4-20250541", "claude-sonnet-4-20250514"),
        ("claude-3-5-sonet-20241022", "claude-3-5-sonnet-20241022"),
        ("gemini-2.5-flsah", "gemini-2.5-flash"),
        ("deepseek-v32", "deepseek-v3.2"),
        ("deepseek_chat", "deepseek-chat"),
    ];
    for (typo, meant) in typos {
        assert_eq!(hint(&Catalog::default(), typo).as_deref(), Some(meant), "{typo}");
    }
}

/// A slip of the finger.
#[derive(Clone, Debug)]
enum Slip {
    Left(usize),
    Added(usize, char),
    Swapped(usize),
}

fn slips() -> impl Strategy<Value = Slip> {
    prop_oneof![
        any::<usize>().prop_map(Slip::Left),
        (any::<usize>(), "[a-z0-9.-]").prop_map(|(place, text)| Slip::Added(place, text.chars().next().unwrap())),
        any::<usize>().prop_map(Slip::Swapped),
    ]
}

fn slipped(name: &str, slip: &Slip) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    match *slip {
        Slip::Left(place) => _ = letters.remove(place % name.len()),
        Slip::Added(place, letter) => letters.insert(place % (name.len() + 1), letter),
        Slip::Swapped(place) => {
            let place = place % (name.len() - 1);
            letters.swap(place, place + 1);
        }
    }
    letters.into_iter().collect()
}

/// By how many letters left out, added, swapped or exchanged two names differ: the restricted edit distance, by its definition.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = match (i, j) {
                (0, other) | (other, 0) => other,
                _ => {
                    let changed = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(table[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    table[a.len()][b.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn one_slip_leads_back_to_the_name_unless_another_is_as_near(model in 0_usize..8, slip in slips()) {
        let catalog = Catalog::default();
        let name = catalog.names().nth(model).unwrap();
        let typo = slipped(name, &slip);
        // Two equal letters swapped, or a name that is another's alias.
        prop_assume!(catalog.resolve(&typo).is_err());
        let hinted = hint(&catalog, &typo);
        let is_other_as_near = catalog
            .models()
            .filter(|other| other.name != name)
            .flat_map(|other| other.aliases.iter().chain([&other.name]))
            .any(|call| distance(call, &typo) <= 1);
        prop_assert!(is_other_as_near || hinted.as_deref() == Some(name), "{typo} is answered with {hinted:?}, not {name}");
    }
}

#[test]
fn the_catalog_written_as_a_file_is_the_same_catalog() {
    let catalog = Catalog::default();
    assert_eq!(Catalog::from_toml(&catalog.to_toml(), "models.toml").unwrap(), catalog);
    let run = ended(&mut relaybench(&["models", "--format", "toml"]));
    assert_eq!(run.stdout, catalog.to_toml());
}

#[track_caller]
fn refused(toml: &str, says: &str) {
    assert_eq!(Catalog::from_toml(toml, "models.toml").unwrap_err().to_string(), format!("models.toml:{says}"), "{toml}");
}

#[test]
fn a_catalog_that_is_wrong_is_refused_with_its_line() {
    const MODEL: &str = "[[model]]\nname = \"a\"\n";
    const PRICE: &str = "list_price = { input_usd_per_mtok = 1, output_usd_per_mtok = 2, source = \"x\", date = \"2025\" }\n";
    refused(&format!("{MODEL}{MODEL}"), "4: model.name: a second model is called \"a\"; give it another name");
    refused(
        &format!("{MODEL}aliases = [\"b\"]\n[[model]]\nname = \"c\"\naliases = [\"b\"]\n"),
        "6: model.aliases: \"b\" means a model already; remove it here or there",
    );
    refused(
        &format!("{MODEL}[[model]]\nname = \"b\"\naliases = [\"a\"]\n"),
        "5: model.aliases: \"a\" means a model already; remove it here or there",
    );
    refused(
        &format!("{MODEL}{}", PRICE.replace("= 1,", "= -1,")),
        "3: model.list_price.input_usd_per_mtok: -1 is no price; write US dollars for a million tokens, from 0 to 100000",
    );
    refused(&format!("{MODEL}{}", PRICE.replace(", source = \"x\"", "")), "3: model.list_price: the key \"source\" is missing");
    refused(
        &format!("{MODEL}context_window = 0\n"),
        "3: model.context_window: 0 tokens hold nothing; write a whole number from 1, or leave it out where it is unknown",
    );
    refused(&format!("{MODEL}contxt_window = 1\n"), "3: model.contxt_window: unknown key, did you mean \"context_window\"?");
    refused("[[model]]\nname = \"\"\n", "2: model.name: \"\" says nothing; write a text, or leave the key out where it may be");
    refused("model = []\n", "1: model: there is no model; write [[model]] and a name");
}

#[test]
fn the_command_refuses_such_a_file_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("models.toml");
    fs::write(&file, "[[model]]\nname = \"a\"\n[[model]]\nname = \"a\"\n").unwrap();
    for command in [&["models"][..], &["providers"], &["run", "--virtual"]] {
        let run = ended(relaybench(command).args(["--models", file.to_str().unwrap()]).current_dir(directory.path()));
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{command:?}");
        assert!(run.stderr.contains("models.toml:4: model.name: a second model is called \"a\""), "{}", run.stderr);
    }
    let run = ended(relaybench(&["models"]).env("RELAYBENCH_MODELS_FILE", &file));
    assert_eq!(run.code, Some(1), "{}", run.stdout);
}

#[test]
fn an_alias_is_sent_as_the_name() {
    let relay = MockRelay::start(Profile::load("instant").unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = relaybench::Client::builder().base_url(relay.base_url()).api_key("a").policy(Policy::named("none").unwrap());
    let client = client.build().unwrap();
    let answer = runtime.block_on(client.chat(ChatRequest::new("claude-sonnet-4.5").user("hi"))).unwrap();
    assert_eq!(answer.model(), Some("claude-sonnet-4-20250514"));
}

#[test]
fn a_model_of_one_s_own_file_may_be_asked_by_name_and_alias_and_has_its_price() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let price = "{ input_usd_per_mtok = 10000, output_usd_per_mtok = 10000, source = \"us\", date = \"2025\" }";
    fs::write(path("models.toml"), format!("[[model]]\nname = \"mine\"\naliases = [\"m\"]\nlist_price = {price}\n")).unwrap();
    fs::write(path("profile.toml"), "name = \"mine\"\nmodels = [\"mine\"]\n").unwrap();
    let run = |asked: &str, more: &[&str]| {
        let out = path(&format!("out-{asked}-{}", more.len()));
        let mut run = relaybench(&["run", "--concurrency", "1", "--requests", "3", "--format", "json", "--out", &out]);
        run.args(["--models", &path("models.toml"), "--model", asked]).args(more);
        run
    };
    for asked in ["mine", "m"] {
        let run = ended(&mut run(asked, &["--virtual", "--profile", &path("profile.toml")]));
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        let stage = &report["stages"][0];
        assert_eq!(stage["requests"]["succeeded"], 3, "{stage}");
        let tokens = |kind: &str| stage["usage"][kind].as_u64().unwrap() as f64;
        assert_eq!(stage["cost_usd"].as_f64().unwrap(), (tokens("prompt_tokens") + tokens("completion_tokens")) / 100.0);
    }
    let relay = MockProcess::start(&["--profile", &path("profile.toml")]);
    let live = |asked: &str| {
        let mut run = run(asked, &[]);
        ended(run.env("RELAYBENCH_BASE_URL", relay.base_url()).env("RELAYBENCH_API_KEY", "sk-test"))
    };
    // At such a price $1 does not pay for one request: it was found, and the cap holds.
    assert!(live("mine").stdout.contains("\"cost-cap\": 3"));
    assert!(live("mne").stderr.contains("did you mean \"mine\"?"));
}

#[test]
fn the_list_fits_a_terminal_and_has_what_is_known_of_each() {
    let run = ended(&mut relaybench(&["models"]));
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{}", run.stdout);
    assert!(profile::CATALOG.iter().all(|name| run.stdout.contains(name)), "{}", run.stdout);
    assert!(run.stdout.contains("1047576") && run.stdout.contains("2 / 0.5 / 8"), "{}", run.stdout);
    let json: serde_json::Value = serde_json::from_str(&ended(&mut relaybench(&["models", "--format", "json"])).stdout).unwrap();
    for model in json["models"].as_array().unwrap() {
        let price = &model["list_price"];
        assert!(price["source"].is_string() && price["date"].is_string() && model["context_window"].is_u64(), "{model}");
    }
}
