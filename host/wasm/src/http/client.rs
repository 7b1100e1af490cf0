//! The client behind `http`: checked addresses, no redirects, no proxies, answers of bounded size.
//!
//! A name is looked up by the host, all of its addresses are checked, and connections go to just those: a second look-up, which
//! could answer otherwise, does not happen between the check and the connection.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::{
    AddressKind, HttpAllowance, HttpAnswer, HttpFailure, HttpMethod, HttpRequest, HttpResponse, HttpTransport,
    kind_of_address,
};
use crate::{Error, Result};

/// Requests of one `send` that are under way at the same time.
const AT_ONCE_MAX: usize = 32;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Beyond the time that the requests have: the client ends them itself, and this is for when it does not.
const GRACE: Duration = Duration::from_secs(1);

/// Looks up the addresses of a name. It may block.
pub type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// What the client is made with: the host's business, and no pipeline's.
#[derive(Clone)]
pub struct HttpClientSettings {
    /// Reaches addresses of private networks and of this machine too, for tests and for servers in the same building.
    /// Default: no.
    pub allow_private: bool,
    /// How names are looked up. Default: as the system does.
    pub lookup: Arc<Lookup>,
}

impl Default for HttpClientSettings {
    fn default() -> Self {
        let by_system = |name: &str| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Self { allow_private: false, lookup: Arc::new(by_system) }
    }
}

impl fmt::Debug for HttpClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientSettings").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// Sends requests by a runtime that drives input and output; whoever asks waits outside of it.
#[derive(Debug)]
pub struct HttpClient {
    runtime: Handle,
    client: Client,
    allow_private: bool,
}

impl HttpClient {
    /// A client whose connections are driven by that runtime, which must have threads of its own.
    ///
    /// # Errors
    /// When TLS cannot be set up: the system's certificates cannot be read.
    pub fn new(runtime: Handle, settings: &HttpClientSettings) -> Result<Self> {
        let HttpClientSettings { allow_private, lookup } = settings.clone();
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("volley/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(IDLE)
            .dns_resolver(Arc::new(Checked { allow_private, lookup }))
            .build()
            .map_err(|error| Error::Engine(format!("the HTTP client of plugins: {}", chain(&error))))?;
        Ok(Self { runtime, client, allow_private })
    }

    /// An address in a URL is not looked up, so it is checked here.
    fn check_literal(&self, url: &Url) -> Option<HttpFailure> {
        let address: IpAddr = match url.host()? {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(_) => return None,
        };
        let denied = check(&address.to_string(), [address], self.allow_private).err()?;
        Some(HttpFailure::Denied(denied.to_string()))
    }
}

impl HttpTransport for HttpClient {
    fn send(&self, requests: Vec<HttpRequest>, allowance: &HttpAllowance) -> Vec<HttpAnswer> {
        let count = requests.len();
        let mut answers: Vec<HttpAnswer> = (0..count).map(|_| Err(HttpFailure::TimedOut)).collect();
        // Its end is the end of the requests: what is still under way when this returns is dropped.
        let (sender, receiver) = mpsc::channel();
        let left = Arc::new(AtomicUsize::new(allowance.answer_bytes_max));
        let turn = Arc::new(Semaphore::new(AT_ONCE_MAX));
        let mut tasks = Vec::with_capacity(count);
        for (place, request) in requests.into_iter().enumerate() {
            if let Some(denied) = self.check_literal(&request.url) {
                answers[place] = Err(denied);
                continue;
            }
            let (client, left, turn, sender) =
                (self.client.clone(), Arc::clone(&left), Arc::clone(&turn), sender.clone());
            let HttpAllowance { answer_bytes_max, request_timeout, timeout } = *allowance;
            tasks.push(self.runtime.spawn(async move {
                let one = async {
                    let _turn = turn.acquire().await;
                    let one = one(&client, request, &left, answer_bytes_max);
                    tokio::time::timeout(request_timeout, one).await.unwrap_or(Err(HttpFailure::TimedOut))
                };
                let answer = tokio::time::timeout(timeout, one).await.unwrap_or(Err(HttpFailure::TimedOut));
                // Nobody waits any more: then nobody wants it.
                let _ = sender.send((place, answer));
            }));
        }
        drop(sender);
        let until = std::time::Instant::now() + allowance.timeout.saturating_add(GRACE);
        while let Ok((place, answer)) =
            receiver.recv_timeout(until.saturating_duration_since(std::time::Instant::now()))
        {
            answers[place] = answer;
        }
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        answers
    }
}

/// Sends one request and reads its answer, as long as all answers together stay within `left`.
async fn one(client: &Client, request: HttpRequest, left: &AtomicUsize, limit: usize) -> HttpAnswer {
    let HttpRequest { method, url, headers, body } = request;
    let mut builder = client.request(self::method(method), url);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    if !body.is_empty() {
        builder = builder.body(body);
    }
    let mut response = builder.send().await.map_err(|error| failure(&error))?;
    let take = |bytes: usize| {
        let fits = |seen: usize| seen.checked_sub(bytes);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|_| {
            HttpFailure::LimitExceeded(format!("more than the {limit} bytes that are left of `limits.http_bytes`"))
        })
    };
    let headers: Vec<(String, Vec<u8>)> =
        response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    take(headers.iter().map(|(name, value)| name.len() + value.len()).sum())?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // What a server says of its length is not believed; what comes is counted.
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        take(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status, headers, body })
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Patch => Method::PATCH,
    }
}

/// Names are looked up here and nowhere else.
struct Checked {
    allow_private: bool,
    lookup: Arc<Lookup>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_private, lookup) = (self.allow_private, Arc::clone(&self.lookup));
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let looked_up = tokio::task::spawn_blocking(move || {
                let addresses = lookup(&name)?;
                check(&name, addresses.iter().copied(), allow_private)?;
                Ok::<_, Box<dyn StdError + Send + Sync>>(addresses)
            });
            let addresses = looked_up.await??;
            // The port is that of the URL.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// A name or address that a plugin has no business with. The address that a name has in a private network is not told.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` is an address {kind}, and plugins reach the open internet only")]
struct Denied {
    host: String,
    kind: &'static str,
}

/// One address that is not public is enough: which of several a connection takes is not for a plugin's luck.
fn check(
    host: &str,
    addresses: impl IntoIterator<Item = IpAddr>,
    allow_private: bool,
) -> std::result::Result<(), Denied> {
    for address in addresses {
        if let (AddressKind::Other(kind), false) = (kind_of_address(address), allow_private) {
            tracing::warn!(host, %address, "a plugin's request is denied: the address is {kind}");
            return Err(Denied { host: host.to_owned(), kind });
        }
    }
    Ok(())
}

fn failure(error: &reqwest::Error) -> HttpFailure {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(denied) = error.downcast_ref::<Denied>() {
            return HttpFailure::Denied(denied.to_string());
        }
        cause = error.source();
    }
    match () {
        () if error.is_timeout() => HttpFailure::TimedOut,
        () if error.is_builder() => HttpFailure::Invalid(chain(error)),
        () => HttpFailure::Failed(chain(error)),
    }
}

/// An error with its causes, in words.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
