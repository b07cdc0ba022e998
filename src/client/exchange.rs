//! One attempt: from a place in the pool to the last byte of the response, under its clocks, and the record of it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;
use relaybench_clock::{Instant, now, timeout_at, wall_now};

use super::attempt::{Attempt, Progress};
use super::classify;
use super::config::ApiKey;
use super::error::{ErrorKind, Failure};
use super::pool::{Cap, Meter, Permit};
use super::request::RequestId;
use super::retry::{Tried, Turn};
use super::stream::Proof;
use super::transport::{Outgoing, Reply, ReplyBody, Scope, Transport};
use super::watchdog::{Deadline, Watchdog};

/// The largest body that is read: far beyond any completion, and little enough for many at once.
pub(crate) const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// How much of an error's body is read: what an error keeps is less.
const LARGEST_ERROR_BODY: usize = 64 * 1024;

/// How long the body of an error may take to come: it says more than the status, which is enough to act upon.
const REFUSAL_GRACE: Duration = Duration::from_secs(1);

/// What all attempts of a client share.
pub(crate) struct Line {
    pub(crate) transport: Transport,
    /// Caps attempts where the transport cannot cap connections.
    pub(crate) in_flight: Cap,
    pub(crate) pool: Arc<Meter>,
    pub(crate) proof: Proof,
    /// Blotted out of what the server says.
    pub(crate) key: Option<ApiKey>,
}

/// An attempt whose response has begun.
pub(crate) struct Exchange {
    body: ReplyBody,
    status: u16,
    headers: HeaderMap,
    /// When the last piece came.
    heard: Instant,
    watchdog: Watchdog,
    scope: Scope,
    record: Attempt,
    _permit: Permit,
}

/// An attempt that failed, with its record so far.
pub(crate) type Broken = Box<(Attempt, Failure)>;

impl<T> From<Broken> for Tried<T> {
    fn from(broken: Broken) -> Self {
        let (record, failure) = *broken;
        Self { record, result: Err(failure) }
    }
}

impl Line {
    /// Sends a request and parses its whole answer.
    pub(crate) async fn whole<T>(
        &self,
        outgoing: Outgoing<'_>,
        turn: Turn,
        deadline: Deadline<'_>,
        parse: impl FnOnce(&Bytes) -> Result<T, Failure>,
    ) -> Tried<(T, Bytes)> {
        let mut exchange = match self.open(outgoing, turn, deadline).await {
            Ok(exchange) => exchange,
            Err(broken) => return broken.into(),
        };
        let result = exchange.collect(LARGEST_BODY).await;
        let result = result.and_then(|body| parse(&body).map(|value| (value, body)));
        if result.as_ref().is_err_and(|failure| failure.has_content) {
            exchange.content();
        }
        exchange.close(result)
    }

    /// Sends a request and waits for the head of a response with a status of success.
    pub(crate) async fn open(&self, outgoing: Outgoing<'_>, turn: Turn, deadline: Deadline<'_>) -> Result<Exchange, Broken> {
        let started = now();
        let scope = Scope::new(Arc::clone(&self.pool), deadline.timeouts.connect);
        let search = scope.search();
        let mut watchdog = Watchdog::new(started, deadline, outgoing.accept, scope.clone());
        let mut record = Attempt::begin(turn, outgoing.id.clone(), started);
        let permit = match self.permit(&mut watchdog, &scope, started).await {
            Ok(permit) => permit,
            Err(expired) => return Err(record.broken(&scope, expired)),
        };
        let reply = match watchdog.guard(self.transport.send(outgoing, &scope)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(fault)) => {
                record.connection = fault.connection;
                return Err(record.broken(&scope, fault.into()));
            }
            Err(expired) => {
                record.connection = self.transport.connection_unanswered(&scope);
                return Err(record.broken(&scope, expired));
            }
        };
        search.answered();
        let head = now();
        watchdog.head(head);
        record.answered(&reply, head, self.key.as_ref());
        let (status, headers, body) = (reply.status, reply.headers, reply.body);
        let exchange = Exchange { body, status, headers, heard: head, watchdog, scope, record, _permit: permit };
        if (200..300).contains(&status) { Ok(exchange) } else { Err(exchange.refused().await) }
    }

    /// A place among the attempts in flight, had before the time is up: a request that could not be answered is not sent.
    async fn permit(&self, watchdog: &mut Watchdog, scope: &Scope, started: Instant) -> Result<Permit, Failure> {
        if let Some(permit) = self.in_flight.try_acquire() {
            return Ok(permit);
        }
        scope.waits_since(started);
        let permit = watchdog.guard(self.in_flight.acquire()).await?;
        let had = now();
        scope.has_place(had);
        watchdog.check_total(had)?;
        Ok(permit)
    }
}

impl Exchange {
    /// Notes which model answered, when it is another than was asked.
    pub(crate) fn note_model(&mut self, other: Option<Box<str>>) {
        self.record.other_model = other;
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` when it is complete.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let Poll::Ready(piece) = self.body.poll_piece(cx) else {
            return Poll::Ready(Some(Err(ready!(self.watchdog.poll_expired(cx)))));
        };
        if let Some(Ok(piece)) = &piece {
            self.heard = now();
            self.watchdog.heard(self.heard);
            if !piece.is_empty() {
                self.record.progress = Progress::Content;
            }
        }
        Poll::Ready(piece.map(|piece| piece.map_err(Failure::from)))
    }

    /// Fails when the time for the whole request is up.
    pub(crate) fn check_total(&self, now: Instant) -> Result<(), Failure> {
        self.watchdog.check_total(now)
    }

    /// The last piece brought content.
    pub(crate) fn content(&mut self) {
        self.record.first_token.get_or_insert(self.heard);
        self.record.last_token = Some(self.heard);
        self.watchdog.content();
    }

    /// All content is there.
    pub(crate) fn finished(&mut self) {
        self.watchdog.finished();
    }

    /// The caller waits again, after it had something else to do for that long.
    pub(crate) fn stood_still(&mut self, away: Duration) {
        self.watchdog.stood_still(away);
    }

    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes, Failure>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// The whole body. Most come in one piece, which is then not copied.
    pub(crate) async fn collect(&mut self, largest: usize) -> Result<Bytes, Failure> {
        let Some(first) = self.piece().await.transpose()? else { return Ok(Bytes::new()) };
        if self.body.is_complete() {
            return Ok(first);
        }
        let mut whole = BytesMut::new();
        let mut next = Some(first);
        while let Some(piece) = next {
            if whole.len() + piece.len() > largest {
                return Err(Failure::new(ErrorKind::Malformed, format!("the response is larger than {largest} bytes")));
            }
            whole.extend_from_slice(&piece);
            next = self.piece().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    /// As much of the body as comes, up to this: the beginning of an error tells what it is.
    async fn beginning(&mut self, whole: &mut BytesMut, most: usize) {
        while whole.len() < most
            && let Some(Ok(piece)) = self.piece().await
        {
            whole.extend_from_slice(&piece[..piece.len().min(most - whole.len())]);
        }
    }

    /// The failure that the response's status stands for. A body that breaks, or does not come, says less than the status.
    async fn refused(mut self) -> Broken {
        let mut body = BytesMut::new();
        // Whether it was all there in time makes no difference.
        let _ = timeout_at(now() + REFUSAL_GRACE, self.beginning(&mut body, LARGEST_ERROR_BODY)).await;
        let failure = classify::status(self.status, &self.headers, &body, wall_now());
        self.break_off(failure)
    }

    /// Ends the attempt with this failure.
    pub(crate) fn break_off(mut self, mut failure: Failure) -> Broken {
        failure.status.get_or_insert(self.status);
        self.record.limit = failure.limit;
        self.record.in_band_status = failure.in_band_status;
        self.record.end(&self.scope, Some(failure.kind));
        Box::new((self.record, failure))
    }

    /// Ends the attempt.
    fn close<T>(mut self, result: Result<T, Failure>) -> Tried<T> {
        match result {
            Ok(value) => {
                self.record.end(&self.scope, None);
                Tried { record: self.record, result: Ok(value) }
            }
            Err(failure) => self.break_off(failure).into(),
        }
    }

    /// The record of the attempt, should it end well just now.
    pub(crate) fn record_of_success(&self) -> Attempt {
        let mut record = self.record.clone();
        record.end(&self.scope, None);
        record
    }

    /// Whether nothing of the body is to come any more.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.is_complete()
    }
}

impl Attempt {
    pub(crate) fn begin(turn: Turn, request_id: RequestId, started: Instant) -> Self {
        Self {
            number: turn.number,
            request_id,
            waited: turn.waited,
            hint_obeyed: turn.hint_obeyed,
            started,
            ended: started,
            queued: Duration::ZERO,
            connect: None,
            sent: None,
            head: None,
            first_token: None,
            last_token: None,
            status: None,
            progress: Progress::NeverSent,
            failure: None,
            in_band_status: None,
            limit: None,
            other_model: None,
            server_request_id: None,
            connection: None,
            stale: None,
        }
    }

    fn answered(&mut self, reply: &Reply, at: Instant, key: Option<&ApiKey>) {
        const LONGEST_ID: usize = 128;
        self.status = Some(reply.status);
        self.head = Some(at);
        self.progress = Progress::Headers;
        self.connection = reply.connection;
        let id = reply.headers.get("x-request-id").or_else(|| reply.headers.get("request-id"));
        let id = id.and_then(|id| id.to_str().ok()).filter(|id| id.len() <= LONGEST_ID);
        self.server_request_id = id.filter(|id| !key.is_some_and(|key| key.is_in(id))).map(Into::into);
    }

    fn end(&mut self, scope: &Scope, failure: Option<ErrorKind>) {
        self.ended = now();
        self.failure = failure;
        self.queued = scope.queued(self.ended);
        self.connect = scope.connect();
        self.sent = scope.sent();
        self.stale = scope.stale();
        if self.sent.is_some() {
            self.progress = self.progress.max(Progress::NoResponse);
        }
    }

    fn broken(mut self, scope: &Scope, failure: Failure) -> Broken {
        self.end(scope, Some(failure.kind));
        if failure.kind.is_connect() || failure.kind == ErrorKind::QueueTimeout {
            self.sent = None;
            self.progress = Progress::NeverSent;
        }
        Box::new((self, failure))
    }
}
