//! What is granted and what is not: columns, and servers by a transport that answers from memory.

use std::sync::{Arc, Mutex};

use volley_api::OperatorFactory;
use volley_wasm::{
    CompileIn, EngineSettings, Grants, HttpAllowance, HttpAnswer, HttpFailure, HttpRequest, HttpResponse,
    HttpTransport, Origin, Plugin, PluginEngine, PluginFactory, PluginOptions, Violation,
};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, Setup, input, input_schema, load, numbers_schema};

fn columns(names: &[&str]) -> PluginOptions {
    let columns = Some(names.iter().map(|name| (*name).to_owned()).collect());
    PluginOptions { grants: Grants { columns, http: Vec::new() }, ..PluginOptions::default() }
}

fn factory(component: &[u8], options: PluginOptions) -> PluginFactory {
    PluginFactory::new(load(component).expect("loads"), options)
}

fn refused(component: &[u8], options: PluginOptions) -> String {
    factory(component, options).bind(&input_schema()).expect_err("refused").to_string()
}

#[test]
fn a_column_that_is_not_granted_is_refused_by_name_at_plan_time() {
    let mut guest = Guest::new("filter", &["x", "name"]);
    let answer = guest.filtered(&[0xff], &[]);
    let component = guest.process(&format!("(i32.const {answer})")).build();
    let message = refused(&component, columns(&["x"]));
    assert!(message.contains("plugin canned") && message.contains("the column `name`"), "{message}");
    assert!(message.contains("`grants.columns`"), "{message}");
    assert!(refused(&component, columns(&["x", "nmae"])).contains("`nmae`; did you mean `name`?"));
    assert!(factory(&component, columns(&["name", "x"])).bind(&input_schema()).is_ok());
}

#[test]
fn open_is_told_of_granted_columns_alone() {
    // It refuses in the very bytes of the schema's message, made text, so that they can be looked at.
    let mut guest = Guest::new("filter", &[]);
    let error = guest.put(&words_to_bytes(&[1, 1, 0, 0]));
    let body = format!(
        "(local $at i32) (local.set $at (local.get $schema))
        (loop $next
            (if (i32.ge_u (i32.load8_u (local.get $at)) (i32.const 0x7f))
                (then (i32.store8 (local.get $at) (i32.const 0x3f))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next
                (i32.lt_u (local.get $at) (i32.add (local.get $schema) (local.get $schema_len)))))
        (i32.store offset=8 (i32.const {error}) (local.get $schema))
        (i32.store offset=12 (i32.const {error}) (local.get $schema_len))
        (i32.const {error})"
    );
    let component = guest.open(&body).build();
    let all = refused(&component, PluginOptions::default());
    let some = refused(&component, columns(&["x"]));
    assert!(all.contains("name"), "{all}");
    let (told, hint) = some.split_once(" (not shown to it").expect("the host says what it left out");
    assert!(!told.contains("name") && hint.contains(": name)"), "{some}");
}

#[test]
fn what_is_not_granted_passes_by_and_is_not_overwritten() {
    let map = |column: &str| {
        let mut guest = Guest::new("map", &["x"]).output("out", &numbers_schema(column), false);
        let answer = guest.mapped(&[], &[]);
        let echo = "(i32.store offset=8 (global.get $answer) (local.get $ptr))
            (i32.store offset=12 (global.get $answer) (local.get $len))
            (global.get $answer)";
        guest.functions(&format!("(global $answer i32 (i32.const {answer}))")).process(echo).build()
    };
    let mut collected = Collected::default();
    let factory = factory(&map("y"), columns(&["x"]));
    Setup::default().create(&factory).expect("starts").process(input(3), &mut collected).expect("runs");
    let schema = collected.rows[0].1.batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["x", "name", "y"]);
    let message = refused(&map("name"), columns(&["x"]));
    assert!(message.contains("take the place of the column `name`"), "{message}");
}

/// Asks one server for one page per call, and keeps all rows if there was an answer, and none otherwise.
fn asks(url: &str) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&[0], &[]);
    let url = guest.text(url);
    let request = guest.put(&words_to_bytes(&[0, url[0], url[1], 0, 0, 0, 0]));
    let answers = guest.put(&words_to_bytes(&[0, 0]));
    guest
        .imports(r#"(import "volley:operator/http@0.1.0" "send" (func $send (param i32 i32 i32)))"#)
        .process(&format!(
            "(call $send (i32.const {request}) (i32.const 1) (i32.const {answers}))
            (i32.store8 (i32.load offset=8 (i32.const {result}))
                (select (i32.const 0xff) (i32.const 0)
                    (i32.eqz (i32.load8_u (i32.load (i32.const {answers}))))))
            (i32.const {result})"
        ))
        .build()
}

/// Answers all, and remembers what was asked.
#[derive(Debug, Default)]
struct Memory(Mutex<Vec<String>>);

impl HttpTransport for Memory {
    fn send(&self, requests: Vec<HttpRequest>, _: &HttpAllowance) -> Vec<HttpAnswer> {
        let urls = requests.iter().map(|request| request.url.to_string());
        self.0.lock().expect("no panic").extend(urls);
        let answer = |request: HttpRequest| match request.url.path() {
            "/broken" => Err(HttpFailure::Failed("broken off".to_owned())),
            _ => Ok(HttpResponse { status: 404, headers: vec![("a".into(), b"b".to_vec())], body: b"no".to_vec() }),
        };
        requests.into_iter().map(answer).collect()
    }
}

fn with_memory(component: &[u8], servers: &[&str], sample: u32) -> (PluginFactory, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let settings = EngineSettings {
        cache_dir: None,
        http: Some(Arc::clone(&memory) as Arc<dyn HttpTransport>),
        ..EngineSettings::new(CompileIn::ThisProcess)
    };
    let engine = PluginEngine::new(&settings).expect("starts");
    let http = servers.iter().map(|server| Origin::parse(server).expect("a server")).collect();
    let grants = Grants { columns: None, http };
    let options = PluginOptions { grants, determinism_sample: sample, ..PluginOptions::default() };
    (PluginFactory::new(Plugin::from_bytes(&engine, "asks", component).expect("loads"), options), memory)
}

fn kept(factory: &PluginFactory) -> usize {
    let mut collected = Collected::default();
    Setup::default().create(factory).expect("starts").process(input(8), &mut collected).expect("runs");
    collected.rows.iter().map(|(_, record)| record.batch.num_rows()).sum()
}

#[test]
fn an_import_without_its_grant_is_a_load_error_that_says_what_to_write() {
    let component = asks("https://a.example/");
    let (factory, _) = with_memory(&component, &[], 0);
    let message = factory.bind(&input_schema()).expect_err("refused").to_string();
    for word in ["cannot be loaded", "volley:operator/http@0.1.0", "grants: { http: [", "--grant-http"] {
        assert!(message.contains(word), "{message} should say {word}");
    }
    assert_eq!(factory.metrics().snapshot().violations.get(&Violation::ImportNotGranted), Some(&1));
    // A host that has no client says so, whatever is granted.
    let grants = Grants { columns: None, http: vec![Origin::parse("https://a.example").expect("a server")] };
    let message = refused(&component, PluginOptions { grants, ..PluginOptions::default() });
    assert!(message.contains("the feature `http`"), "{message}");
}

#[test]
fn what_is_granted_is_asked_and_answered() {
    let (factory, memory) = with_memory(&asks("https://a.example/v1?x=1"), &["https://a.example:443"], 0);
    assert_eq!(kept(&factory), 8);
    assert_eq!(*memory.0.lock().expect("no panic"), ["https://a.example/v1?x=1"]);
    assert!(factory.metrics().snapshot().violations.is_empty());
    let (factory, _) = with_memory(&asks("https://a.example/broken"), &["https://a.example:443"], 0);
    assert_eq!(kept(&factory), 0, "no answer is told, and the plugin decides");
}

#[test]
fn what_is_not_granted_is_denied_and_counted() {
    let (factory, memory) = with_memory(&asks("https://b.example/"), &["https://a.example:443"], 0);
    assert_eq!(kept(&factory), 0);
    assert!(memory.0.lock().expect("no panic").is_empty());
    assert_eq!(factory.metrics().snapshot().violations.get(&Violation::HttpDenied), Some(&1));
}

#[test]
fn a_call_made_twice_asks_once() {
    let (factory, memory) = with_memory(&asks("https://a.example/"), &["https://a.example:443"], 1);
    assert_eq!(kept(&factory), 8);
    assert_eq!(memory.0.lock().expect("no panic").len(), 1);
    assert!(factory.metrics().snapshot().violations.is_empty());
}

#[test]
fn requests_are_for_calls_on_batches_alone() {
    let mut guest = Guest::new("filter", &["x"]);
    let answers = guest.put(&words_to_bytes(&[0, 0]));
    let result = guest.filtered(&[0xff], &[]);
    let component = guest
        .imports(r#"(import "volley:operator/http@0.1.0" "send" (func $send (param i32 i32 i32)))"#)
        .close(&format!("(call $send (i32.const 0) (i32.const 0) (i32.const {answers}))"))
        .process(&format!("(i32.const {result})"))
        .build();
    let (factory, _) = with_memory(&component, &["https://a.example:443"], 0);
    let mut operator = Setup::default().create(&factory).expect("starts");
    let mut collected = Collected::default();
    operator.process(input(8), &mut collected).expect("runs");
    let message = operator.finish(&mut collected).expect_err("not now").to_string();
    assert!(message.contains("`http.send` was called where neither a batch nor timers"), "{message}");
}
