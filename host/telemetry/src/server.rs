//! `GET /metrics`: the page, on a loopback address, with every bound named.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::family::Family;
use crate::http::{Status, is_complete, judge};
use crate::registry::{REQUESTS, Registry};
use crate::text::CONTENT_TYPE;
use crate::value::Counter;
use crate::{Description, Error, Result};

/// Connections at once; further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 8;

/// Bytes of the head of a request.
pub const REQUEST_BYTES_MAX: usize = 8 << 10;

/// The longest that a request may take to come in.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// The longest that an answer may take to go out.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long to wait after the system could not take a connection (it has no file descriptors left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

static ANSWERED: Description = REQUESTS;

/// The bounds that tests set otherwise.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    connections_max: usize,
    request_time_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections_max: CONNECTIONS_MAX, request_time_max: REQUEST_TIME_MAX }
    }
}

/// A loopback address to listen on, as a person writes it: `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, or `:9464`
/// for the first of these. Port 0 picks a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsAddress(SocketAddr);

impl FromStr for MetricsAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':'));
        let address = match port {
            Some(port) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => text.parse().ok(),
        };
        let address: SocketAddr = address.ok_or_else(|| Error::NoAddress(text.to_owned()))?;
        let ip: IpAddr = address.ip().to_canonical();
        if ip.is_loopback() { Ok(Self(address)) } else { Err(Error::NotLoopback(address)) }
    }
}

/// Serves a registry's page until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    // Dropped with its tasks: the listener first of all.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Listens, and answers from a task of the present tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on: another process does, or the port is not for everybody.
    pub async fn start(address: MetricsAddress, registry: &Registry) -> Result<Self> {
        Self::start_bounded(address, registry, Bounds::default()).await
    }

    async fn start_bounded(address: MetricsAddress, registry: &Registry, bounds: Bounds) -> Result<Self> {
        let MetricsAddress(address) = address;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let requests = Arc::new(Family::<Counter>::new(&ANSWERED));
        let counted = Arc::clone(&requests);
        registry.add(move |into: &mut crate::Exposition| crate::Collect::collect(&*counted, into));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, registry.clone(), requests, bounds));
        Ok(Self { address, _tasks: tasks })
    }

    /// Where it listens, the port included.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes connections, a bounded number at once, each in a task that ends with this one.
async fn accept(listener: TcpListener, registry: Registry, requests: Arc<Family<Counter>>, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
        // Those that have ended are let go of, so that the set stays as small as the number of places.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (registry, requests) = (registry.clone(), Arc::clone(&requests));
                connections.spawn(async move {
                    serve(stream, &registry, &requests, bounds.request_time_max).await;
                    drop(place);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One request and its answer. A connection that breaks is its peer's matter.
async fn serve(mut stream: TcpStream, registry: &Registry, requests: &Family<Counter>, request_time_max: Duration) {
    let status = timeout(request_time_max, request(&mut stream)).await.unwrap_or(Some(Status::Timeout));
    let Some(status) = status else { return };
    // Before the page is made, so that it counts its own request.
    requests.with(&[status.code()]).add(1);
    let answer = match status {
        Status::Ok => status.answer(CONTENT_TYPE, Some(registry.render())),
        _ => status.answer("text/plain; charset=utf-8", None),
    };
    let _ = timeout(RESPONSE_TIME_MAX, respond(&mut stream, answer.as_bytes())).await;
}

/// Reads the head of a request; `None` when there is nobody to answer.
async fn request(stream: &mut TcpStream) -> Option<Status> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !is_complete(&head) {
        if head.len() >= REQUEST_BYTES_MAX {
            return Some(Status::TooLong);
        }
        match stream.read(&mut piece).await {
            Ok(0) if head.is_empty() => return None,
            Ok(0) => return Some(Status::BadRequest),
            Ok(length) => head.extend_from_slice(&piece[..length]),
            Err(_) => return None,
        }
    }
    Some(judge(&head))
}

/// Sends the answer. What the peer still sends is read, within bounds: closing on unread bytes would reset the connection
/// and could take the answer with it.
async fn respond(stream: &mut TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(REQUEST_BYTES_MAX as u64);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_taken_and_no_others() {
        for (text, address) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("127.9.9.9:1", "127.9.9.9:1"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:80", "127.0.0.1:80"),
            (":0", "127.0.0.1:0"),
        ] {
            assert_eq!(text.parse::<MetricsAddress>().expect(text).0.to_string(), address);
        }
        for (text, words) in [
            ("0.0.0.0:9464", "Use 127.0.0.1:9464"),
            ("[::]:1", "TLS and tokens"),
            ("10.0.0.1:1", "loopback addresses only"),
            ("[::ffff:10.0.0.1]:1", "loopback"),
            ("example.com:80", "no address"),
            ("127.0.0.1", "no address"),
            ("localhost:99999", "no address"),
            ("", "no address"),
        ] {
            let error = text.parse::<MetricsAddress>().expect_err(text).to_string();
            assert!(error.contains(words), "{error} should say {words}");
        }
    }

    const ASKED: &[u8] = b"GET /metrics HTTP/1.1\r\n\r\n";

    async fn start(bounds: Bounds) -> Server {
        let address = ":0".parse().expect("loopback");
        Server::start_bounded(address, &Registry::default(), bounds).await.expect("a free port")
    }

    #[tokio::test]
    async fn a_request_that_does_not_come_in_time_is_given_up() {
        let server = start(Bounds { request_time_max: Duration::ZERO, ..Bounds::default() }).await;
        let mut slow = TcpStream::connect(server.address()).await.expect("it listens");
        slow.write_all(b"GET /met").await.expect("connected");
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }

    #[tokio::test]
    async fn connections_are_bounded_and_the_next_is_served_when_one_ends() {
        let server = start(Bounds { connections_max: 1, request_time_max: Duration::MAX }).await;
        let silent = TcpStream::connect(server.address()).await.expect("it listens");
        let mut next = TcpStream::connect(server.address()).await.expect("the system's queue has room");
        next.write_all(ASKED).await.expect("connected");
        // The runtime has one thread: the server gets as many turns as this task lets it have.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let waits = next.try_read(&mut [0; 1]).expect_err("the one place is taken").kind();
        assert_eq!(waits, std::io::ErrorKind::WouldBlock);
        drop(silent);
        let mut answer = String::new();
        next.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}
