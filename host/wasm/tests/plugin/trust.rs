//! Trusted code: only where the host allows it, and then without a deadline.

use std::time::Duration;

use volley_api::ErrorKind;
use volley_wasm::{CompileIn, EngineSettings, Plugin, PluginEngine, PluginFactory, PluginLimits, PluginOptions, Trust};

use crate::guest::Guest;
use crate::harness::{Collected, Setup, input};

/// A filter that counts for a fifth of a second or more before it keeps everything.
fn slow() -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0b111], &[]);
    let body = format!(
        "(loop $again
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (i32.store (i32.const 0) (local.get $i))
           (br_if $again (i32.ne (local.get $i) (i32.const 500000000))))
         (i32.const {result})"
    );
    guest.process(&body).build()
}

#[test]
fn trust_needs_the_hosts_consent() {
    let settings = EngineSettings { cache_dir: None, ..EngineSettings::new(CompileIn::ThisProcess) };
    let engine = PluginEngine::new(&settings).expect("starts");
    let error = Plugin::from_bytes_as(&engine, "slow", &slow(), Trust::Trusted).expect_err("not allowed");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("--allow-trusted"), "{error}");
}

#[test]
fn only_code_that_is_not_trusted_has_a_deadline() {
    let settings =
        EngineSettings { cache_dir: None, allow_trusted: true, ..EngineSettings::new(CompileIn::ThisProcess) };
    let engine = PluginEngine::new(&settings).expect("starts");
    let run = |trust| {
        let plugin = Plugin::from_bytes_as(&engine, "slow", &slow(), trust).expect("loads");
        let limits = PluginLimits { deadline: Duration::from_millis(1), ..PluginLimits::default() };
        let factory = PluginFactory::new(plugin, PluginOptions { limits, ..PluginOptions::default() });
        let mut operator = Setup::default().create(&factory).expect("instantiates");
        operator.process(input(3), &mut Collected::default())
    };
    let error = run(Trust::Untrusted).expect_err("stopped");
    assert!(error.to_string().contains("limits.deadline"), "{error}");
    run(Trust::Trusted).expect("runs to its end");
}
