//! Statics that change, in a component, which has one thread.

use std::cell::{Cell, UnsafeCell};

/// A value of the component. (A `RefCell` would do, with a message in each component for what never happens.)
pub struct OneThread<T> {
    value: UnsafeCell<T>,
    is_lent: Cell<bool>,
}

// SAFETY: WebAssembly without the threads proposal, which hosts switch off, has one thread.
unsafe impl<T> Sync for OneThread<T> {}

impl<T> OneThread<T> {
    /// Holds this.
    pub const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), is_lent: Cell::new(false) }
    }

    /// Runs `f` on the value.
    ///
    /// Aborts when `f` of another call runs, which means that an import has called an export: hosts do not.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if self.is_lent.replace(true) {
            std::process::abort();
        }
        // SAFETY: nobody else has it, and there is one thread. A panic in `f` ends the component.
        let result = f(unsafe { &mut *self.value.get() });
        self.is_lent.set(false);
        result
    }
}
