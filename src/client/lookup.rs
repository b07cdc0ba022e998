//! What is asked of a catalog on the wire: the models, or one of them.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use super::Client;
use super::classify;
use super::error::{Error, Failure};
use super::policy::{Overrides, Timeout};
use super::request::RequestId;
use super::response::{Model, ModelList};
use super::transport::{Endpoint, ModelPath};

/// A question about models, from [`Client::models`] and [`Client::model`]. It is sent when it is awaited.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(client: relaybench::Client) -> Result<(), relaybench::Error> {
/// let models = client.models().total_timeout(Duration::from_secs(3)).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Lookup<'a, T> {
    client: &'a Client,
    /// `None`: all.
    id: Option<String>,
    parse: fn(&Bytes) -> Result<T, Failure>,
    request_id: Option<RequestId>,
    timeouts: Overrides,
}

impl<'a> Lookup<'a, Vec<Model>> {
    pub(crate) fn all(client: &'a Client) -> Self {
        let parse = |body: &Bytes| classify::parse::<ModelList>(body).map(|list| list.data);
        Self { client, id: None, parse, request_id: None, timeouts: Overrides::default() }
    }
}

impl<'a> Lookup<'a, Model> {
    pub(crate) fn one(client: &'a Client, id: &str) -> Self {
        let parse = |body: &Bytes| classify::parse(body);
        Self { client, id: Some(id.to_owned()), parse, request_id: None, timeouts: Overrides::default() }
    }
}

impl<T> Lookup<'_, T> {
    /// What this request is called (`x-client-request-id`), the same in all its attempts. Default: one of the client's own.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The total timeout of this request, instead of its client's; see [`Timeouts::total`](super::Timeouts::total).
    pub fn total_timeout(mut self, figure: Duration) -> Self {
        self.timeouts.total(figure);
        self
    }

    /// Another timeout of this request, instead of its client's; `None` lifts it. See [`Timeouts`](super::Timeouts).
    pub fn timeout(mut self, which: Timeout, figure: impl Into<Option<Duration>>) -> Self {
        self.timeouts.set(which, figure.into());
        self
    }

    async fn send(self) -> Result<T, Error> {
        let Self { client: Client(shared), id, parse, request_id, timeouts } = self;
        let timeouts = timeouts.applied_to(&shared.policy.timeouts)?;
        let request_id = request_id.unwrap_or_else(|| shared.next_id());
        let name = id.as_deref().unwrap_or_default();
        let path = id.is_some().then(|| ModelPath::new(name));
        let endpoint = match &path {
            None => Endpoint::Models,
            Some(_) if name.is_empty() => return Err(Error::config("the model has no name")),
            // A URL with it would be another's.
            Some(_) if matches!(name, "." | "..") => return Err(Error::config(format!("no model is called {name:?}"))),
            Some(path) => Endpoint::Model(path),
        };
        let span = shared.span(endpoint, name);
        let (found, _, _) = shared.ask(&span, endpoint, Bytes::new(), &timeouts, &request_id, parse).await?;
        Ok(found)
    }
}

impl<'a, T: Send + 'a> IntoFuture for Lookup<'a, T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
