//! The two that are compared: the mock relay on this project's clock, and bare hyper on tokio's.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use relaybench_mock::{MockRelay, Profile};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::Failure;
use crate::case::{Case, Delay};

/// What a server says of one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    /// When the first token, or the whole answer, was due, since the request arrived.
    pub(crate) due: Duration,
    /// How much later than that it was written.
    pub(crate) first_late: Duration,
    /// The same of the end.
    pub(crate) end_late: Duration,
}

/// What a server served, by the number of the request.
pub(crate) type Book = HashMap<u64, Served>;

/// Where to find a server, and how to end it.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) end: Box<dyn FnOnce() -> Book>,
}

/// The mock relay; what it says is its ledger's.
pub(crate) fn mock(case: &Case) -> Result<Running, Failure> {
    let relay = MockRelay::start(Profile::parse(&case.profile(), case.name)?)?;
    let end = |relay: MockRelay| {
        let ledger = relay.ledger().clone();
        drop(relay);
        let entries = ledger.drain().into_iter().filter_map(|entry| {
            let late = |due: Option<u64>, written: Option<u64>| Some(Duration::from_nanos(written?.saturating_sub(due?)));
            let served = Served {
                due: Duration::from_nanos(entry.due_first_ns? - entry.arrived_ns),
                first_late: late(entry.due_first_ns, entry.first_written_ns)?,
                end_late: late(entry.due_end_ns, entry.end_written_ns)?,
            };
            Some((entry.request_id?.parse().ok()?, served))
        });
        entries.collect()
    };
    Ok(Running { addr: relay.addr(), end: Box::new(move || end(relay)) })
}

/// Bare hyper on a runtime and with sleeps of tokio's own.
pub(crate) fn bare(case: &Case) -> Result<Running, Failure> {
    let (delay, tokens) = (case.delay, case.tokens);
    let book = Arc::new(Mutex::new(Book::new()));
    let (ready, readiness) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let written = Arc::clone(&book);
    let thread = thread::spawn(move || -> std::io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let _ = ready.send(listener.local_addr()?);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, delay, tokens, Arc::clone(&written)));
                }
            });
            let _ = stopped.await;
            Ok(())
        })
    });
    let addr = readiness.recv()?;
    let end = move || {
        drop(stop);
        thread.join().expect("it does not panic").expect("it had what it needs when it began");
        std::mem::take(&mut *book.lock().expect("nobody panicked"))
    };
    Ok(Running { addr, end: Box::new(end) })
}

async fn serve(stream: TcpStream, delay: Delay, tokens: u32, book: Arc<Mutex<Book>>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let arrived = Instant::now();
        let number = request.headers().get("x-client-request-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
        let book = Arc::clone(&book);
        async move {
            let _ = request.into_body().collect().await;
            let due = delay.first(number);
            let mut sleep = Box::pin(tokio_sleep(arrived + due));
            sleep.as_mut().await;
            let late = sleep.deadline().elapsed();
            let record = Record { book, number, served: Served { due, first_late: late, end_late: late } };
            let body = match delay {
                Delay::Stream(gap) => Either::Right(Chunks { record, sleep, gap, sent: 0, tokens }),
                Delay::Fixed(_) | Delay::Uniform(..) => {
                    record.write();
                    Either::Left(Full::new(Bytes::from_static(&[b'x'; 600])))
                }
            };
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    let _ = builder.pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await;
}

#[expect(clippy::disallowed_methods, reason = "this is what the project's clock is compared with")]
fn tokio_sleep(deadline: Instant) -> Sleep {
    tokio::time::sleep_until(deadline)
}

struct Record {
    book: Arc<Mutex<Book>>,
    number: u64,
    served: Served,
}

impl Record {
    fn write(&self) {
        self.book.lock().expect("nobody panicked").insert(self.number, self.served);
    }
}

/// A stream like the mock's: a role, and tokens at their instants.
struct Chunks {
    record: Record,
    /// Until the next token is due.
    sleep: Pin<Box<Sleep>>,
    gap: Duration,
    sent: u32,
    tokens: u32,
}

/// As long as one of the mock's.
const EVENT: &str = "data: {\"id\":\"chatcmpl-0000000000000000000000000000\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\
    \"model\":\"gpt-4.1\",\"system_fingerprint\":\"fp_0000000000\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\
    \"logprobs\":null,\"finish_reason\":null}]}\n\n";

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent == self.tokens {
            return Poll::Ready(None);
        }
        ready!(self.sleep.as_mut().poll(cx));
        let due = self.sleep.deadline();
        let next = due + self.gap;
        self.sleep.as_mut().reset(next);
        self.sent += 1;
        if self.sent == self.tokens {
            self.record.served.end_late = due.elapsed();
            self.record.write();
        }
        let events = if self.sent == 1 { Bytes::from(EVENT.repeat(2)) } else { Bytes::from_static(EVENT.as_bytes()) };
        Poll::Ready(Some(Ok(Frame::data(events))))
    }
}
