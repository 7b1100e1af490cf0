//! What every test needs: a folder, the program run in it within a time limit, components, Python, the month's data.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use tempfile::TempDir;
use volley_cli::plugin::{BuildRequest, build};

/// The longest that one run of a program may take, compiling a component on a busy machine included.
pub(crate) const RUN_LIMIT: Duration = Duration::from_secs(180);
/// How often something outside this process is looked at while it is waited for.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Where scripts keep what they build and download.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/volley");
    std::env::var_os("VOLLEY_CACHE").map_or_else(home, PathBuf::from)
}

/// A component of `plugins/`: from `VOLLEY_TEST_PLUGINS`, or built here, all of them once.
pub(crate) fn plugin(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("VOLLEY_TEST_PLUGINS") {
            return folder.into();
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
        std::fs::create_dir_all(&out).expect("a folder for components");
        let request = BuildRequest {
            dir: repository().join("plugins"),
            out: Some(out.clone()),
            locked: true,
            target_dir: Some(cache().join("guest")),
            ..BuildRequest::default()
        };
        build(&request).unwrap_or_else(|error| panic!("the example operators cannot be built: {error}"));
        out
    });
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `make plugins`, or unset VOLLEY_TEST_PLUGINS", path.display());
    path
}

/// An operator of `tests/guests/rust`: from `VOLLEY_TEST_KEEPERS`, or built here, all of them once.
pub(crate) fn keeper(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("VOLLEY_TEST_KEEPERS") {
            return repository().join(folder);
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keepers");
        std::fs::create_dir_all(&out).expect("a folder for components");
        let request = BuildRequest {
            dir: repository().join("tests/guests/rust"),
            out: Some(out.clone()),
            locked: true,
            target_dir: Some(cache().join("guest")),
            ..BuildRequest::default()
        };
        build(&request).unwrap_or_else(|error| panic!("the tests' operators cannot be built: {error}"));
        out
    });
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `make plugins`, or unset VOLLEY_TEST_KEEPERS", path.display());
    path
}

/// The month of flights as CSV text: the header and the first `rows` rows.
pub(crate) fn flights(rows: usize) -> String {
    let file = std::fs::File::open(month()).expect("the month of flights");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect("gzip of text");
    text.split_inclusive('\n').take(rows + 1).collect()
}

/// The file with the month of flights.
pub(crate) fn month() -> PathBuf {
    repository().join("data/flights-2013-01.csv.gz")
}

/// Runs a script of this folder with the Python that has pandas, pyarrow and DuckDB; fails when the script does.
pub(crate) fn python(script: &str, arguments: &[&Path]) {
    let given = std::env::var_os("VOLLEY_TEST_PYTHON").map(PathBuf::from);
    let interpreter = given.unwrap_or_else(|| cache().join("venv/bin/python"));
    assert!(interpreter.is_file(), "{} is missing: run `scripts/setup test`", interpreter.display());
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(repository().join("tests/e2e").join(script)).args(arguments);
    let outcome = Running::start(&mut command).finish();
    assert_eq!(outcome.code, Some(0), "{script}: {}{}", outcome.text(), outcome.stderr);
}

/// A folder of one test, removed at its end.
pub(crate) struct Folder {
    folder: TempDir,
    /// Variables of hosts that run here.
    environment: Vec<(String, String)>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::with_environment(Vec::new())
    }

    /// One whose hosts have these variables.
    pub(crate) fn with_environment(environment: Vec<(String, String)>) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), environment }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of all files in it and below, hidden ones too, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        fn visit(folder: &Path, root: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    visit(&path, root, names);
                } else {
                    names.push(path.strip_prefix(root).expect("below").display().to_string());
                }
            }
        }
        let mut names = Vec::new();
        visit(self.folder.path(), self.folder.path(), &mut names);
        names.sort();
        names
    }

    /// `volley-host` with its working directory here.
    pub(crate) fn host(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volley-host"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("VOLLEY_LOG").env("RUST_BACKTRACE", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `volley-host` here, to its end, without input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Running::start(&mut self.host(arguments)).finish()
    }

    /// Runs `volley-host` here, to its end, and fails when it does.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.stderr);
        outcome
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text on standard output")
    }

    /// Standard output as one JSON value.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.text(), self.stderr))
    }

    /// Fails unless the program ended with `code` and said each of `parts`, as an error and not as a panic.
    pub(crate) fn says(&self, name: &str, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{name}: {}", self.stderr);
        // A plugin may panic and be told of; the host's own panics name a thread.
        let host_panicked = self.stderr.contains("thread '") && self.stderr.contains("panicked at");
        assert!(!host_panicked, "{name}: {}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{name}: no `{part}` in: {}", self.stderr);
        }
    }
}

/// A program that runs; killed when dropped before its end.
pub(crate) struct Running {
    child: Killed,
    input: Option<JoinHandle<()>>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: JoinHandle<()>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    /// Starts a program without input.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut running = Self::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        running.stdout = running.child.0.stdout.take().map(drain);
        running
    }

    /// Starts a program that reads `input`.
    pub(crate) fn start_with_input(command: &mut Command, input: Vec<u8>) -> Self {
        let mut running = Self::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut pipe = running.child.0.stdin.take().expect("piped");
        // A program that does not want the rest closes the pipe: that is its right.
        running.input = Some(thread::spawn(move || drop(pipe.write_all(&input))));
        running
    }

    /// Starts a program without input that writes into `stdout`.
    pub(crate) fn start_into(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        Self::spawn(command.stdin(Stdio::null()).stdout(stdout))
    }

    /// Starts a program between two ends that the caller has made.
    pub(crate) fn start_between(command: &mut Command, stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Self {
        Self::spawn(command.stdin(stdin).stdout(stdout))
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command.stderr(Stdio::piped()).spawn();
        let mut child = Killed(child.unwrap_or_else(|error| panic!("{command:?}: {error}")));
        let mut pipe = child.0.stderr.take().expect("piped");
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let stderr = thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut piece) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
            }
        });
        Self { child, input: None, stdout: None, stderr, said }
    }

    /// The reading end of standard output; whoever takes it must read it.
    pub(crate) fn take_stdout(&mut self) -> std::process::ChildStdout {
        self.child.0.stdout.take().expect("nobody reads it yet")
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().expect("a child of this process").is_some()
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.0.id())]).status();
        assert!(sent.expect("a shell").success(), "kill -{name}");
    }

    /// Waits until the program has said something on standard error.
    pub(crate) fn hear(&self, part: &str) {
        let said = || String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
        assert!(eventually(|| said().contains(part)), "no `{part}` in {}", said());
    }

    /// Waits until the program has said a line on standard error that begins so; gives the rest of the line.
    pub(crate) fn hear_line(&self, start: &str) -> String {
        let mut rest = None;
        let found = eventually(|| {
            let said = String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
            let line = said
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .find_map(|line| line.strip_prefix(start));
            rest = line.map(|line| line.trim_end().to_owned());
            rest.is_some()
        });
        assert!(found, "no line begins with `{start}`");
        rest.expect("just found")
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it takes longer than [`RUN_LIMIT`].
    pub(crate) fn finish(mut self) -> Outcome {
        if self.stdout.is_none() {
            self.stdout = self.child.0.stdout.take().map(drain);
        }
        let status = self.wait();
        if let Some(input) = self.input.take() {
            input.join().expect("the writer of the input");
        }
        let stdout = self.stdout.take().map_or_else(Vec::new, |stdout| stdout.join().expect("a reader"));
        self.stderr.join().expect("a reader");
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let stderr = String::from_utf8_lossy(&said).into_owned();
        Outcome { code: status.code(), stdout, stderr }
    }

    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let ended = eventually(|| {
            status = self.child.0.try_wait().expect("a child of this process");
            status.is_some()
        });
        assert!(ended, "not finished within {RUN_LIMIT:?}");
        status.expect("just seen")
    }
}

/// A child that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail for a child that has ended, which is the usual case.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The job in `job`, once it answers and what it says fulfils a condition.
pub(crate) fn status_when(folder: &Folder, fulfils: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut status = serde_json::Value::Null;
    let came = eventually(|| {
        let outcome = folder.run(&["status", "job", "--json"]);
        if outcome.code == Some(0) {
            status = outcome.json();
        }
        outcome.code == Some(0) && fulfils(&status)
    });
    assert!(came, "{status}");
    status
}

/// Asks until the answer is yes; `false` when it did not come within [`RUN_LIMIT`].
pub(crate) fn eventually(mut happened: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + RUN_LIMIT;
    while !happened() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(POLL_EVERY);
    }
    true
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe");
        bytes
    })
}

/// The lines of all files that a sink has made in a folder, sorted.
pub(crate) fn rows(folder: &Folder, out: &str) -> Vec<String> {
    let start = format!("{out}/part-");
    let files = folder.files();
    let parts = files.iter().filter(|name| name.starts_with(&start));
    let mut rows: Vec<String> =
        parts.flat_map(|name| folder.read(name).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    rows.sort_unstable();
    rows
}

/// The lines of a text, sorted.
pub(crate) fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}
