//! Places where tests end the process, or make the storage fail.
//!
//! With the feature `fail-points` and the variable `VOLLEY_FAIL_POINT=name:nth`, the process ends when it comes to the
//! place of that name for the nth time (1 is the first): at once and without unwinding, as after `kill -9`. `name:nth:ACTION`
//! does something else there: `error=ENOSPC` (or `EROFS`, `EIO`, `EDQUOT`) makes the storage fail with that error, `torn`
//! writes half of what was to be written and ends the process. Without the feature, nothing of this is compiled.

/// Every place there is. A test holds this list to the calls in the sources.
pub const FAIL_POINTS: &[&str] = &[
    // A local file on its way: under a temporary name, synced, under its own name, and its folder synced.
    "tmp-before-write",
    "tmp-write",
    "tmp-after-write",
    "tmp-before-sync",
    "file-before-link",
    "file-before-rename",
    "folder-before-sync",
    // A start of a job.
    "claim-before",
    "claim-after",
    "claim-fenced",
    // An epoch: its number, its files, its manifest and the copy.
    "epoch-begun",
    "barrier-before",
    "barrier-after",
    "upload-first",
    "upload-middle",
    "upload-last",
    "upload-after",
    "manifest-before",
    "manifest-between",
    "manifest-after",
    "epoch-complete",
    // Output.
    "lookup-before",
    "commit-before",
    "commit-after",
    // Removal: before anything, after the manifests, half way through the files, before the number goes, and after.
    "clean-up-before",
    "clean-up-manifests",
    "clean-up-middle",
    "clean-up-after",
    // A savepoint.
    "export-middle",
    "export-before-manifest",
];

#[cfg(feature = "fail-points")]
mod active {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Clone, Copy)]
    enum Action {
        Abort,
        Torn,
        Error(i32),
    }

    struct Plan {
        name: String,
        nth: u64,
        action: Action,
        seen: AtomicU64,
    }

    fn plan() -> Option<&'static Plan> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let parse = || {
            let text = std::env::var("VOLLEY_FAIL_POINT").ok()?;
            Some(
                parse(&text).unwrap_or_else(|| panic!("VOLLEY_FAIL_POINT=`{text}`: write name:nth or name:nth:action")),
            )
        };
        PLAN.get_or_init(parse).as_ref()
    }

    fn parse(text: &str) -> Option<Plan> {
        let mut fields = text.split(':');
        let (name, nth) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        super::FAIL_POINTS.contains(&name.as_str()).then_some(())?;
        let action = match fields.next() {
            None | Some("abort") => Action::Abort,
            Some("torn") => Action::Torn,
            Some("error=EIO") => Action::Error(5),
            Some("error=ENOSPC") => Action::Error(28),
            Some("error=EROFS") => Action::Error(30),
            Some("error=EDQUOT") => Action::Error(122),
            Some(_) => return None,
        };
        Some(Plan { name, nth, action, seen: AtomicU64::new(0) })
    }

    fn reached(name: &str) -> Option<Action> {
        let plan = plan()?;
        let is_it = plan.name == name && plan.seen.fetch_add(1, Ordering::SeqCst) + 1 == plan.nth;
        is_it.then_some(plan.action)
    }

    pub(super) fn fail_point(name: &'static str) -> io::Result<()> {
        match reached(name) {
            None => Ok(()),
            Some(Action::Error(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Action::Abort | Action::Torn) => super::die(),
        }
    }

    pub(super) fn torn_at(name: &'static str, length: usize) -> io::Result<Option<usize>> {
        match reached(name) {
            None => Ok(None),
            Some(Action::Torn) => Ok(Some(length / 2)),
            Some(Action::Error(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Action::Abort) => super::die(),
        }
    }
}

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
