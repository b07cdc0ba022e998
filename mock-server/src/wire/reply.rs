//! An error as it goes over the wire, whatever its dialect.

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;

use super::dialect::Gaps;

/// Status, body and the headers that only this answer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// Names and values. All are printable ASCII.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// Whom an error is about, for its message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// What is behind the path's `?`.
    pub(crate) query: Option<&'a str>,
    /// Empty where none was read.
    pub(crate) model: &'a str,
    pub(crate) request_id: &'a str,
}

impl Reply {
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("strings and numbers are always JSON");
        Self { status, content_type: "application/json", headers: Vec::new(), body }
    }

    /// The page of a proxy that has no answer from the relay behind it, as nginx and its relatives write it.
    pub(super) fn page(status: u16, server: &'static str) -> Self {
        let reason = match status {
            503 => "Service Temporarily Unavailable",
            504 => "Gateway Time-out",
            413 => "Request Entity Too Large",
            _ => StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error"),
        };
        let title = format!("{status} {reason}");
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
        );
        let headers = vec![("server", server.to_owned())];
        Self { status, content_type: "text/html", headers, body: body.into_bytes() }
    }

    /// Whether nothing in it is the relay's.
    pub(crate) fn is_page(&self) -> bool {
        self.content_type == "text/html"
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The header `retry-after` in whole seconds, rounded up so that a caller who waits as long is not turned away again.
    pub(super) fn retry_after(self, wait: Option<Duration>) -> Self {
        match wait {
            Some(wait) => self.with("retry-after", seconds(wait).to_string()),
            None => self,
        }
    }

    /// The same without what its caller is not told.
    pub(crate) fn with_gaps(mut self, gaps: Gaps) -> Self {
        if gaps.retry_after {
            self.headers.retain(|(name, _)| !["retry-after", "retry-after-ms"].contains(name));
        }
        self
    }

    /// Both forms that OpenAI's clients read: `retry-after`, and `retry-after-ms` in whole milliseconds, rounded up as well.
    pub(super) fn retry_after_and_ms(self, wait: Option<Duration>) -> Self {
        match wait {
            Some(ms) => self.retry_after(wait).with("retry-after-ms", ms.as_nanos().div_ceil(1_000_000).to_string()),
            None => self,
        }
    }

    /// The method that would have been right.
    pub(super) fn allow(self, method: Option<&'static str>) -> Self {
        match method {
            Some(method) => self.with("allow", method),
            None => self,
        }
    }
}

/// Whole seconds, rounded up.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
