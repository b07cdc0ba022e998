//! Every wait has a clock of its own, exact to the nanosecond, for a client and for a single request.

use std::time::Duration;

use relaybench::client::{ClientBuilder, ErrorKind, Policy, Progress, RequestId, Timeout};
use relaybench::{ChatRequest, Client, Error};
use relaybench_clock::{now, run_virtual, sleep};

use crate::support::raw_relay::{COMPLETION, RawRelay, Step, question, response, success};
use crate::support::streams::{COMMENT, DONE, HEAD, ROLE, finish, said};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
/// No round number, so that nothing is exact by chance.
const FIGURE: Duration = Duration::from_nanos(1_234_567_891);

/// A request that meets one slow step, and what it is of the figure when the step takes longer.
struct Case {
    which: Timeout,
    is_streamed: bool,
    /// The steps, with this wait in the place that the timeout watches.
    steps: fn(Duration) -> Vec<Step>,
    /// What passes before that place.
    before: Duration,
    progress: Progress,
}

const CASES: [Case; 7] = [
    // The one before holds the only place for that long; see `ask`.
    Case {
        which: Timeout::Queue,
        is_streamed: false,
        steps: |wait| vec![Step::Drip(vec![(wait, whole())]), success()],
        before: Duration::ZERO,
        progress: Progress::NeverSent,
    },
    // Opening the connection takes that long; see `ask`.
    Case {
        which: Timeout::Connect,
        is_streamed: false,
        steps: |_| vec![success()],
        before: Duration::ZERO,
        progress: Progress::NeverSent,
    },
    Case {
        which: Timeout::Headers,
        is_streamed: false,
        steps: |wait| vec![Step::Drip(vec![(wait, whole())])],
        before: Duration::ZERO,
        progress: Progress::NoResponse,
    },
    Case {
        which: Timeout::FirstToken,
        is_streamed: true,
        steps: |wait| {
            let begin = wait / 3;
            let nothing = format!("{HEAD}{ROLE}{COMMENT}");
            vec![Step::Drip(vec![(begin, nothing), (wait - begin, said("x") + &finish() + DONE)])]
        },
        before: Duration::ZERO,
        progress: Progress::Content,
    },
    Case {
        which: Timeout::Stall,
        is_streamed: true,
        steps: |wait| vec![Step::Drip(vec![(SECOND, HEAD.to_owned() + &said("x")), (wait, said("y") + &finish() + DONE)])],
        before: SECOND,
        progress: Progress::Content,
    },
    Case {
        which: Timeout::ContentStall,
        is_streamed: true,
        steps: |wait| {
            let pause = wait / 3;
            let first = (SECOND, HEAD.to_owned() + &said("x"));
            let nothing = (pause, format!("{COMMENT}{ROLE}{}", said("")));
            vec![Step::Drip(vec![first, nothing.clone(), nothing, (wait - 2 * pause, said("y") + &finish() + DONE)])]
        },
        before: SECOND,
        progress: Progress::Content,
    },
    Case {
        which: Timeout::Read,
        is_streamed: false,
        steps: |wait| {
            let (head, body) = whole().split_at_checked(whole().len() - 10).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            vec![Step::Drip(vec![(SECOND, head), (wait, body)])]
        },
        before: SECOND,
        progress: Progress::Content,
    },
];

fn whole() -> String {
    response("200 OK", "application/json", &[], COMPLETION)
}

/// Asks where the watched place takes `wait`, and tells how it ended and when.
async fn ask(
    case: &Case,
    wait: Duration,
    builder: fn(ClientBuilder) -> ClientBuilder,
    request: ChatRequest,
) -> Result<(), Error> {
    let relay = RawRelay::start((case.steps)(wait));
    let connecting = if case.which == Timeout::Connect { wait } else { Duration::ZERO };
    let client = builder(relay.client_with_connect_delay(connecting).policy(Policy::none()).max_connections(1)).build().unwrap();
    if case.which == Timeout::Queue {
        let first = client.clone();
        tokio::spawn(async move { first.chat(question()).await });
        tokio::task::yield_now().await;
    }
    if case.is_streamed {
        let mut stream = client.chat_stream(request).await?;
        while let Some(chunk) = stream.next().await {
            chunk?;
        }
        return Ok(());
    }
    client.chat(request).await.map(drop)
}

#[test]
fn every_timeout_strikes_at_its_own_nanosecond_and_names_its_figure() {
    for case in &CASES {
        let name = case.which.kind().as_str();
        run_virtual(async move {
            let request = || question().timeout(case.which, FIGURE);
            ask(case, FIGURE - NANOSECOND, |builder| builder, request()).await.unwrap_or_else(|error| panic!("{name}: {error}"));

            let start = now();
            let error = ask(case, FIGURE + NANOSECOND, |builder| builder, request()).await.expect_err(name);
            assert_eq!((error.kind(), start.elapsed()), (case.which.kind(), case.before + FIGURE), "{name}: {error}");
            assert!(error.to_string().contains("1.234567891s") && error.is_timeout(), "{name}: {error}");
            assert_eq!(error.attempts()[0].progress, case.progress, "{name}");
        });
    }
}

#[test]
fn the_policy_gives_the_default_of_every_timeout_and_a_request_may_lift_it() {
    fn strict(mut builder: ClientBuilder) -> ClientBuilder {
        for which in Timeout::ALL {
            builder = builder.timeout(which, FIGURE);
        }
        builder
    }
    // What else runs while this place is waited in is lifted too.
    let lifted = |which| match which {
        Timeout::Queue | Timeout::Connect => vec![],
        Timeout::Headers => vec![Timeout::Read],
        Timeout::FirstToken | Timeout::ContentStall | Timeout::Read => vec![],
        Timeout::Stall => vec![Timeout::ContentStall, Timeout::Read],
        other => panic!("{other:?}"),
    };
    for case in &CASES {
        run_virtual(async move {
            let start = now();
            let error = ask(case, FIGURE + NANOSECOND, strict, question()).await.unwrap_err();
            assert_eq!((error.kind(), start.elapsed()), (case.which.kind(), case.before + FIGURE), "{error}");

            let others = lifted(case.which).into_iter().fold(question(), |request, other| request.timeout(other, None));
            let free = ask(case, FIGURE + NANOSECOND, strict, others.timeout(case.which, None)).await;
            free.unwrap_or_else(|error| panic!("{:?}: {error}", case.which));
        });
    }
}

#[test]
fn a_request_may_have_more_or_less_time_than_its_client_gives() {
    run_virtual(async {
        let slow = Step::Drip(vec![(50 * SECOND, whole())]);
        let relay = RawRelay::start([slow.clone(), slow]);
        let client = relay.client().policy(Policy::resilient()).build().unwrap();
        let patient = question().total_timeout(60 * SECOND).timeout(Timeout::Read, None);
        client.chat(patient).await.unwrap();

        let start = now();
        let hurried = client.prepare(&question().total_timeout(FIGURE)).unwrap();
        let error = client.send(&hurried, RequestId::new("r").unwrap()).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TotalTimeout, FIGURE));
        assert!(error.to_string().contains("1.234567891s"), "{error}");
    });
}

#[test]
fn a_timeout_of_nothing_is_refused_before_anything_is_sent() {
    run_virtual(async {
        let relay = RawRelay::start([success()]);
        let client = relay.client().build().unwrap();
        let error = client.chat(question().timeout(Timeout::FirstToken, Duration::ZERO)).await.unwrap_err();
        assert_eq!(error.to_string(), "the first-token timeout must be above zero");
        assert!(client.prepare(&question().total_timeout(Duration::ZERO)).is_err());
        assert!(relay.client().timeout(Timeout::Stall, Duration::ZERO).build().is_err());
        assert!(relay.attempts().is_empty());
    });
}

#[test]
fn the_clocks_of_streams_do_not_cut_a_whole_answer() {
    run_virtual(async {
        let whole = whole();
        let (head, body) = whole.split_at(whole.len() - COMPLETION.len());
        let (first, second) = body.split_at(100);
        let pieces = [(Duration::ZERO, head), (60 * SECOND, first), (60 * SECOND, second)];
        let relay = RawRelay::start([Step::Drip(pieces.map(|(pause, piece)| (pause, piece.to_owned())).to_vec())]);
        let strict = [Timeout::FirstToken, Timeout::Stall, Timeout::ContentStall];
        let builder = relay.client().policy(Policy::none());
        let client = strict.into_iter().fold(builder, |builder, which| builder.timeout(which, SECOND)).build().unwrap();
        assert_eq!(client.chat(question()).await.unwrap().content(), "Hello.");
    });
}

/// A client all of whose stream clocks are a second.
fn strict_client(relay: &RawRelay) -> Client {
    let builder = relay.client().policy(Policy::none()).timeout(Timeout::FirstToken, SECOND);
    builder.timeout(Timeout::Stall, SECOND).timeout(Timeout::ContentStall, SECOND).build().unwrap()
}

#[test]
fn reasoning_and_tool_calls_are_content() {
    run_virtual(async {
        let pause = SECOND * 9 / 10;
        let piece = |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
        let thinking = piece(r#"{"content":null,"reasoning_content":"Hm"}"#);
        let calling = piece(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#);
        let pieces = [HEAD.to_owned() + &thinking, thinking, calling.clone(), calling, finish() + DONE];
        let relay = RawRelay::start([Step::Drip(pieces.map(|piece| (pause, piece)).to_vec())]);
        let start = now();
        let mut stream = strict_client(&relay).chat_stream(question()).await.unwrap();
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
        }
        let record = &stream.attempts()[0];
        assert_eq!((record.first_token, record.last_token), (Some(start + pause), Some(start + 4 * pause)));
        assert_eq!((record.head, record.ended), (Some(start + pause), start + 5 * pause));
    });
}

#[test]
fn a_slow_reader_is_not_mistaken_for_a_silent_server() {
    run_virtual(async {
        let pause = SECOND * 9 / 10;
        let pieces =
            [HEAD.to_owned() + &said("a"), COMMENT.to_owned(), said("b"), COMMENT.to_owned(), said("c") + &finish() + DONE];
        let pieces =
            pieces.into_iter().enumerate().map(|(index, piece)| (if index % 2 == 0 { pause } else { SECOND / 20 }, piece));
        let relay = RawRelay::start([Step::Drip(pieces.collect())]);
        let mut stream = strict_client(&relay).chat_stream(question()).await.unwrap();
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
            sleep(60 * SECOND).await;
        }
        assert_eq!(stream.so_far().content, "abc");
    });
}

#[test]
fn a_slow_reader_does_not_outlive_the_total_although_all_lies_ready() {
    run_virtual(async {
        let all = HEAD.to_owned() + &said("a").repeat(100) + &finish() + DONE;
        let relay = RawRelay::start([Step::Write(all)]);
        let mut stream = strict_client(&relay).chat_stream(question().total_timeout(10 * SECOND)).await.unwrap();
        let start = now();
        let error = loop {
            match stream.next().await.expect("it does not end well") {
                Ok(_) => sleep(SECOND * 3).await,
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), now() - start), (ErrorKind::TotalTimeout, 12 * SECOND));
        assert_eq!(stream.so_far().content, "aaaa");
    });
}

#[test]
fn a_slow_reader_still_learns_that_the_server_is_silent() {
    run_virtual(async {
        let endless = (3600 * SECOND, String::new());
        let relay = RawRelay::start([Step::Drip(vec![(SECOND / 2, HEAD.to_owned() + &said("a")), endless])]);
        let mut stream = strict_client(&relay).chat_stream(question()).await.unwrap();
        stream.next().await.unwrap().unwrap();
        sleep(60 * SECOND).await;
        let start = now();
        assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::StallTimeout);
        assert_eq!(start.elapsed(), SECOND);
    });
}

#[test]
fn a_stream_that_stalls_before_its_first_content_is_tried_again_and_after_it_is_not() {
    run_virtual(async {
        let stuck =
            |text: &str| Step::Drip(vec![(Duration::ZERO, format!("{HEAD}{ROLE}{text}")), (3600 * SECOND, String::new())]);
        let good = Step::WriteAndClose(format!("{HEAD}{ROLE}{}{}{DONE}", said("Hello."), finish()));
        let relay = RawRelay::start([stuck(COMMENT), good, stuck(&said("Hel"))]);
        let client = relay.client().build().unwrap();
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert_eq!(stream.attempts()[0].failure, Some(ErrorKind::StallTimeout));
        while let Some(chunk) = stream.next().await {
            chunk.unwrap();
        }
        assert_eq!((stream.so_far().content.as_str(), stream.attempts().len()), ("Hello.", 2));

        let mut stream = client.chat_stream(question()).await.unwrap();
        while let Some(Ok(_)) = stream.next().await {}
        assert_eq!(relay.attempts().len(), 3);
    });
}
