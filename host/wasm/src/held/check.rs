//! Whether what an operator gives as its own state is what the contract allows.

use volley_api::{KeyGroup, KeyGroupRange};

use crate::contract::Part;
use crate::keyed::STATE_VALUE_BYTES_MAX;
use crate::violation::Violation;

/// Parts that one instance may give.
pub const PARTS_MAX: usize = 65_536;

/// Refuses parts that are too many, too large, or of other key groups; in words.
pub(crate) fn check_parts(
    parts: &[Part],
    key_groups: KeyGroupRange,
    bytes_max: usize,
) -> Result<(), (Violation, String)> {
    if parts.len() > PARTS_MAX {
        let problem = format!("{} parts of state; the limit is {PARTS_MAX}", parts.len());
        return Err((Violation::SnapshotParts, problem));
    }
    let mut bytes = 0_usize;
    for (index, part) in parts.iter().enumerate() {
        let size = part.bytes.len();
        if size > STATE_VALUE_BYTES_MAX {
            let problem = format!("part {index} has {size} bytes; the limit is {STATE_VALUE_BYTES_MAX}");
            return Err((Violation::SnapshotBytes, problem));
        }
        bytes = bytes.saturating_add(size);
        if let Some(group) = part.key_group
            && !key_groups.contains(KeyGroup(group))
        {
            let KeyGroupRange { start, end } = key_groups;
            let last = end.saturating_sub(1);
            let problem = format!("part {index} is of key group {group}; this instance has {start} to {last}");
            return Err((Violation::SnapshotKeyGroup, problem));
        }
    }
    if bytes > bytes_max {
        let problem = format!("{bytes} bytes of state; `limits.output` is {bytes_max}");
        return Err((Violation::SnapshotBytes, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: KeyGroupRange = KeyGroupRange { start: 10, end: 20 };

    fn part(key_group: Option<u8>, bytes: usize) -> Part {
        Part { key_group, version: 1, bytes: vec![0; bytes] }
    }

    #[test]
    fn good_parts_pass() {
        let parts = [part(None, 0), part(Some(10), STATE_VALUE_BYTES_MAX), part(Some(19), 1), part(Some(19), 1)];
        assert_eq!(check_parts(&parts, OWN, STATE_VALUE_BYTES_MAX + 2), Ok(()));
    }

    #[test]
    fn lies_are_refused_with_what_was_seen() {
        let cases = [
            (vec![part(Some(9), 0)], Violation::SnapshotKeyGroup, "key group 9; this instance has 10 to 19"),
            (vec![part(None, 0), part(Some(20), 0)], Violation::SnapshotKeyGroup, "part 1 is of key group 20"),
            (vec![part(None, STATE_VALUE_BYTES_MAX + 1)], Violation::SnapshotBytes, "1048577 bytes"),
            (vec![part(None, 600), part(None, 600)], Violation::SnapshotBytes, "1200 bytes of state"),
            (vec![part(None, 0); PARTS_MAX + 1], Violation::SnapshotParts, "65537 parts"),
        ];
        for (parts, violation, words) in cases {
            let (found, problem) = check_parts(&parts, OWN, 1_000).expect_err(words);
            assert_eq!(found, violation, "{problem}");
            assert!(problem.contains(words), "{problem}");
        }
    }
}
