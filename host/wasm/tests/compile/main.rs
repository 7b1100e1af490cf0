//! Compiling in a child process. The child is this very program, so it has a `main` of its own and no test harness:
//! started with `compile` it is the child, otherwise it runs the tests one after the other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use volley_api::ErrorKind;
use volley_wasm::{CompileIn, CompileLimits, EngineSettings, Error, Plugin, PluginEngine, compile_worker};

/// Names and tests; a test fails by panicking.
const TESTS: &[(&str, fn())] = &[
    ("the_child_compiles_what_this_process_would", the_child_compiles_what_this_process_would),
    (
        "a_component_that_is_refused_is_refused_with_the_same_words",
        a_component_that_is_refused_is_refused_with_the_same_words,
    ),
    ("a_component_that_takes_too_long_to_compile_is_stopped", a_component_that_takes_too_long_to_compile_is_stopped),
    ("a_compiler_that_is_out_of_memory_takes_nobody_with_it", a_compiler_that_is_out_of_memory_takes_nobody_with_it),
    ("a_child_that_hangs_is_killed", a_child_that_hangs_is_killed),
    ("a_child_that_cannot_be_started_is_named", a_child_that_cannot_be_started_is_named),
    (
        "a_child_that_answers_with_something_else_is_not_believed",
        a_child_that_answers_with_something_else_is_not_believed,
    ),
    ("the_child_inherits_no_environment", the_child_inherits_no_environment),
    ("the_worker_refuses_other_arguments", the_worker_refuses_other_arguments),
];

const CHILD: &str = "compile";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((CHILD, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return compile_worker(rest);
    }
    // As with any test: `cargo test NAME` runs those that have it in their name.
    let wanted = |name: &str| arguments.iter().all(|word| word.starts_with('-') || name.contains(word.as_str()));
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// This program as the child.
fn this_program() -> CompileIn {
    CompileIn::Child { program: std::env::current_exe().expect("it runs"), arguments: vec![CHILD.to_owned()] }
}

/// A child that does what a line of shell says.
fn shell(line: &str) -> CompileIn {
    CompileIn::Child { program: PathBuf::from("/bin/sh"), arguments: vec!["-c".to_owned(), line.to_owned()] }
}

fn engine(compile: CompileIn, compile_limits: CompileLimits, cache_dir: Option<&Path>) -> Arc<PluginEngine> {
    let cache_dir = cache_dir.map(Path::to_owned);
    PluginEngine::new(&EngineSettings { cache_dir, compile_limits, ..EngineSettings::new(compile) }).expect("starts")
}

fn load(compile: CompileIn, compile_limits: CompileLimits, wasm: &[u8]) -> Error {
    match Plugin::from_bytes(&engine(compile, compile_limits, None), "p", wasm) {
        Ok(plugin) => panic!("no error but {plugin:?}"),
        Err(error) => error,
    }
}

/// Looks like an operator, compiles, and is then found to have no functions. With another core module behind it.
fn hollow(module: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
          {module}
          (instance $nothing)
          (export "volley:operator/lifecycle@0.1.0" (instance $nothing))
          (export "volley:operator/map@0.1.0" (instance $nothing)))"#
    ))
    .expect("valid text")
}

/// A component with functions of so many instructions that the processor time runs out over it. In binary form: as text
/// it would take longer to read than to compile.
fn bomb() -> Vec<u8> {
    // Each step has ten bytes, and a function may have 7.6 million.
    const STEPS: usize = 600_000;
    // local 0 = local 0 × local 1 + local 0
    let step: &[u8] = b"\x20\0\x20\x01\x7e\x20\0\x7c\x21\0";
    let body = [b"\x01\x02\x7e", step.repeat(STEPS).as_slice(), b"\x0b"].concat();
    let code = [b"\x04", sized(&body).repeat(4).as_slice()].concat();
    let module = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x05\x04\0\0\0\0\x0a", sized(&code).as_slice()].concat();
    // One more section of a component: a core module.
    [hollow("").as_slice(), b"\x01", sized(&module).as_slice()].concat()
}

/// Bytes behind their number, in LEB128.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes.len();
    let mut out = Vec::with_capacity(bytes.len() + 5);
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).expect("seven bits"));
    out.extend(bytes);
    out
}

fn the_child_compiles_what_this_process_would() {
    let wasm = hollow("(core module (memory 1) (func (export \"f\") (result i32) (i32.load (i32.const 8))))");
    let kept = |compile: CompileIn| {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(compile, CompileLimits::default(), Some(&folder.path().join("aot")));
        let error = Plugin::from_bytes(&engine, "p", &wasm).expect_err("no operator");
        assert!(error.to_string().contains("has no function `describe`"), "{error}");
        let files: Vec<_> = std::fs::read_dir(folder.path().join("aot")).expect("made").flatten().collect();
        assert_eq!(files.len(), 1);
        (files[0].file_name(), std::fs::read(files[0].path()).expect("readable"))
    };
    let (child, here) = (kept(this_program()), kept(CompileIn::ThisProcess));
    assert_eq!(child.0, here.0, "one key");
    assert!(child.1 == here.1, "one artefact");
}

fn a_component_that_is_refused_is_refused_with_the_same_words() {
    let wasm = hollow("(core module (memory i64 1))");
    let child = load(this_program(), CompileLimits::default(), &wasm);
    let here = load(CompileIn::ThisProcess, CompileLimits::default(), &wasm);
    assert!(matches!(child, Error::NotAComponent { .. }), "{child}");
    assert_eq!(child.to_string(), here.to_string());
}

fn a_component_that_takes_too_long_to_compile_is_stopped() {
    let limits = CompileLimits { cpu: Duration::from_secs(1), ..CompileLimits::default() };
    let error = load(this_program(), limits, &bomb());
    assert!(matches!(error, Error::Load { .. }), "{error}");
    assert!(error.to_string().contains("used more than 1 s of processor time, and was stopped"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Plugin);
}

fn a_compiler_that_is_out_of_memory_takes_nobody_with_it() {
    // Less than the program has already: every further allocation of some size fails.
    let limits = CompileLimits { memory_bytes: 1 << 20, ..CompileLimits::default() };
    let error = load(this_program(), limits, &bomb());
    assert!(error.to_string().contains("brought the compiler down"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Plugin);
}

fn a_child_that_hangs_is_killed() {
    let limits = CompileLimits { wall: Duration::from_millis(50), ..CompileLimits::default() };
    let error = load(shell("while :; do :; done"), limits, &hollow(""));
    assert!(error.to_string().contains("took more than 0.05 s, and was stopped"), "{error}");
    // Neither does one that has closed its pipes.
    let error = load(shell("exec >&- 2>&- <&-; while :; do :; done"), limits, &hollow(""));
    assert!(error.to_string().contains("took more than 0.05 s, and was stopped"), "{error}");
}

fn a_child_that_cannot_be_started_is_named() {
    let missing = CompileIn::Child { program: PathBuf::from("/no/such/program"), arguments: Vec::new() };
    let error = load(missing, CompileLimits::default(), &hollow(""));
    assert!(error.to_string().contains("/no/such/program cannot be started"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Internal);
}

fn a_child_that_answers_with_something_else_is_not_believed() {
    let error = load(shell("cat"), CompileLimits::default(), &hollow(""));
    assert!(matches!(error, Error::NotAComponent { .. }), "{error}");
    let error = load(shell("echo it broke >&2; exit 1"), CompileLimits::default(), &hollow(""));
    assert!(matches!(error, Error::Engine(_)) && error.to_string().contains("it broke"), "{error}");
    // What it says beyond a bound is read, so that it does not block, and forgotten.
    let error = load(
        shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789 >&2; i=$((i+1)); done; exit 3"),
        CompileLimits::default(),
        &hollow(""),
    );
    assert!(error.to_string().len() < 4096, "{} bytes", error.to_string().len());
}

fn the_child_inherits_no_environment() {
    let error = load(shell("env >&2; pwd >&2; exit 3"), CompileLimits::default(), &hollow("")).to_string();
    assert!(std::env::var_os("PATH").is_some());
    assert!(error.contains("PWD=/") && !error.contains("PATH=") && !error.contains("HOME="), "{error}");
}

fn the_worker_refuses_other_arguments() {
    for arguments in [&[][..], &["trusted", "1"], &["both", "1", "1"], &["trusted", "x", "1"]] {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(format!("{:?}", compile_worker(&arguments)), format!("{:?}", ExitCode::FAILURE));
    }
}
