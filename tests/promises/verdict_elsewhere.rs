//! A mock that the run does not own, and the ledger that it is balanced with: others ask it too, it is reset, it goes away.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use relaybench::client::ApiKey;
use relaybench::load::{InFlight, LedgerBalance, Record, Sink, Stop};
use relaybench::report::{Collector, Report, markdown, table};
use relaybench::target::{Live, Target};
use relaybench_mock::{MockRelay, Outcome};

use crate::support::runs::{play, play_virtual, profile, run, scenario};

const QUICK: &str = "[latency]\ntotal = { dist = \"fixed\", value = \"2ms\" }\n";

/// Does something when so many requests of one at a time have ended, and none is in flight.
struct Meanwhile<F> {
    samples: u32,
    act: Option<F>,
    collector: Collector,
}

impl<F: FnOnce()> Sink for Meanwhile<F> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        if matches!(record, Record::Sample(_)) {
            self.samples += 1;
            if self.samples == 10 {
                self.act.take().into_iter().for_each(|act| act());
            }
        }
        self.collector.record(record)
    }
}

/// What is reported of 40 requests to whatever answers there, one after another, when this happens after the tenth.
fn reported(addr: SocketAddr, act: impl FnOnce() + Send + 'static) -> Report {
    let live = Live {
        base_url: format!("http://{addr}/v1"),
        key: ApiKey::from("sk-test".to_owned()),
        model: None,
        max_requests: 1000,
        max_cost_usd: 1000.0,
    };
    let scenario = scenario("seed = 7\n[[stage]]\nload = { kind = \"closed\", concurrency = 1 }\nrequests = 40\n");
    let sink = Meanwhile { samples: 0, act: Some(act), collector: Collector::default() };
    let (sink, played) = run(scenario, "none", Target::Live(live)).play(&Stop::default(), &InFlight::default(), sink);
    played.unwrap();
    sink.collector.report().unwrap()
}

/// Another caller's request, and the status it gets.
fn asked(addr: SocketAddr, headers: &str) -> String {
    let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(addr).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {addr}\r\nauthorization: Bearer sk-other\r\nconnection: close\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

fn balance(report: &Report) -> Option<(u64, u64, u64)> {
    report.stages[0].ledger.map(|LedgerBalance { matched, missing, unknown }| (matched, missing, unknown))
}

fn says(texts: &[String], what: &str) -> bool {
    texts.iter().any(|text| text.contains(what))
}

#[test]
fn what_others_ask_of_the_same_mock_is_left_out_whatever_becomes_of_it() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let (addr, server) = (relay.addr(), relay.server().clone());
    let report = reported(addr, move || {
        assert_eq!(asked(addr, ""), "200");
        assert_eq!(asked(addr, "x-client-request-id: mine\r\n"), "200");
        server.script([Outcome::status(503)]);
        assert_eq!(asked(addr, ""), "503");
    });
    assert_eq!(relay.ledger().entries().len(), 43);
    assert_eq!(balance(&report), Some((40, 0, 0)));
    assert!(report.stages[0].checks["unmatched_attempts"].ok);
}

#[test]
fn an_attempt_under_an_id_of_the_run_that_it_did_not_send_makes_it_invalid() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let addr = relay.addr();
    let report = reported(addr, move || assert_eq!(asked(addr, "x-client-request-id: rb-7-0-3\r\n"), "200"));
    assert_eq!(balance(&report), Some((40, 0, 1)));
    assert_eq!(report.stages[0].checks["unmatched_attempts"].figure, 1.0);
    assert!(says(&report.verdict.reasons, "0 missing in the ledger, 1 unknown to the client"), "{:?}", report.verdict);
}

#[test]
fn an_attempt_that_never_reached_the_mock_makes_the_run_invalid() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let report = reported(losing_one(relay.addr()), || ());
    assert_eq!((report.stages[0].requests.sent, report.stages[0].requests.failed), (40, 1), "{:?}", report.stages[0].errors);
    assert_eq!(balance(&report), Some((39, 1, 0)));
    assert!(says(&report.verdict.reasons, "1 missing in the ledger, 0 unknown to the client"), "{:?}", report.verdict);
}

/// In between, all is passed on but the first request, which is read and lost with its connection.
fn losing_one(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut is_lost = false;
        for stream in listener.incoming() {
            let mut near = stream.unwrap();
            let mut first = [0; 4];
            if near.read_exact(&mut first).is_err() {
                continue;
            }
            if &first == b"POST" && !is_lost {
                is_lost = true;
                continue;
            }
            let mut far = TcpStream::connect(to).unwrap();
            far.write_all(&first).unwrap();
            let (mut from_near, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_near, &mut to_far);
                let _ = to_far.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let _ = io::copy(&mut far, &mut near);
                let _ = near.shutdown(Shutdown::Both);
            });
        }
    });
    addr
}

#[test]
fn a_mock_that_is_started_anew_meanwhile_is_not_balanced_and_the_run_says_why() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let server = relay.server().clone();
    let report = reported(relay.addr(), move || server.reset());
    assert_eq!(balance(&report), None);
    assert!(says(&report.warnings, "the mock relay was started anew within the stage"), "{:?}", report.warnings);
    assert!(!says(&report.warnings, "--ledger-keep"), "to keep more would not help: {:?}", report.warnings);
}

#[test]
fn another_mock_on_the_same_port_is_no_ledger_of_the_run() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let addr = relay.addr();
    let (sender, receiver) = mpsc::channel();
    let report = reported(addr, move || {
        drop(relay);
        sender.send(MockRelay::builder(profile(QUICK)).listen(addr).start().unwrap()).unwrap();
    });
    drop(receiver);
    assert_eq!(balance(&report), None);
    assert!(says(&report.warnings, "the mock relay was started anew within the stage"), "{:?}", report.warnings);
}

#[test]
fn who_gives_up_before_it_is_let_in_is_in_the_books() {
    let mock = "[[fault]]\nfault = \"slow-accept=31s\"\nprobability = 0.5\n";
    let scenario = scenario("[[stage]]\nload = { kind = \"closed\", concurrency = 20 }\nrequests = 100\n");
    let report = play(run(scenario, "tutorial-bench", Target::Virtual(profile(mock)))).report;
    assert!(report.verdict.valid, "{:?}", report.verdict.reasons);
    let given_up = report.stages[0].requests.failed;
    assert!(given_up > 10, "{given_up}");
}

#[test]
fn a_ledger_that_is_gone_in_the_end_is_told() {
    let relay = MockRelay::start(profile(QUICK)).unwrap();
    let report = reported(relay.addr(), move || drop(relay));
    let requests = report.stages[0].requests;
    assert_eq!((requests.succeeded, requests.failed), (10, 30), "{:?}", report.stages[0].errors);
    assert_eq!(balance(&report), None);
    assert!(says(&report.warnings, "the mock relay's ledger could no longer be read"), "{:?}", report.warnings);
    assert!(!table(&report).contains("every attempt"), "{}", table(&report));
}

#[test]
fn a_verdict_says_what_was_balanced_with_a_ledger_and_what_was_not() {
    let load = "load = { kind = \"closed\", concurrency = 2 }\nrequests = 100";
    let two = format!("{load}\n[[stage]]\nname = \"other\"\n{load}");
    let verdict = |without: u32| {
        let mut collector = Collector::default();
        for mut record in play_virtual(&two, QUICK).records {
            if let Record::Stage(end) = &mut record
                && end.stage < without
            {
                end.ledger = None;
            }
            collector.record(&record).unwrap();
        }
        let text = markdown(&collector.report().unwrap());
        text.lines().find_map(|line| line.strip_prefix("**Valid**: ")).unwrap().to_owned()
    };
    assert_eq!(verdict(0), "every scheduled request is accounted for, and every attempt is in the mock's ledger.");
    assert_eq!(
        verdict(1),
        "every scheduled request is accounted for, and every attempt of 1 of 2 stages is in the mock's ledger."
    );
    assert_eq!(verdict(2), "every scheduled request is accounted for.");
}
