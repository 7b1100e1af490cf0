//! Requests to servers outside, many at a time.
//!
//! A component that calls [`send`] imports `http`, and is loaded only where the pipeline grants it servers:
//!
//! ```yaml
//! plugin: { component: mine.wasm, grants: { http: ["https://api.example.com:443"] } }
//! ```
//!
//! It may be called while a batch, timers or a watermark are processed, not in `open` and `close`. The time of a request does not count as
//! the plugin's own; the host bounds it, the requests of one call, and the bytes both ways. So collect what a batch needs and
//! ask for it at once. Redirects are not followed, and addresses of private networks not reached. Native tests say with
//! `set_responder` who answers.

use thiserror::Error;

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of HTTP")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How it asks.
    pub method: Method,
    /// Absolute: `https://host:port/path?query`.
    pub url: String,
    /// Header lines: name, in any case, and value.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; often empty.
    pub body: Vec<u8>,
}

impl Request {
    /// Of that method, without headers and body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Asks for a page.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Hands something over.
    #[must_use]
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new(Method::Post, url) }
    }

    /// With a header line more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// An answer, of whatever status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is one of success: 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text, where it is any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The pipeline does not grant this address, or it is one of a private network.
    #[error("denied: {0}")]
    Denied(String),
    /// The request is none.
    #[error("no request: {0}")]
    Invalid(String),
    /// No answer in the time that the host allows.
    #[error("timed out")]
    TimedOut,
    /// The server could not be reached, or broke off.
    #[error("failed: {0}")]
    Failed(String),
    /// More requests or bytes than the host allows.
    #[error("too much: {0}")]
    LimitExceeded(String),
}

/// Sends requests, some of them at the same time, and waits for all answers: one for each request, in order.
#[must_use]
pub fn send(requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
    backend::send(requests)
}

#[cfg(target_arch = "wasm32")]
mod backend {
    use super::{HttpError, Method, Request, Response};
    use crate::guest::imports::volley::operator::http as wit;

    pub(super) fn send(requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        let requests: Vec<wit::Request> = requests.into_iter().map(request).collect();
        wit::send(&requests).into_iter().map(|answer| answer.map(response).map_err(error)).collect()
    }

    fn request(request: Request) -> wit::Request {
        let method = match request.method {
            Method::Get => wit::Method::Get,
            Method::Head => wit::Method::Head,
            Method::Post => wit::Method::Post,
            Method::Put => wit::Method::Put,
            Method::Delete => wit::Method::Delete,
            Method::Patch => wit::Method::Patch,
        };
        let headers = request.headers.into_iter().map(|(name, value)| wit::Header { name, value }).collect();
        wit::Request { method, url: request.url, headers, body: request.body }
    }

    fn response(response: wit::Response) -> Response {
        let headers = response.headers.into_iter().map(|header| (header.name, header.value)).collect();
        Response { status: response.status, headers, body: response.body }
    }

    fn error(error: wit::HttpError) -> HttpError {
        match error {
            wit::HttpError::Denied(words) => HttpError::Denied(words),
            wit::HttpError::Invalid(words) => HttpError::Invalid(words),
            wit::HttpError::TimedOut => HttpError::TimedOut,
            wit::HttpError::Failed(words) => HttpError::Failed(words),
            wit::HttpError::LimitExceeded(words) => HttpError::LimitExceeded(words),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use backend::set_responder;

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use std::cell::RefCell;

    use super::{HttpError, Request, Response};

    type Responder = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;

    thread_local! {
        static RESPONDER: RefCell<Option<Responder>> = const { RefCell::new(None) };
    }

    /// Says who answers the requests of this thread; without one, all are denied. Only in native tests.
    pub fn set_responder(responder: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) {
        RESPONDER.set(Some(Box::new(responder)));
    }

    pub(super) fn send(requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        RESPONDER.with_borrow_mut(|responder| {
            let denied = || Err(HttpError::Denied("the test has no responder".to_owned()));
            requests.iter().map(|request| responder.as_mut().map_or_else(denied, |answer| answer(request))).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_answers_are_what_the_test_says() {
        let denied = send(vec![Request::get("https://a.example/")]);
        assert!(matches!(denied[..], [Err(HttpError::Denied(_))]));
        set_responder(|request| {
            if request.url.ends_with("/down") {
                return Err(HttpError::TimedOut);
            }
            Ok(Response { status: 200, body: request.body.clone(), ..Response::default() })
        });
        let post = Request::post("https://a.example/", "hello").header("accept", "text/plain");
        assert_eq!(post.headers, [("accept".to_owned(), b"text/plain".to_vec())]);
        let answers = send(vec![post, Request::get("https://a.example/down")]);
        let first = answers[0].as_ref().expect("answered");
        assert!(first.is_success());
        assert_eq!(first.text(), Some("hello"));
        assert_eq!(answers[1], Err(HttpError::TimedOut));
    }
}
