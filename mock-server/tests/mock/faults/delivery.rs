//! A reset is at its place: all that comes before it is delivered first, however much it is and however slowly it is read.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use relaybench_mock::{Ending, FaultOutcome, MockRelay, Settings};

use crate::support::{KEY, chat, ms, profile, request};

/// A request for 1.5 MB of vectors, which is more than sockets hold.
fn large(headers: &str) -> Vec<u8> {
    let texts = vec!["\"a\""; 80].join(",");
    let body = format!(r#"{{"model":"gpt-4.1","input":[{texts}]}}"#);
    request("POST", "/v1/embeddings", &format!("{KEY}{headers}"), &body)
}

/// What is read in small pieces after a pause, and whether a reset ended it.
fn read_slowly(socket: &mut TcpStream) -> (Vec<u8>, bool) {
    // Nothing depends on how long it is: the relay has time to write all that sockets hold.
    std::thread::park_timeout(ms(200));
    let (mut bytes, mut buffer) = (Vec::new(), [0; 5_000]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (bytes, false),
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return (bytes, true);
            }
        }
    }
}

/// The announced and the real length of the first answer in these bytes.
fn lengths(bytes: &[u8]) -> (usize, usize) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (length.parse().unwrap(), bytes.len() - end)
}

fn sent(relay: &MockRelay, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(relay.addr()).unwrap();
    socket.write_all(bytes).unwrap();
    socket
}

fn outcomes(relay: &MockRelay) -> Vec<(Option<FaultOutcome>, Ending)> {
    while relay.ledger().open() > 0 {
        std::thread::yield_now();
    }
    relay.ledger().entries().iter().map(|entry| (entry.fault.map(|fault| fault.outcome), entry.ending)).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_reset_within_a_megabyte_comes_after_all_that_precedes_it() {
    let relay = MockRelay::start(profile("")).unwrap();
    let mut socket = sent(&relay, &large("x-mock-fault: reset-mid-body=90%\r\n"));
    let (bytes, is_reset) = read_slowly(&mut socket);
    let (announced, came) = lengths(&bytes);
    assert!(announced > 1 << 20 && is_reset, "{announced} {is_reset}");
    assert_eq!(came, announced * 90 / 100);
    assert_eq!(outcomes(&relay), [(Some(FaultOutcome::Played), Ending::Broken)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reset_in_a_pipeline_leaves_the_answer_before_it_whole() {
    let relay = MockRelay::start(profile("")).unwrap();
    let first = String::from_utf8(large("")).unwrap().replace("connection: close\r\n", "");
    let mut socket = sent(&relay, &[first.as_bytes(), &chat("x-mock-fault: reset\r\n", "")].concat());
    let (bytes, is_reset) = read_slowly(&mut socket);
    let (announced, came) = lengths(&bytes);
    assert!(announced > 1 << 20 && is_reset, "{announced} {is_reset}");
    assert_eq!(came, announced);
    assert_eq!(outcomes(&relay), [(None, Ending::Served), (Some(FaultOutcome::Played), Ending::Broken)]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_reset_that_cannot_come_to_its_place_was_not_reached() {
    let mut settings = Settings::default();
    settings.limits.write_timeout = Some(ms(50));
    let relay = MockRelay::builder(profile("")).settings(settings).start().unwrap();
    // One caller takes nothing, the other leaves.
    let request = large("x-mock-fault: reset-mid-body=90%\r\n");
    let _idle = sent(&relay, &request);
    drop(sent(&relay, &request));
    while relay.ledger().entries().len() < 2 {
        std::thread::yield_now();
    }
    let mut seen = outcomes(&relay);
    seen.sort_by_key(|(_, ending)| *ending == Ending::CallerLeft);
    assert_eq!(seen, [Ending::GivenUp, Ending::CallerLeft].map(|ending| (Some(FaultOutcome::NotReached), ending)));
}
