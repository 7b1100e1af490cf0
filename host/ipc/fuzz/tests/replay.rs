//! Every input of the corpus, again: seeds do what their names say, and what once broke the gate does not any more.
//!
//! Files called `good-…` are let through, files called `bad-…` are refused, and others (found by fuzzing) may do either,
//! as long as the check behind [`Target::check`] holds. A crash that was found is mended and moved into the corpus.

use std::collections::BTreeMap;
use std::fs;

use volley_ipc_fuzz::{INPUT_BYTES_MAX, LIMITS, Target, Verdict, batch_input, schemas};

/// The name and the bytes of each input.
fn corpus(target: Target) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(target.corpus()).expect("the corpus is in the repository");
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().expect("plain names"), fs::read(entry.path()).expect("a file"))
    };
    entries.map(|entry| read(entry.expect("readable"))).collect()
}

#[test]
fn inputs_do_what_their_names_say() {
    for target in Target::ALL {
        for (name, input) in corpus(target) {
            let verdict = target.check(&input);
            let passed = verdict == Verdict::Passed;
            assert!(!name.starts_with("good-") || passed, "{}/{name}: {verdict:?}", target.name());
            assert!(!name.starts_with("bad-") || !passed, "{}/{name} got through", target.name());
        }
    }
}

#[test]
fn the_corpus_has_a_good_batch_of_every_schema() {
    let good = |name: &String| name.starts_with("good-");
    let inputs = corpus(Target::Batch);
    let chosen: Vec<u8> = inputs.iter().filter(|(name, _)| good(name)).map(|(_, input)| input[0]).collect();
    for (index, schema) in schemas().iter().enumerate() {
        let index = u8::try_from(index).expect("few");
        assert!(chosen.contains(&index), "no good batch of schema {index}, {schema:?}");
    }
    assert!(corpus(Target::Schema).keys().any(good));
}

#[test]
fn refusing_costs_less_than_the_limits_allow() {
    let bytes_max = u64::try_from(2 * LIMITS.logical_bytes_max.max(INPUT_BYTES_MAX)).expect("small");
    for (name, input) in corpus(Target::Batch).into_iter().filter(|(name, _)| name.starts_with("bad-")) {
        let info = allocation_counter::measure(|| drop(Target::Batch.check(&input)));
        assert!(info.bytes_max <= bytes_max, "{name}: {} bytes", info.bytes_max);
    }
}

#[test]
fn an_input_chooses_its_schema() {
    let bytes = batch_input(3, 5, b"message");
    assert_eq!(bytes, [&[3, 5], b"message".as_slice()].concat());
}
