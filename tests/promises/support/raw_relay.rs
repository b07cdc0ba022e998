//! A relay that plays a script, byte by byte, over connections in memory. It shares no code with the mock.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use relaybench::client::{Catalog, ClientBuilder, connector};
use relaybench::{ChatRequest, Client};
use relaybench_clock::{Instant, now, sleep};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// How the relay answers one attempt.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Writes these bytes; the connection stays open.
    Write(String),
    /// Writes these bytes and closes the connection.
    WriteAndClose(String),
    /// Writes these pieces, each after its pause; the connection stays open.
    Drip(Vec<(Duration, String)>),
    /// Writes these pieces, each after its pause, and closes the connection after the last pause.
    DripAndClose(Vec<(Duration, String)>, Duration),
    /// Reads the request and never answers.
    Hang,
}

/// A good answer.
pub(crate) fn success() -> Step {
    json("200 OK", &[], COMPLETION)
}

/// An answer with these headers and this JSON.
pub(crate) fn json(status: &str, headers: &[(&str, &str)], body: &str) -> Step {
    Step::Write(response(status, "application/json", headers, body))
}

/// An answer of any kind, complete with its length.
pub(crate) fn response(status: &str, kind: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// An error in the relay's own dialect.
pub(crate) fn error(status: &str, code: &str, headers: &[(&str, &str)]) -> Step {
    json(status, headers, &format!(r#"{{"error":{{"message":"no","type":"{code}","param":null,"code":"{code}"}}}}"#))
}

pub(crate) const COMPLETION: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4.1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10},"system_fingerprint":"fp_1"}"#;

/// The relay, running.
#[derive(Clone)]
pub(crate) struct RawRelay(Arc<Mutex<State>>);

struct State {
    start: Instant,
    script: VecDeque<Step>,
    last: Step,
    attempts: Vec<Seen>,
    opened: usize,
    live: usize,
    live_peak: usize,
}

/// What the relay saw of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Since the relay started.
    pub(crate) at: Duration,
    pub(crate) connection: usize,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

impl RawRelay {
    /// Plays the steps, and then the last one for ever.
    pub(crate) fn start(script: impl Into<VecDeque<Step>>) -> Self {
        let mut script = script.into();
        let last = script.pop_back().expect("a script has a step");
        Self(Arc::new(Mutex::new(State { start: now(), script, last, attempts: vec![], opened: 0, live: 0, live_peak: 0 })))
    }

    /// A client that talks to it in memory.
    pub(crate) fn client(&self) -> ClientBuilder {
        self.client_with_connect_delay(Duration::ZERO)
    }

    pub(crate) fn client_with_connect_delay(&self, delay: Duration) -> ClientBuilder {
        let relay = self.clone();
        let dial = move || -> io::Result<DuplexStream> {
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(relay.clone().serve(far));
            Ok(near)
        };
        let models = Catalog::new(["gpt-4.1"]);
        Client::builder()
            .base_url("http://relay/v1")
            .api_key("sk-test-secret")
            .models(models)
            .seed(1)
            .connector(connector::memory(dial, delay))
    }

    pub(crate) fn attempts(&self) -> Vec<Seen> {
        self.state().attempts.clone()
    }

    /// When attempts came, since the relay started.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.state().attempts.iter().map(|seen| seen.at).collect()
    }

    pub(crate) fn connections_opened(&self) -> usize {
        self.state().opened
    }

    pub(crate) fn connections_live(&self) -> usize {
        self.state().live
    }

    pub(crate) fn connections_live_peak(&self) -> usize {
        self.state().live_peak
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with the lock held")
    }

    pub(crate) async fn serve(self, mut io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
        let connection = {
            let mut state = self.state();
            state.opened += 1;
            state.live += 1;
            state.live_peak = state.live_peak.max(state.live);
            state.opened
        };
        let _ = self.serve_requests(&mut io, connection).await;
        self.state().live -= 1;
    }

    async fn serve_requests(
        &self,
        io: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
        connection: usize,
    ) -> io::Result<()> {
        while let Some((head, body)) = read_request(io).await? {
            let step = {
                let mut state = self.state();
                let at = state.start.elapsed();
                state.attempts.push(Seen { at, connection, head, body });
                state.script.pop_front().unwrap_or_else(|| state.last.clone())
            };
            match step {
                Step::Write(bytes) => io.write_all(bytes.as_bytes()).await?,
                Step::WriteAndClose(bytes) => return io.write_all(bytes.as_bytes()).await,
                Step::Drip(pieces) => drip(io, pieces).await?,
                Step::DripAndClose(pieces, pause) => {
                    drip(io, pieces).await?;
                    sleep(pause).await;
                    return Ok(());
                }
                Step::Hang => {
                    // Until the client goes away.
                    let _ = io.read(&mut [0; 1]).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

async fn drip(io: &mut (impl tokio::io::AsyncWrite + Unpin), pieces: Vec<(Duration, String)>) -> io::Result<()> {
    for (pause, bytes) in pieces {
        sleep(pause).await;
        io.write_all(bytes.as_bytes()).await?;
    }
    Ok(())
}

/// Head and body of the next request; `None` at the end of the connection.
async fn read_request(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
            let length: usize = length.map_or(0, |length| length.trim().parse().expect("a length is a number"));
            let mut body = bytes.split_off(end + 4);
            while body.len() < length {
                if io.read_buf(&mut body).await? == 0 {
                    return Ok(None);
                }
            }
            return Ok(Some((head, String::from_utf8_lossy(&body).into_owned())));
        }
        if io.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// The tutorial's question.
pub(crate) fn question() -> ChatRequest {
    ChatRequest::new("gpt-4.1").user("Explain quantum computing in 2 sentences.").max_tokens(500).temperature(0.7)
}
