//! What a mock takes while it waits: resident memory for each open stream, and processor time when nobody calls.
//!
//! The mock is a process of its own, so that nothing else is counted. It needs Linux (`/proc`) and as many open files as streams.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's result is what it prints")]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use relaybench_clock::now;

#[path = "loopback/raw.rs"]
#[allow(dead_code, reason = "only its request is needed here")]
mod raw;

/// Streams begin at once, and then have an hour to their next token.
const OPEN: &str = "
[latency]
first_token = { dist = \"fixed\", value = \"0s\" }
inter_token = { dist = \"fixed\", value = \"1h\" }
";

const STREAMS: u64 = 10_000;
/// In criterion's test mode it is only shown to run.
const TEST_STREAMS: u64 = 100;

const KIB: f64 = 1024.0;

/// How long an idle mock is watched.
const IDLE: Duration = Duration::from_secs(10);
const TEST_IDLE: Duration = Duration::from_millis(100);

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    if has("--list") {
        println!("footprint: benchmark");
        return ExitCode::SUCCESS;
    }
    if !fs::exists("/proc/self/statm").unwrap_or(false) {
        eprintln!("footprint: this system does not tell what a process takes; nothing is measured");
        return ExitCode::SUCCESS;
    }
    let (streams, idle) = if has("--test") { (TEST_STREAMS, TEST_IDLE) } else { (STREAMS, IDLE) };
    match measure(streams, idle) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(streams: u64, idle: Duration) -> Result<(), Failure> {
    let available = rlimit::increase_nofile_limit(u64::MAX)?;
    if available < streams + 100 {
        return Err(
            format!("{streams} streams need as many open files on each side, and this process may have {available}").into()
        );
    }
    let mock = Mock::start()?;
    // Whatever is made once for all is made now.
    drop(mock.open_stream()?);
    mock.wait_until_alone()?;

    let spent = mock.cpu_during(idle)?;
    println!("idle: {:.1} ms of processor time in {:.1} s", spent.as_secs_f64() * 1e3, idle.as_secs_f64());

    let before = mock.resident_bytes()?;
    let open: Vec<TcpStream> = (0..streams).map(|_| mock.open_stream()).collect::<io::Result<_>>()?;
    let after = mock.resident_bytes()?;
    println!(
        "streams: {streams} open take {:.2} KiB each; the process has {:.1} MiB, idle it had {:.1} MiB",
        (after - before) as f64 / open.len() as f64 / KIB,
        after as f64 / KIB / KIB,
        before as f64 / KIB / KIB,
    );
    Ok(())
}

/// A mock relay in a process of its own, ended when dropped.
struct Mock {
    child: Child,
    addr: SocketAddr,
    /// The profile's file, which must not be removed before it is read.
    _profile: tempfile::NamedTempFile,
}

impl Mock {
    fn start() -> Result<Self, Failure> {
        let mut profile = tempfile::Builder::new().suffix(".toml").tempfile()?;
        profile.write_all(OPEN.as_bytes())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_relaybench"));
        command.args(["mock", "--listen", "127.0.0.1:0", "--profile"]).arg(profile.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("it has a pipe")?).read_line(&mut line)?;
        let addr = line.trim().strip_prefix("listening on http://").ok_or_else(|| format!("the mock said {line:?}"))?.parse()?;
        Ok(Self { child, addr, _profile: profile })
    }

    /// A stream whose first token has been read.
    fn open_stream(&self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.write_all(&raw::request(",\"stream\":true"))?;
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(10).any(|window| window == b"\"content\":") {
            match stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => seen.extend_from_slice(&buffer[..count]),
            }
        }
        Ok(stream)
    }

    /// Waits until it has answered once more, so that it has noticed who went away before.
    fn wait_until_alone(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }

    fn resident_bytes(&self) -> Result<i64, Failure> {
        /// What `/proc` counts in, on the systems where it is there.
        const PAGE_BYTES: i64 = 4096;
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages = statm.split_ascii_whitespace().nth(1).ok_or("statm has a second number")?;
        Ok(pages.parse::<i64>()? * PAGE_BYTES)
    }

    fn cpu_during(&self, time: Duration) -> Result<Duration, Failure> {
        let (start, before) = (now(), self.cpu()?);
        #[expect(clippy::disallowed_methods, reason = "nothing else happens in this process")]
        std::thread::sleep(time.saturating_sub(start.elapsed()));
        Ok(self.cpu()? - before)
    }

    /// Of all its threads.
    fn cpu(&self) -> Result<Duration, Failure> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let spent_ns = schedstat.split_ascii_whitespace().next().ok_or("schedstat has a first number")?;
            sum += Duration::from_nanos(spent_ns.parse()?);
        }
        Ok(sum)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It ends with this process at the latest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
