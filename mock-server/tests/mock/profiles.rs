//! A wrong profile is refused with one line that says where, what and what would be right.

use proptest::prelude::*;
use relaybench_clock::run_virtual;
use relaybench_mock::{MockServer, Profile};

use crate::support::{chat, exchange};

#[track_caller]
fn refused(toml: &str, expected: &str) {
    assert_eq!(Profile::parse(toml, "x.toml").unwrap_err().to_string(), format!("x.toml:{expected}"), "{toml}");
}

#[test]
fn wrong_values_are_refused_where_they_are() {
    refused("\nsede = 1", "2: sede: unknown key, did you mean \"seed\"?");
    refused("seed = -1", "1: seed: invalid value: integer `-1`, expected a whole number that is not negative");
    let not_azure = "only the dialect \"azure\" has such gaps; write dialect = \"azure\", or leave this out";
    refused("azure.vague_resets = 0.5", &format!("1: azure: {not_azure}"));
    refused("dialect = \"azure\"\nazure.vague_resets = 2.0", "2: azure.vague_resets: 2 is no share; write a number from 0 to 1");
    refused("dialect = \"grok\"", "1: dialect: \"grok\" is no dialect, did you mean \"groq\"?");
    refused("models = []", "1: models: no model is named; leave the key out to have the catalog");
    refused("models = [\n\"a\",\n\"a\"]", "3: models: \"a\" is named twice");
    refused("[auth]\nkeys = [\" a \"]", "2: auth.keys: a key has blanks around it, and is sent without; leave them out");
    refused("[auth]\nkeys = [\"a\", \"b\", \"a\"]", "2: auth.keys: this key is named twice");
    refused("[limits]\nrequests_per_minute = 1\nper = [\"key\", \"key\"]", "3: limits.per: \"key\" is named twice");
    refused("[[fault]]\nfault = \"hang\"\nkeys = [\"a\", \"a\"]", "3: fault.keys: this key is named twice");
    refused("[[fault]]\nfault = \"hang\"\nmodels = [\"gpt-4.1\", \"gpt-4.1\"]", "3: fault.models: \"gpt-4.1\" is named twice");
    refused("[auth]\nkeys = []", "2: auth.keys: no key is named, so that nobody could call; leave the table out to accept any");
    refused(
        "[limits]\nbody_bytes = -1",
        "2: limits.body_bytes: invalid value: integer `-1`, expected a whole number that is not negative",
    );
}

#[test]
fn wrong_limits_are_refused_where_they_are() {
    const NOTHING: &str = "write requests_per_minute, tokens_per_minute or another limit";
    refused(
        "[limits]\nrequests_per_minute = 0",
        "2: limits.requests_per_minute: 0 would refuse every request; write a whole number from 1",
    );
    refused(
        "[limits]\ntokens_per_day = -1",
        "2: limits.tokens_per_day: invalid value: integer `-1`, expected a whole number that is not negative",
    );
    refused(
        "limits.tokens_per_minute = 1_000_000_000_001",
        "1: limits.tokens_per_minute: 1000000000001 is beyond any limit; write at most 1000000000000",
    );
    refused("limits.concurrency = 0", "1: limits.concurrency: 0 would refuse every request; write a whole number from 1");
    refused(
        "[limits]\nrequests_per_minut = 1",
        "2: limits.requests_per_minut: unknown key, did you mean \"requests_per_minute\"?",
    );
    refused(
        "[limits]\nrequests_per_minute = 1\nwindow = \"slidin\"",
        "3: limits.window: \"slidin\" is no window, did you mean \"sliding\"?",
    );
    refused("[limits]\nwindow = \"fixed\"", &format!("2: limits.window: nothing is limited; {NOTHING}"));
    refused(
        "[limits]\nrequests_per_minute = 1\nper = [\"key\", \"modle\"]",
        "3: limits.per: nothing is limited for each \"modle\", did you mean \"model\"?",
    );
    refused(
        "[limits.models.\"gpt-4.2\"]\nrequests_per_minute = 1",
        "1: limits.models.gpt-4.2: the profile has no model \"gpt-4.2\", did you mean \"gpt-4.1\"?",
    );
    refused("[limits.models.\"gpt-4.1\"]", &format!("1: limits.models.gpt-4.1: nothing is limited here; {NOTHING}"));
    refused(
        "[limits]\nper = [\"key\"]\n[limits.models.\"gpt-4.1\"]\nconcurrency = 1",
        "2: limits.per: all models share their limits, and some have limits of their own; name \"model\" too",
    );
}

#[test]
fn wrong_limits_of_a_key_are_refused_without_naming_it() {
    const ONE: &str = "[auth]\nkeys = [\"sk-secret\"]\n[[limits.key]]\n";
    refused(
        "[[limits.key]]\nplace = 1\nconcurrency = 1",
        "2: limits.key.place: any key is accepted, so that none has a place; name them in auth.keys",
    );
    for place in [0, 2] {
        refused(
            &format!("{ONE}place = {place}\nconcurrency = 1"),
            &format!("4: limits.key.place: {place} is no place in auth.keys; write a whole number from 1 to 1"),
        );
    }
    refused(
        &format!("{ONE}place = 1\nconcurrency = 1\n[[limits.key]]\nplace = 1\nconcurrency = 2"),
        "7: limits.key.place: the key at place 1 has limits already",
    );
    refused(&format!("{ONE}concurrency = 1"), "3: limits.key: the key \"place\" is missing");
    refused(
        &format!("{ONE}place = 1\nconcurrency = 1\n[limits]\nper = [\"model\"]"),
        "7: limits.per: all keys share their limits, and some have limits of their own; name \"key\" too",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_in_plain_words() {
    refused("auth = 3", "1: auth: invalid type: integer `3`, expected a table");
    refused("models = \"gpt\"", "1: models: invalid type: string \"gpt\", expected an array");
    refused("latency.total = \"1s\"", "1: latency.total: invalid type: string \"1s\", expected a table");
    refused("burst = 3", "1: burst: invalid type: integer `3`, expected an array");
}

#[test]
fn wrong_distributions_are_refused_where_they_are() {
    refused(
        "[latency.total]\ndist = \"quantiles\"\np50 = \"400ms\"\np95 = \"612\"",
        "4: latency.total.p95: \"612\" has no unit; write a duration such as \"250ms\" or \"1.5s\"",
    );
    refused(
        "latency.total = { dist = \"fixed\", value = 400 }",
        "1: latency.total.value: 400 has no unit; write a duration such as \"250ms\" or \"1.5s\"",
    );
    refused(
        "[latency.total]\ndist = \"quantiles\"\np50 = \"400ms\"\np95 = \"300ms\"",
        "4: latency.total.p95: \"300ms\" is below p50, which is \"400ms\"; quantiles may not fall",
    );
    refused(
        "[latency.total]\ndist = \"lognormal\"\nmedian = \"1s\"\nsigma = -0.1",
        "4: latency.total.sigma: -0.1 is no sigma; write a number from 0 to 10",
    );
    refused("[latency.total]\ndist = \"lognormal\"\nmedian = \"1s\"", "1: latency.total: the key \"sigma\" is missing");
    refused(
        "[latency.total]\ndist = \"lognormal\"\nmedian = \"1s\"\nsigma = 1\nvalue = \"1s\"",
        "5: latency.total.value: unknown key, known here: median, sigma, mean, p95",
    );
    refused(
        "[latency.total]\ndist = \"log-normal\"",
        "2: latency.total.dist: \"log-normal\" is no distribution, did you mean \"lognormal\"?",
    );
    refused("[latency.total]\nvalue = \"1s\"", "1: latency.total: the key \"dist\" is missing");
    refused(
        "completion.tokens = { dist = \"uniform\", min = 80, max = 20 }",
        "1: completion.tokens.max: 20 is below min, which is 80; write at least that",
    );
    refused(
        "completion.tokens = { dist = \"fixed\", value = 0 }",
        "1: completion.tokens.value: 0 is no number of tokens; write a whole number from 1 to 1000000",
    );
}

#[test]
fn wrong_combinations_of_latency_are_refused_where_they_are() {
    const ONE: &str = "{ dist = \"fixed\", value = \"1s\" }";
    const RIGHT: &str = "write either total, or first_token and inter_token";
    refused(
        &format!("[latency]\ntotal = {ONE}\nfirst_token = {ONE}"),
        &format!("3: latency.first_token: the total is given as well; {RIGHT}"),
    );
    refused(&format!("[latency]\nfirst_token = {ONE}"), &format!("2: latency.first_token: inter_token is missing; {RIGHT}"));
    refused("seed = 1\n[latency]", &format!("2: latency: the table is empty; {RIGHT}"));
    refused(
        &format!(
            "latency.total = {ONE}\n[capacity]\nmodel = \"curve\"\n[[capacity.point]]\nin_flight = 1\nlatency = {{ p50 = \"1s\" }}"
        ),
        "1: latency: with a curve the latency is that of its points; leave this table out",
    );
}

#[test]
fn wrong_completions_are_refused_where_they_are() {
    const TOKENS: &str = "tokens = { dist = \"fixed\", value = 5 }";
    refused(
        &format!("[completion]\ncontent = \"echo\"\n{TOKENS}"),
        "3: completion.tokens: an echo is as long as what it repeats; leave this key out",
    );
    refused(
        &format!("[completion]\n{TOKENS}\ncontent = {{ text = \"so\" }}"),
        "2: completion.tokens: a text that is given has a length of its own; leave this key out",
    );
    refused(
        "[completion]\ncontent = \"ecco\"",
        "2: completion.content: \"ecco\" is no content, did you mean \"echo\"?; for a text write { text = \"…\" }",
    );
    refused(
        "[completion]\ncontent = 5",
        "2: completion.content: invalid type: integer `5`, expected \"seeded\", \"echo\" or a table with a text",
    );
    refused("completion.content = { txt = \"so\" }", "1: completion.content.txt: unknown key, did you mean \"text\"?");
    refused("[completion]\ncontent = { }", "2: completion.content: the key \"text\" is missing");
    refused(
        "completion.chunk_tokens = { dist = \"uniform\", min = 0, max = 4 }",
        "1: completion.chunk_tokens.min: 0 is no number of tokens; write a whole number from 1 to 1000000",
    );
    refused(
        "completion.counting = \"excat\"",
        "1: completion.counting: \"excat\" is no way of counting, did you mean \"exact\"?",
    );
}

#[cfg(not(feature = "exact-tokens"))]
#[test]
fn exact_counting_is_refused_where_it_is_not_built_in() {
    refused(
        "completion.counting = \"exact\"",
        "1: completion.counting: \"exact\" needs the vocabularies, which this program was built without; \
         build it with --features exact-tokens, or write \"approximate\"",
    );
}

#[test]
fn wrong_curves_are_refused_where_they_are() {
    let curve = |points: &str| format!("[capacity]\nmodel = \"curve\"\n{points}");
    let point = |in_flight: u32| format!("[[capacity.point]]\nin_flight = {in_flight}\nlatency = {{ p50 = \"1s\" }}\n");
    refused(&curve(""), "2: capacity.model: a curve needs at least one [[capacity.point]]");
    refused("[capacity]\nmodel = \"cruve\"", "2: capacity.model: \"cruve\" is no capacity model, did you mean \"curve\"?");
    refused(&point(1), "1: capacity.point: only model = \"curve\" has this key, and the model is \"none\"");
    refused(
        &curve(&(point(50) + &point(50))),
        "7: capacity.point.in_flight: 50 comes after 50; in_flight must rise from point to point",
    );
    refused(
        &curve(&(point(50) + "failure_share = 1.5")),
        "6: capacity.point.failure_share: 1.5 is no share; write a number from 0 to 1",
    );
    refused(
        &curve("[[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"1s\", mean = \"1s\" }"),
        "5: capacity.point.latency.mean: unknown key; quantiles are called p0, p12.5, p50, p95, p99, p999 (99.9 %), p100 and the like",
    );
}

#[test]
fn wrong_capacities_are_refused_where_they_are() {
    refused("[capacity]\nmodel = \"queue\"", "1: capacity: the key \"servers\" is missing");
    refused(
        "[capacity]\nmodel = \"queue\"\nservers = 0",
        "3: capacity.servers: 0 would never serve anyone; write a whole number from 1",
    );
    refused(
        "[capacity]\nmodel = \"queue\"\nservers = 2\noverflow = 500",
        "4: capacity.overflow: 500 is not what a full relay answers; write 429 or 503",
    );
    refused(
        "[capacity]\nmodel = \"queue\"\nservers = 2\nstep = \"1ms\"",
        "4: capacity.step: only model = \"batch\" has this key, and the model is \"queue\"",
    );
    refused(
        "[capacity]\nwaiting_room = 2",
        "2: capacity.waiting_room: only model = \"queue\" or \"rate\" or \"batch\" has this key, and the model is \"none\"",
    );
    refused("[capacity]\nmodel = \"rate\"", "1: capacity: the key \"requests_per_second\" is missing");
    refused(
        "[capacity]\nmodel = \"rate\"\nrequests_per_second = 0",
        "3: capacity.requests_per_second: 0 is no rate; write a number above 0 (0.000001 to 1000000000)",
    );
    refused("[capacity]\nmodel = \"batch\"\nmax_batch = 4", "1: capacity: the key \"step\" is missing");
    refused("[capacity]\nmodel = \"batch\"\nstep = \"9ms\"", "1: capacity: the key \"max_batch\" is missing");
    refused(
        "[capacity]\nmodel = \"batch\"\nmax_batch = 4\nstep = \"0s\"",
        "4: capacity.step: a step takes time; write a duration above 0",
    );
    refused(
        "[capacity]\nmodel = \"batch\"\nmax_batch = 4\nstep = \"9ms\"\ncollapse_above = 9",
        "5: capacity.collapse_above: collapse_per_request is missing; write both or neither",
    );
    refused(
        "latency.total = { dist = \"fixed\", value = \"1s\" }\n[capacity]\nmodel = \"batch\"\nmax_batch = 4\nstep = \"9ms\"",
        "1: latency: with a batch the latency is that of its steps; leave this table out",
    );
}

#[test]
fn what_is_beyond_a_limit_is_told_the_limit() {
    refused(
        "latency.total = { dist = \"fixed\", value = \"100y\" }",
        "1: latency.total.value: \"100y\" is not a duration; write a duration such as \"250ms\" or \"1.5s\"; \
         the units are ns, us, ms, s, m and h, and 876000h is the most",
    );
    refused(
        "[capacity]\nmodel = \"queue\"\nservers = 4294967296",
        "3: capacity.servers: invalid value: integer `4294967296`, expected a whole number from 0 to 4294967295",
    );
    refused("[limits]\nbody_bytes = 0", "2: limits.body_bytes: 0 would refuse every request; write a whole number from 1");
}

#[test]
fn wrong_phases_are_refused_where_they_are() {
    refused(
        "[[phase]]\nfor = \"1ns\"\nevery = \"2ns\"\nfault = { fault = \"refuse\" }",
        "3: phase.every: \"refuse\" befalls connections, not every 2ns; write at least 1ms",
    );
    refused("[[phase]]\nfrom = \"1s\"", "1: phase: this phase changes nothing; write a latency_factor, a fault or both");
    refused("[[phase]]\nlatency_factor = 0.0", "2: phase.latency_factor: 0 is no factor; write a number from 0.0001 to 10000");
    refused(
        "[[phase]]\nlatency_factor = 2.0\nevery = \"1s\"",
        "3: phase.every: a phase that lasts for ever cannot come again; write how long in `for`",
    );
    refused(
        "[[phase]]\nlatency_factor = 2.0\nfor = \"0s\"",
        "3: phase.for: a phase that lasts no time changes nothing; write a duration above 0",
    );
    refused(
        "[[phase]]\nlatency_factor = 2.0\nfor = \"2s\"\nevery = \"1s\"",
        "3: phase.for: a phase lasts 2s and the next begins 1s after it began; write at most that, and above 0",
    );
    refused(
        "[[phase]]\nlatency_factor = 2.0\nramp_down = \"1s\"",
        "3: phase.ramp_down: a phase that lasts for ever has no end; write how long in `for`",
    );
    refused(
        "[[phase]]\nlatency_factor = 2.0\nfor = \"2s\"\nramp_up = \"2s\"\nramp_down = \"1s\"",
        "5: phase.ramp_down: the ramps take 3s and the phase lasts 2s; write at most that",
    );
    refused(
        "[[phase]]\nfault = { fault = \"status=503\", probability = 2.0 }",
        "2: phase.fault.probability: 2 is no share; write a number from 0 to 1",
    );
}

#[test]
fn wrong_bursts_and_faults_are_refused_where_they_are() {
    refused(
        "[[burst]]\nevery = \"1s\"\nfor = \"1s\"\n[[burst]]\nevery = \"1s\"\nfor = \"2s\"",
        "6: burst.for: a burst lasts 2s and the next begins 1s after it began; write at most that, and above 0",
    );
    refused("[[burst]]\nfor = \"1s\"", "1: burst: the key \"every\" is missing");
    refused(
        "[[burst]]\nevery = \"1s\"\nfor = \"1s\"\nshare = nan",
        "4: burst.share: NaN is no share; write a number from 0 to 1",
    );
    refused(
        "[[fault]]\nfault = \"resett\"\nprobability = 0.5",
        "2: fault.fault: \"resett\" is no fault, did you mean \"reset\"?",
    );
    refused(
        "[[fault]]\nfault = \"status=200\"\nprobability = 0.5",
        "2: fault.fault: \"status=200\" is not how it is written; status takes an error's status, 400 to 599, and behind a 429 its \
         reason (:quota, :requests, :tokens, :slow-down): \"status=503\"",
    );
    refused("[[fault]]\nfault = \"hang\"\nfirst = 0", "3: fault.first: a fault of none is no fault; write how many, from 1");
    refused(
        "[auth]\nkeys = [\"a\"]\n[[fault]]\nfault = \"hang\"\nkeys = [\"a\", \"b\"]",
        "5: fault.keys: this key is not one of auth.keys, so that it befalls nobody",
    );
    refused(
        "[[fault]]\nfault = \"hang\"\nmodels = [\"gpt-4.2\"]",
        "3: fault.models: \"gpt-4.2\" is not one of the models, did you mean \"gpt-4.1\"?",
    );
    refused(
        "[[phase]]\nfault = { fault = \"refuse\", models = [\"gpt-4.1\"] }",
        "2: phase.fault.models: \"refuse\" befalls connections, before they tell a key or a model; leave this out",
    );
}

#[test]
fn an_empty_profile_has_the_documented_defaults() {
    let profile = Profile::parse("", "x.toml").unwrap();
    assert_eq!((profile.name(), profile.seed(), profile.models().len()), ("unnamed", 1, 8));
}

#[test]
fn debug_output_shows_no_key() {
    let profile = Profile::parse("auth.keys = [\"sk-test\"]", "x.toml").unwrap();
    assert!(!format!("{profile:?}").contains("sk-test"));
}

proptest! {
    #[test]
    fn a_damaged_profile_is_read_or_refused_in_one_line(cut in 0_usize..4000, text in "[ -~\n]{0,20}", which in 0_usize..7) {
        let name = Profile::builtin_names().nth(which).unwrap();
        let whole = Profile::builtin_toml(name).unwrap();
        let at = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
        if let Err(error) = Profile::parse(&format!("{}{text}{}", &whole[..at], &whole[at..]), "x.toml") {
            prop_assert!(error.to_string().starts_with("x.toml:") && !error.to_string().contains('\n'), "{}", error);
        }
    }
}

#[test]
fn holysheep_under_a_closed_loop_has_its_published_latency_and_success() {
    const IN_FLIGHT: u32 = 200;
    let entries = run_virtual(async {
        let server = MockServer::new(Profile::load("holysheep").unwrap());
        let caller = |caller: u32| {
            let server = server.clone();
            async move {
                for request in 0..25 {
                    let id = format!("x-client-request-id: {caller}-{request}\r\nx-stainless-retry-count: 0\r\n");
                    exchange(&server, &chat(&id, "")).await;
                }
            }
        };
        let callers: Vec<_> = (0..IN_FLIGHT).map(|number| tokio::spawn(caller(number))).collect();
        for caller in callers {
            caller.await.unwrap();
        }
        server.ledger().drain()
    });
    let steady: Vec<_> = entries.iter().filter(|entry| entry.in_flight == IN_FLIGHT).collect();
    let mean_ms = steady.iter().map(|entry| entry.latency_ns as f64 / 1e6).sum::<f64>() / steady.len() as f64;
    let failed = steady.iter().filter(|entry| entry.status == Some(503)).count() as f64 / steady.len() as f64;
    // Both bounds are three standard errors of 4,800 draws.
    assert!(steady.len() > 4_000 && (mean_ms / 847.0 - 1.0).abs() < 0.012, "{} {mean_ms}", steady.len());
    assert!((failed - 0.007).abs() < 0.0036, "{failed}");
}
