//! What plugins wrote to the host's log during one check.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

/// More text than this is an error of the host, which bounds lines and their number.
const CAPTURED_BYTES_MAX: usize = 64 << 20;

thread_local! {
    static CAPTURED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Sends the log of plugins, of every level, to where [`take`] finds it. Each thread has its own.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("volley::plugin=trace")
            .with_ansi(false)
            .without_time()
            .with_writer(|| Captured)
            .init();
    });
}

/// What this thread's plugins have written since the last call.
pub(crate) fn take() -> String {
    let bytes = CAPTURED.with(RefCell::take);
    String::from_utf8(bytes).expect("the log is text")
}

struct Captured;

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow_mut(|captured| {
            assert!(captured.len() + bytes.len() <= CAPTURED_BYTES_MAX, "a log without bound");
            captured.extend_from_slice(bytes);
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
