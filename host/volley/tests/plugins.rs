//! WebAssembly operators in a stream.

mod common;

use std::path::PathBuf;

use common::{collected, refused, stream};
use serde_json::json;
use volley::prelude::*;
use volley::{OnError, PluginOptions};
use volley_test_guests::Guest;

/// A filter over the four rows of the tests: keeps all but the third, and refuses the second.
fn component() -> PathBuf {
    let mut guest = Guest::new("filter", &["amount"]);
    let result = guest.filtered(&[0b1011], &[(1, "no-amount", "there is none")]);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("canned-filter.wasm");
    // Written aside and renamed: tests run side by side.
    let aside = path.with_extension(format!("{:?}", std::thread::current().id()).replace(['(', ')'], ""));
    std::fs::write(&aside, guest.process(&format!("(i32.const {result})")).build()).expect("a file");
    std::fs::rename(&aside, &path).expect("renamed");
    path
}

#[test]
fn a_plugin_filters_and_refuses() {
    let env = StreamExecutionEnvironment::new();
    let kept = stream(&env).plugin(component(), json!({ "limit": 3 }));
    let codes = kept.errors().select_expr(["operator", "code", "message"]);
    assert_eq!(collected(&codes), ["plugin-1 no-amount there is none"]);
    let error = refused(&kept);
    assert!(error.contains("there is none"), "nobody reads the errors, and the policy is to fail: {error}");
    let options = PluginOptions { on_error: OnError::Skip, ..PluginOptions::default() };
    assert_eq!(collected(&stream(&env).plugin_with(component(), options)), ["ann 1 0", "cid 4 2500"]);
}

#[test]
fn a_plugin_that_does_not_fit_is_refused_by_name() {
    let env = StreamExecutionEnvironment::new();
    let narrow = stream(&env).select_expr(["who"]).plugin(component(), json!({})).uid("canned");
    let error = narrow.explain().expect_err("no such column");
    assert!(error.report().starts_with("canned: ") && error.report().contains("amount"), "{}", error.report());
}
