//! The program: its first line, its exit codes, its ledger.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use relaybench_mock::Entry;

use crate::support::{chat, request, status};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relaybench-mock"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(args).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A relay in a process of its own, which is ended with the test.
struct Running {
    child: Child,
    addr: String,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut child = command(args).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on http").unwrap_or_else(|| panic!("{line:?}"));
        let addr = url.trim_start_matches('s').strip_prefix("://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, addr }
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.addr).unwrap()
    }

    fn answer(&self, request: &[u8]) -> String {
        let mut connection = self.connect();
        connection.write_all(request).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn profile(&self) -> String {
        let answer = self.answer(&request("GET", "/__admin/profile", "", ""));
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_cannot_be_run_is_one_line_and_exit_code_1() {
    let running = Running::start(&["--listen", "127.0.0.1:0"]);
    let cases: [(&[&str], &str); 5] = [
        (&["--profile", "hollysheep"], "did you mean \"holysheep\"?"),
        (&["--profile", "./missing.toml"], "cannot read the profile ./missing.toml"),
        (&["--listen", &running.addr], &format!("cannot listen on {}", running.addr)),
        (&["--listen", "127.0.0.1:0", "--ledger", "/nowhere/ledger.jsonl"], "cannot write the ledger /nowhere/ledger.jsonl"),
        (&["--show", "flakey"], "did you mean \"flaky\"?"),
    ];
    for (args, expected) in cases {
        let (code, stdout, stderr) = output(args);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for (args, said) in [
        (&["--listen", "here"][..], "write one such as 127.0.0.1:8080, [::1]:0 or localhost:8080"),
        (&["--seed", "x"], "write a whole number from 0 to 18446744073709551615"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let (code, _, error) = output(args);
        assert!(code == Some(2) && error.contains(said), "{args:?}: {error}");
    }
}

#[test]
fn a_relay_listens_where_a_name_says() {
    let running = Running::start(&["--listen", "localhost:0"]);
    assert!(running.addr.starts_with("127.0.0.1:") || running.addr.starts_with("[::1]:"), "{}", running.addr);
}

#[test]
fn profiles_can_be_listed_shown_and_read_back() {
    let (code, listed, _) = output(&["--list-profiles"]);
    assert_eq!(code, Some(0));
    let names: Vec<&str> = listed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "instant",
            "holysheep",
            "steady",
            "heavy-tail",
            "saturating",
            "flaky",
            "outage",
            "rate-limited",
            "openai",
            "cloudflare",
            "groq"
        ]
    );
    assert!(listed.lines().all(|line| line.ends_with('.') && line.len() < 150), "{listed}");
    for name in names {
        let (code, toml, _) = output(&["--show", name]);
        assert_eq!(code, Some(0));
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        Running::start(&["--profile", file.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    }
}

#[cfg(unix)]
#[test]
fn it_serves_until_it_is_told_to_stop_and_leaves_a_whole_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.jsonl");
    let mut running =
        Running::start(&["--listen", "127.0.0.1:0", "--profile", "instant", "--seed", "7", "--ledger", path.to_str().unwrap()]);
    for id in 0..3 {
        let mut connection = TcpStream::connect(&running.addr).unwrap();
        connection.write_all(&chat(&format!("x-client-request-id: {id}\r\n"), "")).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), 200);
    }
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let ledger = std::fs::read_to_string(&path).unwrap();
    let ids: Vec<_> = ledger.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().request_id.unwrap()).collect();
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[cfg(unix)]
#[test]
fn told_to_stop_it_lets_streams_end_and_takes_nobody_in() {
    let toml = "latency.first_token = { dist = \"fixed\", value = \"1ms\" }\nlatency.inter_token = { dist = \"fixed\", value = \"20ms\" }
completion.tokens = { dist = \"fixed\", value = 20 }";
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    let mut running = Running::start(&["--listen", "127.0.0.1:0", "--drain", "1h", "--profile", file.path().to_str().unwrap()]);
    let mut connection = running.connect();
    connection.write_all(&chat("", ",\"stream\":true")).unwrap();
    let mut first = vec![0; 9_000];
    let length = connection.read(&mut first).unwrap();
    running.signal("-TERM");
    while TcpStream::connect(&running.addr).is_ok() {
        std::thread::yield_now();
    }
    let mut rest = first[..length].to_vec();
    connection.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"data: [DONE]\n\n\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn told_twice_it_ends_at_once_and_the_ledger_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("hang.toml"), "[[fault]]\nfault = \"hang\"").unwrap();
    let mut running = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--drain",
        "1h",
        "--profile",
        &path("hang.toml"),
        "--ledger",
        &path("ledger.jsonl"),
    ]);
    let mut connection = running.connect();
    connection.write_all(&chat("", "")).unwrap();
    while !running.answer(&request("GET", "/metrics", "", "")).contains("relaybench_mock_in_flight 1") {}
    running.signal("-INT");
    while TcpStream::connect(&running.addr).is_ok() {
        std::thread::yield_now();
    }
    running.signal("-INT");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    let ledger = std::fs::read_to_string(path("ledger.jsonl")).unwrap();
    assert!(ledger.contains("\"ending\":\"stopped\""), "{ledger}");
}

#[cfg(unix)]
#[test]
fn on_sighup_the_profile_is_read_again_and_a_wrong_one_changes_nothing() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let write = |toml: &str| std::fs::write(file.path(), toml).unwrap();
    write("name = \"first\"\n");
    let mut running = Running::start(&["--listen", "127.0.0.1:0", "--seed", "7", "--profile", file.path().to_str().unwrap()]);
    assert_eq!(running.profile(), "seed = 7\nname = \"first\"\n");
    write("name = \"second\"\n");
    running.signal("-HUP");
    while running.profile() != "seed = 7\nname = \"second\"\n" {
        std::thread::yield_now();
    }
    write("name = \"third\"\nlatncy = 1\n");
    running.signal("-HUP");
    let (mut said, mut errors) = (String::new(), BufReader::new(running.child.stderr.take().unwrap()));
    errors.read_line(&mut said).unwrap();
    let expected = format!(
        "relaybench-mock: the profile stays as it was: {}:2: latncy: unknown key, did you mean \"latency\"?\n",
        file.path().display()
    );
    assert_eq!(said, expected);
    // As it is while somebody writes it.
    write("");
    running.signal("-HUP");
    said.clear();
    errors.read_line(&mut said).unwrap();
    let stays = "relaybench-mock: the profile stays as it was";
    assert_eq!(said, format!("{stays}: {} says nothing\n", file.path().display()));
    assert_eq!(running.profile(), "seed = 7\nname = \"second\"\n");
}

#[test]
fn the_command_keeps_the_last_attempts_for_whoever_asks() {
    let running = Running::start(&["--listen", "127.0.0.1:0", "--ledger-keep", "2"]);
    for id in ["a", "b", "c"] {
        running.answer(&chat(&format!("x-client-request-id: {id}\r\n"), ""));
    }
    let answer = running.answer(&request("GET", "/__admin/ledger", "", ""));
    assert!(!answer.contains("\"request_id\":\"a\"") && answer.contains("\"forgotten\":1"), "{answer}");
    assert!(["b", "c"].iter().all(|id| answer.contains(&format!("\"request_id\":\"{id}\""))), "{answer}");
}

#[test]
fn the_admin_token_is_asked_for_and_never_printed() {
    let mut running = Running::start(&["--listen", "127.0.0.1:0", "--admin-token", "s3cret"]);
    assert_eq!(status(&running.answer(&request("GET", "/metrics", "", ""))), 401);
    assert_eq!(status(&running.answer(&request("GET", "/metrics", "authorization: Bearer s3cret\r\n", ""))), 200);
    running.child.kill().unwrap();
    let mut said = String::new();
    running.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("s3cret"), "{said}");
    let (code, _, stderr) = output(&["--admin-token", " "]);
    assert!(code == Some(2) && stderr.contains("an empty token would let everybody in"), "{stderr}");
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_a_flag_and_says_whom_to_trust() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let running = Running::start(&["--listen", "127.0.0.1:0", "--tls", "--tls-ca-out", &path("ca.pem")]);
    // It speaks TLS: an alert is what a greeting in the clear is answered.
    let mut connection = running.connect();
    connection.write_all(&chat("", "")).unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert!(std::fs::read_to_string(path("ca.pem")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    for (args, expected, why) in [
        (vec!["--tls-cert", "./cert.pem"], 2, "--tls-key"),
        (vec!["--tls-ca-out", "./ca.pem"], 2, "--tls"),
        (
            vec!["--listen", "127.0.0.1:0", "--tls-cert", "./none.pem", "--tls-key", "./none.pem"],
            1,
            "cannot read a certificate in ./none.pem",
        ),
        (
            vec!["--listen", "127.0.0.1:0", "--tls", "--tls-ca-out", "/nowhere/ca.pem"],
            1,
            "cannot write the certificate /nowhere/ca.pem",
        ),
    ] {
        let (code, _, stderr) = output(&args);
        assert!(code == Some(expected) && stderr.contains(why), "{args:?}: {code:?} {stderr}");
    }
}
