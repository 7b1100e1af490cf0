//! Every guest, class by class; `-- --nocapture` prints what each tried and what stopped it.

use volley_test_hostile::{CLASSES, cases, check, folders};

/// Fewer guests than this would mean that files are not found: there are more, and a few may go.
const GUESTS_MIN: usize = 360;

/// The child that compiles code made to be dear.
const COMPILER: &str = env!("CARGO_BIN_EXE_hostile-compiler");

#[track_caller]
fn contained(folder: &str) {
    let class = *CLASSES.iter().find(|class| class.folder == folder).expect("a class");
    let (verdicts, escaped): (Vec<_>, Vec<_>) =
        cases(class).iter().map(|case| check(case, COMPILER.as_ref())).partition(Result::is_ok);
    println!("\n{}", class.title);
    for verdict in verdicts.iter().flatten() {
        let by: String = verdict.by.chars().take(160).collect();
        let (name, tried, stage) = (&verdict.name, &verdict.tried, verdict.stage);
        println!("  {name:<32} {tried}\n  {:>7} KiB held -> {stage:?}: {by}", verdict.peak_bytes >> 10);
    }
    let escaped: Vec<String> = escaped.into_iter().filter_map(Result::err).collect();
    assert!(escaped.is_empty(), "{} of {}:\n  {}\n", escaped.len(), folder, escaped.join("\n  "));
}

macro_rules! classes {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            contained(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

classes!(
    load, compile, imports, open, time, memory, faults, messages, schemas, output, rejects, telemetry, state, timers,
    snapshot, data, scalar, codec, encode
);

#[test]
fn no_guest_is_forgotten() {
    let mut classes: Vec<&str> = CLASSES.iter().map(|class| class.folder).collect();
    assert_eq!(classes, TESTED);
    classes.sort_unstable();
    assert_eq!(folders(), classes);
    let guests: usize = CLASSES.iter().map(|class| cases(*class).len()).sum();
    assert!(guests >= GUESTS_MIN, "{guests} guests");
}
