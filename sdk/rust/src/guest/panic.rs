//! What a panic does in a component: it is said in the host's log, then the instance traps.

use std::fmt::Write as _;

use super::OneThread;
use crate::log::{self, Level};

/// A panic's message is cut at this many bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

/// Makes panics speak, once per instance.
pub(super) fn install_hook() {
    static INSTALLED: OneThread<bool> = OneThread::new(false);
    if INSTALLED.with(|installed| std::mem::replace(installed, true)) {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        let mut message = Bounded(String::new());
        // The only error is that the message is full.
        let _ = write!(message, "{info}");
        log::text(Level::Error, &message.0);
    }));
}

/// Takes as much text as is allowed.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = MESSAGE_BYTES_MAX - self.0.len();
        let fits = part.floor_char_boundary(room.min(part.len()));
        self.0.push_str(part.get(..fits).unwrap_or_default());
        if fits < part.len() { Err(std::fmt::Error) } else { Ok(()) }
    }
}
