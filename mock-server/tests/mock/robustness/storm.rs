//! Garbage by the thousands: no panic, no connection that stays, no memory that is not given back.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use relaybench_clock::{now, run_virtual};
use relaybench_mock::{Ledger, MockRelay, MockServer, Profile, Settings, memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::garbage::Garbage;
use super::still_answers;
use crate::support::{chat, status};

/// Panics of this thread, and of relays' threads: tasks hide theirs.
fn panics() -> u64 {
    thread_local!(static HERE: Cell<u64> = const { Cell::new(0) });
    static IN_RELAYS: AtomicU64 = AtomicU64::new(0);
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            HERE.set(HERE.get() + 1);
            if std::thread::current().name() == Some("relaybench-mock") {
                IN_RELAYS.fetch_add(1, Relaxed);
            }
            print(panic);
        }));
    });
    HERE.get() + IN_RELAYS.load(Relaxed)
}

/// A ledger that keeps little, so that memory tells what the server holds.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.ledger = Ledger::keeping(1_000);
    settings
}

fn instant() -> Profile {
    Profile::load("instant").unwrap()
}

/// Sends so many strings, each over a connection of its own in memory.
async fn in_memory(server: &MockServer, garbage: &mut Garbage, count: usize) {
    // Garbage may ask for what takes long, such as a hang: then it is the caller who leaves.
    const PATIENCE: Duration = Duration::from_secs(10);
    // So long after its caller a connection has ended.
    const AFTERMATH: Duration = Duration::from_secs(2);
    for _ in 0..count {
        let (bytes, ends_sending) = (garbage.next().unwrap_or_default(), garbage.below(2) == 0);
        let (mut near, far) = memory::pair(4096);
        let served = tokio::spawn(server.serve_connection(far));
        let exchanged = async {
            if near.write_all(&bytes).await.is_ok() && (!ends_sending || near.shutdown().await.is_ok()) {
                let _ = near.read_to_end(&mut Vec::new()).await;
            }
        };
        let _ = relaybench_clock::timeout_at(now() + PATIENCE, exchanged).await;
        drop(near);
        let ended = relaybench_clock::timeout_at(now() + AFTERMATH, served).await;
        assert!(ended.is_ok_and(|ended| ended.is_ok()), "still there: {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// Sends so many over sockets. Each comes from one of 200 addresses, whose ports do not run out.
fn over_sockets(relay: &MockRelay, garbage: &mut Garbage, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for number in 0..count {
        let (bytes, ends_sending) = (garbage.next().unwrap_or_default(), garbage.below(2) == 0);
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            let from =
                if cfg!(target_os = "linux") { Ipv4Addr::new(127, 0, 1, (number % 200) as u8) } else { Ipv4Addr::LOCALHOST };
            socket.bind(SocketAddr::from((from, 0))).unwrap();
            socket.connect(relay.addr()).await.unwrap().into_std().unwrap()
        });
        let mut stream = stream;
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // The others leave at once.
        if stream.write_all(&bytes).is_ok() && ends_sending && stream.shutdown(std::net::Shutdown::Write).is_ok() {
            let ended = stream.read_to_end(&mut Vec::new());
            let is_held = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!is_held, "held open: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

fn nothing_is_left(server: &MockServer) {
    assert_eq!(
        (server.connections(), server.in_flight(), server.ledger().open(), server.ledger().connections_live()),
        (0, 0, 0, 0)
    );
}

fn relay_has_nothing_left(relay: &MockRelay) {
    // Its thread notices the last caller's end when it runs next.
    const PATIENCE: Duration = Duration::from_secs(60);
    let since = now();
    while relay.server().connections() > 0 {
        assert!(now() - since < PATIENCE, "{} connections are still there", relay.server().connections());
        std::thread::yield_now();
    }
    nothing_is_left(relay.server());
    let mut stream = std::net::TcpStream::connect(relay.addr()).unwrap();
    stream.write_all(&chat("", "")).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200);
}

#[test]
fn twenty_thousand_strings_in_memory_leave_no_trace() {
    let before = panics();
    run_virtual(async {
        let server = MockServer::with_settings(instant(), settings());
        in_memory(&server, &mut Garbage::new(1), 20_000).await;
        nothing_is_left(&server);
        assert!(still_answers(&server).await);
    });
    assert_eq!(panics(), before);
}

#[test]
fn two_thousand_strings_over_sockets_leave_no_trace() {
    let before = panics();
    let relay = MockRelay::builder(instant()).settings(settings()).start().unwrap();
    over_sockets(&relay, &mut Garbage::new(2), 2_000);
    relay_has_nothing_left(&relay);
    assert_eq!(panics(), before);
}

/// Resident memory in KB and open files, where the system tells.
#[cfg(target_os = "linux")]
fn held() -> (u64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kb = line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    (kb, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

/// `cargo test -p relaybench-mock --test mock -- --ignored a_million --nocapture` takes some minutes.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes minutes"]
fn a_million_strings_leave_no_trace_and_memory_flat() {
    const IN_MEMORY: usize = 900_000;
    const OVER_SOCKETS: usize = 100_000;
    const TENTHS: usize = 10;
    /// What an allocator may keep for itself.
    const SLACK_KB: u64 = 8 * 1024;
    let (panics_before, started) = (panics(), now());
    // One of each for all of it, so that what either of them holds too long adds up.
    let relay = MockRelay::builder(instant()).settings(settings()).start().unwrap();
    let tenths = run_virtual(async move {
        let server = MockServer::with_settings(instant(), settings());
        let (mut memory_garbage, mut socket_garbage, mut tenths) = (Garbage::new(3), Garbage::new(4), Vec::new());
        for tenth in 1..=TENTHS {
            in_memory(&server, &mut memory_garbage, IN_MEMORY / TENTHS).await;
            nothing_is_left(&server);
            assert!(still_answers(&server).await);
            // In a thread, where time is real.
            let sockets = || {
                over_sockets(&relay, &mut socket_garbage, OVER_SOCKETS / TENTHS);
                relay_has_nothing_left(&relay);
                started.elapsed()
            };
            let took = std::thread::scope(|scope| scope.spawn(sockets).join().unwrap());
            let (kb, files) = held();
            println!("{tenth}/10: {kb} KB resident, {files} open files, {took:.0?}");
            tenths.push((kb, files));
        }
        tenths
    });
    let (first, last) = (tenths[0], tenths[TENTHS - 1]);
    assert_eq!(panics(), panics_before);
    assert!(last.0 <= first.0 + SLACK_KB && last.1 <= first.1 + 1, "from {first:?} to {last:?}");
}
