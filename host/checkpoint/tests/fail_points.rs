//! The list of fail points is the one in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use volley_checkpoint::fail_point::FAIL_POINTS;

/// Texts in quotes that stand as arguments of calls which name fail points.
fn named_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            named_in(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("fail_point.rs") {
            let text = fs::read_to_string(&path).expect("text");
            for call in ["fail_point(\"", "torn_at(\"", "hit(\""] {
                names.extend(text.split(call).skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
            }
            // Names that a loop chooses among.
            names.extend(
                text.split(", \"upload-")
                    .skip(1)
                    .filter_map(|rest| Some(format!("upload-{}", rest.split('"').next()?))),
            );
        }
    }
}

#[test]
fn the_list_names_every_fail_point_and_no_other() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of all host crates");
    let mut named = BTreeSet::new();
    for crate_folder in fs::read_dir(host).expect("a folder") {
        let sources = crate_folder.expect("an entry").path().join("src");
        if sources.is_dir() {
            named_in(&sources, &mut named);
        }
    }
    let listed: BTreeSet<_> = FAIL_POINTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(listed.len(), FAIL_POINTS.len(), "a name stands there twice");
    assert_eq!(named, listed);
}
