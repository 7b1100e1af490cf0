//! `--metrics`: the page while a job runs, read by Prometheus' own parser and held against the job's summary.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use crate::checkpoints::KEYED;
use crate::support::{Folder, Running, eventually, flights, plugin, python};

/// Where a program that runs serves its page.
fn address(running: &Running) -> String {
    let url = running.hear_line("metrics: http://");
    url.strip_suffix("/metrics").unwrap_or_else(|| panic!("no page: {url}")).to_owned()
}

/// The page as it stands.
fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the page is served while the job runs");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    page.to_owned()
}

#[test]
fn the_page_says_what_the_summary_says() {
    let folder = Folder::new();
    let (threshold, enrich) = (plugin("threshold"), plugin("enrich-flight"));
    folder.write("in.csv", flights(3_000));
    let pipeline = |follow: bool| {
        format!(
            "name: metered
sources: {{ flights: {{ file: {{ path: in.csv, follow: {follow} }} }} }}
operators:
  departed: {{ from: flights, filter: \"dep_delay IS NOT NULL\" }}
  far: {{ from: departed, plugin: {{ component: {}, config: {{ column: distance, min: 500 }} }} }}
  enriched:
    from: far
    plugin: {{ component: {}, config: {{ speed_kmh_max: 700 }}, on_error: dead_letter }}
sinks:
  out: {{ from: enriched, file: {{ path: out.csv }} }}
  dead: {{ from: enriched.errors, file: {{ path: dead.jsonl }} }}
",
            threshold.display(),
            enrich.display()
        )
    };
    // What the rows come to, from a run to the end.
    folder.write("whole.yaml", pipeline(false));
    let whole = folder.succeed(&["run", "whole.yaml", "-q", "--json"]).json();
    let rows = |what: &str| whole[what].as_u64().expect("a number");
    assert!(rows("rows_out") > 1_000 && rows("rows_rejected") > 10, "{whole}");

    // The same rows from a file that could grow: once they are through, the numbers stand still.
    folder.write("follow.yaml", pipeline(true));
    let running = Running::start(&mut folder.host(&["run", "follow.yaml", "-q", "--json", "--metrics", "127.0.0.1:0"]));
    let address = address(&running);
    let written = format!("volley_records_processed_total{{node=\"out\",role=\"sink\"}} {}\n", rows("rows_out"));
    let refused = format!("volley_records_processed_total{{node=\"dead\",role=\"sink\"}} {}\n", rows("rows_rejected"));
    let mut page = String::new();
    let through = eventually(|| {
        page = scrape(&address);
        page.contains(&written) && page.contains(&refused)
    });
    assert!(through, "no {written} {refused} in {page}");
    folder.write("page.prom", &page);
    running.signal("TERM");
    let outcome = running.finish();
    outcome.says("metered", 0, &["metrics: http://127.0.0.1:"]);
    folder.write("summary.json", outcome.text());
    let files = [folder.path("page.prom"), folder.path("summary.json"), threshold, enrich];
    python("metrics.py", &files.each_ref().map(|path| path.as_path()));
    assert!(TcpStream::connect(&address).is_err(), "the page goes with the job");
}

/// Windows of three hours of 2024-05-01 and rows of a file that could grow: the last hour waits, and one row is late.
#[test]
fn the_page_shows_windows_that_wait_and_how_long_messages_take() {
    let folder = Folder::new();
    let row = |hour: u32, minute: u32| format!("2024-05-01T{hour:02}:{minute:02}:00Z,a\n");
    let in_time: String = [(1, 0), (1, 30), (2, 0), (3, 10), (3, 20)].map(|(hour, minute)| row(hour, minute)).concat();
    folder.write("in.csv", format!("at,key\n{in_time}"));
    folder.write(
        "p.yaml",
        "name: windows
parallelism: 2
watermark_interval: 1ms
sources:
  in:
    parallelism: 1
    file: { path: in.csv, follow: true, follow_interval_ms: 5 }
    event_time: { column: at, max_out_of_orderness: 0s }
operators:
  hourly: { from: in, key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) } }
sinks: { out: { from: hourly, file: { path: out.csv } } }
",
    );
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q", "--json", "--metrics", "127.0.0.1:0"]));
    let address = address(&running);
    let mut page = String::new();
    let mut says = |what: &str| {
        let said = eventually(|| {
            page = scrape(&address);
            page.contains(what)
        });
        assert!(said, "no {what} in {page}");
        page.clone()
    };
    // Two windows have fired with the watermark of the last row, and the third waits.
    says("volley_records_emitted_total{node=\"hourly\",role=\"operator\"} 2\n");
    says("volley_window_pending_size{node=\"hourly\"} 1\n");
    let mut grows = OpenOptions::new().append(true).open(folder.path("in.csv")).expect("a file");
    grows.write_all(row(1, 59).as_bytes()).expect("a disk");
    let page = says("volley_records_late_total{node=\"hourly\"} 1\n");
    assert!(page.contains("# TYPE volley_stage_latency_ms histogram\n"), "{page}");
    // The source's chain, and the chain behind the exchange by key.
    for node in ["in", "hourly"] {
        let head = format!("volley_stage_latency_ms_count{{node=\"{node}\"}} ");
        let count = page.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_else(|| panic!("{node}: {page}"));
        assert!(count.parse::<u64>().expect("a number") >= 1, "{node}: {count}");
    }
    running.signal("TERM");
    let outcome = running.finish();
    outcome.says("windows", 0, &[]);
    let summary = outcome.json();
    assert_eq!((&summary["rows_late"], &summary["windows_pending"]), (&1.into(), &0.into()), "{summary}");
    let hourly = summary["nodes"].as_array().expect("nodes").iter().find(|node| node["name"] == "hourly");
    assert_eq!(hourly.expect("a node")["windows_pending"], 0);
}

#[test]
fn the_page_shows_checkpoints() {
    let folder = Folder::new();
    folder.write("p.yaml", KEYED);
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q", "--metrics", "127.0.0.1:0"]));
    let address = address(&running);
    let mut page = String::new();
    let some = eventually(|| {
        page = scrape(&address);
        let count = page.lines().find_map(|line| line.strip_prefix("volley_checkpoints_completed_total "));
        count.is_some_and(|count| count.parse::<u64>().expect("a number") >= 2)
    });
    assert!(some, "{page}");
    folder.write("page.prom", &page);
    python("checkpoint_metrics.py", &[&folder.path("page.prom")]);
    running.signal("TERM");
    running.finish().says("stopped", 130, &[]);
}

#[test]
fn a_unix_filter_has_a_page_too() {
    let folder = Folder::new();
    let component = plugin("threshold");
    let (input, mut writer) = std::io::pipe().expect("a pipe");
    let component = component.to_str().expect("text");
    let mut host =
        folder.host(&["--plugin", component, "--set", "column=a", "--set", "min=2", "-q", "--metrics", ":0"]);
    let mut running = Running::start_between(&mut host, input, Stdio::piped());
    writer.write_all(b"{\"a\":1}\n{\"a\":2}\n").expect("a pipe");
    let mut reader = BufReader::new(running.take_stdout());
    let mut line = String::new();
    reader.read_line(&mut line).expect("a row");
    assert_eq!(line, "{\"a\":2}\n");
    let page = scrape(&address(&running));
    assert!(
        page.contains("\nvolley_plugin_rows_in_total{operator=\"plugin\",plugin=\"threshold\",digest=\""),
        "{page}"
    );
    drop(writer);
    running.finish().says("filter", 0, &[]);
}

#[test]
fn addresses_that_others_reach_or_have_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.write(
        "p.yaml",
        "name: p\nsources: { made: { generate: { rows: 10, columns: { id: n } } } }\n\
         sinks: { out: { from: made, file: { path: out.jsonl } } }\n",
    );
    for address in ["0.0.0.0:0", "[::]:9464", "192.168.0.1:9464"] {
        let outcome = folder.run(&["run", "p.yaml", "--metrics", address]);
        outcome.says(address, 2, &["--metrics", "loopback addresses only", "TLS and tokens", "127.0.0.1:"]);
    }
    folder.run(&["run", "p.yaml", "--metrics", "9464"]).says("a port", 2, &["`9464` is no address", "127.0.0.1:PORT"]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    folder.run(&["run", "p.yaml", "--metrics", &address]).says("taken", 5, &["cannot listen on", &address, "in use"]);
    assert_eq!(folder.files(), ["p.yaml"]);
}
