//! A server for tests, on this machine: what it does is in the path that it is asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Serves until the process ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                // Whoever breaks off is no failure of the server.
                std::thread::spawn(move || drop(serve(stream, &heard)));
            }
        });
        Self { port, asked }
    }

    /// A page of it, by a name that only the client's look-up knows.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://any.example:{}{path}", self.port)
    }

    /// The paths that it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
    let length =
        head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let (what, number) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let number: usize = number.parse().unwrap_or(0);
    match what {
        "late" => {
            std::thread::sleep(Duration::from_millis(number as u64));
            answer(&mut stream, 200, "", path.as_bytes())
        }
        "status" => answer(&mut stream, number, "", b""),
        "bytes" => answer(&mut stream, 200, "", &vec![b'x'; number]),
        "headers" => answer(&mut stream, 200, &format!("x-long: {}\r\n", "y".repeat(number)), b""),
        "redirect" => answer(&mut stream, 302, "location: /elsewhere\r\n", b""),
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'z'; 1_000])?;
            }
        }
        "silent" => {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        "dribble" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
            loop {
                stream.write_all(b"d")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        _ => answer(&mut stream, 200, "x-of-server: yes\r\n", &[head.as_bytes(), &body].concat()),
    }
}

fn answer(stream: &mut TcpStream, status: usize, more: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
