//! From a trap in the engine to a line of the author's source: the offset that the host prints must lead there.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use volley_cli::plugin::contract::Kind;
use volley_cli::plugin::where_::{Frame, Place, find, parse_offset};
use volley_cli::plugin::{BuildRequest, BuiltPlugin, build, inspect};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store, WasmBacktrace};

const SOURCE: &str = include_str!("fixtures/trapping/lib.rs.in");
const MANIFEST: &str = include_str!("fixtures/trapping/Cargo.toml.in");

/// The tests build a crate of the same name into the same folder: one at a time.
static BUILDING: Mutex<()> = Mutex::new(());

/// Guests of these tests share a target folder across runs, so that only the first one compiles their dependencies.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

fn write_crate(dir: &Path) {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/volley-operator@0.1.0");
    let wit = wit.canonicalize().expect("the contract lies beside the host");
    std::fs::create_dir_all(dir.join("src")).unwrap();
    std::fs::write(dir.join("Cargo.toml"), MANIFEST).unwrap();
    std::fs::write(dir.join("src/lib.rs"), SOURCE.replace("{{wit}}", &wit.to_string_lossy())).unwrap();
}

fn build_one(dir: &Path, out: &Path, debug_info: bool) -> BuiltPlugin {
    let request = BuildRequest {
        dir: dir.into(),
        out: Some(out.into()),
        debug_info,
        target_dir: Some(target_dir()),
        ..BuildRequest::default()
    };
    build(&request).unwrap_or_else(|error| panic!("{error}")).remove(0)
}

/// Calls `describe` and gives the code offsets of the trap, innermost first.
fn trap(component: &Path) -> Vec<u64> {
    let engine = Engine::new(&Config::new()).unwrap();
    let component = Component::from_file(&engine, component).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let lifecycle = instance.get_export_index(&mut store, None, "volley:operator/lifecycle@0.1.0").unwrap();
    let describe = instance.get_export_index(&mut store, Some(&lifecycle), "describe").unwrap();
    let describe = instance.get_func(&mut store, describe).unwrap();
    let error = describe.call(&mut store, &[], &mut [Val::Bool(false)]).unwrap_err();
    let backtrace = error.downcast_ref::<WasmBacktrace>().expect("a trap carries its frames");
    backtrace.frames().iter().map(|frame| frame.module_offset().expect("code has offsets") as u64).collect()
}

fn line_of(marker: &str) -> u32 {
    let line = SOURCE.lines().position(|line| line.contains(marker)).unwrap();
    u32::try_from(line).unwrap() + 1
}

fn stands_at(frames: &[Frame], function: &str, marker: &str) -> bool {
    frames.iter().any(|frame| {
        frame.function.contains(function)
            && frame.file.as_ref().is_some_and(|file| file.ends_with("src/lib.rs"))
            && frame.line == Some(line_of(marker))
    })
}

fn place_in<'a>(places: &'a [Place], function: &str) -> &'a Place {
    places
        .iter()
        .find(|place| place.frames.iter().any(|frame| frame.function.contains(function)))
        .unwrap_or_else(|| panic!("no {function} in {places:#?}"))
}

#[test]
fn a_trap_leads_to_the_line_in_the_stripped_and_in_the_full_component() {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    write_crate(dir.path());
    let stripped = build_one(dir.path(), &dir.path().join("stripped.wasm"), false);
    let full = build_one(dir.path(), &dir.path().join("full.wasm"), true);
    assert_eq!(stripped.kind, Kind::Map);
    assert_eq!(stripped.bytes, std::fs::metadata(&stripped.path).unwrap().len());
    assert!(stripped.bytes < full.bytes);
    assert!(!inspect::inspect(&stripped.path).unwrap().debug_info);
    assert!(inspect::inspect(&full.path).unwrap().debug_info);
    assert_eq!(inspect::inspect(&stripped.path).unwrap().problems, Vec::<String>::new());

    // What ships has shorter code: an offset is one in the file that ran, and leads to the same places all the same.
    let mut found = Vec::new();
    for (component, debug_build) in [(&full.path, None), (&stripped.path, Some(stripped.debug_build.as_path()))] {
        let offsets = trap(component);
        let places = find(component, &offsets, debug_build).unwrap();
        assert_eq!(places.len(), offsets.len());
        found.push(places.iter().map(|place| place.frames.clone()).collect::<Vec<_>>());
        // The innermost frames are those of the standard library, on its way from the panic to the trap.
        let place = place_in(&places, "inner");
        assert!(stands_at(&place.frames[..1], "inner", "// the trap"), "{places:#?}");
        assert!(stands_at(&place.frames[1..], "trapping_operator::outer", "// the call"), "{places:#?}");
        assert!(stands_at(&place_in(&places, "describe").frames, "describe", "outer(std::hint"), "{places:#?}");
    }
    assert_eq!(found[0], found[1]);
    assert!(trap(&stripped.path)[0] < trap(&full.path)[0], "shorter code lies further in front");
}

#[test]
fn the_kept_build_is_found_without_being_named() {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    write_crate(dir.path());
    let request = BuildRequest { dir: dir.path().into(), target_dir: Some(target_dir()), ..BuildRequest::default() };
    let built = build(&request).unwrap().remove(0);
    assert_eq!(built.path, target_dir().join("volley/trapping-operator.wasm"));
    let offsets = trap(&built.path);
    let places = find(&built.path, &offsets, None).unwrap();
    assert!(stands_at(&place_in(&places, "inner").frames, "inner", "// the trap"), "{places:#?}");
}

#[test]
fn a_component_that_was_built_elsewhere_finds_its_lines_where_it_lies() {
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    write_crate(&dir.path().join("source"));
    let out = dir.path().join("components");
    let built = build_one(&dir.path().join("source"), &out.join(""), false);
    assert_eq!(built.path, out.join("trapping-operator.wasm"));
    let offset = trap(&built.path)
        .into_iter()
        .map(|offset| format!("{offset:#x}"))
        .find(|offset| {
            find(&built.path, &[parse_offset(offset).unwrap()], None).unwrap()[0].frames[0].function == "inner"
        })
        .unwrap();
    // The target folder is not to be found from here, and nothing says where it is.
    let ask = || {
        let mut volley = Command::new(env!("CARGO_BIN_EXE_volley"));
        volley.args(["plugin", "where", "components/trapping-operator.wasm", &offset]);
        volley.current_dir(dir.path()).env_remove("CARGO_TARGET_DIR").output().unwrap()
    };
    let output = ask();
    let (said, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(said.contains(&format!("src/lib.rs:{}", line_of("// the trap"))), "{said}");

    std::fs::remove_dir_all(out.join("debug")).unwrap();
    let output = ask();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for searched in ["components/debug", "components/target/volley/debug", "target/volley/debug"] {
        assert!(stderr.contains(&format!("/{searched}\n")), "{stderr} lacks {searched}");
    }
}
