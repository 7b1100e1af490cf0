//! A manifest of version 1 is read for ever, and none that is damaged is taken for whole.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::codec::{Decoded, abandoned, decode, encode};
use super::*;

const GOLDEN: &[u8] = include_bytes!("../../tests/golden/manifest-1.json");

/// What the golden manifest says. Fields that a later version adds have to be optional.
fn golden() -> Manifest {
    let file = |name: &str, identity: Option<&str>, path: &str| FileEntry {
        name: name.to_owned(),
        identity: identity.map(str::to_owned),
        path: path.to_owned(),
        bytes: 1_048_576,
        crc32c: 0xe306_9283,
    };
    let part = |subtask: u32, key_groups: [u32; 2], files| PartEntry {
        subtask,
        key_groups,
        layout: "Utf8 -> sum(Int64)".to_owned(),
        format: "rocksdb-1".to_owned(),
        files,
    };
    let sst = file("000012.sst", Some("a1b2-000012"), "shared/a1b2-000012.40");
    let parts = vec![
        part(0, [0, 128], vec![sst.clone(), file("CURRENT", None, "epochs/42/count.panes.0.CURRENT")]),
        part(1, [128, 256], vec![sst]),
    ];
    let offset = |bytes: &'static [u8]| PositionEntry::Offset(Base64(Bytes::from_static(bytes)));
    let splits = BTreeMap::from([
        ("data/a.csv".to_owned(), SplitEntry { position: PositionEntry::Ended, reached_ms: Some(1_700_000_000_000) }),
        ("data/ü \"b\".csv".to_owned(), SplitEntry { position: offset(&[0, 1, 255]), reached_ms: None }),
    ]);
    let layouts = BTreeMap::from([("panes".to_owned(), "Utf8 -> sum(Int64)".to_owned())]);
    let count = OperatorEntry {
        watermark: Some(WatermarkEntry::AtMs(-5)),
        keyed: BTreeMap::from([("panes".to_owned(), parts)]),
    };
    let ended = OperatorEntry { watermark: Some(WatermarkEntry::End), keyed: BTreeMap::new() };
    let pending = |epoch, token: &'static [u8]| PendingEntry {
        job: "flights by hour".to_owned(),
        incarnation: 3,
        sink: "out".to_owned(),
        subtask: 1,
        epoch,
        token: Base64(Bytes::from_static(token)),
    };
    Manifest {
        format: 1,
        job: "flights by hour".to_owned(),
        incarnation: 3,
        epoch: 42,
        created_ms: 1_764_000_000_000,
        host_version: "0.1.0".to_owned(),
        key_groups: 256,
        plan: vec![
            PlanNode {
                uid: "flights".into(),
                kind: "file (csv)".into(),
                parallelism: 1,
                definition: None,
                layouts: BTreeMap::new(),
            },
            PlanNode { uid: "count".into(), kind: "window".into(), parallelism: 2, definition: None, layouts },
        ],
        is_final: false,
        checkpoints_since_copy: 2,
        sources: BTreeMap::from([("flights".to_owned(), splits)]),
        operators: BTreeMap::from([("count".to_owned(), count), ("filter".to_owned(), ended)]),
        pending: vec![pending(41, b"token"), pending(42, b"")],
    }
}

#[test]
fn the_golden_manifest_is_read() {
    assert_eq!(decode(GOLDEN), Decoded::Manifest(Box::new(golden())));
}

#[test]
fn manifests_are_written_as_the_golden_one() {
    let bytes = encode(&golden()).expect("written");
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(GOLDEN));
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    for length in 0..GOLDEN.len() {
        assert!(matches!(decode(&GOLDEN[..length]), Decoded::Damaged(_)), "{length}");
    }
    let mut bytes = GOLDEN.to_vec();
    for index in 0..bytes.len() {
        for bit in 0..8 {
            bytes[index] ^= 1 << bit;
            let decoded = decode(&bytes);
            // Hexadecimal digits have two cases.
            let is_same = matches!(&decoded, Decoded::Manifest(found) if **found == golden() && index < 64);
            assert!(is_same || matches!(decoded, Decoded::Damaged(_)), "byte {index}, bit {bit}: {decoded:?}");
            bytes[index] ^= 1 << bit;
        }
    }
}

#[test]
fn an_abandoned_epoch_is_no_damage() {
    assert_eq!(decode(&abandoned(7)), Decoded::Abandoned { by: 7 });
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    for path in ["../x", "/etc/passwd", "a/../../x", ""] {
        let mut manifest = golden();
        let parts = manifest.operators.get_mut("count").and_then(|count| count.keyed.get_mut("panes"));
        path.clone_into(&mut parts.expect("there")[0].files[0].path);
        let decoded = decode(&encode(&manifest).expect("written"));
        assert!(matches!(&decoded, Decoded::Damaged(problem) if problem.contains("no path below")), "{decoded:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let is_manifest = matches!(decode(&bytes), Decoded::Manifest(_));
        prop_assert!(!is_manifest);
    }

    #[test]
    fn any_body_with_its_checksum_is_read_without_a_panic(body in "[{}\\[\\]\":,a-z0-9 ]{0,80}", format in 0..3_u32) {
        let bytes = format!("volley-manifest {format} {} {:08x}\n{body}", body.len(), crc32c::crc32c(body.as_bytes()));
        let is_manifest = matches!(decode(bytes.as_bytes()), Decoded::Manifest(_));
        prop_assert!(!is_manifest);
    }
}
