//! Runs work that blocks away from the shared runtime's workers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;
use volley_api::panic_text;

use crate::Error;

/// Where blocking work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the runtime's blocking threads: for files, where work ends by itself. A runtime waits for it when it ends.
    Pool,
    /// On a thread of its own, which a runtime that ends does not wait for: for pipes, which may never move again.
    Detached,
}

/// Runs `work` and waits for its outcome. A panic, which a decoder may answer a damaged file with, becomes an error
/// that names `path`.
pub(crate) async fn run<T, F>(place: Place, path: &str, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let name = path.to_owned();
    let guarded = move || guard(&name, work);
    match place {
        Place::Pool => tokio::task::spawn_blocking(guarded).await.map_err(|error| Error::Broken(error.to_string()))?,
        Place::Detached => {
            let (sender, receiver) = oneshot::channel();
            let thread = std::thread::Builder::new().name("volley-file".to_owned());
            // The receiver is gone when the job is; nobody wants the outcome then.
            let spawned = thread.spawn(move || drop(sender.send(guarded())));
            spawned.map_err(|error| Error::io("start a thread for", path, error))?;
            receiver.await.map_err(|error| Error::Broken(error.to_string()))?
        }
    }
}

/// Runs `work` here; a panic becomes an error that names `path`.
pub(crate) fn guard<T>(path: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    // What the work owned is dropped with the panic, so nobody sees it half changed.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    outcome.map_err(|panic| {
        let reason = panic_text(panic.as_ref()).unwrap_or_else(|| "no reason given".to_owned());
        Error::damaged(path, format!("the decoder gave up: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_become_errors_that_name_the_path() {
        for place in [Place::Pool, Place::Detached] {
            let outcome = run(place, "a.arrow", || -> () { panic!("index {} out of bounds", 7) }).await;
            let message = outcome.expect_err("a panic").to_string();
            assert_eq!(message, "a.arrow: the decoder gave up: index 7 out of bounds");
            assert_eq!(run(place, "a", || 3).await.expect("no panic"), 3);
        }
    }
}
