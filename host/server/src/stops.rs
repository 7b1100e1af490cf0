//! What can ask a running job to end: Ctrl-C, SIGTERM, and whoever may use its folder.

use tokio::signal;
use volley_api::{Error, Result};

use crate::control::{Asked, Control};

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A signal: the first asks for a clean end, the second breaks off, the third leaves at once.
    Signal,
    /// A request over the control socket, which says which it means.
    Asked(Asked),
}

/// Signals and requests, caught from the moment that this is made.
pub(crate) struct Stops {
    signals: StopSignals,
    control: Option<Control>,
}

impl Stops {
    pub(crate) fn new(control: Option<Control>) -> Result<Self> {
        Ok(Self { signals: StopSignals::new()?, control })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Stop {
        let asked = async {
            match &mut self.control {
                Some(control) => control.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.signals.next() => Stop::Signal,
            asked = asked => Stop::Asked(asked),
        }
    }
}

impl Stops {
    /// Lets answers go out that are under way, for a while.
    pub(crate) async fn settle(&self) {
        if let Some(control) = &self.control {
            control.settle().await;
        }
    }
}

/// Ctrl-C and SIGTERM, caught from the moment that this is made.
struct StopSignals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl StopSignals {
    fn new() -> Result<Self> {
        #[cfg(unix)]
        {
            use signal::unix::SignalKind;
            let listen = |name: &str, kind| {
                signal::unix::signal(kind)
                    .map_err(|error| Error::external(format!("cannot listen for {name}")).caused_by(error))
            };
            let interrupt = listen("SIGINT", SignalKind::interrupt())?;
            Ok(Self { interrupt, terminate: listen("SIGTERM", SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    }
}
