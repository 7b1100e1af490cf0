//! A running job until its end: progress, requests to stop, and its checkpoints where it takes any.

use volley_api::{Epoch, Error, ErrorKind, Result};
use volley_checkpoint::protocol::End;
use volley_runtime::{JobHandle, JobReport};

use crate::args::How;
use crate::checkpoints::Running;
use crate::control::{Asked, Board, Phase};
use crate::progress::Progress;
use crate::stops::{Stop, Stops};

/// What a wait came to.
enum Came {
    /// The job's tasks have ended, well or badly.
    JobEnded,
    /// Its checkpoints have: all is committed, or they failed.
    CheckpointsEnded(Result<End>),
}

/// Who is told to stop, and how often that was.
struct Driver<'a> {
    checkpoints: Option<&'a mut Running>,
    stops: &'a mut Stops,
    board: &'a Board,
    progress: Progress,
    requests: u32,
}

/// Waits for the end of the job. The first Ctrl-C (or SIGTERM) ends it cleanly, the second breaks it off, the third leaves
/// at once; a request over the control socket says which it means.
///
/// Of a job that takes checkpoints the clean end is one last checkpoint, from which it can go on; and broken off, it can go on
/// from the one before.
pub(crate) async fn drive(
    job: JobHandle,
    mut checkpoints: Option<Running>,
    stops: &mut Stops,
    board: &Board,
    how: &How,
) -> Result<JobReport> {
    let progress = Progress::new(how.quiet, checkpoints.as_ref().map(|checkpoints| checkpoints.asker.clone()));
    let mut driver = Driver { checkpoints: checkpoints.as_mut(), stops, board, progress, requests: 0 };
    match driver.wait(&job).await? {
        Came::JobEnded if driver.checkpoints.is_none() => {
            driver.progress.finish(&job);
            job.wait().await
        }
        Came::JobEnded => {
            let control = job.control();
            let stopped = job.stopped_report();
            // A failure of the job leaves what is staged to the next run, which knows what of it counts.
            let report = job.wait().await?;
            driver.board.set(Phase::Draining);
            match driver.wait_for_commits(&control).await? {
                End::Finished => Ok(report),
                End::Stopped { at, waiting } => {
                    driver.progress.tell(&stopped_at(at, waiting));
                    Ok(stopped)
                }
            }
        }
        Came::CheckpointsEnded(Ok(End::Finished)) => {
            driver.progress.finish(&job);
            job.wait().await
        }
        Came::CheckpointsEnded(Ok(End::Stopped { at, waiting })) => {
            driver.progress.tell(&stopped_at(at, waiting));
            driver.progress.finish(&job);
            let report = job.stopped_report();
            break_off(job).await;
            Ok(report)
        }
        Came::CheckpointsEnded(Err(error)) => {
            driver.progress.finish(&job);
            break_off(job).await;
            Err(error)
        }
    }
}

fn stopped_at(at: Epoch, waiting: u32) -> String {
    let of = match waiting {
        0 => return format!("stopped at checkpoint {at}: the next run goes on from there"),
        1 => "a checkpoint".to_owned(),
        waiting => format!("{waiting} checkpoints"),
    };
    format!(
        "stopped at checkpoint {at}: the output of {of} could not be committed in time and stays staged; the next run commits \
         it, and goes on from there"
    )
}

/// Ends the job's tasks; what they did since the last checkpoint is done again by the next run.
async fn break_off(job: JobHandle) {
    job.abort();
    if let Err(error) = job.wait().await
        && error.kind() != ErrorKind::Cancelled
    {
        tracing::debug!(error = %error.report(), "the job ended as it was broken off");
    }
}

impl Driver<'_> {
    async fn wait(&mut self, job: &JobHandle) -> Result<Came> {
        let mut ticks = tokio::time::interval(self.progress.interval());
        let done = job.finished();
        tokio::pin!(done);
        loop {
            let stop = tokio::select! {
                ended = ended(self.checkpoints.as_deref_mut()) => return Ok(Came::CheckpointsEnded(ended)),
                () = &mut done => return Ok(Came::JobEnded),
                _ = ticks.tick() => {
                    self.progress.show(job);
                    continue;
                }
                stop = self.stops.next() => stop,
            };
            self.take(stop, &|| job.stop(), &|| job.abort())?;
        }
    }

    /// Every task has done its work: the last checkpoint, and the commits of what waits for them.
    async fn wait_for_commits(&mut self, control: &volley_runtime::JobControl) -> Result<End> {
        loop {
            let stop = tokio::select! {
                ended = ended(self.checkpoints.as_deref_mut()) => return ended,
                stop = self.stops.next() => stop,
            };
            self.take(stop, &|| (), &|| control.abort())?;
            if self.requests >= 2 {
                let message = "broken off before all output was committed: the next run commits it";
                return Err(Error::new(ErrorKind::Cancelled, message));
            }
        }
    }

    fn take(&mut self, stop: Stop, end: &dyn Fn(), abort: &dyn Fn()) -> Result<()> {
        let asked = match stop {
            // Who asks a job with checkpoints to stop, and not to drain, wants it to go on another time.
            Stop::Asked(Asked::BreakOff) if self.checkpoints.is_some() && self.requests == 0 => Asked::Suspend,
            Stop::Asked(asked) => asked,
            Stop::Signal => match self.requests {
                0 if self.checkpoints.is_some() => Asked::Suspend,
                0 => Asked::Drain,
                1 => Asked::BreakOff,
                _ => return Err(Error::new(ErrorKind::Cancelled, "left at once: staged output may lie about")),
            },
        };
        match (asked, &mut self.checkpoints) {
            // A job that breaks off does neither of these any more.
            (Asked::Drain | Asked::Suspend, _) if self.requests >= 2 => {}
            (Asked::Suspend, Some(checkpoints)) => {
                self.requests = 1;
                checkpoints.asker.stop(false);
                self.board.set(Phase::Draining);
                self.progress
                    .tell("stopping: one last checkpoint is taken and its output committed (again to break off)");
            }
            (Asked::Drain | Asked::Suspend, checkpoints) => {
                self.requests = 1;
                match checkpoints {
                    Some(checkpoints) => checkpoints.asker.stop(true),
                    None => end(),
                }
                self.board.set(Phase::Draining);
                self.progress.tell("stopping: what has been read is processed and committed (again to break off)");
            }
            (Asked::BreakOff, checkpoints) => {
                self.requests = 2;
                abort();
                self.board.set(Phase::BreakingOff);
                self.progress.tell(match checkpoints {
                    Some(_) => "breaking off: the next run goes on from the last checkpoint (again to leave at once)",
                    None => "breaking off: what is not committed yet is thrown away (again to leave at once)",
                });
            }
        }
        Ok(())
    }
}

/// The end of a run's checkpoints; never, where it takes none.
async fn ended(checkpoints: Option<&mut Running>) -> Result<End> {
    match checkpoints {
        None => std::future::pending().await,
        Some(running) => match (&mut running.coordinator).await {
            Ok(end) => end,
            Err(error) => Err(Error::internal(format!("the coordinator of checkpoints: {error}"))),
        },
    }
}
