//! Puts a chain on a thread of its own and reports how it ended, panics included.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use volley_api::{Result, panic_text};

use super::commit::Ended;
use crate::Error;
use crate::task::Stopped;
use crate::task::chain::ChainTask;

/// Starts the thread; its end appears in `tasks`.
///
/// # Errors
/// When the operating system refuses a thread.
pub(crate) fn spawn_chain(tasks: &mut JoinSet<Ended>, runtime: &Handle, name: String, chain: ChainTask) -> Result<()> {
    let (report, ended) = oneshot::channel::<Ended>();
    let task = name.clone();
    let body = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| chain.run())).unwrap_or_else(|panic| {
            Err(Stopped::Failed(
                Error::Panicked { task, message: panic_text(&*panic).unwrap_or_else(|| "no message".to_owned()) }
                    .into(),
            ))
        });
        // Nobody listens any more when the runtime is being shut down.
        let _ = report.send(outcome.map(|()| None));
    };
    let thread = std::thread::Builder::new().name(name.clone());
    thread.spawn(body).map_err(|source| Error::Thread { task: name, source })?;
    tasks.spawn_on(async { ended.await.unwrap_or(Err(Stopped::Cancelled)) }, runtime);
    Ok(())
}
