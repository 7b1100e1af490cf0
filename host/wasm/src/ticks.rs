//! Ticks (wasmtime calls them epochs): a thread that makes running guests look up from their work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Time between two ticks, and with it the grain of deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// How many ticks without a call under way until the thread goes to sleep. Waking it costs a call some microseconds,
/// so a busy operator shall not do it for every batch.
const IDLE_TICKS_MAX: u32 = 20;

/// The tick thread of a process's engines. It sleeps while no guest runs, and ends with this value.
#[derive(Debug)]
pub(crate) struct Ticks {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    calls: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl Ticks {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new().name("ticks".into()).spawn(move || tick(&of_thread))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// From now on this engine's guests see ticks too, for as long as it exists.
    pub(crate) fn add(&self, engine: &Engine) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }

    /// Ticks come for as long as the guard lives.
    pub(crate) fn during_call(&self) -> CallGuard<'_> {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        CallGuard(&self.shared)
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

pub(crate) struct CallGuard<'a>(&'a Shared);

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn tick(&self) {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|engine| engine.upgrade().inspect(Engine::increment_epoch).is_some());
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("calls", &self.calls).finish_non_exhaustive()
    }
}

fn tick(shared: &Shared) {
    let mut idle_ticks = 0;
    while !shared.ended.load(Ordering::SeqCst) {
        shared.tick();
        idle_ticks = if shared.calls.load(Ordering::SeqCst) == 0 { idle_ticks + 1 } else { 0 };
        if idle_ticks < IDLE_TICKS_MAX {
            std::thread::sleep(TICK);
            continue;
        }
        // A call that begins after this store sees it and unparks; one that began before it is seen by the load.
        shared.asleep.store(true, Ordering::SeqCst);
        while shared.calls.load(Ordering::SeqCst) == 0 && !shared.ended.load(Ordering::SeqCst) {
            std::thread::park();
        }
        shared.asleep.store(false, Ordering::SeqCst);
        idle_ticks = 0;
    }
}
