//! `http`: requests to servers outside, for plugins that are granted any.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};

use crate::http::side::Asked;
use crate::http::{HttpAnswer, HttpFailure, HttpMethod};
use crate::limits::thread_cpu_time;
use crate::store::{HostState, NotNow, Phase};
use crate::text::visible;
use crate::violation::Violation;

/// What a plugin is told of a failure, in bytes.
const WORDS_BYTES_MAX: usize = 1 << 10;

#[allow(dead_code, reason = "made by lifting alone")]
#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "patch")]
    Patch,
}

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct Header {
    name: String,
    value: Vec<u8>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
struct Request {
    method: Method,
    url: String,
    headers: Vec<Header>,
    body: Vec<u8>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(record)]
struct Response {
    status: u16,
    headers: Vec<Header>,
    body: Vec<u8>,
}

#[derive(Debug, ComponentType, Lower)]
#[component(variant)]
enum HttpError {
    #[component(name = "denied")]
    Denied(String),
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "failed")]
    Failed(String),
    #[component(name = "limit-exceeded")]
    LimitExceeded(String),
}

type Answer = Result<Response, HttpError>;

pub(crate) fn link(instance: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    instance.func_wrap("send", |mut context: StoreContextMut<'_, HostState>, (requests,): (Vec<Request>,)| {
        let state = context.data_mut();
        if state.phase != Phase::Batch {
            return Err(NotNow::outside_a_batch("http.send").into());
        }
        let asked: Vec<Asked> = requests.into_iter().map(asked).collect();
        // What it handed over counts before anything is sent; it was bounded when it was copied.
        state.transfer.add(asked.iter().map(Asked::size_bytes).sum())?;
        let begun = thread_cpu_time();
        let answers = state.http.send(asked);
        state.deadline.exclude(thread_cpu_time().saturating_sub(begun));
        state.metrics.http(&answers);
        for violation in violations(&answers) {
            state.metrics.violation(violation);
        }
        state.transfer.add(answers.iter().flatten().map(crate::http::HttpResponse::size_bytes).sum())?;
        Ok((answers.into_iter().map(lowered).collect::<Vec<Answer>>(),))
    })
}

/// What went wrong, each once for one `send`.
fn violations(answers: &[HttpAnswer]) -> impl Iterator<Item = Violation> {
    let has = |is: fn(&HttpFailure) -> bool| answers.iter().any(|answer| answer.as_ref().is_err_and(is));
    let denied = has(|failure| matches!(failure, HttpFailure::Denied(_)));
    let exceeded = has(|failure| matches!(failure, HttpFailure::LimitExceeded(_)));
    denied.then_some(Violation::HttpDenied).into_iter().chain(exceeded.then_some(Violation::HttpLimit))
}

fn asked(request: Request) -> Asked {
    let method = match request.method {
        Method::Get => HttpMethod::Get,
        Method::Head => HttpMethod::Head,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Delete => HttpMethod::Delete,
        Method::Patch => HttpMethod::Patch,
    };
    let headers = request.headers.into_iter().map(|header| (header.name, header.value)).collect();
    Asked { method, url: request.url, headers, body: request.body }
}

fn lowered(answer: HttpAnswer) -> Answer {
    let words = |words: String| visible(&words, WORDS_BYTES_MAX);
    match answer {
        Ok(response) => {
            let headers = response.headers.into_iter().map(|(name, value)| Header { name, value }).collect();
            Ok(Response { status: response.status, headers, body: response.body })
        }
        Err(HttpFailure::Denied(problem)) => Err(HttpError::Denied(words(problem))),
        Err(HttpFailure::Invalid(problem)) => Err(HttpError::Invalid(words(problem))),
        Err(HttpFailure::TimedOut) => Err(HttpError::TimedOut),
        Err(HttpFailure::Failed(problem)) => Err(HttpError::Failed(words(problem))),
        Err(HttpFailure::LimitExceeded(problem)) => Err(HttpError::LimitExceeded(words(problem))),
    }
}
