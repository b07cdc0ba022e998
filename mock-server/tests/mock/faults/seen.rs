//! What a raw socket sees: the same request over TCP, in real time, and in memory, in virtual time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use relaybench_clock::{now, run_virtual, timeout_at};
use relaybench_mock::{Ending, Entry, FaultOutcome, MockRelay, MockServer, memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{chat, ms, profile};

/// How long a socket is watched for whether it is still open: whoever is slower sees what should be seen all the same.
const WATCHED: Duration = Duration::from_millis(150);

/// What came, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) head: String,
    /// Everything behind the head.
    pub(crate) rest: Vec<u8>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The end of file: a FIN.
    Closed,
    /// ECONNRESET.
    Reset,
    /// None yet.
    Open,
}

impl Seen {
    fn new(bytes: &[u8], end: End) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, rest) = match text.split_once("\r\n\r\n") {
            Some((head, rest)) => (format!("{head}\r\n"), rest.as_bytes().to_vec()),
            None => (text, Vec::new()),
        };
        // What differs from one run to the next.
        let differs = |line: &str| line.starts_with("date: ") || line.starts_with("openai-processing-ms: ");
        let head = head.split_inclusive("\r\n").filter(|line| !differs(line)).collect();
        Self { head, rest: without_time(&rest), end }
    }

    pub(crate) fn status(&self) -> u16 {
        crate::support::status(&self.head)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.rest.clone()).unwrap()
    }

    /// The payload of a body in chunks, and what follows the last that is whole.
    pub(crate) fn unchunked(&self) -> (String, String) {
        assert_eq!(self.header("transfer-encoding"), Some("chunked"), "{}", self.head);
        let (mut payload, mut rest) = (String::new(), self.text());
        while let Some((size, behind)) = rest.split_once("\r\n") {
            let Ok(size) = usize::from_str_radix(size, 16) else { break };
            payload += &behind[..size];
            rest = behind[size..].strip_prefix("\r\n").unwrap().to_owned();
            if size == 0 {
                return (payload, format!("complete{rest}"));
            }
        }
        (payload, rest)
    }
}

/// When an answer was made is in it.
fn without_time(bytes: &[u8]) -> Vec<u8> {
    const KEY: &str = "\"created\":";
    let mut text = String::from_utf8(bytes.to_vec()).unwrap();
    let places: Vec<usize> = text.match_indices(KEY).map(|(place, _)| place + KEY.len()).collect();
    for place in places {
        let digits = text[place..].bytes().take_while(u8::is_ascii_digit).count();
        text.replace_range(place..place + digits, &"1".repeat(digits));
    }
    text.into_bytes()
}

pub(crate) const PROFILE: &str = "completion.tokens = { dist = \"fixed\", value = 9 }\n";
const NAMED: &str = "x-client-request-id: a\r\nx-stainless-retry-count: 0\r\n";

/// What comes of a request that asks for this fault, over both kinds of connection, which is the same; and its entry.
#[track_caller]
pub(crate) fn seen(fault: &str, is_stream: bool) -> (Seen, Entry) {
    ask(&format!("x-mock-fault: {fault}\r\n"), is_stream, str::to_owned)
}

/// Without any fault.
#[track_caller]
pub(crate) fn ordinary(is_stream: bool) -> Seen {
    ask("", is_stream, str::to_owned).0
}

/// As [`seen`], of a request that does not ask for the end of the connection.
#[track_caller]
pub(crate) fn seen_kept_alive(fault: &str, is_stream: bool) -> (Seen, Entry) {
    ask(&format!("x-mock-fault: {fault}\r\n"), is_stream, |request| request.replace("connection: close\r\n", ""))
}

#[track_caller]
fn ask(headers: &str, is_stream: bool, change: impl Fn(&str) -> String) -> (Seen, Entry) {
    let extra = if is_stream { ",\"stream\":true" } else { "" };
    let request = change(&String::from_utf8(chat(&format!("{NAMED}{headers}"), extra)).unwrap());
    let (over_tcp, tcp_entry) = over_tcp(request.as_bytes());
    let (in_memory, entry) = run_virtual(in_memory(request.into_bytes()));
    assert_eq!(over_tcp, in_memory);
    assert_eq!((tcp_entry.fault, tcp_entry.ending, tcp_entry.status), (entry.fault, entry.ending, entry.status));
    (over_tcp, entry)
}

fn over_tcp(request: &[u8]) -> (Seen, Entry) {
    let relay = MockRelay::start(profile(PROFILE)).unwrap();
    let mut socket = TcpStream::connect(relay.addr()).unwrap();
    socket.write_all(request).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        socket.set_read_timeout(Some(if bytes.is_empty() { WATCHED * 4 } else { WATCHED })).unwrap();
        match socket.read(&mut buffer) {
            Ok(0) => break End::Closed,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset => break End::Reset,
                ErrorKind::WouldBlock | ErrorKind::TimedOut => break End::Open,
                // By a signal to the process.
                ErrorKind::Interrupted => {}
                kind => panic!("{kind}"),
            },
        }
    };
    drop(socket);
    while relay.ledger().open() > 0 {
        std::thread::yield_now();
    }
    (Seen::new(&bytes, end), relay.ledger().entries().remove(0))
}

async fn in_memory(request: Vec<u8>) -> (Seen, Entry) {
    let server = MockServer::new(profile(PROFILE));
    let (mut near, far) = memory::pair(1 << 20);
    tokio::spawn(server.serve_connection(far));
    near.write_all(&request).await.unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        // Half an hour is less than the longest hang.
        match timeout_at(now() + ms(1_800_000), near.read(&mut buffer)).await {
            Err(_) => break End::Open,
            Ok(Ok(0)) => break End::Closed,
            Ok(Ok(n)) => bytes.extend_from_slice(&buffer[..n]),
            Ok(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                break End::Reset;
            }
        }
    };
    drop(near);
    while server.ledger().open() > 0 {
        tokio::task::yield_now().await;
    }
    (Seen::new(&bytes, end), server.ledger().entries().remove(0))
}

/// That the ledger has it, and how the attempt ended.
#[track_caller]
pub(crate) fn is_played(entry: &Entry, ending: Ending) {
    assert_eq!((entry.fault.map(|fault| fault.outcome), entry.ending), (Some(FaultOutcome::Played), ending));
}
