//! The lists of places and faults are those in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use volley_fail_point::{PLANTED_BUGS, names};

/// Texts in quotes that stand as arguments of some calls, in all sources below a folder.
fn named_in(folder: &Path, calls: &[&str], names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            named_in(&path, calls, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            for call in calls {
                names.extend(text.split(call).skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
            }
        }
    }
}

/// The same in the sources of the host and of connectors, but for this crate.
fn named(calls: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = BTreeSet::new();
    for group in ["host", "connectors"] {
        for crate_folder in fs::read_dir(root.join(group)).expect("a folder") {
            let crate_folder = crate_folder.expect("an entry").path();
            let sources = crate_folder.join("src");
            if sources.is_dir() && !crate_folder.ends_with("fail-point") {
                named_in(&sources, calls, &mut names);
            }
        }
    }
    names
}

#[test]
fn the_list_names_every_fail_point_and_no_other() {
    // The last one is a loop that chooses among names.
    let mut found = named(&["fail_point(\"", "torn_at(\"", "hit(\""]);
    found.extend(named(&[", \"upload-"]).into_iter().map(|rest| format!("upload-{rest}")));
    let listed: BTreeSet<_> = names().map(str::to_owned).collect();
    assert_eq!(listed.len(), names().count(), "a name stands there twice");
    assert_eq!(found, listed);
    assert!(listed.len() >= 30);
}

#[test]
fn the_list_names_every_planted_bug_and_no_other() {
    let listed: BTreeSet<_> = PLANTED_BUGS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(named(&["planted(\""]), listed);
    assert!(listed.len() >= 10);
}

#[test]
fn without_the_features_nothing_happens() {
    if !cfg!(feature = "fail-points") {
        assert!(volley_fail_point::fail_point("claim-before").is_ok());
        assert!(volley_fail_point::torn_at("tmp-write", 8).is_ok_and(|torn| torn.is_none()));
    }
    if !cfg!(feature = "planted-bugs") {
        assert!(!volley_fail_point::planted("older-offsets"));
    }
}
