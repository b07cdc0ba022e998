//! What a logical request is called.

use std::fmt;

use hyper::header::HeaderValue;

use crate::client::error::Error;

/// What a logical request is called, in the header `x-client-request-id`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    ///
    /// Anything else, of kind [`Config`](crate::client::ErrorKind::Config).
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        const LONGEST: usize = 128;
        let text = text.into();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || !(1..=LONGEST).contains(&text.len()) {
            return Err(Error::config(format!("request id {text:?} must be 1 to {LONGEST} visible ASCII characters")));
        }
        let header = HeaderValue::try_from(text);
        header.map(Self).map_err(|source| Error::config("the request id is no header").with_source(source))
    }

    /// The id of a request that was given none.
    pub(crate) fn numbered(seed: u64, count: u64) -> Self {
        let text = format!("rb-{seed:016x}-{count}");
        Self(HeaderValue::try_from(text).expect("hexadecimal digits and hyphens fit into a header"))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_fits_into_a_header() {
        assert_eq!(RequestId::new("run-1/7").unwrap().as_str(), "run-1/7");
        for wrong in ["", "a b", "a\r\nb", "é", &"x".repeat(129)] {
            assert!(RequestId::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
