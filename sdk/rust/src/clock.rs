//! The host's time, the same throughout one call. In native tests it is what [`set_now_ms`] says, 0 at first.

/// Milliseconds since 1970-01-01T00:00:00Z. Not the event time of a row.
#[must_use]
pub fn now_ms() -> u64 {
    backend::now_ms()
}

#[cfg(target_arch = "wasm32")]
mod backend {
    pub(super) fn now_ms() -> u64 {
        crate::guest::imports::volley::operator::clock::now_ms()
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use backend::set_now_ms;

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use std::cell::Cell;

    thread_local! {
        static NOW_MS: Cell<u64> = const { Cell::new(0) };
    }

    /// Sets the time of this thread. Only in native tests.
    pub fn set_now_ms(now_ms: u64) {
        NOW_MS.set(now_ms);
    }

    pub(super) fn now_ms() -> u64 {
        NOW_MS.get()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn native_time_is_what_the_test_says() {
        super::set_now_ms(1234);
        assert_eq!(super::now_ms(), 1234);
    }
}
