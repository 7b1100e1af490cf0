//! Memory that outlives a call, so that a steady job allocates nothing.

/// Declares a function that lends out one value per thread; `None` only while the thread ends.
///
/// A component has one thread: there a plain static does, which needs no code for threads that end.
macro_rules! per_thread {
    ($(#[$attribute:meta])* fn $name:ident() -> $held:ty = $first:expr;) => {
        $(#[$attribute])*
        fn $name<R>(f: impl FnOnce(&mut $held) -> R) -> Option<R> {
            #[cfg(target_arch = "wasm32")]
            {
                static HELD: crate::guest::OneThread<$held> = crate::guest::OneThread::new($first);
                Some(HELD.with(f))
            }
            #[cfg(not(target_arch = "wasm32"))]
            {
                ::std::thread_local! {
                    static HELD: ::std::cell::RefCell<$held> = const { ::std::cell::RefCell::new($first) };
                }
                HELD.try_with(|held| f(&mut held.borrow_mut())).ok()
            }
        }
    };
}

pub(crate) use per_thread;
