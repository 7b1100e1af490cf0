//! One instance's side of `http`: what the call under way may still ask, and what it was answered.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::{HttpAllowance, HttpAnswer, HttpFailure, HttpRequest, HttpResponse, HttpTransport, Origin};
use crate::options::PluginLimits;
use crate::text::visible;

/// What is shown of a URL, in bytes.
const URL_BYTES_MAX: usize = 200;

/// Headers that say how a request is carried, or to whom: the host writes them.
const HOSTS_OWN: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request as the guest wrote it.
pub(crate) struct Asked {
    pub(crate) method: super::HttpMethod,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn size_bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.url.len() + headers + self.body.len()
    }
}

/// The answers of one call, send by send, kept to be given again.
pub(crate) type Tape = VecDeque<Vec<HttpAnswer>>;

/// What happens to answers besides being given to the guest.
#[derive(Debug, Default)]
enum Recorder {
    #[default]
    Off,
    /// They are kept.
    Recording(Tape),
    /// They come from an earlier call, and nothing is sent.
    Replaying(Tape),
}

/// The side of `http` of one instance.
pub(crate) struct HttpSide {
    grant: Option<Grant>,
    requests_max: usize,
    bytes_max: usize,
    request_timeout: Duration,
    call_timeout: Duration,
    requests: usize,
    bytes: usize,
    spent: Duration,
    recorder: Recorder,
}

/// Whom the plugin may ask, and through what.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) origins: Arc<HashSet<Origin>>,
    pub(crate) transport: Arc<dyn HttpTransport>,
}

impl fmt::Debug for HttpSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSide").field("requests", &self.requests).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl HttpSide {
    pub(crate) fn new(limits: &PluginLimits, grant: Option<Grant>) -> Self {
        Self {
            grant,
            requests_max: limits.http_requests_max,
            bytes_max: limits.http_bytes_max,
            request_timeout: limits.http_request_timeout,
            call_timeout: limits.http_call_timeout,
            requests: 0,
            bytes: 0,
            spent: Duration::ZERO,
            recorder: Recorder::Off,
        }
    }

    /// A call begins: it may ask anew, and what an earlier one was answered is forgotten.
    pub(crate) fn begin(&mut self) {
        (self.requests, self.bytes, self.spent) = (0, 0, Duration::ZERO);
        if let Recorder::Recording(tape) = &mut self.recorder {
            tape.clear();
        }
    }

    /// From now on answers are kept, or no longer.
    pub(crate) fn record(&mut self, wanted: bool) {
        self.recorder = if wanted { Recorder::Recording(Tape::new()) } else { Recorder::Off };
    }

    /// Whether answers are neither kept nor those of an earlier call.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.recorder, Recorder::Off)
    }

    /// What the last call was answered, as far as it was kept; nothing of it is taken away.
    pub(crate) fn recorded(&self) -> Vec<Vec<HttpAnswer>> {
        match &self.recorder {
            Recorder::Recording(tape) => tape.iter().cloned().collect(),
            Recorder::Off | Recorder::Replaying(_) => Vec::new(),
        }
    }

    /// What the last call was answered; recording ends.
    pub(crate) fn take_tape(&mut self) -> Tape {
        match std::mem::take(&mut self.recorder) {
            Recorder::Recording(tape) | Recorder::Replaying(tape) => tape,
            Recorder::Off => Tape::new(),
        }
    }

    /// The next call is answered so, and nothing is sent.
    pub(crate) fn replay(&mut self, tape: Tape) {
        self.recorder = Recorder::Replaying(tape);
    }

    /// Sends what may be sent, and answers all.
    pub(crate) fn send(&mut self, asked: Vec<Asked>) -> Vec<HttpAnswer> {
        if let Recorder::Replaying(tape) = &mut self.recorder {
            let again = tape.pop_front().filter(|answers| answers.len() == asked.len());
            let differs = || HttpFailure::Failed("this call asked otherwise when it was made first".to_owned());
            return again.unwrap_or_else(|| asked.iter().map(|_| Err(differs())).collect());
        }
        let answers = self.sent(asked);
        if let Recorder::Recording(tape) = &mut self.recorder {
            tape.push_back(answers.clone());
        }
        answers
    }

    fn sent(&mut self, asked: Vec<Asked>) -> Vec<HttpAnswer> {
        let count = asked.len();
        let mut answers: Vec<Option<HttpAnswer>> = (0..count).map(|_| None).collect();
        let (mut places, mut requests) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (place, asked) in asked.into_iter().enumerate() {
            match self.admit(asked) {
                Ok(request) => {
                    places.push(place);
                    requests.push(request);
                }
                Err(failure) => answers[place] = Some(Err(failure)),
            }
        }
        if let Some(grant) = self.grant.as_ref().filter(|_| !requests.is_empty()) {
            let allowance = HttpAllowance {
                answer_bytes_max: self.bytes_max.saturating_sub(self.bytes),
                request_timeout: self.request_timeout,
                timeout: self.call_timeout.saturating_sub(self.spent),
            };
            let begun = Instant::now();
            let came = grant.transport.send(requests, &allowance);
            self.spent = self.spent.saturating_add(begun.elapsed());
            for (place, answer) in places.into_iter().zip(came) {
                answers[place] = Some(self.within(answer));
            }
        }
        let missing = || Err(HttpFailure::Failed("the host's client gave no answer".to_owned()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// An answer counts when it comes, whatever the transport let through.
    fn within(&mut self, answer: HttpAnswer) -> HttpAnswer {
        let response: HttpResponse = answer?;
        self.bytes = self.bytes.saturating_add(response.size_bytes());
        if self.bytes > self.bytes_max { Err(self.too_many_bytes()) } else { Ok(response) }
    }

    fn too_many_bytes(&self) -> HttpFailure {
        let (seen, limit) = (self.bytes, self.bytes_max);
        HttpFailure::LimitExceeded(format!(
            "{seen} bytes of requests and answers in one call; `limits.http_bytes` is {limit}"
        ))
    }

    fn admit(&mut self, asked: Asked) -> Result<HttpRequest, HttpFailure> {
        self.requests = self.requests.saturating_add(1);
        if self.requests > self.requests_max {
            let (seen, limit) = (self.requests, self.requests_max);
            let problem = format!("{seen} requests in one call; `limits.http_requests` is {limit}");
            return Err(HttpFailure::LimitExceeded(problem));
        }
        self.bytes = self.bytes.saturating_add(asked.size_bytes());
        if self.bytes > self.bytes_max {
            return Err(self.too_many_bytes());
        }
        if self.spent >= self.call_timeout {
            return Err(HttpFailure::TimedOut);
        }
        let shown = visible(&asked.url, URL_BYTES_MAX);
        let invalid = |why: String| HttpFailure::Invalid(format!("`{shown}`: {why}"));
        let mut url = Url::parse(&asked.url).map_err(|error| invalid(error.to_string()))?;
        let origin = Origin::of(&url).map_err(invalid)?;
        // It is for browsers, and never sent.
        url.set_fragment(None);
        if !self.grant.as_ref().is_some_and(|grant| grant.origins.contains(&origin)) {
            return Err(HttpFailure::Denied(format!("`{origin}` is not among `grants.http`")));
        }
        for (name, value) in &asked.headers {
            check_header(name, value).map_err(invalid)?;
        }
        Ok(HttpRequest { method: asked.method, url, headers: asked.headers, body: asked.body })
    }
}

fn check_header(name: &str, value: &[u8]) -> Result<(), String> {
    let shown = visible(name, 80);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{shown}` is no name of a header"));
    }
    if HOSTS_OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(format!("the header `{shown}` is the host's to write"));
    }
    if value.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
        return Err(format!("the header `{shown}` has a control character in it"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "side_tests.rs"]
mod tests;
