//! Calls that fail are kept with all that they depend on, and fail again in the same way wherever they are made again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use volley_api::{
    ManualClock, NodeName, Operator, OperatorContext, OperatorFactory, OriginDirectory, Replayed as ReadAgain,
    SeedSource, StreamType, SubtaskId,
};
use volley_test_guests::SnapshotBodies;
use volley_wasm::{
    CompileIn, EngineSettings, Grants, HttpAllowance, HttpAnswer, HttpFailure, HttpRequest, HttpResponse,
    HttpTransport, OnError, Origin, Plugin, PluginEngine, PluginFactory, PluginOptions, ReplayOptions, Replayed, Repro,
    replay,
};

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Collected, engine, input, input_schema, numbers_schema};
use crate::memory::Memory;

/// A component in a file, and where bundles go.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) component: PathBuf,
}

impl Place {
    pub(crate) fn of(component: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("guest.wasm");
        std::fs::write(&path, component).expect("a file");
        Self { folder, component: path }
    }

    pub(crate) fn kept(&self) -> PathBuf {
        self.folder.path().join("failed ones")
    }

    pub(crate) fn options(&self) -> PluginOptions {
        let repro = Some(Arc::new(Repro::new(&self.kept())));
        PluginOptions { repro, determinism_sample: 0, ..PluginOptions::default() }
    }

    fn start(&self, engine: &Arc<PluginEngine>, options: PluginOptions, keys: &[&str]) -> Box<dyn Operator> {
        let plugin = Plugin::load(engine, &self.component).expect("loads");
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let errors_attached = options.on_error != OnError::Fail;
        let factory = PluginFactory::new(plugin, options).with_keys(keys);
        let stream = StreamType { schema: input_schema(), event_time: None, is_bounded: true, is_revised: false };
        factory.bind_stream(&stream).expect("binds");
        if !factory.keys().unwrap_or_default().is_empty() {
            assert_eq!(factory.replayed(&stream), ReadAgain::Otherwise, "state of a process is that of an order");
        }
        let context = OperatorContext {
            node: NodeName::new("node").expect("a name"),
            subtask: SubtaskId { index: 1, parallelism: 3 },
            input: input_schema(),
            event_time: None,
            state: Arc::new(Memory),
            restored: Default::default(),
            errors_attached,
            clock: Arc::new(ManualClock::at(1_234)),
            seeds: SeedSource::new(1),
            origins: OriginDirectory::new(),
        };
        factory.create(context).expect("starts")
    }

    pub(crate) fn bundles(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.kept()) else { return Vec::new() };
        let mut bundles: Vec<PathBuf> = entries.map(|entry| entry.expect("one").path()).collect();
        bundles.sort();
        bundles
    }

    /// The only bundle, made again by an engine that knows nothing of the job.
    pub(crate) fn again(&self) -> Replayed {
        let replayed = replay(engine(), &self.only(), &ReplayOptions::default()).expect("replays");
        assert!(replayed.same_component());
        replayed
    }

    /// The only bundle.
    pub(crate) fn only(&self) -> PathBuf {
        let mut bundles = self.bundles();
        assert_eq!(bundles.len(), 1, "{bundles:?}");
        bundles.remove(0)
    }

    /// What another component makes of the call of the only bundle; it is refused unless it is asked for.
    pub(crate) fn again_by(&self, component: &[u8]) -> Replayed {
        let other = self.folder.path().join("other.wasm");
        std::fs::write(&other, component).expect("a file");
        let with = |allow_other| {
            replay(engine(), &self.only(), &ReplayOptions { component: Some(other.clone()), allow_other })
        };
        let error = with(false).expect_err("another component").to_string();
        assert!(error.contains("is of the component sha256") && error.contains("--allow-other"), "{error}");
        let replayed = with(true).expect("replays");
        assert!(!replayed.same_component());
        replayed
    }
}

pub(crate) fn bundle(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("bundle.json")).expect("there")).expect("JSON")
}

/// A filter that traps at the row `x = 5`.
fn trapping() -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let answer = guest.filtered(&[0xff], &[]);
    let body = format!(
        "(local.set $i (local.get $ptr))
         (loop $next
           (if (i64.eq (i64.load (local.get $i)) (i64.const 5)) (then unreachable))
           (local.set $i (i32.add (local.get $i) (i32.const 8)))
           (br_if $next (i32.lt_u (i32.add (local.get $i) (i32.const 7)) (i32.add (local.get $ptr) (local.get $len)))))
         (i32.const {answer})"
    );
    guest.process(&body).build()
}

#[test]
fn a_row_that_traps_is_kept_alone_and_traps_again() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), place.options(), &[]);
    let error = operator.process(input(8), &mut Collected::default()).expect_err("a trap").to_string();
    let command = format!("`volley plugin replay '{}'`", place.kept().join("node-1-0").display());
    assert!(error.contains("it panicked or aborted") && error.contains(&command), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("trap in filter: unreachable; at 0x"), "{replayed:?}");
    assert_eq!(replayed.operator, ("node".to_owned(), 1, 3));
    assert_eq!((replayed.function.as_str(), replayed.calls_before), ("filter", 0));
    let kept = &place.bundles()[0];
    let described = bundle(kept);
    assert_eq!(described["call"]["parents"]["rows"], 1, "one row is to blame");
    assert_eq!(described["error"].as_str(), Some(replayed.error.as_str()));
    // The rows are an Arrow stream that others read.
    let rows = std::fs::File::open(kept.join("input.arrow")).expect("there");
    let mut rows = arrow::ipc::reader::StreamReader::try_new(rows, None).expect("a stream");
    let batch = rows.next().expect("one").expect("good");
    assert_eq!((batch.num_rows(), batch.num_columns()), (1, 1));
    assert!(rows.next().is_none());
}

#[test]
fn what_is_set_aside_is_kept_too_up_to_a_limit() {
    let place = Place::of(&trapping());
    let options = PluginOptions { on_error: OnError::Skip, ..place.options() };
    let mut operator = place.start(engine(), options, &[]);
    let mut collected = Collected::default();
    for _ in 0..20 {
        operator.process(input(8), &mut collected).expect("goes on");
    }
    assert_eq!(collected.rejects.len(), 20);
    assert_eq!(place.bundles().len(), volley_wasm::REPRO_BUNDLES_MAX);
}

#[test]
fn without_a_folder_nothing_is_kept_or_said() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), PluginOptions::default(), &[]);
    let error = operator.process(input(8), &mut Collected::default()).expect_err("a trap").to_string();
    assert!(!error.contains("replay") && place.bundles().is_empty(), "{error}");
}

#[test]
fn a_component_that_is_not_there_or_another_is_refused_with_what_to_do() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), place.options(), &[]);
    operator.process(input(8), &mut Collected::default()).expect_err("a trap");
    let kept = place.bundles().remove(0);
    let refused = |options: &ReplayOptions| replay(engine(), &kept, options).expect_err("refused").to_string();
    let elsewhere = place.folder.path().join("elsewhere.wasm");
    std::fs::rename(&place.component, &elsewhere).expect("moves");
    let message = refused(&ReplayOptions::default());
    assert!(message.contains("is not at") && message.contains("--component"), "{message}");
    let named = |component: &Path, allow_other| ReplayOptions { component: Some(component.to_owned()), allow_other };
    assert!(replay(engine(), &kept, &named(&elsewhere, false)).expect("replays").is_same());
    // Mended: it keeps all rows.
    let mut guest = Guest::new("filter", &["x"]);
    let answer = guest.filtered(&[0xff], &[]);
    let mended = place.folder.path().join("mended.wasm");
    std::fs::write(&mended, guest.process(&format!("(i32.const {answer})")).build()).expect("a file");
    let message = refused(&named(&mended, false));
    assert!(message.contains("is of the component sha256") && message.contains("--allow-other"), "{message}");
    let replayed = replay(engine(), &kept, &named(&mended, true)).expect("replays");
    assert!(!replayed.is_same() && !replayed.same_component() && replayed.error_now.is_none(), "{replayed:?}");
    assert!(replayed.now.starts_with("returned, sha256 "), "{replayed:?}");
    let message = replay(engine(), place.folder.path(), &ReplayOptions::default()).expect_err("none").to_string();
    assert!(message.contains("it has no file `bundle.json`"), "{message}");
}

/// Answers all with a number that counts up.
#[derive(Debug, Default)]
pub(crate) struct Counting(pub(crate) Mutex<u16>);

impl HttpTransport for Counting {
    fn send(&self, requests: Vec<HttpRequest>, _: &HttpAllowance) -> Vec<HttpAnswer> {
        let mut asked = self.0.lock().expect("no panic");
        let answer = |request: HttpRequest| {
            if request.url.path() == "/broken" {
                return Err(HttpFailure::Failed("broken off".to_owned()));
            }
            *asked += 1;
            Ok(HttpResponse { status: 200 + *asked, headers: vec![("a".into(), b"b".to_vec())], body: b"x".to_vec() })
        };
        requests.into_iter().map(answer).collect()
    }
}

/// A filter whose bitmap has chance, time and what a server answered in it; of so many bytes.
fn asking(bytes: u32) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(&vec![0; bytes as usize], &[]);
    let url = guest.text("https://a.example/");
    let request = guest.put(&words_to_bytes(&[0, url[0], url[1], 0, 0, 0, 0]));
    let answers = guest.put(&words_to_bytes(&[0, 0]));
    guest
        .imports(r#"(import "volley:operator/http@0.1.0" "send" (func $send (param i32 i32 i32)))"#)
        .imports(r#"(import "volley:operator/random@0.1.0" "next-u64" (func $random (result i64)))"#)
        .imports(r#"(import "volley:operator/clock@0.1.0" "now-ms" (func $now (result i64)))"#)
        .process(&format!(
            "(call $send (i32.const {request}) (i32.const 1) (i32.const {answers}))
            (i32.store8 (i32.load offset=8 (i32.const {result}))
              (i32.xor (i32.load16_u offset=4 (i32.load (i32.const {answers})))
                (i32.wrap_i64 (i64.xor (call $random) (call $now)))))
            (i32.const {result})"
        ))
        .build()
}

fn with_servers(place: &Place, sample: u32) -> (Box<dyn Operator>, Arc<Counting>) {
    let counting = Arc::new(Counting::default());
    let settings = EngineSettings {
        cache_dir: None,
        http: Some(Arc::clone(&counting) as Arc<dyn HttpTransport>),
        ..EngineSettings::new(CompileIn::ThisProcess)
    };
    let engine = PluginEngine::new(&settings).expect("starts");
    let grants = Grants {
        columns: Some(vec!["x".to_owned()]),
        http: vec![Origin::parse("https://a.example").expect("a server")],
    };
    let options = PluginOptions { grants, determinism_sample: sample, ..place.options() };
    (place.start(&engine, options, &[]), counting)
}

#[test]
fn servers_time_and_chance_answer_as_they_did() {
    // A bitmap of eight bytes for eight rows breaks the contract: what it gave is compared.
    let place = Place::of(&asking(8));
    let (mut operator, counting) = with_servers(&place, 0);
    let error = operator.process(input(8), &mut Collected::default()).expect_err("no bitmap").to_string();
    assert!(error.contains("volley plugin replay"), "{error}");
    assert_eq!(*counting.0.lock().expect("no panic"), 1);
    let described = bundle(&place.bundles()[0]);
    assert_eq!(described["call"]["http"][0][0]["status"], 201);
    assert_eq!(described["call"]["now_ms"], 1_234);
    assert_eq!(described["input"]["granted"], serde_json::json!(["x"]));
    // The engine of these tests has no client at all, and a clock that goes on.
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before.starts_with("returned, sha256 "), "{replayed:?}");
    // With another answer it would be something else.
    let path = place.bundles()[0].join("bundle.json");
    let text = std::fs::read_to_string(&path).expect("text");
    std::fs::write(&path, text.replace("\"status\": 201", "\"status\": 202")).expect("writes");
    assert!(!place.again().is_same());
}

#[test]
fn a_call_that_is_made_twice_asks_once_and_is_not_what_is_kept() {
    let place = Place::of(&asking(1));
    let (mut operator, counting) = with_servers(&place, 1);
    for _ in 0..3 {
        operator.process(input(8), &mut Collected::default()).expect("good");
    }
    assert_eq!(*counting.0.lock().expect("no panic"), 3, "the second calls asked nobody");
    assert!(place.bundles().is_empty());
}

/// A process with a state that removes the state of one key more than a million times where `x` is 5 or greater.
fn flooding() -> Vec<u8> {
    let mut guest = Guest::new("process", &["x"]).output("out", &numbers_schema("y"), false).pages(64);
    let (done, answer) = (guest.emitted(&[]), guest.put(&[0; 32]));
    let body = format!(
        "(loop $next
            (call $remove (i32.const 0) (i32.const 0x100000) (i32.const 200000) (i32.const {answer}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 6))))
         (i32.const {done})"
    );
    guest
        .state("kept", &numbers_schema("y"))
        .imports(r#"(import "volley:operator/state@0.1.0" "remove" (func $remove (param i32 i32 i32 i32)))"#)
        .process(&body)
        .build()
}

#[test]
fn a_limit_of_the_hosts_state_is_passed_again() {
    let place = Place::of(&flooding());
    let mut operator = place.start(engine(), place.options(), &["name"]);
    let error = operator.process(input(1), &mut Collected::default()).expect_err("too much").to_string();
    assert!(error.contains("entries of state in one call"), "{error}");
    let replayed = place.again();
    assert!(replayed.is_same() && replayed.before == "state_entries in process", "{replayed:?}");
    let now = replayed.error_now.expect("an error");
    assert!(now.contains("entries of state in one call; the limit is 1048576"), "{now}");
}

/// A process that holds state itself: so many bytes, each as many as there were calls; gives up at the fourth call.
fn giving_up() -> Vec<u8> {
    let mut guest = Guest::new("process", &["x"]).output("out", &numbers_schema("y"), false);
    let (done, fatal) = (guest.emitted(&[]), guest.failure(2, "the fourth call", 0));
    let bytes = guest.put(&[0; 8]);
    let part = guest.put(&words_to_bytes(&[0, 3, bytes, 1]));
    let parts = guest.put(&words_to_bytes(&[0, 0, part, 1]));
    let unit = guest.put(&[0; 24]);
    guest
        .functions("(global $calls (mut i32) (i32.const 0))")
        .process(&format!(
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (select (i32.const {fatal}) (i32.const {done}) (i32.ge_u (global.get $calls) (i32.const 4)))"
        ))
        .snapshot(SnapshotBodies {
            snapshot: Some(format!("(i32.store8 (i32.const {bytes}) (global.get $calls)) (i32.const {parts})")),
            restore: Some(format!(
                "(global.set $calls (i32.load8_u (i32.load offset=8 (local.get $parts)))) (i32.const {unit})"
            )),
            ..SnapshotBodies::default()
        })
        .build()
}

#[test]
fn what_is_held_is_brought_to_where_it_was_and_no_further() {
    let place = Place::of(&giving_up());
    let mut operator = place.start(engine(), place.options(), &["name"]);
    let mut collected = Collected::default();
    operator.process(input(3), &mut collected).expect("the first call");
    operator.snapshot().expect("a snapshot");
    operator.process(input(3), &mut collected).expect("the second call");
    operator.process(input(3), &mut collected).expect("the third call");
    let error = operator.process(input(3), &mut collected).expect_err("the fourth").to_string();
    assert!(error.contains("the fourth call"), "{error}");
    let described = bundle(&place.bundles()[0]);
    assert_eq!((&described["parts"][0]["bytes"], &described["parts"][0]["version"]), (&"01".into(), &3.into()));
    let replayed = place.again();
    assert_eq!(replayed.calls_before, 2, "not the call itself");
    assert!(replayed.is_same() && replayed.before.contains("the fourth call"), "{replayed:?}");
    // With less in it, it does not give up yet.
    let path = place.bundles()[0].join("bundle.json");
    let text = std::fs::read_to_string(&path).expect("text");
    std::fs::write(&path, text.replace("\"bytes\": \"01\"", "\"bytes\": \"00\"")).expect("writes");
    let replayed = place.again();
    assert!(!replayed.is_same() && replayed.error_now.is_none(), "{replayed:?}");
}

#[test]
fn bundles_that_are_none_are_told_by_what_is_wrong() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), place.options(), &[]);
    operator.process(input(8), &mut Collected::default()).expect_err("a trap");
    let kept = place.bundles().remove(0);
    let good = std::fs::read_to_string(kept.join("bundle.json")).expect("text");
    let cases = [
        (good.replace("\"format\": 2", "\"format\": 9"), "version 9; this host knows versions 1 to 2"),
        (good.replace("\"what\": null", "\"what\": \"dance\""), "no function is called for `\"dance\"`"),
        (good.replace("\"what\": null", "\"what\": { \"update\": [-1] }"), "a group is no number"),
        (good[..good.len() / 2].to_owned(), "EOF"),
        (good.replace("\"memory_bytes\"", "\"memory\""), "no `memory_bytes`"),
        (good.replace("\"came_to\"", "\"came\""), "no `came_to`"),
        (good.replace("\"rows\": 1\n", "\"rows\": -1\n"), "`rows` is not a whole number"),
        ("[]".to_owned(), "no `format`"),
    ];
    for (text, words) in cases {
        assert_ne!(text, good, "{words}");
        std::fs::write(kept.join("bundle.json"), text).expect("writes");
        let error = replay(engine(), &kept, &ReplayOptions::default()).expect_err(words).to_string();
        assert!(error.contains("the bundle ") && error.contains(words), "{words}: {error}");
    }
    std::fs::write(kept.join("bundle.json"), &good).expect("writes");
    let rows = std::fs::read(kept.join("input.arrow")).expect("bytes");
    std::fs::write(kept.join("input.arrow"), &rows[..rows.len() / 2]).expect("writes");
    let error = replay(engine(), &kept, &ReplayOptions::default()).expect_err("cut").to_string();
    assert!(error.contains("the rows"), "{error}");
}

#[test]
fn bundles_of_the_first_version_are_made_again() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), place.options(), &[]);
    operator.process(input(8), &mut Collected::default()).expect_err("a trap");
    let path = place.only().join("bundle.json");
    let text = std::fs::read_to_string(&path).expect("text");
    std::fs::write(&path, text.replace("\"format\": 2", "\"format\": 1")).expect("writes");
    assert!(place.again().is_same());
}

/// A bundle may come from anywhere: that it calls what the component does not have is told, and nothing else happens.
#[test]
fn calls_that_the_component_does_not_have_come_to_something_else() {
    let place = Place::of(&trapping());
    let mut operator = place.start(engine(), place.options(), &[]);
    operator.process(input(8), &mut Collected::default()).expect_err("a trap");
    let path = place.only().join("bundle.json");
    let good = std::fs::read_to_string(&path).expect("text");
    let declared = r#"{ "name": "n", "kind": "list", "map_keys": null, "values": "", "version": 1, "ttl_ms": null }"#;
    let of_state = [format!(r#"{{ "can_migrate": [{declared}] }}"#), format!(r#"{{ "migrate": {declared} }}"#)];
    let plain =
        ["\"drain\"", "\"evaluate\"", "{ \"update\": [0] }", "{ \"merge\": [0] }", "\"encode\"", "\"snapshot\""];
    let others = ["{ \"restore\": [] }", "{ \"groups\": [0] }", "{ \"watermark_ms\": null }"];
    for what in plain.iter().chain(&others).map(|what| (*what).to_owned()).chain(of_state) {
        std::fs::write(&path, good.replace("\"what\": null", &format!("\"what\": {what}"))).expect("writes");
        let replayed = replay(engine(), &place.only(), &ReplayOptions::default());
        assert!(replayed.as_ref().map_or(true, |replayed| !replayed.is_same()), "{what}: {replayed:?}");
    }
}
