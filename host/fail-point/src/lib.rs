//! Places where tests end the process, or make the storage fail; and faults that tests plant.
//!
//! With the feature `fail-points` and the variable `VOLLEY_FAIL_POINT=name:nth`, the process ends when it comes to the
//! place of that name for the nth time (1 is the first): at once and without unwinding, as after `kill -9`. `nth+` stands for
//! that time and all later ones. `name:nth:ACTION` does something else there:
//!
//! | action | |
//! |---|---|
//! | `abort` | ends the process, which is what happens without an action |
//! | `error=ENOSPC` (or `EROFS`, `EIO`, `EDQUOT`) | the storage fails with that error |
//! | `torn` | half of what was to be written is, and the process ends |
//! | `pause=200` | waits so many milliseconds, and goes on |
//!
//! Several, with commas between them, hold together. `VOLLEY_FAIL_POINT_LOG=file` adds a line to the file for each place that
//! is come to, by which tests learn how often that is. With the feature `planted-bugs`, `VOLLEY_PLANTED_BUG=name` switches
//! on one of [`PLANTED_BUGS`]. Without the features nothing of this is compiled.
//!
//! Knows nobody, so that every crate with something to crash may know it.
#![forbid(unsafe_code)]

#[cfg(feature = "fail-points")]
mod active;
mod planted;
mod points;

pub use planted::{PLANTED_BUGS, planted};
pub use points::{FAIL_POINTS, names, names_of};

/// A place where the process may be made to end, or the storage to fail. Does nothing without the feature `fail-points`.
///
/// # Errors
/// The error that was asked for.
#[inline]
pub fn fail_point(name: &'static str) -> std::io::Result<()> {
    #[cfg(feature = "fail-points")]
    return active::fail_point(name);
    #[cfg(not(feature = "fail-points"))]
    {
        let _ = name;
        Ok(())
    }
}

/// A place where a write of `length` bytes may be torn: after how many of them the process is to [`die`], if at all.
///
/// # Errors
/// The error that was asked for.
#[inline]
pub fn torn_at(name: &'static str, length: usize) -> std::io::Result<Option<usize>> {
    #[cfg(feature = "fail-points")]
    return active::torn_at(name, length);
    #[cfg(not(feature = "fail-points"))]
    {
        let _ = (name, length);
        Ok(None)
    }
}

/// Ends the process without unwinding and without running anything else.
pub fn die() -> ! {
    std::process::abort()
}
