//! A whole page against the text it should be, and over a connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use volley_telemetry::{
    Counter, Description, Exposition, Histogram, Kind, MetricsAddress, REQUEST_BYTES_MAX, Registry, Server, Unit, Value,
};

static ROWS: Description = Description::new(
    Kind::Counter,
    Unit::Count,
    "demo_rows_total",
    &["node", "side"],
    "Rows, with a \\ and\na second line.",
);
static CPU: Description = Description::new(Kind::Counter, Unit::Seconds, "demo_cpu_seconds_total", &[], "CPU time.");
static MEMORY: Description = Description::new(Kind::Gauge, Unit::Bytes, "demo_memory_bytes", &["node"], "Memory.");
static CALLS: Description =
    Description::new(Kind::Histogram, Unit::Seconds, "demo_call_seconds", &["node"], "Time of one call.");
static SIZE: Description = Description::new(Kind::Summary, Unit::Count, "demo_size", &[], "Sizes.");
static LEVEL: Description = Description::new(Kind::Gauge, Unit::Count, "demo_level", &[], "A level.");

fn registry() -> Registry {
    let cpu = Counter::default();
    cpu.add_time(Duration::from_micros(1_500_250));
    let calls = Histogram::new(&[1_000, 1_000_000, 1_000_000_000]);
    for nanos in [1, 1_000, 1_001, 2_000_000_000] {
        calls.observe(nanos);
    }
    let registry = Registry::default();
    registry.add(move |into: &mut Exposition| {
        into.add(&CPU, &[], Value::Whole(cpu.get()));
        into.add(&CALLS, &["far"], Value::Histogram(calls.snapshot()));
        into.add(&MEMORY, &["far"], Value::Whole(65_536));
        into.add(&SIZE, &[], Value::Summary { count: 3, sum: 0.75 });
        into.add(&LEVEL, &[], Value::Float(-0.5));
    });
    registry.add(|into: &mut Exposition| {
        into.add(&ROWS, &["b", "out"], Value::Whole(7));
        into.add(&ROWS, &["a\"b\\c\nd", "out"], Value::Whole(u64::MAX));
        into.add(&ROWS, &["b", "in"], Value::Whole(0));
    });
    registry
}

#[test]
fn a_page_is_the_golden_one() {
    assert_eq!(registry().render(), include_str!("page.prom"));
}

/// Sends bytes, ends the sending side, and reads to the end of the answer.
fn ask(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    // A server that has heard enough may close before all is sent.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

async fn start(registry: &Registry) -> Server {
    let address: MetricsAddress = "127.0.0.1:0".parse().expect("loopback");
    Server::start(address, registry).await.expect("a free port")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_served_and_nothing_else_is() {
    let server = start(&registry()).await;
    tokio::task::spawn_blocking(move || {
        let answer = ask(&server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        let asked = "# HELP volley_metrics_requests_total";
        let golden = include_str!("page.prom");
        let (before, rest) = body.split_once(asked).expect("requests are counted");
        assert!(golden.starts_with(before), "{before}");
        assert!(rest.contains("volley_metrics_requests_total{status=\"200\"} 1\n"), "{rest}");

        let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(REQUEST_BYTES_MAX));
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405"),
            ("nonsense\r\n\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\nHost:", "400"),
            (long.as_str(), "431"),
        ] {
            let answer = ask(&server, request.as_bytes());
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
        assert_eq!(ask(&server, b""), "", "who asks nothing is told nothing");
        let counted = ask(&server, b"GET /metrics HTTP/1.1\r\n\r\n");
        for (status, count) in [("200", 2), ("404", 1), ("405", 1), ("400", 2), ("431", 1)] {
            let line = format!("volley_metrics_requests_total{{status=\"{status}\"}} {count}\n");
            assert!(counted.contains(&line), "no {line} in {counted}");
        }
    })
    .await
    .expect("no panic");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_names_it_and_a_dropped_server_frees_it() {
    let registry = registry();
    let server = start(&registry).await;
    let taken = server.address().to_string();
    let error = Server::start(taken.parse().expect("loopback"), &registry).await.expect_err("it is taken").to_string();
    assert!(error.contains(&taken) && error.contains("--metrics"), "{error}");
    drop(server);
    // The listener goes with its task, at the runtime's next turn.
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(taken).is_err(), "nobody listens any more");
}
