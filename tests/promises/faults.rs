//! Whatever befalls an attempt, the client labels it as what it was: over both transports, over sockets and in memory.

use std::time::Duration;

use relaybench::client::{Attempt, Client, ClientBuilder, ErrorKind, Policy, Progress, TransportKind, connector};
use relaybench_clock::{run_virtual, sleep};
use relaybench_mock::{FaultKind, FaultOutcome, MockRelay, MockServer, memory};
use tokio::runtime::Builder;

use crate::support::raw_relay::question;
use crate::support::runs::profile;
use crate::support::sockets::BOTH;

const PROFILE: &str = "name = \"faulty\"\ncompletion.tokens = { dist = \"fixed\", value = 9 }";
/// Long beside what any machine needs to answer at once.
const PATIENCE: Duration = Duration::from_secs(20);
/// For what never ends.
const IMPATIENCE: Duration = Duration::from_millis(400);

/// What the client makes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label {
    failure: Option<ErrorKind>,
    progress: Progress,
    billed: bool,
}

const fn failed(failure: ErrorKind, progress: Progress, billed: bool) -> Label {
    Label { failure: Some(failure), progress, billed }
}

const GOOD: Label = Label { failure: None, progress: Progress::Content, billed: true };

/// What becomes of whole answers.
const WHOLE: [(&str, Label); 21] = [
    ("status=503", failed(ErrorKind::Status(503), Progress::Content, false)),
    ("status=429", failed(ErrorKind::RateLimited, Progress::Content, false)),
    ("html=502", failed(ErrorKind::Status(502), Progress::Content, false)),
    ("hang", failed(ErrorKind::TotalTimeout, Progress::NoResponse, true)),
    ("slow-headers=50ms", GOOD),
    ("slow-headers=1h", failed(ErrorKind::TotalTimeout, Progress::NoResponse, true)),
    ("stall=100b", failed(ErrorKind::TotalTimeout, Progress::Content, true)),
    ("stall=0b", failed(ErrorKind::TotalTimeout, Progress::Headers, true)),
    ("drip=1", failed(ErrorKind::TotalTimeout, Progress::Content, true)),
    ("truncate", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("truncate=0b", failed(ErrorKind::Truncated, Progress::Headers, true)),
    ("reset", failed(ErrorKind::Reset, Progress::NoResponse, true)),
    ("reset-mid-body", failed(ErrorKind::Reset, Progress::Content, true)),
    // An answer of less than its JSON has ended too early, whatever length its head gives.
    ("short-length", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("long-length", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("malformed-json", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("bad-chunk-size", failed(ErrorKind::Malformed, Progress::Content, true)),
    ("never-close", failed(ErrorKind::TotalTimeout, Progress::Content, true)),
    ("close", GOOD),
    ("error-in-200", failed(ErrorKind::InBand, Progress::Content, false)),
    ("wrong-model", GOOD),
];

/// What becomes of streams. One whose end is proved has succeeded, whatever comes after it.
const STREAMED: [(&str, Label); 15] = [
    ("hang", failed(ErrorKind::TotalTimeout, Progress::NoResponse, true)),
    ("stall=3c", failed(ErrorKind::TotalTimeout, Progress::Content, true)),
    ("truncate=3c", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("truncate=0c", failed(ErrorKind::Truncated, Progress::Headers, true)),
    ("reset", failed(ErrorKind::Reset, Progress::NoResponse, true)),
    ("reset-mid-body=3c", failed(ErrorKind::Reset, Progress::Content, true)),
    ("short-length", failed(ErrorKind::Truncated, Progress::Content, true)),
    ("long-length", GOOD),
    ("malformed-chunk", failed(ErrorKind::Malformed, Progress::Content, true)),
    ("bad-chunk-size", failed(ErrorKind::Malformed, Progress::Content, true)),
    ("error-event", failed(ErrorKind::InBand, Progress::Content, true)),
    ("no-done", GOOD),
    ("never-close", GOOD),
    ("error-in-200", failed(ErrorKind::InBand, Progress::Content, false)),
    ("wrong-model", GOOD),
];

/// Asks once, and tells what the client makes of it.
async fn ask(client: &Client, is_stream: bool) -> Label {
    let labelled =
        |attempt: &Attempt| Label { failure: attempt.failure, progress: attempt.progress, billed: attempt.possibly_billed() };
    if !is_stream {
        return match client.chat(question()).await {
            Ok(answer) => labelled(&answer.attempts()[0]),
            Err(error) => labelled(&error.attempts()[0]),
        };
    }
    let mut stream = match client.chat_stream(question()).await {
        Ok(stream) => stream,
        Err(error) => return labelled(&error.attempts()[0]),
    };
    while let Some(chunk) = stream.next().await {
        if let Err(error) = chunk {
            return labelled(&error.attempts()[0]);
        }
    }
    labelled(&stream.attempts()[0])
}

fn client(base_url: &str, expected: Label) -> ClientBuilder {
    let patience = if expected.failure == Some(ErrorKind::TotalTimeout) { IMPATIENCE } else { PATIENCE };
    Client::builder().base_url(base_url).api_key("sk-test").policy(Policy::none()).total_timeout(patience)
}

fn over_sockets(fault: FaultKind, is_stream: bool, expected: Label, transport: TransportKind) -> Label {
    let relay = MockRelay::start(profile(PROFILE)).unwrap();
    relay.server().queue_faults(1, fault);
    let client = client(&relay.base_url(), expected).transport(transport).build().unwrap();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(ask(&client, is_stream))
}

fn in_memory(fault: FaultKind, is_stream: bool, expected: Label) -> Label {
    run_virtual(async move {
        let server = MockServer::new(profile(PROFILE));
        server.queue_faults(1, fault);
        let dialled = server.clone();
        let dial = move || {
            let (near, far) = memory::pair(64 * 1024);
            tokio::spawn(dialled.serve_connection(far));
            Ok(near)
        };
        let client = client("http://mock/v1", expected).connector(connector::memory(dial, Duration::ZERO)).build().unwrap();
        let label = ask(&client, is_stream).await;
        drop(client);
        while server.ledger().open() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(server.ledger().entries()[0].fault.unwrap().outcome, FaultOutcome::Played, "{fault}");
        label
    })
}

#[test]
fn the_client_labels_what_a_fault_did() {
    let whole = WHOLE.map(|(fault, label)| (fault, false, label));
    let streamed = STREAMED.map(|(fault, label)| (fault, true, label));
    let mut wrong = Vec::new();
    for (name, is_stream, expected) in whole.into_iter().chain(streamed) {
        let fault = name.parse().unwrap();
        let found = [
            in_memory(fault, is_stream, expected),
            over_sockets(fault, is_stream, expected, BOTH[0]),
            over_sockets(fault, is_stream, expected, BOTH[1]),
        ];
        if found != [expected; 3] {
            wrong.push(format!("{name} (streamed: {is_stream}): {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
