//! A client of HTTP/2: hyper's.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use relaybench_clock::HyperTimer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::chat_body;

pub(crate) type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;
pub(crate) type Sender = SendRequest<Body>;

/// A connection whose caller knows that HTTP/2 is spoken, and the task that ends with it.
pub(crate) async fn handshake<IO>(io: IO) -> (Sender, JoinHandle<hyper::Result<()>>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.timer(HyperTimer).handshake(TokioIo::new(io)).await.unwrap();
    (sender, tokio::spawn(connection))
}

pub(crate) fn chat(extra: &str) -> Request<Body> {
    post(Full::from(chat_body("gpt-4.1", extra)).boxed())
}

pub(crate) fn post(body: Body) -> Request<Body> {
    Request::post("http://mock/v1/chat/completions").header("authorization", "Bearer sk-test").body(body).unwrap()
}

/// Sends a request and reads its answer to the end.
pub(crate) async fn exchange(sender: &mut Sender, request: Request<Body>) -> hyper::Result<(StatusCode, String)> {
    let response = sender.send_request(request).await?;
    assert_eq!(response.version(), Version::HTTP_2);
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}
