//! Functions and codecs, run natively: nulls, refusals, types, and records cut anywhere.

use volley_sdk::testing::{self, json};
use volley_sdk::{Array, Columns, Framing, Record, Reject, batch, codec, scalar};

fn column(batch: &volley_sdk::RecordBatch) -> Array {
    batch.columns()[0].clone()
}

#[scalar]
fn celsius(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) * 5.0 / 9.0
}

#[scalar]
fn or_else(first: Option<&str>, second: Option<&str>) -> Option<String> {
    first.or(second).map(str::to_uppercase)
}

#[scalar]
fn root(x: f64) -> Result<f64, Reject> {
    if x < 0.0 { Err(Reject::new("negative", format!("{x} has no root"))) } else { Ok(x.sqrt()) }
}

#[test]
fn nulls_pass_by_functions_that_do_not_take_them() {
    let many: Vec<Option<f64>> = (0..29).map(|row| (row % 7 != 3).then_some(f64::from(row))).collect();
    let expected: Vec<Option<f64>> = many.iter().map(|x| x.map(celsius)).collect();
    let values = testing::scalar::<celsius>(json!({}), &batch! { "x" => many }).unwrap();
    assert_eq!(values, column(&batch! { "y" => expected }));
    let whole = testing::scalar::<celsius>(json!({}), &batch! { "x" => [212_i32, 32] }).unwrap();
    assert_eq!(whole, column(&batch! { "y" => [100.0, 0.0] }));
}

#[test]
fn nulls_are_seen_where_an_argument_is_an_option() {
    let input = batch! { "a" => [Some("x"), None, None], "b" => [Some("y"), Some("z"), None] };
    let values = testing::scalar::<or_else>(json!({}), &input).unwrap();
    assert_eq!(values, column(&batch! { "y" => [Some("X"), Some("Z"), None] }));
}

#[test]
fn a_refused_row_refuses_its_batch() {
    let good = testing::scalar::<root>(json!({}), &batch! { "x" => [4.0, 9.0] }).unwrap();
    assert_eq!(good, column(&batch! { "y" => [2.0, 3.0] }));
    let error = testing::scalar::<root>(json!({}), &batch! { "x" => [4.0, -1.0] }).unwrap_err().to_string();
    assert_eq!(error, "batch rejected: negative: -1 has no root");
}

#[test]
fn wrong_arguments_are_named() {
    let refused = |input| testing::scalar::<celsius>(json!({}), &input).unwrap_err().to_string();
    let text = refused(batch! { "x" => ["warm"] });
    assert_eq!(
        text,
        "invalid input: argument `fahrenheit` is Utf8, the function wants Float64, another float or an integer"
    );
    let two = refused(batch! { "x" => [1.0], "y" => [1.0] });
    assert_eq!(two, "invalid input: called with 2 arguments, the function takes 1: (fahrenheit)");
}

#[derive(Columns)]
struct Pair {
    key: u8,
    text: String,
}

#[codec]
impl Pairs {
    /// A key, a length, a text.
    fn decode(bytes: &[u8]) -> Record<Pair> {
        let [key, length, rest @ ..] = bytes else { return Record::Incomplete };
        let length = usize::from(*length);
        let Some(text) = rest.get(..length) else { return Record::Incomplete };
        match str::from_utf8(text) {
            Ok(text) => Record::Row(Pair { key: *key, text: text.to_owned() }, 2 + length),
            Err(_) => Record::Bad(2 + length, Reject::new("not-utf8", "the text is not UTF-8")),
        }
    }

    fn encode(key: u8, text: &str, out: &mut Vec<u8>) -> Result<(), Reject> {
        let length = u8::try_from(text.len()).map_err(|_| Reject::new("long", "a text has at most 255 bytes"))?;
        out.extend([key, length]);
        out.extend(text.as_bytes());
        Ok(())
    }
}

#[test]
fn records_come_back_however_the_stream_is_cut() {
    let rows = batch! { "key" => [1_u8, 2, 3], "text" => ["one", "", "three"], "other" => [0, 0, 0] };
    let (frames, rejects) = testing::encode::<Pairs>(json!({}), &rows).unwrap();
    assert!(rejects.is_empty());
    assert_eq!(frames[1], (1, vec![2, 0]));
    let stream: Vec<u8> = frames.iter().flat_map(|(_, frame)| frame.clone()).collect();
    for cut in 0..=stream.len() {
        let (first, second) = stream.split_at(cut);
        let one = testing::decode::<Pairs>(json!({}), Framing::Stream, &[first], false).unwrap();
        let joined = [&first[first.len() - one.rest_bytes..], second].concat();
        let two = testing::decode::<Pairs>(json!({}), Framing::Stream, &[&joined], true).unwrap();
        assert_eq!(one.rows.len() + two.rows.len(), 3, "cut at {cut}");
        assert_eq!((two.rest_bytes, two.rejects.len()), (0, 0));
        let both = testing::decode::<Pairs>(json!({}), Framing::Stream, &[first, second], true).unwrap();
        assert_eq!(both.rows, batch! { "key" => [1_u8, 2, 3], "text" => ["one", "", "three"] });
        assert!(both.frames.is_sorted());
    }
}

#[test]
fn what_cannot_be_read_or_written_is_refused_alone() {
    let frames: [&[u8]; 3] = [&[1, 1, 0xff, 2, 1, b'x'], &[3], &[4, 0]];
    let outcome = testing::decode::<Pairs>(json!({}), Framing::Messages, &frames, false).unwrap();
    assert_eq!(outcome.rows, batch! { "key" => [2_u8, 4], "text" => ["x", ""] });
    assert_eq!(outcome.frames, [0, 2]);
    let codes: Vec<(u32, &str)> = outcome.rejects.iter().map(|(frame, why)| (*frame, why.code.as_str())).collect();
    assert_eq!(codes, [(0, "not-utf8"), (1, "unfinished-frame")]);
    let rows = batch! { "key" => [Some(1_u8), None, Some(3)], "text" => ["x".repeat(256), "y".into(), "z".into()] };
    let (frames, rejects) = testing::encode::<Pairs>(json!({}), &rows).unwrap();
    assert_eq!(frames, [(2, vec![3, 1, b'z'])]);
    let codes: Vec<(u32, &str)> = rejects.iter().map(|(row, why)| (*row, why.code.as_str())).collect();
    assert_eq!(codes, [(0, "long"), (1, "null")]);
}
