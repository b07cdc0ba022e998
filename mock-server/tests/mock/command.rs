//! The program: its first line, its exit codes, its ledger.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use relaybench_mock::Entry;

use crate::support::{chat, status};

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
        let addr = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, addr }
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
    for args in [&["--listen", "here"][..], &["--seed", "x"], &["--no-such-flag"]] {
        assert_eq!(output(args).0, Some(2), "{args:?}");
    }
}

#[test]
fn profiles_can_be_listed_shown_and_read_back() {
    let (code, listed, _) = output(&["--list-profiles"]);
    assert_eq!(code, Some(0));
    let names: Vec<&str> = listed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["instant", "holysheep", "steady", "heavy-tail", "saturating", "flaky", "outage", "rate-limited"]);
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
