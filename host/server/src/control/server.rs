//! The job's end of the socket: listens, answers, and passes on what is asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use volley_api::Result;
use volley_checkpoint::store::Location;

use super::folder::{self, Place};
use super::wire::{Answer, Command, REQUEST_BYTES_MAX, answer_line, parse_request, read_line};
use super::{Asked, Board};

/// Connections at once; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 8;
/// The longest that a request may take to come in.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// The longest that an answer may take to go out.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait after the system could not take a connection (it has no file descriptors left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Wishes that wait for the runner, which is busy while parts of the job are opened. Further ones say nothing new.
const WISHES_MAX: usize = 8;
/// Savepoints at once: fewer than connections, so that the job can be seen meanwhile.
const SAVEPOINTS_MAX: u32 = 4;

/// Answers until it is dropped; then the socket goes too.
pub(crate) struct Control {
    wishes: mpsc::Receiver<Asked>,
    savepoints: Arc<Semaphore>,
    // Dropped in this order: nobody is let in any more when the socket goes.
    _tasks: JoinSet<()>,
    _place: Place,
}

impl Control {
    /// Takes the folder and listens in it.
    ///
    /// # Errors
    /// When another job runs there, others may enter it, or the system refuses.
    pub(crate) async fn listen(folder: &Path, board: Board) -> Result<Self> {
        let (place, listener) = folder::take(folder).await?;
        let (wish, wishes) = mpsc::channel(WISHES_MAX);
        let mut tasks = JoinSet::new();
        let savepoints = Arc::new(Semaphore::new(SAVEPOINTS_MAX as usize));
        tasks.spawn(accept(listener, Job { board, wish, savepoints: Arc::clone(&savepoints) }));
        Ok(Self { wishes, savepoints, _tasks: tasks, _place: place })
    }

    /// Waits until whoever asked for a savepoint has the answer, but not for ever.
    pub(crate) async fn settle(&self) {
        drop(timeout(ANSWER_WITHIN, self.savepoints.acquire_many(SAVEPOINTS_MAX)).await);
    }

    /// The next wish.
    pub(crate) async fn next(&mut self) -> Asked {
        match self.wishes.recv().await {
            Some(asked) => asked,
            // The task that listens does not end by itself.
            None => std::future::pending().await,
        }
    }
}

/// What requests are about.
#[derive(Clone)]
struct Job {
    board: Board,
    wish: mpsc::Sender<Asked>,
    /// Places for savepoints.
    savepoints: Arc<Semaphore>,
}

/// Takes connections, a bounded number at once, each in a task that ends with this one.
async fn accept(listener: UnixListener, job: Job) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let job = job.clone();
        connections.spawn(async move {
            if let Err(error) = serve(stream, &job).await {
                tracing::debug!(error = %error.report(), "a request for control");
            }
            drop(place);
        });
    }
}

async fn serve(mut stream: UnixStream, job: &Job) -> Result<()> {
    let request = timeout(REQUEST_WITHIN, read_line(&mut stream, REQUEST_BYTES_MAX)).await;
    let request = match request {
        Err(_) => Err(format!("no request came within {REQUEST_WITHIN:?}")),
        Ok(Err(error)) => Err(error.report()),
        Ok(Ok(line)) => parse_request(&line),
    };
    // Held until the answer has gone out.
    let mut place = None;
    let (version, answer) = match request {
        Err(problem) => (1, Answer::Refused(problem)),
        Ok((Command::Savepoint { target }, version)) => match job.savepoints.try_acquire() {
            Ok(free) => {
                place = Some(free);
                (version, savepoint(&target, &job.board).await)
            }
            Err(_) => {
                let problem = format!("{SAVEPOINTS_MAX} savepoints are under way already: ask again later");
                (version, Answer::Refused(problem))
            }
        },
        Ok((Command::Status, version)) => (version, Answer::Status(job.board.status())),
        Ok((Command::Stop { drain }, version)) => (version, stop(drain, job)),
    };
    let line = answer_line(version, answer)?;
    // Whoever asked may have gone.
    drop(timeout(ANSWER_WITHIN, stream.write_all(line.as_bytes())).await);
    drop(place);
    Ok(())
}

fn stop(drain: bool, job: &Job) -> Answer {
    let checkpoint = !drain && job.board.would_suspend();
    match job.wish.try_send(if drain { Asked::Drain } else { Asked::BreakOff }) {
        Ok(()) => Answer::Stopping { drain, checkpoint },
        Err(_) => Answer::Refused("the job has not come to earlier requests yet: ask again later".to_owned()),
    }
}

/// Takes a savepoint, however long that lasts: a checkpoint has a time limit of its own, and its copy as many bytes as it has.
async fn savepoint(target: &str, board: &Board) -> Answer {
    let taken = async {
        let asker = board.asker()?;
        let target = Location::parse(target).map_err(|error| error.to_string())?;
        asker.savepoint(target).await.map_err(|error| error.report())
    };
    match taken.await {
        Ok(report) => Answer::Savepoint(report.into()),
        Err(problem) => Answer::Refused(problem),
    }
}
