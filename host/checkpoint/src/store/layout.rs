//! Names of files in the folder of a job.

use std::fmt::Write;

use volley_api::Epoch;

use super::blob::TEMPORARY_PREFIX;
use crate::manifest::Manifest;

/// The manifest of an epoch or savepoint, and its copy.
pub(crate) const MANIFESTS: [&str; 2] = ["manifest.json", "manifest.copy.json"];

/// Where starts claim their numbers.
pub(crate) const INCARNATIONS: &str = "incarnations";

/// Where runs say that they have left the checkpoints that were there.
pub(crate) const LINES: &str = "lines";

/// Where epochs are.
pub(crate) const EPOCHS: &str = "epochs";

/// Files that several epochs may refer to.
pub(crate) const SHARED: &str = "shared";

/// Made when an epoch begins, and gone last of all.
const BEGUN: &str = "begun.json";

/// The claim of a start.
pub(crate) fn incarnation(number: u64) -> String {
    format!("{INCARNATIONS}/{number}")
}

/// The word of a run that it has left the checkpoints that were there.
pub(crate) fn line(incarnation: u64) -> String {
    format!("{LINES}/{incarnation}")
}

/// The number of a claim, or of what is named after one, in a folder of such.
pub(crate) fn number_in(folder: &str, path: &str) -> Option<u64> {
    path.strip_prefix(folder)?.strip_prefix('/')?.parse().ok()
}

/// The folder of an epoch.
pub(crate) fn epoch_folder(epoch: Epoch) -> String {
    format!("{EPOCHS}/{epoch}")
}

/// The claim of an epoch.
pub(crate) fn begun(epoch: Epoch) -> String {
    format!("{EPOCHS}/{epoch}/{BEGUN}")
}

/// Both manifests of an epoch.
pub(crate) fn manifests(epoch: Epoch) -> [String; 2] {
    MANIFESTS.map(|name| format!("{EPOCHS}/{epoch}/{name}"))
}

/// The first of the manifests that say this, in the store of the job or in a savepoint, for messages.
pub(crate) fn manifest_name(manifest: &Manifest, is_of_the_store: bool) -> String {
    let [first, _] = MANIFESTS;
    if is_of_the_store { format!("{EPOCHS}/{}/{first}", manifest.epoch) } else { first.to_owned() }
}

/// A file of a snapshot that no other epoch refers to by its identity.
pub(crate) fn own_blob(epoch: Epoch, node: &str, state: &str, subtask: u32, file: &str) -> String {
    format!("{EPOCHS}/{epoch}/{node}.{}.{subtask}.{}", escape(state), escape(file))
}

/// A file that has an identity, as it was taken in an epoch. Files are taken anew from time to time, so that the epoch is
/// a part of the name.
pub(crate) fn shared_blob(identity: &str, epoch: Epoch) -> String {
    format!("{SHARED}/{}.{epoch}", escape(identity))
}

/// The epoch in which a shared file was taken, finished or not.
pub(crate) fn shared_owner(path: &str) -> Option<Epoch> {
    let name = path.strip_prefix(SHARED)?.strip_prefix('/')?;
    let name = match name.strip_prefix(TEMPORARY_PREFIX) {
        Some(temporary) => temporary.rsplitn(3, '-').nth(2)?,
        None => name,
    };
    name.rsplit('.').next()?.parse().ok().map(Epoch)
}

/// The epoch in whose folder a file lies, and its name there.
pub(crate) fn in_epoch(path: &str) -> Option<(Epoch, &str)> {
    let (epoch, name) = path.strip_prefix(EPOCHS)?.strip_prefix('/')?.split_once('/')?;
    Some((Epoch(epoch.parse().ok()?), name))
}

/// The epoch in which a file that a manifest names was taken.
pub(crate) fn taken_in(path: &str) -> Option<Epoch> {
    shared_owner(path).or_else(|| in_epoch(path).map(|(epoch, _)| epoch))
}

/// Whether a name in the folder of an epoch is one of its marks, and no file of a snapshot.
pub(crate) fn is_mark(name: &str) -> bool {
    name == BEGUN || MANIFESTS.contains(&name)
}

/// Any text as a name of letters, digits, `.`, `_` and `-`: other bytes become `=` and two digits, as does a dot in front.
pub(crate) fn escape(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && index > 0);
        if is_plain {
            name.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(name, "={byte:02X}");
        }
    }
    name
}

/// Whether a path that a manifest names stays below the folder of the manifest: made of names as [`escape`] makes them.
pub(crate) fn is_clean(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte);
    path.split('/').all(|name| !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_clean_and_distinct() {
        let names = ["a", "..", ".", "a/b", "a=2Fb", "ü", "000012.sst", "MANIFEST-000005", ".tmp-x", "a b"];
        let escaped: std::collections::BTreeSet<_> = names.iter().map(|name| escape(name)).collect();
        assert_eq!(escaped.len(), names.len());
        assert!(escaped.iter().all(|name| is_clean(name)), "{escaped:?}");
        assert_eq!(escape("a/../b"), "a=2F..=2Fb");
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a/.tmp-b", "a b", "ä"] {
            assert!(!is_clean(bad), "{bad}");
        }
    }

    #[test]
    fn files_know_their_epochs() {
        let path = shared_blob("000012.sst", Epoch(7));
        assert_eq!(path, "shared/000012.sst.7");
        assert_eq!(shared_owner(&path), Some(Epoch(7)));
        assert_eq!(shared_owner("shared/.tmp-a-b.sst.7-4711-3"), Some(Epoch(7)));
        assert_eq!(shared_owner("epochs/7/x"), None);
        let path = own_blob(Epoch(7), "count", "panes", 3, "a/b");
        assert_eq!(path, "epochs/7/count.panes.3.a=2Fb");
        assert_eq!(in_epoch(&path), Some((Epoch(7), "count.panes.3.a=2Fb")));
        assert_eq!(taken_in(&path), Some(Epoch(7)));
        assert_eq!(taken_in("shared/000012.sst.9"), Some(Epoch(9)));
    }
}
