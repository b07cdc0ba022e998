//! Whatever is asked, the wire says what the limiter does, and a wait that is told is enough.

use super::*;

/// One request of a sequence, which comes so long after the answer before.
#[derive(Clone, Debug)]
struct Asked {
    gap: Duration,
    max_tokens: u32,
    stream: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let gap = prop_oneof![Just(0), 0..2_000_000_000_u64, 0..90_000_000_000_u64].prop_map(Duration::from_nanos);
    (gap, 1..80_u32, any::<bool>()).prop_map(|(gap, max_tokens, stream)| Asked { gap, max_tokens, stream })
}

/// How a dialect writes that all of a limit is there again: what it is called, and to how long a time it is rounded up.
struct Resets {
    dialect: &'static str,
    prefix: &'static str,
    names: fn(&str, &str) -> String,
    unit: Duration,
    /// How many resources have headers of their own: requests, tokens, those of prompts and of completions.
    resources: usize,
    /// How long after the answer's head, which left so long after the start.
    read: fn(&str, Duration) -> Duration,
}

const RESETS: [Resets; 5] = [
    Resets { dialect: "openai", prefix: "x-ratelimit", names: as_openai, unit: ms(1), resources: 2, read: |text, _| go(text) },
    Resets { dialect: "groq", prefix: "x-ratelimit", names: as_openai, unit: ms(1), resources: 2, read: |text, _| go(text) },
    Resets {
        dialect: "azure",
        prefix: "x-ratelimit",
        names: as_openai,
        unit: ms(1_000),
        resources: 2,
        read: |text, _| Duration::from_secs(text.parse().unwrap()),
    },
    Resets {
        dialect: "anthropic",
        prefix: "anthropic-ratelimit",
        names: |what, resource| format!("{resource}-{what}"),
        unit: ms(1_000),
        resources: 4,
        read: |text, head| since_start(text.parse().unwrap()).saturating_sub(head),
    },
    Resets {
        dialect: "openrouter",
        prefix: "x-ratelimit",
        names: |what, _| what.to_owned(),
        unit: ms(1),
        resources: 1,
        read: |text, head| since_start(jiff::Timestamp::from_millisecond(text.parse().unwrap()).unwrap()).saturating_sub(head),
    },
];

/// How long after the beginning of a run in virtual time.
fn since_start(at: jiff::Timestamp) -> Duration {
    let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Duration::try_from(at.duration_since(start)).unwrap()
}

fn as_openai(what: &str, resource: &str) -> String {
    format!("{what}-{resource}")
}

/// `1h2m3.004s` or `5ms`.
fn go(text: &str) -> Duration {
    let Some(seconds) = text.strip_suffix("ms") else {
        let (hours, rest) = text.split_once('h').unwrap_or(("0", text));
        let (minutes, rest) = rest.split_once('m').unwrap_or(("0", rest));
        let whole: u64 = hours.parse::<u64>().unwrap() * 3600 + minutes.parse::<u64>().unwrap() * 60;
        let (seconds, fraction) = rest.strip_suffix('s').unwrap().split_once('.').unwrap_or((rest.trim_end_matches('s'), "0"));
        let fraction = format!("{fraction:0<3}");
        return Duration::from_secs(whole + seconds.parse::<u64>().unwrap()) + ms(fraction.parse().unwrap());
    };
    ms(seconds.parse().unwrap())
}

impl Resets {
    /// That an answer, whose head left so long after the start, says what the machine says.
    #[track_caller]
    fn are(&self, answer: &str, standings: &[Standing], head: Duration) {
        let all = [
            ("requests", Resource::Requests),
            ("tokens", Resource::Tokens),
            ("input-tokens", Resource::InputTokens),
            ("output-tokens", Resource::OutputTokens),
        ];
        for (name, resource) in all.into_iter().take(self.resources) {
            let named = |what| format!("{}-{}", self.prefix, (self.names)(what, name));
            let expected = standings.iter().find(|standing| (standing.resource, standing.period) == (resource, Period::Minute));
            let expected = expected.unwrap();
            let actual = (figure(answer, &named("remaining")), figure(answer, &named("limit")));
            assert_eq!(actual, (expected.remaining, expected.limit), "{name}: {answer}");
            let reset = (self.read)(header(answer, &named("reset")).unwrap(), head);
            // Rounded up, so that waiting is enough, and no further than it must.
            assert!(expected.reset <= reset && reset < expected.reset + self.unit, "{name} {:?}: {answer}", expected.reset);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The machine is told the same by hand, and has its own proofs.
    #[test]
    fn whatever_is_asked_the_wire_says_what_the_machine_does(
        sequence in prop::collection::vec(asked(), 1..25),
        window in prop::sample::select(&["bucket", "fixed", "sliding"][..]),
        which in 0..RESETS.len(),
    ) {
        const LATENCY: Duration = Duration::from_millis(250);
        let resets = &RESETS[which];
        let kinds = if resets.resources == 4 { "input_tokens_per_minute = 90, output_tokens_per_minute = 200, " } else { "" };
        let limits = format!("limits = {{ requests_per_minute = 9, tokens_per_minute = 300, {kinds}window = \"{window}\" }}");
        let toml = format!("dialect = \"{}\"\n{ANSWERS}{limits}", resets.dialect);
        run_virtual(async move {
            let server = server(&toml);
            let mut mirror = Limiter::new(&profile(&toml)).unwrap();
            let caller = Caller::new("sk-test", None);
            let (start, model) = (now(), 0);
            for Asked { gap, max_tokens, stream } in sequence {
                sleep(gap).await;
                let arrived = start.elapsed();
                let answer = ask(&server, &format!(r#","max_tokens":{max_tokens},"stream":{stream}"#)).await;
                let cost = |output: u32| Cost { input: PROMPT, output: output.into() };
                let used = cost(max_tokens.min(14));
                let (standings, head) = match mirror.admit(caller, model, cost(max_tokens), arrived) {
                    Ok(reservation) => {
                        assert_eq!((status(&answer), start.elapsed()), (200, arrived + LATENCY));
                        // A stream spreads its tokens over the latency, and its head leaves with the first.
                        let head = arrived + if stream { LATENCY / max_tokens.min(14) } else { LATENCY };
                        let mut standings = mirror.standings(caller, model, head);
                        mirror.settle(reservation, used, arrived + LATENCY);
                        if !stream {
                            standings = mirror.standings(caller, model, head);
                        } else if max_tokens == 1 {
                            // All of it goes out at once: the head is made before the body.
                            assert_eq!(head, arrived + LATENCY);
                        }
                        (standings, head)
                    }
                    Err(reached) => {
                        assert_eq!((status(&answer), start.elapsed()), (429, arrived));
                        let LimitReached::Rate { wait, .. } = reached else { panic!("{reached:?}") };
                        if ["openai", "azure"].contains(&resets.dialect) {
                            assert_eq!(u128::from(figure(&answer, "retry-after-ms")), wait.as_nanos().div_ceil(1_000_000));
                        }
                        assert_eq!(u128::from(figure(&answer, "retry-after")), wait.as_nanos().div_ceil(1_000_000_000));
                        (mirror.standings(caller, model, arrived), arrived)
                    }
                };
                resets.are(&answer, &standings, head);
            }
        });
    }

    #[test]
    fn a_client_that_waits_as_long_as_it_is_told_is_refused_once_at_most(
        sequence in prop::collection::vec(asked(), 1..25),
        window in prop::sample::select(&["bucket", "fixed", "sliding"][..]),
    ) {
        run_virtual(async move {
            let limits = "requests_per_minute = 5, tokens_per_minute = 200, tokens_per_day = 600, requests_per_day = 20";
            let server = server(&format!("{ANSWERS}limits = {{ {limits}, window = \"{window}\" }}"));
            for Asked { gap, max_tokens, stream } in sequence {
                sleep(gap).await;
                let extra = format!(r#","max_tokens":{max_tokens},"stream":{stream}"#);
                let answer = ask(&server, &extra).await;
                if status(&answer) == 429 {
                    sleep(ms(figure(&answer, "retry-after-ms"))).await;
                    let retried = ask(&server, &extra).await;
                    assert_eq!(status(&retried), 200, "{answer}\n{retried}");
                }
            }
        });
    }
}
