//! What the variables ask for, and how often each place was come to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, Copy)]
enum Action {
    Abort,
    Torn,
    Error(i32),
    Pause(Duration),
}

struct Plan {
    name: String,
    nth: u64,
    /// Later times too.
    and_later: bool,
    action: Action,
    seen: AtomicU64,
}

fn plans() -> &'static [Plan] {
    static PLANS: OnceLock<Vec<Plan>> = OnceLock::new();
    PLANS.get_or_init(|| {
        let text = std::env::var("VOLLEY_FAIL_POINT").unwrap_or_default();
        let fields = text.split(',').filter(|field| !field.is_empty());
        let plan = |field: &str| {
            parse(field).unwrap_or_else(|| panic!("VOLLEY_FAIL_POINT=`{field}`: write name:nth or name:nth:action"))
        };
        fields.map(plan).collect()
    })
}

fn parse(text: &str) -> Option<Plan> {
    let mut fields = text.split(':');
    let (name, nth) = (fields.next()?.to_owned(), fields.next()?);
    super::names().any(|known| known == name).then_some(())?;
    let (nth, and_later) = nth.strip_suffix('+').map_or((nth, false), |nth| (nth, true));
    let action = match fields.next() {
        None | Some("abort") => Action::Abort,
        Some("torn") => Action::Torn,
        Some("error=EIO") => Action::Error(5),
        Some("error=ENOSPC") => Action::Error(28),
        Some("error=EROFS") => Action::Error(30),
        Some("error=EDQUOT") => Action::Error(122),
        Some(other) => Action::Pause(Duration::from_millis(other.strip_prefix("pause=")?.parse().ok()?)),
    };
    Some(Plan { name, nth: nth.parse().ok()?, and_later, action, seen: AtomicU64::new(0) })
}

/// The file that places are noted in.
fn log() -> Option<&'static File> {
    static LOG: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let path = std::env::var_os("VOLLEY_FAIL_POINT_LOG")?;
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        Some(opened.unwrap_or_else(|error| panic!("VOLLEY_FAIL_POINT_LOG={}: {error}", path.display())))
    };
    LOG.get_or_init(open).as_ref()
}

fn reached(name: &str) -> Option<Action> {
    if let Some(mut log) = log() {
        // One write, so that lines of several threads stay whole. A test that misses one will say so.
        let _ = log.write_all(format!("{name}\n").as_bytes());
    }
    let mut found = None;
    for plan in plans().iter().filter(|plan| plan.name == name) {
        let time = plan.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if time == plan.nth || plan.and_later && time > plan.nth {
            found = Some(plan.action);
        }
    }
    found
}

pub(crate) fn fail_point(name: &'static str) -> io::Result<()> {
    match reached(name) {
        None => Ok(()),
        Some(Action::Error(code)) => Err(io::Error::from_raw_os_error(code)),
        Some(Action::Pause(span)) => {
            std::thread::sleep(span);
            Ok(())
        }
        Some(Action::Abort | Action::Torn) => super::die(),
    }
}

pub(crate) fn torn_at(name: &'static str, length: usize) -> io::Result<Option<usize>> {
    match reached(name) {
        None => Ok(None),
        Some(Action::Torn) => Ok(Some(length / 2)),
        Some(Action::Error(code)) => Err(io::Error::from_raw_os_error(code)),
        Some(Action::Pause(span)) => {
            std::thread::sleep(span);
            Ok(None)
        }
        Some(Action::Abort) => super::die(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read() {
        let plan = parse("tmp-write:3+:error=EIO").expect("a plan");
        assert_eq!((plan.name.as_str(), plan.nth, plan.and_later), ("tmp-write", 3, true));
        assert!(matches!(plan.action, Action::Error(5)));
        assert!(matches!(parse("claim-before:1").expect("a plan").action, Action::Abort));
        let pause = Duration::from_millis(20);
        assert!(
            matches!(parse("claim-before:1:pause=20").expect("a plan").action, Action::Pause(span) if span == pause)
        );
        for bad in ["", "claim-before", "claim-before:x", "no-such-place:1", "claim-before:1:explode"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
