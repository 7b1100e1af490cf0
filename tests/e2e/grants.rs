//! Grants in the pipeline file: columns, and servers that a plugin asks.
#![cfg(feature = "http")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::{Folder, plugin};

/// A server on this machine that knows the names of two carriers; gives its port.
fn carriers() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever breaks off is no failure of the server.
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    port
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let (status, body) = match head.split(' ').nth(1) {
        Some("/carriers/UA") => (200, "United"),
        Some("/carriers/B6") => (200, "JetBlue"),
        Some("/carriers/moved") => (302, ""),
        Some("/carriers/broken") => (500, ""),
        _ => (404, "what?"),
    };
    let more = if status == 302 { "location: /carriers/UA\r\n" } else { "" };
    write!(stream, "HTTP/1.1 {status} x\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn pipeline(port: u16, grants: &str) -> String {
    format!(
        "name: carriers
sources: {{ rows: {{ file: {{ path: in.csv }} }} }}
operators:
  named:
    from: rows
    plugin:
      component: \"{}\"
      config: {{ column: carrier, url: \"http://127.0.0.1:{port}/carriers/\" }}
      grants: {grants}
      determinism_sample: 1
sinks:
  out: {{ from: named, file: {{ path: out.csv }} }}
  refused: {{ from: named.errors, file: {{ path: refused.jsonl, format: jsonl }} }}
",
        plugin("look-up").display()
    )
}

fn folder(port: u16, grants: &str) -> Folder {
    let folder = Folder::new();
    folder.write("in.csv", "carrier,card\nUA,1\nXX,2\nbroken,3\nB6,4\nUA,5\nmoved,6\n");
    folder.write("p.yaml", pipeline(port, grants));
    folder
}

#[test]
fn a_plugin_asks_the_server_that_it_is_granted() {
    let port = carriers();
    let folder = folder(port, &format!("{{ columns: [carrier], http: [\"http://127.0.0.1:{port}\"] }}"));
    folder.succeed(&["run", "p.yaml", "-q", "--http-allow-private"]);
    assert_eq!(folder.read("out.csv"), "carrier,card,answer\nUA,1,United\nXX,2,\nB6,4,JetBlue\nUA,5,United\n");
    let refused = folder.read("refused.jsonl");
    assert!(refused.contains("the server answered 500") && refused.contains("the server answered 302"), "{refused}");
}

#[test]
fn without_leave_of_the_host_this_machine_is_not_reached() {
    let port = carriers();
    let folder = folder(port, &format!("{{ http: [\"http://127.0.0.1:{port}\"] }}"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("out.csv").lines().count(), 1, "all rows are refused");
    assert!(folder.read("refused.jsonl").contains("the open internet only"));
}

#[test]
fn what_is_not_granted_is_refused_before_the_job_starts() {
    let here = "\"http://127.0.0.1:9\"";
    for (grants, words) in [
        ("{}".to_owned(), &["volley:operator/http@0.1.0", "grants: { http: ["][..]),
        (format!("{{ http: [{here}], columns: [card] }}"), &["no column `carrier`", "grants.columns", "carrier)"]),
        (format!("{{ http: [{here}], columns: [carier] }}"), &["did you mean `carrier`?"]),
        ("{ http: [\"http://127.0.0.1:9/path\"] }".to_owned(), &["p.yaml:9:", "no server to grant", "no path"]),
        ("{ htp: [] }".to_owned(), &["unknown key `htp`; did you mean `http`?"]),
    ] {
        let folder = folder(9, &grants);
        let outcome = folder.run(&["validate", "p.yaml"]);
        assert_ne!(outcome.code, Some(0), "{grants}");
        for word in words {
            assert!(outcome.stderr.contains(word), "{grants}: {} should say {word}", outcome.stderr);
        }
    }
}
