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

/// Answers until it is dropped; then the socket goes too.
pub(crate) struct Control {
    wishes: mpsc::Receiver<Asked>,
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
        tasks.spawn(accept(listener, board, wish));
        Ok(Self { wishes, _tasks: tasks, _place: place })
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

/// Takes connections, a bounded number at once, each in a task that ends with this one.
async fn accept(listener: UnixListener, board: Board, wish: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (board, wish) = (board.clone(), wish.clone());
        connections.spawn(async move {
            if let Err(error) = serve(stream, &board, &wish).await {
                tracing::debug!(error = %error.report(), "a request for control");
            }
            drop(place);
        });
    }
}

async fn serve(mut stream: UnixStream, board: &Board, wish: &mpsc::Sender<Asked>) -> Result<()> {
    let request = timeout(REQUEST_WITHIN, read_line(&mut stream, REQUEST_BYTES_MAX)).await;
    let answer = match request {
        Err(_) => Answer::Refused(format!("no request came within {REQUEST_WITHIN:?}")),
        Ok(Err(error)) => Answer::Refused(error.report()),
        Ok(Ok(line)) => match parse_request(&line) {
            Ok(command) => answer(command, board, wish),
            Err(problem) => Answer::Refused(problem),
        },
    };
    let line = answer_line(answer)?;
    // Whoever asked may have gone.
    drop(timeout(ANSWER_WITHIN, stream.write_all(line.as_bytes())).await);
    Ok(())
}

fn answer(command: Command, board: &Board, wish: &mpsc::Sender<Asked>) -> Answer {
    match command {
        Command::Status => Answer::Status(board.status()),
        Command::Stop { drain } => match wish.try_send(if drain { Asked::Drain } else { Asked::BreakOff }) {
            Ok(()) => Answer::Stopping { drain },
            Err(_) => Answer::Refused("the job has not come to earlier requests yet: ask again later".to_owned()),
        },
    }
}
