//! `volley plugin inspect --diff`: what differs between two components, and whether the new one can take the old one's place.
//! Neither is run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::contract::{Kind, grant_for};
use super::inspect::{Column, Inspection, StatedState};

/// What is to be done about the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They are the same, byte for byte.
    Equal,
    /// They differ in nothing that a pipeline or a checkpoint depends on, as far as it can be told without running them.
    Compatible,
    /// Somebody has to look: more is wanted from the host, or something is gone that others may depend on.
    Attention,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What differs: `kind`, `import`, `reads`, …
    pub what: &'static str,
    /// How the old one has it; absent where it has none.
    pub old: Option<String>,
    /// How the new one has it; absent where it has none.
    pub new: Option<String>,
    /// What follows from it, where somebody has to look.
    pub attention: Option<String>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The file.
    pub file: PathBuf,
    /// Its identity.
    pub digest: String,
}

/// What differs between two components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The one that runs now.
    pub old: Side,
    /// The one that is to take its place.
    pub new: Side,
    /// What is to be done.
    pub verdict: Verdict,
    /// Each difference.
    pub changes: Vec<Change>,
}

/// Compares what two components say of themselves.
pub fn diff(old: &Inspection, new: &Inspection) -> Difference {
    let mut changes = Changes(Vec::new());
    changes.fact("name", old.name.as_deref(), new.name.as_deref(), None);
    changes.fact("version", old.version.as_deref(), new.version.as_deref(), None);
    let other_kind = "it is another kind of operator, and pipelines treat it otherwise";
    changes.fact("kind", old.kind, new.kind, Some(other_kind));
    let is_minor = |told: &Inspection| {
        told.contract.as_deref().map(|version| version.rsplit_once('.').map(|(minor, _)| minor.to_owned()))
    };
    let other_contract = "it is built for another contract, which the host may not speak";
    let attention = (is_minor(old) != is_minor(new)).then_some(other_contract);
    changes.fact("contract", old.contract.as_deref(), new.contract.as_deref(), attention);
    changes.imports(old, new);
    changes.exports(old, new);
    changes.columns(old, new);
    changes.states(old, new);
    let memory = |told: &Inspection| told.memory_bytes.to_string();
    changes.fact("memory_bytes", Some(&memory(old)), Some(&memory(new)), None);
    let size = |told: &Inspection| told.bytes.to_string();
    changes.fact("bytes", Some(&size(old)), Some(&size(new)), None);
    for problem in new.problems.iter().filter(|problem| !old.problems.contains(problem)) {
        let attention = Some("hosts of this release refuse it".to_owned());
        changes.0.push(Change { what: "problem", old: None, new: Some(problem.clone()), attention });
    }
    if old.digest != new.digest {
        changes.fact("digest", Some(&old.digest), Some(&new.digest), None);
    }
    let side = |told: &Inspection| Side { file: told.file.clone(), digest: told.digest.clone() };
    let verdict = match () {
        () if old.digest == new.digest => Verdict::Equal,
        () if changes.0.iter().any(|change| change.attention.is_some()) => Verdict::Attention,
        () => Verdict::Compatible,
    };
    Difference { old: side(old), new: side(new), verdict, changes: changes.0 }
}

struct Changes(Vec<Change>);

impl Changes {
    fn fact(&mut self, what: &'static str, old: Option<&str>, new: Option<&str>, attention: Option<&str>) {
        if old == new {
            return;
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        self.0.push(Change { what, old: owned(old), new: owned(new), attention: owned(attention) });
    }

    fn added(&mut self, what: &'static str, new: String, attention: Option<String>) {
        self.0.push(Change { what, old: None, new: Some(new), attention });
    }

    fn removed(&mut self, what: &'static str, old: String, attention: Option<String>) {
        self.0.push(Change { what, old: Some(old), new: None, attention });
    }

    /// By interface: a patch of the contract's version asks for no more.
    fn imports(&mut self, old: &Inspection, new: &Inspection) {
        let names = |told: &Inspection| -> BTreeSet<String> {
            told.imports.iter().map(|import| unversioned(&import.name).to_owned()).collect()
        };
        let (before, after) = (names(old), names(new));
        for import in new.imports.iter().filter(|import| !before.contains(unversioned(&import.name))) {
            let attention = match grant_for(&import.name) {
                _ if !import.granted => "no host of this release offers it".to_owned(),
                Some(grant) => format!("the pipeline has to grant it: `grants: {{ {grant}: […] }}`"),
                None => "it asks the host for more than before".to_owned(),
            };
            self.added("import", import.name.clone(), Some(attention));
        }
        for import in old.imports.iter().filter(|import| !after.contains(unversioned(&import.name))) {
            self.removed("import", import.name.clone(), None);
        }
    }

    fn exports(&mut self, old: &Inspection, new: &Inspection) {
        let has =
            |told: &Inspection, name: &str| told.exports.iter().any(|other| unversioned(other) == unversioned(name));
        for export in new.exports.iter().filter(|export| !has(old, export)) {
            self.added("export", export.clone(), None);
        }
        for export in old.exports.iter().filter(|export| !has(new, export)) {
            let attention = unversioned(export)
                .ends_with("/snapshot")
                .then(|| "it no longer takes over what the old one keeps in checkpoints".to_owned());
            self.removed("export", export.clone(), attention);
        }
    }

    fn columns(&mut self, old: &Inspection, new: &Inspection) {
        let (Some(before), Some(after)) = (&old.columns, &new.columns) else {
            let words = |told: &Inspection| if told.columns.is_some() { "stated" } else { "decided when it is opened" };
            return self.fact("columns", Some(words(old)), Some(words(new)), None);
        };
        self.listed(
            "reads",
            &before.reads,
            &after.reads,
            Some("its input has to have it, and it sees more than before"),
            None,
        );
        let gone = "what follows it may read it";
        self.listed("writes", &before.writes, &after.writes, None, Some(gone));
    }

    fn listed(
        &mut self,
        what: &'static str,
        old: &[Column],
        new: &[Column],
        added: Option<&str>,
        removed: Option<&str>,
    ) {
        let text = |column: &Column| format!("{}: {}", column.name, column.data_type);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        for column in new {
            match old.iter().find(|other| other.name == column.name) {
                None => self.added(what, text(column), owned(added)),
                Some(other) if other.data_type != column.data_type => {
                    let attention = "its type is another";
                    self.fact(what, Some(&text(other)), Some(&text(column)), Some(attention));
                }
                Some(_) => {}
            }
        }
        for column in old.iter().filter(|column| !new.iter().any(|other| other.name == column.name)) {
            self.removed(what, text(column), owned(removed));
        }
    }

    fn states(&mut self, old: &Inspection, new: &Inspection) {
        let (Some(before), Some(after)) = (&old.states, &new.states) else {
            let words = |told: &Inspection| match &told.states {
                Some(states) => listed(states),
                None => "not stated".to_owned(),
            };
            let keeps = |told: &Inspection| told.kind == Some(Kind::Process.name());
            if old.digest != new.digest && (keeps(old) || keeps(new)) {
                let (what, attention) = ("states", Some(UNSTATED.to_owned()));
                self.0.push(Change { what, old: Some(words(old)), new: Some(words(new)), attention });
            }
            return;
        };
        for state in after {
            let Some(other) = before.iter().find(|other| other.name == state.name) else {
                self.added("state", state.to_string(), None);
                continue;
            };
            let same_kind = (&other.kind, &other.keys) == (&state.kind, &state.keys);
            let same_form = same_kind && (&other.functions, &other.values) == (&state.functions, &state.values);
            let attention = match () {
                () if !same_kind => {
                    Some("`migrate` cannot change the kind of a state or the keys of a map: give it another name")
                }
                () if same_form && other.version == state.version => None,
                () if other.version == state.version => {
                    Some("its form is another under the same version: raise the version, and write `migrate`")
                }
                () if other.version > state.version => Some("it goes back to an older version"),
                () => Some("what checkpoints hold has to be brought over: it needs `migrate`"),
            };
            self.fact("state", Some(&other.to_string()), Some(&state.to_string()), attention);
        }
        for state in before.iter().filter(|state| !after.iter().any(|other| other.name == state.name)) {
            let attention = Some("what checkpoints hold of it would be lost".to_owned());
            self.removed("state", state.to_string(), attention);
        }
    }
}

/// What a component keeps that only says it when it runs.
const UNSTATED: &str = "a component says what it keeps when it runs: start the job with the new one and its checkpoint; a start \
                        that does not fit is refused before it takes anything over";

fn listed(states: &[StatedState]) -> String {
    match states {
        [] => "none".to_owned(),
        states => states.iter().map(StatedState::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// `package:name/interface` of `package:name/interface@version`.
fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::inspect::inspect_bytes;
    use super::*;

    fn told(imports: &str, statement: &str, kind: &str) -> Inspection {
        let statement = statement.replace('"', "\\22");
        let text = format!(
            r#"(component {imports}
                (core module (memory 17) (@custom "volley-operator" "{statement}"))
                (instance $i)
                (export "volley:operator/lifecycle@0.1.0" (instance $i))
                (export "volley:operator/{kind}@0.1.0" (instance $i)))"#
        );
        inspect_bytes(Path::new("x.wasm"), &wat::parse_str(text).unwrap()).unwrap()
    }

    const LOG: &str = r#"(import "volley:operator/log@0.1.0" (instance))"#;
    const STATED: &str =
        r#"{"name":"a","version":"1.0.0","reads":[{"name":"x","type":"Int64"}],"writes":[{"name":"y","type":"Utf8"}]}"#;

    fn attention(old: &Inspection, new: &Inspection) -> Vec<(&'static str, String)> {
        let changes = diff(old, new).changes.into_iter();
        changes.filter_map(|change| Some((change.what, change.attention?))).collect()
    }

    #[test]
    fn equal_files_are_equal() {
        let one = told(LOG, STATED, "map");
        let difference = diff(&one, &one);
        assert_eq!((difference.verdict, difference.changes.len()), (Verdict::Equal, 0));
    }

    #[test]
    fn another_version_that_wants_no_more_is_compatible() {
        let old = told(LOG, STATED, "map");
        let more = STATED.replace("1.0.0", "1.1.0").replace(r#""Utf8"}"#, r#""Utf8"},{"name":"z","type":"Utf8"}"#);
        let new = told("", &more, "map");
        let difference = diff(&old, &new);
        assert_eq!(difference.verdict, Verdict::Compatible, "{:?}", difference.changes);
        let what: Vec<&str> = difference.changes.iter().map(|change| change.what).collect();
        assert_eq!(what, ["version", "import", "writes", "bytes", "digest"]);
        let json = serde_json::to_value(&difference).unwrap();
        assert_eq!((&json["verdict"], &json["changes"][0]["new"]), (&"compatible".into(), &"1.1.0".into()));
    }

    #[test]
    fn new_capabilities_are_told_with_the_grant() {
        let old = told(LOG, STATED, "map");
        let new = told(&format!(r#"{LOG}(import "volley:operator/http@0.1.0" (instance))"#), STATED, "map");
        let found = attention(&old, &new);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.contains("`grants: { http: […] }`"), "{found:?}");
        assert_eq!(diff(&new, &old).verdict, Verdict::Compatible, "less is wanted");
        let newer = told(&LOG.replace("0.1.0", "0.1.5"), STATED, "map");
        assert!(attention(&old, &newer).is_empty(), "a patch asks for no more");
    }

    #[test]
    fn what_others_depend_on_needs_a_look() {
        let old = told(LOG, STATED, "map");
        for (new, what) in [
            (told(LOG, STATED, "filter"), "kind"),
            (told(LOG, &STATED.replace(r#""name":"x""#, r#""name":"w""#), "map"), "reads"),
            (told(LOG, &STATED.replace(r#""name":"y""#, r#""name":"w""#), "map"), "writes"),
            (told(LOG, &STATED.replace("Utf8", "Int64"), "map"), "writes"),
            (told(r#"(import "wasi:sockets/tcp@0.2.0" (instance))"#, STATED, "map"), "import"),
        ] {
            assert!(attention(&old, &new).iter().any(|(found, _)| *found == what), "{what}");
        }
    }

    #[test]
    fn states_are_compared_by_name_form_and_version() {
        let with =
            |states: &str| told("", &format!(r#"{{"name":"a","version":"1.0.0","states":[{states}]}}"#), "process");
        let one = r#"{"name":"seen","kind":"value","values":"count: Int64","version":1,"ttl_ms":1000}"#;
        let old = with(one);
        assert_eq!(old.states.as_ref().unwrap()[0].ttl_ms, Some(1000));
        assert!(attention(&old, &with(&one.replace("1000", "2000"))).is_empty(), "another time to live is no harm");
        assert!(attention(&old, &with(&format!("{one},{}", one.replace("seen", "more")))).is_empty());
        // What is kept and not stated has to be looked at, by whoever can run it.
        let silent = told("", r#"{"name":"a","version":"1.0.1"}"#, "process");
        for (old, new) in [(&old, &silent), (&silent, &old), (&told("", r#"{"name":"a"}"#, "process"), &silent)] {
            assert!(attention(old, new).iter().any(|(what, why)| *what == "states" && why.contains("when it runs")));
        }
        assert!(attention(&silent, &silent).is_empty(), "the same component");
        for (new, words) in [
            (one.replace("Int64", "Utf8"), "raise the version"),
            (one.replace("Int64", "Utf8").replace(r#""version":1"#, r#""version":2"#), "needs `migrate`"),
            (one.replace(r#""version":1"#, r#""version":0"#), "older version"),
            (one.replace("seen", "other"), "would be lost"),
        ] {
            let found = attention(&old, &with(&new));
            assert!(found.iter().any(|(what, why)| *what == "state" && why.contains(words)), "{words}: {found:?}");
        }
    }

    #[test]
    fn another_kind_key_or_function_of_a_state_is_another_form() {
        let with =
            |state: &str| told("", &format!(r#"{{"name":"a","version":"1.0.0","states":[{state}]}}"#), "process");
        let map = r#"{"name":"seen","kind":"map","keys":"Utf8","values":"Int64","version":1}"#;
        let merge = r#"{"name":"seen","kind":"merge","functions":"sum","values":"Int64","version":1}"#;
        let list = r#"{"name":"seen","kind":"list","values":"Int64","version":1}"#;
        let unsaid = r#"{"name":"seen","values":"Int64","version":1}"#;
        let name = "give it another name";
        for (old, new, words) in [
            (map.to_owned(), map.replace("Utf8", "Int64"), [name, name]),
            (map.to_owned(), list.to_owned(), [name, name]),
            (unsaid.to_owned(), list.to_owned(), [name, name]),
            (merge.to_owned(), merge.replace("sum", "max"), ["raise the version", "needs `migrate`"]),
        ] {
            let raised = new.replace(r#""version":1"#, r#""version":2"#);
            for (new, words) in [&new, &raised].into_iter().zip(words) {
                let found = attention(&with(&old), &with(new));
                assert_eq!(found.len(), 1, "{old} {new}: {found:?}");
                assert!(found[0].0 == "state" && found[0].1.contains(words), "{words}: {found:?}");
            }
        }
        assert!(
            attention(&with(unsaid), &with(&unsaid.replace(r#""values""#, r#""kind":"value","values""#))).is_empty()
        );
    }
}
