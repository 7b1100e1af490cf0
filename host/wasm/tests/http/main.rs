//! The client behind `http` against a real server on this machine: answers, limits, and all that it must not do.

mod server;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use url::Url;
use volley_wasm::{
    HttpAllowance, HttpAnswer, HttpClient, HttpClientSettings, HttpFailure, HttpMethod, HttpRequest, HttpTransport,
};

use self::server::Server;

const ALLOWANCE: HttpAllowance = HttpAllowance {
    answer_bytes_max: 1 << 20,
    request_timeout: Duration::from_secs(20),
    timeout: Duration::from_secs(40),
};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts")
}

/// A client for which every name is this machine.
fn client(runtime: &Runtime, allow_private: bool) -> HttpClient {
    let here = |_: &str| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    with_lookup(runtime, allow_private, here)
}

fn with_lookup(
    runtime: &Runtime,
    allow_private: bool,
    lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
) -> HttpClient {
    let settings = HttpClientSettings { allow_private, lookup: Arc::new(lookup) };
    HttpClient::new(runtime.handle().clone(), &settings).expect("a client")
}

fn get(url: String) -> HttpRequest {
    HttpRequest {
        method: HttpMethod::Get,
        url: Url::parse(&url).expect("a URL"),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn one(client: &HttpClient, request: HttpRequest, allowance: &HttpAllowance) -> HttpAnswer {
    let mut answers = client.send(vec![request], allowance);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[test]
fn answers_come_in_order_whatever_their_status_and_order_of_arrival() {
    let (runtime, server) = (runtime(), Server::start());
    let client = client(&runtime, true);
    let urls = (0..40).map(|n| get(format!("http://any.example:{}/late/{}", server.port, (40 - n) * 3)));
    let answers = client.send(urls.collect(), &ALLOWANCE);
    for (n, answer) in answers.into_iter().enumerate() {
        let response = answer.expect("an answer");
        assert_eq!((response.status, response.body), (200, format!("/late/{}", (40 - n) * 3).into_bytes()));
    }
    let missing = one(&client, get(server.url("/status/404")), &ALLOWANCE).expect("an answer");
    assert_eq!(missing.status, 404);
}

#[test]
fn method_headers_and_body_arrive() {
    let (runtime, server) = (runtime(), Server::start());
    let request = HttpRequest {
        method: HttpMethod::Post,
        headers: vec![("X-Key".to_owned(), b"secret".to_vec())],
        body: b"hello".to_vec(),
        ..get(server.url("/echo?q=1"))
    };
    let response = one(&client(&runtime, true), request, &ALLOWANCE).expect("an answer");
    let text = String::from_utf8(response.body).expect("text").to_lowercase();
    assert!(text.starts_with("post /echo?q=1 http/1.1"), "{text}");
    assert!(text.contains("x-key: secret") && text.ends_with("hello"), "{text}");
    assert!(text.contains(&format!("host: any.example:{}", server.port)), "{text}");
    assert!(response.headers.iter().any(|(name, value)| name == "x-of-server" && value == b"yes"));
}

#[test]
fn redirects_are_given_and_not_followed() {
    let (runtime, server) = (runtime(), Server::start());
    let response = one(&client(&runtime, true), get(server.url("/redirect")), &ALLOWANCE).expect("an answer");
    assert_eq!(response.status, 302);
    assert!(response.headers.iter().any(|(name, value)| name == "location" && value == b"/elsewhere"));
    assert_eq!(server.asked(), ["/redirect"]);
}

#[test]
fn answers_beyond_the_limit_are_broken_off() {
    let (runtime, server) = (runtime(), Server::start());
    let client = client(&runtime, true);
    let small = HttpAllowance { answer_bytes_max: 10_000, ..ALLOWANCE };
    assert_eq!(one(&client, get(server.url("/bytes/5000")), &small).expect("fits").body.len(), 5_000);
    // One says its length, the other never ends.
    for path in ["/bytes/1000000", "/endless", "/headers/20000"] {
        let begun = Instant::now();
        let failure = one(&client, get(server.url(path)), &small).expect_err(path);
        assert!(
            matches!(&failure, HttpFailure::LimitExceeded(words) if words.contains("10000")),
            "{path}: {failure:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(10), "{path}");
    }
    // The limit is of all together.
    let answers = client.send((0..4).map(|_| get(server.url("/bytes/4000"))).collect(), &small);
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 2);
    assert!(answers.iter().flatten().all(|response| response.body.len() == 4_000));
}

#[test]
fn slow_servers_are_waited_for_as_long_as_allowed() {
    let (runtime, server) = (runtime(), Server::start());
    let client = client(&runtime, true);
    let short = Duration::from_millis(300);
    for path in ["/silent", "/dribble"] {
        for allowance in
            [HttpAllowance { request_timeout: short, ..ALLOWANCE }, HttpAllowance { timeout: short, ..ALLOWANCE }]
        {
            let begun = Instant::now();
            assert_eq!(one(&client, get(server.url(path)), &allowance), Err(HttpFailure::TimedOut), "{path}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{path}");
        }
    }
}

#[test]
fn addresses_that_are_not_public_are_denied_before_anything_is_sent() {
    let (runtime, server) = (runtime(), Server::start());
    let client = client(&runtime, false);
    let port = server.port;
    // By name, and by each way to write the address itself.
    for host in ["any.example", "127.0.0.1", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let failure = one(&client, get(format!("http://{host}:{port}/")), &ALLOWANCE).expect_err(host);
        assert!(
            matches!(&failure, HttpFailure::Denied(words) if words.contains("the open internet only")),
            "{host}: {failure:?}"
        );
    }
    assert!(server.asked().is_empty());
}

#[test]
fn one_private_address_among_public_ones_is_enough() {
    let (runtime, server) = (runtime(), Server::start());
    let mixed = |_: &str| Ok(vec![IpAddr::from([93, 184, 216, 34]), IpAddr::from([127, 0, 0, 1])]);
    let failure = one(&with_lookup(&runtime, false, mixed), get(server.url("/")), &ALLOWANCE).expect_err("denied");
    assert!(matches!(failure, HttpFailure::Denied(_)), "{failure:?}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_name_that_changes_its_address_is_checked_anew() {
    let (runtime, server) = (runtime(), Server::start());
    // At first it has no address, then that of this machine.
    let looked_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_up);
    let rebinding = move |_: &str| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(if first { Vec::new() } else { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] })
    };
    let client = with_lookup(&runtime, false, rebinding);
    let failures: Vec<_> =
        (0..3).map(|_| one(&client, get(server.url("/")), &ALLOWANCE).expect_err("denied")).collect();
    assert!(matches!(failures[0], HttpFailure::Failed(_)), "{failures:?}");
    assert!(failures[1..].iter().all(|failure| matches!(failure, HttpFailure::Denied(_))), "{failures:?}");
    assert_eq!(looked_up.load(Ordering::SeqCst), 3, "once for each connection");
    assert!(server.asked().is_empty());
}

#[test]
fn the_connection_goes_to_the_address_that_was_checked() {
    let (runtime, server) = (runtime(), Server::start());
    let looked_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_up);
    // Only the first look-up leads to the server; a second one on the way to the connection would lead nowhere.
    let client = with_lookup(&runtime, true, move |name: &str| {
        assert_eq!(name, "no-such-name.invalid");
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        if first { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) } else { Err(io::Error::other("asked again")) }
    });
    let url = format!("http://no-such-name.invalid:{}/bytes/3", server.port);
    assert_eq!(one(&client, get(url), &ALLOWANCE).expect("an answer").body, b"xxx");
    assert_eq!(looked_up.load(Ordering::SeqCst), 1);
}

#[test]
fn names_that_are_none_and_servers_that_are_not_there_fail_in_words() {
    let runtime = runtime();
    let client = with_lookup(&runtime, true, |_: &str| Err(io::Error::other("no such name")));
    let failure = one(&client, get("http://nobody.example:80/".to_owned()), &ALLOWANCE).expect_err("no such name");
    assert!(matches!(&failure, HttpFailure::Failed(words) if words.contains("no such name")), "{failure:?}");
    let client = self::client(&runtime, true);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let failure = one(&client, get(format!("http://any.example:{free}/")), &ALLOWANCE).expect_err("nobody listens");
    assert!(matches!(failure, HttpFailure::Failed(_)), "{failure:?}");
    // A server without TLS is no server of https.
    let server = Server::start();
    let url = format!("https://any.example:{}/", server.port);
    assert!(matches!(one(&client, get(url), &ALLOWANCE), Err(HttpFailure::Failed(_))));
}
