//! Requests of plugins to servers outside: what may be asked, of whom, and how much of it.
//!
//! A plugin's requests are checked here (the allow-list, the form of the request, the limits of the call) and handed to a
//! [`HttpTransport`], which a host puts into its engine's settings: [`HttpClient`] with the feature `http`, or one of its own.

mod address;
#[cfg(feature = "http")]
mod client;
mod origin;
pub(crate) mod side;

use std::fmt;
use std::time::Duration;

use url::Url;

pub use self::address::{AddressKind, kind_of_address};
#[cfg(feature = "http")]
pub use self::client::{HttpClient, HttpClientSettings, Lookup};
pub use self::origin::{InvalidOrigin, Origin};

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of HTTP")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
}

/// One request, which the plugin may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// How it asks.
    pub method: HttpMethod,
    /// Whom and for what; its origin is granted.
    pub url: Url,
    /// Its header lines: names in any case, none that says how the request is carried.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer, of whatever status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// 200, 404, …
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// Bytes of headers and body.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.body.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpFailure {
    /// The pipeline does not grant the address, or it is one of a private network.
    Denied(String),
    /// The request is none.
    Invalid(String),
    /// No answer in the time that there is.
    TimedOut,
    /// The server could not be reached, or broke off.
    Failed(String),
    /// More requests or bytes than there may be: which limit, and what was seen.
    LimitExceeded(String),
}

/// The answer to one request, or why there is none.
pub type HttpAnswer = Result<HttpResponse, HttpFailure>;

/// What the requests that are sent together may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpAllowance {
    /// Bytes of all answers together, headers included.
    pub answer_bytes_max: usize,
    /// Time for each of them, from the look-up of its name to the last byte of its answer.
    pub request_timeout: Duration,
    /// Time for all of them.
    pub timeout: Duration,
}

/// Sends requests. Called by the thread that runs the plugin, which waits; so it must not be one that drives others' input
/// and output.
pub trait HttpTransport: fmt::Debug + Send + Sync {
    /// Sends requests, some of them at the same time, and waits for all answers: one for each request, in order. Follows no
    /// redirect.
    fn send(&self, requests: Vec<HttpRequest>, allowance: &HttpAllowance) -> Vec<HttpAnswer>;
}
