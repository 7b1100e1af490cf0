//! One job in a folder of its own, started as often as it takes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Chaos, Result, Shape, Stop, mount, refused, wrong};

/// The longest that a start may take which nobody disturbs, a busy machine included.
const FINISH_LIMIT: Duration = Duration::from_secs(90);
/// Where a start listens of which a savepoint is asked.
pub(crate) const LISTENS: &str = "listens";
/// How often a job is asked for a savepoint, until it listens.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// How often a process is looked at.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// Tells what hosts say apart.
static SAID: AtomicU64 = AtomicU64::new(0);

/// How one start is disturbed.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The value of `VOLLEY_FAIL_POINT`.
    pub fail_point: Option<String>,
    /// Where the places are noted that it comes to.
    pub log: Option<PathBuf>,
    /// Subtasks; those of [`Job::parallelism`] when it is 0.
    pub parallelism: u32,
    /// More words for the command line.
    pub arguments: Vec<String>,
}

impl How {
    /// Disturbed at a place.
    #[must_use]
    pub fn failing(fail_point: impl Into<String>) -> Self {
        Self { fail_point: Some(fail_point.into()), ..Self::default() }
    }
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard error.
    pub said: String,
}

impl Ended {
    /// Whether the job has come to its end, in this start or before.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.code == Some(0) || self.code == Some(2) && self.said.contains("has finished")
    }

    /// Refuses what no disturbance excuses: a panic, a defect, a log that a file is no place for.
    ///
    /// # Errors
    /// When the host calls it a defect of its own, or has panicked.
    pub fn check_manners(&self) -> Result<()> {
        let has_panicked = self.said.contains("panicked at");
        if has_panicked || self.code == Some(1) {
            return wrong(format!("the host ended with {:?}: {}", self.code, self.said));
        }
        if self.said.contains('\u{1b}') {
            return wrong(format!("the host colours what it writes into a file: {}", self.said));
        }
        if self.code.is_some_and(|code| code != 0) && !self.said.contains("error: ") {
            return wrong(format!("the host ended with {:?} and did not say why: {}", self.code, self.said));
        }
        Ok(())
    }
}

/// A job: a pipeline, its output and its checkpoints.
#[derive(Debug)]
pub struct Job<'a> {
    chaos: &'a Chaos,
    /// What it is.
    pub shape: Shape,
    /// Subtasks of starts that do not say how many; 2 unless it is changed.
    pub parallelism: u32,
    /// Variables of its hosts: the keys of an object store.
    pub environment: Vec<(String, String)>,
    folder: PathBuf,
    /// Removed with the job.
    _own: Option<TempDir>,
    starts: u32,
}

impl<'a> Job<'a> {
    /// A job that nobody has started, in a new folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(chaos: &'a Chaos, shape: Shape) -> Result<Self> {
        let own = tempfile::tempdir_in(chaos.scratch())?;
        let mut job = Self::in_folder(chaos, shape, own.path().to_owned())?;
        job._own = Some(own);
        Ok(job)
    }

    /// A job in a folder that is somebody else's.
    ///
    /// # Errors
    /// When the pipeline file cannot be written.
    pub fn in_folder(chaos: &'a Chaos, shape: Shape, folder: PathBuf) -> Result<Self> {
        fs::write(folder.join("p.yaml"), shape.yaml())?;
        Ok(Self { chaos, shape, parallelism: 2, environment: Vec::new(), folder, _own: None, starts: 0 })
    }

    /// Later starts run the next version of the plugin that holds state itself; none goes back. Where jobs have no such plugin
    /// nothing changes.
    ///
    /// # Errors
    /// When the pipeline file cannot be written.
    pub fn upgrade(&mut self) -> Result<()> {
        self.shape.has_next = true;
        Ok(fs::write(self.folder.join("p.yaml"), self.shape.yaml())?)
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its checkpoints are.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.shape.checkpoints_of(&self.folder).join("chaos")
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the host is not there.
    pub fn start(&mut self, how: &How) -> Result<Running> {
        self.starts += 1;
        let log = self.chaos.scratch().join(format!("said.{}", SAID.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(&self.chaos.options.host);
        let parallelism = if how.parallelism == 0 { self.parallelism } else { how.parallelism };
        command.args(["run", "p.yaml", "-q", "--parallelism", &parallelism.to_string()]).args(&how.arguments);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        for name in ["VOLLEY_LOG", "VOLLEY_FAIL_POINT", "VOLLEY_FAIL_POINT_LOG", "VOLLEY_PLANTED_BUG"] {
            command.env_remove(name);
        }
        command.env("RUST_BACKTRACE", "0").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(how.fail_point.iter().map(|plan| ("VOLLEY_FAIL_POINT", plan)));
        command.envs(how.log.iter().map(|path| ("VOLLEY_FAIL_POINT_LOG", path)));
        command.envs(self.chaos.planted.iter().map(|bug| ("VOLLEY_PLANTED_BUG", bug)));
        let host = self.chaos.options.host.display();
        let child = command.spawn().map_err(|error| Stop::Trouble(format!("{host}: {error}")))?;
        Ok(Running { child, log })
    }

    /// Starts it and waits for the end.
    ///
    /// # Errors
    /// When it does not end, or ends as no host may.
    pub fn run(&mut self, how: &How) -> Result<Ended> {
        self.start(how)?.finish()
    }

    /// Asks a start that listens in the folder [`LISTENS`] for a savepoint, as soon as it can be asked. One that it says was taken
    /// must be whole; what becomes of one whose host ends meanwhile, nobody was told.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn save(&mut self, running: &mut Running) -> Result<()> {
        let target = format!("saved-{}", self.starts);
        let host = |words: &[&str]| {
            let mut command = Command::new(&self.chaos.options.host);
            command.arg("savepoint").args(words).current_dir(&self.folder).stdin(Stdio::null());
            command.output().map_err(Stop::from)
        };
        while running.sleep(SAVE_EVERY)? {
            let asked = host(&[LISTENS, &target, "--timeout", "20s"])?;
            let is_taken = asked.status.success();
            if !is_taken && !self.folder.join(&target).exists() {
                // It cannot be asked yet, or ends just now.
                continue;
            }
            let verified = host(&["verify", &target])?;
            if is_taken && !verified.status.success() {
                let said = String::from_utf8_lossy(&verified.stderr).into_owned();
                return wrong(format!("a savepoint was taken and is not whole: {said}"));
            }
            return Ok(());
        }
        Ok(())
    }

    /// Starts it undisturbed, after whatever has happened: it must come to its end.
    ///
    /// # Errors
    /// When it does not.
    pub fn finish(&mut self) -> Result<()> {
        let ended = self.run(&How::default())?;
        if ended.is_finished() {
            return Ok(());
        }
        self.keep()?;
        refused(format!(
            "start {} was not disturbed and ended with {:?}: {}",
            self.starts,
            ended.code,
            ended.said.trim()
        ))
    }

    /// Compares what it has put out with what it must.
    ///
    /// # Errors
    /// When they differ, or cannot be compared.
    pub fn check(&self) -> Result<()> {
        let checked = self.chaos.checker.check(&self.folder, &self.shape);
        let after = |what: String| format!("after {} starts: {what}", self.starts);
        checked.or_else(|stop| {
            self.keep()?;
            Err(match stop {
                Stop::Wrong(fault, what) => Stop::Wrong(fault, after(what)),
                Stop::Unreadable(what) => Stop::Unreadable(after(what)),
                other => other,
            })
        })
    }

    /// Copies it to where somebody can look at it.
    fn keep(&self) -> Result<()> {
        let Some(keep) = &self.chaos.options.keep else { return Ok(()) };
        fs::create_dir_all(keep)?;
        let name = format!("job-{}", SAID.fetch_add(1, Ordering::Relaxed));
        self.chaos.say(&format!("      kept as {}", keep.join(&name).display()));
        mount::run("cp", &["-a", &self.folder.display().to_string(), &keep.join(name).display().to_string()])
    }

    /// As [`Job::finish`] and [`Job::check`].
    ///
    /// # Errors
    /// Theirs.
    pub fn finish_and_check(&mut self) -> Result<()> {
        self.finish()?;
        self.check()
    }
}

/// A host that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it run for a while, at most to its end.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn sleep(&mut self, span: Duration) -> Result<bool> {
        let until = Instant::now() + span;
        loop {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(true);
            }
            thread::sleep(left.min(POLL_EVERY));
        }
    }

    /// Waits for its end, as long as any may take.
    ///
    /// # Errors
    /// When it does not end, or ends as no host may.
    pub fn finish(self) -> Result<Ended> {
        let ended = self.wait(FINISH_LIMIT)?;
        ended.check_manners()?;
        Ok(ended)
    }

    /// Kills it, if it still runs.
    ///
    /// # Errors
    /// When it has ended before, as no host may.
    pub fn kill(mut self) -> Result<Ended> {
        // One that has just ended is not killed any more, which is no mistake.
        drop(self.child.kill());
        let status = self.child.wait()?;
        let ended = self.ended(status);
        ended.check_manners()?;
        Ok(ended)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it takes longer than `limit`.
    pub fn wait(mut self, limit: Duration) -> Result<Ended> {
        if self.sleep(limit)? {
            drop(self.child.kill());
            let status = self.child.wait()?;
            return wrong(format!("the host did not end within {limit:?}: {}", self.ended(status).said.trim()));
        }
        let status = self.child.wait()?;
        Ok(self.ended(status))
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let said = fs::read(&self.log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default();
        Ended { code: status.code(), said }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for one that has ended, which is the usual case.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_file(&self.log));
    }
}
