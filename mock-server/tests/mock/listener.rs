//! What befalls connections before anything is asked over them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use relaybench_clock::{now, run_virtual, sleep};
use relaybench_mock::relay::{Tally, welcome};
use relaybench_mock::{Ending, FaultName, FaultOutcome, MockRelay, PlannedFault, ServerLimits, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{chat, connect, http2, ms, profile, server, status};

fn error_of_connecting(addr: SocketAddr) -> Option<ErrorKind> {
    TcpStream::connect(addr).err().map(|error| error.kind())
}

/// The listener hears of a swap when its thread runs next.
fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        std::thread::yield_now();
    }
}

#[test]
fn who_connects_to_a_relay_that_refuses_from_its_start_is_refused_by_the_system() {
    let relay = MockRelay::start(profile("[[fault]]\nfault = \"refuse\"")).unwrap();
    for _ in 0..20 {
        assert_eq!(error_of_connecting(relay.addr()), Some(ErrorKind::ConnectionRefused));
    }
    assert_eq!((relay.ledger().connections_opened(), relay.ledger().entries().len()), (0, 0));
}

#[test]
fn those_who_wait_to_be_accepted_when_all_are_refused_are_reset_and_are_entries() {
    let mut limits = ServerLimits::default();
    limits.max_connections = Some(1);
    let mut settings = Settings::default();
    settings.limits = limits;
    let relay = MockRelay::builder(profile("")).settings(settings).start().unwrap();
    let first = TcpStream::connect(relay.addr()).unwrap();
    until(|| relay.ledger().connections_opened() == 1);
    // There is no place for them, so that the system alone knows of them.
    let mut waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(relay.addr()).unwrap()).collect();
    relay.server().swap_profile(profile("[[fault]]\nfault = \"refuse\""));
    for connection in &mut waiting {
        assert_eq!(connection.read(&mut [0; 10]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    }
    until(|| error_of_connecting(relay.addr()) == Some(ErrorKind::ConnectionRefused));
    let refused = PlannedFault { name: FaultName::Refuse, outcome: FaultOutcome::Played };
    let seen: Vec<_> = relay.ledger().entries().iter().map(|entry| (entry.connection, entry.fault, entry.ending)).collect();
    // Who connected in between, while it was looked, is refused as well.
    assert_eq!(seen[..3], [1, 2, 3].map(|number| (number, Some(refused), Ending::Broken)));
    drop(first);
}

#[test]
fn while_all_are_refused_the_system_refuses_them_and_afterwards_the_same_port_serves() {
    let refusing = || profile("[[fault]]\nfault = \"refuse\"");
    let relay = MockRelay::start(refusing()).unwrap();
    let mut connection = None;
    for _ in 0..3 {
        until(|| error_of_connecting(relay.addr()) == Some(ErrorKind::ConnectionRefused));
        let opened = relay.ledger().connections_opened();
        relay.server().swap_profile(profile(""));
        until(|| {
            connection = TcpStream::connect(relay.addr()).ok();
            connection.is_some()
        });
        // The system connects callers before the relay takes them in, and resets those who still wait when nobody listens any more.
        until(|| relay.ledger().connections_opened() > opened);
        relay.server().swap_profile(refusing());
    }
    // Whoever came before stays.
    let mut connection = connection.unwrap();
    connection.write_all(&chat("", "")).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200);
}

#[test]
fn a_phase_of_refusal_begins_and_ends_by_itself() {
    let relay =
        MockRelay::start(profile("[[phase]]\nfrom = \"100ms\"\nfor = \"200ms\"\nfault = { fault = \"refuse\" }")).unwrap();
    until(|| error_of_connecting(relay.addr()) == Some(ErrorKind::ConnectionRefused));
    until(|| error_of_connecting(relay.addr()).is_none());
}

#[test]
fn a_listener_that_is_always_behind_its_phases_leaves_the_others_their_turn() {
    // Refusals that begin every two microseconds: looking which of them is in force takes longer than that.
    let phase = |number: u32| {
        let from = 2 * number;
        format!("[[phase]]\nfrom = \"{from}us\"\nfor = \"1us\"\nevery = \"4ms\"\nfault = {{ fault = \"refuse\" }}\n")
    };
    let busy: String = (0..2_000).map(phase).collect();
    let relay = MockRelay::start(profile("")).unwrap();
    let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
    let mut connection = TcpStream::connect(relay.addr()).unwrap();
    connection.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    for round in 0..3 {
        connection.write_all(keep_alive.as_bytes()).unwrap();
        assert!(connection.read(&mut [0; 9_000]).unwrap() > 0);
        if round == 0 {
            relay.server().swap_profile(profile(&busy));
        }
    }
}

#[test]
fn single_connections_that_are_refused_are_reset_and_are_entries() {
    let relay = MockRelay::start(profile("[[fault]]\nfault = \"refuse\"\nfirst = 2")).unwrap();
    let ends: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = TcpStream::connect(relay.addr()).unwrap();
            // Either of the two sees the reset, whichever comes after it.
            let written = connection.write_all(&chat("", ""));
            written.and_then(|()| connection.read_to_end(&mut Vec::new())).map_err(|error| error.kind())
        })
        .collect();
    for end in &ends[..2] {
        assert!(matches!(end, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "{end:?}");
    }
    assert!(ends[2].is_ok());
    let entries = relay.ledger().entries();
    let refused = PlannedFault { name: FaultName::Refuse, outcome: FaultOutcome::Played };
    let seen: Vec<_> = entries.iter().map(|entry| (entry.fault, entry.ending, entry.status)).collect();
    let broken = (Some(refused), Ending::Broken, None);
    assert_eq!(seen, [broken, broken, (None, Ending::Served, Some(200))]);
}

#[test]
fn a_connection_in_memory_is_refused_as_over_sockets() {
    run_virtual(async {
        let server = server("[[phase]]\nfrom = \"1s\"\nfor = \"1s\"\nfault = { fault = \"refuse\" }");
        let kind = || server.connect().err().map(|error| error.kind());
        assert_eq!(kind(), None);
        sleep(ms(1_000)).await;
        assert_eq!(kind(), Some(ErrorKind::ConnectionRefused));
        sleep(ms(1_000)).await;
        assert_eq!(kind(), None);
        let refused: Vec<_> = server.ledger().entries().iter().map(|entry| (entry.connection, entry.ending)).collect();
        assert_eq!(refused, [(1, Ending::Broken)]);
    });
}

#[test]
fn a_connection_that_is_accepted_slowly_is_answered_that_much_later_once() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"slow-accept=3s\"");
        let mut connection = connect(&server);
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        for expected in [3_000, 0] {
            let start = now();
            connection.write_all(keep_alive.as_bytes()).await.unwrap();
            assert!(connection.read(&mut [0; 9_000]).await.unwrap() > 0);
            assert_eq!(now() - start, ms(expected));
        }
    });
}

#[test]
fn whoever_leaves_before_it_is_accepted_is_an_entry_and_no_attempt() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"slow-accept=10s\"");
        let mut stays = server.connect().unwrap();
        stays.write_all(&chat("", "")).await.unwrap();
        drop(server.connect().unwrap());
        sleep(ms(5_000)).await;
        let slow = PlannedFault { name: FaultName::SlowAccept, outcome: FaultOutcome::NotReached };
        let entries = server.ledger().entries();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.connection, entry.fault, entry.ending, entry.arrived_ns)).collect();
        assert_eq!(seen, [(1, Some(slow), Ending::CallerLeft, 0)]);
        server.assert().attempts(0).connections(2);
        assert_eq!(server.connections(), 1);
        // The relay ends before it has let the next in.
        let waits = server.connect().unwrap();
        stays.read_to_end(&mut Vec::new()).await.unwrap();
        server.drain().await;
        drop(waits);
        let seen: Vec<_> = server.ledger().entries().iter().map(|entry| (entry.connection, entry.ending)).collect();
        assert_eq!(seen, [(1, Ending::CallerLeft), (0, Ending::Served), (2, Ending::Stopped)]);
    });
}

#[test]
fn an_idle_connection_is_closed_without_a_word_and_a_busy_one_is_not() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"30s\" }\n[[fault]]\nfault = \"close-idle=5s\"");
        let mut connection = connect(&server);
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        for _ in 0..2 {
            sleep(ms(4_999)).await;
            connection.write_all(keep_alive.as_bytes()).await.unwrap();
            let mut answer = vec![0; 9_000];
            let length = connection.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
            assert!(status(&answer) == 200 && !answer.contains("connection: close"), "{answer}");
        }
        let idle_since = now();
        assert_eq!(connection.read(&mut [0; 10]).await.unwrap(), 0);
        assert_eq!(now() - idle_since, ms(5_000));
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn a_request_that_is_answered_at_once_begins_the_time_anew() {
    run_virtual(async {
        let server = server("[[fault]]\nfault = \"close-idle=5s\"");
        let mut connection = connect(&server);
        let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
        for _ in 0..3 {
            sleep(ms(4_999)).await;
            connection.write_all(keep_alive.as_bytes()).await.unwrap();
            assert!(connection.read(&mut [0; 9_000]).await.unwrap() > 0);
        }
        let (mut sender, _) = http2::handshake(connect(&server)).await;
        for _ in 0..3 {
            sleep(ms(4_990)).await;
            assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
        }
    });
}

#[test]
fn an_idle_connection_of_http2_is_closed_as_well() {
    run_virtual(async {
        let server = server("latency.total = { dist = \"fixed\", value = \"30s\" }\n[[fault]]\nfault = \"close-idle=5s\"");
        let (mut sender, ended) = http2::handshake(connect(&server)).await;
        for _ in 0..2 {
            sleep(ms(4_990)).await;
            assert_eq!(http2::exchange(&mut sender, http2::chat("")).await.unwrap().0, 200);
        }
        let idle_since = now();
        let _ = ended.await.unwrap();
        assert_eq!(now() - idle_since, ms(5_000));
    });
}

#[test]
fn beyond_the_most_connections_callers_wait_until_one_has_ended() {
    let mut limits = ServerLimits::default();
    limits.max_connections = Some(2);
    let mut settings = Settings::default();
    settings.limits = limits;
    let relay = MockRelay::builder(profile("")).settings(settings).start().unwrap();
    let keep_alive = String::from_utf8(chat("", "")).unwrap().replace("connection: close\r\n", "");
    let mut connections: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut connection = TcpStream::connect(relay.addr()).unwrap();
            connection.write_all(keep_alive.as_bytes()).unwrap();
            connection
        })
        .collect();
    for connection in &mut connections[..2] {
        assert!(connection.read(&mut [0; 9_000]).unwrap() > 0);
    }
    assert_eq!((relay.server().connections(), relay.ledger().connections_opened()), (2, 2));
    drop(connections.remove(0));
    assert!(connections[1].read(&mut [0; 9_000]).unwrap() > 0);
    assert_eq!((relay.ledger().connections_opened(), relay.ledger().connections_live_peak()), (3, 2));
}

#[test]
fn after_a_reset_connections_are_refused_as_they_were_the_first_time() {
    run_virtual(async {
        let server = server("seed = 3\n[[fault]]\nfault = \"refuse\"\nprobability = 0.5");
        let refused = || (0..64).map(|_| server.connect().is_err()).collect::<Vec<_>>();
        let first = refused();
        assert_ne!(refused(), first);
        server.reset();
        assert_eq!(refused(), first);
    });
}

#[test]
fn a_refused_connection_takes_no_turn_of_what_it_cannot_show() {
    let rules = "[[fault]]\nfault = \"slow-accept=1s\"\nfirst = 1\n[[fault]]\nfault = \"refuse\"\nfirst = 1\n";
    let (profile, now) = (profile(rules), Duration::ZERO);
    let tally = Tally::new(&profile);
    let welcomes = [0, 1, 2].map(|number| welcome(&profile, number, now, &tally));
    assert_eq!(welcomes.map(|welcome| welcome.is_refused), [true, false, false]);
    assert_eq!(welcomes.map(|welcome| welcome.served_after.as_secs()), [0, 1, 0]);
}
