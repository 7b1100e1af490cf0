//! A real object store on this machine: SeaweedFS, which speaks S3 with signatures and conditional writes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Result, Stop, checker};

/// The bucket that is there from the beginning.
const BUCKET: &str = "volley";
/// An object of our own, which is there when all of the store is.
const PROBE: &str = "probe";
const KEY: &str = "volley";
const SECRET: &str = "volley-secret";
/// Its programs also listen this much above their ports.
const GRPC_ABOVE: u16 = 10_000;
/// The longest that it takes to come up, on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A server that runs, with a folder of its own; killed when dropped.
#[derive(Debug)]
pub struct Seaweed {
    program: PathBuf,
    folder: TempDir,
    /// Of S3, master, volume, filer and admin.
    ports: [u16; 5],
    process: Child,
}

impl Seaweed {
    /// Starts one and waits until its bucket is there.
    ///
    /// # Errors
    /// When the program is not beside the Python of the tests, or does not come up.
    pub fn start() -> Result<Self> {
        let program = checker::python().with_file_name("weed");
        if !program.is_file() {
            let message = format!("{} is missing: run `scripts/setup test`", program.display());
            return Err(Stop::Trouble(message));
        }
        let mut folder = tempfile::tempdir()?;
        // Somebody else may take a port between the look and the start.
        let mut last = Stop::Trouble("no free ports".to_owned());
        for _ in 0..3 {
            let ports = free_ports()?;
            let process = spawn(&program, &folder, ports)?;
            let mut server = Self { program: program.clone(), folder, ports, process };
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                Err(stop) => last = stop,
            }
            folder = tempfile::tempdir()?;
        }
        Err(last)
    }

    /// The place of that name in its bucket.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("s3://{BUCKET}/{name}")
    }

    /// The variables by which a host finds it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.ports[0]);
        let variables = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Removes an object behind everybody's back: whether it was there. The name counts from the bucket.
    #[must_use]
    pub fn remove(&self, name: &str) -> bool {
        let path = format!("/buckets/{BUCKET}/{name}");
        is("200", ask("GET", self.ports[3], &path, "")) && is("204", ask("DELETE", self.ports[3], &path, ""))
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        // It may have ended already.
        drop(self.process.kill());
        self.process.wait()?;
        for (port, name) in self.ports.iter().zip(["s3", "master", "volume", "filer", "admin"]) {
            // It leaves these behind, wherever its other files are; they may never have been there.
            drop(fs::remove_file(format!("/tmp/seaweedfs-{name}-grpc-{}.sock", port + GRPC_ABOVE)));
        }
        Ok(())
    }

    /// Starts it again, with what it had, after [`Seaweed::kill`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = spawn(&self.program, &self.folder, self.ports)?;
        self.wait_ready()
    }

    /// Waits until S3 answers, the bucket is there, by the filer, and what it holds can be read: its parts find one another
    /// one by one.
    fn wait_ready(&mut self) -> Result<()> {
        let until = Instant::now() + LIMIT;
        let [s3, _, _, filer, _] = self.ports;
        let bucket = format!("/buckets/{BUCKET}/");
        let is_ready = || {
            let probe = format!("{bucket}{PROBE}");
            is("200", ask("GET", s3, "/healthz", ""))
                && is("200", ask("GET", filer, &bucket, ""))
                && (is("200", ask("GET", filer, &probe, "")) || is("201", ask("PUT", filer, &probe, PROBE)))
        };
        while !is_ready() {
            let has_ended = self.process.try_wait()?.is_some();
            if has_ended || Instant::now() > until {
                let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
                return Err(Stop::Trouble(format!("{} does not come up: {said}", self.program.display())));
            }
            thread::sleep(POLL_EVERY);
        }
        Ok(())
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

fn spawn(program: &PathBuf, folder: &TempDir, ports: [u16; 5]) -> Result<Child> {
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(at("data"))?;
    let [s3, master, volume, filer, admin] = ports;
    let arguments = [
        // By itself it calls home, and listens on every address.
        "-master.telemetry=false".to_owned(),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        "-webdav=false".to_owned(),
        "-admin.ui=false".to_owned(),
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        format!("-bucket={BUCKET}"),
        format!("-dir={}", at("data")),
        format!("-filer.localSocket={}", at("filer.sock")),
        format!("-s3.localSocket={}", at("s3.sock")),
        format!("-s3.port={s3}"),
        format!("-master.port={master}"),
        format!("-volume.port={volume}"),
        format!("-filer.port={filer}"),
        format!("-admin.port={admin}"),
    ];
    let said = File::options().create(true).append(true).open(at("said"))?;
    let mut command = Command::new(program);
    command.arg("mini").args(arguments).env("TMPDIR", folder.path());
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
    command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
    Ok(command.spawn()?)
}

/// Ports that nobody listens on, nor so far above them.
fn free_ports() -> Result<[u16; 5]> {
    let mut held = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < 5 {
        let low = TcpListener::bind(("127.0.0.1", 0))?;
        let port = low.local_addr()?.port();
        let high = port.checked_add(GRPC_ABOVE).and_then(|high| TcpListener::bind(("127.0.0.1", high)).ok());
        if high.is_some() {
            ports.push(port);
        }
        // Held until all are chosen, so that none comes twice.
        held.push((low, high));
        if held.len() > 200 {
            return Err(Stop::Trouble("no free ports".to_owned()));
        }
    }
    ports.try_into().map_err(|_| Stop::Trouble("no free ports".to_owned()))
}

/// Whether an answer has this status.
fn is(status: &str, answer: Option<String>) -> bool {
    answer.is_some_and(|answer| answer.starts_with(&format!("HTTP/1.1 {status}")))
}

/// What a server answers; `None` when it does not.
fn ask(verb: &str, port: u16, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let length = body.len();
    let head = format!("{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\nConnection: close");
    write!(stream, "{head}\r\n\r\n{body}").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
