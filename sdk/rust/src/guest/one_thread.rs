//! Statics that change, in a component, which has one thread.

use std::cell::RefCell;

/// A value of the component.
pub struct OneThread<T>(RefCell<T>);

// SAFETY: WebAssembly without the threads proposal, which hosts switch off, has one thread.
unsafe impl<T> Sync for OneThread<T> {}

impl<T> OneThread<T> {
    /// Holds this.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Runs `f` on the value.
    ///
    /// # Panics
    /// When `f` of another call runs, which means that an import has called an export: hosts do not.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.borrow_mut())
    }
}
